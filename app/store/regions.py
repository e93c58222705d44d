"""Where a face lies: from pixels of the upright photo, as the store has it, to shares of the stored picture, as
metadata has it, and back.

The Metadata Working Group ("Guidelines for Handling Image Metadata" 2.0, sections 5.4 and 5.9) defines a region as
the middle and the size of an area, as shares of the width and height of the picture *as it is stored*: whoever turns
the picture by its EXIF orientation turns the regions with it. digiKam keeps to that (pigallery2 issues 515 and 979
and immich pull request 18021 are about readers that did not).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Box = tuple[int, int, int, int]
_Area = tuple[float, float, float, float]


@dataclass(frozen=True)
class Region:
    """A face in a stored picture: the middle (x, y) and the size (w, h), each from 0 to 1."""

    name: str
    x: float
    y: float
    w: float
    h: float


# EXIF orientation -> how an area of the stored picture lies in the upright one.
_TURNS: dict[int, Callable[[float, float, float, float], _Area]] = {
    2: lambda x, y, w, h: (1 - x, y, w, h),
    3: lambda x, y, w, h: (1 - x, 1 - y, w, h),
    4: lambda x, y, w, h: (x, 1 - y, w, h),
    5: lambda x, y, w, h: (y, x, h, w),
    6: lambda x, y, w, h: (1 - y, x, h, w),
    7: lambda x, y, w, h: (1 - y, 1 - x, h, w),
    8: lambda x, y, w, h: (y, 1 - x, h, w),
}
_BACK = {6: 8, 8: 6}
_LYING = (5, 6, 7, 8)


def region_of(name: str, box: Box, width: int, height: int, orientation: int = 1) -> Region:
    """The region of a box (top, right, bottom, left) in pixels of the upright photo of this width and height."""
    top, right, bottom, left = box
    area = (
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    )
    return Region(name, *_turned(area, _BACK.get(orientation, orientation)))


def box_of(region: Region, width: int, height: int, orientation: int = 1) -> Box | None:
    """The box (top, right, bottom, left) of a region, in pixels of the upright photo of this width and height; what
    lies outside the photo is cut off, and None when nothing is left."""
    x, y, w, h = _turned((region.x, region.y, region.w, region.h), orientation)
    if not all(math.isfinite(value) and abs(value) <= 2 for value in (x, y, w, h)):
        return None
    left, right = max(round((x - w / 2) * width), 0), min(round((x + w / 2) * width), width)
    top, bottom = max(round((y - h / 2) * height), 0), min(round((y + h / 2) * height), height)
    return (top, right, bottom, left) if left < right and top < bottom else None


def stored_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """(width, height) of the stored picture whose upright photo has this width and height."""
    return (height, width) if orientation in _LYING else (width, height)


def orientation_meant(applied: tuple[int, int] | None, width: int, height: int, orientation: int) -> int:
    """The orientation to turn regions by.

    applied: (width, height) that the regions were drawn on, as far as it is known. It tells when someone has drawn
    them on the upright photo after all, and when someone has turned the picture since: width, height and orientation
    are those of the photo now, upright.
    """
    if applied is None or orientation not in _LYING or width == height or applied[0] == applied[1]:
        return orientation
    drawn_upright = (applied[0] > applied[1]) == (width > height)
    return 1 if drawn_upright else orientation


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    shared = _shared(one, other)
    union = area(one) + area(other) - shared
    return shared / union if union else 0.0


def same_face(one: Box, other: Box) -> bool:
    """Whether two boxes are of one face, however generously each was drawn: most of the smaller lies in the larger,
    and the larger is not so large that it may hold a group."""
    smaller, larger = sorted((area(one), area(other)))
    return smaller > 0 and larger <= 9 * smaller and _shared(one, other) >= 0.6 * smaller


def pair(wanted: Sequence[Box], present: Sequence[Box]) -> list[int | None]:
    """For each wanted box the number of the present one that is of the same face: those that overlap most find each
    other first, and each is taken once."""
    close = sorted(
        (
            (-overlap(one, other), number, place)
            for number, one in enumerate(wanted)
            for place, other in enumerate(present)
            if same_face(one, other)
        )
    )
    found: dict[int, int] = {}
    for _overlap, number, place in close:
        if number not in found and place not in found.values():
            found[number] = place
    return [found.get(number) for number in range(len(wanted))]


def area(box: Box) -> int:
    """In pixels."""
    top, right, bottom, left = box
    return max(bottom - top, 0) * max(right - left, 0)


def _shared(one: Box, other: Box) -> int:
    top, left = max(one[0], other[0]), max(one[3], other[3])
    bottom, right = min(one[2], other[2]), min(one[1], other[1])
    return area((top, right, bottom, left))


def _turned(area_: _Area, orientation: int) -> _Area:
    turn = _TURNS.get(orientation)
    return turn(*area_) if turn else area_
