"""The grey scale of a picture: from what a file stored to what a viewer would show, 0…1, bones white."""

import numpy as np
from PIL import Image

from pneumo.bands import bands, of_image, percentile_window
from pneumo.errors import UnreadableImageError
from pneumo.sentences import Sentence, say

# Digital radiographs have 10 to 14 bits; a 16-bit picture no brighter than this holds one of them unscaled.
DIM_SIXTEEN_BIT = (2**14 - 1) / (2**16 - 1)

IN_COLOUR = say("The file is in colour; its brightness was used.")
SPREAD = say("The grey values were spread between their 0.5th and 99.5th percentile.")


def of_picture(image: Image.Image, bits: int, name: str, notes: list[str]) -> np.ndarray:
    """Bring a picture that Pillow loaded to grey.

    Args:
        image: of any mode, loaded and turned upright; it is closed.
        bits: bits a sample that the file stored.
        name: the file's name, for messages.
        notes: what was done to the picture is appended here.

    Returns:
        Pixels (height, width) float32, 0…1.

    Raises:
        UnreadableImageError: if it holds NaN or infinity.
    """
    if image.mode in ("I", "F"):
        numbers = of_image(image)
        image.close()
        if not np.isfinite(numbers).all():
            raise UnreadableImageError("{name} holds pixels that are no numbers. Export the film again.", name=name)
        notes.append(SPREAD)
        return percentile_window(numbers)
    is_deep_grey = image.mode.startswith("I;16")
    values, said = np.empty((image.height, image.width), np.float32), dict[str, None]()
    for rows in bands(values.shape):
        band = image.crop((0, rows.start, image.width, rows.stop))
        stored = np.asarray(band if is_deep_grey else _luminance(band, said)).astype(np.float32)
        values[rows] = stored / np.float32(65535 if is_deep_grey else 255)
    image.close()
    notes.extend(said)
    if bits > 8 and not is_deep_grey:
        notes.append(say("The file stores {bits} bits a sample in colour; 8 of them were read.", bits=bits))
    if bits > 8 and np.ptp(values) > 0 and values.max() <= DIM_SIXTEEN_BIT:
        notes.append(
            say(
                "The picture uses a small part of its 16-bit range; its grey values were spread between their "
                "0.5th and 99.5th percentile."
            )
        )
        return percentile_window(values)
    return values


def _luminance(image: Image.Image, said: dict[str, None]) -> Image.Image:
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        if opaque.getchannel("A").getextrema()[0] != 255:
            said[say("The picture is partly transparent; it was laid on black.")] = None
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque)
    if image.mode in ("1", "L"):
        return image.convert("L")
    said[IN_COLOUR] = None
    return image.convert("RGB").convert("L")


def turned_over(said_by: str) -> Sentence:
    """Say that a film was inverted, and by what the file says so."""
    return say(
        "The file stores an inverted picture ({said_by}); it was turned to white bones on black.", said_by=said_by
    )
