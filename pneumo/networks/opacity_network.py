"""Networks that look for opacities place by place: the first blocks of a MobileNetV2 classifier, and heads on them.

One maps opacities, and leaves the blocks as they are; another, a classifier, tells a film by its places.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

SIZE = 224
# The last feature map of the classifier at 1/8, 1/16 and 1/32 of the input. What follows knows the film's class but no
# longer the place, and would double the file.
FEATURES = ("block_5_add", "block_12_add", "block_14_add")
# How many features tell a place: few films have drawn opacities for a map, and many a class for a classifier.
MAP_WIDTH, CLASSIFIER_WIDTH = 32, 192
_DROPOUT = 0.2
_UNIT = "pneumonia"
# About the share of a film that is opaque, as log-odds: the head starts there.
_START = -2.0


def trunk(classifier: keras.Model, size: int = SIZE) -> keras.Model:
    """Return the part of a MobileNetV2 classifier that the head looks at, for an input of another size.

    Args:
        classifier: from (side, side, 1) float32 in 0…1, as `classifiers.build` makes it.
        size: side of the input in pixels, a multiple of 32.

    Returns:
        A model from (size, size, 1) to the `FEATURES`, (size / 8, size / 8, 32), (size / 16, size / 16, 96) and
        (size / 32, size / 32, 160) float32, with copies of the classifier's weights that cannot be trained.

    Raises:
        ValueError: if the classifier has no such layers.
    """
    whole = keras.models.clone_model(classifier, input_tensors=keras.Input((size, size, 1), name="film"))
    whole.set_weights(classifier.get_weights())
    features = keras.Model(whole.inputs, [whole.get_layer(name).output for name in FEATURES], name="trunk")
    features.trainable = False
    return features


def head(features: keras.Model, width: int = MAP_WIDTH, name: str = "head") -> keras.Model:
    """Return an untrained head for a `trunk`: from its feature maps to the log-odds of opacity.

    Args:
        features: the trunk.
        width: how many features each place is told by; the layer ``refined_relu`` gives them.
        name: of the head.

    Returns:
        A model to (size / 16, size / 16, 1) float32.
    """
    inputs = [keras.Input(each.shape[1:], name=name) for each, name in _named(features)]
    return keras.Model(inputs, _log_odds(inputs, width), name=name)


def classifier_in_training(features: keras.Model, heads: Sequence[keras.Model]) -> keras.Model:
    """Return what trains heads for a `classifier`, each by itself.

    Returns:
        A model from (size, size, 1) float32 in 0…1 to (size / 16, size / 16, 2 x heads) float32: of each head the
        log-odds of the places, and the probability of the film in all of them.
    """
    unit, said = _film_unit(), []
    for each in heads:
        places = each(features.outputs)
        film = keras.ops.reshape(unit(_evidence(places)), (-1, 1, 1, 1))
        said += [places, keras.ops.zeros_like(places) + film]
    return keras.Model(features.inputs[0], keras.ops.concatenate(said, axis=-1), name="places_in_training")


def classifier(features: keras.Model, heads: Sequence[keras.Model]) -> keras.Model:
    """Return a classifier that tells a film by the opacities of its places, of which its heads give the mean log-odds.

    The probability is a sigmoid of the log-mean-exp of the places' log-odds of opacity (Pinheiro and Collobert 2015,
    arXiv:1411.6228), which is near their mean where all are alike and follows the most opaque ones where they differ.

    Args:
        features: a `trunk`.
        heads: for it, of different names; the classifier shares their weights but for those of their last layers, see
            `give_last_layers`.

    Returns:
        A model from (size, size, 1) float32 in 0…1 to (1,) float32. The layer ``log_odds`` gives the log-odds of the
        places, (size / 16, size / 16, 1), and ``refined`` the features that they are told by.
    """
    refined = [
        keras.Model(each.inputs, each.get_layer("refined_relu").output, name=each.name)(features.outputs)
        for each in heads
    ]
    together = layers.Concatenate(name="refined")(refined)
    odds = layers.Conv2D(1, 1, name="log_odds")(together)
    return keras.Model(features.inputs[0], _film_unit()(_evidence(odds)), name="places")


def give_last_layers(trained: keras.Model, heads: Sequence[keras.Model], whole: keras.Model) -> None:
    """Give a `classifier` the last layers of its heads, and the unit of the network that trained them."""
    kernels, biases = zip(*(each.get_layer("log_odds").get_weights() for each in heads), strict=True)
    whole.get_layer("log_odds").set_weights([np.concatenate(kernels, axis=2) / len(heads), np.mean(biases, axis=0)])
    whole.get_layer(_UNIT).set_weights(trained.get_layer(_UNIT).get_weights())


def _evidence(places: keras.KerasTensor) -> keras.KerasTensor:
    odds = layers.Activation("exponential")(places)
    return keras.ops.log(layers.GlobalAveragePooling2D()(odds))


def _film_unit() -> layers.Dense:
    start = keras.initializers.Constant(-_START)
    return layers.Dense(
        1, activation="sigmoid", kernel_initializer="ones", bias_initializer=start, dtype="float32", name=_UNIT
    )


def _log_odds(features: Sequence[keras.KerasTensor], width: int) -> keras.KerasTensor:
    fine, middle, coarse = features
    near = _mixed(layers.SpatialDropout2D(_DROPOUT)(middle), width, "middle")
    around = _mixed(layers.SpatialDropout2D(_DROPOUT)(coarse), width, "coarse")
    around = layers.UpSampling2D(2, interpolation="bilinear", name="up_coarse")(around)
    details = layers.AveragePooling2D(2, name="down_fine")(_mixed(fine, width // 2, "fine"))
    x = _convolved(layers.Concatenate(name="join")([near, around]), width, "joined")
    x = _convolved(layers.Concatenate(name="join_fine")([x, details]), width, "refined")
    start = keras.initializers.Constant(_START)
    odds: keras.KerasTensor = layers.Conv2D(1, 1, bias_initializer=start, name="log_odds")(x)
    return odds


def join(features: keras.Model, heads: Sequence[keras.Model]) -> keras.Model:
    """Join a `trunk` and its heads, whose log-odds are averaged, to the network that ships.

    Returns:
        A model from (size, size, 1) float32 in 0…1 to the probability that a place is opaque, (size / 16,
        size / 16, 1).
    """
    film = keras.Input(features.input_shape[1:], name="film")
    seen = features(film)
    named = [keras.Model(head.inputs, head.outputs[0], name=f"head_{number}") for number, head in enumerate(heads, 1)]
    drawn = [head(seen) for head in named]
    log_odds = layers.Average(name="mean")(drawn) if len(drawn) > 1 else drawn[0]
    return keras.Model(film, layers.Activation("sigmoid", dtype="float32", name="opacity")(log_odds), name="opacity")


def _named(features: keras.Model) -> list[tuple[keras.KerasTensor, str]]:
    return list(zip(features.outputs, FEATURES, strict=True))


def _mixed(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    return _normalised(layers.Conv2D(width, 1, use_bias=False, name=f"{name}_mix")(x), name)


def _convolved(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    return _normalised(layers.SeparableConv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv")(x), name)


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))
