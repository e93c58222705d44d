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

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(NamesakeError):
    """The sender can mend it: nothing was saved."""


class NoFaceFound(InvalidInput):
    """The photo was kept, but there is nobody in it that the detector can see."""


class UnsafePickle(InvalidInput):
    """A pickle that asks for anything but plain data. Nothing of it ran."""


class Forbidden(NamesakeError):
    status = 403


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


class ConfigError(NamesakeError):
    """A setting that stops the start."""
