"""Faces cut out, turned upright and brought to one size, by dlib's own landmarks: what the encoder looks at."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlib
import numpy as np
from numpy.typing import NDArray

from app.recognition.engine import Box
from app.recognition.images import Pixels

CHIP = 150
_PADDING = 0.25
# How finely the share of a chip outside the picture is counted.
_GRID = 30


def weights(name: str) -> Path:
    """The file of one of dlib's models. Found without importing face_recognition_models, which takes a while."""
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("face_recognition_models is not installed")
    return Path(package.submodule_search_locations[0]) / "models" / name


@dataclass(frozen=True, eq=False)
class Found:
    """A face in a picture and where its landmarks are, as dlib holds them."""

    pixels: Pixels
    box: Box
    landmarks: Any

    @property
    def points(self) -> NDArray[np.float64]:
        """(5, 2), x and y: the eye on the right of the picture from its outer corner to its inner one, the eye on the
        left likewise, and where the nose meets the lip."""
        parts = self.landmarks.parts()
        return np.array([(point.x, point.y) for point in parts], np.float64)

    @property
    def outside(self) -> float:
        """The share (0 to 1) of the chip that lies outside the picture, where the encoder sees black."""
        chip = dlib.get_face_chip_details(self.landmarks, CHIP, _PADDING)
        steps = (np.arange(_GRID) + 0.5) / _GRID - 0.5
        across, down = np.meshgrid(steps * chip.rect.width(), steps * chip.rect.height())
        centre, cos, sin = chip.rect.dcenter(), np.cos(chip.angle), np.sin(chip.angle)
        x, y = centre.x + across * cos - down * sin, centre.y + across * sin + down * cos
        height, width = self.pixels.shape[:2]
        return float(np.mean((x < 0) | (x >= width) | (y < 0) | (y >= height)))


def find(pixels: Pixels, box: Box) -> Found:
    """The landmarks of the face in a box."""
    top, right, bottom, left = box
    return Found(pixels, box, _predictor()(pixels, dlib.rectangle(left, top, right, bottom)))


def cut(crops: Sequence[tuple[Pixels, Box]]) -> NDArray[np.uint8]:
    """(n, 150, 150, 3): the face in each box of each picture, as face_recognition has it cut by default."""
    return cut_found([find(*crop) for crop in crops])


def cut_found(faces: Sequence[Found]) -> NDArray[np.uint8]:
    """`cut`, where the landmarks are known already."""
    chips = np.empty((len(faces), CHIP, CHIP, 3), np.uint8)
    for index, face in enumerate(faces):
        chips[index] = dlib.get_face_chip(face.pixels, face.landmarks, size=CHIP, padding=_PADDING)
    return chips


@functools.cache
def _predictor() -> Any:
    """Five points of a face. Only read once loaded, so threads share it."""
    return dlib.shape_predictor(str(weights("shape_predictor_5_face_landmarks.dat")))
