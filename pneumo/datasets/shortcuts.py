"""Shortcuts: how well image properties outside the lungs predict the label.

Size, exposure, borders and letters of a film have nothing to do with the lungs; a model that learns them fails where
they differ, so it is also measured how the test films differ from the training films. `measure` reads every film once;
`write` and `load` keep the figures as one JSON file without any film or patient. Below them stand the same figures in
words, for reading and for charts.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo import radiograph
from pneumo.datasets import kaggle, lung_masks
from pneumo.errors import DatasetError, require_package
from pneumo.evaluation.intervals import Estimate
from pneumo.evaluation.metrics import evaluate_table
from pneumo.labels import CLASSES, KIND_WORDS
from pneumo.preprocessing import network_input
from pneumo.preprocessing.network_input import SQUARE
from pneumo.sentences import Sentence, say, say_all, say_list

INDEX = "dataset_leaks.json"
TRAIN, VALIDATION, TEST = say("Training"), say("Held out for validation"), say("Test")
PARTS: tuple[str, ...] = (TRAIN, VALIDATION, TEST)
# The outer twentieth of a film, where collimator and bare film are.
STRIP = SQUARE // 20
DARK = 0.1
# Lead letters are brighter than what is around them by this much, 0…1, and of these sizes in pixels of the square.
MARK_CONTRAST = 0.25
MARK_KERNEL = 17
MARK_AREA = (8, 220)
MARK_SIDE = (4, 24)
# Letters lie in the upper corners or beside the arms; ribs and clavicles, which pass for letters, lie further in.
CORNER = (0.17, 0.2)
BESIDE = 0.12
SIDE = 24
PROGRESS_EVERY = 25


@dataclass(frozen=True)
class Trait:
    """A trait's name, its unit, and what it is, for people."""

    title: str
    meaning: str


TRAITS = {
    "width": Trait(say("Width (pixels)"), say("of the original film")),
    "height": Trait(say("Height (pixels)"), say("of the original film")),
    "aspect_ratio": Trait(say("Width : height"), say("of the original film")),
    "brightness": Trait(say("Brightness"), say("the mean grey value, 0 black to 1 white")),
    "contrast": Trait(say("Contrast"), say("the standard deviation of the grey values, of 0 to 1")),
    "dark_sides": Trait(say("Dark border, sides"), say("the share of the left and right edges that is black")),
    "dark_ends": Trait(say("Dark border, top and bottom"), say("the share of the upper and lower edges that is black")),
    "marks_above": Trait(
        say("Letters in the corners"),
        say("bright spots of a letter's size in the upper corners, for which bones can pass"),
    ),
    "marks_beside": Trait(
        say("Letters beside the child"),
        say("bright spots of a letter's size further down at the edges, for which bones can pass"),
    ),
    "lung_width": Trait(say("Width of the lungs"), say("their box's share of the film's width, by the human outline")),
    "lung_height": Trait(
        say("Height of the lungs"), say("their box's share of the film's height, by the human outline")
    ),
}
SIZE = ("width", "height", "aspect_ratio")
FRAMING = ("lung_width", "lung_height")
BASELINES = {
    say("Size"): SIZE,
    say("Brightness"): ("brightness", "contrast"),
    say("Size and brightness"): (*SIZE, "brightness", "contrast"),
    say("Borders and letters"): ("dark_sides", "dark_ends", "marks_above", "marks_beside"),
    say("Framing of the lungs"): FRAMING,
    say("All of these"): tuple(TRAITS),
}
# What `baseline_text` names first.
BASELINE = say("Size and brightness")
# Enough to see a cloud, few enough to draw at once.
POINTS = 350


@dataclass(frozen=True, eq=False)
class Shortcuts:
    """The shortcuts of a dataset; every table is in long form.

    Attributes:
        baselines: ``traits`` (key of `BASELINES`), ``value, low, high``: AUROC on validation, with its 95 % interval
            over patients, of a logistic regression on those traits alone; ``train_films, films, patients`` (of
            validation).
        traits: ``part`` (of `PARTS`), ``label, trait, films, mean, sd, q1, median, q3``.
        shifts: ``label, trait, shift``: mean of the test films less that of the training films, in standard deviations
            of the training films.
        points: ``part, kind, x, y``: some films of each part and kind, in random order, on the first two principal
            components of the training films' small pictures, in standard deviations.
        variance: share of the small pictures' variance that x and y hold, 0…1.
        left_out: films without a known original size, which no figure but `points` counts.
        fingerprint: `kaggle.fingerprint`.
    """

    baselines: pd.DataFrame
    traits: pd.DataFrame
    shifts: pd.DataFrame
    points: pd.DataFrame
    variance: list[float]
    left_out: int
    fingerprint: str


# The tables by their names in the file.
_TABLES = {
    "floors" if each.name == "baselines" else each.name: each.name
    for each in fields(Shortcuts)
    if each.type is pd.DataFrame
}


def measure(
    data: Path, masks: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Shortcuts:
    """Measure every film, fit on the training films, and test on the validation films of fold 0.

    The labels of the test films are used to describe those films by class and for nothing else.

    Args:
        data: a dataset in the Kaggle layout.
        masks: as in `image_properties`; without them the framing of the lungs is left out.
        progress: called with the number of films measured and of all films.

    Raises:
        DatasetError: if the dataset is too small to be divided, or masks are damaged.
        ImageError: if a film cannot be read.
        PackageError: if scikit-learn is not installed.
    """
    require_package("sklearn")
    films = kaggle.scan(data)
    parts = kaggle.development_split(films)
    place = dict.fromkeys(parts.train["file"], TRAIN) | dict.fromkeys(parts.validation["file"], VALIDATION)
    films = films.assign(part=[place.get(file, TEST) for file in films["file"]], kind=kaggle.kinds(films))
    traits, small = image_properties(films, kaggle.find_root(data), masks, progress)
    traits = traits.dropna(axis="columns", how="all")
    whole = traits.notna().all(axis="columns")
    measured = pd.concat([films, traits], axis="columns")[whole]
    components, variance = principal_components(small, (films["part"] == TRAIN).to_numpy())
    described = _described(measured, traits.columns.to_list())
    seen = {name: [trait for trait in chosen if trait in traits] for name, chosen in BASELINES.items()}
    return Shortcuts(
        baselines=pd.DataFrame(
            [{"traits": name, **baseline(measured, chosen)} for name, chosen in seen.items() if chosen]
        ),
        traits=described,
        shifts=shifts(described),
        points=_points(films, components),
        variance=[round(share, 4) for share in variance],
        left_out=int((~whole).sum()),
        fingerprint=kaggle.fingerprint(films),
    )


def baseline(films: pd.DataFrame, traits: list[str]) -> dict[str, float]:
    """Fit a logistic regression on the training films and measure it on the validation films.

    Args:
        films: ``part, label, patient`` and the traits, standardised here by the training films.
        traits: the columns that it may see.

    Returns:
        A row of `Shortcuts.baselines` without its name.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, validation = (films[films["part"] == part] for part in (TRAIN, VALIDATION))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(train[traits].to_numpy(float), train["label"] == "PNEUMONIA")
    probability = model.predict_proba(validation[traits].to_numpy(float))[:, 1]
    metrics = evaluate_table(validation.assign(probability=probability), 0.5)
    return {
        "value": round(metrics.auroc.value, 4),
        "low": round(metrics.auroc.low, 4),
        "high": round(metrics.auroc.high, 4),
        "train_films": len(train),
        "films": metrics.films,
        "patients": metrics.patients,
    }


def principal_components(
    small: npt.NDArray[np.float32], fitted_on: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], list[float]]:
    """Return where films lie on the first two principal components of some of them (Pearson 1901).

    Args:
        small: (films, pixels).
        fitted_on: (films,), the films that the components are of.

    Returns:
        (films, 2), in standard deviations of those films, and the share of their variance that each component holds.
    """
    fitted = small[fitted_on].astype(np.float64)
    mean = fitted.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(fitted - mean, rowvar=False))
    largest, axes = values[::-1][:2], vectors[:, ::-1][:, :2]
    # An eigenvector's sign is a matter of chance.
    axes = axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)
    return (small - mean) @ axes / np.sqrt(largest), [float(value / values.sum()) for value in largest]


def shifts(traits: pd.DataFrame) -> pd.DataFrame:
    """Return how far the test films' mean lies from the training films', see `Shortcuts.shifts`."""
    by_part = {part: traits[traits["part"] == part].set_index(["label", "trait"]) for part in (TRAIN, TEST)}
    moved = (by_part[TEST]["mean"] - by_part[TRAIN]["mean"]) / by_part[TRAIN]["sd"]
    return moved.replace([np.inf, -np.inf], np.nan).dropna().round(3).rename("shift").reset_index()


def _described(films: pd.DataFrame, traits: list[str]) -> pd.DataFrame:
    long = films.melt(id_vars=["part", "label"], value_vars=traits, var_name="trait")
    grouped = long.groupby(["part", "label", "trait"])["value"]
    quartiles = {name: grouped.quantile(share) for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75))}
    described = grouped.agg(films="size", mean="mean", sd="std").assign(**quartiles).reset_index()
    return described.round(4)


def _points(films: pd.DataFrame, components: npt.NDArray[np.float64]) -> pd.DataFrame:
    placed = films[["part", "kind"]].assign(x=components[:, 0].round(2), y=components[:, 1].round(2))
    # In a random order no point can be traced to a film by its place in the file.
    drawn = placed.sample(frac=1, random_state=0)
    return drawn.groupby(["part", "kind"]).head(POINTS).reset_index(drop=True)


def write(shortcuts: Shortcuts, out: Path) -> Path:
    """Write `INDEX` and return its path."""
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "fingerprint": shortcuts.fingerprint,
        "left_out": shortcuts.left_out,
        "variance": shortcuts.variance,
        "tables": {
            name: json.loads(getattr(shortcuts, table).to_json(orient="split", index=False))
            for name, table in _TABLES.items()
        },
    }
    path = out / INDEX
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def load(folder: Path) -> Shortcuts:
    """Read what `write` wrote.

    Raises:
        DatasetError: if the file is missing or damaged.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tables = {table: pd.DataFrame(**content["tables"][name]) for name, table in _TABLES.items()}
        return Shortcuts(
            **tables,
            variance=[float(share) for share in content["variance"]],
            left_out=int(content["left_out"]),
            fingerprint=content["fingerprint"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            "{path} is missing or damaged ({error}). Run `python -m pneumo data leaks --help` to see "
            "how it is made anew.",
            path=path,
            error=repr(error),
        ) from error


def image_properties(
    table: pd.DataFrame,
    root: Path,
    masks: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """Measure the image properties of every film of a dataset.

    Args:
        table: as `kaggle.scan` returns it.
        root: the folder that ``table["file"]`` is relative to.
        masks: the folder of lung masks (`lung_masks.read_table`); without it the sizes are the files' own, and the
            traits of `FRAMING` are not measured.
        progress: called with the number of films measured and of all films.

    Returns:
        A table with the index of `table` and the keys of `TRAITS`, NaN where a mask is missing; and the films as
        (films, `SIDE` * `SIDE`) float32: `network_input.film_square` made small.

    Raises:
        ImageError: if a film cannot be read.
        DatasetError: if the masks' table is missing or lacks a column.
    """
    known = _masks_by_film(masks) if masks else None
    rows, small = [], np.empty((len(table), SIDE * SIDE), np.float32)
    for number, file in enumerate(table["file"]):
        if number % PROGRESS_EVERY == 0:
            progress(number, len(table))
        pixels = radiograph.read(root / file).pixels
        small[number] = cv2.resize(
            network_input.film_square(pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA
        ).ravel()
        row = {"width": pixels.shape[1], "height": pixels.shape[0], **of_square(network_input.squashed(pixels))}
        if known is not None and masks:
            name = Path(file).name
            row |= _of_mask(known[name], masks) if name in known else dict.fromkeys((*SIZE, *FRAMING), np.nan)
        rows.append(row)
    progress(len(table), len(table))
    traits = pd.DataFrame(rows, index=table.index, dtype=float)
    traits["aspect_ratio"] = traits["width"] / traits["height"]
    return traits.reindex(columns=list(TRAITS)), small


def of_square(square: np.ndarray) -> dict[str, float]:
    """Return the traits that a squashed film tells.

    Args:
        square: (`SQUARE`, `SQUARE`) float32 in 0…1, grey values as they are (`network_input.squashed`).
    """
    dark = square < DARK
    sides = np.concatenate([dark[:, :STRIP].ravel(), dark[:, -STRIP:].ravel()])
    ends = np.concatenate([dark[:STRIP].ravel(), dark[-STRIP:].ravel()])
    above, beside = marks(square)
    return {
        "brightness": float(square.mean()),
        "contrast": float(square.std()),
        "dark_sides": float(sides.mean()),
        "dark_ends": float(ends.mean()),
        "marks_above": float(above),
        "marks_beside": float(beside),
    }


def marks(square: np.ndarray) -> tuple[int, int]:
    """Count what may be letters on a squashed film: in the upper corners, and further down at the edges.

    A white top-hat (Serra 1982) keeps what is narrower than `MARK_KERNEL` pixels and brighter than what is around
    it; of that, compact spots near the edges count. Bones at the edges can pass for letters, and faint letters are
    missed: it is a trait of the picture and no reading of the text.
    """
    kernel = np.ones((MARK_KERNEL, MARK_KERNEL), np.uint8)
    bright = cv2.morphologyEx(square, cv2.MORPH_TOPHAT, kernel) >= MARK_CONTRAST
    count, _, statistics, centres = cv2.connectedComponentsWithStats(bright.astype(np.uint8), connectivity=8)
    above = beside = 0
    for (_, _, width, height, area), centre in zip(statistics[1:count], centres[1:count] / SQUARE, strict=True):
        from_side, down = min(centre[0], 1 - centre[0]), centre[1]
        sides_fit = all(MARK_SIDE[0] <= side <= MARK_SIDE[1] for side in (width, height))
        if not (sides_fit and MARK_AREA[0] <= area <= MARK_AREA[1]):
            continue
        above += from_side < CORNER[0] and down < CORNER[1]
        beside += from_side < BESIDE and down >= CORNER[1]
    return int(above), int(beside)


def _masks_by_film(masks: Path) -> dict[str, Any]:
    return {str(row.name): row for row in lung_masks.read_table(masks / lung_masks.TABLE).itertuples(index=False)}


def _of_mask(known: Any, masks: Path) -> dict[str, float]:
    sizes = {"width": float(known.width), "height": float(known.height)}
    try:
        lung = lung_masks.read_mask(masks / str(known.mask)) > 127
    except DatasetError:
        lung = np.zeros((1, 1), bool)
    if not lung.any():
        return sizes | dict.fromkeys(FRAMING, np.nan)
    rows, columns = (np.flatnonzero(lung.any(axis=axis)) for axis in (1, 0))
    return sizes | {
        "lung_width": (columns[-1] - columns[0] + 1) / lung.shape[1],
        "lung_height": (rows[-1] - rows[0] + 1) / lung.shape[0],
    }


def baselines(shortcuts: Shortcuts, model: tuple[str, Estimate] | None = None) -> pd.DataFrame:
    """Return what each set of traits reaches alone, and a model for comparison.

    Args:
        shortcuts: of the dataset.
        model: title and AUROC of a model on the same validation films; its row is the last.

    Returns:
        ``name, sees, value, low, high, text``: AUROC with its 95 % interval, as numbers and as text.
    """
    known = trait_titles(shortcuts)
    rows = [
        (name, say_list(known[trait] for trait in BASELINES.get(name, ()) if trait in known), *estimate)
        for name, *estimate in shortcuts.baselines[["traits", "value", "low", "high"]].itertuples(index=False)
    ]
    if model:
        title, auroc = model
        rows.append((title, say("the film itself"), auroc.value, auroc.low, auroc.high))
    estimates = [str(Estimate(*figures)) for _name, _sees, *figures in rows]
    columns = ["name", "sees", "value", "low", "high", "text"]
    table = pd.DataFrame(
        [(*row, text) for row, text in zip(rows, estimates, strict=True)], columns=columns, dtype=object
    )
    return table.astype(dict.fromkeys(["value", "low", "high"], float))


def baseline_text(shortcuts: Shortcuts, traits: str = BASELINE) -> Sentence:
    """Return the AUROC of one set of traits with its interval, as text.

    Raises:
        KeyError: if there is no such set.
    """
    text: Sentence = baselines(shortcuts).set_index("name")["text"][traits]
    return text


def baselines_text(shortcuts: Shortcuts) -> Sentence:
    """Return what a regression on size and brightness reaches, and what on all traits, as two sentences."""
    more = say("borders, letters and the framing of the lungs")
    return say(
        "A logistic regression that knows only a film's **size and brightness** tells pneumonia from normal with an "
        "AUROC of **{auroc}**. With {more} as well it reaches **{auroc_of_all}** without seeing what is inside a lung.",
        auroc=baseline_text(shortcuts),
        more=more if _has_masks(shortcuts) else say("borders and letters"),
        auroc_of_all=baseline_text(shortcuts, "All of these"),
    )


def measured_on(shortcuts: Shortcuts) -> Sentence:
    """Say which films the figures of `baselines` were fitted and measured on."""
    row = shortcuts.baselines.iloc[0]
    said = [
        say(
            "Fitted on {train:,} training films and measured on {films:,} validation films of {patients:,} other "
            "patients; the official test films are not used. In brackets the 95 % interval over patients.",
            train=row["train_films"],
            films=row["films"],
            patients=row["patients"],
        )
    ]
    if shortcuts.left_out:
        said.append(say("{films} films whose original size is not known are left out.", films=shortcuts.left_out))
    return say_all(said)


def trait_titles(shortcuts: Shortcuts) -> dict[str, str]:
    """Return the traits that were measured, key → title."""
    known = set(shortcuts.traits["trait"])
    return {key: trait.title for key, trait in TRAITS.items() if key in known}


def trait_text(shortcuts: Shortcuts, trait: str) -> Sentence:
    """Return what a trait is, as ``Width (pixels): of the original film``."""
    own_size = trait in SIZE and not _has_masks(shortcuts)
    resized = say("of the file in this folder, which may have been resized")
    return say("{trait}: {meaning}", trait=TRAITS[trait].title, meaning=resized if own_size else TRAITS[trait].meaning)


def trait_rows(shortcuts: Shortcuts, trait: str) -> pd.DataFrame:
    """Return ``part, class, films, mean, sd, q1, median, q3`` of a trait, in the order of the parts and classes."""
    rows = shortcuts.traits[shortcuts.traits["trait"] == trait]
    rows = rows.assign(place=rows["part"].map(PARTS.index)).sort_values(["place", "label"])
    rows["class"] = rows["label"].map(CLASSES)
    return rows[["part", "class", "films", "mean", "sd", "q1", "median", "q3"]].reset_index(drop=True)


def shift_rows(shortcuts: Shortcuts) -> pd.DataFrame:
    """Return ``trait`` (its title), ``class, shift`` of `Shortcuts.shifts`, the furthest moved trait first."""
    rows = shortcuts.shifts.assign(size=shortcuts.shifts["shift"].abs())
    furthest = rows.groupby("trait")["size"].max()
    rows = rows.assign(furthest=rows["trait"].map(furthest))
    rows = rows.sort_values(["furthest", "trait", "label"], ascending=[False, True, True])
    return pd.DataFrame(
        {
            "trait": [TRAITS[trait].title for trait in rows["trait"]],
            "class": rows["label"].map(CLASSES).to_list(),
            "shift": rows["shift"].to_list(),
        }
    )


def shift_text(shortcuts: Shortcuts) -> Sentence:
    """Return which trait moved furthest from training to test, as a sentence."""
    if shortcuts.shifts.empty:
        return say("There are no test films, or no trait differs among the training films.")
    furthest = max(shortcuts.shifts.to_dict("records"), key=lambda row: abs(row["shift"]))
    parts = {"trait": TRAITS[furthest["trait"]].title, "shift": abs(float(furthest["shift"]))}
    kind = KIND_WORDS[CLASSES[furthest["label"]]]
    if furthest["shift"] > 0:
        return say(
            "{trait} moved furthest: on {kind} test films it lies {shift:.2f} standard deviations above the training "
            "films of the same class.",
            kind=kind,
            **parts,
        )
    return say(
        "{trait} moved furthest: on {kind} test films it lies {shift:.2f} standard deviations below the training films "
        "of the same class.",
        kind=kind,
        **parts,
    )


def _has_masks(shortcuts: Shortcuts) -> bool:
    """Whether lung masks told the films' original sizes and the framing of the lungs."""
    return not set(FRAMING).isdisjoint(shortcuts.traits["trait"])
