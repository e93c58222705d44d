"""For those who run it: whether it lives, whether it can take work, and how much it does."""

from __future__ import annotations

from flask import Blueprint, Response, g, jsonify
from flask.typing import ResponseReturnValue

from app import metrics
from app.http import queue, workspace
from app.labelling.tallies import read_tallies
from app.operations import readiness, versions

bp = Blueprint("operations", __name__)


@bp.get("/healthz/live")
def show_live() -> ResponseReturnValue:
    return jsonify({"status": "ok"})


@bp.get("/healthz/ready")
def show_ready() -> ResponseReturnValue:
    missing = readiness.find_missing(workspace())
    if not g.caller.scope:  # those who would have to log in
        return jsonify({"status": "not ready" if missing else "ok"}), 503 if missing else 200
    if missing:
        return jsonify({"status": "not ready", "missing": missing}), 503
    note = workspace().engine.note
    return jsonify({"status": "ok", "engine": workspace().engine.name, **({"engine_note": note} if note else {})})


@bp.get("/metrics")
def show_metrics() -> ResponseReturnValue:
    told = metrics.write(read_tallies(workspace()), consumer=queue().has_consumer(), build=versions.build(workspace()))
    return Response(told, content_type=metrics.FORMAT)
