"""The grey scale of a film: from what a file stored to what a viewer would show, 0…1, bones white."""

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from pneumo import dicom, dicom_header
from pneumo.errors import UnreadableImageError

# The share of pixels at each end that a percentile window leaves out: collimator edges, lead markers.
PERCENTILES = (0.5, 99.5)

# A window that leaves the whole film within a tenth of the grey scale was meant for other pixels.
MIN_CONTRAST = 0.1

# Digital radiographs have 10 to 14 bits; a 16-bit picture no brighter than this holds one of them unscaled.
DIM_SIXTEEN_BIT = (2**14 - 1) / (2**16 - 1)

# Rec. 601, the weights that Pillow's "L" uses, so that a colour film reads alike from PNG and from DICOM.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def of_picture(image: Image.Image, bits: int, name: str, notes: list[str]) -> np.ndarray:
    """Bring a picture that Pillow loaded to grey.

    Args:
        image: of any mode, loaded and turned upright.
        bits: bits a sample that the file stored.
        name: the file's name, for messages.
        notes: what was done to the picture is appended here.

    Returns:
        Pixels (height, width) float32, 0…1.

    Raises:
        UnreadableImageError: if it holds NaN or infinity.
    """
    if image.mode in ("I", "F"):
        values: np.ndarray = np.asarray(image, np.float64)
        if not np.isfinite(values).all():
            raise UnreadableImageError(f"{name} holds pixels that are no numbers. Export the film again.")
        notes.append("The grey values were spread between their 0.5th and 99.5th percentile.")
        return percentile_window(values)
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float32) / np.float32(65535)
    else:
        values = np.asarray(_luminance(image, notes), np.float32) / np.float32(255)
        if bits > 8:
            notes.append(f"The file stores {bits} bits a sample in colour; 8 of them were read.")
    if bits > 8 and np.ptp(values) > 0 and values.max() <= DIM_SIXTEEN_BIT:
        notes.append(
            "The picture uses a small part of its 16-bit range; its grey values were spread between their "
            "0.5th and 99.5th percentile."
        )
        return percentile_window(values)
    return values


def _luminance(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        if opaque.getchannel("A").getextrema()[0] != 255:
            notes.append("The picture is partly transparent; it was laid on black.")
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque)
    if image.mode in ("1", "L"):
        return image.convert("L")
    notes.append("The file is in colour; its brightness was used.")
    return image.convert("RGB").convert("L")


def of_dicom(dataset: Dataset, name: str) -> tuple[np.ndarray, list[str]]:
    """Decode the film and bring it to the grey values that a viewer would show, dense tissue bright.

    Modality LUT or rescale, then VOI LUT or window, then the presentation's polarity (PS3.3 C.11.1, C.11.2,
    C.7.6.3.1.2). Without a usable window the `PERCENTILES` of the pixels that are no padding span the greys.

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
    white = 2 ** dicom_header.bits_stored(dataset) - 1
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        # Writers put 8-bit palettes into 16-bit words both scaled and unscaled.
        white = 255 if stored.max() < 256 else 65535
    if stored.ndim == 3:
        values = np.clip(stored.astype(np.float32) @ LUMA / np.float32(white), 0, 1)
        return values, ["The file is in colour; its brightness was used."]
    notes: list[str] = []
    is_padding = _padding(stored, dataset)
    values = _windowed(_modality_values(stored, dataset, notes), ~is_padding, dataset, notes)
    if photometric == "MONOCHROME1" or dicom_header.header_text(dataset, "PresentationLUTShape") == "INVERSE":
        values = 1 - values
        said_by = "MONOCHROME1" if photometric == "MONOCHROME1" else "PresentationLUTShape INVERSE"
        notes.append(f"The file stores an inverted picture ({said_by}); it was turned to white bones on black.")
    if is_padding.any():
        values[is_padding] = 0
        notes.append("The pixels that the file marks as padding are shown black.")
    return values, notes


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
    if dataset.get("ModalityLUTSequence"):
        try:
            return _looked_up(stored, dataset.ModalityLUTSequence[0], dataset)[0]
        except (ValueError, TypeError, AttributeError, IndexError):
            notes.append("The modality table in the header is broken; it was left out.")
    values = stored.astype(np.float32)
    slope, intercept = dicom_header.number(dataset, "RescaleSlope"), dicom_header.number(dataset, "RescaleIntercept")
    if slope is None and intercept is None:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        rescaled = values * np.float32(1 if slope is None else slope) + np.float32(intercept or 0)
    if slope == 0 or not np.isfinite(rescaled).all():
        notes.append("The rescale slope in the header is broken; it was left out.")
        return values
    return rescaled


def _looked_up(values: np.ndarray, table: Dataset, dataset: Dataset) -> tuple[np.ndarray, float]:
    """Map values through a LUT item (PS3.3 C.11.1.1, C.11.2.1.1); return them and the table's white."""
    entries, first, depth = (int(part) for part in table.LUTDescriptor)
    entries = entries or 65536
    if first > 32767 and values.min() < 0:
        first -= 65536
    raw = table.LUTData
    if isinstance(raw, bytes):
        byte_order = "<" if dataset.original_encoding[1] else ">"
        raw = np.frombuffer(raw, np.uint8 if len(raw) < 2 * entries else f"{byte_order}u2")
    lut = np.asarray(raw, np.float32)[:entries]
    if lut.ndim != 1 or lut.size < max(entries, 2):
        raise ValueError("the table is shorter than its descriptor says")
    white = float(2**depth - 1)
    if not lut.max() <= white <= 4 * max(lut.max(), 1):
        # A depth that the entries exceed, or never come near, is a slip of the writer.
        white = float(lut.max())
    index = np.clip(np.rint(values) - first, 0, entries - 1).astype(np.int32)
    return lut[index], white


def _windowed(values: np.ndarray, shown: np.ndarray, dataset: Dataset, notes: list[str]) -> np.ndarray:
    contrast = np.ptp(values[shown]) if shown.any() else 0
    for keyword, title, apply in (
        ("VOILUTSequence", "grey-scale table", _voi_lut),
        ("WindowCenter", "window", _window),
    ):
        if keyword not in dataset:
            continue
        try:
            with np.errstate(all="ignore"):
                greys = apply(values, dataset)
        except (ValueError, TypeError, AttributeError, IndexError):
            greys = None
        if greys is not None and np.isfinite(greys).all():
            greys = np.clip(greys, 0, 1).astype(np.float32)
            if contrast == 0 or np.ptp(greys[shown]) >= MIN_CONTRAST:
                return greys
        notes.append(f"The {title} in the header cannot be used for this picture.")
    notes.append("The grey values were spread between their 0.5th and 99.5th percentile.")
    return percentile_window(values, shown)


def _voi_lut(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    mapped, white = _looked_up(values, dataset.VOILUTSequence[0], dataset)
    return mapped / white


def _window(values: np.ndarray, dataset: Dataset) -> np.ndarray | None:
    """Apply the first window (PS3.3 C.11.2.1.2 and C.11.2.1.3), scaled to 0…1; None where it is broken."""
    center, width = dicom_header.number(dataset, "WindowCenter"), dicom_header.number(dataset, "WindowWidth")
    function = (dicom_header.header_text(dataset, "VOILUTFunction") or "LINEAR").upper()
    if center is None or width is None or width <= (1 if function == "LINEAR" else 0):
        return None
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - center) / width))
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    return (values - center) / width + 0.5


def percentile_window(values: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Spread grey values between their `PERCENTILES`.

    Args:
        values: (height, width), any finite numbers.
        shown: (height, width) bool, the pixels that the percentiles are taken from; all of them if None.

    Returns:
        (height, width) float32, 0…1; all zeros where the values do not differ.
    """
    sample = values if shown is None else values[shown]
    if not sample.size:
        return np.zeros(values.shape, np.float32)
    low, high = (float(limit) for limit in np.percentile(sample, PERCENTILES))
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    if high <= low:
        return np.zeros(values.shape, np.float32)
    return np.clip((values - low) / (high - low), 0, 1).astype(np.float32)
