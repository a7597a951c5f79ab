import keras
import numpy as np
import pytest
import synthetic
import tensorflow as tf

from pneumo import architectures, ensemble, views
from pneumo.classifier import Assessment, Classifier
from pneumo.errors import ExplanationError
from pneumo.explanation import METHODS, Explainer, HeatInLungs, heat_in_lungs
from pneumo.radiograph import Radiograph


def gradients(model, layer, picture):
    """Return the feature maps, and the gradient of the logit with respect to them, by hand."""
    trunk = keras.Model(model.inputs, [model.get_layer(layer).output, model.layers[-1].input])
    kernel, bias = (tf.constant(weights) for weights in model.layers[-1].get_weights())
    with tf.GradientTape() as tape:
        seen = tf.constant(picture[None])
        tape.watch(seen)
        maps, last = trunk(seen, training=False)
        logit = tf.matmul(last, kernel) + bias
    return maps[0].numpy(), tape.gradient(logit, maps)[0].numpy(), float(logit[0, 0])


def grad_cam(model, layer, picture):
    """Selvaraju et al. 2017, equations 1 and 2."""
    maps, gradient, _ = gradients(model, layer, picture)
    return np.maximum((maps * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)


def grad_cam_plus_plus(model, layer, picture):
    """Chattopadhay et al. 2018, equations 10 and 19, for the class score exp(logit)."""
    maps, gradient, logit = gradients(model, layer, picture)
    denominator = 2 * gradient**2 + maps.sum(axis=(0, 1)) * gradient**3
    alpha = np.divide(gradient**2, denominator, out=np.zeros_like(gradient), where=gradient != 0)
    total = alpha.sum(axis=(0, 1))
    alpha = alpha / np.where(total == 0, 1, total)
    weights = (alpha * np.maximum(np.exp(logit) * gradient, 0)).sum(axis=(0, 1))
    return np.maximum((maps * weights).sum(axis=-1), 0)


BY_HAND = {"gradcam": grad_cam, "gradcam++": grad_cam_plus_plus}


def outputs_of(model, film):
    return keras.ops.convert_to_numpy(model(film[None], training=False))


def explainer_of(model, **changes):
    return Explainer(Classifier(synthetic.card(**changes), model))


def assessed(model_input, height=160, width=200):
    pixels = np.zeros((height, width), np.float32)
    film = Radiograph(pixels, "film.png", "f" * 64, "PNG", 8)
    return Assessment(film, "likely", 0.9, (), synthetic.card(), model_input.astype(np.float32))


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(2).random((32, 32, 1), np.float32)


def deep_model():
    """A model whose gradient differs from place to place, unlike behind global average pooling."""
    keras.utils.set_random_seed(1)
    film = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu")(film)
    x = keras.layers.Conv2D(5, 3, activation="relu", name="conv")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(8, activation="tanh")(x)
    model = keras.Model(film, keras.layers.Dense(1, "sigmoid")(x))
    # On the whole the maps speak for pneumonia, so that the sum is not cut off at zero.
    model.layers[-2].set_weights([model.layers[-2].get_weights()[0] + 0.02, np.zeros(8)])
    model.layers[-1].set_weights([np.abs(model.layers[-1].get_weights()[0]), np.zeros(1)])
    return model


@pytest.mark.parametrize("method", METHODS)
def test_a_map_equals_the_hand_written_gradient(picture, method):
    model = deep_model()

    cam = explainer_of(model).feature_map(picture, method)

    by_hand = BY_HAND[method](model, "conv", picture)
    assert by_hand.max() > 0
    np.testing.assert_allclose(cam, by_hand, atol=1e-5 * by_hand.max())


@pytest.mark.parametrize("method", METHODS)
def test_a_map_of_a_transfer_model_equals_the_hand_written_gradient(method, mobile):
    film = np.random.default_rng(0).random((96, 96, 1), np.float32)

    cam = explainer_of(mobile, cam_layer="out_relu").feature_map(film, method)

    by_hand = BY_HAND[method](mobile, "out_relu", film)
    assert cam.shape == (3, 3)
    assert by_hand.max() > 0
    np.testing.assert_allclose(cam, by_hand, atol=1e-5 * by_hand.max())


@pytest.fixture(scope="module")
def mobile():
    keras.utils.set_random_seed(4)
    return architectures.build("mobilenetv2", size=96)


@pytest.mark.parametrize("method", METHODS)
def test_a_saturated_sigmoid_still_gives_a_map(picture, method):
    model = synthetic.small_model(seed=3, bias=40.0)
    assert outputs_of(model, picture) == 1.0
    model.layers[-1].set_weights([np.abs(model.layers[-1].get_weights()[0]), np.array([40.0])])

    heat = explainer_of(model).heat_map(assessed(picture), method)

    assert not heat.is_empty
    assert heat.values.max() == 1


def test_a_warm_explainer_draws_what_a_cold_one_draws(picture):
    warm = explainer_of(deep_model())
    warm.warm_up()

    np.testing.assert_array_equal(warm.feature_map(picture), explainer_of(deep_model()).feature_map(picture))


@pytest.mark.parametrize("method", METHODS)
def test_the_shared_model_is_left_as_it_is(picture, method):
    model = synthetic.small_model(seed=5)
    weights, output = model.get_weights(), outputs_of(model, picture)

    explainer_of(model).heat_map(assessed(picture), method)

    assert model.layers[-1].activation is keras.activations.sigmoid
    np.testing.assert_array_equal(outputs_of(model, picture), output)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def transparent_model(sign):
    """A model whose one feature map is the picture itself."""
    film = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(1, 1, kernel_initializer="ones", activation="relu", name="conv")(film)
    x = keras.layers.GlobalAveragePooling2D()(x)
    ones = keras.initializers.Constant(sign)
    return keras.Model(film, keras.layers.Dense(1, "sigmoid", kernel_initializer=ones)(x))


def with_spot(row, column):
    picture = np.zeros((32, 32, 1), np.float32)
    picture[row - 1 : row + 2, column - 1 : column + 2] = 1
    return picture


@pytest.mark.parametrize("method", METHODS)
def test_a_heat_map_lies_over_the_film_where_the_evidence_is(method):
    explainer = explainer_of(transparent_model(1.0))

    heat = explainer.heat_map(assessed(with_spot(8, 24), height=120, width=200), method)

    assert heat.values.shape == (120, 200)
    assert heat.values.dtype == np.float32
    assert (heat.values.min(), heat.values.max()) == (0, 1)
    row, column = np.unravel_index(heat.values.argmax(), heat.values.shape)
    assert row / 120 == pytest.approx(8.5 / 32, abs=0.04)
    assert column / 200 == pytest.approx(24.5 / 32, abs=0.04)
    assert heat.values[60:, :100].max() < 0.01
    assert (heat.method, heat.layer) == (method, "conv")


def test_a_heat_map_takes_the_shape_that_a_screen_asks_for():
    explainer = explainer_of(transparent_model(1.0))

    assert explainer.heat_map(assessed(with_spot(8, 24)), shape=(50, 70)).values.shape == (50, 70)


@pytest.mark.parametrize("method", METHODS)
def test_a_film_without_evidence_has_an_empty_map(method):
    heat = explainer_of(transparent_model(-1.0)).heat_map(assessed(with_spot(8, 24)), method)

    assert heat.is_empty
    assert heat.values.shape == (160, 200)
    assert np.isfinite(heat.values).all()


def test_a_model_without_feature_maps_cannot_be_explained(toy_models):
    with pytest.raises(ExplanationError, match="Dense baseline has no feature maps"):
        Explainer(Classifier.open("dense", toy_models))


def test_a_trained_model_is_explained_as_the_shipped_file_says(toy_models):
    classifier = Classifier.open("cnn", toy_models)
    film = np.random.default_rng(1).random((128, 128, 1), np.float32)

    cam = Explainer(classifier).feature_map(film)

    np.testing.assert_allclose(cam, grad_cam(classifier.model, "conv2", film), atol=1e-6)


def test_an_unknown_method_is_answered_with_the_known_ones(picture):
    with pytest.raises(ValueError, match=r"'scorecam'.*gradcam, gradcam\+\+"):
        explainer_of(synthetic.small_model()).feature_map(picture, "scorecam")


ZONES = np.array([[0, 1, 4, 0], [0, 2, 5, 0], [0, 3, 6, 0]], np.uint8)


@pytest.mark.parametrize(
    ("heat", "expected", "sentence"),
    [
        (
            [[0.2, 0, 0.1, 0], [0, 0, 0, 0], [0.1, 0.6, 0, 0]],
            HeatInLungs(0.7, "right lower", 0.6 / 0.7),
            "70 % of the heat lies inside the lungs, most of it in the right lower zone.",
        ),
        (
            [[0, 0.2, 0.3, 0], [0.5, 0.25, 0, 0], [0, 0, 0, 0]],
            HeatInLungs(0.75 / 1.25, "left upper", 0.3 / 0.75),
            "60 % of the heat lies inside the lungs, the largest part of it in the left upper zone.",
        ),
        (
            [[0.9, 0, 0, 0.9], [0, 0, 0.002, 0], [0, 0, 0, 0]],
            HeatInLungs(0.002 / 1.802, "left middle", 1.0),
            "Under 1 % of the heat lies inside the lungs, most of it in the left middle zone.",
        ),
        ([[1, 0, 0, 0]] + [[0] * 4] * 2, HeatInLungs(0.0, "", 0.0), "None of the heat lies inside the lungs."),
    ],
)
def test_the_heat_inside_the_lungs_is_measured_as_by_hand(heat, expected, sentence):
    # Of the second example, 0.75 of 1.25 lies inside, and 0.3 of those 0.75 in the left upper zone.
    measured = heat_in_lungs(np.array(heat, np.float32), ZONES)

    assert (measured.share, measured.zone_share) == pytest.approx((expected.share, expected.zone_share), abs=1e-6)
    assert measured.zone == expected.zone
    assert str(measured) == sentence


def test_a_map_without_heat_lies_nowhere():
    assert heat_in_lungs(np.zeros((3, 4), np.float32), ZONES) is None


@pytest.mark.parametrize(("share", "outside"), [(0.49, True), (0.5, False), (1.0, False)])
def test_less_than_half_inside_is_mostly_outside(share, outside):
    assert HeatInLungs(share, "left upper", 1.0).mostly_outside == outside


LUNG_BOX = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def joined_models():
    return [synthetic.small_model(seed=1), synthetic.small_model(seed=2)]


@pytest.fixture(scope="module")
def cards():
    seen = [{**synthetic.card().input, "views": [view]} for view in (views.FILM, views.LUNGS)]
    return [synthetic.card(name=name, input=given) for name, given in zip("ab", seen, strict=True)]


@pytest.fixture(scope="module")
def ensemble_explainer(cards, joined_models):
    members = [
        {"name": card.name, "view": card.input["views"][0], "cam_layer": "conv", "weight": weight}
        for card, weight in zip(cards, (0.25, 0.75), strict=True)
    ]
    joined = ensemble.build(list(zip(cards, joined_models, strict=True)))
    given = {**synthetic.card().input, "views": [views.FILM, views.LUNGS]}
    return Explainer(Classifier(synthetic.card(input=given, cam_layer=None, members=members), joined))


@pytest.mark.parametrize("method", METHODS)
def test_the_map_of_an_ensemble_is_the_sum_of_its_members_each_in_its_place(ensemble_explainer, joined_models, method):
    both = np.random.default_rng(3).random((32, 32, 2), np.float32)
    film = Radiograph(np.zeros((80, 120), np.float32), "film.png", "f" * 64, "PNG", 8)
    parts = (views.WHOLE, LUNG_BOX)
    assessment = Assessment(film, "likely", 0.9, (), synthetic.card(), both, parts)

    heat = ensemble_explainer.heat_map(assessment, method).values

    expected = np.zeros((80, 120), np.float32)
    for channel, (model, part, weight) in enumerate(zip(joined_models, parts, (0.25, 0.75), strict=True)):
        picture = both[..., channel : channel + 1]
        for turn in (slice(None), slice(None, None, -1)):
            cam = BY_HAND[method](model, "conv", np.ascontiguousarray(picture[:, turn]))[:, turn]
            expected += weight * cam.size / views.share(part) * views.onto_film(cam, part, (80, 120))
    np.testing.assert_allclose(heat, expected.clip(0) / expected.max(), atol=2e-4)


def test_warming_an_ensemble_up_reaches_every_member(ensemble_explainer):
    ensemble_explainer.warm_up()

    assert {index for index, _ in ensemble_explainer._visualisers} == {0, 1}
