"""DICOM films: the header, the stored samples, and the grey values that a viewer would show (DICOM PS3.3 and PS3.5).

Only `KEPT_ELEMENTS` are parsed, and what `pneumo.reports.dicom` asks for beside them. The patient's name and number are
not among them, so they reach no message or log; the two dates that an age is computed from are read and forgotten.
"""

import io
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_partial
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGExtended12Bit,
    RLELossless,
)

from pneumo.errors import ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import decoder_limits, gdcm_process, header
from pneumo.radiograph.grayscale import IN_COLOUR, SPREAD, bands, by_bands, of_image, percentile_window, turned_over
from pneumo.radiograph.header import header_text
from pneumo.sentences import say

# A picture of 40 million pixels in 16-bit grey or 8-bit colour fits; a deflate bomb does not.
MAX_INFLATED = 128 * 1024**2

# Two or three reads take an element; millions of empty ones would take minutes.
MAX_READS = 100_000

# Pixels wider than four times their height are a broken header; resampling them would only waste memory.
MAX_ASPECT = 4.0

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
_PALETTE = tuple(
    f"{segmented}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
KEPT_ELEMENTS = (
    "SOPClassUID",
    *header.ELEMENTS,
    *(
        "SamplesPerPixel",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "NumberOfFrames",
        "Rows",
        "Columns",
    ),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PresentationLUTShape"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth"),
    *SPACINGS,
    *_PALETTE,
)
# A window that leaves the whole film within a tenth of the grey scale was meant for other pixels.
MIN_CONTRAST = 0.1

# A table has at most 65,536 entries of two bytes, and a film a few tables.
MAX_TABLE_BYTES = 2 * 1024**2
MAX_TABLES = 1000
_ITEM = b"\xfe\xff\0\xe0"

# Rec. 601, the weights that Pillow's "L" uses, so that a colour film reads alike from PNG and from DICOM.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

_IN_PROCESS = ("pydicom", "pylibjpeg", "pillow")
_TAGS = [int(Tag(keyword)) for keyword in KEPT_ELEMENTS]
_PIXEL_DATA = Tag("PixelData")
_UNDEFINED_LENGTH = 0xFFFFFFFF


def read(data: bytes, name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Read a film.

    Args:
        data: the bytes of a file that may be DICOM.
        name: the file's name, for messages.

    Returns:
        Pixels (height, width), 0…1, and what the file says of itself, by the attributes of `reader.Radiograph`.

    Raises:
        ImageError: as `parse` and `of_dataset` do, or if the size is beyond the limits.
    """
    dataset = parse(data, name)
    width, height = size(dataset, name)
    pixels, notes = of_dataset(dataset, name)
    aspect = pixel_aspect(dataset)
    if pixels.shape != (height, width):
        pixels = of_image(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
        notes.append(say("The file's pixels are not square ({aspect:.3g} : 1); it was resampled.", aspect=aspect))
    return pixels, {
        "bits": bits_stored(dataset),
        "modality": header_text(dataset, "Modality"),
        "body_part": header_text(dataset, "BodyPartExamined"),
        "view_position": header.view_position(dataset),
        "age_years": header.age_years(dataset),
        "pixel_aspect": aspect,
        "notes": tuple(notes),
    }


def size(dataset: Dataset, name: str) -> tuple[int, int]:
    """Return the width and the height of a film in square pixels, by its header.

    Args:
        dataset: as `parse` returns it.
        name: the file's name, for messages.

    Raises:
        ImageSizeError: if the film, or the picture that the file stores, is beyond the limits.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    decoder_limits.refuse_size(columns, rows, name)
    aspect = pixel_aspect(dataset)
    # The shorter sides of the pixels set the grid, so that no detail is lost.
    width, height = round(columns * max(1, 1 / aspect)), round(rows * max(1, aspect))
    decoder_limits.refuse_size(width, height, name)
    return width, height


def parse(data: bytes, name: str, more: Iterable[str] = ()) -> Dataset:
    """Parse the header of a film and leave its pixels encoded.

    Args:
        data: the bytes of a file that may be DICOM.
        name: the file's name, for messages.
        more: keywords of elements that are wanted beside `KEPT_ELEMENTS`.

    Returns:
        Those of the elements that the file has, with a transfer syntax in ``file_meta``.

    Raises:
        UnreadableImageError: if the file is cut off or is not DICOM after all.
        UnsupportedImageError: if it holds no picture, several frames, or samples of a kind no film has.
        ImageSizeError: if it is compressed and would unpack to more than `MAX_INFLATED` bytes.
    """
    deflated_from = _deflated_from(data)
    if deflated_from is not None:
        data = _inflate(data[deflated_from:], name)
        if _deflated_from(data) is not None:
            raise UnreadableImageError(
                "{name} is a DICOM file compressed twice. Export it again uncompressed.", name=name
            )
    stream = _BoundedStream(data)
    ends: dict[BaseTag, int] = {}

    def is_cut_off(tag: BaseTag, vr: str | None, length: int) -> bool:
        ends[tag] = len(data) if length == _UNDEFINED_LENGTH else stream.tell() + length
        return ends[tag] > len(data)

    tags = [*_TAGS, *(int(Tag(keyword)) for keyword in more)]
    dataset = read_partial(stream, stop_when=is_cut_off, force=True, specific_tags=tags)
    last_end = max(ends.values(), default=0)
    is_bare = "SOPClassUID" not in dataset and "Rows" not in dataset
    if is_bare and _PIXEL_DATA not in ends and data[128:132] != b"DICM":
        raise UnreadableImageError(
            "{name} is {stranger}. Upload a JPEG, PNG, TIFF, BMP, WebP or DICOM file.",
            name=name,
            stranger=say("not a picture that pneumo knows"),
        )
    if is_bare and _PIXEL_DATA not in ends and last_end <= len(data):
        raise UnreadableImageError(
            "{name} is a DICOM file without a picture, or cut off before it. Export the radiograph again.", name=name
        )
    lacks_pixels = "PixelData" not in dataset
    if last_end > len(data) or (lacks_pixels and (_PIXEL_DATA in ends or last_end < len(data))):
        raise _cut_off(name)
    meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    if deflated_from is not None or "TransferSyntaxUID" not in meta:
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
        dataset.file_meta = meta
    _refuse_other_kinds(dataset, name)
    return dataset


class _BoundedStream(io.BytesIO):
    """Bytes that are read in at most `MAX_READS` pieces."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise ValueError(f"the header takes more than {MAX_READS} reads")
        return super().read(size)


def _deflated_from(data: bytes) -> int | None:
    stream = _BoundedStream(data)
    stream.seek(132 if data[128:132] == b"DICM" else 0)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    return stream.tell() if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian else None


def _inflate(packed: bytes, name: str) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflater.decompress(packed, MAX_INFLATED)
    if inflater.unconsumed_tail:
        raise ImageSizeError(
            "{name} unpacks to more than {limit} MiB. Export the film in a smaller size.",
            name=name,
            limit=MAX_INFLATED // 1024**2,
        )
    if not inflater.eof:
        raise _cut_off(name)
    return data


def _cut_off(name: str) -> UnreadableImageError:
    return UnreadableImageError("{name} is cut off before the end of its picture. Send or export it again.", name=name)


def _refuse_other_kinds(dataset: Dataset, name: str) -> None:
    if "PixelData" not in dataset:
        raise UnsupportedImageError(
            "{name} is a DICOM file without a picture (a report, a plan, or a header alone). "
            "Export the radiograph itself.",
            name=name,
        )
    frames = number(dataset, "NumberOfFrames") or 1
    if frames > 1:
        raise UnsupportedImageError(
            "{name} is a DICOM file of {frames:.0f} frames. pneumo reads one film at a time: export one frame.",
            name=name,
            frames=frames,
        )
    samples, allocated = int(dataset.get("SamplesPerPixel", 1)), int(dataset.BitsAllocated)
    if samples not in (1, 3) or allocated > (32 if samples == 1 else 16):
        raise UnsupportedImageError(
            "{name} stores {samples} samples of {bits} bits a pixel, which no radiograph does. "
            "Export it as 8- or 16-bit grey.",
            **{"name": name, "samples": samples, "bits": allocated},
        )


def decode(dataset: Dataset, name: str) -> tuple[np.ndarray, str]:
    """Decode the picture.

    Args:
        dataset: as `parse` returns it, after its Rows and Columns were found acceptable.
        name: the file's name, for messages.

    Returns:
        The stored integers, (rows, columns) or (rows, columns, 3), and their photometric interpretation.

    Raises:
        UnreadableImageError: if the picture inside is of another size than the header says.
        UnsupportedImageError: if no decoder for the transfer syntax is installed.
    """
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        _unpack_run_lengths(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        decoder = None
    if decoder is None or not decoder.is_available:
        raise _no_decoder(syntax, name)
    if decoder.is_encapsulated:
        _check_codestream(dataset, name)
    plugins = [plugin for plugin in _IN_PROCESS if plugin in decoder.available_plugins]
    if decoder.is_encapsulated and not plugins:
        return gdcm_process.decode(dataset)
    for plugin in plugins or [""]:
        try:
            options: Any = {"as_rgb": False}
            stored, properties = decoder.as_array(dataset, index=0, decoding_plugin=plugin, **options)
        except Exception as error:
            if syntax == JPEGExtended12Bit and bits_stored(dataset) > 8:
                raise _no_decoder(syntax, name) from error
            # Each decoder raises errors of its own; `radiograph.read` wraps what the last one raises.
            if plugin == (plugins or [""])[-1]:
                raise
        else:
            return stored, str(properties["photometric_interpretation"])
    raise AssertionError("there is at least one plugin to try")


def _no_decoder(syntax: UID, name: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        "{name} is compressed as {syntax}, for which there is no decoder here. Export it uncompressed or as JPEG 2000.",
        name=name,
        syntax=syntax.name,
    )


def _check_codestream(dataset: Dataset, name: str) -> None:
    # A header may promise a small film and hold a huge one: the decoder would believe the codestream.
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    size = decoder_limits.codestream_size(frame)
    if size is None or size[:2] != (int(dataset.Columns), int(dataset.Rows)) or size[2] > 4:
        raise UnreadableImageError(
            "{name} is damaged: the compressed picture is not the one that its header describes. Export it again.",
            name=name,
        )
    decoder_limits.refuse_laborious(frame, "JPEG", name)


def _unpack_run_lengths(dataset: Dataset) -> None:
    # pydicom's own decoder takes seconds for a film, and unpacks a bomb to gigabytes before it counts.
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    samples, allocated = int(dataset.get("SamplesPerPixel", 1)), int(dataset.BitsAllocated)
    pixels = int(dataset.Rows) * int(dataset.Columns)
    dataset.PixelData = decoder_limits.unpack_run_lengths(frame, pixels, samples, allocated // 8)
    dataset["PixelData"].VR = "OW" if allocated > 8 else "OB"
    dataset.PlanarConfiguration = 1
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of a decimal element, or None where it is missing or no finite number."""
    return _finite(header_text(dataset, keyword))


def _finite(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def pixel_aspect(dataset: Dataset) -> float:
    """Return the height of a pixel over its width, 1.0 where the header says nothing that is believable."""
    for keyword in SPACINGS:
        element = dataset.get_item(keyword)
        if element is None or not element.value:
            continue
        value = element.value
        parts = value.decode("ascii", "replace").split("\\") if isinstance(value, bytes) else [str(v) for v in value]
        height, *rest = (_finite(part.strip(" \0")) for part in parts)
        width = rest[0] if rest else None
        if height and width and 1 / MAX_ASPECT <= height / width <= MAX_ASPECT:
            # Spacings are written with four to six digits; a smaller difference is rounding.
            return height / width if abs(height / width - 1) > 0.005 else 1.0
    return 1.0


def bits_stored(dataset: Dataset) -> int:
    """Return the bits that a sample uses, 1…32."""
    return int(dataset.get("BitsStored") or dataset.BitsAllocated)


def of_dataset(dataset: Dataset, name: str) -> tuple[np.ndarray, list[str]]:
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
    stored, photometric = decode(dataset, name)
    del dataset.PixelData
    if stored.ndim == 3 or photometric == "PALETTE COLOR":
        return _brightness(stored, photometric, dataset), [IN_COLOUR]
    notes: list[str] = []
    is_padding = _padding(stored, dataset)
    values = _modality_values(stored, dataset, notes)
    del stored
    values = _windowed(values, ~is_padding, dataset, notes)
    if photometric == "MONOCHROME1" or header_text(dataset, "PresentationLUTShape") == "INVERSE":
        np.subtract(1, values, out=values)
        said_by = "MONOCHROME1" if photometric == "MONOCHROME1" else "PresentationLUTShape INVERSE"
        notes.append(turned_over(said_by))
    if is_padding.any():
        values[is_padding] = 0
        notes.append(say("The pixels that the file marks as padding are shown black."))
    return values, notes


def _brightness(stored: np.ndarray, photometric: str, dataset: Dataset) -> np.ndarray:
    white = np.float32(2 ** bits_stored(dataset) - 1)
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
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
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
    center, width = number(dataset, "WindowCenter"), number(dataset, "WindowWidth")
    function = (header_text(dataset, "VOILUTFunction") or "LINEAR").upper()
    if center is None or width is None or width <= (1 if function == "LINEAR" else 0):
        return None
    if function == "SIGMOID":
        return lambda band: 1 / (1 + np.exp(-4 * (band - center) / width))
    if function == "LINEAR":
        return lambda band: (band - center + 0.5) / (width - 1) + 0.5
    return lambda band: (band - center) / width + 0.5
