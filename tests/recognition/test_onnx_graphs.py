"""dlib's networks as ONNX models: what they compute is held against dlib itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from app.recognition import chips, onnx_graphs, onnx_models
from app.recognition.dlib_weights import Affine, BadWeights, Convolution, Dense, Layer, Network, Pool, Relu, read
from app.recognition.images import Pixels
from app.recognition.onnx_models import Models
from tests.recognition.dat import BLOCK, SMALL

SIDE = onnx_graphs.CHIP
RANGES = onnx_models._RANGES


def drawn(kind: str, seed: int) -> Pixels:
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    if kind == "noise":
        return noise
    if kind == "smooth":
        blurred = cv2.GaussianBlur(noise, (0, 0), 4 + 3 * seed)
        return cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    if kind == "ramp":
        down, across, level = np.meshgrid(range(SIDE), range(SIDE), range(3), indexing="ij")
        return ((seed * down + across * level) % 256).astype(np.uint8)
    return np.full((SIDE, SIDE, 3), seed, np.uint8)


@pytest.fixture(scope="module")
def many() -> NDArray[np.uint8]:
    """(33, 150, 150, 3): one more than the models look at together."""
    kinds = [("noise", 12), ("smooth", 12), ("ramp", 9)]
    return np.stack([drawn(kind, seed) for kind, count in kinds for seed in range(count)])


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        *[(kind, seed) for kind in ("noise", "smooth", "ramp") for seed in range(4)],
        ("flat", 0),
        ("flat", 117),
        ("flat", 255),
    ],
)
def test_an_encoding_is_dlibs(models: Models, dlib_encoder: Any, kind: str, seed: int) -> None:
    chip = drawn(kind, seed)
    (found,) = models.encode(chip[None])
    assert found.shape == (128,)
    assert found.dtype == np.float32
    assert np.abs(found - np.array(dlib_encoder.compute_face_descriptor(chip))).max() < 1e-5


def test_the_encoding_of_a_real_face_is_dlibs(models: Models, dlib_encoder: Any, pixels: dict[str, Pixels]) -> None:
    cut = chips.cut([(pixels["obama"], (142, 617, 409, 349)), (pixels["obama"], (0, 100, 100, 0))])
    expected = np.array([dlib_encoder.compute_face_descriptor(chip) for chip in cut])
    assert np.abs(models.encode(cut) - expected).max() < 1e-5


@pytest.mark.parametrize("size", [2, 7, 32, 33])
def test_an_encoding_is_the_same_to_the_bit_whatever_is_encoded_with_it(
    models: Models, many: NDArray[np.uint8], size: int
) -> None:
    alone = np.concatenate([models.encode(chip[None]) for chip in many])
    assert np.array_equal(models.encode(many[:size]), alone[:size])
    assert np.array_equal(models.encode(many[::-1][:size]), alone[::-1][:size])


def test_of_no_chips_there_are_no_encodings(models: Models) -> None:
    assert models.encode(np.empty((0, SIDE, SIDE, 3), np.uint8)).shape == (0, 128)


def test_a_detector_is_not_taken_for_an_encoder(real_detector: Network) -> None:
    with pytest.raises(BadWeights):
        onnx_graphs.encoder(real_detector)


def test_an_encoder_is_not_taken_for_a_detector(real_encoder: Network) -> None:
    with pytest.raises(BadWeights):
        onnx_graphs.detector(real_encoder, 256, RANGES)


def test_converting_twice_gives_the_same_bytes(real_detector: Network) -> None:
    assert onnx_graphs.detector(real_detector, 256, RANGES) == onnx_graphs.detector(real_detector, 256, RANGES)


def test_the_models_are_of_a_format_that_older_runtimes_read(real_detector: Network, real_encoder: Network) -> None:
    detector = onnx_graphs.detector(real_detector, 256, RANGES)
    for data in (detector.features, detector.scores, detector.screen, onnx_graphs.encoder(real_encoder)):
        model = onnx.load_from_string(data)
        assert model.ir_version <= 8
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]


# ---- Networks that can be read and are not those


def convolution(filters: int, channels: int, side: int = 3, stride: int = 1, padding: int = 0) -> Convolution:
    kernel = np.ones((filters, channels, side, side), np.float32)
    return Convolution(kernel, np.zeros(filters, np.float32), (stride, stride), (padding, padding))


def scale(channels: int) -> Affine:
    return Affine(np.ones(channels, np.float32), np.zeros(channels, np.float32))


def network(*layers: Layer) -> Network:
    return Network((128.0, 128.0, 128.0), layers)


DENSE = Dense(np.ones((2, 4), np.float32))
MEAN = Pool("average", (0, 0), (1, 1), (0, 0))
NO_ENCODERS = {
    "no layers": network(),
    "no encoding": network(convolution(2, 3), Relu(), MEAN),
    "scale first": network(scale(3), convolution(2, 3), MEAN, DENSE),
    "scale of a relu": network(convolution(2, 3), Relu(), scale(2), MEAN, DENSE),
    "scale of another size": network(convolution(2, 3), scale(3), MEAN, DENSE),
    "grey pictures": network(convolution(2, 1), MEAN, DENSE),
    "dense first": network(DENSE),
}
NO_DETECTORS = {
    "no layers": network(),
    "one layer": network(convolution(1, 3, padding=1)),
    "two scores": network(convolution(2, 3, stride=2), Relu(), convolution(3, 2), Relu(), convolution(2, 3, padding=1)),
    "a smaller map": network(convolution(2, 3, stride=2), Relu(), convolution(3, 2), Relu(), convolution(1, 3)),
    "a pool": network(convolution(2, 3, stride=2), MEAN, convolution(3, 2), Relu(), convolution(1, 3, padding=1)),
    "nothing halved": network(convolution(2, 3), Relu(), convolution(3, 2), Relu(), convolution(1, 3, padding=1)),
    "relu last": network(convolution(2, 3, stride=2), Relu(), convolution(1, 2, padding=1), Relu()),
}


@pytest.mark.parametrize("other", NO_ENCODERS.values(), ids=NO_ENCODERS)
def test_what_is_no_encoder_is_refused(other: Network) -> None:
    with pytest.raises(BadWeights):
        onnx_graphs.encoder(other)


@pytest.mark.parametrize("other", NO_DETECTORS.values(), ids=NO_DETECTORS)
def test_what_is_no_detector_is_refused(other: Network) -> None:
    with pytest.raises(BadWeights):
        onnx_graphs.detector(other, 256, RANGES)


@pytest.mark.parametrize("data", [SMALL, BLOCK], ids=["detector", "encoder"])
def test_a_changed_byte_in_a_file_gives_models_or_a_refusal_and_nothing_else(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "small.dat"
    tried = 0
    for place in range(len(data)):
        for mask in (0x01, 0x80):
            changed = bytearray(data)
            changed[place] ^= mask
            path.write_bytes(changed)
            try:
                found = read(path)
                tried += 1
                onnx_graphs.detector(found, 256, RANGES) if data is SMALL else onnx_graphs.encoder(found)
            except BadWeights:
                continue
    assert tried > 100
