"""A model on the bench: it sees films, draws their maps by every method, and each map is measured."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pneumo import radiograph
from pneumo.evaluation.intervals import Estimate, mean_by_patient
from pneumo.explanation.explainer import Explainer, HeatMap
from pneumo.inference import gate
from pneumo.inference.classifier import Assessment, Classifier
from pneumo.inference.lungs import LungMask
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training.films import Stage
from research.heat_maps.films import DrawnFilm
from research.heat_maps.metrics import BASELINES, baseline, by_patient

_BATCH = 16


class Case(NamedTuple):
    """A film as the model and one method see it.

    Attributes:
        film: the film, and what a human drew on it.
        number: of the film in its part.
        assessment: what the model says of it.
        lungs: as the lung network draws them.
        heat: (`SQUARE`, `SQUARE`).
    """

    film: DrawnFilm
    number: int
    assessment: Assessment
    lungs: LungMask
    heat: HeatMap


class Bench:
    """A model, and what draws its heat maps.

    Attributes:
        classifier: the model.
        folder: of model folders, where it lies.
        methods: keys of `cam.METHODS`.
        references: the density of the hottest place on a film answered “likely”, by method.
        agreement: how far two methods agree on such films, by the first and the second; see `agreement.usual`.

    Raises:
        ModelError: if the model or the lung network cannot be loaded.
        ExplanationError: if the model has no feature maps.
    """

    def __init__(
        self, name: str, folder: Path | None, methods: Sequence[str], progress: Callable[[Stage], None]
    ) -> None:
        self.classifier, self.folder = Classifier.open(name, folder), folder
        self.methods, self.references = list(methods), self.classifier.card.heat_references
        self.agreement: dict[str, dict[str, dict[str, Any]]] = {}
        self._explainer = Explainer(self.classifier)
        self._segmenter = gate.open_segmenter(folder)
        self._progress = progress

    def measure(
        self,
        what: str,
        films: Sequence[DrawnFilm],
        of: Callable[[Case], dict[str, float]],
        *,
        baselines: bool = True,
        explainer: Explainer | None = None,
    ) -> pd.DataFrame:
        """Draw the maps of films by every method, and measure each.

        Args:
            what: is being done, for the progress.
            films: to be looked at.
            of: returns the figures of one map.
            baselines: measure those of `BASELINES`, too.
            explainer: what draws, instead of the model's own.

        Returns:
            ``method, patient`` and a column a figure; one row a film and method.
        """
        rows = []
        for start in range(0, len(films), _BATCH):
            part = films[start : start + _BATCH]
            seen = [self._seen(film) for film in part]
            for method in [*self.methods, *(BASELINES if baselines else ())]:
                if method in BASELINES:
                    heats = [_baseline(method, start + offset) for offset in range(len(part))]
                else:
                    heats = self._heats(method, [assessment for assessment, _ in seen], explainer or self._explainer)
                for offset, (film, (assessment, lungs), heat) in enumerate(zip(part, seen, heats, strict=True)):
                    figures = of(Case(film, start + offset, assessment, lungs, heat))
                    rows.append({"method": method, "patient": film.patient, **figures})
            self._progress(Stage(what, min(start + _BATCH, len(films)), len(films)))
        return pd.DataFrame(rows)

    def probability(self, squares: np.ndarray, lungs: LungMask) -> np.ndarray:
        """Return the calibrated probability of altered versions of a film whose lungs stay where they were.

        Args:
            squares: (versions, `SQUARE`, `SQUARE`) float32, each in place of the `network_input.film_square`.
            lungs: of the film as it is.

        Returns:
            (versions,) 0…1.
        """
        given = self.classifier.card.input
        inputs = np.stack(
            [
                network_input.model_input(crops.cropped(square, given["views"], lungs.box), given["size"])
                for square in squares
            ]
        )
        raw = np.asarray(self.classifier.model.predict_on_batch(inputs))[:, 0]
        return np.asarray(self.classifier.card.as_calibration().apply(raw))

    def _seen(self, film: DrawnFilm) -> tuple[Assessment, LungMask]:
        read = radiograph.read(film.path)
        lungs = self._segmenter.segment(network_input.film_square(read.pixels))
        return self.classifier.assess(read, lungs), lungs

    def _heats(self, method: str, assessments: list[Assessment], explainer: Explainer) -> list[HeatMap]:
        heats = explainer.heat_maps(assessments, method, (SQUARE, SQUARE))
        return [dataclasses.replace(heat, reference=self.references.get(method)) for heat in heats]


def means(part: str, measured: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the mean of each figure over films, by method, as rows of the benchmark's table.

    Args:
        part: of the benchmark.
        measured: as `Bench.measure` returns it; a film whose figure is NaN is left out of that figure.
    """
    rows = []
    for figure in measured.columns.drop(["method", "patient"]):
        for method, films in measured.groupby("method", sort=False):
            values = films[figure].to_numpy(float)
            estimate = mean_by_patient(values, films["patient"].to_numpy(str))
            rows.append(row(part, str(method), str(figure), estimate, int(np.isfinite(values).sum())))
    return rows


def statistics(
    part: str, figure: str, measured: pd.DataFrame, statistic: Callable[..., float], *columns: str
) -> list[dict[str, Any]]:
    """Return a statistic of one or more columns over films, by method, as rows of the benchmark's table."""
    rows = []
    for method, films in measured.groupby("method", sort=False):
        arrays = (films[column].to_numpy(float) for column in columns)
        estimate = by_patient(statistic, films["patient"].to_numpy(str), *arrays)
        rows.append(row(part, str(method), figure, estimate, len(films)))
    return rows


def row(part: str, method: str, figure: str, estimate: Estimate, films: int) -> dict[str, Any]:
    """Return a row of the benchmark's table."""
    return {"part": part, "method": method, "figure": figure, **dataclasses.asdict(estimate), "films": films}


def _baseline(name: str, film: int) -> HeatMap:
    heat = baseline(name, film)
    return HeatMap(heat, name, "", heat, None)
