"""A MedMNIST file as films: each picture as PNG, alone or in a folder of the Kaggle layout that all pages can read."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pneumo import medmnist
from pneumo.dataset import LABELS
from pneumo.errors import DatasetError
from pneumo.radiograph import MIN_SIDE

# A picture too small to be read as a film is enlarged to what the largest PneumoniaMNIST has.
ENLARGED = medmnist.SIDES[-1]
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
    pictures = medmnist.read(path)
    if any(set(labels) - set(range(len(LABELS))) for labels in pictures.labels.values()):
        raise DatasetError(f"{path.name} has labels that are neither 0 nor 1. Use PneumoniaMNIST.")
    root = out / path.stem
    if root.exists():
        raise DatasetError(f"{root} is there already. Name another folder, or check {root} as it is.")
    total, done = sum(len(images) for images in pictures.images.values()), 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Renamed when it is whole: half a data set would look like one.
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
        raise DatasetError(f"{root} cannot be written ({error}). Name a folder that may be written to.") from error
    return root
