"""What a human says about a face."""

from __future__ import annotations

from flask import Blueprint, flash, jsonify, request
from flask.typing import ResponseReturnValue

from app.http import next_page, wants_html, whole_number, workspace
from app.labelling import aside, decisions, reading, recognising
from app.labelling.waiting import next_waiting

bp = Blueprint("faces", __name__)

# Where a form may lead back to, by the word in its field `back`; else to the photo.
_BACK = {"doubts": "doubts.index", "aside": "aside.index"}


@bp.post("/confirm/")
def confirm() -> ResponseReturnValue:
    face_id = decisions.confirm(
        workspace(), request.form.get("image_path"), request.form.get("label"), whole_number("face_id")
    )
    face = reading.read_face(workspace(), face_id)
    if wants_html():
        flash(f"Saved: {face['label']}.", "success")
        return _go_on(face)
    return jsonify(
        {
            "message": "Training data updated successfully.",
            "image_path": face["image_path"],
            "face_id": face_id,
            "label": face["label"],
        }
    )


@bp.post("/faces/<id:face_id>/move", strict_slashes=False)
def move(face_id: int) -> ResponseReturnValue:
    decisions.move(workspace(), face_id, request.form.get("label"))
    return _answer(face_id, "This face has the new name.")


@bp.post("/faces/<id:face_id>/unlabel", strict_slashes=False)
def unlabel(face_id: int) -> ResponseReturnValue:
    decisions.unlabel(workspace(), face_id)
    return _answer(face_id, "Taken back. The face is waiting for a name again.")


@bp.post("/faces/<id:face_id>/reject", strict_slashes=False)
def reject(face_id: int) -> ResponseReturnValue:
    decisions.reject(workspace(), face_id, request.form.get("label"))
    return _answer(face_id, "Noted. It will not be suggested for this face again.")


@bp.post("/faces/<id:face_id>/accept", strict_slashes=False)
def accept(face_id: int) -> ResponseReturnValue:
    aside.accept(workspace(), face_id, request.form.get("label"))
    return _answer(face_id, "Taken back. This name may be suggested for the face again.")


@bp.post("/faces/<id:face_id>/dismiss", strict_slashes=False)
def dismiss(face_id: int) -> ResponseReturnValue:
    decisions.dismiss(workspace(), face_id, request.form.get("action"))
    if wants_html():
        flash("Put aside.", "success")
        return _go_on(reading.read_face(workspace(), face_id))
    return _answer(face_id, "Put aside.")


@bp.post("/faces/<id:face_id>/recognise", strict_slashes=False)
def recognise(face_id: int) -> ResponseReturnValue:
    recognising.set_use(workspace(), face_id, request.form.get("use"))
    return _answer(face_id, "Noted.")


def _answer(face_id: int, said: str) -> ResponseReturnValue:
    face = reading.read_face(workspace(), face_id)
    if wants_html():
        flash(said, "success")
        back = _BACK.get(request.form.get("back", ""))
        if back:
            which = {"which": request.form["which"]} if "which" in request.form else {}
            return next_page(back, **which)
        return next_page("photos.show", photo_id=face["photo_id"], _anchor=f"face-{face_id}")
    return jsonify(face)


def _go_on(face: dict[str, int]) -> ResponseReturnValue:
    """To the next face of the photo, else to the next photo, else to the finished one."""
    photo_id = face["photo_id"]
    for other in reading.read_photo(workspace(), photo_id)["faces"]:
        if other["status"] == "inbox":
            return next_page("photos.show", photo_id=photo_id, _anchor=f"face-{other['id']}")
    following = next_waiting(workspace(), photo_id)
    return next_page("photos.show", photo_id=following or photo_id)
