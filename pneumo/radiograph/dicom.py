"""DICOM films: the header, the stored samples, and the grey values that a viewer would show (DICOM PS3.3 and PS3.5).

Of a film only `KEPT_ELEMENTS` are parsed. The patient's name and number are not among them, so they reach no message or
log; the two dates that an age is computed from are read and forgotten. Those who must know more ask `elements`.
"""

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_partial
from pydicom.multival import MultiValue
from pydicom.pixels import apply_color_lut, get_decoder
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from pneumo.errors import ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import decoder_limits, decoder_process, header
from pneumo.radiograph.grayscale import (
    IN_COLOUR,
    LUMA,
    SPREAD,
    bands,
    by_bands,
    no_numbers,
    of_image,
    percentile_window,
    sample,
    spread_if_dim,
    turned_over,
)
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
_SHAPE = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)
KEPT_ELEMENTS = (
    "SOPClassUID",
    *header.ELEMENTS,
    "NumberOfFrames",
    *_SHAPE,
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "PresentationLUTShape"),
    *("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    *("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ModalityLUTSequence", "RescaleSlope", "RescaleIntercept"),
    *("VOILUTSequence", "VOILUTFunction", "WindowCenter", "WindowWidth"),
    *SPACINGS,
    *_PALETTE,
)
# A window that leaves the body of a film within a third of the grey scale, or this share of it at the scale's two ends,
# was meant for other pixels. Of 15 originals none changes its answer or is refused with 40 % at the white end; with 50
# % two are refused.
MIN_CONTRAST, CONTRAST_PERCENTILES = 1 / 3, (1, 99)
MAX_SATURATED = 0.4
# The share of a film that one value of its body has at most.
MAX_COUNT = 0.05
# Half a step of the 8 bits in which a film is shown.
SHADE = 0.5 / 255
# Enough to tell shares of a film by.
JUDGED_PIXELS = 10_000
# A viewer offers a few, of at most 16 bytes each.
MAX_WINDOWS, MAX_TEXT_BYTES = 16, 1024

# Overlays are drawings: where more pixels have bits above those that BitsStored tells of, the header is wrong.
MAX_OVERLAY = 0.5

# A table has at most 65,536 entries of two bytes, and a film a few tables.
MAX_TABLE_BYTES = 2 * 1024**2
MAX_TABLES = 1000
_ITEM, _DELIMITER = b"\xfe\xff\0\xe0", b"\xfe\xff\xdd\xe0"
_EOC = b"\xff\xd9"

_NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
# By what `decoder_limits.codestream_kind` returns.
_CODESTREAMS = {
    "JPEG": JPEGBaseline8Bit,
    "JPEG extended": JPEGExtended12Bit,
    "lossless JPEG": JPEGLossless,
    "JPEG-LS": JPEGLSNearLossless,
    "JPEG 2000": JPEG2000,
}
_ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
# General Electric's: a header in little endian, and pixels in big endian.
_GE_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"

USELESS_TABLE = say("The grey-scale table in the header cannot be used for this picture.")
USELESS_WINDOW = say("The window in the header cannot be used for this picture.")
NEXT_ONE = say("Another window or table of the header was used.")

Grey = Callable[[np.ndarray], np.ndarray]

_IN_PROCESS = ("pydicom", "pylibjpeg", "pillow")
_TAGS = [int(Tag(keyword)) for keyword in KEPT_ELEMENTS]
_PIXEL_DATA = Tag("PixelData")
_FLOAT_BITS = {Tag("FloatPixelData"): 32, Tag("DoubleFloatPixelData"): 64}
_PICTURES = (_PIXEL_DATA, *_FLOAT_BITS)
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


def elements(data: bytes, name: str, keywords: Iterable[str]) -> Dataset:
    """Parse some elements of a DICOM file, whatever picture it holds.

    Args:
        data: the bytes of the file.
        name: the file's name, for messages.
        keywords: of the elements.

    Returns:
        Those of the elements that the file has.

    Raises:
        ImageError: if the file is compressed, and is cut off or would unpack to more than `MAX_INFLATED` bytes.
        Exception: any that pydicom raises, if the header is damaged; it may quote the header.
    """
    tags = [int(Tag(keyword)) for keyword in keywords]
    stream = _BoundedStream(_unpacked(data, name)[0])
    return read_partial(stream, stop_when=lambda tag, vr, length: tag in _PICTURES, force=True, specific_tags=tags)


def parse(data: bytes, name: str) -> Dataset:
    """Parse the header of a film and leave its pixels encoded.

    Args:
        data: the bytes of a file that may be DICOM.
        name: the file's name, for messages.

    Returns:
        Those of `KEPT_ELEMENTS` that the file has, with a transfer syntax in ``file_meta``.

    Raises:
        UnreadableImageError: if the file is cut off or is not DICOM after all.
        UnsupportedImageError: if it holds no picture, several frames, or samples of a kind no film has.
        ImageSizeError: if it is compressed and would unpack to more than `MAX_INFLATED` bytes.
    """
    data, was_deflated = _unpacked(data, name)
    stream = _BoundedStream(data)
    last_end = 0
    picture: _PictureElement | None = None

    def ends_header(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal last_end, picture
        start = stream.tell()
        if tag in _PICTURES:
            picture = _PictureElement(tag, vr, start, length)
            return True
        last_end = max(last_end, len(data) if length == _UNDEFINED_LENGTH else start + length)
        return last_end > len(data)

    dataset = read_partial(stream, stop_when=ends_header, force=True, specific_tags=_TAGS)
    is_bare = "SOPClassUID" not in dataset and "Rows" not in dataset
    if is_bare and picture is None and data[128:132] != b"DICM":
        raise UnreadableImageError(
            "{name} is {stranger}. Upload a JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM file.",
            name=name,
            stranger=say("not a picture that pneumo knows"),
        )
    if is_bare and picture is None and last_end <= len(data):
        raise UnreadableImageError(
            "{name} is a DICOM file without a picture, or cut off before it. Export the radiograph again.", name=name
        )
    if last_end > len(data) or (picture is None and last_end < len(data)):
        raise _cut_off(name)
    meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    if was_deflated or "TransferSyntaxUID" not in meta:
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
        dataset.file_meta = meta
    if picture is not None:
        _add_picture(dataset, data, picture, name)
    _refuse_other_kinds(dataset, name)
    return dataset


class _PictureElement(NamedTuple):
    """The element that holds the picture, and where its value stands in the file."""

    tag: BaseTag
    vr: str | None
    start: int
    length: int


def _add_picture(dataset: Dataset, data: bytes, picture: _PictureElement, name: str) -> None:
    """Add the value of the element that holds the picture.

    A complete picture is not damaged by what follows it, by a length that is too short or too long for it, or by a
    missing delimiter.
    """
    tag, vr, start, length = picture
    is_undefined, is_native = length == _UNDEFINED_LENGTH, dataset.file_meta.TransferSyntaxUID in _NATIVE
    if data.startswith(_ITEM, start) and (is_undefined or not is_native):
        end, length = _end_of_fragments(data, start), _UNDEFINED_LENGTH
        is_complete = data.startswith(_DELIMITER, end) or not _is_codestream(data, start) or _EOC in data[end - 4 : end]
    else:
        there = len(data) - start
        if length != there:
            needed = _picture_bytes(dataset, tag)
            length = needed if length < needed <= there or length > there else length
        end, is_complete = start + length, True
    if end > len(data) or not is_complete:
        raise _cut_off(name)
    dataset[tag] = RawDataElement(tag, vr, length, data[start:end], start, *dataset.original_encoding)


def _end_of_fragments(data: bytes, start: int) -> int:
    end = start
    for _ in range(MAX_READS):
        if not data.startswith(_ITEM, end):
            return end
        end += 8 + int.from_bytes(data[end + 4 : end + 8], "little")
    raise ValueError(f"the picture has more than {MAX_READS} fragments")


def _is_codestream(data: bytes, start: int) -> bool:
    """Whether the fragments hold what ends in a marker of its own: JPEG, JPEG-LS or JPEG 2000."""
    first = start + 8 + int.from_bytes(data[start + 4 : start + 8], "little") + 8
    return decoder_limits.codestream_kind(data[first : first + 65536]) is not None


def _picture_bytes(dataset: Dataset, tag: BaseTag) -> int:
    """Return the bytes that the picture of a header takes uncompressed."""
    samples = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("SamplesPerPixel", 1))
    if header_text(dataset, "PhotometricInterpretation") == "YBR_FULL_422":
        samples = samples // 3 * 2
    return -(-samples * _FLOAT_BITS.get(tag, int(dataset.BitsAllocated)) // 8)


class _BoundedStream(io.BytesIO):
    """Bytes that are read in at most `MAX_READS` pieces."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise ValueError(f"the header takes more than {MAX_READS} reads")
        return super().read(size)


def _unpacked(data: bytes, name: str) -> tuple[bytes, bool]:
    """Return a file with its dataset uncompressed, and whether it was compressed as a whole."""
    deflated_from = _deflated_from(data)
    if deflated_from is None:
        return data, False
    inflated = _inflate(data[deflated_from:], name)
    if _deflated_from(inflated) is not None:
        raise UnreadableImageError("{name} is a DICOM file compressed twice. Export it again uncompressed.", name=name)
    return inflated, True


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
    if not any(tag in dataset for tag in _PICTURES):
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
    is_float = _PIXEL_DATA not in dataset
    if samples not in ((1,) if is_float else (1, 3)) or (allocated > (32 if samples == 1 else 16) and not is_float):
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
    if _PIXEL_DATA not in dataset:
        return _floats(dataset, name), str(dataset.PhotometricInterpretation)
    _complete_header(dataset)
    _settle_transfer_syntax(dataset, name)
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        _unpack_run_lengths(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    decoder = get_decoder(syntax)
    if decoder.is_encapsulated:
        _check_codestream(dataset, name)
    plugins = [plugin for plugin in _IN_PROCESS if plugin in decoder.available_plugins]
    if decoder.is_encapsulated and not plugins:
        return decoder_process.decode(_bare(dataset), "DICOM")
    for plugin in plugins or [""]:
        try:
            # What stands above the bits that are stored is dealt with by `_samples`, alike for all decoders.
            options: Any = {"as_rgb": False, "correct_unused_bits": False}
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


def _bare(dataset: Dataset) -> bytes:
    """Return a file with nothing but the picture and its shape."""
    bare, file = Dataset(), io.BytesIO()
    for keyword in (*_SHAPE, "PixelData"):
        if keyword in dataset:
            bare[keyword] = dataset[keyword]
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    dcmwrite(file, bare)
    return file.getvalue()


def _floats(dataset: Dataset, name: str) -> np.ndarray:
    tag = next(tag for tag in _FLOAT_BITS if tag in dataset)
    order = "<" if dataset.original_encoding[1] else ">"
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    stored = np.frombuffer(dataset[tag].value, f"{order}f{_FLOAT_BITS[tag] // 8}", rows * columns)
    with np.errstate(over="ignore"):
        numbers = stored.astype(np.float32).reshape(rows, columns)
    if not np.isfinite(numbers).all():
        raise no_numbers(name)
    return numbers


def _complete_header(dataset: Dataset) -> None:
    """Put in place of what is missing in the description of a picture, or cannot be, what nearly all films have."""
    samples = int(dataset.get("SamplesPerPixel") or 1)
    photometric = (header_text(dataset, "PhotometricInterpretation") or "").upper()
    if samples == 1 and photometric not in ("MONOCHROME1", "PALETTE COLOR"):
        photometric = "MONOCHROME2"
    elif samples > 1 and not photometric.startswith(("YBR", "HSV")):
        photometric = "RGB"
    complete = {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": photometric,
        "PixelRepresentation": int(dataset.get("PixelRepresentation") == 1),
        "BitsStored": bits_stored(dataset),
    }
    if samples > 1:
        complete["PlanarConfiguration"] = int(dataset.get("PlanarConfiguration") == 1)
    for keyword, value in complete.items():
        if dataset.get(keyword) != value:
            setattr(dataset, keyword, value)


def _settle_transfer_syntax(dataset: Dataset, name: str) -> None:
    """Name the transfer syntax by the picture itself where the header names none that it can be."""
    element, syntax = dataset["PixelData"], dataset.file_meta.TransferSyntaxUID
    is_encapsulated, is_native = element.is_undefined_length, syntax in _NATIVE
    if is_encapsulated and (is_native or syntax == _ENCAPSULATED_UNCOMPRESSED or _lacks(syntax)):
        frame = get_frame(element.value, 0, number_of_frames=1)
        kind = decoder_limits.codestream_kind(frame)
        if kind is not None:
            syntax = _CODESTREAMS[kind]
        elif len(frame) >= _picture_bytes(dataset, _PIXEL_DATA):
            syntax, dataset.PixelData = ExplicitVRLittleEndian, frame
            element.is_undefined_length = False
    elif not (is_encapsulated or is_native) and len(element.value) >= _picture_bytes(dataset, _PIXEL_DATA):
        if syntax == _GE_BIG_ENDIAN_PIXELS and int(dataset.BitsAllocated) == 16:
            even = len(element.value) // 2 * 2
            dataset.PixelData = np.frombuffer(element.value[:even], ">u2").astype("<u2").tobytes()
        syntax = ExplicitVRLittleEndian
    if _lacks(syntax):
        raise _no_decoder(syntax, name)
    dataset.file_meta.TransferSyntaxUID = syntax


def _lacks(syntax: UID) -> bool:
    """Whether no decoder for a transfer syntax is installed."""
    try:
        return not get_decoder(syntax).is_available
    except NotImplementedError:  # So pydicom says that it knows no decoder.
        return True


def _no_decoder(syntax: UID, name: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        "{name} is in the transfer syntax {syntax}, for which there is no decoder here. "
        "Export it uncompressed or as JPEG 2000.",
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
    bits = decoder_limits.jpeg_bits(frame)
    if bits == 8 < int(dataset.BitsAllocated):
        # Pictures that a program has made 8-bit JPEG, with the header of 12 bits that they had before.
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7


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


def _texts(dataset: Dataset, keyword: str) -> list[str | None]:
    """Return the values of a decimal element as the file wrote them."""
    element = dataset.get_item(keyword)
    value = element.value if element is not None else None
    if value is None:
        return []
    if isinstance(value, bytes):
        parts = value[:MAX_TEXT_BYTES].decode("ascii", "replace").split("\\")
    else:
        parts = [str(part) for part in value] if isinstance(value, MultiValue) else [str(value)]
    return [part.strip(" \0") or None for part in parts]


def _finite(text: str | None) -> float | None:
    try:
        value = float((text or "nan").replace(",", "."))
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def pixel_aspect(dataset: Dataset) -> float:
    """Return the height of a pixel over its width, 1.0 where the header says nothing that is believable."""
    layers = _layers(dataset, "PixelMeasuresSequence")
    for layer, keyword in ((layer, keyword) for keyword in SPACINGS for layer in layers):
        height, width, *_ = (*(_finite(text) for text in _texts(layer, keyword)), None, None)
        if height and width and 1 / MAX_ASPECT <= height / width <= MAX_ASPECT:
            # Spacings are written with four to six digits; a smaller difference is rounding.
            return height / width if abs(height / width - 1) > 0.005 else 1.0
    return 1.0


def bits_stored(dataset: Dataset) -> int:
    """Return the bits that a sample uses, 1…64."""
    allocated = next((bits for tag, bits in _FLOAT_BITS.items() if tag in dataset), int(dataset.BitsAllocated))
    stored = int(dataset.get("BitsStored") or allocated)
    return stored if stored <= allocated else allocated


def _layers(dataset: Dataset, macro: str) -> list[Dataset]:
    """Return where to look for what multi-frame objects keep in functional groups (PS3.3 C.7.6.16), closest first."""
    groups = (
        _first_item(dataset, keyword)
        for keyword in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
    )
    items = [_first_item(group, macro) for group in groups if group is not None]
    return [*(item for item in items if item is not None), dataset]


def _first_item(dataset: Dataset, keyword: str) -> Dataset | None:
    if keyword not in dataset:
        return None
    try:
        return next(iter(_items(dataset, keyword)), None)
    except Exception:  # pydicom raises as many kinds as an element can be damaged in.
        return None


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    packed = dataset.get_item(keyword).value
    if isinstance(packed, bytes) and (len(packed) > MAX_TABLE_BYTES or packed.count(_ITEM) > MAX_TABLES):
        raise ValueError("parsing so many items would take seconds")
    return list(dataset[keyword].value)


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
    bits = bits_stored(dataset)
    for tag in _PICTURES:
        dataset.pop(tag, None)
    notes: list[str] = []
    if photometric == "PALETTE COLOR":
        return _palette_brightness(stored, dataset), [IN_COLOUR]
    if stored.ndim == 3:
        notes.append(IN_COLOUR)
        values = _brightness(_samples(stored, dataset, None), photometric, bits)
        return spread_if_dim(values, notes) if bits > 8 else values, notes
    is_padding = _padding(stored, dataset)
    values = _modality_values(_samples(stored, dataset, is_padding), dataset, notes)
    del stored
    is_inverted = photometric == "MONOCHROME1" or header_text(dataset, "PresentationLUTShape") == "INVERSE"
    values = _windowed(values, ~is_padding, dataset, notes)
    if is_inverted:
        np.subtract(1, values, out=values)
        said_by = "MONOCHROME1" if photometric == "MONOCHROME1" else "PresentationLUTShape INVERSE"
        notes.append(turned_over(said_by))
    if is_padding.any():
        values[is_padding] = 0
        notes.append(say("The pixels that the file marks as padding are shown black."))
    return values, notes


def _samples(words: np.ndarray, dataset: Dataset, is_padding: np.ndarray | None) -> np.ndarray:
    """Return the bits of each word that HighBit and BitsStored name, with their sign (PS3.5 8.1.1).

    What stands in the other bits, such as an overlay, is left out.
    """
    allocated, stored, high = words.dtype.itemsize * 8, bits_stored(dataset), int(dataset.get("HighBit") or 0)
    if words.dtype.kind == "f" or stored >= allocated:
        return words
    below = high + 1 - stored if stored <= high + 1 <= allocated else 0
    used = int(np.bitwise_or.reduce(words, axis=None))
    if words.dtype.kind == "u":
        fits = used < 2**stored
    else:
        fits = -(2 ** (stored - 1)) <= words.min() and words.max() < 2 ** (stored - 1)
    if fits and (not below or used % 2**below):
        # Some writers count HighBit up to the top of the word and leave the samples at its bottom.
        return words
    if not below and words.dtype.kind == "u":
        is_beyond = words >= 2**stored
        if is_padding is not None:
            is_beyond &= ~is_padding
        if is_beyond.mean() > MAX_OVERLAY:
            return words
    return (words << (allocated - stored - below)) >> (allocated - stored)


def _palette_brightness(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    colours = np.concatenate([apply_color_lut(stored[rows], dataset) for rows in bands(stored.shape)])
    # Writers put 8-bit palettes into 16-bit words both scaled and unscaled.
    return _brightness(colours, "RGB", 8 if colours.max() < 256 else 16)


def _brightness(stored: np.ndarray, photometric: str, bits: int) -> np.ndarray:
    white = np.float32(2**bits - 1)
    if photometric.startswith("YBR"):
        # Y is the luminance of Rec. 601 (PS3.3 C.7.6.3.1.2).
        return by_bands(stored, lambda band: np.clip(band[..., 0] / white, 0, 1))
    return by_bands(stored, lambda band: np.clip(band.astype(np.float32) @ LUMA / white, 0, 1))


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return which pixels are padding: of its value, and joined to the edge by such pixels.

    The same value inside the film is tissue, such as burnt-out bone.
    """
    kinds = ("Float", "DoubleFloat") if stored.dtype.kind == "f" else ("",)
    for kind in kinds:
        first, last = (dataset.get(f"{kind}PixelPadding{part}") for part in ("Value", "RangeLimit"))
        if isinstance(first, int | float):
            return _joined_to_edge(_within(stored, first, last if isinstance(last, int | float) else first))
    return np.zeros(stored.shape, bool)


def _within(stored: np.ndarray, first: float, last: float) -> np.ndarray:
    if stored.dtype.kind == "f":
        return (stored >= np.float32(min(first, last))) & (stored <= np.float32(max(first, last)))
    # Modulo the size of a word: writers give negative values the unsigned VR, and the other way round.
    modulus = 2 ** (stored.dtype.itemsize * 8)
    if stored.dtype.kind == "i":
        first, last = ((int(value) + modulus // 2) % modulus - modulus // 2 for value in (first, last))
    low, span = int(min(first, last)), min(int(abs(last - first)), modulus - 1)
    words = stored.view(stored.dtype.str.replace("i", "u"))
    return words - words.dtype.type(low % modulus) <= words.dtype.type(span)


def _joined_to_edge(mask: np.ndarray) -> np.ndarray:
    if not mask.any():
        return mask
    framed = np.pad(mask.view(np.uint8), 1, constant_values=1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return framed[1:-1, 1:-1] == 2


def _modality_values(stored: np.ndarray, dataset: Dataset, notes: list[str]) -> np.ndarray:
    for layer in _layers(dataset, "PixelValueTransformationSequence"):
        if "ModalityLUTSequence" in layer:
            try:
                return by_bands(stored, _look_up(stored, _items(layer, "ModalityLUTSequence")[0], dataset)[0])
            except Exception:  # pydicom raises as many kinds as an element can be damaged in.
                notes.append(say("The modality table in the header is broken; it was left out."))
        slope, intercept = number(layer, "RescaleSlope"), number(layer, "RescaleIntercept")
        if slope is not None or intercept is not None:
            return _rescaled(stored, 1.0 if slope is None else slope, intercept or 0.0, notes)
    return stored.astype(np.float32)


def _rescaled(stored: np.ndarray, slope: float, intercept: float, notes: list[str]) -> np.ndarray:
    with np.errstate(over="ignore"):
        factor, offset = np.float32(slope), np.float32(intercept)
    rescaled = by_bands(stored, lambda band: band.astype(np.float32) * factor + offset)
    if slope == 0 or not np.isfinite(rescaled).all():
        notes.append(say("The rescale slope in the header is broken; it was left out."))
        return stored.astype(np.float32)
    return rescaled


def _look_up(values: np.ndarray, table: Dataset, dataset: Dataset) -> tuple[Grey, float]:
    """Return what maps values through a LUT (PS3.3 C.11.1.1, C.11.2.1.1), and its white."""
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
    """Apply the first table or window of the header that shows the film, or else spread it between percentiles."""
    film = sample(values, JUDGED_PIXELS, shown)
    useless: dict[str, None] = {}
    for note, grey in _tables_and_windows(values, dataset):
        if grey is not None and _shows(film, grey):
            greys = by_bands(values, grey)
            if np.isfinite(greys).all():
                notes.extend([*useless, NEXT_ONE] if useless else ())
                return np.clip(greys, 0, 1, out=greys)
        useless[note] = None
    notes.extend([*useless, SPREAD])
    return percentile_window(values, shown)


def _tables_and_windows(values: np.ndarray, dataset: Dataset) -> Iterator[tuple[str, Grey | None]]:
    """Yield what maps values to grey, the header's first choice first; None for what is broken. Beside it what to say
    of one that is of no use.
    """
    for layer in _layers(dataset, "FrameVOILUTSequence"):
        for table in _voi_tables(layer):
            yield USELESS_TABLE, None if table is None else _voi_lut(values, table, dataset)
        if "WindowCenter" in layer:
            centers, widths = _texts(layer, "WindowCenter"), _texts(layer, "WindowWidth")
            function = (header_text(layer, "VOILUTFunction") or "LINEAR").upper()
            for center, width in list(zip_longest(centers, widths))[:MAX_WINDOWS]:
                yield USELESS_WINDOW, _window(_finite(center), _finite(width), function)


def _voi_tables(layer: Dataset) -> list[Dataset | None]:
    if "VOILUTSequence" not in layer:
        return []
    try:
        return [*_items(layer, "VOILUTSequence")[:MAX_WINDOWS]] or [None]
    except Exception:  # As above: a broken table is no reason to refuse the film.
        return [None]


def _shows(film: np.ndarray, grey: Grey) -> bool:
    """Whether a table or a window leaves enough of the film's body between black and white, and far enough apart.

    Args:
        film: values of some of the pixels that are no padding.
        grey: maps values to 0…1.
    """
    values, counts = np.unique(film, return_counts=True)
    # Direct exposure, collimator and marker are of one value each, the body of hundreds.
    is_body = counts <= MAX_COUNT * film.size
    is_body[[0, -1] if film.size else []] = False
    if not is_body.any():
        return True
    with np.errstate(all="ignore"):
        body = np.repeat(np.clip(grey(values[is_body]), 0, 1), counts[is_body])
    low, high = body.min(), body.max()
    middle = (body > low + SHADE * (high - low)) & (body < high - SHADE * (high - low))
    darkest, brightest = np.percentile(body, CONTRAST_PERCENTILES)
    return brightest - darkest >= MIN_CONTRAST and middle.mean() >= 1 - MAX_SATURATED


def _voi_lut(values: np.ndarray, table: Dataset, dataset: Dataset) -> Grey | None:
    try:
        look_up, white = _look_up(values, table, dataset)
    except Exception:  # As above.
        return None
    return lambda band: look_up(band) / np.float32(white)


def _window(center: float | None, width: float | None, function: str) -> Grey | None:
    """Return a window (PS3.3 C.11.2.1.2 and C.11.2.1.3), scaled to 0…1; None where it is broken."""
    if center is None or width is None or width <= (1 if function == "LINEAR" else 0):
        return None
    if function == "SIGMOID":
        return lambda band: 1 / (1 + np.exp(-4 * (band - center) / width))
    if function == "LINEAR":
        return lambda band: (band - center + 0.5) / (width - 1) + 0.5
    return lambda band: (band - center) / width + 0.5
