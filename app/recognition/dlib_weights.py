"""Reads dlib's .dat files: a network as the list of its layers, from the picture to the result.

The grammar is that of dlib's serialize functions (dlib/serialize.h, dlib/dnn/core.h, layers.h, input.h, loss.h):

    integer   a control byte (low four bits: how many bytes follow; high bit: negative), then little-endian bytes
    real      mantissa and exponent of two, both integers
    boolean   the character "1" or "0"
    text      its length, then its bytes
    tensor    2, four dimensions, then float32 values, little-endian
    network   1, the loss, the version of every layer from the result inwards, the input, then the layers outwards
    layer     its name and own fields, three booleans, three empty tensors (kept for training)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class BadWeights(Exception):
    """The file is not the network it should be: damaged, cut off or of another kind."""


@dataclass(frozen=True, eq=False)
class Convolution:
    """kernel: (filters, channels, height, width); bias: (filters,); stride and padding are (vertical, horizontal)."""

    kernel: Array
    bias: Array
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Affine:
    """Scale and shift of each channel, both (channels,)."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Pool:
    """kind: "max" or "average". size: (height, width), (0, 0) for the whole picture."""

    kind: str
    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Relu:
    pass


@dataclass(frozen=True)
class AddPrevious:
    """Add what an earlier layer gave."""


@dataclass(frozen=True, eq=False)
class Dense:
    """weights: (inputs, outputs). There is no bias."""

    weights: Array


Layer = Convolution | Affine | Pool | Relu | AddPrevious | Dense


@dataclass(frozen=True)
class Tiling:
    """What a detector says of its pictures: its window, how detections are thinned out, and the pyramid's gaps."""

    window: int
    overlap: float
    gap: int
    border: int


@dataclass(frozen=True)
class Network:
    """mean: of red, green and blue, which is subtracted before dividing by 256. tiling: detectors only."""

    mean: tuple[float, float, float]
    layers: tuple[Layer, ...]
    tiling: Tiling | None = None


def read(path: Path) -> Network:
    """The network in a file. Raises BadWeights with the file's name, and OSError."""
    reader = _Reader(path.read_bytes())
    try:
        return reader.network()
    except BadWeights as error:
        raise BadWeights(f"{path.name} cannot be read as a network of dlib's: {error}.") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def network(self) -> Network:
        self._expect("version", self._integer(), 1)
        tiling = self._loss()
        depth = self._versions()
        mean, tiling = self._input(tiling)
        layers: list[Layer] = []
        while self._at < len(self._data):
            layers.append(self._layer(first=not layers))
        self._expect("number of layers", len(layers), depth)
        return Network(mean, tuple(layers), tiling)

    # What a network is made of.

    def _loss(self) -> Tiling | None:
        name = self._text()
        if name == "loss_metric_2":
            self._reals(2)  # margin and threshold: for training
            return None
        if name != "loss_mmod_":
            raise BadWeights(f"its loss is {name!r}")
        self._expect("version of the detector's options", self._integer(), 1)
        window, height = self._integers(2)
        self._expect("window", height, window)
        self._check(window > 0, f"a window of {window} pixels")
        self._reals(3)  # losses: for training
        overlap, _covered, _ignored, _ignored_covered = self._reals(4)
        # Files of this version say nothing of the pyramid's gaps: these are what dlib then takes.
        return Tiling(window, overlap, gap=10, border=11)

    def _versions(self) -> int:
        """Pass over the layers' version numbers, which end where a longer text begins; how many layers there are.

        Layers that compute something have version 2, the innermost 3. Marks on what they gave have version 1.
        """
        layers = 0
        while True:
            before = self._at
            version = self._integer()
            if version > 3:
                self._at = before
                return layers
            layers += version > 1

    def _input(self, tiling: Tiling | None) -> tuple[tuple[float, float, float], Tiling | None]:
        expected = "input_rgb_image_pyramid" if tiling else "input_rgb_image_sized"
        self._expect("input", self._text(), expected)
        red, green, blue = self._reals(3)
        if not tiling:
            self._integers(2)  # 150 x 150
        return (red, green, blue), tiling

    def _layer(self, *, first: bool) -> Layer:
        name = self._text()
        read = self._KINDS.get(name)
        if read is None:
            raise BadWeights(f"it has a layer {name!r}")
        layer = read(self)
        for _ in range(3):
            self._boolean()
        for _ in range(3):
            self._tensor()
        if first:
            self._integer()  # how many pictures one sample becomes
        return layer

    def _convolution(self) -> Layer:
        values = self._tensor()
        filters, height, width = self._integers(3)
        stride, padding = self._steps()
        self._alias()
        self._alias()
        self._reals(4)
        one = max(filters * height * width, 1)
        fits = min(filters, height, width) > 0 and values.size > filters and (values.size - filters) % one == 0
        self._check(fits, f"{values.size} values do not make {filters} filters of {height} x {width}")
        kernel = values[:-filters].reshape(filters, -1, height, width)
        return Convolution(kernel, values[-filters:], stride, padding)

    def _affine(self) -> Layer:
        scale, shift = self._halves()
        self._integer()
        return Affine(scale, shift)

    def _batch_norm(self) -> Layer:
        gamma, beta = self._halves()
        _means, _deviations, mean, variance = (self._tensor() for _ in range(4))
        self._integers(2)
        *_, epsilon = self._reals(5)
        self._check(gamma.size == mean.size == variance.size, "a normalisation has statistics of another size")
        self._check(bool((variance + epsilon > 0).all()), "a normalisation divides by nothing")
        scale = gamma / np.sqrt(variance + np.float32(epsilon))
        return Affine(scale, beta - mean * scale)

    def _halves(self) -> tuple[Array, Array]:
        values = self._tensor()
        self._alias()
        self._alias()
        self._check(values.size % 2 == 0, "a scale has no shift")
        scale, shift = np.split(values, 2)
        return scale, shift

    def _dense(self) -> Layer:
        outputs, inputs = self._integers(2)
        values = self._tensor()
        self._alias()
        self._alias()
        self._integer()
        self._reals(4)
        fits = min(inputs, outputs) > 0 and values.size == inputs * outputs
        self._check(fits, f"{values.size} values do not make {inputs} x {outputs} weights")
        return Dense(values.reshape(inputs, outputs))

    def _pool(self, kind: str) -> Layer:
        height, width = self._integers(2)
        self._check(height > 0 < width or height == 0 == width, f"a pool of {height} x {width}")
        return Pool(kind, (height, width), *self._steps())

    def _steps(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Stride and padding of a window that goes over a picture."""
        down, across, *padding = self._integers(4)
        self._check(min(down, across) > 0 <= min(padding), "a window that cannot go over a picture")
        return (down, across), (padding[0], padding[1])

    _KINDS: dict[str, Callable[[_Reader], Layer]] = {  # noqa: RUF012
        "con_4": _convolution,
        "affine_": _affine,
        "bn_con2": _batch_norm,
        "fc_2": _dense,
        "relu_": lambda _reader: Relu(),
        "add_prev_": lambda _reader: AddPrevious(),
        "max_pool_2": lambda reader: reader._pool("max"),
        "avg_pool_2": lambda reader: reader._pool("average"),
    }

    # What those are made of.

    def _tensor(self) -> Array:
        self._expect("version of a tensor", self._integer(), 2)
        shape = self._integers(4)
        self._check(min(shape) >= 0, "a tensor has a negative size")
        count = shape[0] * shape[1] * shape[2] * shape[3]
        values = np.frombuffer(self._bytes(4 * count), "<f4").astype(np.float32)
        self._check(bool(np.isfinite(values).all()), "a weight is no number")
        return values

    def _alias(self) -> None:
        self._expect("version of a view", self._integer(), 1)
        self._integers(4)

    def _text(self) -> str:
        length = self._integer()
        self._check(0 <= length <= 100, f"a name of {length} characters")
        return self._bytes(length).decode("latin-1")

    def _reals(self, count: int) -> list[float]:
        values = []
        for _ in range(count):
            mantissa, exponent = self._integers(2)
            self._check(abs(exponent) <= 1000, "a number beyond all bounds")
            values.append(float(mantissa) * 2.0**exponent)
            self._check(math.isfinite(values[-1]), "a number beyond all bounds")
        return values

    def _boolean(self) -> bool:
        character = self._bytes(1)
        self._check(character in (b"0", b"1"), "a truth value that is none")
        return character == b"1"

    def _integers(self, count: int) -> list[int]:
        return [self._integer() for _ in range(count)]

    def _integer(self) -> int:
        (control,) = self._bytes(1)
        size = control & 0x0F
        self._check(1 <= size <= 8 and not control & 0x70, "a number that is none")
        value = int.from_bytes(self._bytes(size), "little")
        return -value if control & 0x80 else value

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        self._check(end <= len(self._data), "it ends too early")
        found = self._data[self._at : end]
        self._at = end
        return found

    def _check(self, fine: bool, otherwise: str) -> None:
        if not fine:
            raise BadWeights(otherwise)

    def _expect(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            raise BadWeights(f"its {what} is {found!r} where {expected!r} was expected")
