"""Small films beside each other, framed by whether a model was right; a click on one opens it in Predict."""

from pathlib import Path

import streamlit as st

from pages.parts.data import data_folder
from pages.parts.shared.language import _, told, word
from pages.parts.shared.plain import plain
from pneumo.errors import ImageError
from pneumo.labels import RIGHT

# In pixels; six fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
# The link lies over the picture, and its words are for who cannot see that. Bluish green and vermilion of Okabe and
# Ito's palette; right and wrong differ in the line, too.
STYLE = """<style>
[class*='shared-picture_'] { position: relative; }
[class*='shared-picture_'] img { border-radius: 0; }
[class*='shared-picture_right'] img { outline: 4px solid #009E73; }
[class*='shared-picture_wrong'] img { outline: 4px dashed #D55E00; }
[class*='shared-picture_'] [data-testid='stElementContainer']:has([data-testid='stPageLink']) {
  position: absolute; inset: 0; margin: 0; width: 100%; height: 100%; }
[class*='shared-picture_'] [data-testid='stPageLink'], [class*='shared-picture_'] [data-testid='stPageLink'] div,
[class*='shared-picture_'] a { width: 100%; height: 100%; margin: 0; }
[class*='shared-picture_'] a { background: none; }
[class*='shared-picture_'] a:is(:hover, :focus-visible) { background: rgb(0 114 178 / 30%); }
[class*='picture_'] a span { position: absolute; width: 1px; height: 1px; clip-path: inset(50%); overflow: hidden; }
</style>"""


def style() -> None:
    """Style the tiles of a page."""
    st.html(STYLE)


def name_of(path: Path) -> str:
    """Name a film; the composite that is there as PNG and as DICOM must not have one name twice."""
    return path.name if path.suffix == ".dcm" else path.stem


def show(path: Path, file: str, *, call: str = "", probability: float = 0, model: str = "") -> None:
    """Show a small film that opens in Predict, or the sentence that says why it cannot be shown.

    Args:
        path: of the film.
        file: as `data_folder.film` takes it.
        call: of `labels.CALLS`; empty where no model called the film.
        probability: that the model gave it, 0…1.
        model: the name of the model.
    """
    name, frame = name_of(path), "plain"
    if call:
        frame = "right" if call == RIGHT else "wrong"
    try:
        url = data_folder.thumbnail_url(path, path.stat().st_mtime_ns)
    except (ImageError, OSError) as error:
        st.caption(plain(told(str(error))))
        return
    with st.container(key=f"shared.picture_{frame}_{file}"):
        st.image(url, width=PICTURE_WIDTH, alt=_("The film {name}, small", name=name))
        link_to_predict(file, _("Open {name} in Predict", name=plain(name)), model)
    if call:
        sign = "✓" if call == RIGHT else "✗"
        st.caption(_("{sign} {call}, {probability:.3f}", sign=sign, call=word(call), probability=probability))


def link_to_predict(file: str, words: str, model: str = "", icon: str | None = None) -> None:
    """Show a link that opens a film in Predict, by the model of that name, or by the one that is chosen there."""
    query = {"open": file} | ({"model": model} if model else {})
    st.page_link("pages/predict.py", label=words, icon=icon, query_params=query)
