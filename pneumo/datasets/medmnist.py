"""PneumoniaMNIST, the same films in MedMNIST's ``.npz`` files (Yang et al., Scientific Data 2023; CC BY 4.0).

Its pictures are cropped to their middle square, their files carry no name, and so no patient is known.

A MedMNIST file as films: each picture as PNG, alone or in a folder of the Kaggle layout that all pages can read.
"""

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo.datasets.kaggle import LABELS, SPLITS
from pneumo.errors import DatasetError
from pneumo.radiograph import MIN_SIDE

SUFFIX = ".npz"
SIDES = (28, 64, 128, 224)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a ``.npz`` file holds.

    Attributes:
        images: for each split, (films, side, side) uint8.
        labels: for each split, (films,) whole numbers: 0 normal, 1 pneumonia in a sound file.
    """

    images: dict[str, npt.NDArray[np.uint8]]
    labels: dict[str, npt.NDArray[np.int64]]


def is_file_of(path: Path) -> bool:
    """Return whether a path names a ``.npz`` file."""
    return path.suffix.lower() == SUFFIX and path.is_file()


def read(path: Path) -> Pictures:
    """Read the splits that a file holds; nothing in it is executed.

    Raises:
        DatasetError: if the file is damaged, or its arrays are no grey pictures with a label each.
    """
    images, labels = {}, {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for split in SPLITS:
                if f"{split}_images" in arrays and f"{split}_labels" in arrays:
                    images[split] = arrays[f"{split}_images"]
                    labels[split] = arrays[f"{split}_labels"].reshape(-1)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(
            "{name} is no sound .npz file ({error}). Fetch it again.", name=path.name, error=error
        ) from error
    if not images:
        raise DatasetError(
            "{name} holds no train_images and train_labels, so it is no MedMNIST file. Choose another one.",
            name=path.name,
        )
    for split, pictures in images.items():
        if pictures.ndim != 3 or pictures.dtype != np.uint8 or pictures.shape[1] != pictures.shape[2]:
            raise DatasetError(
                "{split}_images in {name} are {dtype} of shape {shape}, and no square grey pictures of 8 "
                "bits. PneumoniaMNIST is needed; the sets in colour or 3-D cannot be read.",
                split=split,
                name=path.name,
                dtype=str(pictures.dtype),
                shape=str(pictures.shape),
            )
        if len(labels[split]) != len(pictures) or labels[split].dtype.kind not in "iub":
            raise DatasetError(
                "{name} has not one whole number as the label of each {split} picture.", name=path.name, split=split
            )
    return Pictures(images, {split: values.astype(np.int64) for split, values in labels.items()})


def table(pictures: Pictures) -> pd.DataFrame:
    """List the pictures like the films of a dataset.

    Returns:
        ``file`` (such as ``train[12]``), ``split``, ``label`` (empty where it is neither 0 nor 1), ``sha256`` of the
        pixels, ``flat`` (all pixels are the same).
    """
    names = dict(enumerate(LABELS))
    rows = [
        (
            f"{split}[{number}]",
            split,
            names.get(int(label), ""),
            hashlib.sha256(picture.tobytes()).hexdigest(),
            bool(picture.min() == picture.max()),
        )
        for split, images in pictures.images.items()
        for number, (picture, label) in enumerate(zip(images, pictures.labels[split], strict=True))
    ]
    return pd.DataFrame(rows, columns=["file", "split", "label", "sha256", "flat"])


def first(pictures: Pictures, label: int, count: int) -> list[npt.NDArray[np.uint8]]:
    """Return the first pictures with a label, of the first split that the file holds."""
    split = next(iter(pictures.images))
    return list(pictures.images[split][pictures.labels[split] == label][:count])


# A picture too small to be read as a film is enlarged to what the largest PneumoniaMNIST has.
ENLARGED = SIDES[-1]
TOLD_EVERY = 25


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture as PNG; one of fewer than `MIN_SIDE` pixels a side is enlarged to `ENLARGED`.

    Args:
        picture: (side, side) grey values.
    """
    if min(picture.shape) < MIN_SIDE:
        picture = cv2.resize(picture, (ENLARGED, ENLARGED), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    return cv2.imencode(".png", picture)[1].tobytes()


def film_name(split: str, number: int) -> str:
    """Name a picture by its place in the file; the name tells no patient, for the file knows none."""
    return f"{split}_{number:05}.png"


def unpack(path: Path, out: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """Write the pictures of a file as films, in a new folder with the name of the file.

    Args:
        path: of the ``.npz`` file.
        out: the folder to put the new one in; created where it is missing.
        progress: is told the number of films written and of all films.

    Returns:
        The new folder, which holds ``train``, ``val`` and ``test``.

    Raises:
        DatasetError: if the file is damaged, a label is neither 0 nor 1, the folder is there, or it cannot be written.
    """
    pictures = read(path)
    if any(set(labels) - set(range(len(LABELS))) for labels in pictures.labels.values()):
        raise DatasetError("{name} has labels that are neither 0 nor 1. Use PneumoniaMNIST.", name=path.name)
    root = out / path.stem
    if root.exists():
        raise DatasetError("{root} is there already. Name another folder, or check {root} as it is.", root=root)
    total, done = sum(len(images) for images in pictures.images.values()), 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Renamed when it is whole: half a dataset would look like one.
        unfinished = Path(tempfile.mkdtemp(prefix=f".{path.stem}_", dir=out))
        try:
            for split, images in pictures.images.items():
                for number, picture in enumerate(images):
                    folder = unfinished / split / LABELS[pictures.labels[split][number]]
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / film_name(split, number)).write_bytes(png(picture))
                    done += 1
                    if done % TOLD_EVERY == 0 or done == total:
                        progress(done, total)
            unfinished.chmod(0o755)
            unfinished.rename(root)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise DatasetError(
            "{root} cannot be written ({error}). Name a folder that may be written to.", root=root, error=error
        ) from error
    return root
