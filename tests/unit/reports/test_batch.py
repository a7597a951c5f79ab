import datetime
import io

import cv2
import numpy as np
import pytest
from pypdf import PdfReader
from toy import synthetic

from pneumo.explanation.explainer import Explainer
from pneumo.inference.batch import Entry, read_entry
from pneumo.inference.classifier import Classifier
from pneumo.inference.gate import Gate
from pneumo.reports.batch import pdf

MADE = datetime.datetime(2026, 11, 21, 9, 30, tzinfo=datetime.UTC)


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture(scope="module")
def models(toy_models):
    classifier = Classifier.open("cnn", toy_models)
    return Gate.open(toy_models), classifier, Explainer(classifier)


def entry(name, data, models):
    made = Entry(name, name, data)
    made.record = read_entry(made, *models[:2])
    return made


def pages(made):
    return [page.extract_text() for page in PdfReader(io.BytesIO(made)).pages]


def test_all_films_of_a_list_are_in_one_pdf_whatever_became_of_them(models):
    film = png(synthetic.film(np.random.default_rng(0), sick=False, height=240, width=300))
    noise = png(np.random.default_rng(0).integers(0, 256, (240, 300), np.uint8))
    let_go = entry("gone.png", film, models)
    let_go.data = None
    entries = [
        entry("film.png", film, models),
        entry("noise.png", noise, models),
        entry("letter.jpg", b"Dear colleague", models),
        let_go,
        Entry("waiting", "waiting.png", film),
    ]

    made = pdf(entries, *models, "gradcam", MADE)

    told = pages(made)
    assert all(name in told[0] for name in ("film.png", "noise.png", "letter.jpg", "gone.png"))
    assert "waiting.png" not in "".join(told)
    # The answer's page has the film and its heat map, that of the refusal the film alone.
    assert [len(page.images) for page in PdfReader(io.BytesIO(made)).pages] == [0, 2, 1]


def test_a_model_without_heat_maps_still_makes_a_report(models):
    film = png(synthetic.film(np.random.default_rng(0), sick=False, height=240, width=300))
    screener, classifier, _ = models

    assert len(pages(pdf([entry("film.png", film, models)], screener, classifier, None, "gradcam", MADE))) == 2


def test_a_list_without_results_has_no_report(models):
    with pytest.raises(ValueError, match="No film was read yet"):
        pdf([Entry("a", "a.png", b"")], *models, "gradcam", MADE)
