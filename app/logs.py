"""What is written about what happens: one line each, with the request or job it belongs to, and nothing of what people
have entrusted to us.

No line holds a name, a label, the name of a file, an encoding, a field of a form or an address as it was asked for. Our
own lines are written that way. What others write, and what exceptions say, may hold any of it: of an exception only its
type and the places it passed are kept, of a foreign line only the words that its author fixed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any

from flask import g, has_request_context

from app.config import PROJECT, Settings

_OURS = "namesake"
_NOISY = {"huey": logging.WARNING, "gunicorn.error": logging.INFO, "py.warnings": logging.WARNING}
"""Other loggers that are heard, and from which level on."""
_about: ContextVar[dict[str, Any] | None] = ContextVar("about", default=None)


@contextmanager
def about(**what: Any) -> Iterator[None]:
    """Have every line that is written inside say what it belongs to: about(job=7)."""
    token = _about.set((_about.get() or {}) | what)
    try:
        yield
    finally:
        _about.reset(token)


def configure(settings: Settings) -> None:
    """Write lines as the settings have it, to the error output: ours and those of gunicorn and Huey.

    Where whoever runs this has set up logging already, our lines go there instead.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    ours = logging.getLogger(_OURS)
    ours.setLevel(level)
    others = [handler for handler in _handlers(ours) if not isinstance(handler, _Handler)]
    if others:
        return
    handler = _Handler(sys.stderr)
    handler.setFormatter(formatter(settings))
    logging.captureWarnings(True)
    sys.excepthook = lambda _type, error, _trace: _note_uncaught(error)
    threading.excepthook = lambda args: _note_uncaught(args.exc_value)
    for name, least in {_OURS: level, **_NOISY}.items():
        logger = logging.getLogger(name)
        logger.setLevel(max(level, least))
        logger.propagate = False
        logger.handlers = [handler]


def formatter(settings: Settings) -> logging.Formatter:
    return _JsonFormatter() if settings.log_format == "json" else _TextFormatter()


def _note_uncaught(error: BaseException | None) -> None:
    """Python itself would print what the exception says."""
    if not isinstance(error, (SystemExit, KeyboardInterrupt, NoneType)):
        logging.getLogger(_OURS).critical("stopped by an unexpected error", exc_info=error)


class _Handler(logging.StreamHandler[Any]):
    """Ours, so that it is known again."""


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    """All that would get a line of this logger."""
    while logger is not None:
        yield from logger.handlers
        logger = logger.parent if logger.propagate else None


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record), ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    """For a terminal: the words, and in brackets what they belong to."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        error = fields.pop("error", None)
        words = fields.pop("message")
        for name in ("time", "level", "logger", "worker"):
            fields.pop(name)
        belongs = " ".join(f"{name}={value}" for name, value in fields.items())
        line = f"Namesake: {words}{f' [{belongs}]' if belongs else ''}"
        told = [f"{line}: {error['type']}", *error["frames"]] if error else [line]
        return "\n    ".join(told)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _words(record),
        "worker": os.getpid(),
        **_belonging(),
        **getattr(record, "fields", {}),
    }
    if record.exc_info and record.exc_info[1] is not None:
        fields["error"] = _describe_error(record.exc_info[1])
    return fields


def _belonging() -> dict[str, Any]:
    request = {"request": g.request_id} if has_request_context() and "request_id" in g else {}
    return request | (_about.get() or {})


def _words(record: logging.LogRecord) -> str:
    if record.name.split(".")[0] == _OURS:
        return record.getMessage()
    if record.name == "py.warnings":
        return ": ".join(record.getMessage().split(": ")[:2])
    if not isinstance(record.msg, str):
        return type(record.msg).__name__
    # At this level gunicorn speaks of itself: its address, its processes.
    of_the_server = record.name.startswith("gunicorn.") and record.levelno == logging.INFO
    arguments = record.args if isinstance(record.args, tuple) else (record.args,)
    if of_the_server or (record.args and all(map(_is_harmless, arguments))):
        return record.getMessage().split("\n")[0]
    return record.msg.split(": ")[0].split("%")[0].strip()


def _is_harmless(argument: object) -> bool:
    """The number of a process, the name of a signal."""
    return isinstance(argument, int) or argument in signal.Signals.__members__


def _describe_error(error: BaseException) -> dict[str, Any]:
    """Its type, that of what caused it, and the places: never what it says, which may hold anything."""
    causes: list[str] = []
    frames: list[str] = []
    current: BaseException | None = error
    while current is not None and len(causes) < 5:
        causes.append(f"{type(current).__module__}.{type(current).__qualname__}".removeprefix("builtins."))
        for frame, line in traceback.walk_tb(current.__traceback__):
            code = frame.f_code
            frames.append(f"{_place(code.co_filename)}:{line} in {code.co_name}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return {"type": " from ".join(causes), "frames": frames[-40:]}


def _place(file: str) -> str:
    """A file of ours or of a library, without the folders above it."""
    path = Path(file)
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT / "app") else "/".join(path.parts[-3:])
