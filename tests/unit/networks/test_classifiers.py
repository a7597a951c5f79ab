import keras
import numpy as np
import pytest
from toy import synthetic

from pneumo.networks.classifiers import REGISTRY, build

# The smallest side at which all feature maps are larger than a pixel.
SIDE = 64
# Entries that differ from another in their size, what of a film they see or learn from: the graph is that of the other.
VARIANTS = {
    "mobilenetv2_lungs": "mobilenetv2",
    "mobilenetv2_192": "mobilenetv2",
    "everywhere_film": "mobilenetv2",
    "densenet121_lungs": "densenet121",
}


def outputs_of(model, films):
    return keras.ops.convert_to_numpy(model(films, training=False))


@pytest.fixture(scope="module", params=[name for name in REGISTRY if name not in VARIANTS])
def built(request):
    keras.utils.set_random_seed(0)
    return REGISTRY[request.param], build(request.param, size=SIDE)


def test_a_film_becomes_one_probability(built):
    architecture, model = built
    films = np.random.default_rng(0).random((2, SIDE, SIDE, 1), np.float32)

    probability = outputs_of(model, films)

    assert model.name == architecture.name
    assert model.input_shape == (None, SIDE, SIDE, 1)
    assert probability.shape == (2, 1)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert model.layers[-1].activation is keras.activations.sigmoid
    assert model.layers[-1].compute_dtype == "float32"


def test_the_graph_is_flat(built):
    _, model = built

    assert not [layer.name for layer in model.layers if isinstance(layer, keras.Model)]


def test_heat_maps_have_a_feature_map_that_feeds_the_output(built):
    architecture, model = built
    if architecture.cam_layer is None:
        assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        return

    features = model.get_layer(architecture.cam_layer).output

    assert len(features.shape) == 4
    assert min(features.shape[1:3]) > 1
    # Keras refuses a model whose output does not come from its input.
    assert keras.Model(features, model.output).output_shape == (None, 1)


def test_every_layer_learns_when_weights_are_random(built):
    _, model = built

    assert all(layer.trainable for layer in model.layers)


def test_the_registry_describes_what_it_builds(built):
    architecture, model = built

    assert architecture.family in ("dense", "cnn", "transfer")
    assert architecture.pretrained == (architecture.family == "transfer")
    has_convolutions = any(isinstance(layer, keras.layers.Conv2D) for layer in model.layers)
    assert has_convolutions == (architecture.family != "dense")


@pytest.mark.parametrize(("name", "other"), VARIANTS.items())
def test_a_variant_is_built_as_the_entry_that_it_varies(name, other):
    variant, plain = REGISTRY[name], REGISTRY[other]

    built_of = [[cell.cell_contents for cell in entry.build.__closure__] for entry in (variant, plain)]

    assert built_of[0] == built_of[1]
    assert variant.name == name
    for field in ("family", "cam_layer", "pretrained"):
        assert getattr(variant, field) == getattr(plain, field)
    assert variant.title != plain.title


def test_the_size_of_the_registry_is_taken_where_none_is_given():
    assert build("dense").input_shape == (None, REGISTRY["dense"].size, REGISTRY["dense"].size, 1)


@pytest.mark.parametrize(
    ("name", "backbone", "preprocess"),
    [
        ("mobilenetv2", keras.applications.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
        ("densenet121", keras.applications.DenseNet121, keras.applications.densenet.preprocess_input),
        ("vgg19", keras.applications.VGG19, keras.applications.vgg19.preprocess_input),
    ],
)
def test_pretrained_features_are_those_of_keras_applications(name, backbone, preprocess, tmp_path):
    path = tmp_path / "backbone.weights.h5"
    original = backbone(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    rng = np.random.default_rng(1)
    for layer in original.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in layer.get_weights()])
    original.save_weights(path)
    film = synthetic.film(rng, True, SIDE, SIDE).astype(np.float32)

    model = build(name, path, size=SIDE)

    features = keras.Model(model.input, model.get_layer(REGISTRY[name].cam_layer).output)
    ours = outputs_of(features, film[None, ..., None] / 255)
    rgb = np.repeat(film[None, ..., None], 3, axis=-1)
    if name == "vgg19":
        # Its last feature map comes before the last pooling.
        original = keras.Model(original.input, original.get_layer("block5_conv4").output)
    theirs = outputs_of(original, preprocess(rgb))
    assert theirs.std() > 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not any(layer.trainable for layer in norms)
    assert all(layer.trainable for layer in model.layers if layer not in norms)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'lenet'.*dense, cnn.*mobilenetv2"):
        build("lenet")


def test_a_model_without_pretrained_weights_takes_none():
    with pytest.raises(ValueError, match="cnn is trained from random weights"):
        build("cnn", "imagenet")


def test_a_weights_file_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"no weights file nowhere\.weights\.h5"):
        build("mobilenetv2", "nowhere.weights.h5")
