"""Limits on what a decoder is given: the size of a file and of its picture, parts that only cost time, run lengths."""

import re
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, TiffImagePlugin

from pneumo.errors import ImageSizeError, UnsupportedImageError

MAX_BYTES = 50 * 1024**2
MAX_PIXELS = 40_000_000
MIN_SIDE = 64

# Decoders go over the whole picture for every scan; encoders of progressive JPEG write about ten.
MAX_SCANS = 50
# Pillow takes these one by one in Python, and joins the parts of EXIF again for each. Colour profiles have up to
# 255 segments; PNG writers put 8 kB or more into a chunk.
MAX_SEGMENTS = 500
MAX_FILL_BYTES = 100_000
MAX_CHUNKS = 50_000
# Of bytes or of pixels: Pillow unpacks the run lengths of BMP in Python, one after the other.
MAX_RUN_LENGTH = 4_000_000
# libwebp and Pillow hold four copies of a picture.
MAX_WEBP_PIXELS = 20_000_000
# libtiff takes the memory of a whole tile, which nothing ties to the picture's size.
MAX_TILE_BYTES = 128 * 1024**2

_MARKER = re.compile(rb"(\xff++)([^\xff])", re.DOTALL)
_START_OF_SCAN = 0xDA
_JPEG_KINDS = {0xC1: "JPEG extended", 0xC3: "lossless JPEG", 0xF7: "JPEG-LS"}
_START_OF_JPEG_2000 = b"\xff\x4f\xff\x51"
# Restarts, start and end of the picture, and what is no marker at all.
_WITHOUT_CONTENT = frozenset((0, 1, *range(0xD0, 0xDA)))


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, bytes of fill before it, and the place of its content, for the segments before the first scan."""
    position = 2
    while jpeg.startswith(b"\xff\xd8") and (found := _MARKER.match(jpeg, position)):
        marker, position = found[2][0], found.end()
        yield marker, len(found[1]) - 1, position
        if marker == _START_OF_SCAN:
            return
        if marker not in _WITHOUT_CONTENT:
            position += int.from_bytes(jpeg[position : position + 2], "big")


def refuse_size(width: int, height: int, name: str) -> None:
    """Refuse a picture that is too large to be decoded, or too small to be a film.

    Args:
        width: in pixels, as the header says.
        height: likewise.
        name: the file's name, for messages.

    Raises:
        ImageSizeError: if it has more than `MAX_PIXELS`, or a side of fewer than `MIN_SIDE`.
    """
    if width * height > MAX_PIXELS:
        raise ImageSizeError(
            "{name} has {width} × {height} pixels, more than {limit} million. Export the film in a smaller size.",
            **{"name": name, "width": width, "height": height, "limit": MAX_PIXELS // 10**6},
        )
    if min(width, height) < MIN_SIDE:
        raise ImageSizeError(
            "{name} has {width} × {height} pixels; a film needs {limit} on each side. "
            "Upload the original rather than a thumbnail.",
            **{"name": name, "width": width, "height": height, "limit": MIN_SIDE},
        )


def codestream_size(frame: bytes) -> tuple[int, int, int] | None:
    """Return width, height, components of a JPEG, JPEG-LS or JPEG 2000 codestream; None if it tells none."""
    siz = frame.find(_START_OF_JPEG_2000, 0, 65536)
    if siz >= 0 and len(frame) >= siz + 42:
        right, bottom, left, top = struct.unpack_from(">4I", frame, siz + 8)
        return right - left, bottom - top, struct.unpack_from(">H", frame, siz + 40)[0]
    header = _frame_header(frame)
    if header is None or header[1] + 8 > len(frame):
        return None
    height, width, components = struct.unpack_from(">HHB", frame, header[1] + 3)
    return width, height, components


def codestream_kind(frame: bytes) -> str | None:
    """Return what a codestream is: JPEG, JPEG extended, lossless JPEG, JPEG-LS or JPEG 2000; None if none of these."""
    if frame.startswith((_START_OF_JPEG_2000, b"\0\0\0\x0cjP  ")):
        return "JPEG 2000"
    header = _frame_header(frame)
    return None if header is None else _JPEG_KINDS.get(header[0], "JPEG")


def jpeg_bits(frame: bytes) -> int | None:
    """Return the bits of a sample that a JPEG or JPEG-LS codestream tells of; None if it tells none."""
    header = _frame_header(frame)
    return frame[header[1] + 2] if header and header[1] + 2 < len(frame) else None


def _frame_header(jpeg: bytes) -> tuple[int, int] | None:
    """Return the marker of the segment that describes a JPEG picture, and the place of its content."""
    for marker, _, place in _segments(jpeg):
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return marker, place
    return None


def refuse_laborious(data: bytes, kind: str, name: str) -> None:
    """Refuse a picture that is put together of more parts than any encoder writes.

    Args:
        data: the bytes of a picture.
        kind: its format, as in `radiograph.FORMATS`.
        name: the file's name, for messages.

    Raises:
        UnsupportedImageError: if a JPEG or PNG has more scans, segments, fill or chunks than the limits.
    """
    if (kind == "JPEG" and _is_laborious_jpeg(data)) or (kind == "PNG" and _is_laborious_png(data)):
        raise UnsupportedImageError(
            "{name} holds a {kind} of far more parts than a picture needs. Export the film again, as an 8-bit PNG.",
            name=name,
            kind=kind,
        )


def refuse_slow(data: bytes, image: Image.Image, name: str) -> None:
    """Refuse a picture of which Pillow would make too much work or too many copies.

    Args:
        data: the bytes of the file.
        image: the same, opened but not loaded.
        name: the file's name, for messages.

    Raises:
        ImageSizeError: if a WebP has more than `MAX_WEBP_PIXELS`, or a tile of a TIFF more than `MAX_TILE_BYTES`.
        UnsupportedImageError: if it is a TIFF around a JPEG of many scans, or a large BMP of run lengths.
    """
    pixels = image.width * image.height
    if image.format == "WEBP" and pixels > MAX_WEBP_PIXELS:
        raise ImageSizeError(
            "{name} is a WebP of {width} × {height} pixels, more than {limit} million. "
            "Export the film as PNG or in a smaller size.",
            **{"name": name, "width": image.width, "height": image.height, "limit": MAX_WEBP_PIXELS // 10**6},
        )
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _tile_bytes(image) > MAX_TILE_BYTES:
        raise ImageSizeError(
            "{name} is a TIFF in tiles that take more than {limit} MiB each. Export the film as an 8-bit PNG.",
            name=name,
            limit=MAX_TILE_BYTES // 1024**2,
        )
    tile = getattr(image, "tile", [])
    has_run_lengths = bool(tile) and tile[0].codec_name == "bmp_rle"
    has_scans = False
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.info.get("compression") == "jpeg":
        tags = (TiffImagePlugin.STRIPOFFSETS, TiffImagePlugin.TILEOFFSETS)
        has_scans = _has_too_many_scans(data, sum(len(image.tag_v2.get(tag, ())) for tag in tags))
    if has_scans or (has_run_lengths and max(len(data), pixels) > MAX_RUN_LENGTH):
        raise UnsupportedImageError(
            "{name} is a large {kind} in a compression that takes too long here. Export it as an 8-bit PNG.",
            name=name,
            kind=image.format,
        )


def _tile_bytes(image: TiffImagePlugin.TiffImageFile) -> int:
    """Return the bytes of an unpacked tile; 0 for a picture in strips."""
    width, height = (image.tag_v2.get(tag, 0) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH))
    bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    samples = image.tag_v2.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
    return width * height * samples * max(bits) // 8


def _is_laborious_jpeg(data: bytes) -> bool:
    fill = 0
    for number, (_, fill_before, _) in enumerate(_segments(data), start=1):
        fill += fill_before
        if number > MAX_SEGMENTS or fill > MAX_FILL_BYTES:
            return True
    return data.startswith(b"\xff\xd8") and _has_too_many_scans(data, pictures=1)


def _has_too_many_scans(data: bytes, pictures: int) -> bool:
    # Within a scan 0xFF is followed by zero or a marker, so that no pixels are taken for the start of another.
    return data.count(b"\xff\xda") > MAX_SCANS + pictures


def _is_laborious_png(data: bytes) -> bool:
    position, chunks = 8, 0
    while position < len(data) and chunks <= MAX_CHUNKS:
        position += 12 + int.from_bytes(data[position : position + 4], "big")
        chunks += 1
    return chunks > MAX_CHUNKS


def unpack_run_lengths(frame: bytes, pixels: int, samples: int, bytes_per_sample: int) -> bytes:
    """Unpack a frame of DICOM's RLE (PS3.5 Annex G), and never more than the picture holds.

    Returns:
        The samples as little-endian integers, all of one colour before those of the next.

    Raises:
        ValueError: if the frame holds other segments than the picture has, or less than the picture.
    """
    number, *starts = struct.unpack_from("<16I", frame)
    if number != samples * bytes_per_sample or number > len(starts):
        raise ValueError("the frame has another number of segments than the picture")
    ends = [*starts[1:number], len(frame)]
    planes = [
        # The runs of all rows as one row: some writers let a run go on into the next row.
        np.asarray(Image.frombytes("L", (pixels, 1), frame[start:end], "packbits", "L")).reshape(-1)
        for start, end in zip(starts, ends, strict=False)
    ]
    # The most significant byte of a sample comes first.
    words = np.stack(planes).reshape(samples, bytes_per_sample, pixels)[:, ::-1]
    return np.ascontiguousarray(words.transpose(0, 2, 1)).tobytes()
