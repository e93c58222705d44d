"""The cookie: safe on the way where the way is."""

from __future__ import annotations

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

NAME = "namesake"


class Cookies(SecureCookieSessionInterface):
    """Flask's own signed cookie, which over https is sent over https only.

    It then has a name that browsers take from this very host alone: a neighbour under the same domain cannot plant one.
    """

    def get_cookie_name(self, app: Flask) -> str:
        return f"__Host-{NAME}" if request.is_secure else NAME

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def has_cookie() -> bool:
    """Whether the browser has sent one of ours, be it good or not."""
    return any(name in request.cookies for name in (NAME, f"__Host-{NAME}"))
