"""The parts of the benchmark of heat maps: each takes films of one kind and returns rows of the benchmark's table."""

from pathlib import Path
from typing import Any

import numpy as np

from pneumo import radiograph
from pneumo.explanation import agreement, heat_findings
from pneumo.explanation.cam import METHODS
from pneumo.explanation.explainer import Explainer
from pneumo.inference.classifier import Classifier
from pneumo.model_store.card import ModelCard
from pneumo.preprocessing import network_input
from research.heat_maps import metrics, references
from research.heat_maps.bench import Bench, Case, means, statistics
from research.heat_maps.films import DrawnFilm, answered, boxed_films, films_with_lungs, opaque_films

Rows = list[dict[str, Any]]
# How much of a network is randomised, from the top: its last unit, then shares of its layers with weights.
LEVELS = {"top": 0.0, "half": 0.5, "all": 1.0}


def likely(bench: Bench, root: Path, films: int) -> Rows:
    """Measure, on validation films that the model answers “likely”, the references, and whether maps show the model.

    The references and the agreement of the methods are kept in the bench. Whether the model's probability falls as the
    hottest places give way to a film answered “unlikely” says how faithful a map is; how little of it is left once the
    network is randomised, whether it shows what the network learned.

    Args:
        bench: the model.
        root: of the data set.
        films: how many at the most.

    Raises:
        DatasetError: if there are no such films.
        ModelError: if the model was not measured on validation films.
    """
    chosen = answered(root, bench.classifier.card, bench.folder, "likely", films)
    healthy = answered(root, bench.classifier.card, bench.folder, "unlikely", films)
    learned: dict[tuple[str, int], np.ndarray] = {}

    def figures(case: Case) -> dict[str, float]:
        if case.heat.method in METHODS:
            learned[case.heat.method, case.number] = agreement.cells(case.heat.values)
        square = network_input.film_square(case.assessment.radiograph.pixels)
        instead = network_input.film_square(radiograph.read(healthy[case.number % len(healthy)].path).pixels)
        deleted, inserted = metrics.taken_away(square, case.heat.values, instead, case.number)
        probability = bench.probability(np.concatenate([deleted, inserted]), case.lungs)
        return {
            "peak": float(case.heat.density.max()),
            "deletion": metrics.area_under(probability[: len(deleted)]),
            "insertion": metrics.area_under(probability[len(deleted) :]),
        }

    measured = bench.measure("likely films", chosen, figures)
    rows = references.keep(bench, chosen, measured, learned)
    rows += means("faithfulness", measured.drop(columns="peak"))
    for level, share in LEVELS.items():
        rows += _sanity(bench, chosen, learned, level, share)
    return rows


def unlikely(bench: Bench, root: Path, films: int) -> Rows:
    """Measure how warm validation films get that the model answers “unlikely”, as a multiple of the reference.

    Raises:
        DatasetError: if there are no such films.
        ModelError: if the model was not measured on validation films.
    """
    chosen = answered(root, bench.classifier.card, bench.folder, "unlikely", films)

    def figures(case: Case) -> dict[str, float]:
        return {"peak": float(case.heat.density.max()) / (case.heat.reference or np.nan)}

    measured = bench.measure("unlikely films", chosen, figures, baselines=False)
    return statistics("scale", "unlikely", measured, np.median, "peak")


def lungs(bench: Bench, root: Path, masks: Path, films: int) -> Rows:
    """Measure how much of the heat lies inside the lungs that humans drew on the films of the official test split.

    Raises:
        DatasetError: if the test split or the masks are missing.
    """

    def figures(case: Case) -> dict[str, float]:
        energy = metrics.energy_inside(case.heat.values, _truth(case))
        return {"energy": energy, "energy_likely": energy if case.assessment.answer == "likely" else np.nan}

    chosen = films_with_lungs(root, masks, films)
    return means("lungs", bench.measure("official test films", chosen, figures))


def boxes(bench: Bench, folder: Path, films: int) -> Rows:
    """Measure how well heat maps find the boxes that radiologists drew around pneumonia.

    Raises:
        DatasetError: if the films or their boxes are missing.
    """
    chosen = boxed_films(folder, films)
    return means("boxes", bench.measure("films with boxes", chosen, _found))


def opacities(bench: Bench, folder: Path, films: int) -> Rows:
    """Measure how well heat maps find drawn opacities, and whether their extent grows with them.

    Raises:
        DatasetError: if the films or their masks are missing.
    """

    def figures(case: Case) -> dict[str, float]:
        absolute = case.heat.absolute
        zones = case.lungs.zones(*case.heat.values.shape)
        extent = None if absolute is None else heat_findings.lung_extent(absolute, zones)
        return {**_found(case), "amount": case.film.amount, "extent": extent.share if extent else np.nan}

    measured = bench.measure("films with opacities", opaque_films(folder, films), figures)
    rows = means("opacities", measured.drop(columns=["amount", "extent"]))
    known = measured.dropna(subset=["amount", "extent"])
    return rows + statistics("opacities", "extent_correlation", known, metrics.spearman, "amount", "extent")


def randomise(model: Any, card: ModelCard, share: float, seed: int = 0) -> None:
    """Shuffle the weights of a model's top layers, so that each keeps its spread and loses its meaning.

    The sanity check of Adebayo et al. 2018 (arXiv:1810.03292): a map that stays as it was does not show what the
    network learned.

    Args:
        model: the Keras model; it is changed, so give one of your own.
        card: the model's card. The members of an ensemble are randomised each from its own top.
        share: of the layers with weights that are shuffled, 0…1; the last one always is.
        seed: of the shuffling.
    """
    rng = np.random.default_rng(seed)
    for network in [model.get_layer(member["name"]) for member in card.members] or [model]:
        layers = [layer for layer in reversed(network.layers) if layer.get_weights()]
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


def _found(case: Case) -> dict[str, float]:
    heat, truth = case.heat.values, _truth(case)
    return {
        "energy": metrics.energy_inside(heat, truth),
        "pointing": metrics.points_inside(heat, truth),
        "iou": metrics.hot_iou(heat, truth),
    }


def _truth(case: Case) -> np.ndarray:
    assert case.film.truth is not None
    return case.film.truth


def _sanity(
    bench: Bench, films: list[DrawnFilm], learned: dict[tuple[str, int], np.ndarray], level: str, share: float
) -> Rows:
    # Loaded anew, because the network is changed.
    forgetful = Classifier.open(bench.classifier.card.name, bench.folder)
    randomise(forgetful.model, forgetful.card, share)

    def figures(case: Case) -> dict[str, float]:
        correlation = agreement.rank_correlation(learned[case.heat.method, case.number], case.heat.values)
        # A flat map has nothing left of the one that was learned.
        return {f"correlation_{level}": correlation or 0.0}

    explainer = Explainer(forgetful)
    return means(
        "sanity", bench.measure(f"network randomised, {level}", films, figures, baselines=False, explainer=explainer)
    )
