"""Networks that ONNX Runtime runs give what Keras gives, and those that it does not know are left to Keras."""

import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.explanation.cam import drawer
from pneumo.model_store import onnx_graph, runtime, weights
from pneumo.model_store.runtime import open_network
from pneumo.networks import ensemble, gate_network
from pneumo.networks.ensemble import Member
from pneumo.networks.gate_network import Heads

SIDE = 12
FILMS = np.random.default_rng(0).random((5, SIDE, SIDE, 2), np.float32)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    monkeypatch.delenv(runtime.VARIABLE, raising=False)


def film():
    return keras.Input((SIDE, SIDE, 2), name="film")


def with_random_weights(model, seed=1):
    """Return a model with weights as training leaves them: no zeros and ones, variances above zero."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            with_random_weights(layer, seed + 1)
        else:
            layer.set_weights(
                [rng.uniform(0.1, 0.6, each.shape) * np.sign(rng.normal()) for each in layer.get_weights()]
            )
            if isinstance(layer, layers.BatchNormalization):
                layer.set_weights([np.abs(each) for each in layer.get_weights()])
    return model


def stored(model, folder):
    path = folder / "toy" / "model.keras"
    weights.save(with_random_weights(model), path)
    return path


def convolved(**options):
    return layers.Conv2D(3, 3, **options)


BLOCKS = {
    "convolution": convolved(activation="relu"),
    "strided": convolved(strides=2, padding="same", use_bias=False),
    "dilated": convolved(dilation_rate=2, padding="same"),
    "grouped": convolved(groups=1, padding="valid"),
    "depthwise": layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
    "separable": layers.SeparableConv2D(4, 3, padding="same", activation="sigmoid"),
    "normalised": layers.BatchNormalization(),
    "normalised without scale": layers.BatchNormalization(scale=False, epsilon=0.01),
    "normalised without offset": layers.BatchNormalization(center=False),
    "film normalised": layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False),
    "rescaled": layers.Rescaling([2.0, 3.0], [-1.0, 0.5]),
    "rescaled alike": layers.Rescaling(2.0, -1.0),
    "cut off at six": lambda x: layers.ReLU(6.0)(layers.Rescaling(20.0, -5.0)(x)),
    "rectified": lambda x: layers.ReLU()(layers.Rescaling(2.0, -1.0)(x)),
    "largest": layers.MaxPooling2D(3, strides=2, padding="same"),
    "mean": layers.AveragePooling2D(3, strides=2, padding="same"),
    "padded": lambda x: layers.MaxPooling2D(3)(layers.ZeroPadding2D(((1, 2), (0, 3)))(layers.Rescaling(1.0, -2.0)(x))),
    "cropped": layers.Cropping2D(((1, 0), (2, 3))),
    "flipped": lambda x: keras.ops.flip(x, axis=2),
    "upside down": lambda x: keras.ops.flip(x, axis=1),
    "one channel": lambda x: x[..., 1:2],
    "joined": lambda x: layers.Concatenate()([x, x[..., :1], x]),
    "sum": lambda x: layers.Add()([x, x, layers.Rescaling(2.0)(x)]),
    "average": lambda x: layers.Average()([x, layers.Rescaling(2.0)(x)]),
    "difference": lambda x: layers.Subtract()([x, keras.ops.flip(x, axis=2)]),
    "root": keras.ops.sqrt,
    "enlarged": layers.UpSampling2D((2, 3), interpolation="bilinear"),
    "shrunk": layers.Resizing(7, 5, antialias=True),
    "resized": layers.Resizing(17, 20),
    "context": lambda x: layers.Add()([x, layers.Dense(2, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(x))]),
    "dropped": lambda x: layers.SpatialDropout2D(0.5)(layers.Dropout(0.5)(x)),
    "means": lambda x: layers.Activation("sigmoid")(layers.GlobalAveragePooling2D()(x)),
    "flat": lambda x: layers.Dense(3, "softmax")(layers.Flatten()(x)),
    "flat normalised": lambda x: layers.BatchNormalization()(layers.Dense(3, use_bias=False)(layers.Flatten()(x))),
    "product": lambda x: layers.Dot(axes=1)([layers.Flatten()(x), layers.Flatten()(x)]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_gives_what_it_gives_in_keras(name, tmp_path):
    given = film()
    # Behind a convolution and in front of one, as in a network, where ONNX Runtime joins steps.
    inside = layers.Conv2D(2, 1, name="before")(given)
    outputs = [BLOCKS[name](given), BLOCKS[name](layers.Activation("sigmoid")(inside))]
    path = stored(keras.Model(given, outputs), tmp_path)

    ours = open_network(path, ["before"])
    theirs = open_network(weights.load(path), ["before"])

    assert type(ours) is not type(theirs)
    assert ours.input_shapes == theirs.input_shapes == ((SIDE, SIDE, 2),)
    assert ours.layer_channels == theirs.layer_channels == (2,)
    found, expected = ours.run(FILMS), theirs.run(FILMS)
    assert found.layers[0].shape == expected.layers[0].shape == (5, SIDE, SIDE, 2)
    for each, other in zip((*found.results, *found.layers), (*expected.results, *expected.layers), strict=True):
        assert each.dtype == np.float32
        np.testing.assert_allclose(each, other, rtol=1e-5, atol=1e-5)


def test_a_network_of_several_inputs_and_outputs_gives_them_in_order(tmp_path):
    rng = np.random.default_rng(2)
    embedding = keras.Input((96, 96, 1), name="film")
    pooled = layers.AveragePooling2D(32)(embedding)
    encoder = keras.Model(embedding, [layers.GlobalAveragePooling2D()(embedding), layers.Flatten()(pooled)])
    heads = Heads(
        (rng.normal(size=(1, 4)), rng.normal(size=4)),
        (rng.normal(size=(9, 4)), rng.normal(size=4)),
        rng.normal(size=(gate_network.LUNGS_SIZE**2 // 2, 1)),
        (rng.normal(size=(9, 1)), rng.normal(size=1)),
    )
    path = tmp_path / "toy" / "model.keras"
    weights.save(gate_network.build(encoder, heads), path)
    pictures = rng.random((3, 96, 96, 1), np.float32), rng.random((3, 48, 48, 1), np.float32)

    found, expected = (open_network(model).run(*pictures).results for model in (path, weights.load(path)))

    assert len(found) == 4
    for each, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(each, other, rtol=1e-4, atol=1e-5)


def test_a_network_inside_another_is_run_where_it_is_and_by_itself(tmp_path):
    members = [
        Member(name, view, synthetic.small_model(seed))
        for seed, (name, view) in enumerate(zip("ab", ("film", "lungs"), strict=True))
    ]
    path = tmp_path / "toy" / "model.keras"
    weights.save(ensemble.build(members), path)
    pictures = np.random.default_rng(1).random((3, 32, 32, 2), np.float32)
    ours, theirs = open_network(path), open_network(weights.load(path))

    np.testing.assert_allclose(ours.run(pictures).results, theirs.run(pictures).results, atol=1e-6)
    alone, expected = ours.member("b", "conv"), theirs.member("b", "conv")
    logits = alone.run(pictures[..., :1])
    np.testing.assert_allclose(logits.results, expected.run(pictures[..., :1]).results, atol=1e-6)
    assert alone.draws_cam
    assert logits.cam.shape == (3, 30, 30)
    assert alone.keras_model().name == "b"


def head(kind, maps):
    """Return what follows the feature maps in the networks that pneumo ships."""
    if kind == "global average":
        return layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(maps))
    if kind == "pooled, two layers":
        x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(maps))
        return layers.Dense(6, "relu")(layers.Dropout(0.3)(layers.Dense(8, "relu")(x)))
    if kind == "log-mean-exp":
        odds = layers.Activation("exponential")(layers.Conv2D(1, 1, kernel_initializer="ones")(maps))
        return keras.ops.log(layers.GlobalAveragePooling2D()(odds))
    return layers.Dense(8, "relu")(layers.Flatten()(layers.MaxPooling2D(3)(maps)))


@pytest.mark.parametrize("kind", ["global average", "pooled, two layers", "flattened", "log-mean-exp"])
def test_grad_cam_comes_with_the_answer_and_is_that_of_tf_keras_vis(kind, tmp_path):
    keras.utils.set_random_seed(5)
    given = film()
    maps = layers.Conv2D(6, 3, activation="relu", name="maps")(given)
    unit = layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.RandomUniform(0, 1))(head(kind, maps))
    path = tmp_path / "toy" / "model.keras"
    weights.save(keras.Model(given, unit), path)

    network = open_network(path, embedding=True, cam="maps")
    found = network.run(FILMS)

    by_gradient = drawer(weights.load(path), "maps", "gradcam")(FILMS)
    assert network.draws_cam
    assert by_gradient.max() > 0
    np.testing.assert_allclose(found.cam, by_gradient, atol=1e-5 * by_gradient.max())


def test_where_other_layers_follow_the_maps_no_grad_cam_comes_with_the_answer(tmp_path):
    given = film()
    maps = layers.Conv2D(6, 3, activation="relu", name="maps")(given)
    unit = layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(maps)))
    path = stored(keras.Model(given, unit), tmp_path)

    network = open_network(path, cam="maps")

    assert not network.draws_cam
    assert network.run(FILMS).cam is None


def test_the_embedding_is_what_the_last_unit_is_given(tmp_path):
    given = film()
    pooled = layers.GlobalAveragePooling2D(name="pool")(layers.Conv2D(4, 3)(given))
    path = stored(keras.Model(given, layers.Dense(1, "sigmoid")(layers.Dropout(0.5)(pooled))), tmp_path)

    ours, theirs = (open_network(model, embedding=True) for model in (path, weights.load(path)))

    assert ours.embedding_layer == theirs.embedding_layer == "pool"
    np.testing.assert_allclose(ours.run(FILMS).embedding, theirs.run(FILMS).embedding, atol=1e-5)


def test_where_the_last_unit_is_given_one_number_the_embedding_is_what_that_is_made_of(tmp_path):
    given = film()
    maps = layers.Conv2D(6, 3, name="maps")(given)
    path = stored(keras.Model(given, layers.Dense(1, "sigmoid")(head("log-mean-exp", maps))), tmp_path)

    ours, theirs = (open_network(model, embedding=True) for model in (path, weights.load(path)))

    found = ours.run(FILMS).embedding
    assert ours.embedding_layer == theirs.embedding_layer == "maps"
    assert found.shape == (len(FILMS), 6)
    np.testing.assert_allclose(found, theirs.run(FILMS).embedding, atol=1e-5)


@pytest.fixture
def unknown(tmp_path):
    """The file of a network with a layer that is not translated."""
    given = film()
    return stored(keras.Model(given, layers.Dense(1, "gelu")(layers.Flatten()(given))), tmp_path)


def test_a_network_with_an_unknown_layer_is_left_to_keras(unknown, monkeypatch):
    expected = open_network(weights.load(unknown)).run(FILMS)

    np.testing.assert_array_equal(open_network(unknown).run(FILMS).results, expected.results)
    monkeypatch.setenv(runtime.VARIABLE, "onnx")
    with pytest.raises(ModelError, match=r"activation of the layer .*Set PNEUMO_RUNTIME to auto or keras"):
        open_network(unknown)


def test_a_damaged_file_is_told_of(unknown):
    with zipfile.ZipFile(unknown, "w") as archive:
        archive.writestr("config.json", "{}")

    with pytest.raises(onnx_graph.TranslationError, match="damaged"):
        onnx_graph.translate(unknown)
    with pytest.raises(ModelError, match="Keras cannot read"):
        open_network(unknown)


def test_a_layer_that_is_not_there_is_told_of(unknown):
    with pytest.raises(ModelError, match="no layer gone"):
        open_network(unknown, ["gone"])


@pytest.mark.parametrize(("value", "expected"), [("", "onnx"), ("auto", "onnx"), ("ONNX", "onnx"), ("keras", "keras")])
def test_the_runtime_is_chosen_by_the_environment(value, expected, monkeypatch):
    monkeypatch.setenv(runtime.VARIABLE, value)

    assert runtime.chosen() == expected


def test_an_unknown_runtime_is_refused(monkeypatch):
    monkeypatch.setenv(runtime.VARIABLE, "torch")

    with pytest.raises(ModelError, match=r"PNEUMO_RUNTIME is torch\. Set it to auto, onnx or keras"):
        runtime.chosen()


def test_without_onnx_runtime_keras_runs_networks(monkeypatch):
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else "there")

    assert runtime.chosen() == "keras"
    monkeypatch.setenv(runtime.VARIABLE, "onnx")
    with pytest.raises(ModelError, match="pip install onnxruntime"):
        runtime.chosen()
