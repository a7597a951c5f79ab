"""Films unlike those of the hospitals that a classifier learned from: ``models/<name>/hospitals.npz``.

A network that gives foreign films to other members tells them itself (`networks.ensemble.Switch`) and has no such file.

How far a film lies from those of the nearest hospital is a Mahalanobis distance (Lee et al. 2018, arXiv:1807.03888) in
the mean and the standard deviation of each feature map of a middle layer of the classifier. Its last layer is of no use
for that: it was trained to forget where a film was taken. ``python -m research.foreign_films`` measures both.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo.errors import ModelError
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.weights import sha256
from pneumo.sentences import Sentence, say

# The share of the validation films that must not be foreign, by which the limit is chosen.
KEPT = 0.95


@dataclass(frozen=True, eq=False)
class KnownHospitals:
    """Where the films of the hospitals that a classifier learned from lie.

    Attributes:
        layer: of the classifier, whose feature maps are summed up; empty where the network tells foreign films itself.
        names: of the hospitals.
        means: (hospitals, features) float32, of the films of each; of no features where the network tells them.
        whitening: (features, features) float32; features times it have the unit covariance about the mean of their
            hospital.
        limit: a film with a greater `distance` is foreign.
    """

    layer: str
    names: tuple[str, ...]
    means: np.ndarray
    whitening: np.ndarray
    limit: float

    @classmethod
    def told_by_network(cls, names: Sequence[str]) -> "KnownHospitals":
        """Return what is known where the network says how foreign a film is, in 0…1."""
        return cls("", tuple(names), np.zeros((len(names), 0), np.float32), np.zeros((0, 0), np.float32), 0.5)

    def distance(self, features: np.ndarray) -> np.ndarray:
        """Return how far films lie from the films of the nearest hospital.

        Args:
            features: (films, features) of `layer`, as `features` gives them; or what the network says, (films, 1).

        Returns:
            (films,) float32, root mean square over the features, in standard deviations: about 1 on a film of a
            hospital that the classifier learned from. What the network says is returned as it is.
        """
        if not self.layer:
            return np.asarray(features[:, 0])
        away = (features[:, np.newaxis] - self.means) @ self.whitening
        return np.sqrt((away**2).mean(axis=2)).min(axis=1)

    def is_foreign(self, features: np.ndarray) -> bool:
        """Whether one film, (features,), is unlike the films of all hospitals that the classifier learned from."""
        return bool(self.distance(features[np.newaxis])[0] > self.limit)

    def __str__(self) -> Sentence:
        """Say that a film is foreign, why it may be, and what to do."""
        return say(
            "This film is unlike the films of the {number} hospitals that the model learned from, and on such films it "
            "is often wrong. So it gives no answer. The patient may be an adult, the X-ray machine a different one, or "
            "the picture a photograph of a film. Let a radiologist read this film.",
            number=len(self.names),
        )


def features(maps: np.ndarray) -> np.ndarray:
    """Return the mean and the standard deviation of each of some feature maps.

    Args:
        maps: (films, rows, columns, channels) float32, of the layer of `KnownHospitals`.

    Returns:
        (films, 2 x channels) float32, the means ahead.
    """
    return np.concatenate([maps.mean(axis=(1, 2)), maps.std(axis=(1, 2))], axis=1)


def path_of(name: str, folder: Path | None = None) -> Path:
    """Return where the films of the hospitals that a model learned from are described, or would be."""
    return (folder or store.models_folder()) / name / store.HOSPITALS


def write(known: KnownHospitals, name: str, folder: Path | None = None) -> dict[str, Any]:
    """Write the file into a model's folder, and return what its card says of it, see `ModelCard.foreign`."""
    if not known.layer:
        return {"hospitals": list(known.names)}
    path, content = path_of(name, folder), io.BytesIO()
    np.savez_compressed(
        content,
        allow_pickle=False,
        means=known.means.astype(np.float32),
        whitening=known.whitening.astype(np.float32),
    )
    path.write_bytes(content.getvalue())
    return {
        "layer": known.layer,
        "hospitals": list(known.names),
        "limit": known.limit,
        "sha256": sha256(path),
    }


def read(card: ModelCard, folder: Path | None = None) -> KnownHospitals | None:
    """Read what tells a model's foreign films; None where its card names no such file. Nothing in it is ever run.

    Raises:
        ModelError: if the file is missing, damaged, or not the one that the card describes.
    """
    if not card.foreign:
        return None
    if card.tells_foreign_films:
        return KnownHospitals.told_by_network(card.foreign["hospitals"])
    path = path_of(card.name, folder)
    remedy = say(
        "Restore it, or make it with `python -m pneumo foreign {name} --data DIR --hospitals DIR`.", name=card.name
    )
    if not path.is_file():
        raise ModelError("{path} is missing, by which foreign films are told. {remedy}", path=path, remedy=remedy)
    try:
        if sha256(path) != card.foreign["sha256"]:
            raise ModelError("{path} is not the file that its card describes. {remedy}", path=path, remedy=remedy)
        with np.load(path, allow_pickle=False) as stored:
            means, whitening = (np.asarray(stored[key], np.float32) for key in ("means", "whitening"))
        names, limit = tuple(map(str, card.foreign["hospitals"])), float(card.foreign["limit"])
        if means.ndim != 2 or len(means) != len(names) or whitening.shape != 2 * means.shape[1:]:
            raise ValueError("its parts do not fit together")
        if not (names and np.isfinite(means).all() and np.isfinite(whitening).all() and limit > 0):
            raise ValueError("it holds no hospital, or something else than numbers")
        return KnownHospitals(str(card.foreign["layer"]), names, means, whitening, limit)
    except store.DAMAGED_ARRAYS as error:
        raise ModelError("{path} is damaged ({error}). {remedy}", path=path, error=error, remedy=remedy) from error
