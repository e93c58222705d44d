"""Which names fit on the map of faces, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Sizes as shares of the map's side, as large as on a phone.
_LINE = 0.05
_LETTER = 0.021
_LONGEST = 18


def place_labels(people: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """{"name", "colour", "x", "y", "anchor"} for each person whose name has room at the middle of their points.

    The first come first; a name that would cover another is left out. anchor: as SVG's text-anchor.
    """
    placed: list[dict[str, Any]] = []
    taken: list[tuple[float, float, float, float]] = []
    for person in people:
        points = person["points"]
        x, y = (sum(point[axis] for point in points) / len(points) for axis in ("x", "y"))
        name = person["name"] if len(person["name"]) <= _LONGEST else f"{person['name'][: _LONGEST - 1].rstrip()}…"
        width = len(name) * _LETTER
        anchor = "start" if x < width / 2 else "end" if x > 1 - width / 2 else "middle"
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        space = (left, y - _LINE / 2, left + width, y + _LINE / 2)
        if not any(_overlap(space, other) for other in taken):
            taken.append(space)
            placed.append({"name": name, "colour": person["colour"], "x": x, "y": y, "anchor": anchor})
    return placed


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
