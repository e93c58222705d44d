"""The reference engine: dlib's detectors and network, through face_recognition."""

from __future__ import annotations

import functools
import threading
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from app.errors import ConfigError, InvalidInput
from app.recognition.engine import Box, DetectedFace
from app.recognition.images import Pixels, crop, scale
from app.recognition.quiet import quiet

_SMALLEST_PICTURE = 32

# Below either a face is of low quality. Of 1,228 sharp faces of Labeled Faces in the Wild, shrunk or enlarged
# to 112 pixels, none has a variance of the Laplacian below 17; blurred until it is 10, a face has moved by
# 0.3 from its own encoding, half of what sets two people apart.
_SMALLEST_SIDE = 40
_LEAST_SHARPNESS = 10.0
_SHARPNESS_CHIP = 112

# face_recognition holds one copy of each model for the whole process, and dlib's detectors and networks keep
# scratch memory inside. Landmarks are read-only and need no guard.
_detecting = threading.Lock()
_encoding = threading.Lock()


class DlibEngine:
    """See Engine. method: "hog" or "cnn"; detect_max_side in pixels."""

    name = "dlib"

    def __init__(self, method: str = "hog", detect_max_side: int = 1600) -> None:
        if method not in ("hog", "cnn"):
            raise ConfigError(f"The detection method must be hog or cnn, not {method!r}.")
        self._method = method
        self._detect_max_side = detect_max_side

    def faces(self, pixels: Pixels) -> list[DetectedFace]:
        boxes = sorted(self._boxes(pixels), key=lambda box: (box[3], box[0]))
        return [_encode(pixels, box) for box in boxes]

    def encode_box(self, pixels: Pixels, box: Box) -> DetectedFace:
        inside = _clip(box, pixels)
        if inside is None:
            raise InvalidInput("The box lies outside the photo.")
        return _encode(pixels, inside)

    def _boxes(self, pixels: Pixels) -> list[Box]:
        long_side = max(pixels.shape[:2])
        # Twice the photo is what face_recognition looks at by default: the detectors miss faces below 80
        # pixels.
        factor = min(self._detect_max_side, 2 * long_side) / long_side
        small = scale(pixels, factor) if factor != 1 else pixels
        if min(small.shape[:2]) < _SMALLEST_PICTURE:
            # No face fits (both detectors look for 80 x 80), and dlib's cnn raises when its filters do not.
            return []
        with _detecting:
            found = _models().face_locations(small, number_of_times_to_upsample=0, model=self._method)
        boxes = (_clip(tuple(round(edge / factor) for edge in box), pixels) for box in found)
        return [box for box in boxes if box is not None]


@functools.cache
def _models() -> ModuleType:
    """face_recognition. Its import loads every model (2 seconds, 150 MB), so not before it is needed."""
    with quiet():
        import face_recognition.api
    module: ModuleType = face_recognition.api
    return module


def _encode(pixels: Pixels, box: Box) -> DetectedFace:
    """The face at full resolution. dlib reads the array in place, so huge photos cost no more than small ones."""
    with _encoding:
        encoding = _models().face_encodings(pixels, [box])[0]
    return DetectedFace(box, encoding.astype(np.float32), _low_quality(pixels, box))


def _low_quality(pixels: Pixels, box: Box) -> bool:
    top, right, bottom, left = box
    if min(bottom - top, right - left) < _SMALLEST_SIDE:
        return True
    chip = crop(pixels, box, margin=0.0, side=_SHARPNESS_CHIP)
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var()) < _LEAST_SHARPNESS


def _clip(box: tuple[Any, ...], pixels: Pixels) -> Box | None:
    height, width = pixels.shape[:2]
    top, bottom = (min(max(int(edge), 0), height) for edge in (box[0], box[2]))
    left, right = (min(max(int(edge), 0), width) for edge in (box[3], box[1]))
    return (top, right, bottom, left) if top < bottom and left < right else None
