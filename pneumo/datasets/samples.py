"""The sample radiographs that the app can show with no dataset on the machine.

`research.composites.composites` makes them; this module only lists them, so that a page needs no registration code.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pneumo.datasets.kaggle import LABELS, PATHOGENS
from pneumo.errors import DatasetError
from pneumo.sentences import say

INDEX = "samples.json"
FOLDER = Path(__file__).parents[2] / "data_samples"


@dataclass(frozen=True)
class Sample:
    """A composite radiograph.

    Attributes:
        path: the picture, PNG or DICOM.
        label: ``"NORMAL"`` or ``"PNEUMONIA"``, the label of every film in it.
        pathogen: ``"bacteria"``, ``"virus"``, or ``""`` for normal films.
        composite_of: how many films of different patients were averaged.
        title: a short name, e.g. ``"Bacterial pneumonia 1"``.
        description: one or two sentences on how it was made, fit for a caption.
    """

    path: Path
    label: str
    pathogen: str
    composite_of: int
    title: str
    description: str


def load_samples(folder: Path = FOLDER) -> list[Sample]:
    """List the samples of a folder, in the order of its ``samples.json``.

    Raises:
        DatasetError: if the list is missing or damaged, or names a picture that is not in the folder.
    """
    index = folder / INDEX
    remedy = say(
        "The samples lie in data_samples/ of the repository and in no installed package; "
        "`python -m research.composites --help` tells how they are made anew."
    )
    try:
        rows = json.loads(index.read_text(encoding="utf-8"))
        samples = [
            Sample(
                path=folder / row["file"],
                label=row["label"],
                pathogen=row["pathogen"],
                composite_of=int(row["composite_of"]),
                title=row["title"],
                description=row["description"],
            )
            for row in rows
        ]
    except OSError as error:
        raise DatasetError("There is no list of samples at {index}. {remedy}", index=index, remedy=remedy) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            "The list of samples {index} is damaged ({error}). {remedy}", index=index, error=repr(error), remedy=remedy
        ) from error
    for sample in samples:
        if sample.label not in LABELS or sample.pathogen not in ("", *PATHOGENS):
            raise DatasetError(
                "{index} gives {name} an unknown label or pathogen. {remedy}",
                index=index,
                name=sample.path.name,
                remedy=remedy,
            )
        if sample.path.parent != folder or not sample.path.is_file():
            raise DatasetError(
                "{index} names {name}, which is not in {folder}. {remedy}",
                index=index,
                name=sample.path.name,
                folder=folder,
                remedy=remedy,
            )
    return samples


def save_index(samples: list[Sample], folder: Path) -> Path:
    """Write ``samples.json`` for pictures that lie in `folder`, and return its path."""
    rows = [
        {
            "file": sample.path.name,
            "label": sample.label,
            "pathogen": sample.pathogen,
            "composite_of": sample.composite_of,
            "title": sample.title,
            "description": sample.description,
        }
        for sample in samples
    ]
    index = folder / INDEX
    index.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return index
