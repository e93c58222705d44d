"""Small files of the kind that dlib keeps networks in. Their grammar is told in app/recognition/dlib_weights.py."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

CONVOLUTION = ("filters", "height", "width", "stride_y", "stride_x", "padding_y", "padding_x")
"""The whole numbers of a convolution, in their order."""

_TRAINING = b"000"


def integer(value: int) -> bytes:
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def integers(*values: int) -> bytes:
    return b"".join(integer(value) for value in values)


def real(value: float) -> bytes:
    fraction, exponent = math.frexp(value)
    return integers(round(fraction * 2**24), exponent - 24)


def reals(*values: float) -> bytes:
    return b"".join(real(value) for value in values)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode("latin-1")


def tensor(values: ArrayLike, shape: Sequence[int] | None = None) -> bytes:
    """shape: what it claims to be, where that is not (n, 1, 1, 1)."""
    data = np.asarray(values, "<f4")
    return integers(2, *(shape or (data.size, 1, 1, 1))) + data.tobytes()


def layer(name: str, fields: bytes = b"") -> bytes:
    return text(name) + fields + _TRAINING + tensor([]) * 3


def convolution(kernel: ArrayLike, bias: ArrayLike, stride: int = 1, padding: int = 0, **instead: int) -> bytes:
    """instead: other values for what CONVOLUTION names."""
    weights = np.asarray(kernel)
    filters, _, height, width = weights.shape
    measures = dict(zip(CONVOLUTION, (filters, height, width, stride, stride, padding, padding), strict=True))
    values = tensor([*weights.flat, *np.asarray(bias).flat])
    fields = values + integers(*(measures | instead).values()) + _alias() * 2 + reals(1, 1, 1, 0)
    return layer("con_4", fields)


def affine(scale: ArrayLike, shift: ArrayLike) -> bytes:
    return layer("affine_", tensor([*np.asarray(scale), *np.asarray(shift)]) + _alias() * 2 + integer(0))


def batch_norm(gamma: ArrayLike, beta: ArrayLike, mean: ArrayLike, variance: ArrayLike) -> bytes:
    """Its epsilon is 2 ** -13."""
    values = tensor([*np.asarray(gamma), *np.asarray(beta)]) + _alias() * 2
    # Means and inverse deviations of the last batch; then the running ones, which count.
    statistics = tensor(np.full(2, 77.0)) * 2 + tensor(mean) + tensor(variance)
    return layer("bn_con2", values + statistics + integers(100, 100) + reals(1, 1, 1, 1, 2**-13))


def dense(weights: ArrayLike, shape: tuple[int, int] | None = None) -> bytes:
    """weights: (inputs, outputs). shape: what it claims to be instead."""
    values = np.asarray(weights)
    inputs, outputs = shape or values.shape
    fields = integers(outputs, inputs) + tensor(values) + _alias() * 2 + integer(1) + reals(1, 1, 1, 0)
    return layer("fc_2", fields)


def pool(kind: str, size: int, stride: int) -> bytes:
    return layer(kind, integers(size, size, stride, stride, 0, 0))


def detector(*layers: bytes) -> bytes:
    """A whole file. Its window is 80, its overlap 0.25, its mean (128, 64.5, -0.125)."""
    loss = text("loss_mmod_") + integers(1, 80, 80) + reals(1, 1, 0.5) + reals(0.25, 1, 0.5, 1)
    given = text("input_rgb_image_pyramid") + reals(128, 64.5, -0.125)
    return _network(loss, given, layers)


def encoder(*layers: bytes) -> bytes:
    """A whole file."""
    loss = text("loss_metric_2") + reals(0.04, 0.6)
    given = text("input_rgb_image_sized") + reals(128, 64.5, -0.125) + integers(150, 150)
    return _network(loss, given, layers)


def _network(loss: bytes, given: bytes, layers: Sequence[bytes]) -> bytes:
    # From the result inwards; the layer next to the picture has version 3, and marks between layers have 1.
    versions = integers(*[2] * (len(layers) - 1), 1, 3)
    first, *others = layers
    return integer(1) + loss + versions + given + first + integer(1) + b"".join(others)


def _alias() -> bytes:
    return integers(1, 1, 1, 1, 1)


SMALL = detector(
    convolution(np.arange(12).reshape(2, 3, 2, 1) / 7, bias=[0.5, -0.5], stride=2),
    batch_norm([1, 2], [3, 4], mean=[0.1, 0.2], variance=[1, 4]),
    layer("relu_"),
    convolution(np.ones((3, 2, 1, 1)), bias=[0, 0, 0]),
    convolution(np.ones((1, 3, 1, 1)), bias=[-1]),
)
"""A detector with every kind of layer that real ones have."""
BLOCK = encoder(
    convolution(np.ones((2, 3, 1, 1)), bias=[1, 2], stride=2),
    affine([1, 2], [3, 4]),
    layer("relu_"),
    pool("max_pool_2", 3, 2),
    layer("add_prev_"),
    pool("avg_pool_2", 0, 1),
    dense(np.ones((2, 4))),
)
"""An encoder, likewise."""
