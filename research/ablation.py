"""Ablation: one ingredient of MobileNetV2's recipe is taken out or put in at a time, and the rest stays as it is.

The networks are smaller and trained shorter than the shipped one, so that all fit into an hour or two; each is trained
from several seeds, because what one seed gains another may lose. Validation films alone are looked at.

``python -m research.ablation --data data/chest_xray`` trains what ``docs/ablation.csv`` lacks, writes
it there, and prints the table of docs/figures.md: two hours for all eighteen runs on two cores, seconds where none is
missing.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer

from pneumo.cli import output
from pneumo.cli.output import DataOption, ModelsOption, load_keras, reports_errors, required
from pneumo.datasets import kaggle
from pneumo.errors import DatasetError
from pneumo.evaluation import metrics
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.preprocessing import crops
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.results import markdown_tables
from pneumo.results.studies import FULL, INGREDIENTS

if TYPE_CHECKING:
    from pneumo.training.films import Films, Report, Stage
    from pneumo.training.loop import Recipe

NAME = "mobilenetv2"
SIZE = 96
EPOCHS = 4
SEEDS = 2
FILE = Path("docs") / "ablation.csv"
COLUMNS = ["ingredient", "seed", "size", "epochs", "films", "val_auroc", "shifted_auroc", "low", "high", "seconds"]


@dataclass(frozen=True)
class Change:
    """One departure from the recipe.

    Attributes:
        title: for people.
        recipe: fields of `Recipe` that differ.
        augmentation: fields of `Augmentation` that differ.
        view: what of a film is seen, a key of `crops.CROPS`.
        pretrained: whether training starts from the weights that were given.
    """

    title: str
    recipe: dict[str, Any] = dataclasses.field(default_factory=dict)
    augmentation: dict[str, float] = dataclasses.field(default_factory=dict)
    view: str = crops.FILM
    pretrained: bool = True

    def applied_to(self, recipe: "Recipe") -> "Recipe":
        """Return the recipe with this change."""
        augmentation = dataclasses.replace(recipe.augmentation, **self.augmentation)
        return dataclasses.replace(recipe, augmentation=augmentation, **self.recipe)


CHANGES = {
    FULL: Change(INGREDIENTS[FULL]),
    "no_crop": Change(INGREDIENTS["no_crop"], augmentation={"min_area": 1.0, "max_stretch": 1.0}),
    "no_exposure": Change(INGREDIENTS["no_exposure"], augmentation={"brightness": 0.0, "contrast": 0.0, "gamma": 0.0}),
    "no_mirror": Change(INGREDIENTS["no_mirror"], augmentation={"flip": 0.0}),
    "no_views": Change(INGREDIENTS["no_views"], augmentation=dataclasses.asdict(Augmentation(1, 1, 0, 0, 0, 0))),
    "no_average": Change(INGREDIENTS["no_average"], {"average": 0.0}),
    "no_imagenet": Change(INGREDIENTS["no_imagenet"], pretrained=False),
    "smoothing": Change(INGREDIENTS["smoothing"], {"label_smoothing": 0.1}),
    "lungs": Change(INGREDIENTS["lungs"], view=crops.LUNGS),
}


def run(
    data: Path,
    weights: str | Path,
    file: Path = FILE,
    *,
    models: Path | None = None,
    fold: int = 0,
    seeds: int = SEEDS,
    epochs: int = EPOCHS,
    size: int = SIZE,
    runs: Path | None = None,
    progress: "Report" = lambda _: None,
) -> pd.DataFrame:
    """Train `NAME` once for each of `CHANGES` and seed, and keep what each gives; what the file has is not run again.

    Args:
        data: a data set in the Kaggle layout.
        weights: ImageNet's, see `classifiers.build`.
        file: table with `COLUMNS`; written after each run.
        models: folder of model folders that has the lung network; the one shipped with pneumo where None.
        fold: which patients validate, see `kaggle.development_split`.
        seeds: how many runs of each.
        epochs: of each run.
        size: side of the input in pixels.
        runs: where checkpoints go; ``runs/ablation`` in the working folder where None.
        progress: called as the work goes on.

    Returns:
        One row a run, with `COLUMNS`: ``low`` and ``high`` are the 95 % interval of ``shifted_auroc``.

    Raises:
        DatasetError: if the data set is not complete enough to train on, or the file is of other settings.
    """
    from pneumo.training.films import load_films, segmenter_for

    root = kaggle.find_root(data)
    parts = kaggle.development_split(kaggle.scan(root), fold)
    done = _read(file)
    settings = {"size": size, "epochs": epochs, "films": len(parts.train)}
    if not (done[list(settings)] == pd.Series(settings)).all(axis=None):
        raise DatasetError(f"{file} is of another size, number of epochs or data set. Name another file.")
    known = set(zip(done["ingredient"], done["seed"], strict=True))
    # One view at a time: the films of both would be twice the memory.
    for view in dict.fromkeys(change.view for change in CHANGES.values()):
        wanted = [
            (name, seed)
            for seed in range(seeds)
            for name, change in CHANGES.items()
            if change.view == view and (name, seed) not in known
        ]
        if not wanted:
            continue
        segmenter = segmenter_for([view], models)
        films = load_films(root, parts.train, progress, [view], segmenter)
        validation = load_films(root, parts.validation, progress, [view], segmenter, shifted=True)
        for name, seed in wanted:
            recipe = dataclasses.replace(CHANGES[name].applied_to(_recipe()), seed=seed, epochs=epochs)
            start = weights if CHANGES[name].pretrained else None
            folder = (runs or Path("runs") / "ablation") / f"{name}-{seed}"

            def show(stage: "Stage", what: str = f"{name}, seed {seed}") -> None:
                progress(dataclasses.replace(stage, what=what))

            figures = _one(recipe, start, size, films, validation, parts.validation, folder, show)
            row = pd.DataFrame([{"ingredient": name, "seed": seed, **settings, **figures}])
            done = pd.concat([done, row], ignore_index=True)[COLUMNS]
            file.parent.mkdir(parents=True, exist_ok=True)
            done.to_csv(file, index=False, float_format="%.6f", lineterminator="\n")
    return done


def _recipe() -> "Recipe":
    from pneumo.training.loop import Recipe
    from pneumo.training.recipes import RECIPES

    recipe = RECIPES[NAME]
    assert isinstance(recipe, Recipe)
    return recipe


def _read(file: Path) -> pd.DataFrame:
    return read(file) if file.is_file() else pd.DataFrame(columns=COLUMNS)


def _one(
    recipe: "Recipe",
    weights: str | Path | None,
    size: int,
    films: "Films",
    validation: "Films",
    table: pd.DataFrame,
    folder: Path,
    progress: "Report",
) -> dict[str, float]:
    """Train once and return the figures of the best epoch."""
    import keras

    from pneumo.networks import classifiers
    from pneumo.training import loop

    keras.utils.set_random_seed(recipe.seed)
    model = classifiers.build(NAME, weights, size)
    history = loop.fit(model, films, validation, recipe, folder, resume=True, progress=progress)
    areas = {
        split: metrics.evaluate_table(
            table.assign(probability=loop.predict(model, validation, shifted=split == SELECTION_SPLIT)), 0.5
        ).auroc
        for split in ("val", SELECTION_SPLIT)
    }
    shifted = areas[SELECTION_SPLIT]
    return {
        "val_auroc": areas["val"].value,
        "shifted_auroc": shifted.value,
        "low": shifted.low,
        "high": shifted.high,
        "seconds": sum(row["seconds"] for row in history),
    }


def read(file: Path = FILE) -> pd.DataFrame:
    """Read the table that `run` wrote, one row a run.

    Raises:
        DatasetError: if there is none, or it lacks a column.
    """
    if not file.is_file():
        raise DatasetError(f"There is no {file}. Make it with `python -m research.ablation`.")
    table = pd.read_csv(file)
    if missing := [column for column in COLUMNS if column not in table]:
        raise DatasetError(f"{file} lacks {', '.join(missing)}. Make it anew with `python -m research.ablation`.")
    return table


def markdown(table: pd.DataFrame) -> str:
    """Return the runs as a Markdown table, a row an ingredient, as it stands in docs/figures.md.

    The interval of the area is that of the first seed, which tells how far other films would move it; the differences
    of the seeds tell how far chance in training moves it.
    """
    rows = []
    full = table[table["ingredient"] == FULL].set_index("seed")["shifted_auroc"]
    for name, change in CHANGES.items():
        runs = table[table["ingredient"] == name].sort_values("seed").set_index("seed")
        if runs.empty:
            continue
        first = runs.iloc[0]
        apart = (runs["shifted_auroc"] - full).dropna()
        rows.append(
            (
                change.title,
                " / ".join(f"{value:.3f}" for value in runs["val_auroc"]),
                f"{first['shifted_auroc']:.3f} ({first['low']:.3f}–{first['high']:.3f})"
                + "".join(f" / {value:.3f}" for value in runs["shifted_auroc"].iloc[1:]),
                "–" if name == FULL else " / ".join(_signed(value) for value in apart),
            )
        )
    head = ["Ingredient", "AUROC, validation", "shifted", "Difference from the recipe, each seed"]
    return markdown_tables.table(pd.DataFrame(rows, columns=head))


def _signed(value: float) -> str:
    return f"{np.round(value, 4):+.4f}".replace("-", "−")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@reports_errors
def ablation(
    data: DataOption = None,
    weights: Annotated[str, typer.Option(help="MobileNetV2 without its top: a file, or `imagenet`.")] = "imagenet",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each change.")] = SEEDS,
    epochs: Annotated[int, typer.Option(min=1, help="Of each run.")] = EPOCHS,
    size: Annotated[int, typer.Option(min=32, max=224, help="Side of the input in pixels.")] = SIZE,
    out: Annotated[Path, typer.Option(help="Table to write; runs that it has are not run again.")] = FILE,
    models: ModelsOption = None,
) -> None:
    """Take the ingredients of MobileNetV2's recipe out one by one, and print what each was worth on validation."""
    data = required(data)
    load_keras()
    with output.progress_bar() as show:
        table = run(
            data,
            weights,
            out,
            models=models,
            seeds=seeds,
            epochs=epochs,
            size=size,
            progress=lambda stage: output.show_stage(show, stage),
        )
    print(markdown(table))
    output.say(f"Wrote {out}.")


if __name__ == "__main__":
    app(prog_name="python -m research.ablation")
