"""The films of a dataset that a person names, or the composites that come with pneumo, to be leafed through."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pneumo import radiograph
from pneumo.datasets import kaggle
from pneumo.datasets.samples import Sample
from pneumo.datasets.summary import Summary, summarise
from pneumo.errors import DatasetError, ImageError
from pneumo.explanation import drawing
from pneumo.labels import OFFICIAL_SPLITS
from pneumo.radiograph import Radiograph
from pneumo.sentences import say, say_all

SIDE = 220
PER_PAGE = 24
COMPOSITES = "composites"
SPLITS = {**OFFICIAL_SPLITS, COMPOSITES: say("Composites")}


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Films to leaf through.

    Attributes:
        root: the folder that ``films["file"]`` is relative to.
        films: the columns of `kaggle.scan`; ``kind``, a value of `labels.KINDS`; ``width, height`` in pixels
            as the file's header says, 0 where it cannot be read.
    """

    root: Path
    films: pd.DataFrame


@dataclass(frozen=True)
class Choice:
    """Which films to show; None and empty choose all.

    Attributes:
        split: key of `SPLITS`.
        kinds: values of `labels.KINDS`.
        patient: a part of the patient's key, whatever its case.
        width: least and greatest width in pixels.
        calls: values of the column ``call`` that `failures.with_calls` adds.
    """

    split: str | None = None
    kinds: tuple[str, ...] = ()
    patient: str = ""
    width: tuple[int, int] | None = None
    calls: tuple[str, ...] = ()


def locate(folder: str) -> Path:
    """Return the root of the dataset in a folder that a person typed.

    Raises:
        DatasetError: if there is none, or it cannot be looked into.
    """
    try:
        return kaggle.find_root(Path(folder.strip()).expanduser())
    except (OSError, RuntimeError, ValueError) as error:
        raise DatasetError(
            "This folder cannot be opened ({error}). Check its name and its permissions.", error=error
        ) from error


def state(root: Path) -> str:
    """Return a text that changes when films are added, removed or renamed: the key to cache a dataset under."""
    folders = (root / split / label for split in kaggle.SPLITS for label in kaggle.LABELS)
    return " ".join(str(folder.stat().st_mtime_ns) if folder.is_dir() else "-" for folder in folders)


def of_data_set(root: Path) -> Catalogue:
    """List the films of a dataset, reading no pixel.

    Args:
        root: as `locate` returns it.

    Raises:
        DatasetError: if a file cannot be opened.
    """
    try:
        films = kaggle.scan(root)
    except OSError as error:
        raise DatasetError("{root} cannot be read ({error}). Check its permissions.", root=root, error=error) from error
    return Catalogue(root, _described(films, root))


def summary(data: Catalogue, shipped: Summary | None = None) -> Summary:
    """Return the figures of a dataset: those shipped with pneumo if they are of the very same films, else measured.

    Args:
        data: as `of_data_set` returns it.
        shipped: a summary that knows the original sizes of the films that it is of.

    Raises:
        DatasetError: if the folder cannot be read.
        ImageError: if a film cannot be read.
    """
    if shipped and shipped.fingerprint == kaggle.fingerprint(data.films):
        return shipped
    try:
        return summarise(data.root)
    except OSError as error:
        raise DatasetError(
            "{root} cannot be read ({error}). Check its permissions.", root=data.root, error=error
        ) from error


def of_samples(samples: Iterable[Sample], root: Path) -> Catalogue:
    """List the composites that come with pneumo, in the columns of a dataset; no patient stands behind one."""
    rows = [(each.path.name, COMPOSITES, each.label, each.pathogen, "", "") for each in samples]
    return Catalogue(root, _described(pd.DataFrame(rows, columns=list(kaggle.COLUMNS)), root))


def matching(films: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """Return the films of `Catalogue.films` that were chosen, in their order.

    Where they are chosen by a model's calls, the films that the model is most wrong about come first; the table then
    needs ``call`` and ``error`` (`failures.with_calls`).
    """
    chosen = pd.Series(True, films.index)
    if choice.split:
        chosen &= films["split"] == choice.split
    if choice.kinds:
        chosen &= films["kind"].isin(choice.kinds)
    if choice.patient.strip():
        chosen &= films["patient"].str.contains(choice.patient.strip(), case=False, regex=False)
    if choice.width:
        chosen &= films["width"].between(*choice.width)
    if choice.calls:
        chosen &= films["call"].isin(choice.calls)
    found = films[chosen]
    if choice.calls:
        found = found.sort_values("error", ascending=False, kind="stable")
    return found.reset_index(drop=True)


def width_range(films: pd.DataFrame) -> tuple[int, int] | None:
    """Return the least and the greatest width of films; None where they are of one width or of none known."""
    known = films.loc[films["width"] > 0, "width"]
    least, greatest = (0, 0) if known.empty else (int(known.min()), int(known.max()))
    return (least, greatest) if least < greatest else None


def page_count(films: int) -> int:
    """Return how many pages of `PER_PAGE` films there are, at least one."""
    return max(1, -(-films // PER_PAGE))


def page(films: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return the films of a page, the first being 1; the last page where there are fewer."""
    first = PER_PAGE * (min(max(number, 1), page_count(len(films))) - 1)
    return films.iloc[first : first + PER_PAGE]


def thumbnail(path: Path, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Read a film and shrink it, in its own proportions, to at most `side` pixels; uint8, (height, width).

    Raises:
        ImageError: if the film cannot be read.
    """
    pixels = radiograph.read(path).pixels
    scale = min(1.0, side / max(pixels.shape))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.rint(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)


def thumbnail_url(path: Path, side: int = SIDE) -> str:
    """Return `thumbnail` as an address that a browser shows without fetching anything.

    Raises:
        ImageError: if the film cannot be read.
    """
    return drawing.data_url(np.repeat(thumbnail(path, side)[..., np.newaxis], 3, axis=2))


def facts(film: Radiograph, size_bytes: int) -> dict[str, str]:
    """Return what a film's file and header say, name → text; what they do not say is left out."""
    age = film.age_years
    said = {
        say("File"): film.name,
        say("Format"): say("{format}, {bits} bits a pixel", format=film.format, bits=film.bits),
        say("Size"): say(
            "{width:,} × {height:,} pixels, {size:,.0f} kB",
            width=film.width,
            height=film.height,
            size=size_bytes / 1000,
        ),
        say("Width : height"): say("{ratio:.2f}", ratio=film.width / film.height),
        say("Mean grey value"): say("{grey:.0f} of 255", grey=255 * float(film.pixels.mean())),
        say("Modality"): film.modality,
        say("Body part"): film.body_part,
        say("View"): film.view_position,
        say("Age"): None if age is None else say("{age:.1f} years", age=age),
        say("Reader's notes"): say_all(film.notes),
        say("SHA-256 begins"): film.sha256[:16],
    }
    return {name: text for name, text in said.items() if text}


def _described(films: pd.DataFrame, root: Path) -> pd.DataFrame:
    sizes = [_size(root / file) for file in films["file"]]
    return films.assign(
        kind=kaggle.kinds(films),
        width=[width for width, _ in sizes],
        height=[height for _, height in sizes],
    )


def _size(path: Path) -> tuple[int, int]:
    try:
        return radiograph.size(path)
    except ImageError:
        # The film itself says what is wrong when it is opened.
        return 0, 0
