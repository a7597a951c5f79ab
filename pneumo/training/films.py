"""Films of a data set in memory, as networks train on them: read, cropped, shifted, their aspect ratio swapped."""

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo import radiograph
from pneumo.datasets import kaggle, lung_masks
from pneumo.errors import DatasetError
from pneumo.inference import gate, lungs
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.preprocessing import augmentation, crops, network_input
from pneumo.preprocessing.augmentation import HARD_SHIFT, SHIFT, Augmentation
from pneumo.preprocessing.network_input import SQUARE

SURROUNDINGS, RECTANGLE = "surroundings", "rectangle"
# It covers the lungs of nearly all films and tells nothing of their outline, as a black mask of the lungs would.
RECTANGLE_ROWS, RECTANGLE_COLUMNS, RECTANGLE_GREY = slice(30, 195), slice(18, 206), 128
_BATCH = 32


@dataclass(frozen=True)
class Stage:
    """What a long command is doing.

    Attributes:
        what: it is doing.
        done: how many steps of it are done.
        total: how many there are.
        row: of the history, once an epoch of training is done.
    """

    what: str
    done: int
    total: int
    row: dict[str, float] | None = None


Report = Callable[[Stage], None]


def silent(stage: Stage) -> None:
    """Report nothing."""


@dataclass(frozen=True, eq=False)
class Films:
    """Films in memory.

    Attributes:
        squares: (films, side, side) uint8, as `load_squares` returns them; or (films, side, side, crops), as
            `cropped_squares` does.
        labels: (films,) float32, 1 for pneumonia and 0 for normal.
        files: the name of each film.
        shifted: the same crops of the films as another hospital might have taken them; None where those are drawn from
            `squares` by `augmentation.shifted_input`.
        aspect_ratios: (films,) width:height of the films before they were squashed, NaN where unknown; None where
            nothing asks for it.
        hospitals: (films,) str, the hospital of each film; None where all are of one.
        masks: (films, side, side) bool, the lungs of each film, as `lung_masks_of` returns them; None where nothing
            asks for them.
    """

    squares: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...]
    shifted: np.ndarray | None = None
    aspect_ratios: np.ndarray | None = None
    hospitals: np.ndarray | None = None
    masks: np.ndarray | None = None


def of_split(split: str, root: Path, fold: int) -> pd.DataFrame:
    """List the films of a data set in the Kaggle layout that a split is made of, as `kaggle.scan` does.

    Args:
        split: ``test``; the films of every other split are those that validate.
        root: of the data set.
        fold: which patients validate, see `kaggle.development_split`.

    Raises:
        DatasetError: if the data set lacks the split, or test patients were trained on.
    """
    table = kaggle.scan(root)
    validation = kaggle.development_split(table, fold).validation
    if split != "test":
        return validation
    test = table[table["split"] == "test"]
    if test.empty:
        raise DatasetError(f"{root} has no films under test/. Point to a dataset that has a test split.")
    return test.reset_index(drop=True)


def segmenter_for(crop_names: Sequence[str], folder: Path | None) -> Segmenter | None:
    """Open the lung network if one of the crops needs it.

    Raises:
        ModelError: if it is needed and missing or damaged.
    """
    return gate.open_segmenter(folder) if crops.LUNGS in crop_names else None


def load_films(
    root: Path,
    table: pd.DataFrame,
    progress: Report = silent,
    crop_names: Sequence[str] = (crops.FILM,),
    segmenter: Segmenter | None = None,
    *,
    shifted: bool = False,
    hidden: str | None = None,
) -> Films:
    """Read the films of a data set table into memory.

    Args:
        root: the folder that the table's files are relative to.
        table: as `kaggle.scan` returns it, or a part of it.
        progress: called as the work goes on.
        crop_names: what of each film, keys of `crops.CROPS`.
        segmenter: draws the lungs; needed unless only whole films are seen.
        shifted: also draw each film as another hospital might have taken it, find its lungs anew, and keep that.
        hidden: see `cropped_squares`.

    Raises:
        ImageError: if a film cannot be read; the message names it.
    """
    films = _read(root, table, progress)
    if segmenter is None:
        return films
    pictures = [films.squares, *([shifted_squares(films.squares, films.files)] if shifted else [])]
    cropped = [cropped_squares(squares, crop_names, segmenter, progress, hidden) for squares in pictures]
    return dataclasses.replace(films, squares=cropped[0], shifted=cropped[1] if shifted else None)


def load_shifted_films(
    root: Path,
    table: pd.DataFrame,
    progress: Report = silent,
    crop_names: Sequence[str] = (crops.FILM,),
    segmenter: Segmenter | None = None,
    *,
    shift: Augmentation = HARD_SHIFT,
    draw: int = 0,
    masks: Path | None = None,
) -> Films:
    """Read films shifted hard; where their aspect ratio is known, it is drawn anew, so that it tells nothing.

    Arguments as of `load_films`, and:
        shift: how far a view may stray.
        draw: which of a film's views.
        masks: see `lung_masks.aspect_ratios`.
    """
    films = _read(root, table, progress)
    ranges = [augmentation.crop_range(ratio) for ratio in lung_masks.aspect_ratios(root, table, masks)]
    shifted = shifted_squares(films.squares, films.files, shift, draw, ranges)
    return dataclasses.replace(films, squares=_cropped_if_needed(shifted, crop_names, segmenter))


def load_aspect_swapped_films(
    root: Path,
    table: pd.DataFrame,
    progress: Report = silent,
    crop_names: Sequence[str] = (crops.FILM,),
    segmenter: Segmenter | None = None,
    masks: Path | None = None,
) -> Films:
    """Read films in the aspect ratio of the other class, see `aspect_swapped_squares`.

    Arguments as of `load_shifted_films`.

    Raises:
        DatasetError: if it is not known how wide and how high the films were.
    """
    films = _read(root, table, progress)
    ratios = lung_masks.aspect_ratios(root, table, masks)
    swapped = aspect_swapped_squares(films.squares, films.files, films.labels, ratios)
    return dataclasses.replace(films, squares=_cropped_if_needed(swapped, crop_names, segmenter))


def _read(root: Path, table: pd.DataFrame, progress: Report) -> Films:
    labels = (table["label"] == "PNEUMONIA").to_numpy(np.float32)
    return Films(load_squares(root, table, progress), labels, tuple(table["file"]))


def _cropped_if_needed(squares: np.ndarray, crop_names: Sequence[str], segmenter: Segmenter | None) -> np.ndarray:
    return squares if segmenter is None else cropped_squares(squares, crop_names, segmenter)


def load_squares(root: Path, table: pd.DataFrame, progress: Report = silent, what: str = "reading films") -> np.ndarray:
    """Read the films of a data set table.

    Args:
        root: the folder that ``table["file"]`` is relative to.
        table: as `pneumo.datasets.kaggle.scan` returns it, or a part of it.
        progress: called with each film that was read.
        what: is being done, for `progress`.

    Returns:
        (films, `SQUARE`, `SQUARE`) uint8, the `network_input.film_square` of each times 255.

    Raises:
        ImageError: if a film cannot be read; the message names it.
    """
    squares = np.empty((len(table), SQUARE, SQUARE), np.uint8)
    for index, file in enumerate(table["file"]):
        square = network_input.film_square(radiograph.read(root / file).pixels)
        squares[index] = np.rint(square * 255.0)
        progress(Stage(what, index + 1, len(table)))
    return squares


def without(square: np.ndarray, hidden: str, mask: LungMask) -> np.ndarray:
    """Return a film on which a part is black, or behind a grey rectangle that is the same for all films.

    Args:
        square: (`SQUARE`, `SQUARE`) uint8; left as it is.
        hidden: `crops.LUNGS`, `SURROUNDINGS` or `RECTANGLE`.
        mask: the lungs of the film.
    """
    if hidden == RECTANGLE:
        covered = square.copy()
        covered[RECTANGLE_ROWS, RECTANGLE_COLUMNS] = RECTANGLE_GREY
        return covered
    lung = mask.pieces > 0
    return np.where(lung if hidden == crops.LUNGS else ~lung, square.dtype.type(0), square)


def lung_masks_of(
    table: pd.DataFrame, squares: np.ndarray, folder: Path | None, segmenter: Segmenter, progress: Report = silent
) -> np.ndarray:
    """Return the lungs of films: as a human drew them where there is such a mask, else as the lung network does.

    Args:
        table: as `kaggle.scan` returns it.
        squares: (films, `SQUARE`, `SQUARE`) uint8, the films of the table.
        folder: of the lung masks, see `lung_masks.read_table`; None where there are none.
        segmenter: draws the lungs of the other films.
        progress: called as the work goes on.

    Returns:
        (films, `SQUARE`, `SQUARE`) bool.
    """
    drawn = np.zeros(squares.shape, bool)
    known = lung_masks.read_table(folder / lung_masks.TABLE).set_index("name")["mask"] if folder else pd.Series()
    paths = table["file"].str.rsplit("/", n=1).str[-1].map(known)
    by_human = paths.notna().to_numpy()
    for film in np.flatnonzero(by_human):
        drawn[film] = network_input.squashed(lung_masks.read_mask(folder / paths.iloc[film])) > 127
    others = np.flatnonzero(~by_human)
    for start in range(0, len(others), _BATCH):
        some = others[start : start + _BATCH]
        for film, probability in zip(some, segmenter.probability(squares[some] / np.float32(255)), strict=True):
            drawn[film] = lungs.of_probability(probability).pieces > 0
        progress(Stage("finding the lungs", start + len(some), len(others)))
    return drawn


def cropped_squares(
    squares: np.ndarray,
    crop_names: Sequence[str],
    segmenter: Segmenter,
    progress: Report = silent,
    hidden: str | None = None,
) -> np.ndarray:
    """Return the crops of many films, their lungs drawn by the network.

    Args:
        squares: (films, `SQUARE`, `SQUARE`) uint8, as `load_squares` returns them.
        crop_names: keys of `crops.CROPS`.
        segmenter: draws the lungs.
        progress: called as the work goes on.
        hidden: what of the film is hidden once the lungs are found, see `without`; nothing where None.

    Returns:
        (films, `SQUARE`, `SQUARE`) for one crop, else (films, `SQUARE`, `SQUARE`, crops), uint8.
    """
    shape = squares.shape if len(crop_names) == 1 else (*squares.shape, len(crop_names))
    pictures = np.empty(shape, np.uint8)
    for start in range(0, len(squares), _BATCH):
        some = squares[start : start + _BATCH]
        for offset, probability in enumerate(segmenter.probability(some / np.float32(255))):
            mask = lungs.of_probability(probability)
            film = without(some[offset], hidden, mask) if hidden else some[offset]
            pictures[start + offset] = crops.cropped(film, crop_names, mask.box)
        progress(Stage("finding the lungs", min(start + _BATCH, len(squares)), len(squares)))
    return pictures


def shifted_squares(
    squares: np.ndarray,
    files: Sequence[str],
    shift: Augmentation = SHIFT,
    draw: int = 0,
    aspect_ranges: Sequence[tuple[float, float] | None] | None = None,
) -> np.ndarray:
    """Return films as another hospital might have framed and exposed them, see `augmentation.shifted_input`.

    Args:
        squares: (films, `SQUARE`, `SQUARE`) uint8.
        files: the name of each film, which decides on its view.
        shift: how far a view may stray.
        draw: which of a film's views.
        aspect_ranges: of each film, see `augmentation.augmented_input`.

    Returns:
        (films, `SQUARE`, `SQUARE`) uint8.
    """
    shifted = (
        augmentation.shifted_input(square / np.float32(255), SQUARE, file, shift, draw, aspect_range)[..., 0]
        for square, file, aspect_range in zip(squares, files, aspect_ranges or [None] * len(files), strict=True)
    )
    return np.stack([np.rint(square * 255).astype(np.uint8) for square in shifted])


def aspect_swapped_squares(
    squares: np.ndarray, files: Sequence[str], labels: np.ndarray, ratios: np.ndarray
) -> np.ndarray:
    """Crop each film to the aspect ratio of a film of the other class, and squash what is left.

    The largest such box is kept, from a place that the film's name decides on, as it decides on the other film.

    Args:
        squares: (films, side, side) uint8, squashed films.
        files: the name of each film.
        labels: (films,) 1 for pneumonia and 0 for normal.
        ratios: (films,) as `lung_masks.aspect_ratios` returns them; a film of unknown ratio stays as it is.

    Returns:
        (films, side, side) uint8.

    Raises:
        DatasetError: if no ratio of one class is known.
    """
    known = {label: ratios[(labels == label) & ~np.isnan(ratios)] for label in (0, 1)}
    if not all(len(some) for some in known.values()):
        raise DatasetError(
            "How wide and how high the films were is not known: they are squashed to squares. Point to the original "
            f"films, or put {lung_masks.FOLDER}/{lung_masks.TABLE} with the columns "
            f"{', '.join(lung_masks.COLUMNS)} beside the data set."
        )
    cropped = np.empty_like(squares)
    for film, (square, file, label, ratio) in enumerate(zip(squares, files, labels, ratios, strict=True)):
        rng = np.random.default_rng(zlib.crc32(Path(file).name.encode()))
        other = rng.choice(known[1 - int(label)])
        cropped[film] = crops.cut(square, crops.WHOLE if np.isnan(ratio) else _box(other / ratio, rng))
    return cropped


def _box(stretch: float, rng: np.random.Generator) -> crops.Box:
    """Return the largest box that is `stretch` times as wide for its height as the whole, anywhere in it."""
    across, down = min(stretch, 1.0), min(1 / stretch, 1.0)
    left, top = rng.uniform(0, 1 - across), rng.uniform(0, 1 - down)
    return left, top, left + across, top + down
