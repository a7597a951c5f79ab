"""Join shipped models into one and ship that: the model folder ``ensemble``. Nothing is trained anew."""

from collections.abc import Callable
from pathlib import Path

from pneumo import dataset, ensemble, experiment, model_store, provenance, screening, shipping
from pneumo.ensemble import Member
from pneumo.errors import ModelError
from pneumo.experiment import Stage
from pneumo.model_card import CLASSIFICATION, ModelCard
from pneumo.preprocessing import SHARP_SHIFT
from pneumo.recipes import ENSEMBLE

NAME = "ensemble"
# So many views of each validation film calibrate the whole.
HARD_DRAWS = 3


def train(
    data: Path,
    out: Path,
    *,
    fold: int = 0,
    masks: Path | None = None,
    progress: Callable[[Stage], None] = lambda _: None,
) -> ModelCard:
    """Join the models named in `recipes.ENSEMBLE`, calibrate the whole on validation films, and write its folder.

    Args:
        data: a data set in the Kaggle layout.
        out: the folder of model folders; a member that it lacks is taken from those shipped with pneumo.
        fold: which patients validate; the members must have been trained without them.
        masks: see `framing.aspect_ratios`.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough.
        ModelError: if a member is missing or damaged, or was trained on other patients.
    """
    for name in ENSEMBLE:
        if not (screening.holder(name, out) / name / "card.json").is_file():
            raise ModelError(
                f"The ensemble joins {name}, which {out} lacks. Train it: `python -m pneumo train {name}`."
            )
    loaded = [model_store.load(name, screening.holder(name, out), CLASSIFICATION) for name in ENSEMBLE]
    cards, members = [card for card, _ in loaded], [Member.of(*each) for each in loaded]
    root = dataset.find_root(data)
    table = dataset.scan(root)
    parts = dataset.development_split(table, fold)
    for card in cards:
        provenance.require_same_split(card, parts, fold)
    seen = ensemble.views_of(members)
    segmenter = experiment.segmenter_for(seen, out)
    judged = experiment.load_films(root, parts.validation, progress, seen, segmenter, shifted=True)
    evened = [
        experiment.hard_films(root, parts.validation, progress, seen, segmenter, draw, masks, SHARP_SHIFT)
        for draw in range(HARD_DRAWS)
    ]
    origin = shipping.Origin(
        title=f"Ensemble of {len(cards)} models",
        family="ensemble",
        seed_system=None,
        architecture=NAME,
        initial_weights="those of its members",
        views=seen,
        cam_layer=None,
        training={
            "data": dataset.describe(table),
            **provenance.split_facts(parts, fold),
            "rule": "mean of the members' calibrated logits, each the mean of the view and its mirror image",
            "seconds": round(sum(card.training["seconds"] for card in cards), 1),
            **provenance.machine(),
        },
        members=[
            {
                "name": card.name,
                "title": card.title,
                "view": card.input["views"][0],
                "cam_layer": card.cam_layer,
                "weight": round(card.calibration["slope"] / len(cards), 6),
                "sha256": card.sha256,
                "training": card.training,
            }
            for card in cards
        ],
    )
    return shipping.ship(NAME, ensemble.build(members), origin, judged, parts.validation, out, evened=evened)
