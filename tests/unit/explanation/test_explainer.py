import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from toy import synthetic

from pneumo.errors import ExplanationError
from pneumo.explanation.cam import METHODS, drawer
from pneumo.explanation.explainer import Explainer
from pneumo.inference.classifier import Assessment, Classifier
from pneumo.networks import classifiers, ensemble
from pneumo.networks.ensemble import Member
from pneumo.preprocessing import crops
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
    """Chattopadhay et al. 2018, equations 10 and 19, for the class score exp(logit), less that factor."""
    maps, gradient, _ = gradients(model, layer, picture)
    denominator = 2 * gradient**2 + maps.sum(axis=(0, 1)) * gradient**3
    alpha = np.divide(gradient**2, denominator, out=np.zeros_like(gradient), where=gradient != 0)
    total = alpha.sum(axis=(0, 1))
    alpha = alpha / np.where(total == 0, 1, total)
    weights = (alpha * np.maximum(gradient, 0)).sum(axis=(0, 1))
    return np.maximum((maps * weights).sum(axis=-1), 0)


def layer_cam(model, layer, picture):
    """Jiang et al. 2021, equations 4 and 5."""
    maps, gradient, _ = gradients(model, layer, picture)
    return np.maximum((np.maximum(gradient, 0) * maps).sum(axis=-1), 0)


def with_peak_of_the_score(cam, logit):
    """Give the hottest place the density −log(1 − p)."""
    return cam / cam.max() * -np.log(1 / (1 + np.exp(np.float64(logit)))) / cam.size


def score_cam(model, layer, picture):
    """Wang et al. 2020, algorithm 1, on the ten channels that vary most."""
    maps, _, logit = gradients(model, layer, picture)
    behind = []
    channels = sorted(range(maps.shape[-1]), key=lambda channel: -maps[..., channel].std())[:10]
    for channel in channels:
        if np.ptp(maps[..., channel]) == 0:
            behind.append(-np.inf)
            continue
        mask = cv2.resize(maps[..., channel], picture.shape[:2])
        mask = (mask - maps[..., channel].min()) / np.ptp(maps[..., channel])
        behind.append(gradients(model, layer, picture * mask[..., None])[2])
    cam = sum(np.exp(score) * maps[..., channel] for score, channel in zip(behind, channels, strict=True))
    return with_peak_of_the_score(np.maximum(cam, 0), logit)


def smoothgrad(model, layer, picture):
    """Smilkov et al. 2017, one noisy copy after the other, blurred."""
    noise = np.random.default_rng(0).standard_normal((8, *picture.shape), np.float32)
    linear = keras.models.clone_model(model)
    linear.set_weights(model.get_weights())
    trunk = keras.Model(linear.inputs, linear.layers[-1].input)
    kernel, bias = (tf.constant(weights) for weights in linear.layers[-1].get_weights())
    total = np.zeros(picture.shape[:2])
    for sample in noise:
        seen = tf.constant((picture + 0.15 * (picture.max() - picture.min()) * sample)[None])
        with tf.GradientTape() as tape:
            tape.watch(seen)
            logit = tf.matmul(trunk(seen, training=False), kernel) + bias
        total += np.abs(tape.gradient(logit, seen)[0, ..., 0].numpy())
    blurred = cv2.GaussianBlur(total, (0, 0), picture.shape[0] / 40)
    return with_peak_of_the_score(blurred, gradients(model, layer, picture)[2])


BY_HAND = {
    "gradcam": grad_cam,
    "gradcam++": grad_cam_plus_plus,
    "layercam": layer_cam,
    "scorecam": score_cam,
    "smoothgrad": smoothgrad,
}


# They ask a model about many pictures, which takes a large one seconds.
MANY_RUNS = ("scorecam", "smoothgrad")
PICTURES = np.random.default_rng(6).random((2, 32, 32, 1), np.float32)


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

    cam = drawer(model, "conv", method)(picture[None])[0]

    by_hand = BY_HAND[method](model, "conv", picture)
    assert by_hand.max() > 0
    np.testing.assert_allclose(cam, by_hand, atol=1e-5 * by_hand.max())


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=pytest.mark.slow if name in MANY_RUNS else ()) for name in METHODS]
)
def test_a_map_of_a_transfer_model_equals_the_hand_written_gradient(method, mobile):
    film = np.random.default_rng(0).random((96, 96, 1), np.float32)

    cam = drawer(mobile, "out_relu", method)(film[None])[0]

    by_hand = BY_HAND[method](mobile, "out_relu", film)
    assert cam.shape == ((96, 96) if method == "smoothgrad" else (3, 3))
    assert by_hand.max() > 0
    np.testing.assert_allclose(cam, by_hand, atol=1e-5 * by_hand.max())


@pytest.fixture(scope="module")
def mobile():
    keras.utils.set_random_seed(4)
    return classifiers.build("mobilenetv2", size=96)


@pytest.mark.parametrize("method", METHODS)
def test_a_saturated_sigmoid_still_gives_a_map(picture, method):
    model = synthetic.small_model(seed=3, bias=40.0)
    assert outputs_of(model, picture) == 1.0
    model.layers[-1].set_weights([np.abs(model.layers[-1].get_weights()[0]), np.array([40.0])])

    heat = explainer_of(model).heat_map(assessed(picture), method)

    assert heat.values.max() == 1


def test_a_warm_explainer_draws_what_a_cold_one_draws(picture):
    warm = explainer_of(deep_model())
    warm.warm_up()

    drawn, expected = (each.heat_map(assessed(picture)).density for each in (warm, explainer_of(deep_model())))
    np.testing.assert_array_equal(drawn, expected)


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
    assert heat.values.max() == 1
    row, column = np.unravel_index(heat.values.argmax(), heat.values.shape)
    assert row / 120 == pytest.approx(8.5 / 32, abs=0.04)
    assert column / 200 == pytest.approx(24.5 / 32, abs=0.04)
    # Noise lets SmoothGrad look beside the spot, too.
    assert heat.values[60:, :100].max() < (0.9 if method == "smoothgrad" else 0.01)
    assert (heat.method, heat.layer) == (method, "input" if method == "smoothgrad" else "conv")


def test_a_heat_map_takes_the_shape_that_a_screen_asks_for():
    explainer = explainer_of(transparent_model(1.0))

    assert explainer.heat_map(assessed(with_spot(8, 24)), shape=(50, 70)).values.shape == (50, 70)


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "layercam"])
def test_a_film_without_evidence_has_an_empty_map(method):
    heat = explainer_of(transparent_model(-1.0)).heat_map(assessed(with_spot(8, 24)), method)

    assert not heat.values.any()
    assert heat.values.shape == (160, 200)
    assert np.isfinite(heat.values).all()


def test_a_film_without_any_feature_has_an_empty_score_cam():
    black = np.zeros((32, 32, 1), np.float32)

    assert not explainer_of(transparent_model(1.0)).heat_map(assessed(black), "scorecam").values.any()


def test_the_density_of_a_grad_cam_is_the_logit_per_film():
    model = transparent_model(3.0)
    picture = with_spot(8, 24)

    heat = explainer_of(model).heat_map(assessed(picture, 128, 160))

    # The mean of the one feature map, nine of 1,024 pixels, times three; bicubic lobes below zero are cut off.
    assert heat.density.mean() == pytest.approx(3 * 9 / 1024, rel=0.1)
    np.testing.assert_allclose(heat.values, heat.density / heat.density.max(), rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_film_below_the_reference_stays_cool(picture, method):
    model = synthetic.small_model(seed=5)
    peak = explainer_of(model).heat_map(assessed(picture), method).density.max()

    cool, hot = (
        explainer_of(model, heat={"references": {method: peak * factor}}).heat_map(assessed(picture), method)
        for factor in (4, 0.5)
    )

    assert cool.absolute.max() == pytest.approx(0.25)
    assert cool.values.max() == 1
    assert hot.absolute.max() == 1
    np.testing.assert_allclose(hot.absolute, np.minimum(hot.values * 2, 1), atol=1e-5)


def test_without_a_reference_there_is_no_absolute_scale(picture):
    heat = explainer_of(synthetic.small_model(), heat={"references": {"layercam": 1.0}}).heat_map(assessed(picture))

    assert heat.reference is None
    assert heat.absolute is None


@pytest.mark.parametrize("method", METHODS)
def test_films_drawn_together_are_drawn_as_each_alone(method):
    explainer = explainer_of(deep_model())
    films = [assessed(film, height) for film, height in zip(PICTURES, (90, 160), strict=True)]

    together = explainer.heat_maps(films, method)

    for film, heat in zip(films, together, strict=True):
        alone = explainer.heat_map(film, method)
        assert heat.values.shape == film.radiograph.pixels.shape
        np.testing.assert_allclose(heat.density, alone.density, atol=1e-5 * alone.density.max())


def test_a_model_without_feature_maps_cannot_be_explained(toy_models):
    with pytest.raises(ExplanationError, match="Dense baseline has no feature maps"):
        Explainer(Classifier.open("dense", toy_models))


def test_a_trained_model_is_explained_as_the_shipped_file_says(toy_models):
    classifier = Classifier.open("cnn", toy_models)
    film = np.random.default_rng(1).random((128, 128, 1), np.float32)

    heat = Explainer(classifier).heat_map(assessed(film), shape=(128, 128))

    cam = grad_cam(classifier.model, "conv2", film)
    expected = cam.size * crops.onto_film(cam, crops.WHOLE, (128, 128))
    np.testing.assert_allclose(heat.density, expected.clip(0), atol=1e-4)


def test_an_unknown_method_is_answered_with_the_known_ones(picture):
    with pytest.raises(ValueError, match=r"'gradcan'.*gradcam, gradcam\+\+, layercam, scorecam, smoothgrad"):
        explainer_of(synthetic.small_model()).heat_map(assessed(picture), "gradcan")


LUNG_BOX = (0.25, 0.5, 0.75, 1.0)


@pytest.fixture(scope="module")
def joined_models():
    return [synthetic.small_model(seed=1), synthetic.small_model(seed=2)]


@pytest.fixture(scope="module")
def cards():
    seen = [{**synthetic.card().input, "views": [view]} for view in (crops.FILM, crops.LUNGS)]
    return [synthetic.card(name=name, input=given) for name, given in zip("ab", seen, strict=True)]


@pytest.fixture(scope="module")
def ensemble_explainer(cards, joined_models):
    members = [
        {"name": card.name, "view": card.input["views"][0], "cam_layer": "conv", "weight": weight}
        for card, weight in zip(cards, (0.25, 0.75), strict=True)
    ]
    joined = ensemble.build([Member.of(card, model) for card, model in zip(cards, joined_models, strict=True)])
    given = {**synthetic.card().input, "views": [crops.FILM, crops.LUNGS]}
    return Explainer(Classifier(synthetic.card(input=given, cam_layer=None, members=members), joined))


@pytest.mark.parametrize("method", METHODS)
def test_the_map_of_an_ensemble_is_the_sum_of_its_members_each_in_its_place(ensemble_explainer, joined_models, method):
    both = np.random.default_rng(3).random((32, 32, 2), np.float32)
    film = Radiograph(np.zeros((80, 120), np.float32), "film.png", "f" * 64, "PNG", 8)
    parts = (crops.WHOLE, LUNG_BOX)
    assessment = Assessment(film, "likely", 0.9, (), synthetic.card(), both, parts)

    heat = ensemble_explainer.heat_map(assessment, method).values

    expected = np.zeros((80, 120), np.float32)
    for channel, (model, part, weight) in enumerate(zip(joined_models, parts, (0.25, 0.75), strict=True)):
        picture = both[..., channel : channel + 1]
        for turn in (slice(None), slice(None, None, -1)):
            cam = BY_HAND[method](model, "conv", np.ascontiguousarray(picture[:, turn]))[:, turn]
            expected += weight * cam.size / crops.share(part) * crops.onto_film(cam, part, (80, 120))
    np.testing.assert_allclose(heat, expected.clip(0) / expected.max(), atol=2e-4)


def test_warming_an_ensemble_up_reaches_every_member(ensemble_explainer):
    ensemble_explainer.warm_up()

    assert {index for index, _ in ensemble_explainer._drawers} == {0, 1}
