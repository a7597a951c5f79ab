"""The network that maps opacities: the first blocks of a MobileNetV2 classifier, frozen, and small heads on them."""

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
    fine, middle, coarse = inputs = [keras.Input(each.shape[1:], name=name) for each, name in _named(features)]
    near = _mixed(layers.SpatialDropout2D(_DROPOUT)(middle), _WIDTH, "middle")
    around = _mixed(layers.SpatialDropout2D(_DROPOUT)(coarse), _WIDTH, "coarse")
    around = layers.UpSampling2D(2, interpolation="bilinear", name="up_coarse")(around)
    details = layers.AveragePooling2D(2, name="down_fine")(_mixed(fine, _WIDTH // 2, "fine"))
    x = _convolved(layers.Concatenate(name="join")([near, around]), "joined")
    x = _convolved(layers.Concatenate(name="join_fine")([x, details]), "refined")
    start = keras.initializers.Constant(_START)
    return keras.Model(inputs, layers.Conv2D(1, 1, bias_initializer=start, name="log_odds")(x), name="head")


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
