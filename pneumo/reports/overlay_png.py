"""A film with its heat map as a picture to keep: what it is and what it is not stands on it and inside the file."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from pneumo import DISCLAIMER, __version__
from pneumo.explanation import drawing, heat_findings
from pneumo.explanation.explainer import OPACITY_MEANING
from pneumo.inference.lungs import LungMask
from pneumo.language import FOLDER
from pneumo.preprocessing.network_input import fit_within
from pneumo.reports.records import Record, outcome
from pneumo.sentences import Sentence, say

# The heat has far fewer pixels than a film, and a PNG of a whole film in colour would take ten megabytes.
LONGEST_SIDE = 1600
OPACITY = 0.6
# Of the picture's width; the smallest is what can still be read on a small film.
_LETTER, _SMALLEST_LETTER = 1 / 55, 9
# Below this width the longest word of the caption would not fit.
_NARROWEST = 240


def font_file(*, bold: bool = False) -> Path:
    """Return DejaVu Sans, which has the letters of Latin, Greek and Cyrillic scripts."""
    return FOLDER / f"DejaVuSans{'-Bold' if bold else ''}.ttf"


@dataclass(frozen=True, eq=False)
class Overlay:
    """A film with its heat map.

    Attributes:
        picture: (height, width, 3) uint8, RGB, no side above `LONGEST_SIDE`.
        meaning: how to read it, in plain sentences.
    """

    picture: np.ndarray
    meaning: tuple[Sentence, ...]


def overlay(film: np.ndarray, heat: np.ndarray, method: str, answer: str, lungs: LungMask | None = None) -> Overlay:
    """Lay a heat map over a film for a report.

    Args:
        film: (height, width) float32 in 0…1.
        heat: (height, width) float32 in 0…1, as `HeatMap.values`.
        method: the heat map's, for people, such as ``Grad-CAM``.
        answer: to the film, as it is told.
        lungs: of the film; None where they are not known.
    """
    film, heat = fit_within(film, LONGEST_SIDE), fit_within(heat, LONGEST_SIDE)
    picture = drawing.overlay(film, heat, OPACITY)
    if not heat.any():
        empty = say("{method}: nothing on this film raises the model's score, so the heat map is empty.", method=method)
        return Overlay(picture, (empty,))
    found = heat_findings.examine(film, heat, lungs.zones(*heat.shape) if lungs else None)
    return Overlay(picture, (say("Heat map: {method}.", method=method), *found.meaning(answer)))


def opacity_overlay(film: np.ndarray, heat: np.ndarray, warnings: Sequence[Sentence]) -> Overlay:
    """Lay an opacity map over a film for a report.

    Args:
        film: (height, width) float32 in 0…1.
        heat: (height, width) float32 in 0…1, as `HeatMap.values`.
        warnings: what speaks against the answer, see `heat_findings.warnings_of`.
    """
    picture = drawing.overlay(fit_within(film, LONGEST_SIDE), fit_within(heat, LONGEST_SIDE), OPACITY)
    return Overlay(picture, (OPACITY_MEANING, *warnings))


def captioned(drawn: Overlay, record: Record) -> np.ndarray:
    """Put a band below an overlay that says what it shows, so that it is never seen without that.

    Args:
        drawn: the overlay.
        record: of the film's assessment (`records.record`).

    Returns:
        (height + band, width, 3) uint8, RGB; a narrow picture is made wider by black at its right.
    """
    height, width = drawn.picture.shape[:2]
    width = max(width, _NARROWEST)
    size = max(_SMALLEST_LETTER, round(width * _LETTER))
    font = ImageFont.truetype(str(font_file()), size)
    texts = (_summary(record), " ".join(drawn.meaning), DISCLAIMER)
    lines = [line for text in texts for line in _wrapped(text, font, width - size)]
    step = round(1.4 * size)
    picture = Image.new("RGB", (width, height + step * len(lines) + size), "black")
    picture.paste(Image.fromarray(drawn.picture))
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((size // 2, height + size // 2 + number * step), line, "white", font)
    return np.asarray(picture)


def _summary(record: Record) -> str:
    forced = " Assessed in spite of a refusal." if record.forced else ""
    model = f"{record.model_title}, pneumo {__version__}."
    return f"{outcome(record)}. {record.statement}{forced} {model}"


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def overlay_png(drawn: Overlay, record: Record) -> bytes:
    """Return an overlay as PNG: captioned, and with its origin in text chunks (PNG specification, 11.3.3).

    Args:
        drawn: the overlay.
        record: of the film's assessment (`records.record`).
    """
    chunks = PngImagePlugin.PngInfo()
    said = {
        "Software": f"pneumo {__version__}",
        "Disclaimer": DISCLAIMER,
        "Description": " ".join((_summary(record), *drawn.meaning)),
        "Model": record.model,
        "Model-SHA256": record.model_sha256,
        "Image-SHA256": record.image_sha256 or "",
    }
    for key, text in said.items():
        chunks.add_itxt(key, text)
    stream = io.BytesIO()
    Image.fromarray(captioned(drawn, record)).save(stream, "PNG", pnginfo=chunks)
    return stream.getvalue()
