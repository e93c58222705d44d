"""Whether the converted networks compute what dlib computes, on a picture that is drawn here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import dlib
import numpy as np

from app.recognition import chips
from app.recognition.engine import EngineUnfit
from app.recognition.images import Pixels

if TYPE_CHECKING:
    from app.recognition.onnx_models import Models

ENCODING_TOLERANCE = 1e-5
_SCORE_TOLERANCE = 1e-3

_SKIN, _HAIR, _DARK, _WHITE, _LIPS = (222, 184, 158), (60, 42, 30), (40, 28, 22), (245, 245, 245), (170, 80, 80)
_BACKGROUND, _COLLAR = (120, 140, 160), (70, 80, 110)


def compare_with_dlib(models: Models) -> None:
    """Raises EngineUnfit, with the difference, where the models do not agree with dlib."""
    from app.recognition.onnx_models import DETECTOR, ENCODER

    picture = group()
    reference = dlib.cnn_face_detection_model_v1(str(chips.weights(DETECTOR)))
    expected = [
        ((face.rect.top(), face.rect.right(), face.rect.bottom(), face.rect.left()), face.confidence)
        for face in reference(picture, 0)
    ]
    if not expected:
        raise EngineUnfit("dlib finds none of the faces that they would be compared on")
    found = models.detector.detect(picture)
    if [box for box, _ in found] != [box for box, _ in expected]:
        raise EngineUnfit(f"the detector finds other faces than dlib: {len(found)} where dlib finds {len(expected)}")
    off = max(abs(ours - theirs) for (_, ours), (_, theirs) in zip(found, expected, strict=True))
    if not off <= _SCORE_TOLERANCE:
        raise EngineUnfit(f"the detector's scores differ from dlib's by {off:.2g}")
    encoder = dlib.face_recognition_model_v1(str(chips.weights(ENCODER)))
    cut = chips.cut([(picture, box) for box, _ in expected])
    theirs = np.array([encoder.compute_face_descriptor(chip) for chip in cut])
    difference = float(np.abs(models.encode(cut) - theirs).max())
    if not difference <= ENCODING_TOLERANCE:
        raise EngineUnfit(f"the encodings differ from dlib's by {difference:.2g}, more than {ENCODING_TOLERANCE:g}")


def group() -> Pixels:
    """Two drawn faces of different size, that dlib's detectors take for faces."""
    picture = np.full((300, 480, 3), _BACKGROUND, np.uint8)
    _draw_face(picture, 130, 140, 0.7)
    _draw_face(picture, 340, 160, 1.0)
    return np.ascontiguousarray(cv2.GaussianBlur(picture, (0, 0), 0.8))


def _draw_face(picture: Pixels, x: int, y: int, size: float) -> None:
    def oval(across: float, down: float, width: float, height: float, colour: tuple[int, ...]) -> None:
        centre = (round(x + across * size), round(y + down * size))
        cv2.ellipse(picture, centre, (round(width * size), round(height * size)), 0, 0, 360, colour, -1, cv2.LINE_AA)

    shade = tuple(round(0.85 * value) for value in _SKIN)
    oval(0, -18, 66, 84, _HAIR)
    oval(0, 150, 95, 60, _COLLAR)
    oval(0, 75, 26, 45, shade)
    oval(0, 5, 54, 72, _SKIN)
    for side in (-1, 1):
        oval(side * 22, -28, 15, 4, _HAIR)
        oval(side * 22, -13, 14, 8, shade)
        oval(side * 22, -12, 12, 6, _WHITE)
        oval(side * 22, -12, 5, 5, _DARK)
        oval(side * 56, 0, 8, 15, shade)
        oval(side * 6, 22, 3, 2, _DARK)
    oval(0, 12, 6, 13, shade)
    oval(0, 42, 20, 7, _LIPS)
    oval(0, 41, 18, 2, _DARK)
