"""Whether the converted networks are used: only when they can be had, and compute what dlib computes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.recognition import chips, dlib_weights, onnx_graphs, onnx_models, verification
from app.recognition.dlib_weights import Convolution, Dense, Network
from app.recognition.engine import EngineUnfit, Eyesight, load_engine
from app.recognition.images import Photo
from app.recognition.onnx_models import Models
from tests.recognition.conftest import kept

pytestmark = pytest.mark.usefixtures("_forgetful")

EYESIGHT = Eyesight("hog")

Change = Callable[[Network], Network]


def louder(network: Network) -> Network:
    """The encodings 0.1% longer."""
    *others, last = network.layers
    assert isinstance(last, Dense)
    return replace(network, layers=(*others, Dense(last.weights * np.float32(1.001))))


def surer(network: Network, by: float) -> Network:
    *others, last = network.layers
    assert isinstance(last, Convolution)
    return replace(network, layers=(*others, replace(last, bias=last.bias + np.float32(by))))


def nan(network: Network) -> Network:
    *others, last = network.layers
    assert isinstance(last, Dense)
    return replace(network, layers=(*others, Dense(np.full_like(last.weights, np.nan))))


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Change], None]:
    """Convert a network other than dlib's."""

    def changed_(part: str, change: Change) -> None:
        convert = getattr(onnx_graphs, part)
        monkeypatch.setattr(onnx_graphs, part, lambda network, *rest: convert(change(network), *rest))

    return changed_


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("encoder", louder, "the encodings differ"),
        ("encoder", nan, "the encodings differ"),
        ("detector", lambda network: surer(network, 0.01), "scores differ from dlib's by 0.01"),
        ("detector", lambda network: surer(network, -5.0), "the detector finds"),
        ("detector", lambda network: surer(network, 3.0), "the detector finds"),
    ],
    ids=["encodings", "no numbers", "scores", "blind", "dreaming"],
)
def test_models_that_do_not_agree_with_dlib_are_not_used(
    tmp_path: Path,
    told: Callable[[], list[str]],
    changed: Callable[[str, Change], None],
    part: str,
    change: Change,
    words: str,
) -> None:
    changed(part, change)
    engine = load_engine("onnx", EYESIGHT, tmp_path / "models")
    assert engine.name == "dlib"
    assert words in engine.note
    assert len(engine.note) < 400
    assert any(engine.note in message for message in told())
    assert kept(tmp_path / "models") == {}
    assert len(engine.faces(Photo.of(verification.group()))) > 0


@pytest.mark.parametrize("network", ["encoder", "detector"])
@pytest.mark.parametrize(
    "error", [dlib_weights.BadWeights("cut off"), OSError(errno.EIO, "input/output error")], ids=["bad", "unreadable"]
)
def test_networks_that_cannot_be_read_leave_the_dlib_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str, error: Exception
) -> None:
    file = {"encoder": onnx_models.ENCODER, "detector": onnx_models.DETECTOR}[network]
    read = dlib_weights.read

    def fail(path: Path) -> Network:
        if path.name == file:
            raise error
        return read(path)

    monkeypatch.setattr(dlib_weights, "read", fail)
    engine = load_engine("onnx", EYESIGHT, tmp_path / "models")
    assert engine.name == "dlib"
    assert str(error) in engine.note


@pytest.mark.parametrize("part", ["encoder", "detector"])
def test_a_conversion_that_fails_in_any_way_leaves_the_dlib_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("onnx has changed")

    monkeypatch.setattr(onnx_graphs, part, fail)
    engine = load_engine("onnx", EYESIGHT, tmp_path / "models")
    assert engine.name == "dlib"
    assert "onnx has changed" in engine.note


@pytest.mark.parametrize("part", ["encoder", "detector"])
def test_models_that_onnx_runtime_cannot_load_leave_the_dlib_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    broken: Any = {"encoder": b"no model", "detector": (b"no model", b"no model")}[part]
    monkeypatch.setattr(onnx_graphs, part, lambda *_arguments: broken)
    engine = load_engine("onnx", EYESIGHT, tmp_path / "models")
    assert engine.name == "dlib"
    assert engine.note
    assert kept(tmp_path / "models") == {}


def test_the_picture_that_models_are_compared_on_has_faces_for_dlib(dlib_detector: Any) -> None:
    found = dlib_detector(verification.group(), 0)
    assert len(found) == 2
    sides = sorted(face.rect.width() for face in found)
    assert sides[1] > 1.2 * sides[0]
    assert min(face.confidence for face in found) > 0.5


def test_a_comparison_of_no_faces_is_none(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "group", lambda: np.full((300, 480, 3), 127, np.uint8))
    with pytest.raises(EngineUnfit):
        verification.compare_with_dlib(models)


def test_the_models_agree_with_dlib(models: Models) -> None:
    verification.compare_with_dlib(models)


def test_the_weights_are_those_that_face_recognition_uses() -> None:
    import face_recognition_models

    assert str(chips.weights(onnx_models.ENCODER)) == face_recognition_models.face_recognition_model_location()
    assert str(chips.weights(onnx_models.DETECTOR)) == face_recognition_models.cnn_face_detector_model_location()
