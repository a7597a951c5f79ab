import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from toy import drawn, synthetic
from toy.drawn import SIZE

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError
from pneumo.inference.opacity import OpacityNetwork
from pneumo.model_store import store
from pneumo.model_store.card import OPACITY
from pneumo.networks import opacity_network
from pneumo.preprocessing import crops
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import opacity, task
from pneumo.training.opacity import BOXED, DRAWN, WITH, WITHOUT, OpacityFilms, View


@pytest.fixture(scope="module")
def trained(toy_data, tmp_path_factory):
    """The folder of a training from a toy classifier, where every test film is unreadable."""
    work = tmp_path_factory.mktemp("opacity")
    drawn.write_data(work, toy_data)
    for film in (work / "chest_xray" / "test").rglob("*.jpeg"):
        film.write_bytes(b"poison " + film.name.encode())
    drawn.classifier().save(work / "start.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opacity_network, "SIZE", SIZE)
        patch.setattr(opacity, "HEADS", 2)
        task.train("opacity", work / "chest_xray", work / "models", weights=work / "start.keras", epochs=1)
    return work


def test_what_is_shipped_says_where_it_began_and_what_it_is_worth(trained, toy_data):
    card = store.read_card("opacity", trained / "models", OPACITY)

    assert card.initial_weights.startswith("start.keras (sha256 ")
    assert card.test_openings == []
    assert card.training["films"]["train"] == len(kaggle.development_split(kaggle.scan(toy_data)).train)
    assert card.training["learned_from"]["opacity_masks, drawn"] == 10
    assert set(card.metrics) == {"val", "opacity_masks"}
    unseen = opacity.TASK.predictions("opacity", "opacity_masks", trained / "models")
    assert card.metrics["opacity_masks"] == opacity.TASK.summarise(unseen, card)
    assert {"rank_correlation", "share_error", "hottest_in_opacity"} <= set(card.metrics["opacity_masks"])
    # No publication lies in two folds.
    assert unseen.groupby("source")["fold"].nunique().eq(1).all()
    assert unseen["fold"].nunique() == opacity.FOLDS


def test_the_shipped_network_maps_a_film(trained):
    network = OpacityNetwork.open(trained / "models")

    found = network.find(np.random.default_rng(0).random((SQUARE, SQUARE), np.float32), None)

    assert found.grid.shape == (SIZE // 16, SIZE // 16)
    assert 0 < found.grid.min() <= found.grid.max() < 1


def test_the_test_split_is_measured_with_the_weights_of_its_day(trained, toy_data, tmp_path):
    shutil.copytree(trained / "models", tmp_path / "models")

    card = task.evaluate("opacity", toy_data, "test", tmp_path / "models", masks=trained / "lung_masks")

    assert card.metrics["test"]["films"] == 20
    assert [opening["sha256"] for opening in card.test_openings] == [card.sha256]


def test_without_drawn_opacities_nothing_is_trained(trained, toy_data, tmp_path):
    with pytest.raises(DatasetError, match="no opacities that people drew"):
        task.train("opacity", toy_data, tmp_path, weights=trained / "start.keras")


def films_of(kind, marked):
    lung = synthetic.lung_mask(SQUARE, SQUARE)
    table = pd.DataFrame({"kind": [kind]})
    squares = np.zeros((1, SQUARE, SQUARE), np.uint8)
    return OpacityFilms(table, squares, lung[np.newaxis], marked[np.newaxis], [None], [None])


@pytest.mark.parametrize("kind", [DRAWN, BOXED, WITH, WITHOUT])
def test_a_view_is_taught_what_is_known_of_its_film_and_no_more(kind):
    marked = np.zeros((SQUARE, SQUARE), bool)
    marked[80:144, :112] = True

    truth = opacity.truth(films_of(kind, marked), View(0, crops.WHOLE, False, 1.0), 14)
    opaque, sure, somewhere, lung, drawn = np.moveaxis(truth, -1, 0)

    within, outside = (7, 4), (0, 0)
    assert lung[within] == 1 > lung[outside] == 0
    assert opaque[within] == (kind in (DRAWN, BOXED))
    assert sure[within] == {DRAWN: 1, BOXED: pytest.approx(opacity.IN_BOX), WITH: 0, WITHOUT: 1}[kind]
    assert sure[outside] == 1
    assert (somewhere.any(), drawn.all()) == (kind in (BOXED, WITH), kind == DRAWN)
    mirrored = opacity.truth(films_of(kind, marked), View(0, crops.WHOLE, True, 1.0), 14)
    np.testing.assert_allclose(mirrored, truth[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("kind", [DRAWN, BOXED, WITH])
def test_the_loss_falls_where_the_map_says_what_is_known(kind):
    marked = np.zeros((SQUARE, SQUARE), bool)
    marked[80:144, :112] = True
    truth = opacity.truth(films_of(kind, marked), View(0, crops.WHOLE, False, 1.0), 14)[np.newaxis]
    right = np.where(truth[..., :1] + truth[..., 2:3] > 0.5, 4.0, -4.0).astype(np.float32)

    losses = [float(opacity.loss(truth, log_odds)[0]) for log_odds in (right, 0 * right, -right)]

    assert losses == sorted(losses)


def test_the_agreement_of_grades_is_cohens_with_linear_weights():
    first, second = np.random.default_rng(0).integers(0, 3, (2, 40))

    assert opacity.grade_agreement(first, second) == pytest.approx(cohen_kappa_score(first, second, weights="linear"))
