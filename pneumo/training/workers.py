"""Workers: train one network with several processes, on one machine or many. Only this module calls TensorFlow.

`loop` trains as ever; what the workers share are the steps of an epoch, under
`tf.distribute.MultiWorkerMirroredStrategy`. Each worker draws one batch of a step and no other, gradients are summed
over all of them, and batch normalisation takes its statistics over all of them. The chief, worker 0, measures each
epoch, writes checkpoints and ships the model; the others train the epochs that it tells them to, from its weights.
"""

import functools
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from pneumo.errors import WorkerError
from pneumo.training.loop import Epoch, Measure
from pneumo.training.views import Batch

# What TensorFlow raises where another worker does not answer.
_GONE = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError)
Told = TypeVar("Told")
Trained = tuple[list[np.ndarray], dict[str, float]]
History = list[dict[str, float]]


class Team:
    """The workers that train one network together, as one of them sees it.

    It is to be made before anything else calls TensorFlow, and waits until all workers are there. Who they are, and
    which one this process is, the environment variable ``TF_CONFIG`` tells.

    Attributes:
        size: how many workers there are.
        number: of this one, from 0.

    Raises:
        WorkerError: from every method, if another worker is gone.
    """

    def __init__(self) -> None:
        cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        self.size, self.number = cluster.cluster_spec().num_tasks("worker"), int(cluster.task_id)
        # A worker is one replica, so it takes one GPU where there are some.
        if gpus := tf.config.list_physical_devices("GPU"):
            tf.config.set_visible_devices(gpus[self.number % len(gpus)], "GPU")
        with self._noticing_who_is_gone():
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster)
        self._twin: _Twin | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this worker measures epochs, and writes checkpoints and the model."""
        return self.number == 0

    def from_chief(self, make: Callable[[], Told]) -> Told:
        """Return on each worker what `make` returned on the chief; no other worker calls it."""
        told = pickle.dumps(make()) if self.is_chief else b""
        length = int(self._sum(np.array([len(told)], np.int32))[0])
        padded = np.zeros(-(-length // 4), np.int32)
        padded.view(np.uint8)[: len(told)] = np.frombuffer(told, np.uint8)
        # Who could send something else could run programs on TensorFlow's port anyway.
        return pickle.loads(self._sum(padded).tobytes()[:length])  # noqa: S301

    def run(self, lead: Callable[[Callable[[int], Trained]], History], one_epoch: Callable[[int], Trained]) -> History:
        """Train epoch by epoch, as the chief says.

        Args:
            lead: given what trains an epoch, calls it for one epoch after the other and returns the history.
            one_epoch: trains an epoch; every worker calls it.
        """
        if not self.is_chief:
            while epoch := self.from_chief(int):
                one_epoch(epoch)
            return self.from_chief(list)
        history = lead(lambda epoch: one_epoch(self.from_chief(lambda: epoch)))
        self.from_chief(int)
        return self.from_chief(lambda: history)

    def train_epoch(
        self,
        model: keras.Model,
        views: Epoch,
        measures: Mapping[str, keras.losses.Loss | Measure],
        report: Callable[[int], None],
    ) -> Trained:
        """Train a compiled model for one epoch, from the chief's weights.

        Args:
            model: on each worker it ends with the averaged weights.
            views: of the epoch.
            measures: the loss, and what else is measured, by name.
            report: called with the number of each step, from 1.

        Returns:
            The trained weights, and the mean of each measure over the epoch.
        """
        if self._twin is None or self._twin.of is not model:
            model.optimizer.build(model.trainable_variables)
            self._twin = _Twin(model, self._strategy, [*measures.values()])
        self._twin.set(self.from_chief(lambda: [value.numpy() for value in _state(model)]), self.number)
        sums = np.zeros(len(measures), np.float32)
        with ThreadPoolExecutor(1) as drawing, self._noticing_who_is_gone():
            drawn = drawing.submit(views.part, 0, self.number)
            for step in range(len(views)):
                batch = drawn.result()
                if step + 1 < len(views):
                    drawn = drawing.submit(views.part, step + 1, self.number)
                sums += self._twin.step(batch, views.count(step))
                report(step + 1)
        self._twin.copy_to_model()
        trained = model.get_weights()
        model.optimizer.finalize_variable_values(model.trainable_variables)
        count = sum(map(views.count, range(len(views))))
        return trained, {name: float(total) / count for name, total in zip(measures, self._sum(sums), strict=True)}

    def _sum(self, values: np.ndarray) -> np.ndarray:
        with self._noticing_who_is_gone():
            return np.asarray(self._summed(tf.constant(values)))

    @functools.cached_property
    def _summed(self) -> Callable[[tf.Tensor], tf.Tensor]:
        def on_replica(values: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(values))

        return tf.function(lambda values: self._strategy.run(on_replica, args=(values,)), reduce_retracing=True)

    @contextmanager
    def _noticing_who_is_gone(self) -> Iterator[None]:
        try:
            yield
        except _GONE as error:
            named = [number for number in re.findall(r"/task:(\d+)", str(error)) if int(number) != self.number]
            raise WorkerError(
                "Worker {number} is gone; start again with --resume.", number=named[0] if named else "?"
            ) from error


class _Twin:
    """A copy of a model that all workers train as one."""

    def __init__(
        self, of: keras.Model, strategy: tf.distribute.Strategy, measures: list[keras.losses.Loss | Measure]
    ) -> None:
        self.of = of
        with strategy.scope():
            model = self._model = keras.models.clone_model(of, clone_function=_synchronised)
            optimizer = model.optimizer = type(of.optimizer).from_config(of.optimizer.get_config())
            optimizer.build(model.trainable_variables)
        functions = [each.call if isinstance(each, keras.losses.Loss) else each for each in measures]

        def on_replica(pictures: tf.Tensor, truths: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                said = model(pictures, training=True)
                sums = [tf.reduce_sum(function(truths, said)) for function in functions]
                loss = sums[0] / count
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            return tf.stack(sums)

        shapes = model.inputs[0].shape, model.outputs[0].shape, ()

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes])
        def step(pictures: tf.Tensor, truths: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
            return strategy.run(on_replica, args=(pictures, truths, count))

        self._step = step

    def step(self, batch: Batch, count: int) -> np.ndarray:
        """Take a step with this worker's batch out of `count` views; return the sum of each measure over the batch."""
        pictures, truths = map(tf.constant, batch)
        return np.asarray(self._step(pictures, truths, tf.constant(count, tf.float32)))

    def set(self, state: list[np.ndarray], number: int) -> None:
        """Start from a state of the model and its optimizer, and from dropout that differs from worker to worker."""
        for variable, value in zip(_state(self._model), state, strict=True):
            variable.assign(value)
        for layer, own in zip(self.of.layers, self._model.layers, strict=True):
            if isinstance(layer, keras.layers.Dropout):
                own.seed_generator.state.assign(np.add(layer.seed_generator.state, [1_000_000 * number, 0]))

    def copy_to_model(self) -> None:
        """Give the model, and its optimizer, the state that was trained."""
        for variable, own in zip(_state(self.of), _state(self._model), strict=True):
            variable.assign(own.numpy())


def _synchronised(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Copy a layer; batch normalisation takes its statistics over all workers."""
    shared = {"synchronized": True} if isinstance(layer, keras.layers.BatchNormalization) else {}
    return layer.__class__.from_config({**layer.get_config(), **shared})


def _state(model: keras.Model) -> list[keras.Variable]:
    return [*model.weights, *model.optimizer.variables]
