"""One root for everything Namesake refuses, so that one handler can answer it.

Each class carries the HTTP status it is answered with; each instance a message that is safe to show anyone:
no path of this machine, no stack trace.
"""

from __future__ import annotations

from typing import Any


class NamesakeError(Exception):
    """Something a person can be told about.

    `details` are further fields of the JSON answer, such as the id of a photo that was kept.
    """

    status = 400
    title: str | None = None
    """what a page about it is called, where its status does not say enough"""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}


class InvalidInput(NamesakeError):
    """The sender can mend it: nothing was saved."""


class NoFaceFound(InvalidInput):
    """The photo was kept, but there is nobody in it that the detector can see."""


class UnsafePickle(InvalidInput):
    """A pickle that asks for anything but plain data. Nothing of it ran."""


class Forbidden(NamesakeError):
    status = 403


class LoginNeeded(NamesakeError):
    """Nobody we know, or not any more."""

    status = 401

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"WWW-Authenticate": "Bearer"}


class ScopeNeeded(Forbidden):
    """Somebody we know, who may not do this."""

    title = "Not with this password"


class TooManyAttempts(NamesakeError):
    status = 429

    def __init__(self, message: str, wait_s: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(wait_s)}


class NotFound(NamesakeError):
    status = 404


class Conflict(NamesakeError):
    """Already decided, or already under way: nothing was changed."""

    status = 409


class TooLarge(NamesakeError):
    status = 413


class UnsupportedType(NamesakeError):
    status = 415


class Unavailable(NamesakeError):
    """For the moment: trying again may work."""

    status = 503


class DiskFull(NamesakeError):
    status = 507


class JobFailed(NamesakeError):
    """What was to be done in the background came to nothing. status: of what put an end to it."""

    def __init__(self, message: str, status: int, **details: Any) -> None:
        super().__init__(message, **details)
        self.status = status


class ConfigError(NamesakeError):
    """A setting that stops the start."""
