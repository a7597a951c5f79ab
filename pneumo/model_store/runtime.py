"""What runs a stored network: ONNX Runtime, which is small and quick, or Keras, which also trains and explains.

``PNEUMO_RUNTIME`` chooses: ``auto`` (ONNX Runtime where it is installed and knows all layers of the network), ``onnx``
or ``keras``. Both give the same numbers; the card of each shipped model says how nearly (`ModelCard.runtime`).
"""

import importlib.util
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pneumo.errors import ModelError
from pneumo.model_store import weights

if TYPE_CHECKING:
    import keras

VARIABLE = "PNEUMO_RUNTIME"
AUTO, ONNX, KERAS = "auto", "onnx", "keras"
# More threads than this do not make one film faster.
MOST_THREADS = 4


class Outputs(NamedTuple):
    """What a network gives for some films, the films in the first axis of each.

    Attributes:
        results: the outputs of the network itself.
        layers: those of the layers that were asked for.
        embedding: what its last unit is given, if that was asked for; where that is one number, the means of the
            feature maps that it is made of.
        cam: (films, rows, columns) float32, zero or more: Grad-CAM of its logit, if that was asked for and the runtime
            draws it along with the answer.
    """

    results: tuple[np.ndarray, ...]
    layers: tuple[np.ndarray, ...] = ()
    embedding: np.ndarray | None = None
    cam: np.ndarray | None = None


class Network(ABC):
    """A network that is ready to run; one object may serve many threads.

    Attributes:
        input_shapes: (rows, columns, channels) of each of its inputs.
        layer_channels: how many feature maps each of the layers has that were asked for.
        embedding_layer: whose output `Outputs.embedding` is; Dropout, which does nothing here, is passed over.
        draws_cam: whether it gives `Outputs.cam`.
    """

    input_shapes: tuple[tuple[int, ...], ...]
    layer_channels: tuple[int, ...]
    embedding_layer: str = ""
    draws_cam: bool = False

    @abstractmethod
    def run(self, *inputs: np.ndarray) -> Outputs:
        """Run the network on (films, rows, columns, channels) float32 for each of its inputs."""

    @abstractmethod
    def member(self, name: str, cam: str) -> "Network":
        """Return one of the networks that this one joins, which gives `Outputs.cam` of a layer."""

    @abstractmethod
    def keras_model(self) -> "keras.Model":
        """Return the network for Keras; shared, so never change it.

        Raises:
            ModelError: if Keras is not installed.
        """

    @property
    def size(self) -> int:
        """Side of its first input in pixels."""
        return self.input_shapes[0][0]


def open_network(
    model: "Path | keras.Model",
    layers: Sequence[str] = (),
    *,
    embedding: bool = False,
    cam: str | None = None,
) -> Network:
    """Make a stored network ready to run, or one that Keras holds.

    Args:
        model: its ``.keras`` file; or a Keras model, which Keras runs.
        layers: whose outputs are wanted, too.
        embedding: whether `Outputs.embedding` is wanted.
        cam: the layer that `Outputs.cam` is drawn from, if that is wanted.

    Raises:
        ModelError: if the file is damaged, what runs it is not installed, or it has no such layer.
    """
    if isinstance(model, Path):
        if chosen() == ONNX:
            from pneumo.model_store.onnx_graph import TranslationError

            try:
                return _OnnxNetwork(model, layers, embedding=embedding, cam=cam)
            except TranslationError as error:
                if asked() == ONNX:
                    raise ModelError(
                        "ONNX Runtime cannot run {path}: {why} Set PNEUMO_RUNTIME to auto or keras.",
                        path=str(model),
                        why=str(error),
                    ) from error
        model = weights.load(model)
    return _KerasNetwork(model, layers, embedding)


def asked() -> str:
    """Return what ``PNEUMO_RUNTIME`` asks for.

    Raises:
        ModelError: if there is no such runtime.
    """
    value = os.environ.get(VARIABLE, "").strip().lower() or AUTO
    if value not in (AUTO, ONNX, KERAS):
        raise ModelError("PNEUMO_RUNTIME is {value}. Set it to auto, onnx or keras.", value=value)
    return value


def chosen() -> str:
    """Return what runs stored networks here, `ONNX` or `KERAS`; Keras may still run one that the other does not know.

    Raises:
        ModelError: if ``PNEUMO_RUNTIME`` asks for what is not there.
    """
    value = asked()
    installed = importlib.util.find_spec("onnxruntime") is not None
    if value == ONNX and not installed:
        raise ModelError("ONNX Runtime is not installed. Install it with `pip install onnxruntime`.")
    return ONNX if installed and value != KERAS else KERAS


class _OnnxNetwork(Network):
    """A stored network that ONNX Runtime runs."""

    def __init__(
        self,
        path: Path,
        layers: Sequence[str] = (),
        *,
        embedding: bool = False,
        cam: str | None = None,
        within: "_OnnxNetwork | None" = None,
        name: str | None = None,
    ) -> None:
        from pneumo.model_store import onnx_graph

        network = onnx_graph.translate(path, layers, within=name, embedding=embedding, cam=cam)
        self._path, self._within, self._name = path, within, name
        self._model: keras.Model | None = None
        self._lock = threading.Lock()
        self.input_shapes, self.draws_cam = network.input_shapes, network.draws_cam
        self.embedding_layer = network.embedding_layer
        self._results, self._embedding = network.outputs, embedding
        self._session = _session(network.graph)
        self._names = [each.name for each in self._session.get_inputs()]
        outputs = self._session.get_outputs()[network.outputs :]
        self.layer_channels = tuple(each.shape[-1] for each in outputs[: len(layers)])

    def run(self, *inputs: np.ndarray) -> Outputs:
        """See `Network.run`."""
        # One film at a time: on a few cores more are not faster, and the memory that they take is kept for good.
        parts = [
            self._session.run(
                None, {name: each[film : film + 1] for name, each in zip(self._names, inputs, strict=True)}
            )
            for film in range(len(inputs[0]))
        ]
        given = iter(parts[0] if len(parts) == 1 else [np.concatenate(each) for each in zip(*parts, strict=True)])
        return Outputs(
            tuple(next(given) for _ in range(self._results)),
            tuple(next(given) for _ in self.layer_channels),
            next(given) if self._embedding else None,
            next(given) if self.draws_cam else None,
        )

    def member(self, name: str, cam: str) -> Network:
        """See `Network.member`."""
        return _OnnxNetwork(self._path, cam=cam, within=self, name=name)

    def keras_model(self) -> "keras.Model":
        """See `Network.keras_model`."""
        if self._within:
            return self._within.keras_model().get_layer(self._name)
        with self._lock:
            if self._model is None:
                self._model = weights.load(self._path)
            return self._model


def _session(graph: bytes) -> Any:
    import onnxruntime

    _share_memory()
    options = onnxruntime.SessionOptions()
    # Who has a process for each processor gives each one thread, as to other libraries.
    most = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = min(MOST_THREADS, int(most) if most.isdecimal() and int(most) else processors())
    # Threads that wait busily take the processor from the next network, and from the page.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        graph,
        options,
        providers=["CPUExecutionProvider"],
        # It takes the padding ahead of a maximum for one that cannot be the maximum: wrong for ResNet50V2.
        disabled_optimizers=["Pad_Fusion"],
    )


@cache
def _share_memory() -> None:
    """Let all networks work in the same memory, which is half as much as if each had its own."""
    import onnxruntime

    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(place, None)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _KerasNetwork(Network):
    """A network that Keras runs; Grad-CAM is left to `pneumo.explanation`."""

    def __init__(self, model: "keras.Model", layers: Sequence[str], embedding: bool) -> None:
        shapes = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
        self.input_shapes = tuple(shape[1:] for shape in shapes)
        self._network = _with_outputs(model, layers, embedding) if layers or embedding else model
        self.layer_channels = tuple(_layer(model, name).output.shape[-1] for name in layers)
        self._model, self._embedding = model, embedding
        if embedding:
            self.embedding_layer = _embedding_layer(model).name
        self._lock = threading.Lock()

    def run(self, *inputs: np.ndarray) -> Outputs:
        """See `Network.run`."""
        # Keras builds the prediction function on the first call and does not guard that.
        with self._lock:
            given = self._network.predict_on_batch(list(inputs) if len(inputs) > 1 else inputs[0])
        values = [np.asarray(each) for each in (given if isinstance(given, (list, tuple)) else [given])]
        embedding = values.pop() if self._embedding else None
        results = len(values) - len(self.layer_channels)
        return Outputs(tuple(values[:results]), tuple(values[results:]), embedding)

    def member(self, name: str, cam: str) -> Network:
        """See `Network.member`."""
        return _KerasNetwork(self._model.get_layer(name), (), False)

    def keras_model(self) -> "keras.Model":
        """See `Network.keras_model`."""
        return self._model


def _with_outputs(model: "keras.Model", layers: Sequence[str], embedding: bool) -> "keras.Model":
    """Return a model that shares the layers of another, and passes a film through them once."""
    import keras

    outputs = [*model.outputs, *(_layer(model, name).output for name in layers)]
    if embedding:
        features = _embedding_layer(model).output
        outputs.append(keras.ops.mean(features, axis=(1, 2)) if len(features.shape) == 4 else features)
    return keras.Model(model.inputs, outputs)


def _embedding_layer(model: "keras.Model") -> "keras.Layer":
    """Return the layer whose output is the embedding, see `Outputs`."""
    before = [each for each in model.layers[:-1] if type(each).__name__ != "Dropout"]
    return next((each for each in reversed(before) if each.output.shape[-1] > 1), before[-1])


def _layer(model: "keras.Model", name: str) -> "keras.Layer":
    try:
        return model.get_layer(name)
    except ValueError as error:
        raise ModelError("{model} has no layer {layer}.", model=model.name, layer=name) from error
