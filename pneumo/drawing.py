"""Pictures of a film for people: with the outline of its lungs, with a heat map, as a browser takes them."""

import base64

import cv2
import numpy as np

from pneumo.lungs import LungMask

# Cyan is none of inferno's colours and no grey; its black casing sets it off where a film is white.
LINE, CASING = (0, 255, 255), (0, 0, 0)
# A share of the longer side: two pixels on the page.
LINE_WIDTH = 1 / 400


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
