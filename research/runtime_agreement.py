"""How nearly do ONNX Runtime and Keras agree on the shipped networks? Written into their cards.

``python -m research.runtime_agreement --write`` runs both on all films of the official test split. It asks two programs
for the same sums, learns no label, and nothing is chosen by it: so it does not count as an opening of that split.
"""

import dataclasses
import importlib.metadata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pneumo.cli.output import DataOption, ModelsOption, load_keras, reports_errors, required, say
from pneumo.datasets import kaggle
from pneumo.errors import ModelError
from pneumo.inference import gate
from pneumo.inference.lungs import Segmenter
from pneumo.model_store import runtime, store, weights
from pneumo.model_store.card import CLASSIFICATION, OPACITY, ModelCard
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.crops import Box

SPLIT = "test"
# Films that Keras is given at once.
BATCH = 16
# The largest difference that ships, in a probability.
ALLOWED = 1e-3
LIBRARIES = ("onnxruntime", "keras", "tensorflow-cpu", "tensorflow")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def largest_difference(
    name: str, squares: np.ndarray, boxes: Sequence[Box | None], folder: Path | None = None
) -> float:
    """Return the largest difference between what the two runtimes make of some films, over all outputs of a network.

    Args:
        name: of the model folder.
        squares: (films, side, side) uint8, of each its `network_input.film_square` times 255.
        boxes: of the lungs of each.
        folder: the folder of model folders.

    Raises:
        ModelError: if the model is missing or damaged, or ONNX Runtime does not run it.
    """
    card, path = store.find(name, folder)
    ours, theirs = runtime.open_network(path), runtime.open_network(weights.load(path))
    if type(ours) is type(theirs):
        raise ModelError("ONNX Runtime does not run {name}, so there is nothing to compare.", name=name)
    largest = 0.0
    for films in _batches(len(squares)):
        given = _inputs(card, ours.input_shapes, squares[films], boxes[films])
        for one, other in zip(ours.run(*given).results, theirs.run(*given).results, strict=True):
            largest = max(largest, float(np.abs(one - other).max()))
    return largest


def _batches(films: int) -> Iterator[slice]:
    return (slice(first, first + BATCH) for first in range(0, films, BATCH))


def _inputs(
    card: ModelCard, shapes: Sequence[tuple[int, ...]], squares: np.ndarray, boxes: Sequence[Box | None]
) -> list[np.ndarray]:
    """Return what a network is given of some films, as it is where they are read."""
    first = (
        card.input["views"] if card.task == CLASSIFICATION else [crops.LUNGS if card.task == OPACITY else crops.FILM]
    )
    # The second of the gate is the box of the lungs.
    return [
        np.stack(
            [
                network_input.model_input(crops.cropped(square, names, box) / np.float32(255), shape[0])
                for square, box in zip(squares, boxes, strict=True)
            ]
        )
        for shape, names in zip(shapes, (first, [crops.LUNGS]), strict=False)
    ]


def with_agreement(card: ModelCard, difference: float, films: int) -> ModelCard:
    """Return a model's card with what was found, see `ModelCard.runtime`."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    found = {
        "largest_difference": float(f"{difference:.2g}"),
        "films": films,
        "measured_on": SPLIT,
        "software": versions,
        "sha256": card.sha256,
    }
    return dataclasses.replace(card, runtime=found)


def squares_of(root: Path, segmenter: Segmenter) -> tuple[np.ndarray, list[Box | None]]:
    """Return the squares of the films of `SPLIT`, (films, side, side) uint8, and the boxes of their lungs."""
    from pneumo.training import films

    squares = films.load_films(root, films.of_split(SPLIT, root, 0)).squares
    masks = [mask for part in _batches(len(squares)) for mask in segmenter.segment_all(squares[part] / np.float32(255))]
    return squares, [mask.box for mask in masks]


@app.command()
@reports_errors
def main(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all if left out.", metavar="[NAME]...")] = None,
    data: DataOption = None,
    write: Annotated[bool, typer.Option("--write", help="Store what was found in the models' cards.")] = False,
    models: ModelsOption = None,
) -> None:
    """Compare ONNX Runtime with Keras on all films of the official test split."""
    load_keras()
    squares, boxes = squares_of(kaggle.find_root(required(data)), gate.open_segmenter(models))
    for name in names or store.names(models):
        difference = largest_difference(name, squares, boxes, models)
        print(f"{name}\t{difference:.2g}", flush=True)
        if difference > ALLOWED:
            raise ModelError("The runtimes differ by more than {allowed} on {name}.", allowed=ALLOWED, name=name)
        if write:
            store.write_card(with_agreement(store.read_card(name, models), difference, len(squares)), models)
    if write:
        say("Wrote what was found into the cards.")


if __name__ == "__main__":
    app()
