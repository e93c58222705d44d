"""dlib's cnn face detector, run by ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from app.recognition import pyramid
from app.recognition.dlib_weights import BadWeights, Network
from app.recognition.engine import Box
from app.recognition.images import Pixels

# One cell of features comes from 29 x 29 pixels, 8 further for the next. A score is the sum over a window of 9
# cells, each of which sees 6 cells around it: so many rows a strip needs beyond its own.
_SEEN = 29
_MARGIN = 10
# Strips bound the memory: what the networks keep for a while is 16 to 40 bytes a pixel.
_FEATURE_PIXELS = 250_000
_SCORE_PIXELS = 2_500_000
# The screen is off by 0.1 at most, seen over 148 photos: below this it needs no second look. Of all cells a few in a
# thousand are above.
_DOUBT = -0.5


class OnnxDetector:
    """Finds faces just where dlib's cnn does: same boxes, same scores but for rounding.

    features, scores, screen: its parts (see onnx_graphs.Detector). Safe to share between threads. Raises BadWeights
    for a network that is no detector.
    """

    def __init__(
        self, network: Network, features: InferenceSession, scores: InferenceSession, screen: InferenceSession
    ) -> None:
        if network.tiling is None:
            raise BadWeights("The network is no detector")
        self._background = network.mean
        self._tiling = network.tiling
        self._features = features
        self._scores = scores
        self._screen = screen
        self._width: int = features.get_outputs()[0].shape[1]

    def detect(self, pixels: Pixels) -> list[tuple[Box, float]]:
        """Every face of 80 pixels and more, the surest first: its box, edges included, and its score above 0."""
        height, width = pixels.shape[:2]
        layout = pyramid.lay_out(height, width, self._tiling)
        scores = self._score(self._look(pyramid.draw(pixels, layout, self._background)))
        rows, columns = np.nonzero(scores > 0)
        found = pyramid.boxes(rows, columns, layout, self._tiling.window)
        values = scores[rows, columns]
        return [
            ((int(top), int(right), int(bottom), int(left)), float(values[index]))
            for index in pyramid.thin_out(found, values, self._tiling.overlap)
            for left, top, right, bottom in [found[index]]
        ]

    def _look(self, canvas: NDArray[np.uint16]) -> NDArray[np.float32]:
        """(1, features, rows, columns) of a canvas."""
        rows, columns = (_cells(side) for side in canvas.shape[:2])
        found = np.empty((1, self._width, rows, columns), np.float32)
        for first, last in _strips(rows, columns, _FEATURE_PIXELS):
            strip = canvas[first * pyramid.STRIDE : (last - 1) * pyramid.STRIDE + _SEEN]
            found[:, :, first:last] = self._features.run(None, {"canvas": strip[None]})[0]
        return found

    def _score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows, columns): how much each window is a face; 0 is the threshold. Exact wherever it matters: what the
        screen finds to be far below stays as the screen has it."""
        found = _in_strips(self._screen, features)
        for rows, columns in _regions(found > _DOUBT):
            wide = tuple(slice(max(part.start - _MARGIN, 0), part.stop + _MARGIN) for part in (rows, columns))
            within = tuple(
                slice(part.start - around.start, part.stop - around.start)
                for part, around in zip((rows, columns), wide, strict=True)
            )
            found[rows, columns] = _in_strips(self._scores, features[:, :, *wide])[within]
        return found


def _in_strips(network: InferenceSession, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The score of every cell of features (1, f, rows, columns), by one of the networks."""
    rows, columns = features.shape[2:]
    found = np.empty((rows, columns), np.float32)
    for first, last in _strips(rows, columns, _SCORE_PIXELS):
        start, end = max(first - _MARGIN, 0), min(last + _MARGIN, rows)
        strip = np.ascontiguousarray(features[:, :, start:end])
        shares = network.run(None, {"features": strip})[0][0]
        found[first:last] = _gather(shares)[first - start : last - start]
    return found


def _regions(chosen: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
    """Rectangles around all chosen cells. Cells so near that they would be computed twice share one."""
    reach = np.ones((_MARGIN + 1, _MARGIN + 1), np.uint8)
    near = cv2.dilate(chosen.astype(np.uint8), reach)
    count, areas = cv2.connectedComponents(near)
    for area in range(1, count):
        rows, columns = np.nonzero(chosen & (areas == area))
        yield slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)


def _gather(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """(places, rows, columns) of what each cell adds to its neighbours' scores -> their sums, (rows, columns)."""
    side = math.isqrt(len(shares))
    rows, columns = shares.shape[1:]
    total = np.zeros((rows + side - 1, columns + side - 1), np.float32)
    for place, share in enumerate(shares):
        down, across = divmod(place, side)
        top, left = side - 1 - down, side - 1 - across
        total[top : top + rows, left : left + columns] += share
    half = side // 2
    return total[half : half + rows, half : half + columns]


def _cells(side: int) -> int:
    """How many cells three convolutions of 5 pixels, two apart, make of so many pixels."""
    for _ in range(3):
        side = (side - 5) // 2 + 1
    return side


def _strips(rows: int, columns: int, pixels: int) -> Iterator[tuple[int, int]]:
    """Cut rows of cells into strips of at most so many pixels: (first, last + 1)."""
    height = max(1, pixels // (columns * pyramid.STRIDE**2))
    for first in range(0, rows, height):
        yield first, min(first + height, rows)
