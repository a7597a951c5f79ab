"""Heat maps: which parts of a film raised a model's score.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) and Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063)
through tf-keras-vis, on a copy of the model whose last unit gives the logit: a saturated sigmoid has no
gradient, and the model that assesses films is never touched.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pneumo import lungs, views
from pneumo.errors import ExplanationError

if TYPE_CHECKING:
    from pneumo.classifier import Assessment, Classifier
    from pneumo.model_store import ModelCard

METHODS = {"gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++"}
DEFAULT_METHOD = "gradcam"


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Where the evidence for pneumonia lies on a film.

    Attributes:
        values: (height, width) float32 in 0…1 over the whole film, 1 at the hottest place; all zero
            where nothing on the film raises the score.
        method: key of `METHODS`.
        layer: the layer that it was drawn from.
    """

    values: np.ndarray
    method: str
    layer: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing on the film raises the score."""
        return not self.values.any()


@dataclass(frozen=True)
class HeatInLungs:
    """How much of a heat map lies inside the lungs.

    Attributes:
        share: of the heat that lies inside the lungs, 0…1.
        zone: the one of `lungs.ZONES` with the most heat; empty where no heat lies inside the lungs.
        zone_share: of the heat inside the lungs that lies in that zone, 0…1.
    """

    share: float
    zone: str
    zone_share: float

    @property
    def mostly_outside(self) -> bool:
        """Whether less than half of the heat lies inside the lungs."""
        return self.share < 0.5

    def __str__(self) -> str:
        """Say it, as in ``71 % of the heat lies inside the lungs, most of it in the right lower zone.``"""
        if not self.zone:
            return "None of the heat lies inside the lungs."
        share = "Under 1 %" if self.share < 0.005 else f"{100 * self.share:.0f} %"
        part = "most" if self.zone_share > 0.5 else "the largest part"
        return f"{share} of the heat lies inside the lungs, {part} of it in the {self.zone} zone."


class Explainer:
    """Draws heat maps for one classifier; one object may serve many threads.

    Raises:
        ExplanationError: if the model has no feature maps.
    """

    def __init__(self, classifier: "Classifier") -> None:
        self._networks = _networks(classifier.card, classifier.model)
        self._visualisers: dict[tuple[int, str], Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Build what the default method needs, so that the first film does not wait for it."""
        for index, network in enumerate(self._networks):
            self._feature_map(index, np.zeros(network.model.input_shape[1:], np.float32), DEFAULT_METHOD)

    def feature_map(self, model_input: np.ndarray, method: str = DEFAULT_METHOD) -> np.ndarray:
        """Return the map of the first network in the resolution of its feature maps, unscaled.

        Args:
            model_input: (size, size, views) float32, as in `Assessment`.
            method: key of `METHODS`.

        Returns:
            (rows, columns) float32, zero or more.

        Raises:
            ValueError: if there is no such method.
        """
        view = self._networks[0].view
        return self._feature_map(0, model_input[..., view : view + 1], method)

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
        size = shape or assessment.radiograph.pixels.shape
        spread = np.zeros(size, np.float32)
        for index, network in enumerate(self._networks):
            picture = assessment.model_input[..., network.view : network.view + 1]
            part = assessment.parts[network.view]
            for mirrored in (False, True) if network.both_ways else (False,):
                cam = self._feature_map(index, picture[:, ::-1] if mirrored else picture, method)
                cam = np.nan_to_num(cam[:, ::-1] if mirrored else cam, posinf=0.0)
                # The same share of the logit is hotter on a smaller part of the film.
                heat = network.weight * cam.size / views.share(part)
                spread += heat * views.onto_film(cam, part, size)
        spread = spread.clip(0)
        peak = spread.max()
        values = spread / peak if peak > 0 else spread
        return HeatMap(values.astype(np.float32), method, ", ".join(network.layer for network in self._networks))

    def _feature_map(self, index: int, picture: np.ndarray, method: str) -> np.ndarray:
        if method not in METHODS:
            raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(METHODS)}.")
        network = self._networks[index]
        with self._lock:
            if (index, method) not in self._visualisers:
                self._visualisers[index, method] = _visualiser(network.model, method)
            cam = self._visualisers[index, method](
                lambda logit: logit[:, 0],
                picture[np.newaxis],
                penultimate_layer=network.layer,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
            )
        return np.asarray(cam[0], np.float32)


class _Network(NamedTuple):
    """A flat network that ends in one unit: the model itself, or a member of an ensemble."""

    model: Any
    layer: str
    view: int
    weight: float
    both_ways: bool


def _networks(card: "ModelCard", model: Any) -> list[_Network]:
    if card.members:
        seen = card.input["views"]
        return [
            _Network(model.get_layer(member["name"]), member["cam_layer"], seen.index(member["view"]), weight, True)
            for member in card.members
            if member["cam_layer"] and (weight := member["weight"]) > 0
        ]
    if card.cam_layer is None:
        raise ExplanationError(
            f"{card.title} has no feature maps, so it cannot show where it looked. Choose a convolutional model."
        )
    return [_Network(model, card.cam_layer, 0, 1.0, False)]


def _visualiser(model: Any, method: str) -> Callable[..., Any]:
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear

    visualiser = Gradcam if method == "gradcam" else GradcamPlusPlus
    return visualiser(model, ReplaceToLinear(), clone=True)


def heat_in_lungs(heat: np.ndarray, zones: np.ndarray) -> HeatInLungs | None:
    """Measure how much of a heat map lies inside the lungs, and in which of their zones most.

    Args:
        heat: (height, width) float, zero or more.
        zones: (height, width) uint8, as `LungMask.zones` gives them: 0 outside the lungs, else 1 + the index in
            `lungs.ZONES`.

    Returns:
        None where there is no heat at all.
    """
    by_zone = np.bincount(zones.ravel(), weights=heat.ravel(), minlength=1 + len(lungs.ZONES))
    total, inside = float(by_zone.sum()), float(by_zone[1:].sum())
    if total <= 0:
        return None
    if inside <= 0:
        return HeatInLungs(0.0, "", 0.0)
    hottest = int(np.argmax(by_zone[1:]))
    return HeatInLungs(inside / total, lungs.ZONES[hottest], float(by_zone[1 + hottest]) / inside)
