"""Names that look wrong, and what a human says to them."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.http import next_page, wants_html, workspace
from app.labelling import doubts, reading

bp = Blueprint("doubts", __name__)


@bp.get("/doubts/")
def index() -> ResponseReturnValue:
    found = doubts.read_doubts(workspace())
    if not wants_html():
        return jsonify({"doubts": found})
    chosen = request.args.get("face", type=int)
    shown = next((doubt for doubt in found if doubt["face"]["id"] == chosen), found[0] if found else None)
    return render_template("doubts/index.html", page="people", doubts=found, doubt=shown)


@bp.post("/faces/<id:face_id>/vouch", strict_slashes=False)
def vouch(face_id: int) -> ResponseReturnValue:
    doubts.vouch(workspace(), face_id, request.form.get("label"))
    face = reading.read_face(workspace(), face_id)
    if wants_html():
        flash(f"Noted: this is {face['label']}. It will not be asked again.", "success")
        return next_page("doubts.index")
    return jsonify(face)
