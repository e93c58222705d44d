"""Numbers in sentences."""

from __future__ import annotations


def many(number: int, one: str, more: str | None = None) -> str:
    """1 face, 2 faces, 1,000 people. more: the plural where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
