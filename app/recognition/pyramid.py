"""The picture that dlib's cnn detector looks at: every size of a photo, tiled into one canvas.

Sizes, places and gaps are dlib's (compute_tiled_image_pyramid_details in dlib/image_transforms/image_pyramid.h),
for near the edge of a level its neighbours are part of what the network sees.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.recognition.dlib_weights import Tiling
from app.recognition.images import Pixels
from app.recognition.sampling import stretch

RATIO = 5 / 6
UNITS = 256
_LEAST_HEIGHT = 5
# The network gives one score for every eighth pixel each way, of the window centred here.
STRIDE = 8
_FIRST_CENTRE = 14


@dataclass(frozen=True)
class Level:
    """Where one size of the photo lies on the canvas, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def right(self) -> int:
        return self.left + self.width


@dataclass(frozen=True)
class Layout:
    """The canvas of a photo: its levels from large to small, and its size."""

    levels: tuple[Level, ...]
    height: int
    width: int


def lay_out(height: int, width: int, tiling: Tiling) -> Layout:
    """Where dlib puts each size of a photo.

    The first column goes down until a level fits beside the one before it and half the height is used up; the
    second goes back up along the right edge until it meets the first level.
    """
    sizes = _sizes(height, width)
    turn = _turn(sizes, tiling.gap)
    column = sum(rows + tiling.gap for rows, _ in sizes[:turn]) - tiling.gap
    levels = []
    y = tiling.border
    for rows, columns in sizes[:turn]:
        levels.append(Level(y, tiling.border, rows, columns))
        y += rows + tiling.gap
    bottom, right = tiling.border + column, tiling.border + width
    for rows, columns in sizes[turn:]:
        level = Level(bottom - rows, right - columns, rows, columns)
        if level.top < levels[0].bottom and level.left < levels[0].right:
            break
        levels.append(level)
        bottom -= rows + tiling.gap
    return Layout(tuple(levels), column + 2 * tiling.border, width + 2 * tiling.border)


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    sizes = [(height, width)]
    while True:
        height, width = math.floor(RATIO * height), math.floor(RATIO * width)
        if width == 0 or height < _LEAST_HEIGHT:
            return sizes
        sizes.append((height, width))


def _turn(sizes: Sequence[tuple[int, int]], gap: int) -> int:
    """How many levels the first column has."""
    total = sum(rows + gap for rows, _ in sizes) - 2 * gap
    first_height, first_width = sizes[0]
    used, before = 0, 0
    for index, (rows, columns) in enumerate(sizes):
        if columns <= first_width - before - gap and 2 * (used - first_height) >= total - first_height:
            return index
        used += rows + gap
        before = columns
    return len(sizes)


def draw(pixels: Pixels, layout: Layout, background: Sequence[float]) -> NDArray[np.uint16]:
    """The canvas, (height, width, 3), in units of 1/UNITS: each level reduced from the one before it.

    background: what lies between the levels. Whole brightness levels would not do: of two sizes at which a face
    scores almost the same, the wrong one would win one time in a hundred.
    """
    canvas = np.empty((layout.height, layout.width, 3), np.uint16)
    canvas[0] = np.rint(np.multiply(background, UNITS))
    canvas[1:] = canvas[0]
    places = [canvas[level.top : level.bottom, level.left : level.right] for level in layout.levels]
    np.multiply(pixels, np.uint16(UNITS), out=places[0])
    for larger, smaller in itertools.pairwise(places):
        stretch(larger, into=smaller)
    return canvas


def boxes(rows: NDArray[np.intp], columns: NDArray[np.intp], layout: Layout, window: int) -> NDArray[np.int64]:
    """(n, 4): what cells of the score map stand for, as left, top, right, bottom in the photo, edges included."""
    found = np.empty((len(rows), 4), np.int64)
    for index, (row, column) in enumerate(zip(rows, columns, strict=True)):
        y, x = STRIDE * int(row) + _FIRST_CENTRE, STRIDE * int(column) + _FIRST_CENTRE
        level = nearest(layout.levels, y, x)
        place = layout.levels[level]
        half = (window - 1) / 2
        edges = (x - place.left - half, y - place.top - half, x - place.left + half, y - place.top + half)
        found[index] = [_round(_enlarge(edge, level)) for edge in edges]
    return found


def nearest(levels: Sequence[Level], y: int, x: int) -> int:
    """The level that a point of the canvas belongs to."""

    def distance(level: Level) -> float:
        down = max(level.top - y, 0, y - level.bottom + 1)
        across = max(level.left - x, 0, x - level.right + 1)
        return math.hypot(down, across)

    return min(range(len(levels)), key=lambda index: distance(levels[index]))


def _enlarge(edge: float, level: int) -> float:
    for _ in itertools.repeat(None, level):
        edge = edge * (6 / 5) + 0.3
    return edge


def _round(value: float) -> int:
    """Halves away from zero, as dlib rounds."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def thin_out(found: NDArray[np.int64], scores: NDArray[np.float32], overlap: float) -> list[int]:
    """The detections that no better one overlaps, best first: indices.

    Two overlap when what they share is more than `overlap` of the smallest box around both (dlib's
    test_box_overlap, which is not the usual intersection over union).
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        box = found[index]
        others = found[kept]
        if others.size:
            low, high = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
            shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
            around = np.prod(np.maximum(others[:, 2:], box[2:]) - np.minimum(others[:, :2], box[:2]) + 1, axis=1)
            if (shared > overlap * around).any():
                continue
        kept.append(int(index))
    return kept
