"""Heat maps: which parts of a film raised a model's score, on the film's own scale and on one that films share."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from pneumo.errors import ExplanationError
from pneumo.explanation.cam import INPUT, METHODS, Drawer, drawer
from pneumo.inference.reading import Models, Reading
from pneumo.model_store import weights
from pneumo.model_store.runtime import Network
from pneumo.preprocessing import crops, network_input
from pneumo.sentences import say

if TYPE_CHECKING:
    from pneumo.inference.classifier import Assessment, Classifier
    from pneumo.model_store.card import ModelCard

# The way to draw what the classifier looked at where nothing else is asked for.
DEFAULT_METHOD = "gradcam"
# Where another network finds the film opaque: it knows nothing of the classifier, and finds opacities far better.
OPACITY = "opacity"
# All maps that can be drawn of a film, the one to show first ahead.
MAPS = {OPACITY: say("Opacity map"), **METHODS}
OPACITY_MEANING = say(
    "Opacity map: bright is where a second network finds the film opaque. It does not show what the answer rests on."
)


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Where the evidence for pneumonia lies on a film, or where it is opaque.

    Attributes:
        values: (height, width) float32 in 0…1 over the whole film, 1 at the hottest place; all zero
            where nothing on the film raises the score. Of `OPACITY` the probability that a place is opaque.
        method: key of `MAPS`.
        layer: the layer that it was drawn from, or `cam.INPUT`.
        density: (height, width) float32, zero or more: the same before it was divided by the film's hottest place, in
            logits per film; of `OPACITY` the same as `values`.
        reference: the density of the hottest place on a film that this model typically answers “likely”: the median
            over validation films; None where it was not measured; 1 of `OPACITY`.
    """

    values: np.ndarray
    method: str
    layer: str
    density: np.ndarray
    reference: float | None

    @property
    def absolute(self) -> np.ndarray | None:
        """The heat on a scale that films share, (height, width) float32 in 0…1, 1 at `reference` and above.

        None without a reference.
        """
        if self.reference is None:
            return None
        return np.minimum(self.density / np.float32(self.reference), 1)


# The weight of a member in the answer below which its heat is not worth the time.
_NEGLIGIBLE = 1e-3


class Explainer:
    """Draws heat maps for one classifier; one object may serve many threads.

    Raises:
        ExplanationError: if the model has no feature maps.
    """

    def __init__(self, classifier: "Classifier") -> None:
        self._networks = _networks(classifier.card, classifier.network)
        self._references = classifier.card.heat_references
        self._drawers: dict[tuple[int, str], Drawer] = {}
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Build what the default method needs, so that the first film does not wait for it.

        Raises:
            ExplanationError: if that is TensorFlow, which is not installed.
        """
        self.needs_keras(DEFAULT_METHOD)
        for index, network in enumerate(self._networks):
            self._maps(index, np.zeros((1, *network.network.input_shapes[0]), np.float32), DEFAULT_METHOD)

    def needs_keras(self, method: str) -> bool:
        """Return whether Keras draws the maps of a method, and not what runs the model.

        Raises:
            ExplanationError: if it would, and is not installed.
        """
        needed = not all(network.draws(method) for network in self._networks)
        if needed and not weights.is_keras_installed():
            raise ExplanationError(
                "The heat map {method} needs TensorFlow, which is not installed here. Install it with {command}, or "
                "choose another heat map.",
                method=METHODS.get(method, method),
                command=weights.INSTALL_TENSORFLOW,
            )
        return needed

    def heat_map(
        self, assessment: "Assessment", method: str = DEFAULT_METHOD, shape: tuple[int, int] | None = None
    ) -> HeatMap:
        """Draw the heat map of an assessment: that of the model, or the sum of its members' by their weights.

        Args:
            assessment: of the classifier that this explainer was made for.
            method: key of `METHODS`.
            shape: (height, width) of the map, those of the film where None.

        Raises:
            ValueError: if there is no such method.
        """
        return self.heat_maps([assessment], method, shape)[0]

    def heat_maps(
        self, assessments: Sequence["Assessment"], method: str = DEFAULT_METHOD, shape: tuple[int, int] | None = None
    ) -> list[HeatMap]:
        """Draw the heat maps of several assessments at once, which takes less time; see `heat_map`."""
        sizes = [shape or (each.radiograph.height, each.radiograph.width) for each in assessments]
        densities = [np.zeros(size, np.float32) for size in sizes]
        used = [any(network.weight_on(each) > _NEGLIGIBLE for each in assessments) for network in self._networks]
        for index, network in enumerate(self._networks):
            if not used[index]:
                continue
            drawn = [each.cam for each in assessments if each.cam is not None]
            is_drawn = network.draws(method) and len(drawn) == len(assessments)
            side = network.network.size
            pictures = np.stack(
                [network_input.model_input(each.model_input[..., network.view], side) for each in assessments]
            )
            for mirrored in (False, True) if network.both_ways else (False,):
                seen = pictures[:, :, ::-1] if mirrored else pictures
                maps = drawn if is_drawn else self._maps(index, seen, method)
                for number, (cam, assessment) in enumerate(zip(maps, assessments, strict=True)):
                    part = assessment.parts[network.view]
                    # The same share of the logit is hotter on a smaller part of the film.
                    scale = network.weight_on(assessment) * cam.size / crops.share(part)
                    upright = cam[:, ::-1] if mirrored else cam
                    densities[number] += scale * crops.onto_film(upright, part, sizes[number])
        self.needs_keras(method)
        drawn_from = [network.layer for network, is_used in zip(self._networks, used, strict=True) if is_used]
        layer = INPUT if method == "smoothgrad" else ", ".join(drawn_from)
        reference = self._references.get(method)
        return [_heat_map(density.clip(0), method, layer, reference) for density in densities]

    def _maps(self, index: int, pictures: np.ndarray, method: str) -> np.ndarray:
        network = self._networks[index]
        if network.draws(method) and (maps := network.network.run(pictures).cam) is not None:
            return maps
        with self._lock:
            if (index, method) not in self._drawers:
                self._drawers[index, method] = drawer(network.network.keras_model(), network.layer, method)
            return self._drawers[index, method](pictures)


_explainers: WeakKeyDictionary[Any, Explainer] = WeakKeyDictionary()
_opening = threading.Lock()


def explainer_of(classifier: "Classifier") -> Explainer:
    """Return what draws the heat maps of a classifier, made once.

    Raises:
        ExplanationError: if the model has no feature maps.
    """
    with _opening:
        if classifier not in _explainers:
            _explainers[classifier] = Explainer(classifier)
        return _explainers[classifier]


def maps_of(models: Models) -> dict[str, str]:
    """Return the `MAPS` that can be asked for with some models, the one to show first ahead."""
    return MAPS if models.opacity else METHODS


def explain(reading: Reading, method: str | None = None, shape: tuple[int, int] | None = None) -> HeatMap:
    """Draw where the evidence for pneumonia lies on a film that was assessed, or where it is opaque.

    Args:
        reading: of the film.
        method: key of `MAPS`; the first of `maps_of` where None.
        shape: (height, width) of the map, those of the film where None.

    Raises:
        ExplanationError: if the model has no feature maps, or there is no network of opacities.
        ValueError: if the film was not assessed, or there is no such method.
    """
    if reading.assessment is None:
        raise ValueError(f"{reading.name} was not assessed, so there is nothing to explain.")
    method = method or next(iter(maps_of(reading.models)))
    if method == OPACITY:
        return _opacity_map(reading, shape or reading.assessment.radiograph.pixels.shape)
    return explainer_of(reading.models.classifier).heat_map(reading.assessment, method, shape)


def _opacity_map(reading: Reading, shape: tuple[int, int]) -> HeatMap:
    if reading.opacity is None:
        raise ExplanationError("The network that maps opacities is missing. Choose another heat map.")
    probability = reading.opacity.on_film(shape)
    return HeatMap(probability, OPACITY, OPACITY, probability, 1.0)


def _heat_map(density: np.ndarray, method: str, layer: str, reference: float | None) -> HeatMap:
    peak = density.max()
    values = density / peak if peak > 0 else density
    return HeatMap(values.astype(np.float32), method, layer, density, reference)


class _Network(NamedTuple):
    """A flat network that ends in one unit: the model itself, or a member of an ensemble."""

    network: Network
    layer: str
    view: int
    weights: tuple[float, float]
    both_ways: bool

    def weight_on(self, assessment: "Assessment") -> float:
        """Return the weight of its logit in that of a film: between that at home and that on a foreign film."""
        at_home, elsewhere = self.weights
        return at_home + assessment.elsewhere * (elsewhere - at_home)

    def draws(self, method: str) -> bool:
        """Return whether what runs it draws the map along with the answer."""
        return method == DEFAULT_METHOD and self.network.draws_cam


# Of the classifier itself nothing is kept: `_explainers` forgets what belongs to it as soon as nobody else has it.
def _networks(card: "ModelCard", network: Network) -> list[_Network]:
    if card.members:
        seen = card.input["views"]
        return [
            _Network(
                network.member(member["name"], member["cam_layer"]),
                member["cam_layer"],
                seen.index(member["view"]),
                weights,
                True,
            )
            for member in card.members
            if member["cam_layer"]
            and any(weights := (member["weight"], member.get("weight_elsewhere", member["weight"])))
        ]
    if card.cam_layer is None:
        raise ExplanationError(
            "{title} has no feature maps, so it cannot show where it looked. Choose a convolutional model.",
            title=card.title,
        )
    return [_Network(network, card.cam_layer, 0, (1.0, 1.0), False)]
