"""What the engines make of the sample photos, and what dlib itself is asked for comparison."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from app.recognition import chips, dlib_weights, onnx_models
from app.recognition.dlib_weights import Network
from app.recognition.engine import Box, DetectedFace, Engine, Eyesight, load_engine
from app.recognition.images import Photo, Pixels, decode
from app.recognition.onnx_models import Models

NAMES = ("obama", "obama2", "obama3", "biden")

Load = Callable[..., Engine]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[1], other[1]) - max(one[3], other[3])
    both = max(0, height) * max(0, width)
    return both / (sum((box[2] - box[0]) * (box[1] - box[3]) for box in (one, other)) - both)


def same(found: Sequence[DetectedFace], expected: Sequence[DetectedFace]) -> bool:
    """To the bit."""
    return len(found) == len(expected) and all(
        one.box == other.box and one.low_quality == other.low_quality and np.array_equal(one.encoding, other.encoding)
        for one, other in zip(found, expected, strict=True)
    )


def opened(path: Path) -> Photo:
    return decode(path.read_bytes(), max_pixels=10**8)


def kept(folder: Path) -> dict[str, bytes]:
    """The models in a folder, by file name."""
    names = ("encoder", "features", "scores", "screen")
    paths = [path for name in names for path in folder.glob(f"{name}-*") if path.suffix != ".tmp"]
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="session")
def models(models_folder: Path) -> Models:
    return onnx_models.load(models_folder)


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """What this process has loaded is not known to the test, nor to the next one what this one loads."""
    onnx_models._load.cache_clear()
    yield
    onnx_models._load.cache_clear()


@pytest.fixture(scope="session")
def load(models_folder: Path) -> Load:
    """load("onnx", method="hog") and the like, with hog unless told."""

    def load_(name: str, method: str = "hog", **eyesight: int) -> Engine:
        return load_engine(name, Eyesight(method, **eyesight), models_folder)

    return load_


@pytest.fixture(scope="session")
def dlib_detector() -> Any:
    return dlib.cnn_face_detection_model_v1(str(chips.weights(onnx_models.DETECTOR)))


@pytest.fixture(scope="session")
def dlib_encoder() -> Any:
    return dlib.face_recognition_model_v1(str(chips.weights(onnx_models.ENCODER)))


@pytest.fixture(scope="session")
def photos(sample_photos: dict[str, Path]) -> dict[str, Photo]:
    """Obama (three) and Biden (one)."""
    return {name: opened(sample_photos[f"{name}.jpg"]) for name in NAMES}


@pytest.fixture(scope="session")
def pixels(photos: dict[str, Photo]) -> dict[str, Pixels]:
    return {name: photo.pixels for name, photo in photos.items()}


@pytest.fixture(scope="session")
def engine(load: Load) -> Engine:
    return load("onnx")


@pytest.fixture(scope="session")
def faces(photos: dict[str, Photo], engine: Engine) -> dict[str, list[DetectedFace]]:
    return {name: engine.faces(photo) for name, photo in photos.items()}


@pytest.fixture(scope="session")
def encodings(faces: dict[str, list[DetectedFace]]) -> dict[str, NDArray[np.float32]]:
    """The encoding of the first face of each photo."""
    return {name: found[0].encoding for name, found in faces.items()}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged, and forgets it."""
    caplog.set_level(logging.INFO, "namesake.engine")

    def told_() -> list[str]:
        messages = caplog.messages[:]
        caplog.clear()
        return messages

    return told_


@pytest.fixture(scope="session")
def real_detector() -> Network:
    """As it comes with face_recognition."""
    return dlib_weights.read(chips.weights(onnx_models.DETECTOR))


@pytest.fixture(scope="session")
def real_encoder() -> Network:
    return dlib_weights.read(chips.weights(onnx_models.ENCODER))
