import keras
import numpy as np
import pytest

from pneumo.networks import classifiers, resnet50v2

SIDE = 96


@pytest.fixture(scope="module")
def older():
    """A ResNet50 whose normalisations all do something."""
    model = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in layer.get_weights()])
        elif isinstance(layer, keras.layers.Conv2D):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(0, 0.1, bias.shape)])
    return model


@pytest.fixture(scope="module")
def file(older, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet50.weights.h5"
    older.save_weights(path)
    return path


def outputs_of(model, layer, films):
    return np.asarray(keras.Model(model.input, model.get_layer(layer).output)(films, training=False))


def test_the_first_block_gives_what_it_gave_in_the_older_network(older, file):
    film = np.random.default_rng(1).random((1, SIDE, SIDE, 1), np.float32)
    rgb = keras.applications.resnet.preprocess_input(np.repeat(255 * film, 3, axis=-1))

    model = classifiers.build("resnet50v2", file, size=SIDE)

    # What surrounds the film is black to one network and grey to the other, so the border differs.
    inner = np.s_[:, 4:-4, 4:-4]
    ours = np.maximum(outputs_of(model, "conv2_block1_out", film)[inner], 0)
    theirs = outputs_of(older, "conv2_block1_out", rgb)[inner]
    assert theirs.std() > 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * theirs.max())


def test_all_layers_are_taken_over(file):
    model = classifiers.build("resnet50v2", file, size=SIDE)
    fresh = classifiers.build("resnet50v2", None, size=SIDE)

    for ours, random in zip(model.layers, fresh.layers, strict=True):
        if isinstance(ours, keras.layers.Conv2D):
            assert not np.array_equal(ours.get_weights()[0], random.get_weights()[0]), ours.name
        if isinstance(ours, keras.layers.BatchNormalization):
            assert not ours.trainable


def test_its_own_weights_are_told_from_the_older_ones(file, tmp_path):
    own = keras.applications.ResNet50V2(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    own.save_weights(tmp_path / "own.weights.h5")

    model = classifiers.build("resnet50v2", tmp_path / "own.weights.h5", size=SIDE)

    assert resnet50v2.is_resnet50(file)
    assert not resnet50v2.is_resnet50(tmp_path / "own.weights.h5")
    kernel = "conv4_block2_1_conv"
    np.testing.assert_array_equal(model.get_layer(kernel).get_weights()[0], own.get_layer(kernel).get_weights()[0])
