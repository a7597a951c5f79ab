"""The Kaggle chest X-ray dataset as a table: files, labels, pathogens, patients and splits; never pixels.

The layout is ``{train,val,test}/{NORMAL,PNEUMONIA}/*.jpeg`` (Kermany et al., Cell 2018,
doi:10.17632/rscbjbr9sj). A film's patient is told by its file name: ``person109_bacteria_12.jpeg`` is child
``person109_bacteria`` (numbers are reused between pathogens for different children), ``IM-0115-0001.jpeg`` and
``NORMAL2-IM-0115-0001.jpeg`` are children ``IM-0115`` and ``NORMAL2-IM-0115``. Files with identical bytes are
the same film, so their patients are merged.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pneumo.errors import DatasetError
from pneumo.labels import KINDS

SPLITS = ("train", "val", "test")
LABELS = ("NORMAL", "PNEUMONIA")
PATHOGENS = ("bacteria", "virus")
SUFFIXES = frozenset({".jpeg", ".jpg", ".png"})
COLUMNS = ("file", "split", "label", "pathogen", "patient", "sha256")

# The published dataset, film by film.
PUBLISHED_FILMS = {
    ("train", "NORMAL"): 1341,
    ("train", "PNEUMONIA"): 3875,
    ("val", "NORMAL"): 8,
    ("val", "PNEUMONIA"): 8,
    ("test", "NORMAL"): 234,
    ("test", "PNEUMONIA"): 390,
}

# Twelve blocks a stratum leave about 120 films in a block of normal films; two of them are held out in a fold.
BLOCKS = 12
FOLDS = BLOCKS // 2

_QUOTES = tuple("\"'“”„‘’«»`")
_PNEUMONIA_NAME = re.compile(r"^(person\d+)_(bacteria|virus)_", re.IGNORECASE)
_NORMAL_NAME = re.compile(r"^((?:NORMAL\d*-)?IM-\d+)-", re.IGNORECASE)


class Development(NamedTuple):
    """The films one may look at while developing: two tables with the columns of `scan`, sharing no patient."""

    train: pd.DataFrame
    validation: pd.DataFrame


def pathogen_of(file: str) -> str:
    """Return ``"bacteria"``, ``"virus"``, or ``""`` where the file name names none."""
    match = _PNEUMONIA_NAME.match(Path(file).name)
    return match[2].lower() if match else ""


def patient_key(file: str) -> str:
    """Return the patient that a file name tells; a file with a name of another form is a patient of its own."""
    name = Path(file).name
    if match := _PNEUMONIA_NAME.match(name):
        return f"{match[1]}_{match[2]}".lower()
    if match := _NORMAL_NAME.match(name):
        return match[1].upper()
    return Path(file).stem


def default_folder() -> Path | None:
    """Return the dataset that the environment variable ``PNEUMO_DATA`` points to, or None where it is unset."""
    value = os.environ.get("PNEUMO_DATA", "").strip()
    return Path(value).expanduser() if value else None


def find_root(folder: Path) -> Path:
    """Return the folder that holds ``train`` and ``test``: the given one or ``chest_xray`` inside it.

    Raises:
        DatasetError: if neither does, or there is no such folder.
    """
    refuse_missing(folder)
    for root in (folder, folder / "chest_xray", folder / "chest_xray" / "chest_xray"):
        if any((root / split / label).is_dir() for split in SPLITS for label in LABELS):
            return root
    raise DatasetError(
        "{folder} is no dataset in the Kaggle layout. Point to the folder that holds "
        "train/NORMAL, train/PNEUMONIA, test/NORMAL and test/PNEUMONIA (`python -m pneumo data "
        "download` fetches one).",
        folder=folder,
    )


def refuse_missing(folder: Path) -> None:
    """Say what is wrong with the path of a dataset, if it names no folder.

    Raises:
        DatasetError: if the path is in quotation marks, or nothing or a file is there.
    """
    typed = str(folder)
    if folder.is_dir():
        return
    if typed[:1] in _QUOTES or typed[-1:] in _QUOTES:
        raise DatasetError("The path {path} is in quotation marks. Leave them out.", path=typed)
    if folder.exists():
        raise DatasetError("{path} is a file and not a folder. Unpack it, and point to the folder.", path=typed)
    if folder.suffix == ".npz":
        raise DatasetError("There is no file {path}. Check the path and its spelling.", path=typed)
    raise DatasetError("There is no folder {path}. Check the path and its spelling.", path=typed)


def scan(folder: Path | str) -> pd.DataFrame:
    """List a dataset.

    Returns:
        One row a film, sorted by file: ``file`` (path below the root, with ``/``), ``split``, ``label``,
        ``pathogen`` (``""`` for normal films), ``patient`` (merged over identical files), ``sha256`` of the
        file's bytes.

    Raises:
        DatasetError: if the folder is not in the Kaggle layout or holds no image.
    """
    root = find_root(Path(folder))
    rows = [
        (
            path.relative_to(root).as_posix(),
            split,
            label,
            pathogen_of(path.name) if label == "PNEUMONIA" else "",
            patient_key(path.name),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for split in SPLITS
        for label in LABELS
        for path in sorted((root / split / label).glob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not rows:
        raise DatasetError(
            "{root} holds no JPEG or PNG film. Check that the archive was unpacked completely.", root=root
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["patient"] = merge_identical(table["patient"], table["sha256"])
    return table.sort_values("file", ignore_index=True)


def merge_identical(patients: pd.Series, hashes: pd.Series) -> pd.Series:
    """Give all patients who share an identical image one name, the alphabetically first of theirs."""
    parent: dict[str, str] = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while parent[patient] != patient:
            patient = parent[patient]
        return patient

    for _, group in patients.groupby(hashes):
        names = sorted({root(patient) for patient in group})
        for name in names[1:]:
            parent[name] = names[0]
    return patients.map(root)


def duplicate_groups(table: pd.DataFrame) -> list[list[str]]:
    """Return the files of every group of two or more identical images."""
    return [sorted(group) for _, group in table.groupby("sha256")["file"] if len(group) > 1]


def identical_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Count the groups of two or more identical images.

    Returns:
        Columns ``split, label, files, children, groups``: so many groups of so many files, which name so many children
        before these are merged; a group in two splits or classes has both, joined by ``+``.
    """
    rows = [
        (
            " + ".join(sorted(set(group["split"]))),
            " + ".join(sorted(set(group["label"]))),
            len(group),
            len({patient_key(file) for file in group["file"]}),
        )
        for _, group in table.groupby("sha256")
        if len(group) > 1
    ]
    columns = ["split", "label", "files", "children"]
    return pd.DataFrame(rows, columns=columns).groupby(columns).size().rename("groups").reset_index()


def assert_disjoint(*tables: pd.DataFrame) -> None:
    """Check that no patient stands in two of the tables.

    Raises:
        DatasetError: naming some of the patients who do.
    """
    seen: set[str] = set()
    for table in tables:
        patients = set(table["patient"])
        if shared := sorted(seen & patients):
            raise DatasetError(
                "{patients} patients stand in two splits ({names}, …), so the test would be answered from "
                "memory. Move all films of a patient into one split.",
                patients=len(shared),
                names=", ".join(shared[:3]),
            )
        seen |= patients


def development_split(table: pd.DataFrame, fold: int = 0) -> Development:
    """Divide the official train and val films into training and validation, by patient.

    A stratum (series of normal films, bacteria, virus) is cut by id into `BLOCKS` contiguous blocks of
    patients; fold *f* holds out blocks *f* and *f* + `FOLDS`, about a sixth. Neighbouring ids were taken at
    neighbouring times, so whole blocks make a harder and truer validation than patients drawn at random.

    Args:
        table: as `scan` returns it; its test films are never returned.
        fold: 0 … `FOLDS` − 1.

    Raises:
        DatasetError: if a patient stands in development and test, or a class is missing.
        ValueError: if there is no such fold.
    """
    if not 0 <= fold < FOLDS:
        raise ValueError(f"fold must be 0 … {FOLDS - 1}, not {fold}")
    pool = table[table["split"] != "test"]
    if set(pool["label"]) != set(LABELS):
        raise DatasetError("Training needs films of both classes under train/NORMAL and train/PNEUMONIA.")
    stratum = pool["pathogen"].where(pool["pathogen"] != "", pool["patient"].str.replace(r"-?\d+$", "", regex=True))
    held_out: set[str] = set()
    for _, patients in pool.groupby(stratum)["patient"]:
        ordered = sorted(set(patients), key=_by_number)
        for block in (fold, fold + FOLDS):
            held_out.update(ordered[block * len(ordered) // BLOCKS : (block + 1) * len(ordered) // BLOCKS])
    is_held_out = pool["patient"].isin(held_out)
    parts = Development(pool[~is_held_out].reset_index(drop=True), pool[is_held_out].reset_index(drop=True))
    if set(parts.validation["label"]) != set(LABELS):
        raise DatasetError("The dataset has too few patients to hold some of both classes out for validation.")
    assert_disjoint(parts.train, parts.validation, table[table["split"] == "test"])
    return parts


def _by_number(patient: str) -> tuple[int, str]:
    number = re.search(r"\d+(?=\D*$)", patient)
    return (int(number[0]) if number else -1, patient)


def fingerprint(table: pd.DataFrame) -> str:
    """Return a SHA-256 over the names and contents of the films: equal for equal data, wherever it lies."""
    lines: Iterable[str] = sorted(f"{row.file}\t{row.sha256}\n" for row in table.itertuples())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def film_counts(table: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Count the films of each split and label that occur."""
    return {(str(split), str(label)): len(films) for (split, label), films in table.groupby(["split", "label"])}


def describe(table: pd.DataFrame) -> str:
    """Name a dataset: the published one where the numbers of films are its own, else by its size."""
    if film_counts(table) == PUBLISHED_FILMS:
        return "Kermany et al. 2018, doi:10.17632/rscbjbr9sj, in the split published on Kaggle"
    return f"a dataset in the Kaggle layout with {len(table):,} films"


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """Count films and patients per split, label and pathogen.

    Returns:
        Columns ``split, label, pathogen, films, patients``, one row for each combination that occurs.
    """
    return (
        table.groupby(["split", "label", "pathogen"], sort=True)
        .agg(films=("file", "size"), patients=("patient", "nunique"))
        .reset_index()
    )


def kinds(table: pd.DataFrame) -> list[str]:
    """Return the value of `labels.KINDS` of each row's ``label`` and ``pathogen``."""
    return [KINDS[pair] for pair in zip(table["label"], table["pathogen"], strict=True)]
