"""How a page looks, in complaints."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

LONG = "Wolfeschlegelsteinhausenbergerdorff" * 2
"""a name without a place to break it"""
FINGER = 44
COLOURS: tuple[Literal["light", "dark"], ...] = ("light", "dark")

_LOOKS = Path(__file__).with_name("looks.js").read_text("utf-8")


def complaints(page: Page, check: str, argument: int | None = None) -> list[str]:
    """check: a function of looks.js."""
    return list(page.evaluate(f"argument => {_LOOKS}.{check}(argument)", argument))
