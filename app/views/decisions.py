"""What was decided lately, and taking it back."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.http import next_page, wants_html, whole_number, workspace
from app.labelling import telling, undoing

bp = Blueprint("decisions", __name__)

# Where a form may lead back to, by the word in its field `back`; else to the list.
_BACK = {"people": "people.index", "upload": "upload.show"}


@bp.get("/decisions/")
def index() -> ResponseReturnValue:
    recent = telling.recent_decisions(workspace())
    if not wants_html():
        return jsonify({"decisions": recent})
    return render_template("decisions/index.html", page="decisions", decisions=recent)


@bp.post("/undo/")
def undo() -> ResponseReturnValue:
    told = undoing.undo(workspace(), whole_number("decision_id"))
    if wants_html():
        flash(f"Undone: {told['what'][0].lower()}{told['what'][1:]}.", "success")
        return next_page(_BACK.get(request.form.get("back", ""), "decisions.index"))
    return jsonify({"undone": told["what"], "decision_id": told["decision_id"], "face_ids": told["face_ids"]})
