"""Choose the gate's limits anew without fitting its networks, and measure how well films inside pictures are found.

``python -m research.found_films limits --data data/chest_xray`` prints the limits of the shipped networks as
``pneumo train gate`` would choose them; ``--write`` writes them into the gate's card. ``python -m research.found_films
measure FOLDER`` makes pictures of the films in a folder (with NORMAL and PNEUMONIA below it) and prints what became of
them.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import pandas as pd
import typer

from pneumo.cli import output
from pneumo.cli.output import DataOption, ModelsOption, load_keras, reports_errors, required
from pneumo.datasets import kaggle
from pneumo.inference.findings import Correction
from pneumo.inference.gate import GATE, Gate
from pneumo.inference.reading import Models, Reading, open_models, read_film
from pneumo.model_store import store
from pneumo.model_store.card import SCREENING
from pneumo.preprocessing import outlines
from pneumo.preprocessing.outlines import Corners
from research.found_films import pictures
from research.found_films.pictures import Picture

app = typer.Typer(no_args_is_help=True, help=__doc__)
# A crop is right where it shares so much with the film (intersection over union), and an answer where it is so near.
RIGHT_CROP, NEAR_ANSWER = 0.8, 0.05
# Films are made so high first: a screen shows no more of them.
SIDE = 700
FILLS = ("black", "white", "grey", "blurred")


@app.command()
@reports_errors
def limits(
    data: DataOption = None,
    models: ModelsOption = None,
    write: Annotated[bool, typer.Option("--write", help="Write the limits into the gate's card.")] = False,
) -> None:
    """Choose the limits of the gate on the validation films."""
    load_keras()
    from pneumo.training import gate as training

    root = required(data)
    folder = models or store.models_folder()
    opened = Gate.open(folder)
    card = store.read_card(GATE, folder, SCREENING)
    parts = kaggle.development_split(kaggle.scan(root), card.training["fold"])
    chosen = dataclasses.asdict(training.limits_of(opened.reader, opened.segmenter, root, parts))
    for name, value in chosen.items():
        before = card.thresholds.get(name)
        print(f"{name}\t{value}" + ("" if before in (value, list(np.atleast_1d(value))) else f"\t(was {before})"))
    if write:
        # What differs in the last digit alone stays: the shipped answers were given with it.
        same = {
            name for name, value in chosen.items() if np.allclose(card.thresholds.get(name, np.nan), value, atol=1e-3)
        }
        kept = {name: card.thresholds[name] for name in chosen if name in same}
        thresholds = {**chosen, **kept, "chosen_on": training.CHOSEN_ON}
        store.write_card(dataclasses.replace(card, thresholds=thresholds), folder)


@app.command()
@reports_errors
def measure(
    folder: Annotated[Path, typer.Argument(help="Folder of films, with NORMAL and PNEUMONIA below it.")],
    models: ModelsOption = None,
    seed: Annotated[int, typer.Option(help="Of the films that are drawn and of the pictures made of them.")] = 14,
    pairs: Annotated[int, typer.Option(help="Pairs of a normal film and one with pneumonia.")] = 72,
    others: Annotated[int, typer.Option(help="Pictures of every other kind.")] = 24,
    boxed: Annotated[int, typer.Option(help="Films that are letterboxed, in all fills.")] = 100,
) -> None:
    """Make pictures of films, and count what is answered, offered and right."""
    load_keras()
    rng = np.random.default_rng(seed)
    films = {label: sorted((folder / label).glob("*.jp*g")) for label in ("NORMAL", "PNEUMONIA")}
    opened = open_models(None, models)

    def drawn(label: str) -> np.ndarray:
        return _film(films[label][rng.integers(len(films[label]))])

    made: list[tuple[Picture, list[np.ndarray]]] = []
    for number in range(pairs):
        pair = [drawn("NORMAL"), drawn("PNEUMONIA")][:: -1 if number % 2 else 1]
        made.append((pictures.several(pair, rng), pair))
    labels = ("NORMAL", "PNEUMONIA")
    for number in range(others):
        group = [drawn(labels[rng.integers(2)]) for _ in range(3 + number % 2)]
        made.append((pictures.several(group, rng), group))
        for make in pictures.SINGLE.values():
            film = drawn(labels[number % 2])
            made.append((make(film, rng), [film]))
    rows = [_row(opened, picture, alone) for picture, alone in made]
    output.print_table(
        pd.DataFrame(rows).groupby("kind", sort=False).sum().reset_index(), "Pictures with films in them"
    )
    boxes = [_letterbox_row(opened, drawn(labels[number % 2]), fill, rng) for number in range(boxed) for fill in FILLS]
    table = (
        pd.DataFrame(boxes)
        .groupby("fill")
        .agg(
            answered=("change", "count"),
            greatest=("change", "max"),
            above_0_05=("change", lambda changes: int((changes > NEAR_ANSWER).sum())),
            refused=("refused", "sum"),
        )
    )
    output.print_table(table.reset_index(), "Letterboxes: change of the probability")


def _film(path: Path) -> np.ndarray:
    picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    height, width = picture.shape
    return cv2.resize(picture, (round(width * SIDE / height), SIDE), interpolation=cv2.INTER_AREA)


def _read(models: Models, pixels: np.ndarray, correct: Correction | None = None) -> Reading:
    return read_film(cv2.imencode(".png", pixels)[1].tobytes(), "film.png", models, correct=correct or False)


def _row(models: Models, picture: Picture, alone: Sequence[np.ndarray]) -> dict[str, str | int]:
    reading = _read(models, picture.pixels)
    offered = reading.gate.corrections if reading.gate else ()
    crops = [each for each in offered if each.crop]
    right, same, near = 0, 0, 0
    for correction in crops:
        assert correction.crop
        shared = [outlines.overlap(correction.crop, _corners(truth))[0] for truth in picture.corners]
        best = int(np.argmax(shared))
        if shared[best] >= RIGHT_CROP:
            right += 1
            cut, film = (_read(models, picture.pixels, correction), _read(models, alone[best]))
            if cut.assessment and film.assessment:
                same += cut.assessment.answer == film.assessment.answer
                near += abs(cut.assessment.probability - film.assessment.probability) <= NEAR_ANSWER
            else:
                same += cut.status == film.status
    return {
        "kind": picture.kind,
        "pictures": 1,
        "answered": int(reading.status == "ok"),
        "films": len(picture.corners),
        "crops": len(crops),
        "right crops": right,
        "same answer": same,
        "within 0.05": near,
    }


def _corners(truth: np.ndarray) -> Corners:
    first, second, third, fourth = ((float(x), float(y)) for x, y in truth)
    return first, second, third, fourth


def _letterbox_row(models: Models, film: np.ndarray, fill: str, rng: np.random.Generator) -> dict[str, str | float]:
    sides = ("across", "down", "both", "one")[rng.integers(4)]
    share, seed = rng.uniform(0.02, 0.5), rng.integers(2**32)
    picture = pictures.letterbox(film, share, sides, fill, np.random.default_rng(seed))
    # Compressed alike, so that the border alone differs.
    plain = pictures.compressed(film, np.random.default_rng(seed))
    alone, boxed = _read(models, plain).assessment, _read(models, picture.pixels).assessment
    change = abs(alone.probability - boxed.probability) if alone and boxed else np.nan
    return {"fill": fill, "change": change, "refused": int(boxed is None)}


if __name__ == "__main__":
    app()
