"""Networks that look for opacities place by place: the first blocks of a MobileNetV2 classifier, and heads on them.

One maps opacities, and leaves the blocks as they are; another, a classifier, tells a film by its places.
"""

from collections.abc import Sequence

import keras
from keras import layers

SIZE = 224
# The last feature map of the classifier at 1/8, 1/16 and 1/32 of the input. What follows knows the film's class but no
# longer the place, and would double the file.
FEATURES = ("block_5_add", "block_12_add", "block_14_add")
_WIDTH, _DROPOUT = 32, 0.2
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


def head(features: keras.Model) -> keras.Model:
    """Return an untrained head for a `trunk`: from its feature maps to the log-odds of opacity.

    Returns:
        A model to (size / 16, size / 16, 1) float32.
    """
    inputs = [keras.Input(each.shape[1:], name=name) for each, name in _named(features)]
    return keras.Model(inputs, _log_odds(*inputs), name="head")


def classifier(start: keras.Model, size: int = SIZE) -> keras.Model:
    """Return an untrained classifier that tells a film by the opacities of its places.

    The probability is a sigmoid of the log-mean-exp of the places' log-odds of opacity (Pinheiro and Collobert 2015,
    arXiv:1411.6228), which is near their mean where all are alike and follows the most opaque ones where they differ.

    Args:
        start: as for `trunk`; the `FEATURES` are those of its weights.
        size: side of the input in pixels, a multiple of 32.

    Returns:
        A flat model from (size, size, 1) float32 in 0…1 to (1,) float32. What the layer ``log_odds`` gives are the
        log-odds of the places, (size / 16, size / 16, 1), and what ``refined_relu`` gives the features that they are
        told by. The layers of `start` cannot be trained until they are told to.

    Raises:
        ValueError: if the classifier has no such layers.
    """
    features = trunk(start, size)
    odds = layers.Activation("exponential", name="odds")(_log_odds(*features.outputs))
    evidence = keras.ops.log(layers.GlobalAveragePooling2D(name="mean_odds")(odds))
    unit = layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer="ones",
        bias_initializer=keras.initializers.Constant(-_START),
        dtype="float32",
        name="pneumonia",
    )
    return keras.Model(features.inputs[0], unit(evidence), name="everywhere")


def _log_odds(fine: keras.KerasTensor, middle: keras.KerasTensor, coarse: keras.KerasTensor) -> keras.KerasTensor:
    near = _mixed(layers.SpatialDropout2D(_DROPOUT)(middle), _WIDTH, "middle")
    around = _mixed(layers.SpatialDropout2D(_DROPOUT)(coarse), _WIDTH, "coarse")
    around = layers.UpSampling2D(2, interpolation="bilinear", name="up_coarse")(around)
    details = layers.AveragePooling2D(2, name="down_fine")(_mixed(fine, _WIDTH // 2, "fine"))
    x = _convolved(layers.Concatenate(name="join")([near, around]), "joined")
    x = _convolved(layers.Concatenate(name="join_fine")([x, details]), "refined")
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


def _convolved(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return _normalised(layers.SeparableConv2D(_WIDTH, 3, padding="same", use_bias=False, name=f"{name}_conv")(x), name)


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))
