"""The grey scale of a DICOM film: from what a file stored to what a viewer would show, 0…1, bones white."""

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from pneumo import dicom, dicom_header, greyscale
from pneumo.bands import bands, by_bands, percentile_window
from pneumo.sentences import say

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
    C.7.6.3.1.2). Without a usable window the `bands.PERCENTILES` of the pixels that are no padding span the greys.

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
        return _brightness(stored, photometric, dataset), [greyscale.IN_COLOUR]
    notes: list[str] = []
    is_padding = _padding(stored, dataset)
    values = _modality_values(stored, dataset, notes)
    del stored
    values = _windowed(values, ~is_padding, dataset, notes)
    if photometric == "MONOCHROME1" or dicom_header.header_text(dataset, "PresentationLUTShape") == "INVERSE":
        np.subtract(1, values, out=values)
        said_by = "MONOCHROME1" if photometric == "MONOCHROME1" else "PresentationLUTShape INVERSE"
        notes.append(greyscale.turned_over(said_by))
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
    notes.append(greyscale.SPREAD)
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
