"""DICOM files: from bytes to a header and the sample values that the file stored (DICOM PS3.3 and PS3.5).

Only `KEPT_ELEMENTS` are parsed, and what `pneumo.reports.dicom` asks for beside them. The patient's name and number are
not among them, so they reach no message or log; the two dates that an age is computed from are read and forgotten.
"""

import io
import logging
import warnings
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_dataset, read_partial
from pydicom.pixels import get_decoder
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
from pneumo.radiograph import decoder_limits, gdcm_process
from pneumo.radiograph.dicom_header import AGE_DATES, SPACINGS, bits_stored, number
from pneumo.sentences import say

# A picture of 40 million pixels in 16-bit grey or 8-bit colour fits; a deflate bomb does not.
MAX_INFLATED = 128 * 1024**2

# Two or three reads take an element; millions of empty ones would take minutes.
MAX_READS = 100_000

_PALETTE = tuple(
    f"{segmented}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
KEPT_ELEMENTS = (
    *("SOPClassUID", "Modality", "BodyPartExamined", "ViewPosition", "PatientAge"),
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
    *AGE_DATES,
    *SPACINGS,
    *_PALETTE,
)
# A damaged file is answered by an error; pydicom's warnings quote what the file holds, names of patients included.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

_IN_PROCESS = ("pydicom", "pylibjpeg", "pillow")
_TAGS = [int(Tag(keyword)) for keyword in KEPT_ELEMENTS]
_PIXEL_DATA = Tag("PixelData")
_UNDEFINED_LENGTH = 0xFFFFFFFF


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
    size = decoder_limits.size(frame)
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
