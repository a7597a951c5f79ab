"""Checks of a dataset before it is trained on: what is missing, corrupt, duplicated, or shared between splits."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from pneumo import radiograph
from pneumo.datasets import kaggle, medmnist, summary
from pneumo.errors import DatasetError, ImageError
from pneumo.labels import CLASSES, OFFICIAL_SPLITS
from pneumo.sentences import Sentence, say, say_list

# As many file names as a person reads; the count says how many there are.
NAMED = 50
PROGRESS_EVERY = 25


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a dataset.

    Attributes:
        code: for machines.
        severity: ``"error"`` where results would be wrong or training fails, else ``"warning"``.
        message: what is wrong, a sentence.
        remedy: what to do, a sentence.
        files: the first `NAMED` files that it concerns, below the root.
        count: of all files that it concerns.
    """

    code: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str
    files: tuple[str, ...] = ()
    count: int = 0

    @property
    def listed(self) -> Sentence:
        """How many of the files are named, as ``3`` or ``the first 50 of 1,200``."""
        if self.count <= NAMED:
            return say("{count:,}", count=self.count)
        return say("the first {named} of {count:,}", named=NAMED, count=self.count)


@dataclass(frozen=True, eq=False)
class Check:
    """What was found.

    Attributes:
        root: the folder or file that was looked through.
        films: how many.
        counts: ``split, label, films``.
        problems: errors first.
    """

    root: Path
    films: int
    counts: pd.DataFrame
    problems: tuple[Problem, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong but what a warning says."""
        return all(problem.severity == "warning" for problem in self.problems)

    def as_record(self) -> dict[str, Any]:
        """Return the check as values that JSON knows."""
        return {
            "root": str(self.root),
            "films": self.films,
            "sound": self.is_sound,
            "counts": self.counts.to_dict("records"),
            "problems": [asdict(problem) for problem in self.problems],
        }


def check(path: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Check:
    """Look through a folder in the Kaggle layout, or a MedMNIST file.

    Args:
        path: of either.
        progress: called with the number of films read and of all films.

    Raises:
        DatasetError: if it is neither, or holds no film.
    """
    try:
        return _check_file(path) if medmnist.is_file_of(path) else _check_folder(path, progress)
    except (OSError, ValueError) as error:
        raise DatasetError(
            "{path} cannot be opened ({error}). Check its name and its permissions.", path=path, error=error
        ) from error


def share_read(done: int, total: int) -> float:
    """Return how far a check is, 0…1."""
    return done / total if total else 1.0


def readable_counts(found: Check) -> pd.DataFrame:
    """Return the films of each split and class that occurs, with headings for people."""
    counts = found.counts
    return pd.DataFrame(
        {
            say("Split"): counts["split"].map(OFFICIAL_SPLITS),
            say("Class"): counts["label"].map(CLASSES).fillna(say("Unknown")),
            say("Films"): counts["films"],
        }
    )


def _check_folder(folder: Path, progress: Callable[[int, int], None]) -> Check:
    root = kaggle.find_root(folder)
    films = kaggle.scan(root)
    problems = [*_missing(films), *_unreadable(films, root, progress), *_identical(films), *_shared_patients(films)]
    unnamed = films[summary.unnamed_patients(films)]["file"]
    if len(unnamed):
        problems.append(
            _problem(
                "patient_unknown",
                "warning",
                say(
                    "Films whose name tells no patient: {films:,}. Each counts as a patient of its own.",
                    films=len(unnamed),
                ),
                say(
                    "Name films like person109_bacteria_12.jpeg or IM-0115-0001.jpeg, where the number is the "
                    "patient's."
                ),
                unnamed,
            )
        )
    others = sorted(
        path.relative_to(root).as_posix()
        for split in kaggle.SPLITS
        for label in kaggle.LABELS
        for path in (root / split / label).glob("*")
        if path.suffix.lower() not in kaggle.SUFFIXES and not path.name.startswith(".")
    )
    if others:
        problems.append(
            _problem(
                "not_read",
                "warning",
                say("{files:,} files are neither JPEG nor PNG and are passed over.", files=len(others)),
                say("Export DICOM and other films as PNG, or move the files elsewhere."),
                others,
            )
        )
    return _checked(root, films, problems)


def _check_file(path: Path) -> Check:
    films = medmnist.table(medmnist.read(path))
    problems = [*_missing(films), *_identical(films)]
    unknown, flat = films.loc[films["label"] == "", "file"], films.loc[films["flat"], "file"]
    if len(unknown):
        message = say("{pictures:,} pictures have a label that is neither 0 nor 1.", pictures=len(unknown))
        problems.append(_problem("label_unknown", "error", message, say("Use PneumoniaMNIST."), unknown))
    if len(flat):
        message = say("{pictures:,} pictures are of one grey value.", pictures=len(flat))
        problems.append(_problem("flat", "error", message, say("Fetch the file again."), flat))
    return _checked(path, films, problems)


def _checked(root: Path, films: pd.DataFrame, problems: list[Problem]) -> Check:
    counts = films.groupby(["split", "label"]).size().rename("films").reset_index()
    order = sorted(problems, key=lambda problem: problem.severity != "error")
    return Check(root, len(films), counts, tuple(order))


def _missing(films: pd.DataFrame) -> list[Problem]:
    present = set(zip(films["split"], films["label"], strict=True))
    problems = []
    for split in kaggle.SPLITS:
        absent = [label for label in kaggle.LABELS if (split, label) not in present]
        if absent and split == "val":
            message = say("There are no official validation films of both classes.")
            remedy = say("Nothing need be done: pneumo holds patients of the training films out for validation.")
            problems.append(_problem("missing", "warning", message, remedy))
        elif absent:
            folders = say_list(f"{split}/{label}" for label in absent)
            message = say("There is no film in {folders}.", folders=folders)
            remedy = (
                say("Put films of both classes there: without them nothing can be trained.")
                if split == "train"
                else say(
                    "Put films of both classes, of patients that are nowhere else, there: without them no model can be "
                    "measured on test."
                )
            )
            problems.append(_problem("missing", "error", message, remedy))
    return problems


def _unreadable(films: pd.DataFrame, root: Path, progress: Callable[[int, int], None]) -> list[Problem]:
    broken = []
    for number, file in enumerate(films["file"], start=1):
        try:
            radiograph.read(root / file)
        except ImageError:
            broken.append(file)
        if number % PROGRESS_EVERY == 0 or number == len(films):
            progress(number, len(films))
    if not broken:
        return []
    message = say(
        "{films:,} films cannot be read: they are damaged, empty, too small, or no pictures.", films=len(broken)
    )
    return [_problem("unreadable", "error", message, say("Fetch or export them again, or remove them."), broken)]


def _identical(films: pd.DataFrame) -> list[Problem]:
    groups = films.groupby("sha256").filter(lambda group: len(group) > 1).groupby("sha256")
    kinds: dict[str, list[str]] = {"identical_in_classes": [], "identical_in_splits": [], "identical": []}
    for _, group in groups:
        # The official val films are divided anew with the training films, so those two are one pool.
        pools = set(group["split"].replace("val", "train"))
        code = "identical_in_classes" if len(set(group["label"])) > 1 else "identical_in_splits"
        kinds[code if code == "identical_in_classes" or len(pools) > 1 else "identical"] += sorted(group["file"])
    found = {code: len(files) for code, files in kinds.items()}
    sentences: dict[str, tuple[Literal["error", "warning"], Sentence, Sentence]] = {
        "identical_in_classes": (
            "error",
            say(
                "{files:,} files stand in both classes with the very same content.", files=found["identical_in_classes"]
            ),
            say("Find out which label is right and remove the other copy."),
        ),
        "identical_in_splits": (
            "error",
            say(
                "{files:,} files stand in test and in training with the very same content, so the test is answered "
                "from memory.",
                files=found["identical_in_splits"],
            ),
            say("Remove one of the copies, best the one in training."),
        ),
        "identical": (
            "warning",
            say("{files:,} files have a copy with the very same content.", files=found["identical"]),
            say("Nothing need be done: pneumo counts the children of copies as one; remove copies to save time."),
        ),
    }
    return [_problem(code, *sentences[code], files) for code, files in kinds.items() if files]


def _shared_patients(films: pd.DataFrame) -> list[Problem]:
    pool = films["split"].replace("val", "train")
    in_both = pool.groupby(films["patient"]).transform(lambda pools: len(set(pools))) > 1
    if not in_both.any():
        return []
    patients = films.loc[in_both, "patient"].nunique()
    message = say("{patients:,} patients have films in test and in training.", patients=patients)
    remedy = say("Move all films of a patient into one split; pneumo refuses to train on such a dataset.")
    return [_problem("shared_patients", "error", message, remedy, films.loc[in_both, "file"])]


def _problem(
    code: str, severity: Literal["error", "warning"], message: str, remedy: str, files: Iterable[str] = ()
) -> Problem:
    every = tuple(files)
    return Problem(code, severity, message, remedy, every[:NAMED], len(every))
