"""Several models as one: the mean of their calibrated logits, each film seen as it is and mirrored.

The members stay whole inside the network, each under its own name, so that heat maps can be drawn for each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import layers

from pneumo.evaluation.calibration import Calibration
from pneumo.model_store.card import ModelCard


@dataclass(frozen=True)
class Member:
    """One of the models that are joined.

    Attributes:
        name: its name inside the network.
        view: what it sees of a film, a key of `crops.CROPS`.
        model: from (side, side, 1) float32 in 0…1 to (1,) float32, the output of a sigmoid unit.
        calibration: of that output; its logit counts as it is where none is given.
    """

    name: str
    view: str
    model: keras.Model
    calibration: Calibration = field(default_factory=Calibration)

    @classmethod
    def of(cls, card: ModelCard, model: keras.Model) -> "Member":
        """Return a loaded model of one view as a member."""
        return cls(card.name, card.input["views"][0], model, card.as_calibration())


def build(members: Sequence[Member], unit: str = "pneumonia", name: str = "ensemble") -> keras.Model:
    """Join models.

    Args:
        members: one or more.
        unit: name of the sigmoid unit that ends the network.
        name: of the network.

    Returns:
        A model from (size, size, views) float32 in 0…1, the views in the order of `views_of` and the size the largest
        of the members', to (1,) float32, the probability.

    Raises:
        ValueError: if there is none to join.
    """
    if not members:
        raise ValueError("An ensemble takes at least one model.")
    seen = views_of(members)
    size = max(member.model.input_shape[1] for member in members)
    film = keras.Input((size, size, len(seen)), name="film")
    logits = []
    for member in members:
        channel = seen.index(member.view)
        picture = film[..., channel : channel + 1]
        side = member.model.input_shape[1]
        if side < size:
            picture = layers.Resizing(side, side, antialias=True, name=f"{member.name}_resized")(picture)
        network = logit_model(member.model, member.name)
        mirrored = keras.ops.flip(picture, axis=2)
        logits.append(layers.Average(name=f"{member.name}_both_ways")([network(picture), network(mirrored)]))
    joined = layers.Concatenate(name="logits")(logits) if len(logits) > 1 else logits[0]
    mean = layers.Dense(1, activation="sigmoid", dtype="float32", name=unit)
    ensemble = keras.Model(film, mean(joined), name=name)
    mean.set_weights(
        [
            np.array([[member.calibration.slope / len(members)] for member in members], np.float32),
            np.array([np.mean([member.calibration.intercept for member in members])], np.float32),
        ]
    )
    return ensemble


def views_of(members: Sequence[Member]) -> list[str]:
    """Return the views that the members need, each once."""
    return list(dict.fromkeys(member.view for member in members))


def logit_model(model: keras.Model, name: str) -> keras.Model:
    """Return a copy of a model that ends in one sigmoid unit, without that unit's sigmoid."""
    unit = model.layers[-1]
    logit = layers.Dense(1, dtype="float32", name="logit")
    twin = keras.Model(model.inputs[0], logit(unit.input))
    logit.set_weights(unit.get_weights())
    copy = keras.models.clone_model(twin)
    copy.set_weights(twin.get_weights())
    return keras.Model(copy.inputs[0], copy.outputs[0], name=name)
