"""Train any network of pneumo and ship it as a model folder; measure any that is shipped.

`Task` says what is particular to a kind of network; `train` and `evaluate` do what all have in common. The official
test split is not read while training: a folder comes out of `train` with validation figures only, its configuration
frozen. `evaluate` opens the test split, and the card counts each time.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import pandas as pd

from pneumo.datasets import hospitals, kaggle
from pneumo.datasets.hospitals import Hospitals
from pneumo.errors import DatasetError, ModelError
from pneumo.inference.foreign import KnownHospitals
from pneumo.labels import hospital_split, without_other_disease
from pneumo.model_store import store, weights
from pneumo.model_store.card import CLASSIFICATION, ModelCard, with_test_opened
from pneumo.networks import classifiers
from pneumo.preprocessing import crops, network_input
from pneumo.training import films, foreign
from pneumo.training.films import Report, silent
from pneumo.training.loop import Recipe

if TYPE_CHECKING:
    from pneumo.training.workers import Team


@dataclass(frozen=True)
class Run:
    """One training: what was asked for, and the films that it may learn from.

    Attributes:
        name: of the network and of its folder.
        data: a data set in the Kaggle layout.
        out: the folder of model folders.
        weights: a file or ``imagenet``; random where None.
        epochs: in place of the recipe's.
        fold: which patients validate, see `kaggle.development_split`.
        masks: see `lung_masks.aspect_ratios` and `pneumo.training.lungs`.
        checkpoints: where they go.
        resume: go on from the checkpoints.
        progress: called as the work goes on.
        hospitals: folders of other hospitals to learn from besides, see `hospitals.read`.
        leave_out: hospitals in them that are not learned from; the network is measured there.
        team: the workers that train with this process; None where it trains alone.
        left_out_runs: folders of model folders with the same members, each trained without a hospital; for networks
            that join others, see `pneumo.training.ensemble`.
    """

    name: str
    data: Path
    out: Path
    weights: str | Path | None
    epochs: int | None
    fold: int
    masks: Path | None
    checkpoints: Path
    resume: bool
    progress: Report
    hospitals: Sequence[Path] = ()
    leave_out: Sequence[str] = ()
    team: "Team | None" = None
    left_out_runs: Sequence[Path] = ()

    def recipe(self, usual: Recipe) -> Recipe:
        """Return a recipe with the epochs that were asked for and the workers that there are."""
        workers = self.team.size if self.team else 1
        return dataclasses.replace(usual, epochs=self.epochs or usual.epochs, workers=workers)

    @cached_property
    def root(self) -> Path:
        """The folder that the files of `table` are relative to."""
        return kaggle.find_root(self.data)

    @cached_property
    def table(self) -> pd.DataFrame:
        """All films, see `kaggle.scan`."""
        return kaggle.scan(self.root)

    @cached_property
    def parts(self) -> kaggle.Development:
        """The films to learn from and those that validate."""
        return kaggle.development_split(self.table, self.fold)

    @cached_property
    def elsewhere(self) -> Hospitals:
        """The films of the other hospitals."""
        return hospitals.read(self.hospitals, self.table)

    @cached_property
    def learned(self) -> pd.DataFrame:
        """All films to learn from, with a column ``hospital``; the files of other hospitals are absolute paths."""
        home = self.parts.train.assign(hospital=hospitals.HOME)
        if not self.hospitals:
            return home
        return pd.concat([home, self.elsewhere.to_learn_from(self.leave_out)], ignore_index=True)

    @cached_property
    def away(self) -> dict[str, pd.DataFrame]:
        """The films of each hospital that is left out, as far as a person read them."""
        return {hospital: self.elsewhere.of_both_classes(hospital) for hospital in self.leave_out}


@dataclass(frozen=True, eq=False)
class Finish:
    """What is chosen and measured on the network as a user will load it.

    Attributes:
        calibration: as in `ModelCard`.
        thresholds: as in `ModelCard`.
        predictions: by split, a table with the `Task.columns`.
        known: the hospitals that the network learned from, by which foreign films are told; None where it tells none.
    """

    calibration: dict[str, Any]
    thresholds: dict[str, Any]
    predictions: dict[str, pd.DataFrame]
    known: KnownHospitals | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that was trained, and what its card says of where it comes from.

    Attributes:
        model: the network.
        finish: given the network as it was stored, returns its `Finish`.
        crop_names: keys of `crops.CROPS`, one a channel of the input.
        history: one row an epoch.
        others: as of `ModelCard`.
    """

    model: keras.Model
    finish: Callable[[keras.Model], Finish]
    title: str
    family: str
    architecture: str
    initial_weights: str
    training: dict[str, Any]
    seed_system: str | None = None
    crop_names: Sequence[str] = (crops.FILM,)
    cam_layer: str | None = None
    labels: Sequence[str] = kaggle.LABELS
    members: Sequence[dict[str, Any]] = ()
    history: Sequence[dict[str, float]] = ()


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is to be measured: a shipped network on the films of a split.

    Attributes:
        card: of the network.
        model: the network.
        split: whose films they are.
        root: the folder that the films are relative to.
        table: the films, as `kaggle.scan` lists them, or as `Task.elsewhere` does.
        out: the folder of model folders.
        masks: see `Run`.
        progress: called as the work goes on.
    """

    card: ModelCard
    model: keras.Model
    split: str
    root: Path
    table: pd.DataFrame
    out: Path
    masks: Path | None
    progress: Report


@dataclass(frozen=True)
class Task:
    """What is particular to a kind of network.

    Attributes:
        kind: `ModelCard.task`.
        splits: that it can be measured on.
        columns: of its predictions.
        figures: those of them that a film may lack.
        fit: trains it.
        measure: returns a table with `columns` for the split, and for each part of it that is measured apart.
        summarise: given predictions as they were read again and the card, returns the metrics for the card.
        elsewhere: what lists the films of a split that is a folder of its own and no data set in the Kaggle layout.
        pretrained: whether training starts from ImageNet weights where none are named.
        hospitals: whether it can learn from other hospitals besides.
        workers: whether several workers can train it.
        joins: whether it joins models that are trained already.
    """

    kind: str
    splits: Sequence[str]
    columns: Sequence[str]
    fit: Callable[[Run], Trained]
    measure: Callable[[Measurement], dict[str, pd.DataFrame]]
    summarise: Callable[[pd.DataFrame, ModelCard], dict[str, Any]]
    figures: Sequence[str] = ()
    elsewhere: Mapping[str, Callable[[Path], pd.DataFrame]] = field(default_factory=dict)
    pretrained: bool = False
    hospitals: bool = False
    workers: bool = False
    joins: bool = False

    def predictions(self, name: str, split: str, folder: Path | None = None) -> pd.DataFrame:
        """Read what such a network, shipped under a name, gave for each film of a split."""
        return store.read_predictions(name, split, folder, self.columns, self.figures)


def special() -> dict[str, Task]:
    """Return, by name, the tasks that are no classifier of one architecture."""
    # They are built of what is defined here.
    from pneumo.training import ensemble, gate, lungs, opacity, pathogen, places
    from pneumo.training.recipes import JOINED

    joined = dict.fromkeys(JOINED, ensemble.TASK)
    return joined | {each.NAME: each.TASK for each in (places, lungs, gate, pathogen, opacity)}


def of_name(name: str) -> Task:
    """Return the task of a network; any name but those of `special` is a classifier's."""
    from pneumo.training import classifier

    architecture = classifiers.REGISTRY.get(name)
    return special().get(name) or dataclasses.replace(
        classifier.TASK, pretrained=bool(architecture and architecture.pretrained)
    )


def train(
    name: str,
    data: str | Path,
    out: str | Path,
    *,
    weights: str | Path | None = None,
    epochs: int | None = None,
    fold: int = 0,
    masks: Path | None = None,
    checkpoints: Path | None = None,
    resume: bool = False,
    progress: Report = silent,
    hospitals: Sequence[Path] = (),
    leave_out: Sequence[str] = (),
    team: "Team | None" = None,
    left_out_runs: Sequence[Path] = (),
) -> ModelCard:
    """Train a network by its recipe and write ``<out>/<name>/``.

    Args:
        name: key of `classifiers.REGISTRY`, or ``ensemble``, ``everywhere``, ``everywhere_places``, ``lungs``,
            ``gate``, ``pathogen`` or ``opacity``.
        data: a data set in the Kaggle layout.
        out: the folder of model folders; a network that another is built on and that is missing there is taken from
            those shipped with pneumo.
        weights: a file, ``imagenet`` or ``none``; ``imagenet`` for transfer models where None.
        epochs: in place of the recipe's.
        fold: which patients validate, see `kaggle.development_split`.
        masks: lung masks, a folder; ``lung_masks`` beside the data set where None.
        checkpoints: where they go; ``runs/<name>`` in the working folder where None.
        resume: go on from the checkpoints.
        progress: called as the work goes on.
        hospitals: see `Run`; for classifiers.
        leave_out: see `Run`.
        team: see `Run`; the chief writes the folder.
        left_out_runs: see `Run`.

    Raises:
        DatasetError: if the data set is not complete enough to train on, or a table of hospitals is at fault.
        ImageError: if a film cannot be read.
        ModelError: if a network that this one is built on is missing, or was trained on other patients.
        ValueError: for an unknown name or weights that are not there.
        WorkerError: if another worker is gone.
    """
    data, out = Path(data), Path(out)
    known = [*classifiers.REGISTRY, *special()]
    if name not in known:
        raise ValueError(f"There is no architecture {name!r}. Choose one of: {', '.join(known)}.")
    task = of_name(name)
    start = "imagenet" if weights is None and task.pretrained else None if weights == "none" else weights
    if leave_out and not hospitals:
        raise ValueError("To leave a hospital out, name the folders of hospitals with --hospitals.")
    if hospitals and not task.hospitals:
        raise ValueError(
            f"{name} cannot learn from several hospitals; only opacity and classifiers of one network can."
        )
    if team and not task.workers:
        raise ValueError(
            f"{name} cannot be trained by several workers; only lungs, pathogen and classifiers of one network can."
        )
    if left_out_runs and not task.joins:
        raise ValueError(f"{name} is trained, and joins no other models. Leave --left-out-run out.")
    folder = checkpoints or Path("runs") / name
    asked = (name, data, out, start, epochs, fold, masks, folder, resume, progress, hospitals, leave_out, team)
    run = Run(*asked, left_out_runs=left_out_runs)
    trained = task.fit(run)
    return team.from_chief(lambda: ship(name, task, trained, out)) if team else ship(name, task, trained, out)


def evaluate(
    name: str,
    data: Path,
    split: str = "test",
    folder: Path | None = None,
    progress: Report = silent,
    masks: Path | None = None,
    hospital: str | None = None,
    left_out_run: Path | None = None,
) -> ModelCard:
    """Measure a shipped network on a split, rewrite its predictions and its card.

    Args:
        name: of the model folder.
        data: a data set in the Kaggle layout, or for `hospital` and a split of `Task.elsewhere` a folder with
            ``labels.csv``.
        split: one of `Task.splits`.
        folder: the folder of model folders.
        progress: called as the work goes on.
        masks: see `train`.
        hospital: measure on this hospital's films that a person read, in place of a split; for classifiers.
        left_out_run: a folder of model folders with the same network, trained by the same recipe without `hospital`:
            where the shipped one learned from that hospital, this one is measured in its place.

    Raises:
        ModelError: if the network cannot be loaded, or that of `left_out_run` was trained otherwise.
        DatasetError: if the data set lacks the split, test patients were trained on, or masks or original sizes are
            asked for and not known; if there is no such hospital, or the model learned from it.
        ValueError: if there is no such split.
    """
    task = of_name(name)
    if hospital is not None:
        return _evaluate_at(hospital, name, task, data, folder or store.models_folder(), progress, left_out_run)
    if split not in task.splits:
        raise ValueError(f"There is no split {split!r}. Choose one of: {', '.join(task.splits)}.")
    out = folder or store.models_folder()
    card, model = store.load(name, out, task.kind)
    if split in task.elsewhere:
        _refuse_learned(card, split, data.resolve().name)
        root, table = data, task.elsewhere[split](data)
    else:
        root = kaggle.find_root(data)
        table = films.of_split(split, root, card.training.get("fold", 0))
    predictions = task.measure(Measurement(card, model, split, root, table, out, masks, progress))
    return record(with_test_opened(card) if split == "test" else card, task, predictions, out)


def _evaluate_at(
    hospital: str, name: str, task: Task, data: Path, out: Path, progress: Report, left_out_run: Path | None
) -> ModelCard:
    if task.kind != CLASSIFICATION:
        raise ValueError(f"{name} cannot be measured at a hospital; only classifiers can.")
    card = store.read_card(name, out)
    if left_out_run is None:
        _refuse_learned(card, hospital)
    measured, model = store.load(name, left_out_run or out, task.kind)
    if left_out_run is not None:
        card = _with_left_out(card, measured, hospital)
    table = hospitals.read([data]).evidence(hospital)
    split = hospital_split(hospital)
    predictions = task.measure(Measurement(measured, model, split, data, table, out, None, progress))
    predictions = {part: films.assign(file=films["listed_as"]) for part, films in predictions.items()}
    clear = hospitals.shows_no_other_disease(table)
    if clear.any() and not clear.all():
        predictions[without_other_disease(split)] = predictions[split][clear]
    return record(card, task, predictions, out)


def _refuse_learned(card: ModelCard, *names: str) -> None:
    """Refuse to measure a model at a hospital that it learned from, under any of the names that the hospital has."""
    learned = card.training.get("hospitals", {}).get("learned_from", ())
    for hospital in names:
        if hospital in learned:
            raise DatasetError(
                f"{card.name} learned from {hospital}, so a figure there would tell nothing. Train it again with "
                f"--leave-out {hospital}, and name the folder of that model with --left-out-run."
            )


def _with_left_out(card: ModelCard, run: ModelCard, hospital: str) -> ModelCard:
    """Return a card that says which run, that left a hospital out, its figures there come from.

    Raises:
        ModelError: if that run learned from the hospital, or was trained otherwise.
    """
    facts = run.training.get("hospitals", {})
    if hospital not in facts.get("left_out", ()):
        raise ModelError(f"The run of {run.name} did not leave {hospital} out. Train it with --leave-out {hospital}.")
    if _recipes(card) != _recipes(run):
        raise ModelError(
            f"The run that left {hospital} out was trained by another recipe than {card.name}, so its figures are "
            "not those of this model. Train both alike."
        )
    known = dict(card.training.get("hospitals", {}))
    runs = {**known.get("runs", {}), hospital: {"sha256": run.sha256}}
    return dataclasses.replace(card, training={**card.training, "hospitals": {**known, "runs": runs}})


def _recipes(card: ModelCard) -> list[tuple[str, Any]]:
    """Return name and recipe of a network, and of each of those that it joins."""
    members = [(member["name"], member["training"].get("recipe")) for member in card.members]
    return [(card.architecture, card.training.get("recipe")), *members]


def ship(name: str, task: Task, trained: Trained, out: Path) -> ModelCard:
    """Write ``<out>/<name>/``: everything but the test split's predictions; a model there is replaced once it is whole.

    The weights are stored first, and what is calibrated and measured is what a user will load.
    """
    openings = store.openings_of_test(name, out)
    with store.rewritten(name, out) as scratch:
        return _write(name, task, trained, openings, scratch)


def _write(name: str, task: Task, trained: Trained, openings: list[dict[str, str]], out: Path) -> ModelCard:
    file = out / name / "model.keras"
    weights.save(trained.model, file)
    shipped = weights.load(file)
    finish = trained.finish(shipped)
    card = ModelCard(
        name=name,
        title=trained.title,
        family=trained.family,
        seed_system=trained.seed_system,
        architecture=trained.architecture,
        initial_weights=trained.initial_weights,
        input={
            "size": shipped.inputs[0].shape[1],
            "channels": shipped.inputs[0].shape[3],
            "views": list(trained.crop_names),
            "crop": "; ".join(crops.CROPS[crop_name] for crop_name in trained.crop_names),
            "scaling": "percentiles {:g} and {:g} to 0 and 1".format(*network_input.WINDOW),
        },
        cam_layer=trained.cam_layer,
        labels=list(trained.labels),
        training=trained.training,
        calibration=finish.calibration,
        thresholds=finish.thresholds,
        members=list(trained.members),
        parameters=shipped.count_params(),
        size_bytes=file.stat().st_size,
        sha256=weights.sha256(file),
        test_openings=openings,
        task=task.kind,
        foreign=foreign.record(finish.known, name, out) if finish.known else {},
    )
    if trained.history:
        store.write_history(trained.history, name, out)
    return record(card, task, finish.predictions, out)


def record(card: ModelCard, task: Task, predictions: Mapping[str, pd.DataFrame], out: Path) -> ModelCard:
    """Write the predictions of splits, and the card with the metrics that those give once they are read again."""
    for split, table in predictions.items():
        store.write_predictions(table, card.name, split, out, task.columns)
        written = task.predictions(card.name, split, out)
        card = dataclasses.replace(card, metrics={**card.metrics, split: task.summarise(written, card)})
    store.write_card(card, out)
    return card
