"""Who may ask, and what browsers are told to refuse on our behalf: the side of app.access that knows Flask."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, request

from app.access.secret import read_secret
from app.access.sessions import LONGEST
from app.security import gate, origin
from app.security.cookies import NAME, Cookies
from app.security.proxy import TrustedProxy

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


def init_app(app: Flask, trusted_proxy: str) -> None:
    """trusted_proxy: the setting, a network or nothing."""
    app.config.update(
        SECRET_KEY=read_secret(Path(app.instance_path)),
        SESSION_COOKIE_NAME=NAME,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=LONGEST,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # asks for a Referer; the origin has been looked at already
    )
    app.session_interface = Cookies()
    if trusted_proxy:
        app.wsgi_app = TrustedProxy(app.wsgi_app, trusted_proxy)  # type: ignore[method-assign]
    gate.init_app(app)
    origin.init_app(app)
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "private, no-store")
    return response
