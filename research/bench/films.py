"""A film: by each runtime, stage by stage, on the page, one of many; and the memory that films take."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom

from pneumo import radiograph
from pneumo.cli.output import silenced_stderr
from pneumo.datasets import samples
from pneumo.explanation import explain, heat_findings
from pneumo.explanation.explainer import DEFAULT_METHOD, OPACITY
from pneumo.inference import Models, read_film
from pneumo.model_store import runtime, store, weights
from pneumo.preprocessing import network_input, outlines
from pneumo.reports import record
from research.bench.rows import RUNS, WARM_UP, Row, operations, timed

ROOT = Path(__file__).parents[2]
# A film of two megapixels, as the data set's are on average.
HEIGHT, WIDTH = 1250, 1600
# The same film on the page Predict.
SCREEN = (625, 800)
# Read by one process, and by `pneumo score`.
COUNTS, SCORED = (1, 10, 100), (1000, 10_000)
# Standard deviation in grey levels.
NOISE = 2.0
COMMAND_RUNS = 5


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
    pixels = large_film()
    jpeg, png = (cv2.imencode(ending, pixels)[1].tobytes() for ending in (".jpg", ".png"))
    film = radiograph.read(jpeg, "film.jpg")
    held = film.pixels.nbytes
    for what, data in (("JPEG", jpeg), ("PNG", png), ("DICOM", dicom_of(pixels))):
        read = timed(partial(radiograph.read, data, "film"))
        yield Row(f"read: {what}, 2 MP, {len(data) / 1e6:.1f} MB", read, bytes=len(data) + 2 * held)
    small = network_input.squashed(film.pixels)
    square = network_input.stretched(small)
    yield Row("square of the film", timed(lambda: network_input.film_square(film.pixels)), bytes=held)
    assert models.gate is not None
    gate, limits = models.gate, models.gate.limits
    yield Row("gate: border", timed(lambda: outlines.uniform_border(film.pixels, *limits.border)))
    yield Row("gate: outlines", timed(lambda: outlines.layout(square)))
    flops = {name: operations(store.load(name)[1]) for name in ("lungs", "gate", "opacity")}
    lungs = gate.segmenter.segment(square)
    yield Row("lungs, both ways", timed(lambda: gate.segmenter.segment(square)), 2 * flops["lungs"])
    yield Row("gate: network", timed(lambda: gate.reader.read(square, lungs)), flops["gate"])
    yield Row(
        "gate, with border, lungs and network",
        timed(lambda: gate.check(film, small, square)),
    )
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
    heat, shown, zones = explain(reading, shape=SCREEN), cv2.resize(film.pixels, SCREEN[::-1]), lungs.zones(*SCREEN)
    examined = timed(lambda: heat_findings.examine(shown, heat.values, zones, heat.absolute))
    yield Row("heat map: what speaks against it", examined, bytes=2 * on_screen)
    yield Row("record of the answer", timed(lambda: record(reading)))
    yield Row("whole film, JPEG to answer", timed(lambda: read_film(jpeg, "film.jpg", models)))


def large_film(number: int = 0) -> np.ndarray:
    """Return a composite film of two megapixels with noise of its own, (`HEIGHT`, `WIDTH`) uint8."""
    small = radiograph.read(samples.load_samples()[0].path).pixels
    return noisy(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), number)


def noisy(film: np.ndarray, seed: int) -> np.ndarray:
    """Return a film, float in 0…1, with noise; uint8. As JPEG it is then as large as those of the data set are."""
    noise = np.random.default_rng(seed).normal(0, NOISE, film.shape)
    return np.rint(np.clip(255 * film + noise, 0, 255)).astype(np.uint8)


def dicom_of(film: np.ndarray) -> bytes:
    """Return a film, uint8, as the DICOM file of a sample holds its own: not compressed."""
    header = pydicom.dcmread(next(samples.FOLDER.glob("*.dcm")))
    header.Rows, header.Columns = film.shape
    header.PixelData = film.tobytes()
    written = BytesIO()
    header.save_as(written)
    return written.getvalue()


def of_page() -> Iterator[Row]:
    """Yield the page Predict: its script from a film's bytes to the last thing that a browser is sent, without browser.

    The film is read in it and its heat map drawn. When the same film is shown again, what is left is the page's own.
    """
    from streamlit.testing.v1 import AppTest

    waiting = [cv2.imencode(".jpg", large_film(number))[1].tobytes() for number in range(RUNS + WARM_UP)]

    def read() -> None:
        page.file_uploader(key="predict.upload_0").set_value([("film.jpg", waiting.pop(), "image/jpeg")]).run()

    # That it runs without a browser, Streamlit warns of for each widget.
    with silenced_stderr():
        page = AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=120).run()
        new, again = timed(read), timed(page.run)
    if page.exception or not any(each.value.startswith("## ") for each in page.markdown):
        raise RuntimeError("The page Predict gave no answer.")
    yield Row("page: a film's bytes to all that is shown", new)
    yield Row("page: the same film again", again)


def of_counts(models: Models, counts: tuple[int, ...]) -> Iterator[Row]:
    """Yield the time a film takes where several are read one after the other."""
    data = samples.load_samples()[0].path.read_bytes()
    for films in counts:
        start = time.perf_counter()
        for _ in range(films):
            read_film(data, "film.png", models)
        yield Row(f"{films:,} films in a row, a film", [1000 * (time.perf_counter() - start) / films])


def of_commands(most: int) -> Iterator[Row]:
    """Yield `pneumo predict` of a film, and a film of many by `pneumo score`, the start of the program with it."""
    film, cores = str(samples.load_samples()[0].path), os.cpu_count() or 1
    yield Row("pneumo predict of a film, from the shell", timed(partial(pneumo, "predict", film), COMMAND_RUNS))
    for films in (number for number in SCORED if number <= most):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "archive")
            write_noisy_copies(archive, films)
            # Ten thousand films would take one worker too long to wait for.
            for workers in sorted({1, cores} if films == SCORED[0] else {cores}):
                start = time.perf_counter()
                pneumo("score", str(archive), "--out", f"{folder}/{workers}", "--workers", str(workers))
                took = 1000 * (time.perf_counter() - start) / films
                yield Row(f"{films:,} films, a film: pneumo score, workers: {workers}", [took])


def pneumo(*arguments: str, folder: str | Path = ROOT) -> None:
    """Run a command of pneumo in a folder; that it refuses films is no error."""
    run = subprocess.run(  # noqa: S603  # of this package
        [sys.executable, "-m", "pneumo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode > 1:
        raise RuntimeError(run.stderr)


def write_noisy_copies(folder: Path, films: int) -> None:
    """Fill a new folder with copies of the samples, JPEG, no two of them alike."""
    folder.mkdir()
    known = [radiograph.read(each.path).pixels for each in samples.load_samples()]
    for number, film in zip(range(films), cycle(known), strict=False):
        cv2.imwrite(str(folder / f"{number:05}.jpg"), noisy(film, number))


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
