"""Arithmetic on pictures a band of rows at a time, so that a large one does not stand in memory several times over.

The grey scale of a picture: from what a file stored to what a viewer would show, 0…1, bones white.

The grey scale of a DICOM film: from what a file stored to what a viewer would show, 0…1, bones white.
"""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from pneumo.errors import UnreadableImageError
from pneumo.radiograph import dicom, dicom_header
from pneumo.sentences import Sentence, say

BAND_PIXELS = 2_000_000

# The share of pixels at each end that a percentile window leaves out: collimator edges, lead markers.
PERCENTILES = (0.5, 99.5)

# Of larger pictures every second, third, … pixel is enough to find the percentiles of.
MAX_SAMPLE = 16_000_000


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


# A window that leaves the whole film within a tenth of the grey scale was meant for other pixels.
MIN_CONTRAST = 0.1

# A table has at most 65,536 entries of two bytes, and a film a few tables.
MAX_TABLE_BYTES = 2 * 1024**2
MAX_TABLES = 1000
_ITEM = b"\xfe\xff\0\xe0"

# Rec. 601, the weights that Pillow's "L" uses, so that a colour film reads alike from PNG and from DICOM.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def of_dataset(dataset: Dataset, name: str) -> tuple[np.ndarray, list[str]]:
    """Decode the film and bring it to the grey values that a viewer would show, dense tissue bright.

    Modality LUT or rescale, then VOI LUT or window, then the presentation's polarity (PS3.3 C.11.1, C.11.2,
    C.7.6.3.1.2). Without a usable window the `grayscale.PERCENTILES` of the pixels that are no padding span the greys.

    Args:
        dataset: as `parse` returns it, after its Rows and Columns were found acceptable.
        name: the file's name, for messages.

    Returns:
        Pixels (rows, columns) float32, 0…1, and what was done to them as sentences.

    Raises:
        UnreadableImageError: if the picture inside is damaged or of another size than the header says.
        UnsupportedImageError: if no decoder for the transfer syntax is installed.
    """
    stored, photometric = dicom.decode(dataset, name)
    del dataset.PixelData
    if stored.ndim == 3 or photometric == "PALETTE COLOR":
        return _brightness(stored, photometric, dataset), [IN_COLOUR]
    notes: list[str] = []
    is_padding = _padding(stored, dataset)
    values = _modality_values(stored, dataset, notes)
    del stored
    values = _windowed(values, ~is_padding, dataset, notes)
    if photometric == "MONOCHROME1" or dicom_header.header_text(dataset, "PresentationLUTShape") == "INVERSE":
        np.subtract(1, values, out=values)
        said_by = "MONOCHROME1" if photometric == "MONOCHROME1" else "PresentationLUTShape INVERSE"
        notes.append(turned_over(said_by))
    if is_padding.any():
        values[is_padding] = 0
        notes.append(say("The pixels that the file marks as padding are shown black."))
    return values, notes


def _brightness(stored: np.ndarray, photometric: str, dataset: Dataset) -> np.ndarray:
    white = np.float32(2 ** dicom_header.bits_stored(dataset) - 1)
    if photometric == "PALETTE COLOR":
        colours = [apply_color_lut(stored[rows], dataset) for rows in bands(stored.shape)]
        # Writers put 8-bit palettes into 16-bit words both scaled and unscaled.
        white = np.float32(255 if max(band.max() for band in colours) < 256 else 65535)
        stored = np.concatenate(colours)
    if photometric.startswith("YBR"):
        # Y is the luminance of Rec. 601 (PS3.3 C.7.6.3.1.2).
        return by_bands(stored, lambda band: np.clip(band[..., 0] / white, 0, 1))
    return by_bands(stored, lambda band: np.clip(band.astype(np.float32) @ LUMA / white, 0, 1))


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    limits = [dataset.get(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    values = [int(limit) for limit in limits if isinstance(limit, int)]
    if not values or limits[0] is None:
        return np.zeros(stored.shape, bool)
    if np.issubdtype(stored.dtype, np.signedinteger):
        # Many writers give a signed padding value the unsigned VR.
        values = [value - 65536 if value > 32767 else value for value in values]
    return (stored >= min(values)) & (stored <= max(values))


def _modality_values(stored: np.ndarray, dataset: Dataset, notes: list[str]) -> np.ndarray:
    if "ModalityLUTSequence" in dataset:
        try:
            return by_bands(stored, _look_up(stored, "ModalityLUTSequence", dataset)[0])
        except Exception:  # pydicom raises as many kinds as an element can be damaged in.
            notes.append(say("The modality table in the header is broken; it was left out."))
    slope, intercept = dicom_header.number(dataset, "RescaleSlope"), dicom_header.number(dataset, "RescaleIntercept")
    if slope is None and intercept is None:
        return stored.astype(np.float32)
    with np.errstate(over="ignore"):
        factor, offset = np.float32(1 if slope is None else slope), np.float32(intercept or 0)
    rescaled = by_bands(stored, lambda band: band.astype(np.float32) * factor + offset)
    if slope == 0 or not np.isfinite(rescaled).all():
        notes.append(say("The rescale slope in the header is broken; it was left out."))
        return stored.astype(np.float32)
    return rescaled


def _look_up(values: np.ndarray, keyword: str, dataset: Dataset) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
    """Return what maps values through the first LUT of a sequence (PS3.3 C.11.1.1, C.11.2.1.1), and its white."""
    packed = dataset.get_item(keyword).value
    if isinstance(packed, bytes) and (len(packed) > MAX_TABLE_BYTES or packed.count(_ITEM) > MAX_TABLES):
        raise ValueError("parsing so many tables would take seconds")
    table = dataset[keyword].value[0]
    entries, first, depth = (int(part) for part in table.LUTDescriptor)
    entries = entries or 65536
    if first > 32767 and values.min() < 0:
        first -= 65536
    raw = table.LUTData
    if isinstance(raw, bytes):
        byte_order = "<" if dataset.original_encoding[1] else ">"
        raw = np.frombuffer(raw, np.uint8 if len(raw) < 2 * entries else f"{byte_order}u2")
    with np.errstate(over="ignore"):  # What is too great to hold is refused below, as infinite.
        lut = np.asarray(raw, np.float32)[:entries]
    if lut.ndim != 1 or lut.size < max(entries, 2):
        raise ValueError("the table is shorter than its descriptor says")
    if not np.isfinite(lut).all():
        raise ValueError("the table holds entries that are no numbers")
    white = 2.0 ** min(depth, 32) - 1
    if not lut.max() <= white <= 4 * max(lut.max(), 1):
        # A depth that the entries exceed, or never come near, is a slip of the writer.
        white = float(lut.max())
    return lambda band: lut[np.clip(np.rint(band) - first, 0, entries - 1).astype(np.int32)], white


def _windowed(values: np.ndarray, shown: np.ndarray, dataset: Dataset, notes: list[str]) -> np.ndarray:
    contrast = _contrast(values, shown)
    for keyword, useless, window_of in (
        ("VOILUTSequence", say("The grey-scale table in the header cannot be used for this picture."), _voi_lut),
        ("WindowCenter", say("The window in the header cannot be used for this picture."), _window),
    ):
        if keyword not in dataset:
            continue
        try:
            window = window_of(values, dataset)
        except Exception:  # As above: a broken table is no reason to refuse the film.
            window = None
        if window is not None:
            greys = by_bands(values, window)
            if np.isfinite(greys).all():
                np.clip(greys, 0, 1, out=greys)
                if contrast == 0 or _contrast(greys, shown) >= MIN_CONTRAST:
                    return greys
        notes.append(useless)
    notes.append(SPREAD)
    return percentile_window(values, shown)


def _contrast(values: np.ndarray, shown: np.ndarray) -> float:
    if not shown.any():
        return 0.0
    return float(values.max(where=shown, initial=-np.inf)) - float(values.min(where=shown, initial=np.inf))


def _voi_lut(values: np.ndarray, dataset: Dataset) -> Callable[[np.ndarray], np.ndarray]:
    look_up, white = _look_up(values, "VOILUTSequence", dataset)
    return lambda band: look_up(band) / np.float32(white)


def _window(values: np.ndarray, dataset: Dataset) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return the first window (PS3.3 C.11.2.1.2 and C.11.2.1.3), scaled to 0…1; None where it is broken."""
    center, width = dicom_header.number(dataset, "WindowCenter"), dicom_header.number(dataset, "WindowWidth")
    function = (dicom_header.header_text(dataset, "VOILUTFunction") or "LINEAR").upper()
    if center is None or width is None or width <= (1 if function == "LINEAR" else 0):
        return None
    if function == "SIGMOID":
        return lambda band: 1 / (1 + np.exp(-4 * (band - center) / width))
    if function == "LINEAR":
        return lambda band: (band - center + 0.5) / (width - 1) + 0.5
    return lambda band: (band - center) / width + 0.5
