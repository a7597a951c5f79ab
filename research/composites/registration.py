"""Bring films of different children to one geometry and average them, so that ribs and lungs stay sharp."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pneumo import radiograph
from pneumo.datasets.summary import FEWEST
from pneumo.errors import DatasetError, ImageError

Grey = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]

WIDTH, HEIGHT = 560, 416
# Share of the lung box that the frame shows beside, above and below it. Wider margins would leave too few
# viral films that fill the frame: they are the most tightly cropped. One frame serves all labels, because the
# framing gives the label away.
SIDE, ABOVE, BELOW = 0.11, 0.10, 0.08
LONGEST_SIDE = 1024
# Smoothing of the bends in each round, in pixels of the frame, where ribs are about 30 apart: stiff first, so that
# ribs meet before they bend; looser from the start made wavy ribs.
STIFFNESS = (12.0, 12.0, 8.0, 8.0, 5.0, 5.0)


@dataclass(frozen=True)
class Film:
    """A film and where the lungs lie in it.

    Attributes:
        path: the picture.
        patient: the key of `pneumo.datasets.kaggle.scan`.
        mask: the lung mask, stretched as the picture is, of any size.
        box: left, top, right and bottom of the lungs as shares of the picture's width and height.
    """

    path: Path
    patient: str
    mask: Path
    box: Box


def read_grey(path: Path) -> Grey:
    """Read a film or a mask as grey values 0…255, shape (height, width), no side longer than 1024 px.

    Raises:
        DatasetError: if it cannot be read.
    """
    try:
        picture = np.rint(255 * radiograph.read(path).pixels)
    except ImageError as error:
        raise DatasetError(f"{path} is missing or not a readable picture. Unpack the data set anew.") from error
    shrink = LONGEST_SIDE / max(picture.shape)
    if shrink < 1:
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.float32)


def lung_box(mask: Grey) -> Box | None:
    """Return left, top, right and bottom of what is brighter than 127, as shares; None for an empty mask."""
    lung = mask > 127
    if not lung.any():
        return None
    rows, columns = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
    height, width = mask.shape
    left, top, right, bottom = columns[0] / width, rows[0] / height, columns[-1] + 1, rows[-1] + 1
    return float(left), float(top), float(right / width), float(bottom / height)


def fills_frame(box: Box) -> bool:
    """Say whether a film shows all that the frame shows, so that no edge of it lies inside the frame."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return min(left, 1 - right) >= SIDE * width and top >= ABOVE * height and 1 - bottom >= BELOW * height


def into_frame(picture: Grey, box: Box, shift: Grey | None = None) -> Grey:
    """Resample a picture, once, so that its lung box lies where the frame has it.

    Args:
        picture: grey values 0…255, shape (height, width).
        box: its lung box.
        shift: displacement of each pixel of the frame in pixels (x, y), shape (416, 560, 2).

    Returns:
        Grey values 0…255, shape (416, 560), interpolated after Lanczos.
    """
    columns, rows = np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32)
    across, down = np.meshgrid(columns + 0.5, rows + 0.5)
    if shift is not None:
        across, down = across + shift[..., 0], down + shift[..., 1]
    left, top, right, bottom = box
    x = left + (across / WIDTH * (1 + 2 * SIDE) - SIDE) * (right - left)
    y = top + (down / HEIGHT * (1 + ABOVE + BELOW) - ABOVE) * (bottom - top)
    height, width = picture.shape
    frame = cv2.remap(
        picture,
        np.asarray(x * width - 0.5, np.float32),
        np.asarray(y * height - 0.5, np.float32),
        cv2.INTER_LANCZOS4,
        # Where the flow reaches past the film's edge, mirrored anatomy leaves neither streak nor black.
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.clip(np.asarray(frame, np.float32), 0, 255)


def stretch(frame: Grey) -> Grey:
    """Map the 1st … 99th percentile to 0 … 255, so that films of all exposures weigh the same in a mean."""
    low, high = _exposure(frame)
    return np.clip((frame - low) / max(high - low, 1) * 255, 0, 255).astype(np.float32)


def _exposure(frame: Grey) -> npt.NDArray[np.float64]:
    return np.percentile(frame, (1, 99))


def average(films: Sequence[Film], stiffness: Sequence[float] = STIFFNESS) -> Grey:
    """Register films to their common shape and average them.

    Dense inverse search (Kroeger et al., ECCV 2016) finds how each film must bend to match the average of all,
    which grows sharper from round to round. The mean bend is taken off each time (Guimond et al., CVIU 2000), and
    no single film is ever the target, so the shape is nobody's. At each pixel the brightest and the darkest films
    are left out, as many of either, until 8 or 9 remain: side letters and cables lie in few films at one place.

    Args:
        films: at least one; `fills_frame` holds for the box of each.
        stiffness: how much the bends are smoothed in each round, in pixels; empty averages the films unbent.

    Returns:
        Grey values 0…255, shape (416, 560), as dark and bright as the films are on average.

    Raises:
        DatasetError: if a film cannot be read.
    """
    pictures = [read_grey(film.path) for film in films]
    frames = [into_frame(picture, film.box) for picture, film in zip(pictures, films, strict=True)]
    low, high = np.mean([_exposure(frame) for frame in frames], axis=0)
    frames = [stretch(frame) for frame in frames]
    contours = [_without_opacity(frame) for frame in frames]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    still = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    grid = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1).astype(np.float32)
    mean = _trimmed_mean(frames)
    for smoothing in stiffness:
        target = _without_opacity(mean)
        flows = [np.asarray(search.calc(target, each, still.copy()), np.float32) for each in contours]
        bends = [np.asarray(cv2.GaussianBlur(flow, (0, 0), smoothing), np.float32) for flow in flows]
        common = np.asarray(np.mean(bends, axis=0), np.float32)
        frames = [
            stretch(into_frame(picture, film.box, _taken_off(common, bend, grid)))
            for picture, film, bend in zip(pictures, films, bends, strict=True)
        ]
        mean = _trimmed_mean(frames)
    return np.asarray(mean / 255 * (high - low) + low, np.float32)


def _taken_off(common: Grey, bend: Grey, grid: Grey) -> Grey:
    # The bend is wanted where the pixel came from, not where the common bend has moved it to.
    origin = grid - common
    moved = cv2.remap(bend, origin[..., 0], origin[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32) - common


def _trimmed_mean(frames: Sequence[Grey]) -> Grey:
    cut = max(0, (len(frames) - FEWEST) // 2)
    kept = np.sort(np.stack(frames), axis=0)[cut : len(frames) - cut]
    return np.asarray(kept.mean(axis=0), np.float32)


def _without_opacity(frame: Grey) -> npt.NDArray[np.uint8]:
    # An opacity that one film lacks must not bend its ribs: equalised by neighbourhood, only contours remain.
    equalise = cv2.createCLAHE(clipLimit=4.0, tileGridSize=(8, 6))
    return np.asarray(equalise.apply(frame.astype(np.uint8)), np.uint8)
