"""Several models as one: the mean of their calibrated logits, each film seen as it is and mirrored.

A film may get its answer from some members where it is like the films of the hospitals that they know, and from others
where it is not: the network then tells foreign films itself, see `Switch`. The members stay whole inside the
network, each under its own name, so that heat maps can be drawn for each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import keras
import numpy as np
from keras import layers

from pneumo.evaluation.calibration import Calibration
from pneumo.model_store.card import ModelCard

# How steeply a film becomes foreign at the limit of the distance.
STEEPNESS = 50.0


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

    def recalibrated(self, again: Calibration) -> "Member":
        """Return the same member with its calibrated output calibrated again."""
        slope, intercept = self.calibration.slope, self.calibration.intercept
        return replace(self, calibration=Calibration(again.slope * slope, again.slope * intercept + again.intercept))


@dataclass(frozen=True, eq=False)
class Switch:
    """Which members answer which film: the ones those like the films of known hospitals, the others foreign ones.

    The distance that tells them apart is that of `pneumo.inference.foreign.KnownHospitals`, whose words are used here.

    Attributes:
        home: names of the members that answer a film that is not foreign.
        elsewhere: of those that answer one that is.
        teller: the member in whose layer hospitals lie apart.
        layer: of the teller.
        means: (hospitals, features) float32.
        whitening: (features, features) float32.
        limit: a film with a greater distance is foreign.
    """

    home: Sequence[str]
    elsewhere: Sequence[str]
    teller: str
    layer: str
    means: np.ndarray
    whitening: np.ndarray
    limit: float


def build(
    members: Sequence[Member], unit: str = "pneumonia", name: str = "ensemble", switch: Switch | None = None
) -> keras.Model:
    """Join models.

    Args:
        members: one or more.
        unit: name of the sigmoid unit that ends the network.
        name: of the network.
        switch: which of them answer which film; all answer each where None.

    Returns:
        A model from (size, size, views) float32 in 0…1, the views in the order of `views_of` and the size the largest
        of the members', to (1,) float32, the probability. With a switch it gives besides how foreign a film is, (1,) in
        0…1, by which it is answered by the ones or the others, or near the limit by both; and the embedding of the
        first member at home, (features,).

    Raises:
        ValueError: if there is none to join.
    """
    if not members:
        raise ValueError("An ensemble takes at least one model.")
    seen = views_of(members)
    size = max(member.model.input_shape[1] for member in members)
    film = keras.Input((size, size, len(seen)), name="film")
    logits, features, embedding = [], None, None
    for member in members:
        channel = seen.index(member.view)
        picture = film[..., channel : channel + 1]
        side = member.model.input_shape[1]
        if side < size:
            picture = layers.Resizing(side, side, name=f"{member.name}_resized")(picture)
        tells, embeds = (switch.teller == member.name, switch.home[0] == member.name) if switch else (False, False)
        network = logit_model(member.model, member.name, switch.layer if switch and tells else None, embeds)
        upright, mirrored = (_listed(network(way)) for way in (picture, keras.ops.flip(picture, axis=2)))
        logits.append(layers.Average(name=f"{member.name}_both_ways")([upright[0], mirrored[0]]))
        features = upright[1] if tells else features
        embedding = upright[-1] if embeds else embedding
    joined = layers.Concatenate(name="logits")(logits) if len(logits) > 1 else logits[0]
    if switch is None:
        mean = layers.Dense(1, activation="sigmoid", dtype="float32", name=unit)
        ensemble = keras.Model(film, mean(joined), name=name)
        mean.set_weights(_mean(members))
        return ensemble
    means, shares = layers.Dense(2, name="means"), layers.Dense(2, name="shares")
    foreign = layers.Activation("linear", name="foreign")(_foreign(switch)(features))
    answer = layers.Dot(1, name="answer")([means(joined), shares(foreign)])
    probability = layers.Activation("sigmoid", dtype="float32", name=unit)(answer)
    ensemble = keras.Model(
        film, [probability, foreign, layers.Activation("linear", name="embedding")(embedding)], name=name
    )
    shares.set_weights([np.array([[-1.0, 1.0]]), np.array([1.0, 0.0])])
    at_home, elsewhere = _mean(members, switch.home), _mean(members, switch.elsewhere)
    means.set_weights([np.concatenate(pair, axis=-1) for pair in zip(at_home, elsewhere, strict=True)])
    return ensemble


def weights_of(members: Sequence[Member], chosen: Sequence[str] = ()) -> list[float]:
    """Return each member's weight in the mean of the calibrated logits of those that are chosen, or of all."""
    chosen = chosen or [member.name for member in members]
    return [member.calibration.slope / len(chosen) if member.name in chosen else 0.0 for member in members]


def _mean(members: Sequence[Member], chosen: Sequence[str] = ()) -> list[np.ndarray]:
    """Return kernel and bias of the unit that gives that mean."""
    intercepts = [member.calibration.intercept for member in members if not chosen or member.name in chosen]
    kernel = np.array([[weight] for weight in weights_of(members, chosen)], np.float32)
    return [kernel, np.array([np.mean(intercepts)], np.float32)]


def _foreign(switch: Switch) -> keras.Model:
    """Return what gives how foreign films are, (films, 1) in 0…1, from the `foreign.features` of the teller's layer."""
    count = switch.means.shape[1]
    # Kernels are stored with few digits: features about zero, and of one scale, need no more.
    centre, scale = switch.means.mean(axis=0), 1 / np.linalg.norm(switch.whitening, axis=1)
    own = (switch.means - centre) @ switch.whitening
    features = keras.Input((count,), name="features")
    scaled = layers.BatchNormalization(center=False, scale=False, epsilon=1e-30, trainable=False, name="scaled")
    whitened, limit = layers.Dense(count, use_bias=False, name="whitened"), layers.Dense(1, "sigmoid", name="limit")
    spread, towards = layers.Dense(len(own), use_bias=False, name="spread"), layers.Dense(len(own), name="towards")
    away = whitened(scaled(features))
    squares = spread(layers.Multiply()([away, away])) + towards(away)
    distance = keras.ops.sqrt(layers.ReLU()(keras.ops.min(squares, axis=1, keepdims=True)))
    network = keras.Model(features, limit(distance), name="hospitals")
    scaled.set_weights([centre, scale**2])
    whitened.set_weights([scale[:, np.newaxis] * switch.whitening])
    spread.set_weights([np.full((count, len(own)), 1 / count, np.float32)])
    towards.set_weights([-2 * own.T / count, (own**2).mean(axis=1)])
    # Even an endless limit makes a finite bias.
    limit.set_weights([np.array([[STEEPNESS]]), np.array([-STEEPNESS * min(switch.limit, 1e6)])])
    return network


def views_of(members: Sequence[Member]) -> list[str]:
    """Return the views that the members need, each once."""
    return list(dict.fromkeys(member.view for member in members))


def _listed(outputs: keras.KerasTensor | list[keras.KerasTensor]) -> list[keras.KerasTensor]:
    return outputs if isinstance(outputs, list) else [outputs]


def logit_model(model: keras.Model, name: str, layer: str | None = None, embeds: bool = False) -> keras.Model:
    """Return a copy of a model that ends in one sigmoid unit, without that unit's sigmoid.

    Args:
        model: to copy.
        name: of the copy.
        layer: the `foreign.features` of this one are given besides, if it is named.
        embeds: whether what the unit is given is given at last.
    """
    unit = model.layers[-1]
    logit = layers.Dense(1, dtype="float32", name="logit")
    twin = keras.Model(model.inputs[0], logit(unit.input))
    logit.set_weights(unit.get_weights())
    copy = keras.models.clone_model(twin)
    copy.set_weights(twin.get_weights())
    given = [copy.outputs[0]]
    if layer:
        maps = copy.get_layer(layer).output
        mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean_of_maps")(maps)
        away = maps - mean
        variance = layers.GlobalAveragePooling2D(name="variance_of_maps")(layers.Multiply()([away, away]))
        moments = [layers.Flatten(name="means_of_maps")(mean), keras.ops.sqrt(variance)]
        given.append(layers.Concatenate(name="moments")(moments))
    if embeds:
        given.append(copy.layers[-1].input)
    return keras.Model(copy.inputs[0], given if len(given) > 1 else given[0], name=name)
