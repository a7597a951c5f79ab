"""Latency of a model on this machine: the time from a film's pixels to the answer."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from pneumo import radiograph
from pneumo.datasets import samples
from pneumo.inference.classifier import Classifier
from pneumo.model_store.card import ModelCard, machine
from pneumo.model_store.store import read_card, write_card
from pneumo.results.leaderboard import Latency

RUNS = 40


def measure(name: str, folder: Path | None = None, runs: int = RUNS) -> Latency:
    """Load a model and let it assess a sample film several times over; loading does not count.

    Args:
        name: of the model folder.
        folder: the folder of model folders.
        runs: how often the film is assessed.

    Raises:
        ModelError: if there is no such model, or it is damaged.
        DatasetError: if the samples are missing.
        ImageError: if the sample cannot be read.
    """
    film = radiograph.read(samples.load_samples()[0].path)
    classifier = Classifier.open(name, folder)
    classifier.warm_up()
    classifier.assess(film)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        classifier.assess(film)
        times.append(1000 * (time.perf_counter() - start))
    p50, p95 = np.percentile(times, [50, 95])
    return Latency(float(p50), float(p95))


def store(name: str, found: Latency, folder: Path | None = None, runs: int = RUNS) -> ModelCard:
    """Write what was measured of a model, and on which machine, into its card."""
    figures = {"p50": round(found.p50, 1), "p95": round(found.p95, 1), "films": runs}
    card = read_card(name, folder)
    card = dataclasses.replace(card, latency={**figures, "hardware": machine()["hardware"]})
    write_card(card, folder)
    return card
