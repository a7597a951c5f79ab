import shutil

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from sklearn.metrics import cohen_kappa_score
from toy import synthetic
from toy.synthetic import HEIGHT, WIDTH

from pneumo.datasets import external, kaggle
from pneumo.errors import DatasetError
from pneumo.inference.opacity import OpacityNetwork
from pneumo.model_store import store
from pneumo.model_store.card import OPACITY
from pneumo.networks import opacity_network
from pneumo.preprocessing import crops
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import opacity, task
from pneumo.training.opacity import BOXED, DRAWN, WITH, WITHOUT, OpacityFilms, View

SIZE = 64
SOURCES = ("kjr", "lancet", "ryct", "gr1", "SARS")


def classifier():
    """Return a network with the three layers that the trunk is made of; it stands in for MobileNetV2."""
    keras.utils.set_random_seed(0)
    film = keras.Input((32, 32, 1))
    x = layers.AveragePooling2D(8, padding="same")(film)
    x = fine = layers.Conv2D(4, 1, activation="relu", name="block_5_add")(x)
    x = layers.Conv2D(4, 2, 2, padding="same", activation="relu", name="block_12_add")(fine)
    x = layers.Conv2D(4, 2, 2, padding="same", activation="relu", name="block_14_add")(x)
    return keras.Model(film, layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling2D()(x)))


def write_drawn(folder, films=10):
    """Write films of sick children with their lungs and opacities, two of each publication."""
    (folder / "images").mkdir(parents=True)
    rng, rows = np.random.default_rng(3), []
    lung = 255 * synthetic.lung_mask().astype(np.uint8)
    (folder / "lung.png").write_bytes(synthetic.png(lung))
    for number in range(films):
        picture = synthetic.film(rng, sick=True)
        (folder / f"images/{number}.png").write_bytes(synthetic.png(picture))
        opaque = (cv2.GaussianBlur(picture, (0, 0), 3) > 110) & (lung > 0)
        (folder / f"{number}.png").write_bytes(synthetic.png(255 * opaque.astype(np.uint8)))
        name = f"{SOURCES[number % len(SOURCES)]}-{number}.png"
        rows.append((f"images/{number}.png", "PNEUMONIA", name, "lung.png", f"{number}.png", 1.0))
    columns = ["file", "label", "orig_name", "lung_mask", "opacity_mask", "opacity_inside_lung"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "labels.csv", index=False)


@pytest.fixture(scope="module")
def trained(toy_data, tmp_path_factory):
    """The folder of a training from a toy classifier, where every test film is unreadable."""
    work = tmp_path_factory.mktemp("opacity")
    shutil.copytree(toy_data, work / "chest_xray")
    synthetic.write_lung_masks(toy_data, work / "lung_masks")
    table = pd.read_csv(work / "lung_masks/labels.csv").assign(orig_width=WIDTH, orig_height=HEIGHT)
    table.to_csv(work / "lung_masks/labels.csv", index=False)
    synthetic.write_screening_models(work / "models")
    write_drawn(work / external.DRAWN_FOLDER)
    for film in (work / "chest_xray" / "test").rglob("*.jpeg"):
        film.write_bytes(b"poison " + film.name.encode())
    classifier().save(work / "start.keras")
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

    truth = opacity._truth(films_of(kind, marked), View(0, crops.WHOLE, False, 1.0), 14)
    opaque, sure, somewhere, lung, drawn = np.moveaxis(truth, -1, 0)

    within, outside = (7, 4), (0, 0)
    assert lung[within] == 1 > lung[outside] == 0
    assert opaque[within] == (kind in (DRAWN, BOXED))
    assert sure[within] == {DRAWN: 1, BOXED: pytest.approx(opacity.IN_BOX), WITH: 0, WITHOUT: 1}[kind]
    assert sure[outside] == 1
    assert (somewhere.any(), drawn.all()) == (kind in (BOXED, WITH), kind == DRAWN)
    mirrored = opacity._truth(films_of(kind, marked), View(0, crops.WHOLE, True, 1.0), 14)
    np.testing.assert_allclose(mirrored, truth[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("kind", [DRAWN, BOXED, WITH])
def test_the_loss_falls_where_the_map_says_what_is_known(kind):
    marked = np.zeros((SQUARE, SQUARE), bool)
    marked[80:144, :112] = True
    truth = opacity._truth(films_of(kind, marked), View(0, crops.WHOLE, False, 1.0), 14)[np.newaxis]
    right = np.where(truth[..., :1] + truth[..., 2:3] > 0.5, 4.0, -4.0).astype(np.float32)

    losses = [float(opacity.loss(truth, log_odds)[0]) for log_odds in (right, 0 * right, -right)]

    assert losses == sorted(losses)


def test_the_agreement_of_grades_is_cohens_with_linear_weights():
    first, second = np.random.default_rng(0).integers(0, 3, (2, 40))

    assert opacity.grade_agreement(first, second) == pytest.approx(cohen_kappa_score(first, second, weights="linear"))
