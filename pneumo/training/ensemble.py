"""Join shipped models into one and ship that: the model folder ``ensemble``. Nothing is trained anew."""

from collections.abc import Callable
from pathlib import Path

from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.inference import gate
from pneumo.model_store import provenance, store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member
from pneumo.preprocessing.augmentation import SHARP_SHIFT
from pneumo.training import classifier, export
from pneumo.training.classifier import Stage
from pneumo.training.recipes import ENSEMBLE

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
        masks: see `aspect_ratio.aspect_ratios`.
        progress: called as the work goes on.

    Raises:
        DatasetError: if the data set is not complete enough.
        ModelError: if a member is missing or damaged, or was trained on other patients.
    """
    for name in ENSEMBLE:
        if not (gate.holder(name, out) / name / "card.json").is_file():
            raise ModelError(
                f"The ensemble joins {name}, which {out} lacks. Train it: `python -m pneumo train {name}`."
            )
    loaded = [store.load(name, gate.holder(name, out), CLASSIFICATION) for name in ENSEMBLE]
    cards, members = [card for card, _ in loaded], [Member.of(*each) for each in loaded]
    root = kaggle.find_root(data)
    table = kaggle.scan(root)
    parts = kaggle.development_split(table, fold)
    for card in cards:
        provenance.require_same_split(card, parts, fold)
    seen = ensemble.views_of(members)
    segmenter = classifier.segmenter_for(seen, out)
    judged = classifier.load_films(root, parts.validation, progress, seen, segmenter, shifted=True)
    evened = [
        classifier.hard_films(root, parts.validation, progress, seen, segmenter, draw, masks, SHARP_SHIFT)
        for draw in range(HARD_DRAWS)
    ]
    origin = export.Origin(
        title=f"Ensemble of {len(cards)} models",
        family="ensemble",
        seed_system=None,
        architecture=NAME,
        initial_weights="those of its members",
        views=seen,
        cam_layer=None,
        training={
            "data": kaggle.describe(table),
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
    return export.ship(NAME, ensemble.build(members), origin, judged, parts.validation, out, evened=evened)
