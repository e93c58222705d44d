"""Who may ask, and what browsers are told to refuse on our behalf.

There is no password yet, so only this machine may: a loopback address, a loopback Host header (a page elsewhere
cannot reach us by pointing its own name here), and no sign of a proxy that would make everyone look local.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_wtf import CSRFProtect

from app.errors import Forbidden

SESSION_COOKIE = "namesake"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
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
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send "Origin: null" with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
_NOT_LOCAL = (
    "Namesake answers only on the machine it runs on, because there is no password yet. From another machine, open "
    "a tunnel first: ssh -L 8000:localhost:8000 THAT-MACHINE, then visit http://localhost:8000."
)

# Nothing but a name or an address, and a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(:\d+)?")

_csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    app.config.update(
        SECRET_KEY=read_secret(Path(app.instance_path)),
        SESSION_COOKIE_NAME=SESSION_COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )
    _csrf.init_app(app)
    app.before_request(_check_sender)
    app.before_request(_check_site)
    app.after_request(_add_headers)


def read_secret(instance: Path) -> str:
    """The key that cookies and job messages are signed with; made once for all processes."""
    path = instance / "secret"
    if not path.exists():
        instance.mkdir(parents=True, exist_ok=True)
        draft = instance / f".secret-{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)  # fails when another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text("utf-8")


def _check_sender() -> None:
    forwarded = any(name in request.headers for name in _FORWARDING) or any(
        name.lower().startswith("x-forwarded") for name, _value in request.headers
    )
    if forwarded or not _is_loopback(request.remote_addr or "") or not _is_loopback(_host()):
        raise Forbidden(_NOT_LOCAL)


def _check_site() -> None:
    """Refuse what another site makes a browser send."""
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin", "none") or (origin is not None and not _is_own(origin)):
        raise Forbidden("This request came from another site. Nothing was changed.")
    # Scripts without cookies need no token: there is nothing of the user's that they could be riding on.
    if SESSION_COOKIE in request.cookies:
        _csrf.protect()


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def _host() -> str:
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        return ""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(origin: str) -> bool:
    return origin == request.host_url.rstrip("/")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
