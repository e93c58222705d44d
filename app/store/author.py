"""Whose decisions are being written, beside `now` the one thing about a decision that no use case is told.

A context variable: whoever answers a request or takes up a job says it once, every row that is written meanwhile has
it, and the use cases in between need not hand it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_author: ContextVar[str | None] = ContextVar("author", default=None)


def name() -> str | None:
    """The name, None where nobody has given one."""
    return _author.get()


def set_name(name: str | None) -> None:
    """From here on, in this thread of this process."""
    _author.set(name)


@contextmanager
def acting_for(name: str | None) -> Iterator[None]:
    """For as long as the block lasts."""
    before = _author.set(name)
    try:
        yield
    finally:
        _author.reset(before)
