"""PneumoniaMNIST, the same films in MedMNIST's ``.npz`` files (Yang et al., Scientific Data 2023; CC BY 4.0).

Its pictures are cropped to their middle square, their files carry no name, and so no patient is known.
"""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo.dataset import LABELS, SPLITS
from pneumo.errors import DatasetError

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
        raise DatasetError(f"{path.name} is no sound .npz file ({error}). Fetch it again.") from error
    if not images:
        raise DatasetError(
            f"{path.name} holds no train_images and train_labels, so it is no MedMNIST file. Choose another one."
        )
    for split, pictures in images.items():
        if pictures.ndim != 3 or pictures.dtype != np.uint8 or pictures.shape[1] != pictures.shape[2]:
            raise DatasetError(
                f"{split}_images in {path.name} are {pictures.dtype} of shape {pictures.shape}, and no square grey "
                "pictures of 8 bits. PneumoniaMNIST is needed; the sets in colour or 3-D cannot be read."
            )
        if len(labels[split]) != len(pictures) or labels[split].dtype.kind not in "iub":
            raise DatasetError(f"{path.name} has not one whole number as the label of each {split} picture.")
    return Pictures(images, {split: values.astype(np.int64) for split, values in labels.items()})


def table(pictures: Pictures) -> pd.DataFrame:
    """List the pictures like the films of a data set.

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
