"""A stored Keras network as an ONNX graph, translated layer by layer from its ``.keras`` file, without Keras.

The file holds how the layers are joined (``config.json``) and their weights (``model.weights.h5``), so that one file
serves both runtimes. In the graph feature maps are (films, channels, rows, columns), as ONNX has them; inputs and
outputs are those of the Keras model.
"""

import io
import json
import re
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# With it came the dilations of `AveragePool`.
OPSET, IR_VERSION = 19, 10
# What a graph here needs of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto: the package `onnx` is 30 MB.
MESSAGES = {
    "ModelProto": {1: "int64 ir_version", 7: "GraphProto graph", 8: "repeated OperatorSetIdProto opset_import"},
    "OperatorSetIdProto": {1: "string domain", 2: "int64 version"},
    "GraphProto": {
        **{1: "repeated NodeProto node", 2: "string name", 5: "repeated TensorProto initializer"},
        **{11: "repeated ValueInfoProto input", 12: "repeated ValueInfoProto output"},
    },
    "NodeProto": {
        **{1: "repeated string input", 2: "repeated string output", 3: "string name", 4: "string op_type"},
        **{5: "repeated AttributeProto attribute"},
    },
    "AttributeProto": {
        **{1: "string name", 2: "float f", 3: "int64 i", 4: "bytes s", 8: "repeated int64 ints", 20: "int32 type"},
    },
    "TensorProto": {1: "repeated int64 dims", 2: "int32 data_type", 8: "string name", 9: "bytes raw_data"},
    "ValueInfoProto": {1: "string name", 2: "TypeProto type"},
    "TypeProto": {1: "TensorTypeProto tensor_type"},
    "TensorTypeProto": {1: "int32 elem_type", 2: "TensorShapeProto shape"},
    "TensorShapeProto": {1: "repeated DimensionProto dim"},
    "DimensionProto": {1: "int64 dim_value", 2: "string dim_param"},
}
# The numbers that `TensorProto` has for types.
_TENSOR_TYPES = {np.float32: 1, np.int64: 7}
_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)
# What a layer gives: its name, the number of the call, and which of its outputs.
_History = tuple[str, int, int]


class TranslationError(ValueError):
    """A network cannot be translated."""


class Translated(NamedTuple):
    """A translated network.

    Attributes:
        graph: an ONNX model, serialised.
        input_shapes: of the Keras model, without the number of films.
        outputs: how many the Keras model has. Those of other layers, the embedding and the heat map follow them.
        embedding_layer: whose output the embedding is. Dropout, which does nothing here, is passed over.
        draws_cam: whether the heat map that was asked for is given.
    """

    graph: bytes
    input_shapes: tuple[tuple[int, ...], ...]
    outputs: int
    embedding_layer: str
    draws_cam: bool


def translate(
    path: Path,
    layers: Sequence[str] = (),
    *,
    within: str | None = None,
    embedding: bool = False,
    cam: str | None = None,
) -> Translated:
    """Translate a ``.keras`` file of a functional model in float32.

    Args:
        path: of the file.
        layers: whose outputs are to be given after those of the network.
        within: the network that is one layer of the file's, to be translated in its place.
        embedding: whether what the last unit is given is to be given after them; where that is one number, the means
            of the feature maps that it is made of.
        cam: the layer that Grad-CAM is to be drawn from (Selvaraju et al. 2017). It is given last, (films, rows,
            columns), where only pooling and dense layers follow that layer: the gradient is a product of kernels there.

    Raises:
        TranslationError: if the file is damaged, the network has a layer that is not translated, or lacks one of
            `layers`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            weights = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(weights) as stored:
            group: Any = stored
            if within:
                outer = _Joined(config)
                config, group = outer.layers[within], group[outer.places[within]]
            return _translated(_Joined(config), group, layers, embedding, cam)
    except TranslationError:
        raise
    except (OSError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise TranslationError(f"The file is damaged ({type(error).__name__}: {error}).") from error


def _translated(joined: "_Joined", stored: Any, layers: Sequence[str], embedding: bool, cam: str | None) -> Translated:
    graph = _Graph()
    shapes = [joined.layers[name]["config"]["batch_shape"] for name, _, _ in joined.inputs]
    inputs = [graph.declared_input(f"input_{number}", shape) for number, shape in enumerate(shapes)]
    values = _joined_values(graph, joined, stored, inputs)
    given = [values[history] for history in joined.outputs]
    for layer in layers:
        if (layer, 0, 0) not in values:
            raise TranslationError(f"The network has no layer {layer}.")
        given.append(values[layer, 0, 0])
    last = joined.embedding()
    if embedding:
        vector = values[last]
        if vector.is_map:
            pooled = graph.add("GlobalAveragePool", [vector.name])
            vector = graph.add("Flatten", [pooled.name], is_map=False)
        given.append(vector)
    heat = _grad_cam(graph, joined, stored, values, (cam, 0, 0)) if cam else None
    if heat:
        given.append(heat)
    while joined.layers[last[0]]["class_name"] == "Dropout":
        last = joined.before(last)[0]
    input_shapes = tuple(tuple(shape[1:]) for shape in shapes)
    return Translated(graph.serialised(given), input_shapes, len(joined.outputs), last[0], heat is not None)


class Tensor(NamedTuple):
    """A value in the graph: its name, and whether it is a feature map, with channels ahead of rows and columns."""

    name: str
    is_map: bool


class _Graph:
    """An ONNX graph that is being built."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []
        self.constants: dict[str, dict[str, Any]] = {}

    def declared_input(self, name: str, shape: Sequence[int | None]) -> Tensor:
        """Declare an input of the network, whose channels are last, and return it with the channels first."""
        sides = [{"dim_param": "films"}, *({"dim_value": side} for side in shape[1:])]
        self.inputs.append(_float_tensor(name, shape={"dim": sides}))
        return self.add("Transpose", [name], perm=_TO_CHANNELS_FIRST)

    def add(self, kind: str, inputs: Sequence[str], *, is_map: bool = True, **attributes: Any) -> Tensor:
        """Add a node, and return its output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(
            {
                **{"op_type": kind, "input": inputs, "output": [name], "name": name},
                "attribute": [_attribute(*each) for each in attributes.items()],
            }
        )
        return Tensor(name, is_map)

    def constant(self, values: Any, name: str = "", dtype: Any = np.float32) -> str:
        """Keep numbers, those of a name once, and return what they are called."""
        name = name or f"constant_{len(self.constants)}"
        if name not in self.constants:
            array = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
            self.constants[name] = {
                **{"name": name, "dims": array.shape},
                **{"data_type": _TENSOR_TYPES[dtype], "raw_data": array.tobytes()},
            }
        return name

    def channels_last(self, value: Tensor) -> Tensor:
        """Return a value as Keras has it."""
        return self.add("Transpose", [value.name], is_map=False, perm=_TO_CHANNELS_LAST) if value.is_map else value

    def serialised(self, outputs: Sequence[Tensor]) -> bytes:
        """Return the model with some outputs, in their order."""
        named = []
        for number, output in enumerate(outputs):
            name = f"output_{number}"
            self.nodes.append({"op_type": "Identity", "input": [self.channels_last(output).name], "output": [name]})
            named.append(_float_tensor(name))
        graph = {"name": "network", "node": self.nodes, "initializer": list(self.constants.values())}
        model = _model_message()(
            ir_version=IR_VERSION,
            opset_import=[{"domain": "", "version": OPSET}],
            graph=graph | {"input": self.inputs, "output": named},
        )
        return model.SerializeToString()


def _float_tensor(name: str, **shape: Any) -> dict[str, Any]:
    return {"name": name, "type": {"tensor_type": {"elem_type": _TENSOR_TYPES[np.float32], **shape}}}


def _attribute(name: str, value: float | str | Sequence[int]) -> dict[str, Any]:
    """Return an attribute of a node, with the number that `AttributeProto` has for its type."""
    if isinstance(value, float):
        return {"name": name, "type": 1, "f": value}
    if isinstance(value, int):
        return {"name": name, "type": 2, "i": value}
    if isinstance(value, str):
        return {"name": name, "type": 3, "s": value.encode()}
    return {"name": name, "type": 7, "ints": value}


@cache
def _model_message() -> type[Any]:
    """Return the class of ONNX models, as `MESSAGES` has them."""
    file = descriptor_pb2.FileDescriptorProto(name="onnx.proto", package="onnx", syntax="proto2")
    for message, fields in MESSAGES.items():
        declared = file.message_type.add(name=message)
        for number, words in fields.items():
            *repeated, kind, name = words.split()
            field = declared.field.add(name=name, number=number)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind in MESSAGES:
                field.type, field.type_name = field.TYPE_MESSAGE, f".onnx.{kind}"
            else:
                field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx.ModelProto"))


class _Joined:
    """How the layers of a network are joined, as ``config.json`` says.

    Attributes:
        layers: by name.
        places: by name, where the weights file holds each layer.
        inputs: of the network.
        outputs: of the network.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        if config["class_name"] != "Functional":
            raise TranslationError(f"A model of the kind {config['class_name']} is not translated.")
        self.layers: dict[str, dict[str, Any]] = {layer["name"]: layer for layer in config["config"]["layers"]}
        counts: Counter[str] = Counter()
        self.places = {name: _place(layer["class_name"], counts) for name, layer in self.layers.items()}
        self.inputs, self.outputs = (_histories(config["config"][key]) for key in ("input_layers", "output_layers"))

    def calls(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each layer, and the number of each time that it is called."""
        for name, layer in self.layers.items():
            for number in range(len(layer["inbound_nodes"])):
                yield name, number

    def before(self, history: Sequence[Any]) -> list[_History]:
        """Return what a layer was called with, in order."""
        return [tuple(each["keras_history"]) for each in self._given(history)]

    def map_before(self, history: Sequence[Any]) -> tuple[int, int]:
        """Return the numbers of places and of channels of the feature maps that a layer was called with."""
        _, rows, columns, channels = next(self._given(history))["shape"]
        return rows * columns, channels

    def embedding(self) -> _History:
        """Return what the last unit is given; where that is one number, what that was made of."""
        first = next(self._given(self.outputs[0]))
        given = first
        while given["shape"][-1] == 1 and tuple(given["keras_history"]) not in self.inputs:
            given = next(self._given(given["keras_history"]))
        name, number, output = (given if given["shape"][-1] > 1 else first)["keras_history"]
        return name, number, output

    def after(self, history: _History) -> list[_History]:
        """Return what is made of what a layer gives."""
        return [(name, number, 0) for name, number in self.calls() if history in self.before((name, number))]

    def _given(self, history: Sequence[Any]) -> Iterator[dict[str, Any]]:
        name, number = history[:2]
        return _tensors(self.layers[name]["inbound_nodes"][number]["args"])


def _histories(layers: Any) -> list[_History]:
    """Return the inputs or outputs of a network, of which the file holds one as it is and several in a list."""
    return [tuple(each) for each in ([layers] if isinstance(layers[0], str) else layers)]


def _tensors(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all tensors in what a layer is called with, in order."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield value["config"]
    elif isinstance(value, list):
        for each in value:
            yield from _tensors(each)


def _place(kind: str, counts: Counter[str]) -> str:
    """Return where Keras stores the next layer of a kind: by its class, as in ``layers/conv2d_3`` of the fourth."""
    words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", kind)
    name = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    number, counts[name] = counts[name], counts[name] + 1
    return f"layers/{name}_{number}" if number else f"layers/{name}"


def _joined_values(graph: _Graph, joined: _Joined, stored: Any, inputs: Sequence[Tensor]) -> dict[_History, Tensor]:
    """Translate the layers of a network, and return what each gives."""
    values = dict(zip(joined.inputs, inputs, strict=True))
    waiting = deque(joined.calls())
    put_back = 0
    while waiting:
        name, number = waiting.popleft()
        needed = joined.before((name, number))
        if not all(history in values for history in needed):
            waiting.append((name, number))
            put_back += 1
            if put_back > len(waiting):
                raise TranslationError("The layers of the network are joined in a circle.")
            continue
        put_back = 0
        layer = joined.layers[name]
        given = [values[history] for history in needed]
        if layer["class_name"] == "Functional":
            inside = _Joined(layer)
            within = _joined_values(graph, inside, stored[joined.places[name]], given)
            outputs = [within[history] for history in inside.outputs]
        else:
            outputs = [_layer_output(_layer_at(graph, joined, stored, (name, number)), given)]
        values |= {(name, number, place): output for place, output in enumerate(outputs)}
    return values


class _Layer(NamedTuple):
    """A layer at one place of a network.

    Attributes:
        graph: that it is translated into.
        kind: the name of its class.
        config: of it.
        arguments: that it is called with, as the file has them.
        name: by which its weights are known in the graph.
        weights: in the order in which Keras stores them.
    """

    graph: _Graph
    kind: str
    config: dict[str, Any]
    arguments: list[Any]
    name: str
    weights: list[np.ndarray]

    def add(self, kind: str, inputs: Sequence[str], *, is_map: bool = True, **attributes: Any) -> Tensor:
        """Add a node, and return its output."""
        return self.graph.add(kind, inputs, is_map=is_map, **attributes)

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Keep numbers, and return what they are called."""
        return self.graph.constant(values, dtype=dtype)

    def weight(self, values: np.ndarray, name: str) -> str:
        """Keep weights, which all places of the layer share, and return what they are called."""
        return self.graph.constant(values, f"{self.name}/{name}")

    def refused(self, what: str) -> TranslationError:
        """Return the error that says what of the layer is not translated."""
        return TranslationError(f"{what} of the layer {self.config['name']} ({self.kind}) is not translated.")


def _layer_at(graph: _Graph, joined: _Joined, stored: Any, history: Sequence[Any]) -> _Layer:
    name, number = history[:2]
    layer, weights = joined.layers[name], []
    if layer["class_name"] in _WITH_WEIGHTS:
        variables = stored[joined.places[name]]["vars"]
        weights = [variables[str(number)][()] for number in range(len(variables))]
    arguments = layer["inbound_nodes"][number]["args"]
    return _Layer(graph, layer["class_name"], layer["config"], arguments, f"{stored.name}/{name}", weights)


def _layer_output(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    policy = layer.config.get("dtype", "float32")
    if layer.kind not in _LAYERS:
        raise layer.refused("The kind")
    if (policy if isinstance(policy, str) else policy["config"]["name"]) != "float32":
        raise layer.refused("The precision")
    if layer.config.get("data_format") == "channels_first":
        raise layer.refused("The order of the axes")
    return _activated(layer, _LAYERS[layer.kind](layer, inputs), layer.config.get("activation"))


_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "exponential": "Exp"}


def _activated(layer: _Layer, value: Tensor, activation: Any) -> Tensor:
    if activation in (None, "linear"):
        return value
    if activation == "softmax" and not value.is_map:
        return layer.add("Softmax", [value.name], is_map=False, axis=-1)
    if activation not in _ACTIVATIONS:
        raise layer.refused("The activation")
    return layer.add(_ACTIVATIONS[activation], [value.name], is_map=value.is_map)


def _same(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    return inputs[0]


def _relu(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    if layer.config["negative_slope"] or layer.config["threshold"]:
        raise layer.refused("The slope or threshold")
    [value] = inputs
    if layer.config["max_value"] is None:
        return layer.add("Relu", [value.name], is_map=value.is_map)
    limits = [layer.constant(limit) for limit in (0.0, layer.config["max_value"])]
    return layer.add("Clip", [value.name, *limits], is_map=value.is_map)


def _windows(layer: _Layer, size: Sequence[int]) -> dict[str, Any]:
    """Return how windows of a size move over a feature map."""
    strides, dilations = layer.config["strides"], layer.config.get("dilation_rate", [1, 1])
    pads = [0, 0, 0, 0]
    if layer.config["padding"] == "same":
        _, *lengths, _ = next(_tensors(layer.arguments))["shape"]
        for axis, (length, side, stride, dilation) in enumerate(zip(lengths, size, strides, dilations, strict=True)):
            missing = max((-(-length // stride) - 1) * stride + (side - 1) * dilation + 1 - length, 0)
            pads[axis], pads[axis + 2] = missing // 2, missing - missing // 2
    return {"kernel_shape": size, "strides": strides, "pads": pads, "dilations": dilations}


def _bias(layer: _Layer) -> list[str]:
    return [layer.weight(layer.weights[-1], "bias")] if layer.config["use_bias"] else []


def _convolution(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    kernel = layer.weight(layer.weights[0].transpose(3, 2, 0, 1), "kernel")
    windows = _windows(layer, layer.config["kernel_size"])
    return layer.add("Conv", [inputs[0].name, kernel, *_bias(layer)], **windows, group=layer.config["groups"])


def _depthwise(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    return _each_channel(layer, inputs[0], _bias(layer))


def _each_channel(layer: _Layer, value: Tensor, bias: Sequence[str] = ()) -> Tensor:
    """Convolve each channel by itself, with the first of the layer's weights."""
    rows, columns, channels, multiplier = layer.weights[0].shape
    kernel = layer.weights[0].transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, rows, columns)
    windows = _windows(layer, layer.config["kernel_size"])
    return layer.add("Conv", [value.name, layer.weight(kernel, "kernel"), *bias], **windows, group=channels)


def _separable(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    mixed = layer.weight(layer.weights[1].transpose(3, 2, 0, 1), "pointwise_kernel")
    return layer.add("Conv", [_each_channel(layer, inputs[0]).name, mixed, *_bias(layer)])


def _dense(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    [value] = inputs
    if value.is_map:
        kernel = layer.weight(layer.weights[0].T[..., np.newaxis, np.newaxis], "kernel")
        return layer.add("Conv", [value.name, kernel, *_bias(layer)])
    return layer.add("Gemm", [value.name, layer.weight(layer.weights[0], "kernel"), *_bias(layer)], is_map=False)


def _normalisation(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    stored = iter(layer.weights)
    count = len(layer.weights[-1])
    scale = next(stored) if layer.config["scale"] else np.ones(count)
    offset = next(stored) if layer.config["center"] else np.zeros(count)
    parts = {"scale": scale, "offset": offset, "mean": next(stored), "variance": next(stored)}
    constants = [layer.weight(values, name) for name, values in parts.items()]
    return layer.add(
        "BatchNormalization", [inputs[0].name, *constants], is_map=inputs[0].is_map, epsilon=layer.config["epsilon"]
    )


def _layer_normalisation(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    if layer.weights or list(layer.config["axis"]) != [1, 2, 3]:
        raise layer.refused("The axis or scale")
    axes = layer.constant((1, 2, 3), dtype=np.int64)
    mean = layer.add("ReduceMean", [inputs[0].name, axes])
    centred = layer.add("Sub", [inputs[0].name, mean.name])
    squared = layer.add("Mul", [centred.name, centred.name])
    variance = layer.add("ReduceMean", [squared.name, axes])
    deviation = layer.add("Sqrt", [layer.add("Add", [variance.name, layer.constant(layer.config["epsilon"])]).name])
    return layer.add("Div", [centred.name, deviation.name])


def _rescaling(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    scale, offset = (layer.constant(np.reshape(layer.config[key], (-1, 1, 1))) for key in ("scale", "offset"))
    return layer.add("Add", [layer.add("Mul", [inputs[0].name, scale]).name, offset])


def _pooled(kind: str) -> Callable[[_Layer, list[Tensor]], Tensor]:
    return lambda layer, inputs: layer.add(kind, [inputs[0].name], **_windows(layer, layer.config["pool_size"]))


def _mean_over_places(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    mean = layer.add("GlobalAveragePool", [inputs[0].name])
    return mean if layer.config["keepdims"] else layer.add("Flatten", [mean.name], is_map=False)


def _flat(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    return layer.add("Flatten", [layer.graph.channels_last(inputs[0]).name], is_map=False)


def _padded(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    (top, bottom), (left, right) = layer.config["padding"]
    widths = layer.constant((0, 0, top, left, 0, 0, bottom, right), dtype=np.int64)
    return layer.add("Pad", [inputs[0].name, widths])


def _cropped(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    (top, bottom), (left, right) = layer.config["cropping"]
    last = np.iinfo(np.int64).max
    return _sliced(layer, inputs[0], (top, left), (-bottom or last, -right or last), (2, 3))


def _sliced(
    layer: _Layer, value: Tensor, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], step: int = 1
) -> Tensor:
    given = (starts, ends, axes, [step] * len(axes))
    return layer.add("Slice", [value.name, *(layer.constant(each, dtype=np.int64) for each in given)])


def _flipped(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    axis = {1: 2, 2: 3}[layer.config["axis"]]
    return _sliced(layer, inputs[0], (-1,), (np.iinfo(np.int64).min,), (axis,), -1)


def _channels(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    """Some channels of a feature map, as ``film[..., first:last]``."""
    _, places = layer.arguments
    if not inputs[0].is_map or [each["class_name"] for each in places] != ["__ellipsis__", "__slice__"]:
        raise layer.refused("The slice")
    wanted = places[1]["config"]
    if wanted["step"] is not None or wanted["stop"] is None:
        raise layer.refused("The slice")
    return _sliced(layer, inputs[0], (wanted["start"] or 0,), (wanted["stop"],), (1,))


def _together(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    if layer.config["axis"] not in (-1, 3):
        raise layer.refused("The axis")
    is_map = inputs[0].is_map
    return layer.add("Concat", [each.name for each in inputs], is_map=is_map, axis=1)


def _elementwise(kind: str) -> Callable[[_Layer, list[Tensor]], Tensor]:
    return lambda layer, inputs: layer.add(kind, [each.name for each in inputs], is_map=inputs[0].is_map)


def _dot(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    if layer.config["axes"] != 1 or layer.config["normalize"] or inputs[0].is_map:
        raise layer.refused("The axis")
    product = layer.add("Mul", [each.name for each in inputs], is_map=False)
    return layer.add("ReduceSum", [product.name, layer.constant((1,), dtype=np.int64)], is_map=False)


def _least(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    if layer.config["axis"] != 1 or inputs[0].is_map:
        raise layer.refused("The axis")
    keep = int(layer.config["keepdims"])
    return layer.add("ReduceMin", [inputs[0].name, layer.constant((1,), dtype=np.int64)], is_map=False, keepdims=keep)


def _enlarged(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    if layer.config["interpolation"] != "bilinear":
        raise layer.refused("The interpolation")
    scales = layer.constant((1, 1, *layer.config["size"]))
    return layer.add("Resize", [inputs[0].name, "", scales], mode="linear")


def _resized(layer: _Layer, inputs: list[Tensor]) -> Tensor:
    """Resizing, as the product with one matrix for the rows and one for the columns: ONNX antialiases otherwise."""
    config = layer.config
    if config["interpolation"] != "bilinear" or config["crop_to_aspect_ratio"] or config["pad_to_aspect_ratio"]:
        raise layer.refused("The interpolation")
    _, height, width, _ = next(_tensors(layer.arguments))["shape"]
    rows = layer.constant(_interpolation(height, config["height"], config["antialias"]))
    columns = layer.constant(_interpolation(width, config["width"], config["antialias"]).T)
    return layer.add("MatMul", [layer.add("MatMul", [rows, inputs[0].name]).name, columns])


def _interpolation(length: int, resized: int, antialias: bool) -> np.ndarray:
    """Return the share that each place has in each resized one, (resized, length), by the triangle kernel."""
    scale = length / resized
    centres, places = (np.arange(resized) + 0.5) * scale, np.arange(length) + 0.5
    away = np.abs(places - centres[:, np.newaxis]) / (max(scale, 1.0) if antialias else 1.0)
    shares = np.maximum(1 - away, 0)
    return shares / shares.sum(axis=1, keepdims=True)


_WITH_WEIGHTS = ["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "BatchNormalization", "LayerNormalization"]
_LAYERS: dict[str, Callable[[_Layer, list[Tensor]], Tensor]] = {
    "Activation": _same,
    "Dropout": _same,
    "SpatialDropout2D": _same,
    "ReLU": _relu,
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Dense": _dense,
    "BatchNormalization": _normalisation,
    "LayerNormalization": _layer_normalisation,
    "Rescaling": _rescaling,
    "MaxPooling2D": _pooled("MaxPool"),
    "AveragePooling2D": _pooled("AveragePool"),
    "GlobalAveragePooling2D": _mean_over_places,
    "Flatten": _flat,
    "ZeroPadding2D": _padded,
    "Cropping2D": _cropped,
    "Flip": _flipped,
    "GetItem": _channels,
    "Concatenate": _together,
    "Add": _elementwise("Sum"),
    "Average": _elementwise("Mean"),
    "Subtract": _elementwise("Sub"),
    "Multiply": _elementwise("Mul"),
    "Min": _least,
    "Sqrt": _elementwise("Sqrt"),
    "Log": _elementwise("Log"),
    "Dot": _dot,
    "UpSampling2D": _enlarged,
    "Resizing": _resized,
}


# What may stand between feature maps and the unit without changing which share of the gradient each map gets in all.
_KEEP_GRADIENT = ("Dropout", "SpatialDropout2D", "MaxPooling2D")
_FLATTEN = ("GlobalAveragePooling2D", "Flatten")
# The unit is given the log-mean-exp of one value a place. Like the mean, it shares its gradient out over the places.
_LOG_MEAN_EXP = ["Conv2D", "Activation", "GlobalAveragePooling2D", "Log", "Dense"]


def _grad_cam(
    graph: _Graph, joined: _Joined, stored: Any, values: Mapping[_History, Tensor], maps: _History
) -> Tensor | None:
    """Draw Grad-CAM of the logit of the network's one unit; None where other layers follow the feature maps.

    Pooling hands each gradient on to one place, or shares it out, so that the sum over the places of a map, which
    weighs it, stays the same.
    """
    way: list[_History] = []
    while (way or [maps])[-1] != joined.outputs[0]:
        following = joined.after((way or [maps])[-1])
        if len(following) != 1:
            return None
        way += following
    gradient = _gradient(graph, joined, stored, values, way)
    if gradient is None:
        return None
    places, channels = joined.map_before(way[0])
    shape = graph.constant((-1, channels, 1, 1), dtype=np.int64)
    weighed = graph.add("Mul", [values[maps].name, graph.add("Reshape", [gradient.name, shape]).name])
    heat = graph.add("ReduceSum", [weighed.name, graph.constant((1,), dtype=np.int64)], keepdims=0)
    scaled = graph.add("Div", [heat.name, graph.constant(places)])
    return graph.add("Relu", [scaled.name], is_map=False)


def _gradient(
    graph: _Graph, joined: _Joined, stored: Any, values: Mapping[_History, Tensor], way: Sequence[_History]
) -> Tensor | None:
    """Return how much the logit grows with all places of each feature map, (films or 1, channels); None if unknown.

    Args:
        graph: that is being built.
        joined: the network.
        stored: its weights.
        values: what each layer gives.
        way: the layers from the feature maps to the unit.
    """
    kinds = [joined.layers[name]["class_name"] for name, _, _ in way]
    if kinds == _LOG_MEAN_EXP:
        place, exponential, unit = (_layer_at(graph, joined, stored, way[number]) for number in (0, 1, -1))
        if place.weights[0].shape[:2] != (1, 1) or exponential.config["activation"] != "exponential":
            return None
        return Tensor(place.constant(place.weights[0][0, 0].T * unit.weights[0]), False)
    flattened = next((place for place, kind in enumerate(kinds) if kind not in _KEEP_GRADIENT), len(kinds))
    after = kinds[flattened + 1 :]
    if flattened == len(kinds) or kinds[flattened] not in _FLATTEN or set(after) - {"Dense", "Dropout"}:
        return None
    dense = [
        (history, _layer_at(graph, joined, stored, history))
        for history, kind in zip(way[flattened + 1 :], after, strict=True)
        if kind == "Dense"
    ]
    *hidden, (_, unit) = dense
    if unit.config["units"] != 1 or any(layer.config["activation"] != "relu" for _, layer in hidden):
        return None

    gradient = Tensor(unit.constant(unit.weights[0].T), False)
    for history, layer in reversed(hidden):
        passes = layer.add("Sign", [values[history].name], is_map=False)
        passed = layer.add("Mul", [gradient.name, passes.name], is_map=False)
        gradient = layer.add("MatMul", [passed.name, layer.constant(layer.weights[0].T)], is_map=False)
    if kinds[flattened] == "Flatten":
        shape = graph.constant((-1, *joined.map_before(way[flattened])), dtype=np.int64)
        cells = graph.add("Reshape", [gradient.name, shape])
        gradient = graph.add("ReduceSum", [cells.name, graph.constant((1,), dtype=np.int64)], keepdims=0)
    return gradient
