"""Backups: made, listed, sent, brought in and back, deleted."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, flash, jsonify, request
from flask.typing import ResponseReturnValue

from app.errors import InvalidInput
from app.http import next_page, queue, sent_file, wants_html, workspace
from app.labelling import archives, backups, receiving, restoring
from app.labelling.receiving import Arriving

bp = Blueprint("backups", __name__, url_prefix="/backups")


@bp.get("/")
def index() -> ResponseReturnValue:
    if wants_html():
        return next_page("admin.show", _anchor="backups")
    return jsonify({"backups": [archives.describe(each) for each in archives.kept(workspace())]})


@bp.post("/")
def make() -> ResponseReturnValue:
    return _under_way(backups.request_backup(workspace()))


@bp.post("/upload", strict_slashes=False)
def bring_in() -> ResponseReturnValue:
    kept = receiving.keep(workspace(), cast(Arriving, sent_file("a backup").stream))
    if not wants_html():
        return jsonify(archives.describe(kept)), 201
    flash(receiving.in_words(kept), "success")
    return next_page("admin.show")  # at the top, where the message is


@bp.get("/<name>.zip")
def download(name: str) -> ResponseReturnValue:
    found = archives.find(workspace(), name)
    response = Response(archives.download(found), mimetype="application/zip")
    response.headers["Content-Disposition"] = f"attachment; filename=namesake-{found.name}.zip"
    return response


@bp.post("/<name>/restore", strict_slashes=False)
def restore(name: str) -> ResponseReturnValue:
    if wants_html() and request.form.get("confirm", "").strip() != "RESTORE":
        raise InvalidInput("Type RESTORE in the field to go on. Nothing was changed.")
    return _under_way(restoring.request_restore(workspace(), name))


@bp.post("/<name>/delete", strict_slashes=False)
def delete(name: str) -> ResponseReturnValue:
    archives.remove(workspace(), name)
    if not wants_html():
        return jsonify({"deleted": name})
    flash("The backup is deleted.", "success")
    return next_page("admin.show", _anchor="backups")


def _under_way(job_id: int) -> ResponseReturnValue:
    queue().send(job_id)
    if wants_html():
        return next_page("jobs.show", job_id=job_id)
    return jsonify({"job_url": f"/jobs/{job_id}/"}), 202
