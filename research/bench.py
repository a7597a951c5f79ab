"""How long does each step take, beside other ways to do it, and beside what this machine could do at best?

``make bench`` prints one table from one run: medians, their spread (10th to 90th percentile), and for each row the time
that its arithmetic would take at the measured rate of a matrix product, or its bytes at the measured rate of a copy.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import cv2
import numpy as np
import typer

from pneumo import radiograph
from pneumo.cli.output import load_keras, reports_errors
from pneumo.datasets import kaggle, samples
from pneumo.explanation import explain
from pneumo.explanation.explainer import DEFAULT_METHOD, OPACITY
from pneumo.inference import Models, open_models, read_film
from pneumo.model_store import runtime, store, weights
from pneumo.preprocessing import network_input, outlines
from pneumo.reports import record

if TYPE_CHECKING:
    import keras

RUNS, WARM_UP = 20, 3
# A film of two megapixels, as the data set's are on average.
HEIGHT, WIDTH = 1250, 1600
SCREEN = (500, 640)
MATRIX, COPIED = 512, 2**27
COUNTS = (1, 10, 100)
TRAINED, TRAIN_SIZE = "cnn_deep", 128

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Rates(NamedTuple):
    """What this machine does at best.

    Attributes:
        multiplications: floating point operations a second of a product of two matrices.
        copies: bytes a second that are read and written by a copy.
    """

    multiplications: float
    copies: float


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        what: was measured.
        milliseconds: of each run.
        operations: floating point operations that it takes; 0 where its bytes are what limits it.
        bytes: that it reads and writes.
    """

    what: str
    milliseconds: list[float]
    operations: float = 0.0
    bytes: float = 0.0

    def limit(self, rates: Rates) -> float:
        """Return the milliseconds that the machine needs at best; 0 where no limit is known."""
        return 1000 * max(self.operations / rates.multiplications, self.bytes / rates.copies)


def line(row: Row, rates: Rates) -> str:
    """Return a row as text: median, 10th and 90th percentile, the limit and how many times as long it takes."""
    low, median, high = np.percentile(row.milliseconds, [10, 50, 90])
    limit = row.limit(rates)
    beside = f"{limit:>9.2f}{median / limit:>8.1f}  {_limited_by(row, rates)}" if limit else ""
    return f"{row.what:<44}{median:>9.2f}{low:>9.2f}{high:>9.2f}{len(row.milliseconds):>6}{beside}"


def _limited_by(row: Row, rates: Rates) -> str:
    arithmetic = row.operations / rates.multiplications >= row.bytes / rates.copies
    return f"{row.operations / 1e6:,.0f} MFLOP" if arithmetic else f"{row.bytes / 1e6:,.1f} MB"


def timed(run: Callable[[], Any], runs: int = RUNS) -> list[float]:
    """Return how many milliseconds something takes, the first times left out."""
    found = []
    for number in range(WARM_UP + runs):
        start = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - start))
        if number < WARM_UP:
            found.clear()
    return found


def rates() -> Rates:
    """Measure the machine: the best of several products of matrices and copies."""
    rng = np.random.default_rng(0)
    first, second = rng.random((2, MATRIX, MATRIX), np.float32)
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    product, copy = min(timed(lambda: first @ second, 10 * RUNS)), min(timed(lambda: np.copyto(target, source)))
    return Rates(2 * MATRIX**3 / product * 1000, 2 * COPIED / copy * 1000)


def operations(model: "keras.Model") -> float:
    """Count the floating point operations of the convolutions and dense layers of a network, for one film."""
    counted = 0.0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            counted += operations(layer) * len(layer._inbound_nodes)
            continue
        kernels = [each for each in layer.weights if each.name.endswith("kernel") and len(each.shape) >= 2]
        for kernel in kernels:
            places = int(np.prod(layer.output.shape[1:-1])) if len(kernel.shape) == 4 else 1
            counted += 2.0 * places * int(np.prod(kernel.shape))
    return counted


def of_runtimes() -> Iterator[Row]:
    """Yield one film through the default model by each way to run it, on the same weights."""
    import keras
    import tensorflow as tf

    name = store.default_name()
    card, path = store.find(name)
    model = weights.load(path)
    flops = operations(model)
    network = runtime.open_network(path, embedding=True, cam=card.cam_layer)
    picture = np.random.default_rng(0).random((1, *network.input_shapes[0]), np.float32)
    yield Row("ours: answer, embedding and Grad-CAM", timed(lambda: network.run(picture)), flops)
    given = tf.TensorSpec(picture.shape, tf.float32)
    compiled = tf.function(lambda film: model(film, training=False), input_signature=[given])
    yield Row("tf.function, answer alone", timed(lambda: compiled(picture).numpy()), flops)
    yield Row("model.predict", timed(lambda: model.predict(picture, verbose=0)), flops)
    yield Row("model.predict_on_batch", timed(lambda: model.predict_on_batch(picture)), flops)
    yield Row("model(x)", timed(lambda: keras.ops.convert_to_numpy(model(picture, training=False))), flops)
    yield from _of_litert(compiled, picture, flops)
    yield from _of_openvino(path, picture, flops)


def _of_litert(compiled: Any, picture: np.ndarray, flops: float) -> Iterator[Row]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(compiled.get_concrete_function())
    content = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    interpreter = Interpreter(model_content=content, num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    place, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run() -> np.ndarray:
        interpreter.set_tensor(place, picture)
        interpreter.invoke()
        return interpreter.get_tensor(out)

    yield Row("LiteRT, answer alone", timed(run), flops)


def _of_openvino(path: Path, picture: np.ndarray, flops: float) -> Iterator[Row]:
    try:
        import openvino
    except ImportError:
        return
    from pneumo.model_store import onnx_graph

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(onnx_graph.translate(path).graph), "CPU")
    yield Row("OpenVINO, answer alone", timed(lambda: compiled(picture)), flops)


def of_stages(models: Models) -> Iterator[Row]:
    """Yield each stage of a film of two megapixels, and all of them."""
    sample = samples.load_samples()[0].path
    small = np.rint(radiograph.read(sample).pixels * 255).astype(np.uint8)
    pixels = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    jpeg, png = (cv2.imencode(ending, pixels)[1].tobytes() for ending in (".jpg", ".png"))
    dicom = next(samples.FOLDER.glob("*.dcm")).read_bytes()
    film = radiograph.read(jpeg, "film.jpg")
    held = film.pixels.nbytes
    for what, data in (("JPEG, 2 MP", jpeg), ("PNG, 2 MP", png), ("DICOM", dicom)):
        size = radiograph.read(data, "film").pixels.nbytes
        yield Row(f"read: {what}", timed(partial(radiograph.read, data, "film")), bytes=len(data) + 2 * size)
    square = network_input.film_square(film.pixels)
    yield Row("square of the film", timed(lambda: network_input.film_square(film.pixels)), bytes=held)
    assert models.gate is not None
    gate, limits = models.gate, models.gate.limits
    yield Row("gate: border", timed(lambda: outlines.uniform_border(film.pixels, *limits.border)), bytes=held)
    yield Row("gate: outlines", timed(lambda: outlines.layout(square)))
    flops = {name: operations(store.load(name)[1]) for name in ("lungs", "gate", "opacity")}
    lungs = gate.segmenter.segment(square)
    yield Row("lungs, both ways", timed(lambda: gate.segmenter.segment(square)), 2 * flops["lungs"])
    yield Row("gate: network", timed(lambda: gate.reader.read(square, lungs)), flops["gate"])
    yield Row("gate, with border, lungs and network", timed(lambda: gate.check(film, square)))
    of_model = operations(models.classifier.model)
    yield Row("model", timed(lambda: models.classifier.assess(film, lungs, square)), of_model)
    if models.opacity:
        opacity = models.opacity
        yield Row("opacity, both ways", timed(lambda: opacity.find(square, lungs)), 2 * flops["opacity"])
    reading = read_film(jpeg, "film.jpg", models)
    on_screen = 4 * SCREEN[0] * SCREEN[1]
    for method in (DEFAULT_METHOD, OPACITY) if models.opacity else (DEFAULT_METHOD,):
        drawn = timed(partial(explain, reading, method, SCREEN))
        yield Row(f"heat map for a screen: {method}", drawn, bytes=2 * on_screen)
    yield Row("record of the answer", timed(lambda: record(reading)))
    yield Row("whole film, JPEG to answer", timed(lambda: read_film(jpeg, "film.jpg", models)))


def of_counts(models: Models, counts: tuple[int, ...]) -> Iterator[Row]:
    """Yield the time a film takes where several are read one after the other."""
    data = samples.load_samples()[0].path.read_bytes()
    for count in counts:
        start = time.perf_counter()
        for _ in range(count):
            read_film(data, "film.png", models)
        yield Row(f"{count:,} films, a film", [1000 * (time.perf_counter() - start) / count])


# Run by a process of its own; prints megabytes after the models are loaded and after films.
_MEMORY = """
from pathlib import Path
from pneumo.datasets import samples
from pneumo.inference import open_models, read_film
models = open_models()
data = samples.load_samples()[0].path.read_bytes()
for _ in range(30):
    read_film(data, "film.png", models)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def memory(which: str) -> float:
    """Return the most megabytes that a process takes which reads thirty films with a runtime; on Linux alone."""
    environment = {**os.environ, runtime.VARIABLE: which}
    command = [sys.executable, "-c", _MEMORY]
    # Of this file alone.
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)  # noqa: S603
    return int(run.stdout) / 1024


def of_training(data: Path, steps: int = 20) -> Iterator[Row]:
    """Yield the time that an image takes to train on, by our views and by the usual pipeline of tutorials."""
    import keras
    import tensorflow as tf

    from pneumo.networks import classifiers
    from pneumo.training import films, loop
    from pneumo.training.recipes import RECIPES

    recipe = RECIPES[TRAINED]
    assert isinstance(recipe, loop.Recipe)
    root = kaggle.find_root(data)
    table = kaggle.scan(root)
    part = kaggle.development_split(table, 0).train.groupby("label").head(600)
    loaded = films.load_films(root, part.reset_index(drop=True))
    epoch = loop.balanced_epoch(loaded, TRAIN_SIZE, recipe, 1)
    usual = keras.utils.image_dataset_from_directory(
        root / "train",
        color_mode="grayscale",
        image_size=(TRAIN_SIZE, TRAIN_SIZE),
        batch_size=recipe.batch,
        verbose=False,
    )
    layers = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.05),
            keras.layers.RandomZoom(0.1),
            keras.layers.RandomContrast(0.1),
        ]
    )
    augmented = usual.map(lambda films, labels: (layers(films, training=True), labels), tf.data.AUTOTUNE).prefetch(2)
    for what, batches in (
        ("our views", lambda: (epoch[step % len(epoch)] for step in range(steps))),
        ("tutorial pipeline", lambda: iter(augmented.repeat())),
    ):
        model = classifiers.build(TRAINED, size=TRAIN_SIZE)
        model.compile("adam", "binary_crossentropy")
        source, drawn, trained = iter(batches()), [], []
        for _step in range(steps):
            start = time.perf_counter()
            seen, labels = next(source)
            middle = time.perf_counter()
            model.train_on_batch(seen, labels)
            drawn.append(1000 * (middle - start) / len(labels))
            trained.append(1000 * (time.perf_counter() - start) / len(labels))
        yield Row(f"training, an image: {what}, drawn", drawn[WARM_UP:])
        # A step back takes twice what a step forth takes.
        yield Row(f"training, an image: {what}, drawn and learned", trained[WARM_UP:], 3 * operations(model))


def rows(data: Path | None, films: int) -> Iterator[Row]:
    """Measure all there is to measure."""
    yield from of_runtimes()
    models = open_models()
    models.warm_up()
    yield from of_stages(models)
    yield from of_counts(models, tuple(count for count in (*COUNTS, 1000, 10_000) if count <= films))
    if data:
        yield from of_training(data)


@app.command()
@reports_errors
def main(
    data: Annotated[
        Path | None, typer.Option(envvar="PNEUMO_DATA", help="Data set, to measure training; not measured without.")
    ] = None,
    films: Annotated[int, typer.Option(help="The most films to read one after the other, up to 10,000.")] = 100,
) -> None:
    """Print the table; milliseconds. How fast a machine is, and what else it does, is no fault: the exit code is 0."""
    load_keras()
    found = rates()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {found.multiplications / 1e9:.0f} "
        f"GFLOP/s in a product of matrices, {found.copies / 1e9:.1f} GB/s in a copy. Milliseconds."
    )
    print(f"{'':<44}{'median':>9}{'p10':>9}{'p90':>9}{'runs':>6}{'limit':>9}{'times':>8}  of")
    for row in rows(data, films):
        print(line(row, found), flush=True)
    for which in (runtime.ONNX, runtime.KERAS) if sys.platform == "linux" else ():
        print(f"{f'memory, 30 films with {which}':<44}{memory(which):>9.0f} MB", flush=True)
    print(f"Load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    app()
