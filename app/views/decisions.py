"""What was decided lately, and taking it back."""

from __future__ import annotations

from flask import Blueprint, flash, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.http import next_page, wants_html, whole_number, workspace
from app.labelling import telling, undoing

bp = Blueprint("decisions", __name__)

# Where a form may lead back to, by the word in its field `back`; else to the list. With a number: `person:12`.
_BACK = {"people": "people.index", "review": "review.show", "upload": "upload.show"}
_BACK_TO_ONE = {"person": ("people.show", "person_id"), "photo": ("photos.show", "photo_id")}


@bp.get("/decisions/")
def index() -> ResponseReturnValue:
    recent = telling.recent_decisions(workspace())
    if not wants_html():
        return jsonify({"decisions": recent})
    return render_template("decisions/index.html", page="decisions", decisions=recent)


@bp.post("/undo/")
def undo() -> ResponseReturnValue:
    told = undoing.undo(workspace(), whole_number("decision_id"), is_admin=g.caller.is_admin)
    if wants_html():
        flash(f"Undone: {told['what'][0].lower()}{told['what'][1:]}.", "success")
        return _go_back(request.form.get("back", ""), told["face_ids"])
    return jsonify({"undone": told["what"], "decision_id": told["decision_id"], "face_ids": told["face_ids"]})


def _go_back(back: str, face_ids: list[int]) -> ResponseReturnValue:
    """To where the form came from; the review shows the group that was decided again."""
    if back == "review" and face_ids:
        return next_page("review.show", face_id=face_ids[0])
    word, _colon, number = back.partition(":")
    if word in _BACK_TO_ONE and number.isascii() and number.isdigit() and len(number) < 16:
        endpoint, key = _BACK_TO_ONE[word]
        return next_page(endpoint, **{key: int(number)})
    return next_page(_BACK.get(back, "decisions.index"))
