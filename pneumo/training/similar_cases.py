"""Embed the validation films of a classifier, and measure what the films nearest to one say of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError
from pneumo.inference import similar_cases
from pneumo.inference.classifier import Classifier
from pneumo.inference.similar_cases import Agreement, FilmIndex
from pneumo.model_store import store
from pneumo.model_store.card import tidy
from pneumo.training import films, loop
from pneumo.training.films import Report, Stage, silent

BATCH = 64
SPLIT = "val"


@dataclass(frozen=True, eq=False)
class Indexed:
    """An index that was written.

    Attributes:
        path: of the file.
        index: as whoever reads the file gets it.
        agreement: of the films nearest to its films.
    """

    path: Path
    index: FilmIndex
    agreement: Agreement


def build(name: str, data: Path, folder: Path | None = None, progress: Report = silent) -> Indexed:
    """Write the index of a classifier's validation films into its folder.

    Args:
        name: of the model folder.
        data: the data set that the model was validated on.
        folder: the folder of model folders.
        progress: called as the work goes on.

    Raises:
        ModelError: if the model cannot be loaded, is an ensemble, or was not measured on validation films.
        DatasetError: if the films of the data set are not those that the model was validated on.
        ImageError: if a film cannot be read.
    """
    out = folder or store.models_folder()
    classifier = Classifier.open(name, out)
    card = classifier.card
    root = kaggle.find_root(data)
    table = films.of_split(SPLIT, root, card.training.get("fold", 0))
    # In another data set the same rule may hold out films that the model was trained on.
    if set(table["file"]) != set(store.read_predictions(name, SPLIT, out)["file"]):
        raise DatasetError(
            f"The films that {root} holds out are not those that {name} was validated on. Point to the dataset that "
            "it was trained on, or train it anew on this one."
        )
    if table["patient"].nunique() <= similar_cases.NEAREST:
        raise DatasetError(
            f"{root} holds out the films of {table['patient'].nunique()} children; an index needs more than "
            f"{similar_cases.NEAREST}. Point to a larger dataset."
        )
    crop_names = card.input["views"]
    loaded = films.load_films(root, table, progress, crop_names, films.segmenter_for(crop_names, out))
    embeddings: list[np.ndarray] = []
    for pictures in loop.batched(loop.pictures(loaded, card.input["size"]), BATCH):
        embeddings.append(classifier.embed(np.stack(pictures)))
        progress(Stage("embedding the films", sum(map(len, embeddings)), len(table)))
    texts = {f"{key}s": table[key].to_numpy(np.str_) for key in ("file", "patient", "label", "pathogen")}
    directions = similar_cases.directions(np.concatenate(embeddings))
    made = FilmIndex(card.sha256, classifier.embedding_layer, embedding=directions, **texts)
    path = similar_cases.write(made, name, out)
    index = similar_cases.read(card, out)
    return Indexed(path, index, similar_cases.agreement(index))


def record(name: str, indexed: Indexed) -> dict[str, Any]:
    """Return what was made and measured, for JSON."""
    index, measured = indexed.index, indexed.agreement
    shares = {"label": measured.label, "kind": measured.kind, **measured.kinds}
    return {
        "model": name,
        "model_sha256": index.sha256,
        "file": str(indexed.path),
        "size_bytes": indexed.path.stat().st_size,
        "layer": index.layer,
        "features": index.embedding.shape[1],
        "films": measured.films,
        "patients": measured.patients,
        "nearest": measured.count,
        "agreement": {key: tidy(vars(share)) for key, share in shares.items()},
        "by_chance": tidy({"label": measured.label_by_chance, "kind": measured.kind_by_chance}),
    }
