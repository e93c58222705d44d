"""How well the suggestions do, and the faces behind every number of it."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.http import wants_html, workspace
from app.labelling import behind
from app.labelling.insights import read_insights

bp = Blueprint("insights", __name__, url_prefix="/insights")


@bp.get("/")
def index() -> ResponseReturnValue:
    shown = read_insights(workspace())
    if not wants_html():
        return jsonify(shown)
    ticks = _ticks(shown["accuracy"]["answers"])
    return render_template("insights/index.html", page="insights", ticks=ticks, **shown)


@bp.get("/faces/")
def faces() -> ResponseReturnValue:
    shown = behind.faces_behind(workspace(), request.args.to_dict())
    if not wants_html():
        return jsonify(shown)
    return render_template("insights/faces.html", **shown | {"page": "insights", "number": shown["page"]})


def _ticks(upto: int) -> list[int]:
    """At most five round numbers up to here, to be written along an axis."""
    steps = (digit * 10**power for power in range(1, 9) for digit in (1, 2, 5))
    step = next(step for step in steps if step * 5 >= upto)
    return list(range(step, upto + 1, step))
