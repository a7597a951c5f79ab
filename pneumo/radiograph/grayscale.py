"""Grey values of a picture, 0…1 with bones white: by its number of bits, or spread between two percentiles.

The arithmetic goes over a band of rows at a time, so that a large picture does not stand in memory several times over.
"""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from pneumo.errors import UnreadableImageError
from pneumo.sentences import Sentence, say

BAND_PIXELS = 2_000_000

# The share of pixels at each end that a percentile window leaves out: collimator edges, lead markers.
PERCENTILES = (0.5, 99.5)

# Of larger pictures every second, third, … pixel is enough to find the percentiles of.
MAX_SAMPLE = 16_000_000

# Digital radiographs have 10 to 14 bits; a 16-bit picture no brighter than this holds one of them unscaled.
DIM_SIXTEEN_BIT = (2**14 - 1) / (2**16 - 1)

IN_COLOUR = say("The file is in colour; its brightness was used.")
SPREAD = say("The grey values were spread between their 0.5th and 99.5th percentile.")


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the rows of a picture in bands of about `BAND_PIXELS` pixels."""
    height = max(1, BAND_PIXELS // max(1, shape[1]))
    return (slice(top, min(top + height, shape[0])) for top in range(0, shape[0], height))


def of_image(image: Image.Image) -> np.ndarray:
    """Return the pixels of a picture of one number a pixel, without the two copies that `numpy.asarray` makes."""
    pixels = np.empty((image.height, image.width), np.asarray(image.crop((0, 0, 1, 1))).dtype)
    for rows in bands(pixels.shape):
        pixels[rows] = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
    return pixels


def by_bands(values: np.ndarray, grey: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Bring pixels to grey band by band.

    Args:
        values: (height, width) or (height, width, colours).
        grey: maps a band of values to one number a pixel, whatever stands in the other bands.

    Returns:
        (height, width) float32; not finite where the arithmetic is not.
    """
    result = np.empty(values.shape[:2], np.float32)
    with np.errstate(all="ignore"):
        for rows in bands(values.shape):
            result[rows] = grey(values[rows])
    return result


def percentile_window(values: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Spread grey values between their `PERCENTILES`.

    Args:
        values: (height, width), any finite numbers.
        shown: (height, width) bool, the pixels that the percentiles are taken from; all of them if None.

    Returns:
        (height, width) float32, 0…1; all zeros where the values do not differ.
    """
    every = -(-values.size // MAX_SAMPLE) or 1
    sample = values.ravel()[::every]
    sample = (sample if shown is None else sample[shown.ravel()[::every]]).astype(np.float64)
    if not sample.size:
        return np.zeros(values.shape, np.float32)
    low, high = (float(limit) for limit in np.percentile(sample, PERCENTILES, overwrite_input=True))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    if high <= low:
        return np.zeros(values.shape, np.float32)
    del sample
    return by_bands(values, lambda band: np.clip((band.astype(np.float64) - low) / (high - low), 0, 1))


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
