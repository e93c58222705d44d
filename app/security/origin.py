"""Which site a request comes from: only our own pages, and scripts that carry nothing of the user's, may change
something."""

from __future__ import annotations

import re

from flask import Flask, request
from flask_wtf import CSRFProtect

from app.errors import Forbidden
from app.http import wants_html
from app.security.cookies import has_cookie

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ON_THIS_SITE = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")

_csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    _csrf.init_app(app)
    app.before_request(_check_site)


def path_here(text: str) -> str:
    """An address on this site as it was asked for, the front page in place of anything else."""
    return text if _ON_THIS_SITE.fullmatch(text) else "/"


def _check_site() -> None:
    """Refuse what another site makes a browser send."""
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin", "none") or (origin is not None and not _is_own(origin)):
        raise Forbidden("This request came from another site. Nothing was changed.")
    # Scripts without cookies need no token: there is nothing of the user's that they could be riding on. A browser that
    # logs in has none yet, and must not be logged in by somebody else's page as somebody else.
    if has_cookie() or (request.endpoint == "access.log_in" and wants_html()):
        _csrf.protect()


def _is_own(origin: str) -> bool:
    return origin == request.host_url.rstrip("/")
