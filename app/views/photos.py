"""One photo with its faces, and the pictures on it."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, current_app, jsonify, render_template, send_file
from flask.typing import ResponseReturnValue

from app.http import next_page, tell_decision, wants_html, whole_number, workspace
from app.labelling import drawing, pictures, reading
from app.labelling.waiting import next_waiting

bp = Blueprint("photos", __name__)

_MAX_AGE_S = 3600


@bp.get("/photos/<id:photo_id>/")
def show(photo_id: int) -> ResponseReturnValue:
    if not wants_html():
        return jsonify(reading.read_photo(workspace(), photo_id))
    photo, faces = reading.read_page(workspace(), photo_id)
    following = next_waiting(workspace(), photo_id)
    return render_template(
        "photos/show.html",
        page="photos",
        photo=photo,
        faces=faces,
        people=reading.read_names(workspace()),
        next_photo=following and f"/photos/{following}/",
        done=all(face["status"] != "inbox" for face in faces),
    )


@bp.post("/photos/<id:photo_id>/faces", strict_slashes=False)
def draw(photo_id: int) -> ResponseReturnValue:
    box = [whole_number(side) for side in ("top", "right", "bottom", "left")]
    face_id, decision = drawing.draw_face(workspace(), photo_id, box)
    if not wants_html():
        return jsonify(reading.read_face(workspace(), face_id))
    tell_decision(decision, f"photo:{photo_id}")
    return next_page("photos.show", photo_id=photo_id, _anchor=f"face-{face_id}")


@bp.get("/photos/<id:photo_id>/image.jpg")
def show_image(photo_id: int) -> ResponseReturnValue:
    return _send(pictures.display(workspace(), photo_id))


@bp.get("/faces/<id:face_id>/thumb.jpg")
def show_thumb(face_id: int) -> ResponseReturnValue:
    try:
        return _send(pictures.thumb(workspace(), face_id))
    except pictures.FileMissing:
        return current_app.send_static_file("unknown.svg")


def _send(path: Path) -> ResponseReturnValue:
    response = send_file(path, mimetype="image/jpeg", conditional=True, max_age=_MAX_AGE_S)
    response.headers["Cache-Control"] = f"private, max-age={_MAX_AGE_S}"
    return response
