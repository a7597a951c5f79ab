"""Grey values of a picture, 0…1 with bones white: by its number of bits, or spread between two percentiles.

The arithmetic goes over a band of rows at a time, so that a large picture does not stand in memory several times over.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from pneumo.errors import UnreadableImageError
from pneumo.sentences import Sentence, say

BAND_PIXELS = 2_000_000

# The share of pixels at each end that a percentile window leaves out: collimator edges, lead markers.
PERCENTILES = (0.5, 99.5)

# Of larger pictures every second, third, … row and column is enough to find the percentiles of.
MAX_SAMPLE = 1_000_000

# A value burnt in at either end, a marker or a border, is this share of a picture or more, and this far off the rest.
BURNT_IN_SHARE, BURNT_IN_DISTANCE = 0.0005, 0.5

# Digital radiographs have 10 to 14 bits; a 16-bit picture no brighter than this holds one of them unscaled.
DIM_SIXTEEN_BIT = (2**14 - 1) / (2**16 - 1)

# Rec. 601, the weights that Pillow's "L" uses, so that a colour film reads alike from PNG and from DICOM.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

IN_COLOUR = say("The file is in colour; its brightness was used.")
ON_BLACK = say("The picture is partly transparent; it was laid on black.")
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
    film = sample(values, MAX_SAMPLE, shown)
    low, high = _span(film if film.dtype == np.float32 else film.astype(np.float64))
    if high <= low:
        return np.zeros(values.shape, np.float32)
    return by_bands(values, lambda band: np.clip((band.astype(np.float64) - low) / (high - low), 0, 1))


def sample(values: np.ndarray, size: int, shown: np.ndarray | None = None) -> np.ndarray:
    """Return the values of at most about `size` pixels, (pixels,), in even rows and columns.

    Args:
        values: (height, width).
        size: how many are enough.
        shown: (height, width) bool, the pixels to choose from; all of them if None.
    """
    every = math.ceil(math.sqrt(values.size / size)) or 1
    thinned = values[::every, ::every]
    return thinned.ravel() if shown is None else thinned[shown[::every, ::every]]


def _span(values: np.ndarray) -> tuple[float, float]:
    """Return the percentiles of values, or their extremes where these do not differ; (0, 0) of no values."""
    if not values.size:
        return 0.0, 0.0
    lowest, highest = float(values.min()), float(values.max())
    low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
    for burnt_in in (highest, lowest):
        count = np.count_nonzero(values == burnt_in)
        if BURNT_IN_SHARE * values.size <= count < values.size:
            rest = values[values != burnt_in]
            inner = [float(limit) for limit in np.percentile(rest, PERCENTILES)]
            if 0 < inner[1] - inner[0] < BURNT_IN_DISTANCE * (high - low):
                values, (low, high) = rest, inner
    return (low, high) if high > low else (lowest, highest)


def spread_if_dim(values: np.ndarray, notes: list[str]) -> np.ndarray:
    """Spread a picture of 16 bits that uses a small part of them; a marker or a hot pixel at their end is no use.

    Args:
        values: (height, width) float32, 0…1.
        notes: what was done is appended here.

    Returns:
        (height, width) float32, 0…1.
    """
    if not _is_dim(values):
        return values
    notes.append(
        say(
            "The picture uses a small part of its 16-bit range; its grey values were spread between their "
            "0.5th and 99.5th percentile."
        )
    )
    return percentile_window(values)


def of_picture(image: Image.Image, bits: int, name: str, notes: list[str], is_inverted: bool = False) -> np.ndarray:
    """Bring a picture that Pillow loaded to grey.

    Args:
        image: of any mode, loaded and turned upright; it is closed.
        bits: bits a sample that the file stored.
        name: the file's name, for messages.
        notes: what was done to the picture is appended here.
        is_inverted: whether it is a negative.

    Returns:
        Pixels (height, width) float32, 0…1.

    Raises:
        UnreadableImageError: if it holds NaN or infinity.
    """
    if image.mode in ("I", "F"):
        numbers = of_image(image)
        image.close()
        if not np.isfinite(numbers).all():
            raise no_numbers(name)
        notes.append(SPREAD)
        return _turned(percentile_window(numbers), is_inverted, notes)
    is_deep_grey = image.mode.startswith("I;16")
    values, said = np.empty((image.height, image.width), np.float32), dict[str, None]()
    for rows in bands(values.shape):
        band = image.crop((0, rows.start, image.width, rows.stop))
        stored = np.asarray(band if is_deep_grey else _luminance(band, said)).astype(np.float32)
        values[rows] = stored / np.float32(65535 if is_deep_grey else 255)
    image.close()
    notes.extend(said)
    if is_inverted and not _is_dim(values):
        # A negative of 12 bits is written as such, or as what is left of 16 bits.
        return spread_if_dim(_turned(values, is_inverted, notes), notes)
    return _turned(spread_if_dim(values, notes) if bits > 8 else values, is_inverted, notes)


def _turned(values: np.ndarray, is_inverted: bool, notes: list[str]) -> np.ndarray:
    if is_inverted:
        np.subtract(1, values, out=values)
        notes.append(turned_over(say("white is zero")))
    return values


def _is_dim(values: np.ndarray) -> bool:
    film = sample(values, MAX_SAMPLE)
    film = film[film < film.max()]
    return bool(film.size) and float(np.percentile(film, PERCENTILES[1])) <= DIM_SIXTEEN_BIT


class DeepPart(NamedTuple):
    """A picture that holds some bits of one in 16-bit colour; what its channels add to grey, and which one is alpha."""

    image: Image.Image
    weights: np.ndarray
    alpha: int | None


def of_deep_colour(parts: Iterable[DeepPart], notes: list[str]) -> np.ndarray:
    """Bring a picture of 16-bit colour to grey.

    Args:
        parts: that add up to 0…65535, loaded and turned upright; they are closed one after the other.
        notes: what was done to the picture is appended here.

    Returns:
        Pixels (height, width) float32, 0…1.
    """
    values, opacity = np.zeros((0, 0), np.float32), None
    for image, weights, alpha in parts:
        if not values.size:
            values = np.zeros((image.height, image.width), np.float32)
            notes.extend([IN_COLOUR] if weights.size == LUMA.size else [])
        if alpha is not None:
            channel = image.getchannel(alpha)
            lowest, highest = channel.getextrema()
            # The same alpha everywhere is no part of a film.
            opacity = np.asarray(channel) if lowest != highest else None
        for rows in bands(values.shape):
            band = np.asarray(image.crop((0, rows.start, image.width, rows.stop))).astype(np.float32)
            values[rows] += band[..., : weights.size] @ weights
        image.close()
    for rows in bands(values.shape):
        values[rows] = np.clip(values[rows] / np.float32(65535), 0, 1)
        if opacity is not None:
            values[rows] *= opacity[rows] / np.float32(255)
    if opacity is not None:
        notes.append(ON_BLACK)
    return spread_if_dim(values, notes)


def _luminance(image: Image.Image, said: dict[str, None]) -> Image.Image:
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        if opaque.getchannel("A").getextrema()[0] != 255:
            said[ON_BLACK] = None
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


def no_numbers(name: str) -> UnreadableImageError:
    """Return what is told of a film with pixels of NaN or infinity."""
    return UnreadableImageError("{name} holds pixels that are no numbers. Export the film again.", name=name)
