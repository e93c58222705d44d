"""face_recognition, as its own examples use it. Nothing of Namesake is imported here: it would count against it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
Found = tuple[list[Box], NDArray[np.float64]]
"""boxes, encodings (n, 128)"""


def api() -> Any:
    """The library. Importing it loads every model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition.api
    return face_recognition.api


def look(path: Path, model: str = "hog") -> Found:
    """Load, locate with its default of one upsampling, encode."""
    library = api()
    image = library.load_image_file(path)
    boxes = library.face_locations(image, model=model)
    return boxes, np.array(library.face_encodings(image, boxes)).reshape(-1, 128)


def detect(image: NDArray[np.uint8], upsamples: int) -> list[Box]:
    """By the cnn."""
    rectangles = [found.rect for found in api().cnn_face_detector(image, upsamples)]
    return [(rect.top(), rect.right(), rect.bottom(), rect.left()) for rect in rectangles]
