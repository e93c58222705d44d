"""How requests are answered: a page for browsers and JSON for everyone else, errors included."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Flask, current_app, flash, g, jsonify, redirect, render_template, request, url_for
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import IntegerConverter

from app.errors import InvalidInput, LoginNeeded, NamesakeError, ScopeNeeded, UnsupportedType
from app.jobs import Queue
from app.labelling.reading import read_counts
from app.labelling.telling import describe
from app.labelling.waiting import count_inbox
from app.labelling.workspace import Workspace

log = logging.getLogger("namesake")
health = Blueprint("health", __name__)

_WORDS = {
    400: "That did not work",
    401: "Log in first",
    403: "Not from here",
    404: "Nothing here",
    405: "Not possible here",
    409: "Already decided",
    413: "Too large",
    415: "Not a photo we can read",
    429: "Too many tries",
    500: "Something went wrong",
    503: "Busy",
    507: "The disk is full",
}
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_UNEXPECTED = "Something went wrong on our side. Nothing was changed."


def workspace() -> Workspace:
    """What this application's use cases work with."""
    found: Workspace = current_app.extensions["namesake"]
    return found


def queue() -> Queue:
    """Where background work goes."""
    found: Queue = current_app.extensions["namesake-queue"]
    return found


def wants_html() -> bool:
    """Browsers name text/html; curl and scripts do not."""
    return "text/html" in request.headers.get("Accept", "")


def next_page(endpoint: str, **values: Any) -> ResponseReturnValue:
    """Where a form goes when it is done."""
    return redirect(url_for(endpoint, **values), 303)


def tell_decision(decision_id: int, back: str) -> None:
    """Let the next page say what was decided, beside a button that undoes it. back: as POST /undo/ takes it."""
    flash([f"{describe(workspace(), decision_id)}.", decision_id, back], "undoable")  # type: ignore[arg-type]


def sent_file(what: str) -> FileStorage:
    """What came in the field named file. what: it should have been, in words. Raises InvalidInput."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise InvalidInput(f"No file came with the request: send {what} in the field named file.")
    return sent


def whole_number(field: str) -> int | None:
    """A field, of the form or else of the address, that is a whole number; None when it is missing or empty.

    Raises NamesakeError.
    """
    fields = request.form if request.method == "POST" else request.args
    text = fields.get(field, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise NamesakeError(f"{field} must be a whole number.")
    return int(text)


def is_ticked(field: str) -> bool:
    """Whether a field, of the form or else of the address, says yes: as a checkbox does, or a script."""
    fields = request.form if request.method == "POST" else request.args
    return fields.get(field, "") not in ("", "0", "no", "false")


class _IdConverter(IntegerConverter):
    """The number of a photo, face, person or job: no more digits than the store can hold."""

    regex = r"\d{1,15}"


def init_app(app: Flask) -> None:
    app.url_map.converters["id"] = _IdConverter
    app.context_processor(_count_waiting)
    app.register_error_handler(Exception, _answer_error)
    app.register_blueprint(health)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.default = _as_json  # type: ignore[attr-defined]
    app.add_template_filter(_when, "when")
    app.add_template_filter(_ago, "ago")


@health.get("/healthz")
def show_health() -> ResponseReturnValue:
    if not g.caller.scope:
        return jsonify({"status": "ok"})
    counts = read_counts(workspace())
    shown = {key: counts[key] for key in ("faces", "people", "inbox")}
    engine = workspace().engine
    note = {"engine_note": engine.note} if engine.note else {}
    return jsonify({"status": "ok", **shown, "engine": engine.name, **note})


def _as_json(value: Any) -> Any:
    return (
        f"{value.isoformat(timespec='seconds')}Z" if isinstance(value, datetime) else DefaultJSONProvider.default(value)
    )


def _when(value: datetime) -> str:
    """A moment in the store's time, UTC, as a person writes it: 5 March 2026, 14:05 UTC."""
    return f"{value.day} {value:%B %Y, %H:%M} UTC"


def _ago(value: datetime, now: datetime | None = None) -> str:
    """How long ago a moment in the store's time was, in words; beyond a week the day itself."""
    seconds = int(((now or datetime.now(UTC).replace(tzinfo=None)) - value).total_seconds())
    for unit, length, limit in (("minute", 60, 60), ("hour", 3600, 24), ("day", 86400, 8)):
        count = seconds // length
        if count < 1:
            return "just now"
        if count < limit:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return f"{value.day} {value:%B %Y}"


def check_form() -> None:
    """Fields come as a form: anything else that is sent would be overlooked in silence."""
    if request.method == "POST" and request.content_length and request.mimetype not in _FORMS:
        raise UnsupportedType("Send the fields as a form: multipart/form-data, or application/x-www-form-urlencoded.")


def _count_waiting() -> dict[str, int]:
    return {} if "plain_page" in g else {"inbox": count_inbox(workspace())}


def _answer_error(error: Exception) -> ResponseReturnValue:
    status, message, details = _describe(error)
    request_id = g.get("request_id", "")
    if status >= 500:
        log.error("the request failed with %s", status, exc_info=error)
    kept = _headers(error)
    if wants_html():
        if isinstance(error, LoginNeeded):
            return _lead_to_login()
        # The page needs nothing from the store: it may be what failed, or the reader may be no one's business.
        g.plain_page = True
        page = {"status": status, "title": _title(error, status), "message": message, "request_id": request_id}
        login = _login_page() if isinstance(error, ScopeNeeded) else None
        return render_template("errors/error.html", back=_back(), login=login, **page), status, kept
    return jsonify({"message": message, "request_id": request_id, **details}), status, kept


def _title(error: Exception, status: int) -> str:
    own = error.title if isinstance(error, NamesakeError) else None
    return own or _WORDS.get(status, HTTP_STATUS_CODES.get(status, "That did not work"))


def _headers(error: Exception) -> list[tuple[str, str]]:
    if isinstance(error, NamesakeError):
        return list(error.headers.items())
    headers = error.get_headers() if isinstance(error, HTTPException) else []
    return [(name, value) for name, value in headers if name in ("Allow", "Retry-After")]


def _lead_to_login() -> ResponseReturnValue:
    changing = request.method not in ("GET", "HEAD")
    return redirect(_login_page(ended=1 if changing else None), 303)


def _login_page(**more: Any) -> str:
    """The address of the page to log in on, which leads back to where the reader is."""
    here = request.full_path.removesuffix("?") if request.method in ("GET", "HEAD") else _back()
    return url_for("access.show_login", next=here if here and here != "/" else None, **more)


def _describe(error: Exception) -> tuple[int, str, dict[str, Any]]:
    if isinstance(error, NamesakeError):
        return error.status, error.message, error.details
    if isinstance(error, CSRFError):
        return 400, "This page was open too long, or cookies are off. Reload it and try again.", {}
    if isinstance(error, HTTPException):
        status = error.code or 500
        return status, _http_words(status), {}
    if isinstance(error, SQLAlchemyError) and isinstance(error.__cause__, sqlite3.OperationalError):
        return 503, "The store cannot be used right now. Nothing was changed: try again.", {}
    return 500, _UNEXPECTED, {}


def _http_words(status: int) -> str:
    limit = workspace().settings.max_upload_mb
    return {
        400: "The request could not be understood.",
        404: "There is nothing at this address.",
        405: "This address does not take that kind of request.",
        413: f"That is too much at once. Photos of up to {limit} MB are taken, a few at a time.",
    }.get(status, HTTP_STATUS_CODES.get(status, "The request was refused.") + ".")


def _back() -> str | None:
    """The page the reader came from, on this site only."""
    referrer = request.referrer or ""
    if request.method == "GET" or not referrer.startswith(request.host_url):
        return None
    return "/" + referrer.removeprefix(request.host_url).lstrip("/\\")
