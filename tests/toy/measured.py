"""Models that were measured on five films, as the leaderboard lists them: nothing is loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pneumo.model_store import store
from pneumo.results import leaderboard
from pneumo.results.leaderboard import Measurement
from pneumo.results.published import Published
from toy import synthetic

PUBLISHED = Published("Other <b>net</b>", "cnn", 0.9, None, None, 0.8, "test", "Someone 2020", "chosen on test")


def measured_model(
    folder: Path, name: str, probability: Sequence[float], split: str = "test", **card: Any
) -> Measurement:
    """Measure a model that gave these probabilities to two normal films and three with pneumonia."""
    labels = ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA", "PNEUMONIA"]
    table = pd.DataFrame({"label": labels, "probability": probability, "pathogen": "", "file": list("abcde")})
    store.write_predictions(table.assign(patient=list("vwxyz")), name, split, folder)
    written = synthetic.card(name=name, title=name.upper(), sha256=name * 10, **card)
    return leaderboard.measure(written, split, folder=folder)


def measured_models(folder: Path) -> list[Measurement]:
    """Measure a poor and a good model."""
    return [
        measured_model(folder, "poor", [0.1, 0.6, 0.4, 0.8, 0.9], seed_system="Some notebook", size_bytes=2_100_000),
        measured_model(folder, "good", [0.1, 0.2, 0.7, 0.8, 0.9], test_openings=[{"date": "x"}] * 2, parameters=12345),
    ]
