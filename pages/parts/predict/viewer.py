"""The viewer of a film and its heat map: HTML, CSS and JavaScript in `viewer/`, and the data that they draw."""

import base64
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from pages.parts.shared.language import current, told
from pneumo import DISCLAIMER
from pneumo.explanation import drawing
from pneumo.explanation.heat_findings import HeatFindings
from pneumo.explanation.regions import HotRegion
from pneumo.inference.lungs import LungMask
from pneumo.language import Language
from pneumo.sentences import say

FOLDER = Path(__file__).with_name("viewer_files")
# Streamlit takes one module, and a module that imports another would make the browser ask for it.
MODULE = ("picture.js", "view.js", "saving.js", "words.js", "viewer.js")
# What either end of the colours means.
SCALES = {
    "relative": {"cold": say("No heat"), "hot": say("This film's hottest place")},
    "absolute": {"cold": say("No heat"), "hot": say("Usual peak of a “likely” film")},
}
# Of the opacity map, which all films share.
OPACITY_SCALES = {"relative": {"cold": say("Clear"), "hot": say("Opaque")}}
# The texts of viewer.html, which holds them in English; those between keys are told apart.
LABELS = (
    say("Film viewer"),
    say("Pictures"),
    say("Both"),
    say("Film"),
    say("Heat map"),
    say("Adjust picture"),
    say("Opacity of the heat map"),
    say("Colours"),
    say("Heat scale"),
    say("This film"),
    say("Absolute"),
    say("Outline of the lungs"),
    say("Hot regions"),
    say("Contours"),
    say("Boxes"),
    say("Zoom"),
    say("Zoom out"),
    say("Zoom in"),
    say("Window"),
    say("Level"),
    say("Invert"),
    say("Drag sets window and level"),
    say("Reset"),
    say("Save PNG"),
    say("On a picture:"),
    say(", pinch or"),
    say("with the wheel zoom; drag or arrow keys move;"),
    say("shows all of it."),
    say("Dragging with the right button sets window (sideways) and level (up and down)."),
)
# What viewer.js says itself.
SAID = {
    "keys": say("plus and minus zoom, arrow keys move, 0 shows all"),
    "broken": say("The browser could not draw this film. Reload the page and choose the film again."),
    "legend": say("Colours of the heat map, from {cold} to {hot}"),
}
# What stands over the list of hot regions, or in its place.
REGIONS = {
    "relative": say("The hottest tenth of this film, the region with the most heat first:"),
    "absolute": say(
        "The hottest tenth of this film, as far as it is half as hot as the usual peak of a “likely” film:"
    ),
    "none": say("No region of this film is half as hot as the usual peak of a “likely” film."),
}

_mount = st.components.v2.component(
    "film_viewer",
    html=(FOLDER / "viewer.html").read_text("utf-8"),
    css=(FOLDER / "viewer.css").read_text("utf-8"),
    js="\n".join((FOLDER / name).read_text("utf-8") for name in MODULE),
)


def show_film(
    film: np.ndarray,
    heat: np.ndarray,
    *,
    absolute: np.ndarray | None,
    lungs: LungMask | None,
    findings: HeatFindings,
    captions: tuple[str, str],
    words: tuple[str, str],
    is_off: bool,
    key: str,
    scales: Mapping[str, Mapping[str, str]] = SCALES,
) -> None:
    """Show the viewer; all that its reader does there stays in the browser, and no control runs Python.

    Args:
        film: (height, width) float32 in 0…1, no side above 800.
        heat: (height, width) float32 in 0…1, 1 at this film's hottest place.
        absolute: the same heat on a scale that all films share; None hides the choice between the two.
        lungs: of that film; None hides their outline.
        findings: of that heat map; the viewer outlines the hot regions.
        captions: what stands below the film and below its overlay.
        words: what either picture shows, for who cannot see it.
        is_off: whether the film is shown alone until its reader asks for the heat map.
        key: of the viewer on its page; while it stays and the film does, so do zoom and all settings.
        scales: what either end of the colours means.
    """
    height, width = film.shape
    _mount(
        key=key,
        data={
            "width": width,
            "height": height,
            "film": drawing.film_url(film),
            "heat": drawing.heat_url(heat),
            "absolute": None if absolute is None else drawing.heat_url(absolute),
            "outline": drawing.outline_points(lungs, height, width) if lungs else [],
            "regions": {
                "relative": _shapes(findings.regions, height, width),
                "absolute": _shapes(findings.absolute_regions or (), height, width),
            },
            "scales": {name: {end: told(words) for end, words in ends.items()} for name, ends in scales.items()},
            "caption": captions[0],
            "heatCaption": captions[1],
            "words": dict(zip(("film", "heat"), words, strict=True)),
            "mapOff": is_off,
            **_texts(current()),
        },
    )


def _shapes(regions: Iterable[HotRegion], height: int, width: int) -> list[dict[str, Any]]:
    shapes = drawing.region_shapes(regions, height, width)
    return [{**shape, "words": told(shape["words"])} for shape in shapes]


@cache
def _texts(language: Language) -> dict[str, Any]:
    """Return what the viewer says in a language whatever film it shows."""
    tell = language.tell
    return {
        "titles": {"film": tell(say("Film")), "heat": tell(say("Film with its heat map"))},
        "note": tell(DISCLAIMER),
        "labels": {"".join(label): tell(label) for label in LABELS},
        "said": {name: tell(words) for name, words in SAID.items()},
        "regionsNote": {name: tell(words) for name, words in REGIONS.items()},
        "colours": [
            {
                "name": name,
                "title": tell(title),
                "table": base64.b64encode(drawing.colour_table(name).tobytes()).decode(),
            }
            for name, title in drawing.COLOUR_MAPS.items()
        ],
    }
