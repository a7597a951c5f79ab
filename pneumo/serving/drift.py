"""Drift in the audit log: whether the films that are read now are like those of a reference.

The reference is what the model answered on its validation films, or the first films of the log. A hospital with less
pneumonia than there was in validation differs from the former from its first day on.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import drift
from pneumo.inference import foreign
from pneumo.inference.gate import GATE
from pneumo.labels import ANSWER_WORDS, STATUS_WORDS
from pneumo.model_store import site as sites
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.sentences import say

# Films are compared so many at a time, and anew after every `STEP`. By `python -m research.drift` each of eleven
# alterations is noticed within 60 films of it, and 20 streams of 838 films as they are raise no alarm.
WINDOW, STEP, FEWEST = 100, 10, 50
BASELINE = 200
P_VALUE = 1e-5
MEASURES = {"brightness": say("Brightness"), "contrast": say("Contrast"), "sharpness": say("Sharpness")}
# Shares of films, and which films they are of: all that were checked, or those with an answer.
SHARES = {
    "refused": say("Refused films"),
    "found": say("Films with a finding of the check"),
    "foreign": say("Films unlike those that the model learned from"),
}
PSI, KS = say("PSI of the scores"), say("KS of the scores")
# What is read of a line of the log.
_LOGGED = (
    *("number", "time", "via", "image_sha256", "status", "answer", "probability", "foreign", "findings", "quality"),
    *("forced", "corrected", "model", "model_sha256", "site_sha256"),
)
# A figure, what it is of the reference and of the films, in words, its value and its limit.
_Row = tuple[str, str, str, float, float]


@dataclass(frozen=True, eq=False)
class Reference:
    """Films that others are compared with.

    Attributes:
        films: of the kind that `films_of` returns; measures that are not known are left out.
        shares: of each of `SHARES` that is known the films of that kind, and all films.
        scores: (films,) probabilities of pneumonia, 0…1.
        measures: of each of `MEASURES` that is known, (films,) values.
    """

    films: int
    shares: dict[str, tuple[int, int]]
    scores: np.ndarray
    measures: dict[str, np.ndarray]


def films_of(entries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the films of an audit log, oldest first, each file's first answer by a model alone.

    Args:
        entries: as `audit.entries` yields them.

    Returns:
        ``number, time, via, status, answer, probability, refused, found, foreign, brightness, contrast, sharpness,
        model, model_sha256, site_sha256``. `refused` counts films that were assessed all the same, too.
    """
    rows = pd.DataFrame([*map(dict, entries)], columns=[*_LOGGED])
    rows = rows[rows["status"] != "error"].drop_duplicates(["image_sha256", "corrected", "model_sha256", "site_sha256"])
    measured = pd.DataFrame([quality or {} for quality in rows["quality"]], rows.index, [*MEASURES], float)
    kept = rows[
        ["number", "via", "status", "answer", "probability", "foreign", "model", "model_sha256", "site_sha256"]
    ].assign(
        time=pd.to_datetime(rows["time"], format="ISO8601"),
        refused=(rows["status"] == "refused") | rows["forced"].astype(bool),
        found=[bool(findings) for findings in rows["findings"]],
        probability=rows["probability"].astype(float),
    )
    return kept.join(measured).reset_index(drop=True)


def of_model(films: pd.DataFrame, card: ModelCard, site_sha256: str | None) -> pd.DataFrame:
    """Return the films that a model read as it is now, at the site that it is calibrated for now."""
    at_site = films["site_sha256"].isna() if site_sha256 is None else films["site_sha256"] == site_sha256
    return films[(films["model_sha256"] == card.sha256) & at_site].reset_index(drop=True)


def first_films(films: pd.DataFrame, count: int = BASELINE) -> Reference:
    """Take the first films of a log for the reference."""
    first = films.iloc[:count]
    return Reference(
        len(first),
        {share: _counted(first, share) for share in SHARES},
        first["probability"].dropna().to_numpy(),
        {measure: first[measure].dropna().to_numpy() for measure in MEASURES},
    )


def validation_films(card: ModelCard, folder: Path | None = None) -> Reference:
    """Take the validation films of a model for the reference; at a site, scores are put on its scale.

    Raises:
        ModelError: if there are no predictions of them.
    """
    scores = store.read_predictions(card.name, "val", folder)["probability"].to_numpy(float)
    site = sites.configured()
    if site and site.model_sha256 == card.sha256:
        scores = np.asarray(site.found.calibration.apply(scores))
    shares = {}
    # A gate that was never measured says nothing of refusals, and the scores can be compared all the same.
    with suppress(ModelError):
        gate = store.read_predictions(GATE, "val", folder, ("accepted", "findings"))
        shares["refused"] = int((gate["accepted"] == 0).sum()), len(gate)
        shares["found"] = int((gate["findings"] != "").sum()), len(gate)
    if card.foreign:
        shares["foreign"] = (round((1 - foreign.KEPT) * len(scores)), len(scores))
    return Reference(len(scores), shares, scores, {})


def checks(reference: Reference, films: pd.DataFrame) -> pd.DataFrame:
    """Compare films with a reference.

    Args:
        reference: to compare them with.
        films: as `films_of` returns them, some of them.

    Returns:
        ``figure, reference, films, value, limit, alarm``: the two in words; `value` is above `limit` where there is an
        alarm. Of a share the value is minus the logarithm to base ten of the p value.
    """
    rows = [*_share_rows(reference, films), *_score_rows(reference, films), *_measure_rows(reference, films)]
    columns = ["figure", "reference", "films", "value", "limit"]
    table = pd.DataFrame(rows, columns=columns, dtype=object).astype({"value": float, "limit": float})
    return table.assign(alarm=table["value"] > table["limit"])


def course(reference: Reference, films: pd.DataFrame) -> pd.DataFrame:
    """Compare the last `WINDOW` films with a reference after every `STEP` films, from `FEWEST` films on.

    Returns:
        ``line, time, figure, value, limit, alarm`` and ``of_limit``, the value over its limit; `line` and `time`
        are those of the last film.
    """
    parts = []
    for end in range(FEWEST, len(films) + 1, STEP):
        found = checks(reference, films.iloc[max(0, end - WINDOW) : end])
        last = films.iloc[end - 1]
        parts.append(found.assign(line=last["number"], time=last["time"]))
    columns = ["line", "time", "figure", "value", "limit", "alarm"]
    table = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    return table.assign(of_limit=table["value"] / table["limit"])


def first_alarm(found: pd.DataFrame) -> pd.Series | None:
    """Return the first row of a `course` from which on there was an alarm until its end; None where there is none now.

    An alarm that is over is seen in the course, and asks for nothing any more.
    """
    alarms = found.groupby("line", sort=True)["alarm"].any()
    if alarms.empty or not alarms.iloc[-1]:
        return None
    quiet = alarms.index[~alarms.to_numpy()]
    since = alarms.index[alarms.index > quiet[-1]][0] if len(quiet) else alarms.index[0]
    rows = found[(found["line"] == since) & found["alarm"]]
    return rows.sort_values("of_limit", ascending=False).iloc[0]


def answers(films: pd.DataFrame, block: int = STEP * 5) -> pd.DataFrame:
    """Count what became of films, in blocks of so many: ``from, to, outcome, films, share``."""
    if films.empty:
        return pd.DataFrame(columns=["from", "to", "outcome", "films", "share"])
    words = {**ANSWER_WORDS, "refused": STATUS_WORDS["refused"]}
    outcome = films["answer"].where(films["status"] == "ok", "refused").map(words).astype(str)
    blocks = films.index // block
    ends = films["number"].groupby(blocks).agg(["min", "max"])
    counts = pd.crosstab(blocks, outcome).reindex(columns=[str(word) for word in words.values()], fill_value=0)
    table = counts.rename_axis("block").reset_index().melt("block", var_name="outcome", value_name="films")
    total = counts.sum(axis=1)
    return table.assign(
        **{"from": table["block"].map(ends["min"]), "to": table["block"].map(ends["max"])},
        share=table["films"] / table["block"].map(total),
    ).drop(columns="block")


def tenths(reference: Reference, films: pd.DataFrame) -> pd.DataFrame:
    """Return the share of films in each tenth of the reference's scores: ``tenth, share, expected``."""
    share = drift.tenths(reference.scores, films["probability"].dropna().to_numpy())
    expected = drift.tenths(reference.scores, reference.scores)
    return pd.DataFrame({"tenth": np.arange(1, len(share) + 1), "share": share, "expected": expected})


def _share_rows(reference: Reference, films: pd.DataFrame) -> Iterator[_Row]:
    for share, expected in reference.shares.items():
        found = _counted(films, share)
        if found[1]:
            unlikeliness = -np.log10(max(drift.share_difference(expected, found), 1e-300))
            yield SHARES[share], _percent(expected), _percent(found), float(unlikeliness), -np.log10(P_VALUE)


def _score_rows(reference: Reference, films: pd.DataFrame) -> Iterator[_Row]:
    expected, found = reference.scores, films["probability"].dropna().to_numpy()
    if not len(expected) or not len(found):
        return
    before, now = (say("median {score:.3f}", score=np.median(each)) for each in (expected, found))
    limit = drift.stability_limit(len(expected), len(found), P_VALUE)
    yield PSI, before, now, drift.population_stability(expected, found), limit
    yield KS, before, now, *_distance(expected, found)


def _measure_rows(reference: Reference, films: pd.DataFrame) -> Iterator[_Row]:
    for measure, expected in reference.measures.items():
        found = films[measure].dropna().to_numpy()
        if len(expected) and len(found):
            before, now = (say("mean {value:.2f}", value=each.mean()) for each in (expected, found))
            yield MEASURES[measure], before, now, *_distance(expected, found)


def _counted(films: pd.DataFrame, share: str) -> tuple[int, int]:
    """Return how many films are of the kind of a share, and of how many; only films with an answer can be foreign."""
    counted = films[films["status"] == "ok"] if share == "foreign" else films
    return int(counted[share].sum()), len(counted)


def _distance(reference: np.ndarray, films: np.ndarray) -> tuple[float, float]:
    limit = drift.distance_limit(len(reference), len(films), P_VALUE)
    return drift.kolmogorov_smirnov(reference, films), limit


def _percent(share: tuple[int, int]) -> str:
    return say("{share:.1f} %", share=100 * share[0] / share[1]) if share[1] else "–"
