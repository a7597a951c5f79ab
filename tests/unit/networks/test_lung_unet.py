import keras
import numpy as np
import pytest

from pneumo.model_store import weights
from pneumo.networks import lung_unet

MOBILENET = {"include_top": False, "input_shape": (64, 64, 3)}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return lung_unet.build()


@pytest.fixture(scope="module")
def films():
    return np.random.default_rng(0).random((2, lung_unet.SIZE, lung_unet.SIZE, 1), np.float32)


def outputs_of(model, films):
    return keras.ops.convert_to_numpy(model(films, training=False))


def test_a_film_goes_in_and_the_probability_of_lung_comes_out(network, films):
    drawn = outputs_of(network, films)

    assert network.input_shape == network.output_shape == (None, 192, 192, 1)
    assert (drawn.shape, drawn.dtype) == (films.shape, np.float32)
    assert ((drawn > 0) & (drawn < 1)).all()


def test_it_is_small(network):
    assert network.count_params() < 2_000_000


def test_it_can_be_built_for_films_of_another_size():
    assert lung_unet.build(size=64).output_shape == (None, 64, 64, 1)


def test_only_what_came_with_weights_is_frozen(network, tmp_path):
    path = tmp_path / "encoder.weights.h5"
    encoder = keras.applications.MobileNetV2(weights=None, **MOBILENET)
    encoder.save_weights(path)

    pretrained = lung_unet.build(path, size=64)

    frozen = [layer.name for layer in pretrained.layers if not layer.trainable]
    own = {"bridge", "context", "logit"}
    assert all(layer.trainable for layer in network.layers)
    assert frozen
    assert all(isinstance(pretrained.get_layer(name), keras.layers.BatchNormalization) for name in frozen)
    assert not [name for name in frozen if name.split("_")[0] in own or name.startswith(("skip", "conv96", "conv64"))]
    np.testing.assert_array_equal(
        pretrained.get_layer("block_3_expand").get_weights()[0], encoder.get_layer("block_3_expand").get_weights()[0]
    )


def test_what_lies_behind_the_bottleneck_is_left_out(network):
    names = {layer.name for layer in network.layers}

    assert "block_13_expand_relu" in names
    assert not [name for name in names if name.startswith(("block_14", "block_15", "block_16", "Conv_1"))]
    assert not [layer for layer in network.layers if isinstance(layer, keras.Model)]


def test_it_is_shipped_and_loaded_like_any_other_model(network, films, tmp_path):
    weights.save(network, tmp_path / "model.keras")

    loaded = weights.load(tmp_path / "model.keras")

    np.testing.assert_allclose(outputs_of(loaded, films), outputs_of(network, films), atol=5e-3)
