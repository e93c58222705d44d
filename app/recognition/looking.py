"""What every engine does the same way: the picture the detector sees, boxes in the photo's own pixels, quality."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app import meters
from app.errors import InvalidInput
from app.recognition import chips, quality
from app.recognition.engine import Box, DetectedFace, Eyesight
from app.recognition.hog import HogDetector
from app.recognition.images import Photo, Pixels
from app.recognition.sampling import resample

# Both of dlib's detectors look for faces of 80 x 80 pixels.
WINDOW = 80
_SMALLEST_PICTURE = 32


class LookingEngine(ABC):
    """An Engine, but for its two networks."""

    name: str

    def __init__(self, eyesight: Eyesight, note: str = "") -> None:
        self.eyesight = eyesight
        self.note = note
        self._hog = HogDetector() if eyesight.method == "hog" else None

    def faces(self, photo: Photo) -> list[DetectedFace]:
        return self.look([photo])[0]

    def look(self, photos: Sequence[Photo]) -> list[list[DetectedFace]]:
        boxes = [self._find(photo) for photo in photos]
        crops = [(photo, box) for photo, found in zip(photos, boxes, strict=True) for box in found]
        faces = iter(self._describe(crops))
        return [[next(faces) for _ in found] for found in boxes]

    def one_threaded(self) -> Self:
        return self

    def encode_box(self, photo: Photo, box: Box) -> DetectedFace:
        inside = _clip(box, photo)
        if inside is None:
            raise InvalidInput("The box lies outside the photo.")
        return self._describe([(photo, inside)])[0]

    def _detect(self, pixels: Pixels) -> list[Box]:
        """The faces of at least WINDOW pixels in a picture, in its own pixels."""
        return self._hog.detect(pixels) if self._hog else self._detect_by_cnn(pixels)

    @abstractmethod
    def _detect_by_cnn(self, pixels: Pixels) -> list[Box]: ...

    @abstractmethod
    def _encode(self, faces: Sequence[chips.Found]) -> NDArray[np.float32]:
        """(n, 128): each face, cut by its landmarks."""

    def _find(self, photo: Photo) -> list[Box]:
        picture = self._detection_picture(photo)
        if min(picture.shape[:2]) < _SMALLEST_PICTURE:
            # No face fits, and dlib's cnn raises when its filters do not.
            return []
        across = (photo.width - 1) / max(picture.shape[1] - 1, 1)
        down = (photo.height - 1) / max(picture.shape[0] - 1, 1)
        with meters.timed("detect_seconds"):
            detected = self._detect(picture)
        found = [
            _clip((round(top * down), round(right * across), round(bottom * down), round(left * across)), photo)
            for top, right, bottom, left in detected
        ]
        return sorted((box for box in found if box is not None), key=lambda box: (box[3], box[0]))

    def _detection_picture(self, photo: Photo) -> Pixels:
        """The photo at the size where the smallest face to be found has WINDOW pixels; hog enlarges what it needs."""
        smallest = max(self.eyesight.smallest_face, WINDOW if self._hog else 0)
        side = min(self.eyesight.detect_max_side, max(photo.width, photo.height)) * WINDOW / smallest
        return resample(photo.pixels, side / max(photo.pixels.shape[:2]))

    def _describe(self, crops: Sequence[tuple[Photo, Box]]) -> list[DetectedFace]:
        if not crops:
            return []
        found = [chips.find(photo.pixels, photo.at_hand(box)) for photo, box in crops]
        with meters.timed("encode_seconds"):
            encodings = self._encode(found)
        return [
            DetectedFace(box, encoding, quality.flaws(face.pixels, face.box, box, face.points, face.outside))
            for (_photo, box), face, encoding in zip(crops, found, encodings, strict=True)
        ]


def _clip(box: tuple[Any, ...], photo: Photo) -> Box | None:
    top, bottom = (min(max(int(edge), 0), photo.height) for edge in (box[0], box[2]))
    left, right = (min(max(int(edge), 0), photo.width) for edge in (box[3], box[1]))
    return (top, right, bottom, left) if top < bottom and left < right else None
