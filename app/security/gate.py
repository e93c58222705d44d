"""Who may ask.

Without a password only this machine may: a loopback address, a loopback Host header (a page elsewhere cannot reach us
by pointing its own name here), and no sign of a proxy that would make everyone look local. With one everybody, this
machine too, shows a session or a token.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session

from app.access.door import NOBODY, Caller, Door
from app.access.policy import Scope, needed_for
from app.errors import Forbidden, InvalidInput, LoginNeeded, ScopeNeeded
from app.store import author

KEY = "key"
"""under which the cookie holds the key of the session"""
_FORWARDING = (
    "Forwarded",
    "Via",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Original-Host",
    "X-Original-Forwarded-For",
    "X-Envoy-External-Address",
    "CF-Connecting-IP",
    "Fly-Client-IP",
    "True-Client-IP",
)
_NOT_LOCAL = (
    "Namesake answers only on the machine it runs on, because there is no password yet. There, set one with "
    "flask --app wsgi set-password. Or open a tunnel from here: ssh -L 8000:localhost:8000 THAT-MACHINE, then visit "
    "http://localhost:8000."
)

# Nothing but a name or an address, and a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(:\d+)?")


def init_app(app: Flask) -> None:
    app.before_request(_check_caller)
    app.teardown_request(_forget_caller)
    app.context_processor(_tell_pages)


def door() -> Door:
    """The door of this application."""
    found: Door = current_app.extensions["namesake-door"]
    return found


def _check_caller() -> None:
    locked, caller = door().look(_shown_token(), lambda: session.get(KEY))
    if not locked:
        if not _is_local():
            raise Forbidden(_NOT_LOCAL)
        caller = Caller(Scope.ADMIN, caller.name)
    elif not _host():
        raise InvalidInput("The request does not say by which name it has reached this machine.")
    elif caller is NOBODY and KEY in session:
        session.clear()  # has ended, and with it what the next page would have said
    g.locked, g.caller = locked, caller
    author.set_name(caller.name)
    _check_scope(caller, needed_for(request.endpoint))


def _check_scope(caller: Caller, needed: Scope) -> None:
    if caller.scope >= needed:
        return
    if caller is NOBODY and _shown_token() is not None:
        raise LoginNeeded("This token is not known here: it is misspelt, or was revoked.")
    if caller is NOBODY:
        raise LoginNeeded("Log in at /login/ first, or send a token: Authorization: Bearer TOKEN.")
    if caller.session_id is None:
        raise ScopeNeeded(f"This needs a token of scope {needed.word}; this one has scope {caller.scope.word}.")
    raise ScopeNeeded("This needs scope admin: log in with the admin password. Yours is the one for labelling.")


def _shown_token() -> str | None:
    shown = request.authorization
    return shown.token or "" if shown is not None and shown.type == "bearer" else None


def _forget_caller(_error: BaseException | None) -> None:
    author.set_name(None)


def _tell_pages() -> dict[str, Caller | None]:
    """`caller` is None on a page for those who were not let in."""
    return {"caller": g.get("caller")}


def _is_local() -> bool:
    forwarded = any(name in request.headers for name in _FORWARDING) or any(
        name.lower().startswith("x-forwarded") for name, _value in request.headers
    )
    return not forwarded and _is_loopback(request.remote_addr or "") and _is_loopback(_host())


def _host() -> str:
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        return ""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
