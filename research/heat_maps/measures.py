"""The measures of heat maps: each takes films of one kind and returns rows of the benchmark's table."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pneumo import radiograph
from pneumo.evaluation import metrics as evaluation
from pneumo.evaluation.intervals import Estimate, by_patient, mean_by_patient
from pneumo.explanation import agreement
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import Explainer, HeatMap
from pneumo.explanation.regions import HOT
from pneumo.inference import gate
from pneumo.inference.classifier import Assessment, Classifier
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training.films import Stage
from research.heat_maps import metrics
from research.heat_maps.films import DrawnFilm, answered, boxed_films, films_with_lungs, opaque_films
from research.heat_maps.metrics import BASELINES, LEVELS, baseline

Rows = list[dict[str, Any]]
REFERENCE_SPLIT = "val"
_BATCH = 16


@dataclass(frozen=True)
class HeatScale:
    """What a model's card keeps of its heat maps, `ModelCard.heat`.

    Attributes:
        references: the density of the hottest place on a film answered “likely”, by method.
        agreement: how far two methods agree on such films, by the first and the second; see `agreement.usual`.
        films: how many were measured; 0 where none was.
    """

    references: Mapping[str, float] = field(default_factory=dict)
    agreement: Mapping[str, Any] = field(default_factory=dict)
    films: int = 0

    def as_card(self) -> dict[str, Any]:
        """Return the value of `ModelCard.heat`."""
        heat = {"references": dict(self.references), "measured_on": REFERENCE_SPLIT, "films": self.films}
        return {**heat, "agreement": dict(self.agreement)} if self.agreement else heat


NOT_MEASURED = HeatScale()


class ExplainedFilm(NamedTuple):
    """A film, what a model says of it, and one heat map of that.

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


@dataclass(frozen=True, eq=False)
class ExplainedModel:
    """A model, and what draws its heat maps.

    Attributes:
        classifier: the model.
        explainer: draws its maps.
        segmenter: draws the lungs.
        folder: of model folders, where it lies.
        methods: keys of `cam.METHODS`.
        progress: called as films are done.
    """

    classifier: Classifier
    explainer: Explainer
    segmenter: Segmenter
    folder: Path | None
    methods: tuple[str, ...]
    progress: Callable[[Stage], None]

    @classmethod
    def open(
        cls, name: str, folder: Path | None, methods: Sequence[str], progress: Callable[[Stage], None]
    ) -> "ExplainedModel":
        """Load a model.

        Raises:
            ModelError: if the model or the lung network cannot be loaded.
            ExplanationError: if the model has no feature maps.
        """
        classifier = Classifier.open(name, folder)
        return cls(
            classifier,
            Explainer(classifier),
            gate.open_segmenter(folder),
            folder,
            tuple(dict.fromkeys(methods)),
            progress,
        )

    @property
    def card(self) -> ModelCard:
        """Of the model."""
        return self.classifier.card

    def measure(
        self,
        what: str,
        films: Sequence[DrawnFilm],
        figures: Callable[[ExplainedFilm], dict[str, float]],
        *,
        scale: HeatScale = NOT_MEASURED,
        baselines: bool = True,
    ) -> pd.DataFrame:
        """Draw the maps of films by every method, and measure each.

        Args:
            what: is being done, for the progress.
            films: to be looked at.
            figures: returns the figures of one map.
            scale: where it was measured, what is hot on the scale that films share.
            baselines: measure those of `BASELINES`, too.

        Returns:
            ``method, patient`` and a column a figure; one row a film and method.
        """
        rows = []
        for start in range(0, len(films), _BATCH):
            part = films[start : start + _BATCH]
            assessed = [self._assess(film) for film in part]
            for method in [*self.methods, *(BASELINES if baselines else ())]:
                if method in BASELINES:
                    heats = [_baseline(method, start + offset) for offset in range(len(part))]
                else:
                    heats = self._heats(method, [assessment for assessment, _ in assessed], scale)
                for offset, (film, (assessment, lungs), heat) in enumerate(zip(part, assessed, heats, strict=True)):
                    found = figures(ExplainedFilm(film, start + offset, assessment, lungs, heat))
                    rows.append({"method": method, "patient": film.patient, **found})
            self.progress(Stage(what, min(start + _BATCH, len(films)), len(films)))
        return pd.DataFrame(rows)

    def probability(self, squares: np.ndarray, lungs: LungMask) -> np.ndarray:
        """Return the calibrated probability of altered versions of a film whose lungs stay where they were.

        Args:
            squares: (versions, `SQUARE`, `SQUARE`) float32, each in place of the `network_input.film_square`.
            lungs: of the film as it is.

        Returns:
            (versions,) 0…1.
        """
        given = self.card.input
        inputs = np.stack(
            [
                network_input.model_input(crops.cropped(square, given["views"], lungs.box), given["size"])
                for square in squares
            ]
        )
        return np.asarray(self.card.as_calibration().apply(self.classifier.look(inputs).raw))

    def _assess(self, film: DrawnFilm) -> tuple[Assessment, LungMask]:
        read = radiograph.read(film.path)
        lungs = self.segmenter.segment(network_input.film_square(read.pixels))
        return self.classifier.assess(read, lungs), lungs

    def _heats(self, method: str, assessments: list[Assessment], scale: HeatScale) -> list[HeatMap]:
        heats = self.explainer.heat_maps(assessments, method, (SQUARE, SQUARE))
        return [dataclasses.replace(heat, reference=scale.references.get(method)) for heat in heats]


def references(model: ExplainedModel, root: Path, films: int) -> tuple[Rows, HeatScale]:
    """Measure, on validation films that the model answers “likely”, what its card keeps, and no more.

    Args:
        model: whose maps are measured.
        root: of the data set.
        films: how many at the most.

    Raises:
        DatasetError: if there are no such films.
        ModelError: if the model was not measured on validation films.
    """
    chosen = answered(root, model.card, model.folder, "likely", films)
    maps: dict[tuple[str, int], np.ndarray] = {}

    def figures(explained: ExplainedFilm) -> dict[str, float]:
        maps[explained.heat.method, explained.number] = agreement.cells(explained.heat.values)
        return {"peak": float(explained.heat.density.max())}

    return _scale(model, chosen, model.measure("likely films", chosen, figures, baselines=False), maps)


def likely(model: ExplainedModel, root: Path, films: int) -> tuple[Rows, HeatScale]:
    """Measure, on validation films that the model answers “likely”, the `references`, and whether maps show the model.

    Whether the model's probability falls as the hottest places give way to a film answered “unlikely” says how faithful
    a map is; how little of it is left once the network is randomised, whether it shows what the network learned.

    Raises:
        DatasetError: if there are no such films.
        ModelError: if the model was not measured on validation films.
    """
    chosen = answered(root, model.card, model.folder, "likely", films)
    healthy = answered(root, model.card, model.folder, "unlikely", films)
    maps: dict[tuple[str, int], np.ndarray] = {}

    def figures(explained: ExplainedFilm) -> dict[str, float]:
        if explained.heat.method in METHODS:
            maps[explained.heat.method, explained.number] = agreement.cells(explained.heat.values)
        square = network_input.film_square(explained.assessment.radiograph.pixels)
        instead = network_input.film_square(radiograph.read(healthy[explained.number % len(healthy)].path).pixels)
        deleted, inserted = metrics.taken_away(square, explained.heat.values, instead, explained.number)
        probability = model.probability(np.concatenate([deleted, inserted]), explained.lungs)
        return {
            "peak": float(explained.heat.density.max()),
            "deletion": metrics.area_under(probability[: len(deleted)]),
            "insertion": metrics.area_under(probability[len(deleted) :]),
        }

    measured = model.measure("likely films", chosen, figures)
    rows, scale = _scale(model, chosen, measured, maps)
    rows += _means("faithfulness", measured.drop(columns="peak"))
    for level, share in LEVELS.items():
        rows += _sanity(model, chosen, maps, level, share)
    return rows, scale


def unlikely(model: ExplainedModel, scale: HeatScale, root: Path, films: int) -> Rows:
    """Measure how warm validation films get that the model answers “unlikely”, as a multiple of the reference.

    Raises:
        DatasetError: if there are no such films.
        ModelError: if the model was not measured on validation films.
    """
    chosen = answered(root, model.card, model.folder, "unlikely", films)

    def figures(explained: ExplainedFilm) -> dict[str, float]:
        return {"peak": float(explained.heat.density.max()) / (explained.heat.reference or np.nan)}

    measured = model.measure("unlikely films", chosen, figures, scale=scale, baselines=False)
    return _statistics("scale", "unlikely", measured, np.median, "peak")


def lungs(model: ExplainedModel, root: Path, masks: Path, films: int) -> Rows:
    """Measure how much of the heat lies inside the lungs that humans drew on the films of the official test split.

    Raises:
        DatasetError: if the test split or the masks are missing.
    """

    def figures(explained: ExplainedFilm) -> dict[str, float]:
        energy = evaluation.energy_inside(explained.heat.values, _truth(explained))
        return {"energy": energy, "energy_likely": energy if explained.assessment.answer == "likely" else np.nan}

    chosen = films_with_lungs(root, masks, films)
    return _means("lungs", model.measure("official test films", chosen, figures))


def boxes(model: ExplainedModel, folder: Path, films: int) -> Rows:
    """Measure how well heat maps find the boxes that radiologists drew around pneumonia.

    Raises:
        DatasetError: if the films or their boxes are missing.
    """
    chosen = boxed_films(folder, films)
    return _means("boxes", model.measure("films with boxes", chosen, _found))


def opacities(model: ExplainedModel, scale: HeatScale, folder: Path, films: int) -> Rows:
    """Measure how well heat maps find drawn opacities, and whether their extent grows with them.

    Raises:
        DatasetError: if the films or their masks are missing.
    """

    def figures(explained: ExplainedFilm) -> dict[str, float]:
        absolute, lung = explained.heat.absolute, explained.lungs.zones(SQUARE, SQUARE) > 0
        extent = np.nan if absolute is None or not lung.any() else float((absolute[lung] >= HOT).mean())
        return {**_found(explained), "amount": explained.film.amount, "extent": extent}

    measured = model.measure("films with opacities", opaque_films(folder, films), figures, scale=scale)
    rows = _means("opacities", measured.drop(columns=["amount", "extent"]))
    known = measured.dropna(subset=["amount", "extent"])
    return rows + _statistics("opacities", "extent_correlation", known, evaluation.spearman, "amount", "extent")


def randomise(network: Any, card: ModelCard, share: float, seed: int = 0) -> None:
    """Shuffle the weights of a model's top layers, so that each keeps its spread and loses its meaning.

    The sanity check of Adebayo et al. 2018 (arXiv:1810.03292): a map that stays as it was does not show what the
    network learned.

    Args:
        network: the Keras model; it is changed, so give one of your own.
        card: the model's card. The members of an ensemble are randomised each from its own top.
        share: of the layers with weights that are shuffled, 0…1; the last one always is.
        seed: of the shuffling.
    """
    rng = np.random.default_rng(seed)
    for part in [network.get_layer(member["name"]) for member in card.members] or [network]:
        layers = [layer for layer in reversed(part.layers) if layer.get_weights()]
        for layer in layers[: max(1, round(share * len(layers)))]:
            layer.set_weights(_shuffled(layer.get_weights(), rng))


def _shuffled(weights: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffle kernels whole; vectors alike, so that a channel's mean stays with its variance."""
    order: dict[int, np.ndarray] = {}
    shuffled = []
    for array in weights:
        if array.ndim == 1:
            shuffled.append(array[order.setdefault(array.size, rng.permutation(array.size))])
        else:
            shuffled.append(rng.permutation(array.ravel()).reshape(array.shape))
    return shuffled


def _scale(
    model: ExplainedModel, films: list[DrawnFilm], measured: pd.DataFrame, maps: Mapping[tuple[str, int], np.ndarray]
) -> tuple[Rows, HeatScale]:
    """Return what belongs in a model's card, and the same as rows of the benchmark's table.

    Args:
        model: whose maps they are.
        films: that it answers “likely”.
        measured: ``method, patient`` and ``peak``, the density of the hottest place, one row a film and method.
        maps: the map of each method and number of a film, on the cells that maps are compared on.
    """
    rows = _statistics("scale", "reference", measured[measured["method"].isin(METHODS)], np.median, "peak")
    peaks = {row["method"]: row["value"] for row in rows if row["value"] > 0}
    usual: dict[str, dict[str, Any]] = {}
    for first, second in itertools.combinations(model.methods, 2):
        pairs = []
        for number, film in enumerate(films):
            found = agreement.compare(maps[first, number], maps[second, number])
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
        both = _means("agreement", pd.DataFrame(pairs))
        rows += both
        if all(np.isfinite(row["value"]) for row in both):
            usual.setdefault(first, {})[second] = {
                name: {bound: row[bound] for bound in ("value", "low", "high")}
                for name, row in zip(("correlation", "overlap"), both, strict=True)
            }
    return rows, HeatScale(peaks, usual, len(films))


def _sanity(
    model: ExplainedModel, films: list[DrawnFilm], maps: Mapping[tuple[str, int], np.ndarray], level: str, share: float
) -> Rows:
    # Loaded anew, because the network is changed.
    card, network = store.load(model.card.name, model.folder)
    randomise(network, card, share)
    randomised = dataclasses.replace(model, explainer=Explainer(Classifier(card, network)))

    def figures(explained: ExplainedFilm) -> dict[str, float]:
        correlation = agreement.rank_correlation(maps[explained.heat.method, explained.number], explained.heat.values)
        # A flat map has nothing left of the one that was learned.
        return {f"correlation_{level}": correlation or 0.0}

    measured = randomised.measure(f"network randomised, {level}", films, figures, baselines=False)
    return _means("sanity", measured)


def _found(explained: ExplainedFilm) -> dict[str, float]:
    truth = _truth(explained)
    return {
        "energy": evaluation.energy_inside(explained.heat.values, truth),
        "pointing": evaluation.points_inside(explained.heat.values, truth),
        "iou": metrics.hot_iou(explained.heat.values, truth),
    }


def _truth(explained: ExplainedFilm) -> np.ndarray:
    assert explained.film.truth is not None
    return explained.film.truth


def _baseline(name: str, film: int) -> HeatMap:
    heat = baseline(name, film)
    return HeatMap(heat, name, "", heat, None)


def _means(part: str, measured: pd.DataFrame) -> Rows:
    """Return the mean of each figure over films, by method; a film whose figure is NaN is left out of that figure."""
    rows = []
    for figure in measured.columns.drop(["method", "patient"]):
        for method, films in measured.groupby("method", sort=False):
            values = films[figure].to_numpy(float)
            estimate = mean_by_patient(values, films["patient"].to_numpy(str))
            rows.append(_row(part, str(method), str(figure), estimate, int(np.isfinite(values).sum())))
    return rows


def _statistics(part: str, figure: str, measured: pd.DataFrame, statistic: Callable[..., float], *columns: str) -> Rows:
    """Return a statistic of one or more columns over films, by method."""
    rows = []
    for method, films in measured.groupby("method", sort=False):
        arrays = (films[column].to_numpy(float) for column in columns)
        estimate = by_patient(statistic, films["patient"].to_numpy(str), *arrays)
        rows.append(_row(part, str(method), figure, estimate, len(films)))
    return rows


def _row(part: str, method: str, figure: str, estimate: Estimate, films: int) -> dict[str, Any]:
    return {"part": part, "method": method, "figure": figure, **dataclasses.asdict(estimate), "films": films}
