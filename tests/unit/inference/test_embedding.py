import dataclasses
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.inference.classifier import Classifier


@pytest.fixture
def model():
    return synthetic.small_model()


@pytest.fixture
def pictures():
    return np.random.default_rng(0).random((4, 32, 32, 1), np.float32)


def test_the_embedding_is_what_the_last_unit_is_given(model, pictures):
    classifier = Classifier(synthetic.card(), model)

    features = classifier.embed(pictures)

    kernel, bias = model.layers[-1].get_weights()
    by_hand = 1 / (1 + np.exp(-(features @ kernel + bias)))
    np.testing.assert_allclose(by_hand, model.predict_on_batch(pictures), atol=1e-6)
    assert features.shape == (4, 4)
    assert features.dtype == np.float32


def test_the_layer_is_named_and_dropout_is_passed_over(pictures):
    picture = keras.Input((32, 32, 1))
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.Conv2D(4, 3)(picture))
    unit = keras.layers.Dense(1, "sigmoid")(keras.layers.Dropout(0.5)(pooled))
    model = keras.Model(picture, unit)

    classifier = Classifier(synthetic.card(), model)

    assert classifier.embedding_layer == "pool"
    pool = keras.Model(model.inputs, model.get_layer("pool").output)
    np.testing.assert_allclose(classifier.embed(pictures), pool.predict_on_batch(pictures), atol=1e-6)


def test_the_classifier_is_left_as_it_was(model, pictures):
    before = model.predict_on_batch(pictures)
    config, weights = model.get_config(), model.get_weights()

    classifier = Classifier(synthetic.card(), model)
    classifier.warm_up()
    classifier.embed(pictures)

    np.testing.assert_array_equal(model.predict_on_batch(pictures), before)
    assert model.get_config() == config
    assert all(np.array_equal(was, now) for was, now in zip(weights, model.get_weights(), strict=True))
    assert model.layers[-1].activation is keras.activations.sigmoid


def test_four_threads_get_the_features_that_one_gets(model, pictures):
    alone = Classifier(synthetic.card(), model).embed(pictures)
    shared = Classifier(synthetic.card(), model)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shared.embed(pictures), range(12)))

    for each in found:
        np.testing.assert_array_equal(each, alone)


def test_an_ensemble_is_refused(model, pictures):
    card = dataclasses.replace(synthetic.card(), members=[{"name": "cnn"}, {"name": "dense"}])

    with pytest.raises(ModelError, match=r"no embedding of its own.*Choose one of its members"):
        Classifier(card, model).embed(pictures)
