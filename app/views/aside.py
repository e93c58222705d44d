"""What was put aside for good, and taking it back."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.http import wants_html, whole_number, workspace
from app.labelling import aside

bp = Blueprint("aside", __name__)


@bp.get("/aside/")
def index() -> ResponseReturnValue:
    found = aside.read_aside(workspace(), request.args.get("which"), whole_number("page"))
    if not wants_html():
        return jsonify(found)
    return render_template("aside/index.html", page="review", which=found["list"], **_but_page(found))


def _but_page(found: dict[str, object]) -> dict[str, object]:
    """The name `page` is that of the page itself."""
    return {"number": found["page"], "last": found["pages"], "faces": found["faces"], "counts": found["counts"]}
