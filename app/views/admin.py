"""The state of the installation, and the reset."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, flash, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from app.errors import InvalidInput, JobFailed
from app.http import next_page, queue, wants_html, workspace
from app.labelling import calibrating, overview, progress, receiving, resetting
from app.security.gate import door

bp = Blueprint("admin", __name__)

_PATIENCE_S = 30


@bp.get("/admin/")
def show() -> ResponseReturnValue:
    shown = overview.read_overview(workspace()) | {"access": door().describe()}
    if not wants_html():
        return jsonify(shown)
    jobs = [job | {"url": f"/jobs/{job['id']}/", "percent": progress.percent(job)} for job in shown["jobs"]]
    more = {"reset": resetting.describe_reset(workspace()), "room": receiving.room(workspace())}
    return render_template("admin/index.html", page="admin", **shown | more | {"jobs": jobs})


@bp.post("/calibration/forget", strict_slashes=False)
def forget_answers() -> ResponseReturnValue:
    calibrating.forget_answers(workspace())
    if wants_html():
        flash("Forgotten. How sure suggestions are is as it was at first, until you have given new answers.", "success")
        return next_page("admin.show", _anchor="confidence")
    return jsonify(calibrating.describe_calibration(workspace()))


@bp.post("/reset_training/")
def reset_training() -> ResponseReturnValue:
    if wants_html() and request.form.get("confirm", "").strip() != "RESET":
        raise InvalidInput("Type RESET in the field to go on. Nothing was changed.")
    job_id = resetting.request_reset(workspace())
    queue().send(job_id)
    if wants_html():
        return next_page("jobs.show", job_id=job_id)
    job = _wait_for(job_id)
    if job["state"] == "failed":
        raise JobFailed(job["message"], job["result"]["status"], job_url=f"/jobs/{job_id}/")
    if job["state"] != "done":
        return jsonify({"message": "Training reset is still running", "job_url": f"/jobs/{job_id}/"}), 202
    result = job["result"]
    return jsonify(
        {
            "message": "Training reset successful",
            "faces": result["faces"],
            "people": result["people"],
            "job_url": f"/jobs/{job_id}/",
        }
    )


def _wait_for(job_id: int) -> dict[str, Any]:
    """The job when it has finished, or after 30 seconds as it then is."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        job = progress.read_job(workspace(), job_id)
        if job["state"] in ("done", "failed") or time.monotonic() > deadline:
            return job
        time.sleep(0.1)
