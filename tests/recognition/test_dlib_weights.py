"""dlib's files, real ones and ones written here byte by byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.recognition import chips
from app.recognition.dlib_weights import (
    AddPrevious,
    Affine,
    BadWeights,
    Convolution,
    Dense,
    Layer,
    Network,
    Pool,
    Relu,
    Tiling,
    read,
)
from app.recognition.onnx_models import DETECTOR
from tests.recognition.dat import (
    BLOCK,
    SMALL,
    affine,
    batch_norm,
    convolution,
    dense,
    detector,
    encoder,
    integer,
    layer,
    pool,
    real,
    tensor,
    text,
)

Written = Callable[[bytes], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(data: bytes) -> Path:
        path = tmp_path / "small.dat"
        path.write_bytes(data)
        return path

    return write


def refused(path: Path) -> str:
    """What is said of a file that is no network: it names the file."""
    with pytest.raises(BadWeights) as caught:
        read(path)
    assert path.name in str(caught.value)
    return str(caught.value)


# ---- The two files that face_recognition brings


def counted(network: Network) -> dict[type[Layer], int]:
    return dict(Counter(type(layer) for layer in network.layers))


def test_the_detector_is_read_completely(real_detector: Network) -> None:
    assert counted(real_detector) == {Convolution: 7, Affine: 6, Relu: 6}
    kernels = [layer.kernel.shape for layer in real_detector.layers if isinstance(layer, Convolution)]
    assert kernels == [
        (16, 3, 5, 5),
        (32, 16, 5, 5),
        (32, 32, 5, 5),
        (45, 32, 5, 5),
        (45, 45, 5, 5),
        (45, 45, 5, 5),
        (1, 45, 9, 9),
    ]


def test_the_encoder_is_read_completely(real_encoder: Network) -> None:
    assert counted(real_encoder) == {Convolution: 29, Affine: 29, Relu: 29, AddPrevious: 14, Pool: 6, Dense: 1}
    *_, last = real_encoder.layers
    assert isinstance(last, Dense)
    assert last.weights.shape == (256, 128)
    pools = [(layer.kind, layer.size) for layer in real_encoder.layers if isinstance(layer, Pool)]
    assert pools == [("max", (3, 3)), *[("average", (2, 2))] * 4, ("average", (0, 0))]


def test_both_subtract_the_mean_that_dlib_was_trained_with(real_detector: Network, real_encoder: Network) -> None:
    for network in (real_detector, real_encoder):
        assert network.mean == pytest.approx((122.782, 117.001, 104.298), abs=1e-5)


def test_a_detector_says_how_its_pictures_are_tiled(real_detector: Network, real_encoder: Network) -> None:
    assert real_encoder.tiling is None
    tiling = real_detector.tiling
    assert tiling is not None
    assert (tiling.window, tiling.gap, tiling.border) == (80, 10, 11)
    assert tiling.overlap == pytest.approx(0.3382761, abs=1e-7)


def test_every_weight_of_the_real_files_is_a_number_of_sensible_size(
    real_detector: Network, real_encoder: Network
) -> None:
    for network in (real_detector, real_encoder):
        for found in network.layers:
            if isinstance(found, Convolution):
                assert 0 < np.abs(found.kernel).max() < 100
                assert found.bias.shape == (found.kernel.shape[0],)


REAL_CUTS = [0, 1, 2, 3, 20, 100, 500, 1000, 30_000, 364_970, 729_000, 729_939]


@pytest.mark.parametrize("length", REAL_CUTS)
def test_a_real_file_that_is_cut_off_is_refused(written: Written, length: int) -> None:
    data = chips.weights(DETECTOR).read_bytes()
    assert length < len(data)
    refused(written(data[:length]))


def starts(data: bytes, *names: bytes) -> list[int]:
    """Where layers begin: at the length of their name."""
    found = []
    for name in names:
        tag = integer(len(name)) + name
        at = data.find(tag)
        while at >= 0:
            found.append(at)
            at = data.find(tag, at + 1)
    return sorted(found)


def test_a_real_file_cut_off_between_two_layers_is_refused(written: Written) -> None:
    data = chips.weights(DETECTOR).read_bytes()
    ends = starts(data, b"con_4", b"bn_con2", b"relu_")
    assert len(ends) == 19
    for end in ends:
        refused(written(data[:end]))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"loss_mmod_", b"loss_mmoe_"),
        (b"input_rgb_image_pyramid", b"input_rgb_image_pyramix"),
        (text("con_4"), text("con_5")),
        (text("relu_"), text("relu?")),
        (text("bn_con2"), b"\x01\x08bn_con2"),
        (text("con_4") + integer(2), text("con_4") + integer(3)),
        (text("con_4") + integer(2), text("con_4") + b"\x71\x02"),
        (text("con_4") + integer(2), text("con_4") + b"\x00\x02"),
    ],
)
def test_a_real_file_with_a_byte_changed_where_it_matters_is_refused(
    written: Written, before: bytes, after: bytes
) -> None:
    data = chips.weights(DETECTOR).read_bytes()
    changed = data.replace(before, after, 1)
    assert changed != data
    refused(written(changed))


@pytest.mark.parametrize("name", ["shape_predictor_5_face_landmarks.dat", "shape_predictor_68_face_landmarks.dat"])
def test_another_model_of_dlibs_is_refused(name: str) -> None:
    refused(chips.weights(name))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\x01",
        b"This is a text and no network.\n" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
        bytes(100_000),
        b"\x01\x01" * 50_000,
        b"\xff" * 1000,
    ],
    ids=["empty", "zero", "one byte", "text", "png", "zeros", "ones", "ff"],
)
def test_what_is_no_network_is_refused(written: Written, data: bytes) -> None:
    refused(written(data))


def test_a_file_that_is_not_there_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.dat")


# ---- The grammar, by files of a few hundred bytes


def test_a_small_detector_is_read_as_it_was_written(written: Written) -> None:
    network = read(written(SMALL))
    assert network.tiling == Tiling(80, 0.25, 10, 11)
    assert network.mean == (128, 64.5, -0.125)
    first, norm, relu, _, last = network.layers
    assert isinstance(first, Convolution)
    assert np.array_equal(first.kernel, (np.arange(12).reshape(2, 3, 2, 1) / 7).astype(np.float32))
    assert first.bias.tolist() == [0.5, -0.5]
    assert (first.stride, first.padding) == ((2, 2), (0, 0))
    assert isinstance(last, Convolution)
    assert (last.kernel.shape, last.stride, last.padding) == ((1, 3, 1, 1), (1, 1), (0, 0))
    assert relu == Relu()
    assert isinstance(norm, Affine)


def test_a_normalisation_becomes_the_scale_and_shift_it_amounts_to(written: Written) -> None:
    norm = read(written(SMALL)).layers[1]
    assert isinstance(norm, Affine)
    values = np.array([[5.0, -3.0], [0.1, 0.2]])
    by_definition = [1, 2] * (values - [0.1, 0.2]) / np.sqrt(np.array([1, 4]) + 2**-13) + [3, 4]
    assert values * norm.scale + norm.shift == pytest.approx(by_definition, abs=1e-6)


def test_a_small_encoder_is_read_as_it_was_written(written: Written) -> None:
    network = read(written(BLOCK))
    assert network.tiling is None
    assert [type(layer) for layer in network.layers] == [Convolution, Affine, Relu, Pool, AddPrevious, Pool, Dense]
    _, scale, _, largest, _, mean, last = network.layers
    assert isinstance(scale, Affine)
    assert (scale.scale.tolist(), scale.shift.tolist()) == ([1, 2], [3, 4])
    assert largest == Pool("max", (3, 3), (2, 2), (0, 0))
    assert mean == Pool("average", (0, 0), (1, 1), (0, 0))
    assert isinstance(last, Dense)
    assert last.weights.shape == (2, 4)


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_numbers_of_every_length_are_read(written: Written, size: int, share: float) -> None:
    number = max(1, int((2 ** (8 * size - 1) - 1) * share))
    written_long = bytes([size]) + number.to_bytes(size, "little")
    assert_window(written, written_long, number)
    assert_window(written, integer(number), number)


def assert_window(written: Written, encoded: bytes, number: int) -> None:
    tiling = read(written(SMALL.replace(integer(80) * 2, encoded * 2, 1))).tiling
    assert tiling is not None
    assert tiling.window == number


@pytest.mark.parametrize(
    ("mantissa", "exponent", "value"),
    [(0, 0, 0.0), (1, 0, 1.0), (-3, -1, -1.5), (2**23, -23, 1.0), (-(2**52) - 1, -50, -4.000000000000001), (5, 4, 80)],
)
def test_reals_are_mantissa_and_exponent(written: Written, mantissa: int, exponent: int, value: float) -> None:
    blue = integer(mantissa) + integer(exponent)
    changed = SMALL.replace(real(-0.125), blue, 1)
    assert read(written(changed)).mean == (128, 64.5, value)


@pytest.mark.parametrize("exponent", [32000, 32001, 32002, 10**6, -(10**6), 2**62], ids=str)
def test_reals_that_are_infinite_no_number_or_beyond_all_bounds_are_refused(written: Written, exponent: int) -> None:
    refused(written(SMALL.replace(real(-0.125), integer(1) + integer(exponent), 1)))


@pytest.mark.parametrize(("mantissa", "exponent"), [(2**63, 1000), (-(2**63), 999)])
def test_a_mean_that_is_infinite_is_refused(written: Written, mantissa: int, exponent: int) -> None:
    refused(written(SMALL.replace(real(-0.125), integer(mantissa) + integer(exponent), 1)))


@pytest.mark.parametrize("data", [SMALL, BLOCK], ids=["detector", "encoder"])
def test_a_file_cut_off_anywhere_is_refused(written: Written, data: bytes) -> None:
    read(written(data))
    for length in range(len(data)):
        refused(written(data[:length]))


@pytest.mark.parametrize("data", [SMALL, BLOCK], ids=["detector", "encoder"])
@pytest.mark.parametrize("more", [b"\0", b"\x01", b"1", bytes(1000), layer("relu_"), affine([1], [0])])
def test_bytes_behind_the_end_are_refused(written: Written, data: bytes, more: bytes) -> None:
    refused(written(data + more))


@pytest.mark.parametrize("data", [SMALL, BLOCK], ids=["detector", "encoder"])
def test_a_changed_byte_gives_a_network_or_a_refusal_and_nothing_else(written: Written, data: bytes) -> None:
    refusals = 0
    for place in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= mask
            try:
                network = read(written(bytes(changed)))
            except BadWeights as error:
                refusals += "small.dat" in str(error)
            else:
                assert all(
                    np.isfinite(layer.kernel).all() for layer in network.layers if isinstance(layer, Convolution)
                )
    assert refusals > len(data) / 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["kernel", "bias", "scale", "dense"])
def test_a_weight_that_is_no_number_is_refused(written: Written, value: float, place: str) -> None:
    kernel, bias, scale, weights = np.ones((2, 3, 3, 3)), np.ones(2), np.ones(2), np.ones((2, 4))
    {"kernel": kernel, "bias": bias, "scale": scale, "dense": weights}[place].flat[0] = value
    refused(written(encoder(convolution(kernel, bias=bias), affine(scale, [0, 0]), dense(weights))))


@pytest.mark.parametrize("variance", [-1.0, -0.5])
def test_a_normalisation_by_a_negative_variance_is_refused(written: Written, variance: float) -> None:
    refused(written(detector(convolution(np.ones((1, 3, 3, 3)), bias=[0]), batch_norm([1], [0], [0], [variance]))))


@pytest.mark.parametrize(
    "shape",
    [
        (2**60, 1, 1, 1),
        (2**31, 2**31, 1, 1),
        (2**62, 2**62, 2**62, 2**62),
        (1, 1, 1, 10**9),
        (-1, 1, 1, 1),
        (-1, -1, 1, 1),
        (2**63, 2, 1, 1),
    ],
    ids=str,
)
def test_a_tensor_that_claims_to_be_larger_than_the_file_is_refused(
    written: Written, shape: tuple[int, int, int, int]
) -> None:
    data = SMALL.replace(tensor([*np.ones(3), -1]), tensor([], shape) + bytes(100), 1)
    assert data != SMALL
    refused(written(data))


@pytest.mark.parametrize("length", [101, 2**20, 2**62, -1], ids=str)
def test_a_name_of_absurd_length_is_refused(written: Written, length: int) -> None:
    refused(written(SMALL.replace(text("relu_"), integer(length) + b"relu_", 1)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, value) for field in ("filters", "height", "width") for value in (0, -1, 7, 2**60)],
        *[(field, value) for field in ("stride_y", "stride_x") for value in (0, -1)],
        *[(field, value) for field in ("padding_y", "padding_x") for value in (-1, -(2**40))],
    ],
)
def test_a_convolution_of_impossible_measures_is_refused(written: Written, field: str, value: int) -> None:
    kernel = np.ones((2, 3, 3, 3))
    good = convolution(kernel, bias=[1, 2])
    bad = convolution(kernel, bias=[1, 2], **{field: value})
    assert good != bad
    read(written(encoder(good, dense(np.ones((2, 4))))))
    refused(written(encoder(bad, dense(np.ones((2, 4))))))


@pytest.mark.parametrize(
    ("kind", "size", "stride"), [("max_pool_2", -1, 1), ("max_pool_2", 3, 0), ("avg_pool_2", 2, -2)]
)
def test_a_pool_of_impossible_measures_is_refused(written: Written, kind: str, size: int, stride: int) -> None:
    refused(written(encoder(pool(kind, size, stride), dense(np.ones((2, 4))))))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3), (8, 2), (0, 4), (-2, -4)])
def test_a_dense_layer_of_another_size_than_its_weights_is_refused(written: Written, shape: tuple[int, int]) -> None:
    refused(written(encoder(dense(np.ones((2, 4)), shape))))


def test_a_scale_without_its_shift_is_refused(written: Written) -> None:
    refused(written(encoder(affine([1, 2], [3]))))


def test_a_normalisation_with_statistics_of_another_size_is_refused(written: Written) -> None:
    refused(written(detector(batch_norm([1, 2], [3, 4], mean=[0], variance=[1, 1]))))


@pytest.mark.parametrize("name", ["dropout_", "", "CON_4", "con_4 ", "\xff\xfe"])
def test_a_layer_of_another_kind_is_refused_by_name(written: Written, name: str) -> None:
    assert repr(name) in refused(written(encoder(layer(name), dense(np.ones((2, 4))))))


def test_a_window_that_is_not_square_is_refused(written: Written) -> None:
    refused(written(SMALL.replace(integer(80) * 2, integer(80) + integer(40), 1)))


@pytest.mark.parametrize("window", [0, -80])
def test_a_window_of_no_size_is_refused(written: Written, window: int) -> None:
    refused(written(SMALL.replace(integer(80) * 2, integer(window) * 2, 1)))
