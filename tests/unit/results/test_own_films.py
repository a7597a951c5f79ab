import shutil

import numpy as np
import pandas as pd
import pytest
from toy.synthetic import arrays

from pneumo import radiograph
from pneumo.datasets import kaggle, medmnist
from pneumo.errors import DatasetError
from pneumo.evaluation import metrics
from pneumo.inference.classifier import Classifier
from pneumo.labels import FIGURES
from pneumo.model_store import store
from pneumo.results import own_films


@pytest.fixture(scope="module")
def classifier(toy_models):
    return Classifier.open("cnn", toy_models)


def test_a_folder_gives_the_figures_that_evaluate_gave(classifier, toy_models, toy_data):
    told = []

    measured = own_films.measure(classifier, toy_data, lambda *now: told.append(now))

    known = store.read_predictions("cnn", "test", toy_models)
    assert measured.predictions["file"].tolist() == known["file"].tolist()
    assert measured.predictions["probability"].to_numpy() == pytest.approx(known["probability"].to_numpy(), abs=1e-5)
    expected = metrics.evaluate_table(measured.predictions, classifier.card.as_thresholds().decision)
    assert measured.metrics.auroc == expected.auroc
    assert told[-1] == (len(known), len(known))
    assert measured.unreadable == ()


@pytest.mark.parametrize("side", [28, 64])
def test_a_medmnist_file_is_measured_on_its_test_pictures(classifier, tmp_path, side):
    np.savez(tmp_path / "a.npz", **arrays(side))
    pictures = medmnist.read(tmp_path / "a.npz")

    measured = own_films.measure(classifier, tmp_path / "a.npz")

    assert measured.predictions["file"].tolist() == [f"test[{number}]" for number in range(4)]
    assert measured.predictions["label"].tolist() == ["NORMAL", "PNEUMONIA"] * 2
    film = radiograph.read(medmnist.png(pictures.images["test"][1]), "film")
    assert measured.predictions["probability"][1] == pytest.approx(classifier.assess(film).probability)


def test_a_film_that_cannot_be_read_is_left_out_and_named(classifier, toy_data, tmp_path):
    copy = shutil.copytree(toy_data, tmp_path / "copy")
    broken = copy / "test" / "NORMAL" / "IM-0001-0001.jpeg"
    broken.write_bytes(b"no picture")

    measured = own_films.measure(classifier, copy)

    assert measured.unreadable == ("test/NORMAL/IM-0001-0001.jpeg",)
    assert "test/NORMAL/IM-0001-0001.jpeg" not in set(measured.predictions["file"])


@pytest.mark.parametrize("gone", ["test", "test/NORMAL"])
def test_a_test_split_of_one_class_is_refused(classifier, toy_data, tmp_path, gone):
    copy = shutil.copytree(toy_data, tmp_path / "copy")
    shutil.rmtree(copy / gone)

    with pytest.raises(DatasetError, match="no test films of both classes"):
        own_films.measure(classifier, copy)


def test_a_class_that_cannot_be_read_is_told(classifier, toy_data, tmp_path):
    copy = shutil.copytree(toy_data, tmp_path / "copy")
    for film in (copy / "test" / "NORMAL").iterdir():
        film.write_bytes(b"no picture " + film.name.encode())

    with pytest.raises(DatasetError, match="cannot be read at all"):
        own_films.measure(classifier, copy)


def test_figures_stand_beside_those_of_the_official_test():
    rng = np.random.default_rng(0)
    labels, films = np.arange(40) % 2, np.array([str(film) for film in range(40)])
    here, official = (metrics.evaluate(labels, rng.random(40), films, 0.5) for _ in range(2))

    table = own_films.readable(here, official)

    assert table["Figure"].tolist() == [figure.title for figure in FIGURES.values()]
    assert table["These films"].tolist() == [str(getattr(here, key)) for key in FIGURES]
    assert table["Official test"][0] == str(official.auroc)
    assert list(own_films.readable(here)) == ["Figure", "These films"]


@pytest.mark.parametrize(
    ("films", "said"),
    [
        (kaggle.PUBLISHED_FILMS, "should be those of the Leaderboard"),
        (
            {("train", "NORMAL"): 1214, ("train", "PNEUMONIA"): 3494, ("val", "NORMAL"): 524, ("test", "NORMAL"): 624},
            "no test on",
        ),
        ({("test", "NORMAL"): 9, ("test", "PNEUMONIA"): 9}, "If some of yours are among those"),
    ],
)
def test_films_that_the_models_come_from_are_told(films, said):
    counts = pd.DataFrame([(*key, number) for key, number in films.items()], columns=["split", "label", "films"])

    assert said in own_films.origin(counts)
