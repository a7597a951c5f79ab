"""What a model's card keeps of its heat maps: the absolute scale, and how far the methods usually agree."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pneumo.explanation import agreement
from pneumo.explanation.cam import METHODS
from research.heat_maps.bench import Bench, Case, means, statistics
from research.heat_maps.films import DrawnFilm, answered

REFERENCE_SPLIT = "val"
Rows = list[dict[str, Any]]


def measure(bench: Bench, root: Path, films: int) -> Rows:
    """Measure, on validation films that the model answers “likely”, the references and the agreement, and no more.

    Args:
        bench: the model; what was measured is kept in it.
        root: of the data set.
        films: how many at the most.

    Raises:
        DatasetError: if there are no such films.
        ModelError: if the model was not measured on validation films.
    """
    chosen = answered(root, bench.classifier.card, bench.folder, "likely", films)
    drawn: dict[tuple[str, int], np.ndarray] = {}

    def figures(case: Case) -> dict[str, float]:
        drawn[case.heat.method, case.number] = agreement.cells(case.heat.values)
        return {"peak": float(case.heat.density.max())}

    return keep(bench, chosen, bench.measure("likely films", chosen, figures, baselines=False), drawn)


def keep(bench: Bench, films: list[DrawnFilm], measured: pd.DataFrame, drawn: Mapping[tuple[str, int], Any]) -> Rows:
    """Keep in a bench what belongs in the model's card, and return it as rows of the benchmark's table.

    Args:
        bench: the model.
        films: that it answers “likely”.
        measured: ``method, patient`` and ``peak``, the density of the hottest place, one row a film and method.
        drawn: the map of each method and number of a film, on the cells that maps are compared on.
    """
    rows = statistics("scale", "reference", measured[measured["method"].isin(METHODS)], np.median, "peak")
    bench.references = {row["method"]: row["value"] for row in rows if row["value"] > 0}
    bench.agreement = {}
    for first, second in itertools.combinations(bench.methods, 2):
        pairs = []
        for number, film in enumerate(films):
            found = agreement.compare(drawn[first, number], drawn[second, number])
            # A flat map has no order to agree with.
            correlation, overlap = (found.correlation, found.overlap) if found else (np.nan, np.nan)
            pairs.append(
                {
                    "method": first,
                    "patient": film.patient,
                    f"agreement_{second}": correlation,
                    f"overlap_{second}": overlap,
                }
            )
        both = means("agreement", pd.DataFrame(pairs))
        rows += both
        if all(np.isfinite(row["value"]) for row in both):
            bench.agreement.setdefault(first, {})[second] = {
                name: {bound: row[bound] for bound in ("value", "low", "high")}
                for name, row in zip(("correlation", "overlap"), both, strict=True)
            }
    return rows
