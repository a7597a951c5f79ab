"""Search the family of small CNNs on validation films, train the best one in full, and ship it as ``cnn_search``.

The official test split is not read.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd

from pneumo import dataset, experiment, provenance, search, shipping, training, views
from pneumo.experiment import Stage
from pneumo.model_card import ModelCard
from pneumo.model_store import SELECTION_SPLIT
from pneumo.search import JUDGED_BY, Trial
from pneumo.search_space import NAME
from pneumo.training import Progress

SEED_SYSTEM = "12 CNNs compared on validation, the best kept"
# What the winner is trained for in the end.
FULL_EPOCHS = 12


@dataclass(frozen=True)
class Outcome:
    """A search that is done: the card of the shipped winner, which trial that was, and all trials by number."""

    card: ModelCard
    winner: Trial
    trials: list[Trial]


def run(
    data: Path,
    out: Path,
    *,
    trials: int = 12,
    epochs: int = 4,
    fold: int = 0,
    seed: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    progress: Callable[[Stage], None] = lambda _: None,
    told: Callable[[Trial], None] = lambda _: None,
) -> Outcome:
    """Try configurations, train the best one anew and in full, and write ``<out>/cnn_search/``.

    Args:
        data: a data set in the Kaggle layout.
        out: the folder of model folders.
        trials: how many are to be complete or pruned.
        epochs: of each trial.
        fold: which patients validate, see `dataset.development_split`.
        seed: of the proposals and of each training run, 0…1,000,000.
        folder: where the search keeps its state; ``runs/search`` in the working folder where None.
        resume: go on with the search in ``folder``. A trial that was cut off has failed, and is run again.
        progress: called as the work goes on.
        told: called with each trial that ends.

    Raises:
        DatasetError: if the data set is not complete enough to train on.
        ImageError: if a film cannot be read.
        ValueError: if the search in ``folder`` is of other films or settings or cannot be read, or all trials diverge.
    """
    root = dataset.find_root(data)
    table = dataset.scan(root)
    parts = dataset.development_split(table, fold)
    folder = folder or Path("runs") / "search"
    settings = {"films": dataset.fingerprint(pd.concat(parts)), "fold": fold, "epochs": epochs, "seed": seed}
    study = search.open_study(folder, settings, resume)

    films = experiment.load_films(root, parts.train, progress)
    judged = experiment.load_films(root, parts.validation, progress)
    while (done := search.finished(study)) < trials:
        told(search.attempt(study, films, judged, epochs, seed, _reporter(progress, f"trial {done + 1} of {trials}")))

    best = search.best(study)
    winner, configuration = search.summary(best), search.configuration_of(best)
    recipe = configuration.recipe(FULL_EPOCHS, seed)
    model = search.fresh_model(configuration, seed)
    history = training.fit(
        model,
        films,
        judged,
        recipe,
        folder / f"winner-{winner.number}",
        resume=resume,
        progress=lambda now: progress(Stage.training(now)),
    )

    tried = [search.summary(trial) for trial in study.trials]
    finished = [trial for trial in tried if trial.state != "failed"]
    origin = shipping.Origin(
        title=f"Best of {len(finished)} CNNs",
        family="cnn",
        seed_system=SEED_SYSTEM,
        architecture=NAME,
        initial_weights=provenance.initial_weights(None),
        views=[views.FILM],
        cam_layer=configuration.cam_layer,
        training={
            "data": dataset.describe(table),
            **provenance.training_facts(
                parts, fold, dataclasses.asdict(recipe), history, JUDGED_BY, f"AUROC on {SELECTION_SPLIT}"
            ),
            "configuration": dataclasses.asdict(configuration),
            "search": {
                "trials": len(finished),
                "pruned": sum(trial.state == "pruned" for trial in finished),
                "winner": winner.number,
                "epochs": epochs,
                "seed": seed,
                "seconds": round(sum(trial.seconds for trial in tried), 1),
                "sampler": f"tree-structured Parzen estimator of Optuna {optuna.__version__}",
            },
        },
    )
    card = shipping.ship(NAME, model, origin, judged, parts.validation, out, history)
    search.write_trials(tried, out / NAME / "trials.csv")
    return Outcome(card, winner, tried)


def _reporter(progress: Callable[[Stage], None], what: str) -> Callable[[Progress], None]:
    return lambda now: progress(Stage.training(now, what, with_epoch=False))
