"""What a model's heat maps are worth: against lungs, boxes and opacities that humans drew, against the model itself,
and against maps that have not seen the film.

Nothing is chosen by these figures, and no label is read: of the films of the official test split only the lungs are
looked at.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pneumo.datasets import external, kaggle
from pneumo.errors import DatasetError, ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.explanation.cam import METHODS
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard, tidy
from pneumo.results import markdown_tables
from research.heat_maps.metrics import BASELINES, LEVELS

if TYPE_CHECKING:
    from pneumo.training.films import Stage

FILMS = 100
# What may be measured on its own, and what it is in words.
MEASURES = {
    "likely": "films answered “likely”",
    "unlikely": "films answered “unlikely”",
    "lungs": "lungs on the official test films",
    "boxes": "boxes around pneumonia",
    "opacities": "drawn opacities",
}
COLUMNS = ["part", "method", "figure", "value", "low", "high", "films"]
# What the table calls its parts and figures, in words.
PARTS = {
    "scale": "Heat on the absolute scale",
    "agreement": "Likely films, two methods each",
    "faithfulness": "Likely films, taken away and put together",
    "sanity": "Network randomised",
    "lungs": "Official test films, lungs drawn",
    "boxes": "NIH, boxes drawn",
    "opacities": "Adults, opacities drawn",
}
# The folders of the films that some measures need: places that a model learned from are no evidence.
LEARNED = {"boxes": "external_nih", "opacities": external.DRAWN_FOLDER}
FIGURES = {
    "reference": "hottest place of likely films, logits per film, median",
    **{f"agreement_{method}": f"rank correlation with {title}" for method, title in METHODS.items()},
    **{f"overlap_{method}": f"overlap of the hottest tenth with {title}" for method, title in METHODS.items()},
    "unlikely": "hottest place of unlikely films as a share of that, median",
    "deletion": "area under deletion, lower is better",
    "insertion": "area under insertion, higher is better",
    **{f"correlation_{level}": f"rank correlation after {level}" for level in LEVELS},
    "energy": "share of heat inside",
    "energy_likely": "share of heat inside, likely films",
    "pointing": "hottest place inside",
    "iou": "IoU of what is hot",
    "extent_correlation": "rank correlation of extent with drawn share",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Benchmark:
    """What was measured.

    Attributes:
        card: of the model, with the heat references where they were measured.
        table: `COLUMNS`, a row a figure; ``method`` is a key of `METHODS` or of `BASELINES`.
        left_out: a sentence for each part that could not be measured.
    """

    card: ModelCard
    table: pd.DataFrame
    left_out: tuple[str, ...]


def run(
    name: str,
    data: Path,
    folder: Path | None = None,
    *,
    films: int = FILMS,
    methods: Sequence[str] = tuple(METHODS),
    measures: Sequence[str] = tuple(MEASURES),
    references_only: bool = False,
    progress: Callable[["Stage"], None] = lambda _: None,
) -> Benchmark:
    """Measure the heat maps of a model.

    Args:
        name: of the model folder.
        data: a data set in the Kaggle layout; ``lung_masks``, ``external_nih`` and ``opacity_masks`` are looked for
            beside it.
        folder: the folder of model folders.
        films: at the most this many in each part, drawn with a fixed seed.
        methods: keys of `METHODS`.
        measures: keys of `MEASURES`.
        references_only: measure only what the model's card keeps, `ModelCard.heat`.
        progress: called as the work goes on.

    Raises:
        ModelError: if the model cannot be loaded.
        ExplanationError: if it has no feature maps.
        DatasetError: if there is no film for any part.
        ValueError: if there is no such method or measure.
    """
    if unknown := [method for method in methods if method not in METHODS]:
        raise ValueError(f"There is no method {unknown[0]!r}. Choose among: {', '.join(METHODS)}.")
    if unknown := [measure for measure in measures if measure not in MEASURES]:
        raise ValueError(f"There is no measure {unknown[0]!r}. Choose among: {', '.join(MEASURES)}.")
    from research.heat_maps import measures as measured

    model = measured.ExplainedModel.open(name, folder, methods, progress)
    root, beside = _places(data)
    scale = measured.HeatScale(model.card.heat_references)
    rows: list[dict[str, Any]] = []
    left_out = []
    card = model.card
    trainings = (card.training, *(member["training"] for member in card.members))
    learned = {folder for training in trainings for folder in training.get("learned_places_from", ())}
    # The first measures the references that the second and the last need.
    for measure in MEASURES:
        if measure not in (["likely"] if references_only else measures):
            continue
        try:
            if LEARNED.get(measure) in learned:
                raise DatasetError("{title} learned the places of these films.", title=card.title)
            if measure == "likely":
                of_likely = measured.references if references_only else measured.likely
                found, scale = of_likely(model, root(), films)
                card = dataclasses.replace(card, heat=tidy(scale.as_card()))
            elif measure == "unlikely":
                found = measured.unlikely(model, scale, root(), films)
            elif measure == "lungs":
                found = measured.lungs(model, root(), beside / "lung_masks", films)
            elif measure == "boxes":
                found = measured.boxes(model, beside / "external_nih", films)
            else:
                found = measured.opacities(model, scale, beside / "opacity_masks", films)
        except (DatasetError, ModelError) as error:
            left_out.append(f"Not measured: {MEASURES[measure]}. {error}")
        else:
            rows += found
    if not rows:
        raise DatasetError(f"There is nothing to measure heat maps on. {' '.join(left_out)}")
    return Benchmark(card, _in_order(pd.DataFrame(rows, columns=COLUMNS)), tuple(left_out))


def write(benchmark: Benchmark, folder: Path | None = None) -> Path:
    """Store the table in the model's folder and the references in its card; return the table's path.

    Of a table that is there, the figures that were not measured now are kept.
    """
    path = (folder or store.models_folder()) / benchmark.card.name / store.EXPLANATION
    table = benchmark.table
    if path.is_file():
        table = pd.concat([pd.read_csv(path), table]).drop_duplicates(["part", "method", "figure"], keep="last")
    _in_order(table).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")
    store.write_card(benchmark.card, folder)
    return path


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    place = {name: number for number, name in enumerate((*PARTS, *FIGURES, *METHODS, *BASELINES))}
    return table.sort_values(["part", "figure", "method"], key=lambda names: names.map(place), ignore_index=True)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a `Benchmark` in words, a row a figure and a column a method.

    Returns:
        Columns ``Films``, ``Figure``, and one for each method and baseline; a dash where it was not measured.
    """
    rows = []
    for (part, figure), group in table.groupby(["part", "figure"], sort=False):
        counts = sorted({int(count) for count in group["films"]})
        extent = "–".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        cells = {
            {**METHODS, **BASELINES}[each["method"]]: str(Estimate(each["value"], each["low"], each["high"]))
            for each in group.to_dict("records")
            if np.isfinite(each["value"])
        }
        rows.append({"Films": f"{PARTS[str(part)]} ({extent})", "Figure": FIGURES[str(figure)], **cells})
    return pd.DataFrame(rows).fillna("–")


def markdown(table: pd.DataFrame) -> str:
    """Return the table of a `Benchmark` as it stands in docs/figures.md."""
    return markdown_tables.table(readable(table))


def record(benchmark: Benchmark) -> dict[str, Any]:
    """Return a benchmark for JSON, with null for what the films cannot tell."""
    figures = [tidy(row) for row in benchmark.table.to_dict("records")]
    card = benchmark.card
    return {
        "model": card.name,
        "model_sha256": card.sha256,
        "heat": card.heat,
        "figures": figures,
        "left_out": list(benchmark.left_out),
    }


def _places(data: Path) -> tuple[Callable[[], Path], Path]:
    """Return what gives the data set's root or says that there is none, and the folder that other sets lie in."""
    try:
        root = kaggle.find_root(data)
    except DatasetError:
        return lambda: kaggle.find_root(data), data
    return lambda: root, root.parent
