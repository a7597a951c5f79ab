import dataclasses
import itertools

import keras
import numpy as np
import optuna
import pytest
from keras import layers

from pneumo.model_store.weights import load, save
from pneumo.training import search
from pneumo.training.search import Configuration, build, from_trial, parameters

PLAIN = Configuration(
    size=96,
    blocks=3,
    first_filters=16,
    widest=64,
    first_kernel=3,
    convolutions=1,
    separable=False,
    block_kind="plain",
    head=32,
    dropout=0.25,
    learning_rate=1e-3,
    weight_decay=1e-4,
    min_area=0.3,
)


class LargestTrial:
    """A trial that always chooses the last or largest."""

    def suggest_categorical(self, name, choices):
        return {"separable": False}.get(name, choices[-1])

    def suggest_int(self, name, low, high, step=1):
        return high

    def suggest_float(self, name, low, high, log=False):
        return high


def kinds(model):
    return [type(layer) for layer in model.layers]


@pytest.fixture(scope="module")
def drawn():
    """Configurations that were chosen at random."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    return [from_trial(study.ask()) for _ in range(8)]


def test_no_network_that_is_drawn_has_a_million_parameters(drawn):
    assert all(0 < parameters(configuration) <= 1_000_000 for configuration in drawn)
    assert len(set(drawn)) == len(drawn)


def test_the_largest_network_is_as_wide_as_a_million_parameters_allow():
    largest = from_trial(LargestTrial())

    assert (largest.blocks, largest.convolutions, largest.first_filters) == (5, 2, 32)
    assert parameters(largest) <= 1_000_000
    assert parameters(dataclasses.replace(largest, widest=largest.widest + 32)) > 1_000_000


def test_drawn_networks_turn_a_film_into_one_probability_and_have_feature_maps(drawn):
    for configuration in drawn[:4]:
        model = build(configuration)
        size = configuration.size
        film = np.random.default_rng(0).random((1, size, size, 1), np.float32)

        probability = keras.ops.convert_to_numpy(model(film, training=False))

        features = model.get_layer(configuration.cam_layer).output
        side = size // 2**configuration.blocks
        assert probability.shape == (1, 1)
        assert 0 <= probability[0, 0] <= 1
        assert features.shape == (None, side, side, configuration.filters[-1])
        assert keras.Model(features, model.output).output_shape == (None, 1)
        assert model.layers[-1].name == "pneumonia"
        assert not [layer for layer in model.layers if isinstance(layer, keras.Model)]


@pytest.mark.parametrize(("block_kind", "separable"), list(itertools.product(search.BLOCK_KINDS, (False, True))))
def test_every_kind_of_block_is_built_of_its_parts_and_survives_shipping(block_kind, separable, tmp_path):
    configuration = dataclasses.replace(PLAIN, block_kind=block_kind, separable=separable, convolutions=2, size=32)
    model = build(configuration)

    save(model, tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")

    counted = kinds(model)
    assert counted.count(layers.SeparableConv2D) == (5 if separable else 0)
    assert counted.count(layers.BatchNormalization) == 6
    assert counted.count(layers.Add) == (3 if block_kind == "residual" else 0)
    assert counted.count(layers.Multiply) == (3 if block_kind == "squeeze_excitation" else 0)
    assert kinds(loaded) == counted
    assert loaded.count_params() == parameters(configuration)


def test_the_first_convolution_sees_grey_values_through_whole_kernels():
    model = build(dataclasses.replace(PLAIN, separable=True, first_kernel=5))

    assert type(model.layers[1]) is layers.Conv2D
    assert model.layers[1].kernel.shape == (5, 5, 1, 16)
    assert [layer.kernel_size for layer in model.layers if isinstance(layer, layers.SeparableConv2D)] == [(3, 3)] * 2


def test_filters_double_until_they_are_as_many_as_allowed():
    assert dataclasses.replace(PLAIN, blocks=5, first_filters=24, widest=128).filters == (24, 48, 96, 128, 128)


def test_a_residual_block_adds_what_came_in():
    model = build(dataclasses.replace(PLAIN, block_kind="residual", blocks=4, first_filters=32))
    film = np.random.default_rng(0).random((1, 96, 96, 1), np.float32)
    # Where all convolutions of the last block give nothing, what came in goes on as it is: it has as many filters.
    last = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)][-1]
    last.set_weights([np.zeros_like(weights) for weights in last.get_weights()])
    seen = keras.Model(model.input, [last.input, model.get_layer("block4").output])

    entered, left = seen(film, training=False)

    np.testing.assert_allclose(entered, left)
    assert np.max(entered) > 0


def test_squeeze_and_excitation_weighs_whole_feature_maps():
    model = build(dataclasses.replace(PLAIN, block_kind="squeeze_excitation"))
    [*_, weighing] = [layer for layer in model.layers if isinstance(layer, layers.Multiply)]

    maps, weights = (tensor.shape for tensor in weighing.input)

    assert maps == (None, 12, 12, 64)
    assert weights == (None, 1, 1, 64)


def test_the_recipe_is_that_of_the_configuration():
    recipe = PLAIN.recipe(epochs=20, seed=5)

    assert (recipe.epochs, recipe.patience, recipe.seed) == (20, 8, 5)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.augmentation.min_area) == (1e-3, 1e-4, 0.3)


def test_a_configuration_is_named_by_what_is_special_about_it():
    special = dataclasses.replace(
        PLAIN, block_kind="squeeze_excitation", convolutions=2, separable=True, first_kernel=5
    )

    assert str(PLAIN) == "96 px, filters 16–32–64"
    assert str(special) == (
        "96 px, filters 16–32–64, two convolutions a block, 5-wide first kernel, squeeze excitation, separable"
    )
