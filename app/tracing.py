"""Every request has a number: in its answer, in the lines logged about it, and in what is said of an error."""

from __future__ import annotations

import logging
import time
import uuid

from flask import Flask, Response, g, request

from app import meters

log = logging.getLogger("namesake")

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# What is asked for all the time and tells nobody anything.
_QUIET = ("static", "health", "operations")


def init_app(app: Flask) -> None:
    """Before all else: what is asked first is told its number too, and what answers last is counted."""
    app.before_request(_begin)
    app.after_request(_note)


def _begin() -> None:
    g.request_id = uuid.uuid4().hex[:12]
    g.began = time.perf_counter()


def _note(response: Response) -> Response:
    """Say what was asked, by the rule and not by the address, which may hold a name."""
    if "began" in g:
        spent = time.perf_counter() - g.began
        method = request.method if request.method in _METHODS else "other"
        route = request.url_rule.rule if request.url_rule else "none"
        meters.count("requests", method=method, route=route, status=str(response.status_code))
        meters.observe("request_seconds", spent, route=route)
        quiet = response.status_code < 400 and (request.endpoint or "").split(".")[0] in _QUIET
        told = {"method": method, "route": route, "status": response.status_code, "ms": round(1000 * spent, 1)}
        log.log(logging.DEBUG if quiet else logging.INFO, "answered", extra={"fields": told})
        response.headers["X-Request-ID"] = g.request_id
    return response
