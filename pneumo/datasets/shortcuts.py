"""What tells the label of a film without its lungs, and how the test films differ from the training films.

`measure` reads every film once; `write` and `load` keep the figures as one JSON file without any film or patient.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo.datasets import image_properties, kaggle
from pneumo.datasets.image_properties import FRAMING, SIZE, TRAITS
from pneumo.datasets.tables import kinds
from pneumo.errors import DatasetError
from pneumo.evaluation.metrics import evaluate_table

INDEX = "dataset_leaks.json"
TRAIN, VALIDATION, TEST = "Training", "Held out for validation", "Test"
PARTS = (TRAIN, VALIDATION, TEST)
FLOORS = {
    "Size": SIZE,
    "Brightness": ("brightness", "contrast"),
    "Size and brightness": (*SIZE, "brightness", "contrast"),
    "Borders and letters": ("dark_sides", "dark_ends", "marks_above", "marks_beside"),
    "Framing of the lungs": FRAMING,
    "All of these": tuple(TRAITS),
}
# Enough to see a cloud, few enough to draw at once.
POINTS = 350


@dataclass(frozen=True, eq=False)
class Leaks:
    """Figures of a data set; every table is in long form.

    Attributes:
        floors: ``traits`` (key of `FLOORS`), ``value, low, high``: AUROC on validation, with its 95 % interval over
            patients, of a logistic regression on those traits alone; ``train_films, films, patients`` (of validation).
        traits: ``part`` (of `PARTS`), ``label, trait, films, mean, sd, q1, median, q3``.
        shifts: ``label, trait, shift``: mean of the test films less that of the training films, in standard deviations
            of the training films.
        points: ``part, kind, x, y``: some films of each part and kind, in random order, on the first two principal
            components of the training films' small pictures, in standard deviations.
        variance: share of the small pictures' variance that x and y hold, 0…1.
        left_out: films without a known original size, which no figure but `points` counts.
        fingerprint: `kaggle.fingerprint`.
    """

    floors: pd.DataFrame
    traits: pd.DataFrame
    shifts: pd.DataFrame
    points: pd.DataFrame
    variance: list[float]
    left_out: int
    fingerprint: str


_TABLES = tuple(each.name for each in fields(Leaks) if each.type is pd.DataFrame)


def measure(
    data: Path, masks: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Leaks:
    """Measure every film, fit on the training films, and test on the validation films of fold 0.

    The labels of the test films are used to describe those films by class and for nothing else.

    Args:
        data: a data set in the Kaggle layout.
        masks: as in `image_properties.measure`; without them the framing of the lungs is left out.
        progress: is told the number of films measured and of all films.

    Raises:
        DatasetError: if the data set is too small to be divided, or masks are damaged.
        ImageError: if a film cannot be read.
    """
    films = kaggle.scan(data)
    parts = kaggle.development_split(films)
    place = dict.fromkeys(parts.train["file"], TRAIN) | dict.fromkeys(parts.validation["file"], VALIDATION)
    films = films.assign(part=[place.get(file, TEST) for file in films["file"]], kind=kinds(films))
    traits, small = image_properties.measure(films, kaggle.find_root(data), masks, progress)
    traits = traits.dropna(axis="columns", how="all")
    whole = traits.notna().all(axis="columns")
    measured = pd.concat([films, traits], axis="columns")[whole]
    components, variance = principal_components(small, (films["part"] == TRAIN).to_numpy())
    described = _described(measured, traits.columns.to_list())
    seen = {name: [trait for trait in chosen if trait in traits] for name, chosen in FLOORS.items()}
    return Leaks(
        floors=pd.DataFrame([{"traits": name, **floor(measured, chosen)} for name, chosen in seen.items() if chosen]),
        traits=described,
        shifts=shifts(described),
        points=_points(films, components),
        variance=[round(share, 4) for share in variance],
        left_out=int((~whole).sum()),
        fingerprint=kaggle.fingerprint(films),
    )


def floor(films: pd.DataFrame, traits: list[str]) -> dict[str, float]:
    """Fit a logistic regression on the training films and measure it on the validation films.

    Args:
        films: ``part, label, patient`` and the traits, standardised here by the training films.
        traits: the columns that it may see.

    Returns:
        A row of `Leaks.floors` without its name.
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
    """Return how far the test films' mean lies from the training films', see `Leaks.shifts`."""
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


def write(leaks: Leaks, out: Path) -> Path:
    """Write ``shortcuts.json`` and return its path."""
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "fingerprint": leaks.fingerprint,
        "left_out": leaks.left_out,
        "variance": leaks.variance,
        "tables": {name: json.loads(getattr(leaks, name).to_json(orient="split", index=False)) for name in _TABLES},
    }
    path = out / INDEX
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def load(folder: Path) -> Leaks:
    """Read what `write` wrote.

    Raises:
        DatasetError: if the file is missing or damaged.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        tables = {name: pd.DataFrame(**content["tables"][name]) for name in _TABLES}
        return Leaks(
            **tables,
            variance=[float(share) for share in content["variance"]],
            left_out=int(content["left_out"]),
            fingerprint=content["fingerprint"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is missing or damaged ({error!r}). Run `python -m pneumo data leaks --help` to see how it is made "
            "anew."
        ) from error
