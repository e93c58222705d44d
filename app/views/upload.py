"""The front page: photos come in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from app.errors import InvalidInput, NoFaceFound
from app.http import next_page, queue, wants_html, whole_number, workspace
from app.labelling import finding, photos, reading, uploading
from app.labelling.waiting import waiting_photos

bp = Blueprint("upload", __name__)

# Encoded while the sender waits; more than this is background work.
FEW = 4
# Messages travel in a cookie, which holds 4 KB.
_FLASHED = 5
FORMATS = "JPEG, PNG, WebP, HEIC, AVIF, GIF, TIFF or BMP"


@bp.get("/")
def show() -> ResponseReturnValue:
    if not wants_html():
        return jsonify({"hello": "world"})
    counts = reading.read_counts(workspace())
    return render_template(
        "upload/index.html",
        page="upload",
        limits={"max_mb": workspace().settings.max_upload_mb, "formats": FORMATS},
        recent=waiting_photos(workspace()),
        people_count=counts["people"],
        first_time=not counts["photos"],
    )


@bp.post("/upload/")
def upload() -> ResponseReturnValue:
    sent, job_id = _sent_files(), whole_number("job")
    if _is_for_later() or job_id is not None:
        return _answer_batch(sent, job_id)
    if len(sent) == 1:
        return _answer_one(sent[0].filename or "", _read(sent[0]))
    if len(sent) > FEW:
        return _answer_later(sent)
    ids, refusals = photos.store_photos(workspace(), _readers(sent))
    finding.find_faces(workspace(), ids)
    _flash_refusals(refusals)
    if wants_html():
        flash("1 photo is in." if len(ids) == 1 else f"{len(ids)} photos are in.", "success")
        return next_page("upload.show")
    return jsonify({"photos": [reading.read_photo(workspace(), id_) for id_ in ids], "refused": _told(refusals)})


def _answer_one(name: str, data: bytes) -> ResponseReturnValue:
    photo_id = photos.add_photo(workspace(), data, name)
    if wants_html():
        return next_page("photos.show", photo_id=photo_id)
    photo = reading.read_photo(workspace(), photo_id)
    if not photo["faces"]:
        raise NoFaceFound("No face was found. The photo was kept.", photo_id=photo_id, image_path=photo["image_path"])
    return jsonify(photo)


def _answer_later(sent: list[FileStorage]) -> ResponseReturnValue:
    ids, refusals = photos.store_photos(workspace(), _readers(sent))
    job_id = photos.request_encoding(workspace(), ids)
    queue().send(job_id)
    _flash_refusals(refusals)
    if wants_html():
        return next_page("jobs.show", job_id=job_id)
    return jsonify({"job_url": f"/jobs/{job_id}/", "photo_ids": ids, "refused": _told(refusals)}), 202


def _answer_batch(sent: list[FileStorage], job_id: int | None) -> ResponseReturnValue:
    """Some photos of a bulk upload, even if all of them are refused: the others are on their way."""
    batch = uploading.take_batch(workspace(), _readers(sent), job_id)
    if batch.job_id is not None:
        queue().send(batch.job_id)
    return jsonify(
        {
            "job_url": None if batch.job_id is None else f"/jobs/{batch.job_id}/",
            "photo_ids": [photo.photo_id for photo in batch.taken],
            "known": [photo.photo_id for photo in batch.taken if photo.known],
            "refused": _told(batch.refusals),
        }
    ), 202


def _is_for_later() -> bool:
    later = request.form.get("later", "").strip()
    if later not in ("", "0", "1"):
        raise InvalidInput("later must be 0 or 1.")
    return later == "1"


def _sent_files() -> list[FileStorage]:
    sent = [file for file in request.files.getlist("file") if file.filename]
    if not sent:
        raise InvalidInput("No photo came with the request: send one in the field named file.")
    return sent


def _readers(sent: list[FileStorage]) -> list[tuple[str, Callable[[], bytes]]]:
    return [(file.filename or "", partial(_read, file)) for file in sent]


def _read(file: FileStorage) -> bytes:
    size = file.stream.seek(0, 2)
    photos.check_size(workspace(), size)
    file.stream.seek(0)
    return file.stream.read()


def _told(refusals: list[photos.Refusal]) -> list[dict[str, Any]]:
    return [{"file": refusal.name, "message": refusal.error.message} for refusal in refusals]


def _flash_refusals(refusals: list[photos.Refusal]) -> None:
    if wants_html():
        for refusal in refusals[:_FLASHED]:
            flash(f"{refusal.name[:60]}: {refusal.error.message}", "error")
        if len(refusals) > _FLASHED:
            flash(f"{len(refusals) - _FLASHED} more files were not taken.", "error")
