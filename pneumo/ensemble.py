"""Several models as one: the mean of their calibrated logits, each film seen as it is and mirrored.

The members stay whole inside the network, each under its own name, so that heat maps can be drawn for each of them.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from pneumo.model_card import ModelCard


def build(members: Sequence[tuple[ModelCard, keras.Model]]) -> keras.Model:
    """Join loaded models.

    Args:
        members: card and model of each, with one view each.

    Returns:
        A model from (size, size, views) float32 in 0…1, the views in the order of `views_of` and the size the largest
        of the members', to (1,) float32, the probability of pneumonia.

    Raises:
        ValueError: if there are fewer than two.
    """
    if len(members) < 2:
        raise ValueError("An ensemble takes two models or more.")
    seen = views_of([card for card, _ in members])
    size = max(card.input["size"] for card, _ in members)
    film = keras.Input((size, size, len(seen)), name="film")
    logits = []
    for card, model in members:
        channel = seen.index(card.input["views"][0])
        picture = film[..., channel : channel + 1]
        side = card.input["size"]
        if side < size:
            picture = layers.Resizing(side, side, antialias=True, name=f"{card.name}_resized")(picture)
        member = logit_model(model, card.name)
        mirrored = keras.ops.flip(picture, axis=2)
        logits.append(layers.Average(name=f"{card.name}_both_ways")([member(picture), member(mirrored)]))
    joined = layers.Concatenate(name="logits")(logits)
    unit = layers.Dense(1, activation="sigmoid", dtype="float32", name="pneumonia")
    ensemble = keras.Model(film, unit(joined), name="ensemble")
    calibrations = [card.as_calibration() for card, _ in members]
    unit.set_weights(
        [
            np.array([[each.slope / len(members)] for each in calibrations], np.float32),
            np.array([np.mean([each.intercept for each in calibrations])], np.float32),
        ]
    )
    return ensemble


def views_of(cards: Sequence[ModelCard]) -> list[str]:
    """Return the views that the members need, each once."""
    return list(dict.fromkeys(card.input["views"][0] for card in cards))


def logit_model(model: keras.Model, name: str) -> keras.Model:
    """Return a copy of a model that ends in one sigmoid unit, without that unit's sigmoid."""
    unit = model.layers[-1]
    logit = layers.Dense(1, dtype="float32", name="logit")
    twin = keras.Model(model.inputs[0], logit(unit.input))
    logit.set_weights(unit.get_weights())
    copy = keras.models.clone_model(twin)
    copy.set_weights(twin.get_weights())
    return keras.Model(copy.inputs[0], copy.outputs[0], name=name)
