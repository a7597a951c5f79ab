"""What a notebook shows of a reading."""

from types import SimpleNamespace

import numpy as np
import pytest
from toy import synthetic

from pneumo import DISCLAIMER
from pneumo.errors import UnreadableImageError
from pneumo.inference.findings import Finding
from pneumo.inference.gate import GateResult
from pneumo.inference.reading import Models, Reading
from pneumo.radiograph import Radiograph

FILM = Radiograph(np.zeros((4, 5), np.float32), "film.png", "f" * 64, "PNG", 8, notes=("It was 16 bits deep.",))
MODELS = Models(SimpleNamespace(card=synthetic.card(title="Small & deep")), None)
REFUSED = GateResult((Finding("no_chest", "refuse", "This is no chest."),), None)


def answered(name: str = "film.png", gate: GateResult | None = None) -> Reading:
    assessment = SimpleNamespace(answer="likely", probability=0.9731, percent="97.3 %", reasons=("It is over 80 %.",))
    return Reading(name, b"", MODELS, FILM, gate, assessment, forced=gate is not None)


def unreadable() -> Reading:
    return Reading("film.png", b"", MODELS, error=UnreadableImageError("{name} is no picture.", name="film.png"))


@pytest.mark.parametrize(
    ("reading", "said", "reasons"),
    [
        (answered(), "Pneumonia likely, 97.3 %", ("It is over 80 %.",)),
        (answered(gate=REFUSED), "Pneumonia likely, 97.3 %", ("This is no chest.", "It is over 80 %.")),
        (Reading("film.png", b"", MODELS, FILM, REFUSED), "Refused", ("This is no chest.", "It was 16 bits deep.")),
        (unreadable(), "Not readable", ("film.png is no picture.",)),
    ],
    ids=["answered", "forced", "refused", "unreadable"],
)
def test_a_reading_says_its_answer_and_the_reasons(reading, said, reasons):
    page = reading._repr_html_()

    assert str(reading) == said
    assert repr(reading) == f"Reading('film.png': {said})"
    assert reading.reasons == reasons
    for text in (said, "film.png", *reasons, "Small &amp; deep", DISCLAIMER):
        assert text in page


def test_the_name_of_a_film_is_text_in_a_notebook():
    page = answered("<script>alert('film')</script>")._repr_html_()

    assert "<script>" not in page
    assert "&lt;script&gt;" in page
