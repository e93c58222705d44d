"""dlib's two networks as ONNX models.

Scales and shifts are folded into the convolution before them, and the subtraction of the mean and the division by
256 into the first one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from app.recognition.chips import CHIP
from app.recognition.dlib_weights import AddPrevious, Affine, BadWeights, Convolution, Dense, Network, Pool, Relu

# A model of this opset and this format runs in every ONNX Runtime since 1.14.
_OPSET, _FORMAT = 17, 8
# Convolutions of another number of channels run at a quarter of their speed in 8 bits, and a fifth slower in 32.
_LANES = 16
# A pair of products of 8 and 7 bits fits into 16: processors that add pairs so compute what the others do.
_WEIGHT_STEPS, _VALUE_STEPS = 63, 255

_Folded = Convolution | Relu | Pool | AddPrevious | Dense


def encoder(network: Network) -> bytes:
    """chips (n, 150, 150, 3) uint8 -> encodings (n, 128) float32. Raises BadWeights."""
    graph = _Graph()
    value = graph.picture("chips", TensorProto.UINT8, (CHIP, CHIP))
    # A block adds what it began with to what it computed. Where it halves the picture, an average pool of the
    # beginning stands between: then `computed` waits for it.
    beginning, computed, added = value, "", False
    for layer in _folded(network, 1):
        match layer:
            case Convolution():
                value = graph.convolution(value, layer)
            case Relu():
                value = graph.relu(value)
                beginning, added = (value, False) if added else (beginning, added)
            case Pool(kind="max"):
                value = beginning = graph.pool(value, layer)
            case Pool(size=(0, 0)):
                value = graph.node("Flatten", graph.node("GlobalAveragePool", value))
            case Pool():
                computed, value = value, graph.pool(beginning, layer)
            case AddPrevious():
                value = graph.sum(value, computed or beginning)
                computed, added = "", True
            case Dense(weights):
                value = graph.node("MatMul", value, graph.constant(weights))
    if not network.layers or not isinstance(network.layers[-1], Dense):
        raise BadWeights("The network does not end in an encoding.")
    return graph.model(value, "encodings", ["n", network.layers[-1].weights.shape[1]])


@dataclass(frozen=True)
class Detector:
    """The parts of the detector, as models.

    features: canvas (n, height, width, 3) uint16, in 1/units of a brightness level -> features (n, f, rows, columns).
    scores: features -> for each place in the last filter's window, (n, places, rows, columns), what a cell adds to
    the score of the cell that has it in that place. (One filter for a whole 9 x 9 window would leave 15 of every 16
    lanes of a processor idle.)
    screen: what `scores` gives, nearly, in whole numbers of 8 bits: four times as fast where the processor has
    instructions for it.
    """

    features: bytes
    scores: bytes
    screen: bytes


def detector(network: Network, units: int, ranges: Sequence[float]) -> Detector:
    """ranges: the largest value that `screen` can tell, of the features and of what each convolution after them
    gives. Raises BadWeights."""
    layers = _folded(network, units)
    last = layers.pop()
    if not isinstance(last, Convolution) or last.kernel.shape[0] != 1 or last.padding[0] != last.kernel.shape[2] // 2:
        raise BadWeights("The network does not end in a score.")
    if any(not isinstance(layer, Convolution | Relu) for layer in layers):
        raise BadWeights("The network is not a plain row of convolutions.")
    strided = [isinstance(layer, Convolution) and layer.stride != (1, 1) for layer in layers]
    if True not in strided:
        raise BadWeights("The network does not reduce its picture.")
    half = len(strided) - strided[::-1].index(True) + 1
    graph = _Graph()
    value = _row(graph, graph.picture("canvas", TensorProto.UINT16, ("height", "width")), layers[:half])
    filters = [layer.kernel.shape[0] for layer in layers[:half] if isinstance(layer, Convolution)][-1]
    features = graph.model(value, "features", ["n", filters, "rows", "columns"])
    places = last.kernel[0].reshape(last.kernel.shape[1], -1).T
    bias = np.zeros(len(places), np.float32)
    # Every cell is in the middle of just one window.
    bias[len(places) // 2] = last.bias[0]
    shares = _widened([*layers[half:], Convolution(places[:, :, None, None], bias, (1, 1), (0, 0))])
    return Detector(features, _exact(shares, filters), _in_8_bits(shares, filters, ranges))


def _widened(layers: list[_Folded]) -> list[_Folded]:
    """The same layers with filters that give nothing, where that makes for whole lanes; not after the last."""
    wide, channels = list(layers), 0
    for index, layer in enumerate(layers):
        if isinstance(layer, Convolution):
            more_channels = max(channels - layer.kernel.shape[1], 0)
            more_filters = -layer.kernel.shape[0] % _LANES if layer is not layers[-1] else 0
            kernel = np.pad(layer.kernel, ((0, more_filters), (0, more_channels), (0, 0), (0, 0)))
            wide[index] = Convolution(kernel, np.pad(layer.bias, (0, more_filters)), layer.stride, layer.padding)
            channels = len(kernel)
    return wide


def _exact(layers: Sequence[_Folded], filters: int) -> bytes:
    graph = _Graph()
    value = _row(graph, graph.input("features", TensorProto.FLOAT, ["n", filters, "rows", "columns"]), layers)
    return graph.model(value, "shares", ["n", "places", "rows", "columns"])


def _in_8_bits(layers: Sequence[_Folded], filters: int, ranges: Sequence[float]) -> bytes:
    """All but the last layer in whole numbers. A Relu costs nothing there: its values begin at zero."""
    *convolutions, last = [layer for layer in layers if isinstance(layer, Convolution)]
    if len(convolutions) != len(layers) - len(convolutions) - 1 or len(ranges) != len(convolutions) + 1:
        raise BadWeights("The network does not alternate between convolutions and Relu.")
    graph = _Graph()
    value = graph.input("features", TensorProto.FLOAT, ["n", filters, "rows", "columns"])
    zero = graph.constant(np.uint8(0))
    scales = [np.float32(largest / _VALUE_STEPS) for largest in ranges]
    value = graph.node("QuantizeLinear", value, graph.constant(scales[0]), zero)
    for layer, (before, after) in zip(convolutions, itertools.pairwise(scales), strict=True):
        value = graph.whole_convolution(value, layer, before, after, zero)
    value = graph.node("DequantizeLinear", value, graph.constant(scales[-1]), zero)
    return graph.model(graph.convolution(value, last), "shares", ["n", "places", "rows", "columns"])


def _row(graph: _Graph, value: str, layers: Sequence[_Folded]) -> str:
    for layer in layers:
        value = graph.convolution(value, layer) if isinstance(layer, Convolution) else graph.relu(value)
    return value


def _folded(network: Network, units: int) -> list[_Folded]:
    """The layers, without scales and shifts, for pictures in 1/units of a brightness level."""
    layers: list[_Folded] = []
    for layer in network.layers:
        if not isinstance(layer, Affine):
            layers.append(layer)
        elif layers and isinstance(layers[-1], Convolution) and layers[-1].bias.shape == layer.scale.shape:
            before = layers[-1]
            kernel = before.kernel * layer.scale[:, None, None, None]
            layers[-1] = Convolution(kernel, before.bias * layer.scale + layer.shift, before.stride, before.padding)
        else:
            raise BadWeights("A scale does not follow a convolution of its size.")
    first = layers[0] if layers else None
    if not isinstance(first, Convolution) or first.kernel.shape[1] != 3:
        raise BadWeights("The network does not begin with a convolution of a picture.")
    mean = np.asarray(network.mean, np.float64)[None, :, None, None]
    bias = first.bias - (first.kernel * mean).sum((1, 2, 3)) / 256
    kernel = (first.kernel / (256.0 * units)).astype(np.float32)
    layers[0] = Convolution(kernel, bias.astype(np.float32), first.stride, first.padding)
    return layers


class _Graph:
    """An ONNX graph that is being put together. Values go by name; `_shapes` has (channels, side) of each."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._shapes: dict[str, tuple[int, int]] = {}

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def picture(self, name: str, kind: int, size: tuple[int | str, int | str]) -> str:
        """Pictures as they lie in memory, channels last -> channels first."""
        value = self.node("Cast", self.input(name, kind, ["n", *size, 3]), to=TensorProto.FLOAT)
        value = self.node("Transpose", value, perm=[0, 3, 1, 2])
        self._shapes[value] = 3, size[0] if isinstance(size[0], int) else 0
        return value

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def relu(self, value: str) -> str:
        relu = self.node("Relu", value)
        self._shapes[relu] = self._shapes.get(value, (0, 0))
        return relu

    def convolution(self, value: str, layer: Convolution) -> str:
        weights = [self.constant(layer.kernel.astype(np.float32)), self.constant(layer.bias.astype(np.float32))]
        return self._windowed("Conv", value, layer.kernel.shape[0], layer, layer.kernel.shape[2:], weights)

    def whole_convolution(
        self, value: str, layer: Convolution, before: np.float32, after: np.float32, zero: str
    ) -> str:
        """In 8 bits, with values in steps of `before`, to values in steps of `after`, from `zero` on."""
        filters = len(layer.kernel)
        largest = np.abs(layer.kernel).reshape(filters, -1).max(axis=1)
        steps = np.where(largest > 0, largest / _WEIGHT_STEPS, 1).astype(np.float32)
        weights = np.rint(layer.kernel / steps[:, None, None, None]).astype(np.int8)
        bias = np.rint(np.clip(layer.bias / (steps * before), -(2**30), 2**30)).astype(np.int32)
        inputs = [self.constant(np.array(before)), zero, self.constant(weights), self.constant(steps)]
        inputs += [self.constant(np.zeros(filters, np.int8)), self.constant(np.array(after)), zero, self.constant(bias)]
        return self._windowed("QLinearConv", value, filters, layer, layer.kernel.shape[2:], inputs)

    def pool(self, value: str, layer: Pool) -> str:
        kind = "MaxPool" if layer.kind == "max" else "AveragePool"
        return self._windowed(kind, value, self._shapes[value][0], layer, layer.size, [])

    def _windowed(
        self, kind: str, value: str, channels: int, layer: Convolution | Pool, size: Sequence[int], weights: list[str]
    ) -> str:
        made = self.node(
            kind, value, *weights, kernel_shape=list(size), strides=list(layer.stride), pads=[*layer.padding] * 2
        )
        side = self._shapes.get(value, (0, 0))[1]
        self._shapes[made] = channels, (side + 2 * layer.padding[0] - size[0]) // layer.stride[0] + 1
        return made

    def sum(self, one: str, other: str) -> str:
        """dlib's add_prev: of two values, the smaller counts as zero where it is not."""
        channels, side = (max(sizes) for sizes in zip(self._shapes[one], self._shapes[other], strict=True))
        made = self.node("Add", self._padded(one, channels, side), self._padded(other, channels, side))
        self._shapes[made] = channels, side
        return made

    def _padded(self, value: str, channels: int, side: int) -> str:
        """With zeros for the channels, rows and columns that are missing.

        By convolutions that copy: unlike Pad they leave the value as convolutions want it in memory.
        """
        has, had = self._shapes[value]
        if channels > has:
            copying = np.eye(channels, has, dtype=np.float32)[:, :, None, None]
            value = self.convolution(value, Convolution(copying, np.zeros(channels, np.float32), (1, 1), (0, 0)))
        if side > had:
            each = self.constant(np.ones((channels, 1, 1, 1), np.float32))
            value = self.node("Conv", value, each, group=channels, pads=[0, 0, side - had, side - had])
        return value

    def model(self, value: str, name: str, shape: Sequence[int | str]) -> bytes:
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self._nodes, name, self._inputs, [output], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_FORMAT)
        onnx.checker.check_model(model)
        found: bytes = model.SerializeToString()
        return found
