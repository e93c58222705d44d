"""The labelling loop: a group of faces, and the answer to it."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.errors import InvalidInput
from app.http import next_page, wants_html, whole_number, workspace
from app.labelling import reading, reviewing, waiting

bp = Blueprint("review", __name__, url_prefix="/review")


@bp.get("/")
def show() -> ResponseReturnValue:
    review = reviewing.read_review(workspace(), whole_number("face_id"))
    more_to_come = waiting.is_searching(workspace())
    if not wants_html():
        return jsonify(review | {"searching": more_to_come})
    names = reading.read_names(workspace())
    return render_template("review/index.html", page="review", names=names, more_to_come=more_to_come, **review)


@bp.post("/")
def answer() -> ResponseReturnValue:
    label, (kept, rejected) = _label(), _faces()
    action = request.form.get("action") or (request.form.get("otherwise") if not label else "") or "confirm"
    said = reviewing.answer(workspace(), action, label, kept, rejected)
    bought = reviewing.what_it_bought(workspace(), label) if action == "confirm" and label else ""
    message = f"{said['message']} {bought}".strip()
    if wants_html():
        flash([message, said["decision_id"], "review"], "undoable")  # type: ignore[arg-type]
        return next_page("review.show")
    return jsonify(said | {"message": message, "next": reviewing.read_review(workspace())})


def _label() -> str | None:
    """The name: of the button that was pressed, else the one that was typed, else the one that was suggested."""
    fields = request.form
    return fields.get("person") or fields.get("label") or fields.get("suggested")


def _faces() -> tuple[list[int], list[int]]:
    """The faces that are so, and those that are not: `face_id` and `reject_id`. A form without scripts cannot send the
    second, so it names every face that it shows in `offered_id`; `none` says that no tick counts."""
    kept = [] if request.form.get("none") else _numbers("face_id")
    # Putting some faces of a person aside says nothing about the rest; among strays it says that they are known.
    partial = request.form.get("action") in ("ignore", "not_a_face") and request.form.get("otherwise") != "ignore"
    offered = [] if partial else _numbers("offered_id")
    return kept, _numbers("reject_id") + [face_id for face_id in offered if face_id not in kept]


def _numbers(field: str) -> list[int]:
    """The faces of a repeated field. Raises InvalidInput."""
    texts = request.form.getlist(field)
    if not all(text.isascii() and text.isdigit() and len(text) < 16 for text in texts):
        raise InvalidInput(f"{field} must be the number of a face.")
    return [int(text) for text in texts]
