"""How far to trust a heat map: how far two ways to draw it agree, and what was measured of a model's maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation import metrics
from pneumo.evaluation.intervals import Estimate
from pneumo.explanation.explainer import OPACITY
from pneumo.explanation.regions import hottest
from pneumo.inference import opacity
from pneumo.model_store import store
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    from pneumo.model_store.card import ModelCard

# Maps are compared on as many cells as the finest feature maps of the shipped models have.
_GRID = 32


@dataclass(frozen=True)
class Agreement:
    """How alike two maps of one film are.

    Attributes:
        correlation: Spearman's rank correlation of their cells over the whole film, −1…1.
        overlap: what the hottest tenths of both share, of what either has, 0…1.
    """

    correlation: float
    overlap: float


@dataclass(frozen=True)
class UsualAgreement:
    """How alike the maps of two methods are on films that a model answers “likely”, each a mean with its interval.

    Attributes:
        correlation: as in `Agreement`.
        overlap: as in `Agreement`.
    """

    correlation: Estimate
    overlap: Estimate


def compare(first: np.ndarray, second: np.ndarray) -> Agreement | None:
    """Return how far two maps of a film agree; None where one of them is flat, so that none of its places is hotter.

    Args:
        first: (height, width) float, zero or more.
        second: (height, width) float, not necessarily of the same shape.
    """
    correlation = rank_correlation(first, second)
    if correlation is None:
        return None
    return Agreement(correlation, metrics.iou(hottest(cells(first)), hottest(cells(second))))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Return Spearman's rank correlation of two maps of a film, −1…1, on `_GRID` x `_GRID` cells; None if one is flat.

    Args:
        first: (height, width) float.
        second: (height, width) float, not necessarily of the same shape.
    """
    correlation = metrics.spearman(cells(first).ravel(), cells(second).ravel())
    return None if np.isnan(correlation) else correlation


def cells(heat: np.ndarray) -> np.ndarray:
    """Return a map on the `_GRID` x `_GRID` cells that maps are compared on, float32."""
    return cv2.resize(heat.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA)


def usual(card: "ModelCard", first: str, second: str) -> UsualAgreement | None:
    """Return how far two methods agree on validation films that the model answers “likely”; None if not measured.

    Args:
        card: of the model.
        first: key of `cam.METHODS`.
        second: another.
    """
    by_method = card.heat.get("agreement", {})
    figures = by_method.get(first, {}).get(second) or by_method.get(second, {}).get(first)
    if not figures:
        return None
    return UsualAgreement(Estimate(**figures["correlation"]), Estimate(**figures["overlap"]))


def in_words(found: Agreement, typical: UsualAgreement | None = None) -> Sentence:
    """Say how far two maps agree, beside what is usual where that was measured.

    As in ``rank correlation 0.81 (usually 0.80, 0.77 to 0.83); their hottest tenths overlap by 46 % (usually 45 %, 41
    to 49 %).``
    """
    parts = {"correlation": _signed(found.correlation), "overlap": 100 * found.overlap}
    if typical is None:
        return say(
            "rank correlation {correlation}; their hottest tenths overlap by {overlap:.0f} %.",
            **parts,
        )
    usual_correlation = {f"c_{end}": _signed(value) for end, value in vars(typical.correlation).items()}
    usual_overlap = {f"o_{end}": 100 * value for end, value in vars(typical.overlap).items()}
    return say(
        "rank correlation {correlation} (usually {c_value}, {c_low} to {c_high}); their hottest tenths overlap by "
        "{overlap:.0f} % (usually {o_value:.0f} %, {o_low:.0f} to {o_high:.0f} %).",
        **parts,
        **usual_correlation,
        **usual_overlap,
    )


def _signed(figure: float) -> Sentence:
    """Write a correlation with a minus sign, not a hyphen."""
    if round(figure, 2) < 0:
        return say("−{figure:.2f}", figure=-figure)
    return say("{figure:.2f}", figure=abs(figure))


def read(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read the figures: ``part, method, figure, value, low, high, films``.

    Raises:
        ModelError: if the heat maps were not measured, or the file is damaged.
    """
    path = (folder or store.models_folder()) / name / store.EXPLANATION
    try:
        table = pd.read_csv(path)
        return table.astype({"value": float, "low": float, "high": float, "films": int})
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            "The heat maps of {name} were not measured. Run `python -m research.heat_maps --model {name} --write`.",
            name=name,
        ) from error


def figure(name: str, part: str, method: str, wanted: str, folder: Path | None = None) -> Estimate | None:
    """Return one figure of a model's heat maps; None where it was not measured.

    Args:
        name: of the model folder.
        part: such as ``lungs``, a key of `benchmark.PARTS`.
        method: key of `cam.METHODS`.
        wanted: such as ``energy``, a key of `benchmark.FIGURES`.
        folder: the folder of model folders.
    """
    try:
        table = read(name, folder)
    except ModelError:
        return None
    rows = table[(table["part"] == part) & (table["method"] == method) & (table["figure"] == wanted)]
    if rows.empty or rows["value"].isna().any():
        return None
    return Estimate(*rows[["value", "low", "high"]].to_numpy(float)[0].tolist())


@dataclass(frozen=True)
class Worth:
    """What a model's maps were measured to be worth at finding opacities that people drew.

    Attributes:
        is_none: whether they find them no better than a blob in the middle of the film does.
        words: what a reader must know of it; None where the maps are better than that.
    """

    is_none: bool
    words: Sentence | None


def worth(name: str, method: str, folder: Path | None = None) -> Worth:
    """Say what the maps of a model are worth: whether their overlap (IoU) with drawn opacities is that of a blob.

    They are worth more where the lower end of their 95 % interval lies above the figure of the blob.

    Args:
        name: of the model folder.
        method: key of `explainer.MAPS`; of the opacity map it is enough that it was measured.
        folder: the folder of model folders.
    """
    if method == OPACITY and opacity.error_of(store.read_card(opacity.NAME, folder)):
        return Worth(False, None)
    found, blob = (figure(name, "opacities", each, "iou", folder) for each in (method, "centre"))
    if found is None or blob is None:
        return Worth(False, say("Whether this map finds disease was not measured."))
    if found.low > blob.value:
        return Worth(False, None)
    return Worth(
        True,
        say(
            "This map finds disease no better than a blob in the middle of the film would, so it is off. “Heat map” "
            "shows it all the same."
        ),
    )
