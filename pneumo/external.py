"""Films of another hospital, as a table like that of `pneumo.dataset`; never pixels."""

import hashlib
from pathlib import Path

import pandas as pd

from pneumo import dataset
from pneumo.errors import DatasetError


def scan(folder: Path | str) -> pd.DataFrame:
    """List the films of another hospital, described by a ``labels.csv``.

    The table needs the columns ``file`` (path below the folder) and ``label`` (NORMAL or PNEUMONIA), and may
    have ``patient_id`` and ``label_contradicted`` (1 leaves the film out).

    Returns:
        The columns of `dataset.scan`, with split ``external``.

    Raises:
        DatasetError: if the table is missing or lacks a column.
    """
    root = Path(folder)
    path = root / "labels.csv"
    if not path.is_file():
        raise DatasetError(f"{path} is missing: external films need a table with the columns file and label.")
    listed = pd.read_csv(path, keep_default_na=False)
    if not {"file", "label"} <= set(listed) or not listed["label"].isin(dataset.LABELS).all():
        raise DatasetError(f"{path} needs the columns file and label, each label NORMAL or PNEUMONIA.")
    if "label_contradicted" in listed:
        listed = listed[listed["label_contradicted"].astype(int) != 1]
    if missing := [file for file in listed["file"] if not (root / file).is_file()]:
        raise DatasetError(f"{path} lists {len(missing)} films that are not there, such as {missing[0]}.")
    patients = listed["patient_id"].astype(str) if "patient_id" in listed else listed["file"].map(dataset.patient_key)
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
    table["patient"] = dataset.merge_identical(table["patient"], table["sha256"])
    return table.sort_values("file", ignore_index=True)
