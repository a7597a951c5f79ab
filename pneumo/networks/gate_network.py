"""The network that looks at a picture before it is judged: MobileNetV2 as ImageNet left it, with linear heads.

The encoder is not trained, so its features are not bent to what the films of one hospital have in common; what is
fitted to films are the moments of the embedding and three logistic regressions (`pneumo.training.gate`). Two of these
read the encoder; the third tells on which side the heart lies, from the box of the lungs alone: a letter on the film
says where it was put, not how the child stood.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers

SIZE = 192
# The last layer whose features are still low-dimensional enough for a full covariance.
_FEATURES = "block_16_project_BN"
# Features are averaged over a grid of this many cells a side, because averaged over the whole film they lose which way
# up it is.
GRID = 3
LUNGS_SIZE = 48


@dataclass(frozen=True, eq=False)
class Heads:
    """What is fitted to films; each a linear map, as (features, outputs) kernel and (outputs,) bias.

    Attributes:
        deviation: of the mean embedding; the root of the sum of its squares is the novelty.
        turned: of the grid, four logits.
        mirrored: of the `asymmetry`, one logit, without bias: mirroring the film changes its sign.
        inverted: of the grid, one logit.
    """

    deviation: tuple[np.ndarray, np.ndarray]
    turned: tuple[np.ndarray, np.ndarray]
    mirrored: np.ndarray
    inverted: tuple[np.ndarray, np.ndarray]


def encoder(weights: str | Path | None, size: int = SIZE) -> keras.Model:
    """Return the model from (size, size, 1) float32 in 0…1 to the mean embedding (320,) and the grid (2880,).

    Args:
        weights: ``"imagenet"`` (Keras downloads them), the path of a MobileNetV2 weights file without top, or None.
        size: side of the input in pixels, a multiple of 96.
    """
    film = keras.Input((size, size, 1), name="film")
    rgb = layers.Concatenate(name="grey_to_rgb")([film, film, film])
    scaled = layers.Rescaling([2.0] * 3, [-1.0] * 3, name="scaling")(rgb)
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=None if weights is None else str(weights), input_tensor=scaled
    )
    features = backbone.get_layer(_FEATURES).output
    embedding = layers.GlobalAveragePooling2D(name="embedding")(features)
    cells = layers.AveragePooling2D(features.shape[1] // GRID, name="cells")(features)
    return keras.Model(film, [embedding, layers.Flatten(name="grid")(cells)], name="gate_encoder")


def asymmetry() -> keras.Model:
    """Return the model from the box of the lungs to its left half less the mirror image of its right half.

    The box, (`LUNGS_SIZE`, `LUNGS_SIZE`, 1) float32, is brought to mean 0 and variance 1 first.

    Returns:
        A model to (`LUNGS_SIZE`² / 2,).
    """
    lungs = keras.Input((LUNGS_SIZE, LUNGS_SIZE, 1), name="lungs")
    standardised = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, name="standardised")(lungs)
    difference = layers.Subtract(name="difference")([standardised, keras.ops.flip(standardised, axis=2)])
    half = layers.Cropping2D(((0, 0), (0, LUNGS_SIZE // 2)), name="half")(difference)
    return keras.Model(lungs, layers.Flatten(name="asymmetry")(half), name="asymmetry")


def build(encoder: keras.Model, heads: Heads) -> keras.Model:
    """Put fitted heads on the encoder, and the one that tells the side of the heart beside it.

    Returns:
        A model from the film, (size, size, 1) float32 in 0…1, and the box of its lungs, as `asymmetry` takes it, to
        novelty (1,), turned (4,), mirrored (1,) and inverted (1,), as `GateOutput` describes them.
    """
    embedding, grid = encoder.outputs
    deviation = layers.Dense(heads.deviation[1].size, name="deviation")(embedding)
    squared = layers.Dot(axes=1, name="squared_novelty")([deviation, deviation])
    novelty = keras.ops.sqrt(squared)
    turned = layers.Dense(4, activation="softmax", name="turned")(grid)
    inverted = layers.Dense(1, activation="sigmoid", name="inverted")(grid)
    sides = asymmetry()
    mirrored = layers.Dense(1, activation="sigmoid", use_bias=False, name="mirrored")(sides.output)
    model = keras.Model([*encoder.inputs, *sides.inputs], [novelty, turned, mirrored, inverted], name="gate")
    for name in ("deviation", "turned", "inverted"):
        model.get_layer(name).set_weights(list(getattr(heads, name)))
    model.get_layer("mirrored").set_weights([heads.mirrored])
    return model
