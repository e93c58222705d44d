"""Labels leave, and come back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import BinaryIO, cast

from flask import Blueprint, Response, flash, jsonify
from flask.typing import ResponseReturnValue

from app.http import is_ticked, next_page, sent_file, wants_html, workspace
from app.labelling import bringing, exporting, sidecars
from app.labelling.joining import Taken

bp = Blueprint("travel", __name__)

# Messages travel in a cookie, which holds 4 KB.
_FLASHED = 5


@bp.get("/photos/<id:photo_id>/sidecar.xmp")
def send_sidecar(photo_id: int) -> ResponseReturnValue:
    return _attached(sidecars.read_sidecar(workspace(), photo_id), "application/rdf+xml", f"photo-{photo_id}.xmp")


@bp.get("/export/labels.csv")
def send_labels() -> ResponseReturnValue:
    return _attached(exporting.stream_labels(workspace()), "text/csv", "labels.csv")


@bp.get("/export/training.zip")
def send_training() -> ResponseReturnValue:
    where = workspace()
    export = exporting.read_export(where)
    strip = is_ticked("strip")
    return _attached(exporting.stream_archive(where, export, [], strip=strip), "application/zip", "training.zip")


@bp.post("/import/")
def bring_back() -> ResponseReturnValue:
    taken = bringing.bring_back(workspace(), cast(BinaryIO, sent_file("training.zip or labels.csv").stream))
    if not wants_html():
        return jsonify(asdict(taken))
    _flash(taken)
    return next_page("admin.show")  # at the top, where the messages are


def _attached(content: bytes | Iterator[bytes], mimetype: str, name: str) -> Response:
    response = Response(content, mimetype=mimetype)
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _flash(taken: Taken) -> None:
    flash(taken.in_words(), "success" if taken.photos or taken.named or not taken.conflicts else "info")
    for told in taken.conflicts[:_FLASHED]:
        flash(
            f"{told['label'][:40]} was not given to a face in {told['image_path'][-60:]}: {told['message']}.", "error"
        )
    if len(taken.conflicts) > _FLASHED:
        flash(f"{len(taken.conflicts) - _FLASHED} more names were not given.", "error")
