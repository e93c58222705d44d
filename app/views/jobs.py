"""How far background work has come."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from app.http import queue, wants_html, workspace
from app.labelling import progress

bp = Blueprint("jobs", __name__)

_NEXT_PAGE = {
    "reset": "/people/",
    "encode": "/review/",
    "import": "/review/",
    "backup": "/admin/#backups",
    "restore": "/people/",
}


@bp.get("/jobs/<id:job_id>/")
def show(job_id: int) -> ResponseReturnValue:
    job = progress.read_job(workspace(), job_id)
    if job["state"] in ("queued", "running"):
        queue().ensure_consumer()
    if not wants_html():
        return jsonify({key: job[key] for key in ("state", "done", "total", "message", "eta_s", "result")})
    job["percent"] = progress.percent(job)
    return render_template("jobs/show.html", page="admin", job=job, next_url=_NEXT_PAGE[job["kind"]])
