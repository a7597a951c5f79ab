"""``card.json``, the card of a model, as a value."""

from dataclasses import dataclass, field
from typing import Any

from pneumo.evaluation.calibration import Calibration, Thresholds

CLASSIFICATION = "classification"
SEGMENTATION = "segmentation"
SCREENING = "screening"
PATHOGEN = "pathogen"


@dataclass(frozen=True)
class ModelCard:
    """``card.json``: what a model is, how it came to be, and how well it does.

    Attributes:
        name: name of the folder.
        title: for people.
        family: ``dense``, ``cnn``, ``transfer`` or ``ensemble``.
        seed_system: the published system that it stands for, or None.
        architecture: key of `pneumo.networks.classifiers.REGISTRY`, ``ensemble``, or ``cnn_search``
            (`pneumo.training.search`).
        initial_weights: what training started from.
        input: ``size``, ``channels``, ``views`` (keys of `crops.CROPS`, one a channel), ``crop``,
            ``scaling``.
        cam_layer: the layer that heat maps are drawn from, or None.
        labels: meaning of 0 and 1.
        training: data fingerprint, split rule, recipe, seconds, hardware, software versions.
        calibration: ``slope``, ``intercept``, ``prevalence``, ``fitted_on``.
        thresholds: ``decision``, ``low``, ``high``, ``chosen_on``, ``evidence`` (counts of validation films).
        metrics: per split, each figure with its 95 % interval.
        test_openings: when, and with which weights, the official test split was opened.
        parameters: number of weights.
        size_bytes: size of ``model.keras``.
        sha256: of ``model.keras``.
        members: of an ensemble ``name``, ``title``, ``view``, ``cam_layer``, ``weight`` (of its logit) and ``sha256``
            of each model in it; empty else.
        task: `CLASSIFICATION`, or for the networks that look at a film before it is classified `SEGMENTATION` (the
            lungs) and `SCREENING` (the gate), which have no calibration and figures of their own; or `PATHOGEN`, for
            the one that looks at it afterwards.
        heat: what heat maps are measured against: ``references``, by method the density of the hottest place on a film
            answered “likely” (`explainer.HeatMap`), the median over ``films`` films of ``measured_on``; and
            ``agreement`` of pairs of methods on them (`agreement.usual`). Empty where it was not measured.
        latency: milliseconds from a film's pixels to the answer: ``p50``, ``p95``, over how many ``films``, on which
            ``hardware``; empty where it was not measured.
    """

    name: str
    title: str
    family: str
    seed_system: str | None
    architecture: str
    initial_weights: str
    input: dict[str, Any]
    cam_layer: str | None
    labels: list[str]
    training: dict[str, Any]
    calibration: dict[str, Any]
    thresholds: dict[str, Any]
    parameters: int
    size_bytes: int
    sha256: str
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    test_openings: list[dict[str, str]] = field(default_factory=list)
    members: list[dict[str, Any]] = field(default_factory=list)
    task: str = CLASSIFICATION
    heat: dict[str, Any] = field(default_factory=dict)
    latency: dict[str, Any] = field(default_factory=dict)

    @property
    def heat_references(self) -> dict[str, float]:
        """The references of `heat`, by method; empty where none was measured."""
        return {method: float(density) for method, density in self.heat.get("references", {}).items()}

    def as_calibration(self) -> Calibration:
        """Return the calibration as a value that can be applied."""
        return Calibration(*(self.calibration[key] for key in ("slope", "intercept", "prevalence")))

    def as_thresholds(self) -> Thresholds:
        """Return the thresholds as a value that can be applied."""
        return Thresholds(*(self.thresholds[key] for key in ("decision", "low", "high")))
