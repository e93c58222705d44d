"""The labelling loop: a group of faces, and the answer to it."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.errors import InvalidInput
from app.http import next_page, wants_html, workspace
from app.labelling import reviewing

bp = Blueprint("review", __name__, url_prefix="/review")


@bp.get("/")
def show() -> ResponseReturnValue:
    review = reviewing.read_review(workspace())
    if not wants_html():
        return jsonify(review)
    return render_template("review/index.html", page="review", **review)


@bp.post("/")
def answer() -> ResponseReturnValue:
    action, label = request.form.get("action") or "confirm", request.form.get("label")
    said = reviewing.answer(workspace(), action, label, _numbers("face_id"), _numbers("reject_id"))
    bought = reviewing.what_it_bought(workspace(), label) if action == "confirm" and label else ""
    message = f"{said['message']} {bought}".strip()
    if wants_html():
        flash(message, "success")
        return next_page("review.show")
    return jsonify(said | {"message": message, "next": reviewing.read_review(workspace())})


def _numbers(field: str) -> list[int]:
    """The faces of a repeated field. Raises InvalidInput."""
    texts = request.form.getlist(field)
    if not all(text.isascii() and text.isdigit() and len(text) < 16 for text in texts):
        raise InvalidInput(f"{field} must be the number of a face.")
    return [int(text) for text in texts]
