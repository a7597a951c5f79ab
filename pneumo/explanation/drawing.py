"""Pictures of a film for people: with the outline of its lungs, with a heat map, as a browser takes them."""

import base64
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from pneumo.explanation.regions import HotRegion, outlines
from pneumo.inference.lungs import LungMask
from pneumo.preprocessing.network_input import fit_within
from pneumo.sentences import say

# Cyan is none of inferno's colours and no grey; its black casing sets it off where a film is white.
LINE, CASING = (0, 255, 255), (0, 0, 0)
# A share of the longer side: two pixels on the page.
LINE_WIDTH = 1 / 400

# Each grows steadily brighter, so it is read without telling hues apart; a rainbow is not.
COLOUR_MAPS = {"inferno": "Inferno", "viridis": "Viridis", "grey": say("Grey"), "hot": say("Hot")}
DEFAULT_COLOURS = "inferno"
_OPENCV_MAPS = {"inferno": cv2.COLORMAP_INFERNO, "viridis": cv2.COLORMAP_VIRIDIS, "hot": cv2.COLORMAP_HOT}

# A heat map comes from at most some 30 rows of features, so this keeps all of it.
HEAT_SIDE = 200
_PNG = (
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG),
)


def film_picture(pixels: np.ndarray) -> np.ndarray:
    """Return a film, (height, width) float32 in 0…1, as a (height, width, 3) uint8 picture, RGB."""
    return np.repeat(_eight_bits(pixels)[..., np.newaxis], 3, axis=2)


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


def outline_points(mask: LungMask, height: int, width: int) -> list[list[list[float]]]:
    """Return the `regions.outlines` of the lungs, for who draws them at any zoom.

    Args:
        mask: the lungs of a film.
        height: of a picture of that film, in pixels.
        width: of that picture.

    Returns:
        A list of (x, y) for each line, as shares of the picture's width and height.
    """
    lines = outlines(mask.at(height, width))
    return [(line / (width, height)).round(4).tolist() for line in lines if len(line) > 2]


def region_shapes(regions: Iterable[HotRegion], height: int, width: int) -> list[dict[str, Any]]:
    """Return hot regions for who draws them at any zoom.

    Args:
        regions: of a heat map.
        height: of that map, in pixels.
        width: of that map.

    Returns:
        For each ``line``, its closed outline as a list of (x, y), and ``box``, its left, top, right and bottom, all as
        shares of the map's width and height; and ``words`` that tell where it is and what it holds.
    """
    return [
        {
            "line": (region.contour / (width, height)).round(4).tolist(),
            "box": (np.array(region.box) / (width, height, width, height)).round(4).tolist(),
            "words": str(region),
        }
        for region in regions
    ]


def colour_table(name: str = DEFAULT_COLOURS) -> np.ndarray:
    """Return the colours of a map, (256, 3) uint8 RGB, from cold to hot.

    Args:
        name: key of `COLOUR_MAPS`.

    Raises:
        ValueError: if there is no such map.
    """
    if name not in COLOUR_MAPS:
        raise ValueError(f"There is no colour map {name!r}. Choose one of: {', '.join(COLOUR_MAPS)}.")
    ramp = np.arange(256, dtype=np.uint8)
    if name == "grey":
        return np.repeat(ramp[:, np.newaxis], 3, axis=1)
    return cv2.applyColorMap(ramp[:, np.newaxis], _OPENCV_MAPS[name])[:, 0, ::-1]


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
    share = (opacity * heat)[..., np.newaxis]
    return np.rint(grey * (1 - share) + colour_table()[_eight_bits(heat)] * share).astype(np.uint8)


def film_url(pixels: np.ndarray) -> str:
    """Encode a film, (height, width) float32 in 0…1, as an 8-bit grey PNG within an address.

    A browser shows it without fetching anything, and every grey value survives, so that a window can be set on it.
    """
    # In film grain no sequence comes twice: not to look for any takes half the time and a sixth fewer bytes.
    png = cv2.imencode(".png", _eight_bits(pixels), _PNG)[1]
    return f"data:image/png;base64,{base64.b64encode(png.tobytes()).decode()}"


def heat_url(heat: np.ndarray) -> str:
    """Encode a heat map, (height, width) float32 in 0…1, as `film_url` does, no side longer than `HEAT_SIDE`."""
    return film_url(fit_within(heat, HEAT_SIDE))


def _eight_bits(values: np.ndarray) -> np.ndarray:
    return np.rint(values * 255).astype(np.uint8)


def data_url(picture: np.ndarray) -> str:
    """Encode a picture as a JPEG within an address, which a browser shows without fetching anything.

    Args:
        picture: (height, width, 3) uint8, RGB.
    """
    jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
