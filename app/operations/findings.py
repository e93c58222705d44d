"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "mend", "broken"]


@dataclass(frozen=True)
class Finding:
    """mend: it works, and should be seen to; broken: it does not work. words: what it is, and what to do about it."""

    check: str
    state: State
    words: str


def ok(check: str, words: str) -> Finding:
    return Finding(check, "ok", words)


def mend(check: str, words: str) -> Finding:
    return Finding(check, "mend", words)


def broken(check: str, words: str) -> Finding:
    return Finding(check, "broken", words)


def some(things: list[str], shown: int = 5) -> str:
    """The first of them, and how many more there are."""
    more = len(things) - shown
    return ", ".join(things[:shown]) + (f" and {more:,} more" if more > 0 else "")
