"""``models/<name>/`` ↔ a loaded model: the card, the weights, the predictions that every figure comes from.

Everything but `load` works without TensorFlow.
"""

import ctypes
import dataclasses
import hashlib
import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pneumo.errors import ModelError
from pneumo.labels import is_hospital_split
from pneumo.model_store import weights
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.sentences import Sentence, say, say_list

if TYPE_CHECKING:
    import keras

# A wheel holds its few models inside the package; a clone has them all beside it.
_PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED = _PACKAGE / "models" if (_PACKAGE / "models").is_dir() else _PACKAGE.parent / "models"
PREDICTION_COLUMNS = ["file", "patient", "label", "pathogen", "probability"]
# The split whose films imitate another hospital; models are compared and chosen on it, never on test.
SELECTION_SPLIT = "val_shifted"
# The validation films shifted further (`augmentation.HARD_SHIFT`), in aspect ratios that tell nothing of the label:
# what an ensemble is chosen on; and the same with all detail, which it is calibrated on.
HARD_SPLIT = "val_hard"
ASPECT_RANDOMISED_SPLIT = "val_evened"
# The validation films in the aspect ratio of the other class (`films.aspect_swapped_squares`), which misleads there.
ASPECT_SWAPPED_SPLIT = "val_reframed"
# What the model's heat maps were measured to be worth, in the model's folder.
EXPLANATION = "explanation.csv"
# Where the validation films lie in the model's embedding, in its folder.
SIMILAR = "similar.npz"
# Where the films of the hospitals that it learned from lie (`pneumo.inference.foreign`), in its folder.
HOSPITALS = "hospitals.npz"
# What belongs to the weights of a model, in its folder.
MEASURED = ("model.keras", "predictions", EXPLANATION, SIMILAR, HOSPITALS)
# What reading a damaged file of arrays raises: NumPy takes one that is no archive for an array or a pickle.
DAMAGED_ARRAYS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Catalogue:
    """The classifiers in a folder, best first, and a sentence for each sub-folder that holds no sound model."""

    cards: list[ModelCard]
    problems: dict[str, str]


def models_folder() -> Path:
    """Return the folder of models: ``PNEUMO_MODELS`` where it is set, else `SHIPPED`: the clone's or the wheel's."""
    value = os.environ.get("PNEUMO_MODELS", "").strip()
    return Path(value).expanduser() if value else SHIPPED


def catalogue(folder: str | Path | None = None) -> Catalogue:
    """List the classifiers; a broken folder costs only itself, and nothing is raised.

    They are ordered by the mean of their AUROC on `SELECTION_SPLIT` and at each hospital that they are no part of
    (`labels.hospital_split`); a model that was not measured at a hospital where another one was counts as chance there.
    Ensembles come last: they are slower, and for those who ask for them.

    Args:
        folder: the folder of model folders; `models_folder` where None.
    """
    cards, problems = [], {}
    root = Path(folder) if folder else models_folder()
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if not path.is_dir() or path.name.startswith("."):
            continue
        try:
            cards.append(read_card(path.name, root))
        except ModelError as error:
            problems[path.name] = str(error)
    classifiers = [card for card in cards if card.task == CLASSIFICATION]
    away = {split for card in classifiers for split in filter(is_hospital_split, card.metrics) if _auroc(card, split)}

    def rank(card: ModelCard) -> tuple[bool, float]:
        figures = [_auroc(card, SELECTION_SPLIT) or 0.0, *(_auroc(card, split) or 0.5 for split in away)]
        return card.family == "ensemble", -sum(figures) / len(figures)

    return Catalogue(sorted(classifiers, key=rank), problems)


def _auroc(card: ModelCard, split: str) -> float | None:
    figure = card.metrics.get(split, {}).get("auroc") or {}
    return figure.get("value")


def default_name(folder: Path | None = None) -> str:
    """Return the model to use where none is named: the first of the `catalogue`.

    Raises:
        ModelError: if there is no sound model.
    """
    cards = catalogue(folder).cards
    if not cards:
        raise ModelError(
            "There is no model in {folder}. Train one with `python -m pneumo train`.", folder=folder or models_folder()
        )
    return cards[0].name


def names(folder: Path | None = None, task: str | None = None) -> list[str]:
    """Return the models with a sound card, of one task or of all, by name."""
    found = []
    for path in (folder or models_folder()).glob("*/card.json"):
        try:
            card = read_card(path.parent.name, folder)
        except ModelError:
            continue
        if task in (None, card.task):
            found.append(path.parent.name)
    return sorted(found)


def read_card(name: str, folder: Path | None = None, task: str | None = None) -> ModelCard:
    """Read a model's card.

    Args:
        name: of the model folder.
        folder: the folder of model folders.
        task: what the model must be for; any task where None.

    Raises:
        ModelError: if there is no such model, it is for another task, or its card is damaged or incomplete.
    """
    root = folder or models_folder()
    card = _parsed_card(_card_file(name, root, task))
    if task not in (None, card.task):
        raise ModelError(
            "The model '{name}' is for {task}, not for {wanted}. {choice}",
            name=name,
            task=card.task,
            wanted=task,
            choice=_choice(root, task),
        )
    return card


def card_key(name: str, folder: Path | None = None) -> str:
    """Return the SHA-256 of ``card.json``, by which whatever is cached of a model is known.

    The card holds the hash of the weights, so a new calibration, threshold or heat scale and new weights alike change
    it; the weights' own hash would miss the former three.

    Raises:
        ModelError: if there is no such model.
    """
    return hashlib.sha256(_card_file(name, folder or models_folder()).read_bytes()).hexdigest()


def _card_file(name: str, root: Path, task: str | None = None) -> Path:
    path = root / name / "card.json"
    if not path.is_file():
        raise ModelError(
            "There is no model '{name}' in {root}. {choice}", name=name, root=root, choice=_choice(root, task)
        )
    return path


def _choice(root: Path, task: str | None) -> Sentence:
    known = {"names": say_list(names(root, task) or ["–"])}
    if root.is_relative_to(_PACKAGE):
        return say("Choose one of: {names}. The folder of other models is named by PNEUMO_MODELS.", **known)
    return say("Choose one of: {names}.", **known)


def _parsed_card(path: Path) -> ModelCard:
    try:
        return _card_of(path.read_text("utf-8"))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            "{path} is no complete model card ({error}). {remedy}", path=path, error=error, remedy=_remedy(path)
        ) from error


# Each run of a page lists all models. Who has a card never changes it.
@lru_cache(maxsize=64)
def _card_of(text: str) -> ModelCard:
    card = ModelCard(**json.loads(text))
    if card.task == CLASSIFICATION:
        # Whoever lists or opens a model relies on these.
        card.as_calibration()
        card.as_thresholds()
        float(_auroc(card, SELECTION_SPLIT) or 0.0)
        card.input["views"]
        if not all(density > 0 for density in card.heat_references.values()):
            raise ValueError("a heat reference is not above 0")
    return card


def _remedy(path: Path) -> Sentence:
    """Say how a damaged file of a model comes back: from git, from the wheel, or by training."""
    path = path.resolve()
    if path.is_relative_to(_PACKAGE):
        return say("Install pneumo again, from where it came, with `pip install --force-reinstall`.")
    if (path.parents[2] / ".git").exists():
        # With the option it also fetches a file that a clone without all models left out.
        command = shlex.join(
            ["git", "-C", str(path.parent), "checkout", "--ignore-skip-worktree-bits", "--", path.name]
        )
        return say("Restore it with `{command}`, or train the model again.", command=command)
    return say("Restore it, or train the model again.")


def write_card(card: ModelCard, folder: Path | None = None) -> None:
    """Write a model's card into its folder."""
    path = (folder or models_folder()) / card.name / "card.json"
    write_atomically(path, json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False) + "\n")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8, that a reader finds whole at any moment: the old one or the new one.

    The content goes to a temporary file in the same folder, which then takes the place of the file.

    Raises:
        OSError: if the folder cannot be written to; the old file stays as it was.
    """
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with unfinished.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            # Else a power cut may leave the name of the file without its content.
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_predictions(
    name: str,
    split: str,
    folder: Path | None = None,
    columns: Sequence[str] = PREDICTION_COLUMNS,
    figures: Sequence[str] = (),
) -> pd.DataFrame:
    """Read ``predictions/<split>.csv``.

    Args:
        name: of the model folder.
        split: that was measured.
        folder: the folder of model folders.
        columns: what it must have; models of another task than classification have columns of their own.
        figures: columns that are NaN where they are empty, which is a text elsewhere.

    Raises:
        ModelError: if the model was not measured on that split, or the file lacks a column.
    """
    path = (folder or models_folder()) / name / "predictions" / f"{split}.csv"
    if not path.is_file():
        raise ModelError(
            "{name} was not measured on {split}; run `python -m pneumo evaluate {name} --split {split}`.",
            name=name,
            split=split,
        )
    table = pd.read_csv(path, dtype={"patient": str}, keep_default_na=False, na_values=dict.fromkeys(figures, ""))
    if missing := [column for column in columns if column not in table]:
        raise ModelError("{path} lacks {columns}; evaluate the model anew.", path=path, columns=", ".join(missing))
    return table[list(columns)]


def measured_splits(name: str, folder: Path | None = None) -> list[str]:
    """Return the splits that a model has predictions for."""
    return sorted(path.stem for path in ((folder or models_folder()) / name / "predictions").glob("*.csv"))


def write_predictions(
    table: pd.DataFrame,
    name: str,
    split: str,
    folder: Path | None = None,
    columns: Sequence[str] = PREDICTION_COLUMNS,
) -> None:
    """Write ``predictions/<split>.csv``; `table` has the columns of `read_predictions`, among others."""
    path = (folder or models_folder()) / name / "predictions" / f"{split}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = table.sort_values("file", kind="stable")[list(columns)]
    write_atomically(path, ordered.to_csv(index=False, float_format="%.6f", lineterminator="\n"))


@contextmanager
def rewritten(name: str, folder: Path | None = None) -> Iterator[Path]:
    """Yield a folder of model folders in which a model is written anew; then it takes the place of the old one at once.

    It begins as the old model without its weights and what was measured of them: a retrained model must not stand on
    the leaderboard with its predecessor's predictions. Whoever reads meanwhile, or after a crash, meets the old model
    or the new one. (Where the system cannot exchange two folders, there is a moment with neither.)

    Args:
        name: of the model folder.
        folder: the folder of model folders.
    """
    root = folder or models_folder()
    root.mkdir(parents=True, exist_ok=True)
    old = root / name
    # Hidden, for a crash leaves it behind, and no model is looked for there.
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=root) as scratch:
        new = Path(scratch) / name
        if old.is_dir():
            shutil.copytree(old, new, ignore=shutil.ignore_patterns(*MEASURED))
        new.mkdir(exist_ok=True)
        yield Path(scratch)
        _exchange(new, old)


def _exchange(new: Path, old: Path) -> None:
    if not old.exists():
        new.rename(old)
        return
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
    if exchange is None or exchange(here, os.fsencode(new), here, os.fsencode(old), swap):
        old.rename(new.with_name(f"{old.name}.old"))
        new.rename(old)


def openings_of_test(name: str, folder: Path | None = None) -> list[dict[str, str]]:
    """Return how often the official test split was opened with a model, whose card may be missing or damaged."""
    try:
        return read_card(name, folder).test_openings
    except ModelError:
        return []


def write_history(history: Sequence[dict[str, float]], name: str, folder: Path | None = None) -> None:
    """Write ``history.csv``, one row an epoch."""
    path = (folder or models_folder()) / name / "history.csv"
    write_atomically(path, pd.DataFrame(history).round(6).to_csv(index=False, lineterminator="\n"))


def read_history(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read ``history.csv``, one row an epoch; empty where the model has none."""
    path = (folder or models_folder()) / name / "history.csv"
    return pd.read_csv(path) if path.is_file() else pd.DataFrame()


def find(name: str, folder: str | Path | None = None, task: str | None = None) -> tuple[ModelCard, Path]:
    """Return a model's card and the path of its network, which `runtime.open_network` makes ready to run.

    Args:
        name: of the model folder.
        folder: the folder of model folders; `models_folder` where None.
        task: what the model must be for; any task where None.

    Raises:
        ModelError: if the card or the file is missing, they do not belong together, or the model is for another task.
    """
    root = Path(folder) if folder else models_folder()
    card = read_card(name, root, task)
    path = root / name / "model.keras"
    if not path.is_file():
        raise ModelError("{path} is missing. {remedy}", path=path, remedy=_remedy(path))
    if weights.sha256(path) != card.sha256:
        raise ModelError("{path} is not the file that its card describes. {remedy}", path=path, remedy=_remedy(path))
    return card, path


def load(name: str, folder: str | Path | None = None, task: str | None = None) -> "tuple[ModelCard, keras.Model]":
    """Load a model's card and network, whose file must be the one that the card describes, with Keras.

    Args:
        name: of the model folder.
        folder: the folder of model folders; `models_folder` where None.
        task: what the model must be for; any task where None.

    Returns:
        The card, and a Keras model. A classifier's takes (films, size, size, crops) float32 as
        `network_input.model_input` makes it and gives (films, 1) float32 in 0…1, before calibration.

    Raises:
        ModelError: as `find` does; if Keras is not installed, or cannot read the file.
    """
    card, path = find(name, folder, task)
    return card, weights.load(path)
