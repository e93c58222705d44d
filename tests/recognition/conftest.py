"""What the engine makes of the sample photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition.engine import DetectedFace, Engine, load_engine
from app.recognition.images import Pixels, decode

NAMES = ("obama", "obama2", "obama3", "biden")


@pytest.fixture(scope="session")
def engine() -> Engine:
    return load_engine("dlib", method="hog", detect_max_side=1600)


@pytest.fixture(scope="session")
def pixels(sample_photos: dict[str, Path]) -> dict[str, Pixels]:
    """The upright pictures of Obama (three) and Biden (one)."""
    return {name: decode(sample_photos[f"{name}.jpg"].read_bytes(), max_pixels=10**8).pixels for name in NAMES}


@pytest.fixture(scope="session")
def faces(pixels: dict[str, Pixels], engine: Engine) -> dict[str, list[DetectedFace]]:
    return {name: engine.faces(pixels[name]) for name in NAMES}


@pytest.fixture(scope="session")
def encodings(faces: dict[str, list[DetectedFace]]) -> dict[str, NDArray[np.float32]]:
    """The encoding of the first face of each photo."""
    return {name: found[0].encoding for name, found in faces.items()}
