"""Heat maps: which parts of a film raised a model's score.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) and Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063)
through tf-keras-vis, on a copy of the model whose last unit gives the logit: a saturated sigmoid has no
gradient, and the model that assesses films is never touched.
"""

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pneumo import lungs
from pneumo.errors import ExplanationError
from pneumo.lungs import LungMask

if TYPE_CHECKING:
    from pneumo.classifier import Assessment, Classifier

METHODS = {"gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++"}
DEFAULT_METHOD = "gradcam"
# Cyan is none of inferno's colours and no grey; its black casing sets it off where a film is white.
LINE, CASING = (0, 255, 255), (0, 0, 0)
# A share of the longer side: two pixels on the page.
LINE_WIDTH = 1 / 400


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
        card = classifier.card
        if card.cam_layer is None:
            raise ExplanationError(
                f"{card.title} has no feature maps, so it cannot show where it looked. Choose a convolutional model."
            )
        self._layer: str = card.cam_layer
        self._model = classifier.model
        self._visualisers: dict[str, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Build what the default method needs, so that the first film does not wait for it."""
        self.feature_map(np.zeros(self._model.input_shape[1:], np.float32))

    def feature_map(self, model_input: np.ndarray, method: str = DEFAULT_METHOD) -> np.ndarray:
        """Return the map in the resolution of the feature maps, unscaled.

        Args:
            model_input: (size, size, 1) float32, as in `Assessment`.
            method: key of `METHODS`.

        Returns:
            (rows, columns) float32, zero or more.

        Raises:
            ValueError: if there is no such method.
        """
        if method not in METHODS:
            raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(METHODS)}.")
        with self._lock:
            if method not in self._visualisers:
                self._visualisers[method] = self._visualiser(method)
            cam = self._visualisers[method](
                lambda logit: logit[:, 0],
                model_input[np.newaxis],
                penultimate_layer=self._layer,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
            )
        return np.asarray(cam[0], np.float32)

    def _visualiser(self, method: str) -> Callable[..., Any]:
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
        from tf_keras_vis.utils.model_modifiers import ReplaceToLinear

        visualiser = Gradcam if method == "gradcam" else GradcamPlusPlus
        return visualiser(self._model, ReplaceToLinear(), clone=True)

    def heat_map(
        self, assessment: "Assessment", method: str = DEFAULT_METHOD, shape: tuple[int, int] | None = None
    ) -> HeatMap:
        """Draw the heat map of an assessment.

        Args:
            assessment: of the classifier that this explainer was made for.
            method: key of `METHODS`.
            shape: (height, width) of the map, those of the film where None.

        Raises:
            ValueError: if there is no such method.
        """
        cam = np.nan_to_num(self.feature_map(assessment.model_input, method), posinf=0.0)
        height, width = shape or assessment.radiograph.pixels.shape
        spread = cv2.resize(cam, (width, height), interpolation=cv2.INTER_CUBIC).clip(0)
        peak = spread.max()
        values = spread / peak if peak > 0 else spread
        return HeatMap(values.astype(np.float32), method, self._layer)


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


def film_picture(pixels: np.ndarray) -> np.ndarray:
    """Return a film, (height, width) float32 in 0…1, as a (height, width, 3) uint8 picture, RGB."""
    return np.repeat(np.rint(pixels * 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)


def outlined(picture: np.ndarray, mask: LungMask) -> np.ndarray:
    """Draw the outline of the lungs on a picture of a film.

    Args:
        picture: (height, width, 3) uint8, RGB; left as it is.
        mask: the lungs of that film.

    Returns:
        (height, width, 3) uint8, RGB.
    """
    height, width = picture.shape[:2]
    thickness = max(1, round(LINE_WIDTH * max(height, width)))
    drawn = picture.copy()
    drawn[mask.outline(height, width, thickness + 1)] = CASING
    drawn[mask.outline(height, width, thickness)] = LINE
    return drawn


def overlay(pixels: np.ndarray, heat: np.ndarray, opacity: float) -> np.ndarray:
    """Lay a heat map over a film; cold places leave the film as it is.

    Args:
        pixels: (height, width) float32 in 0…1.
        heat: (height, width) float32 in 0…1.
        opacity: 0 (the film alone) … 1 (the hottest place hides the film).

    Returns:
        (height, width, 3) uint8, RGB. The colour map is OpenCV's inferno, which is read by the colour-blind
        and in grey.
    """
    grey = np.repeat(pixels[..., np.newaxis] * np.float32(255), 3, axis=2)
    coloured = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = (opacity * heat)[..., np.newaxis]
    return np.rint(grey * (1 - share) + coloured * share).astype(np.uint8)


def data_url(picture: np.ndarray) -> str:
    """Encode a picture as a JPEG within an address, which a browser shows without fetching anything.

    Args:
        picture: (height, width, 3) uint8, RGB.
    """
    jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
