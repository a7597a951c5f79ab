"""The network that draws the lungs: a U-Net (Ronneberger et al. 2015) on the first blocks of MobileNetV2."""

from pathlib import Path

import keras
from keras import layers

SIZE = 192
# The encoder's last feature map at each resolution, coarse to fine (1/8, 1/4 and 1/2 of the input), and the width
# of the decoder there.
_SKIPS = (("block_6_expand_relu", 96), ("block_3_expand_relu", 64), ("block_1_expand_relu", 32))
_BOTTLENECK, _BOTTLENECK_WIDTH = "block_13_expand_relu", 128


def build(weights: str | Path | None = None, size: int = SIZE) -> keras.Model:
    """Build the network.

    Args:
        weights: ``"imagenet"`` (Keras downloads them), the path of a MobileNetV2 weights file without top, or None.
            With weights, the encoder's batch normalisation is frozen at its statistics.
        size: side of the input in pixels, a multiple of 16.

    Returns:
        A model from (size, size, 1) float32 in 0…1 to the probability of lung, (size, size, 1) float32.
    """
    film = keras.Input((size, size, 1), name="film")
    rgb = layers.Concatenate(name="grey_to_rgb")([film, film, film])
    scaled = layers.Rescaling([2.0] * 3, [-1.0] * 3, name="scaling")(rgb)
    encoder = keras.applications.MobileNetV2(
        include_top=False, weights=None if weights is None else str(weights), input_tensor=scaled
    )
    if weights is not None:
        for layer in encoder.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False

    x = layers.Conv2D(_BOTTLENECK_WIDTH, 1, name="bridge")(encoder.get_layer(_BOTTLENECK).output)
    # What the whole film shows tells where lungs may be at all.
    context = layers.GlobalAveragePooling2D(keepdims=True, name="context_pool")(x)
    x = layers.Add(name="context_add")([x, layers.Dense(_BOTTLENECK_WIDTH, activation="relu", name="context")(context)])
    for skip, width in _SKIPS:
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up{width}")(x)
        beside = layers.Conv2D(width // 2, 1, use_bias=False, name=f"skip{width}")(encoder.get_layer(skip).output)
        beside = _normalised(beside, f"skip{width}")
        x = layers.Concatenate(name=f"join{width}")([x, beside])
        for step in (1, 2):
            x = layers.SeparableConv2D(width, 3, padding="same", use_bias=False, name=f"conv{width}_{step}")(x)
            x = _normalised(x, f"conv{width}_{step}")
    x = layers.Conv2D(1, 1, name="logit")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up_logit")(x)
    return keras.Model(film, layers.Activation("sigmoid", dtype="float32", name="lung")(x), name="lungs")


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_norm")(x))
