import keras
import numpy as np
import pandas as pd
import pytest
from toy import drawn, synthetic

from pneumo.inference.classifier import Classifier
from pneumo.model_store import store, weights
from pneumo.networks import opacity_network
from pneumo.preprocessing import network_input
from pneumo.preprocessing.augmentation import Augmentation
from pneumo.preprocessing.network_input import SQUARE
from pneumo.training import foreign, opacity, places, task
from pneumo.training.opacity import BOXED, DRAWN, WITH, WITHOUT, OpacityFilms
from pneumo.training.places import RandomView

AS_IT_IS = Augmentation(min_area=1, max_stretch=1, brightness=0, contrast=0, gamma=0, flip=0)


@pytest.fixture(scope="module")
def trained(toy_data, tmp_path_factory):
    """The folder of a training from a toy classifier, away from the hospital west."""
    work, rng, rows = tmp_path_factory.mktemp("everywhere_places"), np.random.default_rng(5), []
    drawn.write_data(work, toy_data)
    (work / "hospitals").mkdir()
    for hospital in ("east", "west"):
        for number in range(6):
            name, sick = f"{hospital}{number}.jpg", number % 2
            (work / "hospitals" / name).write_bytes(synthetic.jpeg(synthetic.film(rng, bool(sick))))
            rows.append((name, hospital, number, sick, "radiologist"))
    columns = ["file", "hospital", "patient", "opacity", "read_by"]
    pd.DataFrame(rows, columns=columns).to_csv(work / "hospitals/labels.csv", index=False)
    starts = {name: (synthetic.card(name=name), drawn.classifier()) for name in places.START}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opacity_network, "SIZE", drawn.SIZE)
        patch.setattr(foreign, "LAYER", "block_12_add")
        patch.setattr(store, "load", lambda name, *_: starts[name])
        patch.setattr(places, "require_same_split", lambda *_: None)
        task.train(
            "everywhere_places",
            work / "chest_xray",
            work / "models",
            epochs=1,
            checkpoints=work / "runs",
            hospitals=[work / "hospitals"],
            leave_out=["west"],
        )
    return work


def test_what_is_shipped_says_where_it_began_what_it_learned_from_and_what_it_is_worth(trained):
    card = store.read_card("everywhere_places", trained / "models")

    assert card.initial_weights.startswith("mobilenetv2 (sha256 ")
    assert " and mobilenetv2_lungs (sha256 " in card.initial_weights
    assert (card.input["views"], card.input["size"]) == (["lungs"], drawn.SIZE)
    assert set(card.training["hospitals"]["learned_from"]) == {"guangzhou", "east"}
    assert card.training["learned_places_from"] == {"opacity_masks": 10}
    assert card.training["hospitals"]["left_out"] == ["west"]
    assert set(card.metrics) == {"val", "val_shifted", "hospital_west"}
    assert card.test_openings == []


def test_the_shipped_network_answers_shows_its_places_and_tells_foreign_films(trained):
    classifier = Classifier.open("everywhere_places", trained / "models")
    pictures = np.random.default_rng(0).random((2, drawn.SIZE, drawn.SIZE, 1), np.float32)

    seen = classifier.look(pictures)

    assert seen.raw.shape == (2,)
    assert seen.features is not None
    assert seen.embedding.shape == (2, places.HEADS * opacity_network.CLASSIFIER_WIDTH)
    assert seen.cam.shape == (2, drawn.SIZE // 16, drawn.SIZE // 16)


def test_what_it_stands_on_stays_as_it_is(trained):
    last = weights.load(trained / "models/everywhere_places/model.keras")

    for before, after in zip(_trunk(drawn.classifier()), _trunk(last), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-3)


def _trunk(model):
    return [weight for name in opacity_network.FEATURES for weight in model.get_layer(name).get_weights()]


def small(heads=2):
    """Return a trunk, heads on it with random last layers, and what they make."""
    trunk = opacity_network.trunk(drawn.classifier(), drawn.SIZE)
    made = [opacity_network.head(trunk, 8, f"head_{number}") for number in range(heads)]
    return trunk, made, opacity_network.classifier_in_training(trunk, made), opacity_network.classifier(trunk, made)


def test_the_classifier_takes_the_mean_of_what_its_heads_say_of_the_places():
    trunk, heads, trained, whole = small()
    films = np.random.default_rng(0).random((3, drawn.SIZE, drawn.SIZE, 1), np.float32)

    opacity_network.give_last_layers(trained, heads, whole)

    said = trained.predict_on_batch(films)
    places_of_whole = keras.Model(whole.input, whole.get_layer("log_odds").output).predict_on_batch(films)
    np.testing.assert_allclose(places_of_whole[..., 0], said[..., ::2].mean(axis=-1), atol=1e-5)
    np.testing.assert_allclose(said[..., 1::2], said[:, :1, :1, 1::2] + 0 * said[..., 1::2], atol=1e-6)
    assert not trunk.trainable_weights


def test_a_film_is_told_by_the_log_mean_exp_of_its_places():
    _, heads, trained, model = small()
    opacity_network.give_last_layers(trained, heads, model)
    model.get_layer("pneumonia").set_weights([np.array([[1.5]]), np.array([0.25])])
    film = np.random.default_rng(0).random((1, drawn.SIZE, drawn.SIZE, 1), np.float32)

    both = keras.Model(model.input, [model.get_layer("log_odds").output, model.output])
    odds, probability = both.predict_on_batch(film)

    expected = 1.5 * np.log(np.exp(odds).mean()) + 0.25
    assert np.log(probability / (1 - probability)).item() == pytest.approx(expected, abs=1e-5)


def test_without_other_hospitals_nothing_is_trained(toy_data, tmp_path):
    with pytest.raises(ValueError, match=r"learns from several hospitals.*--hospitals"):
        task.train("everywhere_places", toy_data, tmp_path)


def films_of(*kinds):
    """Return films with a bright opacity in the left half of a film."""
    squares = np.zeros((len(kinds), SQUARE, SQUARE), np.uint8)
    squares[:, 80:144, 20:100] = 200
    lungs = np.repeat(synthetic.lung_mask(SQUARE, SQUARE)[np.newaxis], len(kinds), 0)
    table = pd.DataFrame({"kind": kinds, "hospital": "guangzhou"})
    return OpacityFilms(table, squares, lungs, squares > 0, [None] * len(kinds), [None] * len(kinds))


@pytest.mark.parametrize("kind", [DRAWN, BOXED, WITH, WITHOUT])
def test_places_of_a_view_are_where_they_are_on_the_film(kind):
    draw = RandomView(films_of(kind), SQUARE, 14, AS_IT_IS)

    for seed in range(6):
        picture, truth = draw(0, np.random.default_rng(seed))

        assert picture.shape == (SQUARE, SQUARE, 1)
        assert truth.shape == (14, 14, 6)
        assert (truth[..., 5] == (kind != WITHOUT)).all()
        if kind == DRAWN:
            seen = network_input.model_input(picture[..., 0], 14)[..., 0]
            assert np.corrcoef(seen.ravel(), truth[..., 0].ravel())[0, 1] > 0.95


def test_an_epoch_shows_each_kind_of_film_as_often_as_it_is_to_whatever_their_number():
    rows = [("guangzhou", WITH)] * 30 + [("guangzhou", WITHOUT)] * 10 + [("opacity_masks", DRAWN)] * 5
    rows += [("east", BOXED)] * 3 + [("east", WITH)] * 3 + [("east", WITHOUT)] * 4 + [("west", WITHOUT)] * 20
    table = pd.DataFrame(rows, columns=["hospital", "kind"])

    order = places.order(table, np.random.default_rng(0))

    shown = table.iloc[order].replace({"kind": {BOXED: WITH}}).groupby(["hospital", "kind"]).size()
    assert shown.to_dict() == {
        ("guangzhou", WITH): places.AT_HOME[WITH],
        ("guangzhou", WITHOUT): places.AT_HOME[WITHOUT],
        ("opacity_masks", DRAWN): places.DRAWN_VIEWS,
        ("east", WITH): places.AWAY[WITH],
        ("east", WITHOUT): places.AWAY[WITHOUT] // 2,
        ("west", WITHOUT): places.AWAY[WITHOUT] // 2,
    }
    assert np.ptp(np.bincount(order)[:30]) <= 1


def test_the_loss_falls_where_the_film_is_told_right():
    truth = RandomView(films_of(WITH), SQUARE, 14, AS_IT_IS)(0, np.random.default_rng(0))[1][np.newaxis]
    odds = np.zeros((1, 14, 14, 1), np.float32)

    losses = [
        float(places.loss(truth, np.concatenate([odds, 0 * odds + film], axis=-1))[0]) for film in (0.9, 0.5, 0.1)
    ]

    of_places = float(opacity.loss(truth[..., :5], odds)[0])
    assert losses == pytest.approx([of_places - np.log(film) for film in (0.9, 0.5, 0.1)], abs=1e-4)
