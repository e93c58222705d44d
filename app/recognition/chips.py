"""Faces cut out, turned upright and brought to one size, by dlib's own landmarks: what the encoder looks at."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from app.recognition.engine import Box
from app.recognition.images import Pixels

CHIP = 150
_PADDING = 0.25


def weights(name: str) -> Path:
    """The file of one of dlib's models. Found without importing face_recognition_models, which takes a while."""
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("face_recognition_models is not installed")
    return Path(package.submodule_search_locations[0]) / "models" / name


def cut(crops: Sequence[tuple[Pixels, Box]]) -> NDArray[np.uint8]:
    """(n, 150, 150, 3): the face in each box of each picture, as face_recognition has it cut by default."""
    chips = np.empty((len(crops), CHIP, CHIP, 3), np.uint8)
    for index, (pixels, (top, right, bottom, left)) in enumerate(crops):
        landmarks = _landmarks()(pixels, dlib.rectangle(left, top, right, bottom))
        chips[index] = dlib.get_face_chip(pixels, landmarks, size=CHIP, padding=_PADDING)
    return chips


@functools.cache
def _landmarks() -> Any:
    """Five points of a face. Only read once loaded, so threads share it."""
    return dlib.shape_predictor(str(weights("shape_predictor_5_face_landmarks.dat")))
