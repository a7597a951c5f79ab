"""Where the validation films lie in a classifier's embedding: ``models/<name>/similar.npz``.

The embedding of a film is what the network hands to its last unit. No film that the network was trained on, and none
of the test split, is in an index.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pneumo import model_store
from pneumo.dataset import LABELS, PATHOGENS
from pneumo.errors import ModelError
from pneumo.model_card import ModelCard

# How many similar films are shown: on a desktop so many thumbnails stand beside each other.
NEAREST = 6
_TEXTS = ("files", "patients", "labels", "pathogens")


@dataclass(frozen=True, eq=False)
class FilmIndex:
    """The validation films of a classifier.

    Attributes:
        sha256: of the ``model.keras`` that the embedding is of.
        layer: whose output the embedding is.
        files: (films,) path below the root of the data set.
        patients: (films,) as in `dataset.scan`.
        labels: (films,) of `dataset.LABELS`.
        pathogens: (films,) of `dataset.PATHOGENS`, or ``""``.
        embedding: (films, features) float32, each row of length 1, or 0 where the network hands on nothing.
    """

    sha256: str
    layer: str
    files: np.ndarray
    patients: np.ndarray
    labels: np.ndarray
    pathogens: np.ndarray
    embedding: np.ndarray


def directions(features: np.ndarray) -> np.ndarray:
    """Scale embeddings, (films, features), to length 1, float32; of those only the direction is compared."""
    values = np.asarray(features, np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def path_of(name: str, folder: Path | None = None) -> Path:
    """Return where the index of a model lies, or would lie."""
    return (folder or model_store.models_folder()) / name / model_store.SIMILAR


def write(index: FilmIndex, name: str, folder: Path | None = None) -> Path:
    """Write the index of a model into its folder, the embedding as float16, and return its path."""
    path = path_of(name, folder)
    arrays: dict[str, np.ndarray] = {key: getattr(index, key).astype(np.str_) for key in _TEXTS}
    arrays |= {key: np.array(getattr(index, key), np.str_) for key in ("sha256", "layer")}
    arrays["embedding"] = index.embedding.astype(np.float16)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


def read(card: ModelCard, folder: Path | None = None) -> FilmIndex:
    """Read the index of a model; nothing in the file is ever run.

    Raises:
        ModelError: if there is none, it is damaged, or it is of other weights than the card's.
    """
    path = path_of(card.name, folder)
    remedy = f"Make it with `python -m pneumo similar {card.name} --data DIR`."
    if not path.is_file():
        raise ModelError(f"There is no index of the validation films of {card.name}. {remedy}")
    try:
        with np.load(path, allow_pickle=False) as stored:
            texts = {key: stored[key] for key in _TEXTS}
            embedding = stored["embedding"]
            index = FilmIndex(str(stored["sha256"]), str(stored["layer"]), embedding=directions(embedding), **texts)
        _check(index)
    # NumPy takes a file that is no archive for an array or a pickle, and says so in as many ways.
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ModelError(f"{path} is damaged ({error}). {remedy}") from error
    if index.sha256 != card.sha256:
        raise ModelError(f"{path} is of other weights than {card.name} has now. {remedy}")
    return index


def _check(index: FilmIndex) -> None:
    """Raise a ValueError where the parts of an index do not fit together."""
    films = len(index.embedding)
    if index.embedding.ndim != 2 or not np.isfinite(index.embedding).all():
        raise ValueError("the embedding is no table of numbers")
    for key in _TEXTS:
        values = getattr(index, key)
        if values.shape != (films,) or values.dtype.kind != "U":
            raise ValueError(f"{key} is not one text a film")
    if not np.isin(index.labels, LABELS).all() or not np.isin(index.pathogens, ("", *PATHOGENS)).all():
        raise ValueError("a film has an unknown label or pathogen")
    if len(np.unique(index.patients)) <= NEAREST:
        raise ValueError(f"it holds no more than {NEAREST} children")
