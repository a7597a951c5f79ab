"""What a model called each film that it was measured on, from the predictions that lie beside it."""

from pathlib import Path

import pandas as pd

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard

RIGHT, MISSED, FALSE_ALARM = "Called right", "Missed pneumonia", "False alarm"
CALLS = (MISSED, FALSE_ALARM, RIGHT)
# Their files name films of the data set; those of other splits are changed films or another hospital's.
SPLITS = ("val", "test")


def read(card: ModelCard, folder: Path | None = None) -> pd.DataFrame:
    """Return what a model called the validation and the test films, at the decision threshold of its card.

    Returns:
        ``file, split`` (of `SPLITS`), ``label, pathogen, probability, call`` (of `CALLS`) and ``error``: how far the
        probability is from the truth, 0…1. Empty where the model was not measured on either split.

    Raises:
        ModelError: if predictions are damaged.
    """
    columns = ["file", "split", "label", "pathogen", "probability", "call", "error"]
    parts = [
        store.read_predictions(card.name, split, folder).assign(split=split)
        for split in SPLITS
        if split in store.measured_splits(card.name, folder)
    ]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    try:
        table["probability"] = table["probability"].astype(float)
    except ValueError as error:
        raise ModelError(f"The predictions of {card.name} are damaged ({error}). Evaluate the model anew.") from error
    sick, called = table["label"] == "PNEUMONIA", table["probability"] >= card.as_thresholds().decision
    table["call"] = RIGHT
    table.loc[sick & ~called, "call"] = MISSED
    table.loc[~sick & called, "call"] = FALSE_ALARM
    table["error"] = (sick - table["probability"]).abs()
    return table[columns]


def with_calls(films: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    """Add ``probability, call, error`` to a table of films with ``file``.

    A film that the model was not measured on has an empty call and no number.
    """
    added = calls[["file", "probability", "call", "error"]]
    return films.merge(added, on="file", how="left").fillna({"call": ""})


def readable(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the wrong calls of `read`, the worst first, with headings for people."""
    titles = {"val": "Validation", "test": "Test"}
    wrong = calls[calls["call"] != RIGHT].sort_values("error", ascending=False, kind="stable")
    return pd.DataFrame(
        {
            "Film": wrong["file"].str.rsplit("/", n=1).str[-1],
            "Films of": wrong["split"].map(titles),
            "Call": wrong["call"],
            "Probability": wrong["probability"].map("{:.3f}".format),
        }
    )
