"""dlib's hog face detector, looking twice: at the picture as it is, then closely at what might be a face.

face_recognition enlarges every photo to twice its size, which takes this detector four times as long. Here it looks
once, in grey, and what it finds doubtful is cut out, enlarged, and looked at in colour. In 619 photos of 250 x 250
pixels of Labeled Faces in the Wild it finds 648 faces, 645 of them faces by dlib's cnn as well, in 4.3 ms a photo;
in photos enlarged to twice their size there are 647, of which 645, in 20 ms.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import dlib
import numpy as np

from app.recognition.engine import Box
from app.recognition.images import Pixels
from app.recognition.sampling import resample

# Scores of the first look: what is surely a face, and what is surely none. dlib's own threshold is 0.
_SURE, _DOUBTFUL = -0.4, -1.0
# For the second look a face is brought to this size, with a quarter as much around it on every side. dlib looks for
# faces of 80 pixels and more.
_CLOSE = 100
_AROUND = 0.25
# Of two boxes that share more than this of the smaller, one is no face: it often is the chin.
_SAME = 0.5


class HogDetector:
    """Finds faces of 80 pixels and more, and of 60 most of those that look like one. Safe to share between threads."""

    def __init__(self) -> None:
        # dlib keeps scratch memory in a detector, and loading one takes half a second: those not at work.
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def detect(self, pixels: Pixels) -> list[Box]:
        """Every face in a picture (rows, columns, 3), the surest first; boxes may reach over its edge."""
        with self._borrowed() as detector:
            found: list[Box] = []
            for box, score in _look(detector, cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), _DOUBTFUL):
                if not _among(box, found):
                    found += [box] if score >= _SURE else _look_closely(detector, pixels, box, found)
            return found

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        with self._lock:
            detector = self._idle.pop() if self._idle else None
        detector = detector or dlib.get_frontal_face_detector()
        yield detector
        with self._lock:
            self._idle.append(detector)


def _look(detector: Any, picture: Any, threshold: float) -> list[tuple[Box, float]]:
    found, scores, _ = detector.run(picture, 0, threshold)
    boxes = [(face.top(), face.right(), face.bottom(), face.left()) for face in found]
    return sorted(zip(boxes, scores, strict=True), key=lambda face: -face[1])


def _look_closely(detector: Any, pixels: Pixels, box: Box, known: list[Box]) -> list[Box]:
    """The faces in and around a box, but for those that are known."""
    top, right, bottom, left = box
    side = bottom - top
    reach = round(side * _AROUND)
    y, x = max(top - reach, 0), max(left - reach, 0)
    cut = np.ascontiguousarray(pixels[y : bottom + reach, x : right + reach])
    factor = _CLOSE / side
    found: list[Box] = []
    for (first, far, last, near), _score in _look(detector, resample(cut, factor), 0):
        place = (
            round(first / factor) + y, round(far / factor) + x, round(last / factor) + y, round(near / factor) + x
        )  # fmt: skip
        if not _among(place, known + found):
            found.append(place)
    return found


def _among(box: Box, others: list[Box]) -> bool:
    return any(_shared(box, other) > _SAME for other in others)


def _shared(one: Box, other: Box) -> float:
    """How much of the smaller box lies in the other."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[1], other[1]) - max(one[3], other[3])
    areas = ((bottom - top) * (right - left) for top, right, bottom, left in (one, other))
    return max(height, 0) * max(width, 0) / min(areas)
