"""Pictures from elsewhere, each folder described by its ``labels.csv``, as tables like that of
`pneumo.datasets.kaggle`.

Never pixels.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError

TABLE = "labels.csv"
# The folder with the opacities that people drew, beside the data set in the Kaggle layout.
DRAWN_FOLDER = "opacity_masks"
# Parts of another hospital's films that are measured apart, by a column of the table that is 1 there.
CHILDREN = "external_nih_under18"
RELIABLE = "external_nih_reliable"
_COLUMNS = {CHILDREN: "paediatric_under18", RELIABLE: "box_or_adjudicated"}
# Opacities drawn outside the lungs are mistakes of the drawing or of the lung mask.
INSIDE_LUNG = 0.7
# The findings of NIH's boxes that a model of pneumonia should point at; a mass or an effusion is none.
PNEUMONIA_BOXES = ("Pneumonia", "Infiltrate")
BOXES = "boxes.csv"
# Where the films of the drawn opacities were published, by how their names begin; other names begin with the journal.
_SOURCES = {
    "radiopaedia": r"acute-|ards-|cavitating|covid-19|klebsiella|legionella|parapneumonic|pneumoc|right-upper-lobe",
    "nameless": r"[0-9A-F]{8}-[0-9A-F]{4}-",
}
# What tells the films of one case apart in their names.
_OCCASION = re.compile(r"[a-d]?-(day-?\d+|admission|\d+-(days|hours)).*|[a-d]$")


def scan(folder: Path | str) -> pd.DataFrame:
    """List the films of another hospital, described by a ``labels.csv``.

    The table needs the columns ``file`` (path below the folder) and ``label`` (NORMAL or PNEUMONIA), and may
    have ``patient_id`` and ``label_contradicted`` (1 leaves the film out).

    Returns:
        The columns of `kaggle.scan`, with split ``external``.

    Raises:
        DatasetError: if the table is missing or lacks a column.
    """
    root = Path(folder)
    listed = read_table(root, "label")
    if not listed["label"].isin(kaggle.LABELS).all():
        raise DatasetError(f"{root / TABLE} needs each label to be NORMAL or PNEUMONIA.")
    if "label_contradicted" in listed:
        listed = listed[listed["label_contradicted"].astype(int) != 1]
    if missing := [file for file in listed["file"] if not (root / file).is_file()]:
        raise DatasetError(f"{root / TABLE} lists {len(missing)} films that are not there, such as {missing[0]}.")
    patients = listed["patient_id"].astype(str) if "patient_id" in listed else listed["file"].map(kaggle.patient_key)
    table = pd.DataFrame(
        {
            "file": listed["file"],
            "split": "external",
            "label": listed["label"],
            "pathogen": "",
            "patient": patients,
            "sha256": [hashlib.sha256((root / file).read_bytes()).hexdigest() for file in listed["file"]],
        }
    )
    table["patient"] = kaggle.merge_identical(table["patient"], table["sha256"])
    return table.sort_values("file", ignore_index=True)


def parts(folder: Path | str, films: pd.DataFrame) -> dict[str, np.ndarray]:
    """Tell which films of another hospital belong to a part that is measured apart, as far as its table knows.

    Args:
        folder: as in `scan`.
        films: as `scan` returns them.

    Returns:
        For `CHILDREN` (under 18 years) and `RELIABLE` (normal films, and of those with pneumonia the ones that a
        person drew or confirmed) a (films,) bool; parts without films are left out.

    Raises:
        DatasetError: if the table is missing.
    """
    listed = read_table(Path(folder)).set_index("file").loc[films["file"]]
    normal = (films["label"] == "NORMAL").to_numpy()
    found = {
        name: (listed[column].fillna(0).astype(int) == 1).to_numpy() | (normal & (name == RELIABLE))
        for name, column in _COLUMNS.items()
        if column in listed
    }
    return {name: chosen for name, chosen in found.items() if chosen.any()}


def strangers(folder: Path | str) -> pd.DataFrame:
    """List pictures that are no frontal chest film, described by a ``labels.csv`` with ``file, category, near_ood``.

    Returns:
        Columns ``file, patient`` (each picture its own), ``label`` (the category) and ``near_ood`` (1: a radiograph).

    Raises:
        DatasetError: if the table is missing or lacks a column.
    """
    listed = read_table(Path(folder), "category", "near_ood")
    return pd.DataFrame(
        {
            "file": listed["file"],
            "patient": listed["file"],
            "label": listed["category"],
            "near_ood": listed["near_ood"].astype(int),
        }
    ).sort_values("file", ignore_index=True)


def with_lungs(folder: Path | str) -> pd.DataFrame:
    """List chest radiographs whose lungs were drawn, described by a ``labels.csv`` with ``file, label, lung_mask``.

    Returns:
        Columns ``file, patient, label, mask``; films and masks are paths below the folder.

    Raises:
        DatasetError: if the table is missing or lacks a column.
    """
    listed = read_table(Path(folder), "label", "lung_mask")
    table = listed[["file", "label"]].assign(
        patient=listed["file"].map(kaggle.patient_key), mask=listed["lung_mask"].map(str)
    )
    return table.sort_values("file", ignore_index=True)


def drawn_opacities(folder: Path | str) -> pd.DataFrame:
    """List the chest films on which a person drew the opacities, described by a ``labels.csv``.

    The table needs ``file, lung_mask, opacity_mask`` and ``opacity_inside_lung``, the share of the opacity that lies in
    the lungs; rows with less than `INSIDE_LUNG` are left out. It may have ``orig_name``, the name that the film was
    published under, which tells the publication.

    Returns:
        Columns ``file, lung_mask, opacity_mask`` (paths below the folder), ``source`` (where it was published) and
        ``patient`` (the source and the case).

    Raises:
        DatasetError: if the table is missing or lacks a column.
    """
    listed = read_table(Path(folder), "lung_mask", "opacity_mask", "opacity_inside_lung")
    inside = pd.to_numeric(listed["opacity_inside_lung"], errors="coerce")
    listed = listed[inside >= INSIDE_LUNG].sort_values("file", ignore_index=True)
    named = listed["orig_name"] if "orig_name" in listed else listed["file"].map(lambda file: Path(file).name)
    source = named.map(publication)
    case = named.map(lambda name: _OCCASION.sub("", Path(name).stem))
    return listed[["file", "lung_mask", "opacity_mask"]].assign(source=source, patient=source + "/" + case)


def publication(name: str) -> str:
    """Return where a film of the drawn opacities was published, by the name that it had there."""
    by_name = (source for source, begins in _SOURCES.items() if re.match(begins, name))
    return next(by_name, re.split(r"[-_.]", name)[0])


def opacity_boxes(folder: Path | str) -> Mapping[str, np.ndarray]:
    """Return the boxes that radiologists drew around opacities on films of another hospital.

    They are read from the column ``rsna_boxes`` of its ``labels.csv`` and from its ``boxes.csv``, where there are such.

    Returns:
        By file (boxes, 4): left, top, width and height as shares of the film's width and height.

    Raises:
        DatasetError: if there is no ``labels.csv``.
    """
    listed = read_table(Path(folder))
    drawn = dict(zip(listed["file"], listed.get("rsna_boxes", pd.Series("", listed.index)), strict=True))
    boxes: dict[str, list[list[float]]] = {file: json.loads(text) for file, text in drawn.items() if text}
    if (path := Path(folder) / BOXES).is_file():
        table = pd.read_csv(path)
        for row in table[table["finding"].isin(PNEUMONIA_BOXES)].to_dict("records"):
            boxes.setdefault(row["file"], []).append([row[side] for side in "xywh"])
    return {file: np.array(found, float) for file, found in boxes.items() if found}


def read_table(folder: Path, *columns: str) -> pd.DataFrame:
    """Read a folder's ``labels.csv``, all of it as text where a column has an empty cell.

    Raises:
        DatasetError: if the folder or its table is missing, or lacks ``file`` or one of the columns.
    """
    kaggle.refuse_missing(folder)
    path = folder / TABLE
    if not path.is_file():
        raise DatasetError(
            f"{path} is missing: the folder needs a table with the columns {', '.join(('file', *columns))}."
        )
    listed = pd.read_csv(path, keep_default_na=False)
    if missing := [column for column in ("file", *columns) if column not in listed]:
        raise DatasetError(f"{path} lacks {', '.join(missing)}.")
    return listed
