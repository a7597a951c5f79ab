"""Small sound files of every kind that the reader takes, and the writers that put them together byte by byte.

The writers check nothing, so that they can also write what no library would.
"""

import functools
import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pillow_heif
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.pixels.encoders import RLELosslessEncoder

HEIGHT, WIDTH = 96, 80

_RAMP = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) / (HEIGHT + WIDTH - 2)
_NOISE = np.random.default_rng(5).uniform(0, 0.1, (HEIGHT, WIDTH))
PICTURE = 0.9 * _RAMP + _NOISE
GREY = (PICTURE * 255).astype(np.uint8)
DEEP = (PICTURE * 65535).astype(np.uint16)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"
UNDEFINED = 0xFFFFFFFF


def encoded(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def spread(values: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Grey values as a film without a window shows them."""
    low, high = np.percentile(values if shown is None else values[shown], (0.5, 99.5))
    return np.clip((values.astype(float) - low) / (high - low), 0, 1)


# --- HEIC and PDF


def heic(*pictures: np.ndarray, exif: bytes | None = None) -> bytes:
    file = pillow_heif.HeifFile()
    for picture in pictures or (GREY,):
        file.add_from_pillow(Image.fromarray(picture))
    buffer = io.BytesIO()
    file.save(buffer, quality=-1, exif=exif)
    return buffer.getvalue()


class Stream(NamedTuple):
    """An object of a PDF with data behind its dictionary."""

    entries: str
    data: bytes


def pdf_picture(picture: np.ndarray = GREY, **changes: object) -> Stream:
    """Return a picture as a PDF stores it, compressed; a change takes the place of what its dictionary says."""
    entries: dict[str, object] = {
        "Width": picture.shape[1],
        "Height": picture.shape[0],
        "BitsPerComponent": 8,
        "ColorSpace": "/DeviceGray",
        "Filter": "/FlateDecode",
    }
    said = " ".join(f"/{key} {value}" for key, value in (entries | changes).items())
    return Stream(f"/Type /XObject /Subtype /Image {said}", zlib.compress(picture.tobytes()))


def pdf(
    *pictures: Stream, drawn: bytes | None = None, pages: int = 1, catalog: str = "", page: str = "", more: str = ""
) -> bytes:
    """Return a PDF whose pages all draw the same pictures, each on a field of its own, unless told what is drawn."""
    fields = (f"q 200 0 0 250 {50 + 10 * number} 300 cm /I{number} Do Q\n" for number in range(len(pictures)))
    content = "".join(fields).encode() if drawn is None else drawn
    names = " ".join(f"/I{number} {5 + number} 0 R" for number in range(len(pictures)))
    kids = " ".join(["3 0 R"] * pages)
    objects: list[str | Stream] = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        f"/Resources << /XObject << {names} {more} >> >> {page} >>",
        Stream("", content),
        *pictures,
    ]
    file, places = bytearray(b"%PDF-1.7\n"), []
    for number, content_of_object in enumerate(objects, start=1):
        places.append(len(file))
        if isinstance(content_of_object, str):
            body = content_of_object.encode()
        else:
            head = f"<< {content_of_object.entries} /Length {len(content_of_object.data)} >>\nstream\n"
            body = head.encode() + content_of_object.data + b"\nendstream"
        file += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table_of_places = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table_of_places}"
    end += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"
    return bytes(file) + end.encode()


# --- PNG


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, width: int = WIDTH, height: int = HEIGHT, depth: int = 8, colour: int = 0) -> bytes:
    """Write a black PNG with chunks between its header and its data."""
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * bits + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png_of_chunks(png_header(width, height, depth, colour), *chunks, png_chunk(b"IDAT", packed))


def png_header(width: int, height: int, depth: int = 8, colour: int = 0, interlace: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png_of_chunks(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png_chunk(b"IEND", b"")


# --- TIFF


class Entry(NamedTuple):
    """An entry of a TIFF directory: its type, how many values, and the four bytes of the value or its place."""

    tag: int
    type: int
    count: int
    value: int


SHORT, LONG = 3, 4


def tiff(entries: Sequence[Entry], data: bytes = b"", next_directory: int = 0) -> bytes:
    """Write a little-endian TIFF: a header, one directory at byte 8, then the data."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", next_directory) + data


def tiff_entries(width: int = WIDTH, height: int = HEIGHT, **changes: int) -> list[Entry]:
    """Return the entries of an 8-bit grey TIFF of one strip, the values changed by name."""
    values = {
        "ImageWidth": (256, LONG, width),
        "ImageLength": (257, LONG, height),
        "BitsPerSample": (258, SHORT, 8),
        "Compression": (259, SHORT, 1),
        "PhotometricInterpretation": (262, SHORT, 1),
        "StripOffsets": (273, LONG, 8 + 2 + 12 * 9 + 4),
        "SamplesPerPixel": (277, SHORT, 1),
        "RowsPerStrip": (278, LONG, height),
        "StripByteCounts": (279, LONG, min(width * height, 2**32 - 1)),
    }
    return [Entry(tag, kind, 1, changes.get(name, value)) for name, (tag, kind, value) in values.items()]


# --- EXIF


def jpeg_with_exif(exif: bytes, picture: bytes | None = None) -> bytes:
    """Put blocks of at most 64 kB of EXIF into a JPEG, as many as it takes."""
    picture = picture or encoded(GREY, "JPEG")
    parts = [exif[start : start + 65_000] for start in range(0, len(exif), 65_000)] or [b""]
    blocks = [struct.pack(">HH", 0xFFE1, len(part) + 8) + b"Exif\0\0" + part for part in parts]
    return picture[:2] + b"".join(blocks) + picture[2:]


# --- DICOM


class Element(NamedTuple):
    """The value of a DICOM element as it stands in the file; VR and length may lie."""

    vr: str
    value: bytes
    length: int | None = None


def element(tag: int, content: Element, is_explicit: bool = True, order: str = "<") -> bytes:
    value = content.value + b"\0" * (len(content.value) % 2 if content.length is None else 0)
    length = len(value) if content.length is None else content.length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if not is_explicit:
        return head + struct.pack(f"{order}I", length) + value
    if content.vr in ("OB", "OW", "OF", "OD", "SQ", "UT", "UN", "UC", "UR"):
        return head + content.vr.encode() + struct.pack(f"{order}HI", 0, length) + value
    return head + content.vr.encode() + struct.pack(f"{order}H", length & 0xFFFF) + value


def content_of(keyword: str, value: Any, order: str = "<") -> Element:
    if isinstance(value, Element):
        return value
    vr = {"US or SS": "US", "OB or OW": "OW"}.get(dictionary_VR(keyword), dictionary_VR(keyword))
    if isinstance(value, bytes):
        return Element(vr, value)
    values = value if isinstance(value, list | tuple) else [value]
    if vr == "US":
        return Element(vr, b"".join(struct.pack(f"{order}H", int(number) & 0xFFFF) for number in values))
    return Element(vr, "\\".join(str(part) for part in values).encode() + b" " * (len(str(value)) % 2))


def sequence(*items: bytes) -> Element:
    """Write items of defined length, from elements that are encoded already."""
    return Element("SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items))


def table(descriptor: Sequence[int] | bytes, data: bytes, vr: str = "US", descriptor_vr: str = "US") -> Element:
    """Write a sequence of one look-up table."""
    packed = descriptor if isinstance(descriptor, bytes) else struct.pack(f"<{len(descriptor)}H", *descriptor)
    return sequence(
        element(0x00283002, Element(descriptor_vr, packed)) + element(0x00283006, Element(vr, data)),
    )


def frames(*fragments: bytes) -> Element:
    """Write encapsulated pixel data: an empty offset table, a fragment a frame, and the delimiter."""
    items = [b"", *(fragment + b"\0" * (len(fragment) % 2) for fragment in fragments)]
    body = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return Element("OB", body + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), UNDEFINED)


def dicom(syntax: str = EXPLICIT, preamble: bytes | None = bytes(128), **elements: Any) -> bytes:
    """Write a 12-bit film with elements changed, added, or left out where they are None.

    Args:
        syntax: the transfer syntax, which is both named and used.
        preamble: what stands before the prefix; None writes neither, nor the file meta information.
        elements: by keyword; bytes stand as they are, an `Element` may lie about its VR and length.
    """
    order = ">" if syntax == BIG_ENDIAN else "<"
    values: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
        "Modality": "DX",
        "BodyPartExamined": "CHEST",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": HEIGHT,
        "Columns": WIDTH,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": (DEEP >> 4).astype(f"{order}u2").tobytes(),
    }
    values |= elements
    body = b"".join(
        element(tag, content_of(keyword, value, order), syntax != IMPLICIT, order)
        for tag, keyword, value in sorted(
            (tag_for_keyword(keyword), keyword, value) for keyword, value in values.items()
        )
        if value is not None
    )
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-15)
        body = packer.compress(body) + packer.flush()
    return body if preamble is None else preamble + b"DICM" + file_meta(syntax) + body


def file_meta(syntax: str) -> bytes:
    uid = element(0x00020010, Element("UI", syntax.encode()))
    return element(0x00020000, Element("UL", struct.pack("<I", len(uid)))) + uid


EIGHT_BIT = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": Element("OB", GREY.tobytes())}
IN_COLOUR = {
    **EIGHT_BIT,
    "SamplesPerPixel": 3,
    "PlanarConfiguration": 0,
    "PhotometricInterpretation": "RGB",
    "PixelData": Element("OB", COLOUR.tobytes()),
}


def rle_frame(stored: np.ndarray) -> bytes:
    rows, columns = stored.shape
    return RLELosslessEncoder.encode(
        stored,
        rows=rows,
        columns=columns,
        samples_per_pixel=1,
        bits_allocated=stored.dtype.itemsize * 8,
        bits_stored=stored.dtype.itemsize * 8,
        pixel_representation=0,
        photometric_interpretation="MONOCHROME2",
        number_of_frames=1,
    )


def bit_depth(bits: int, **elements: Any) -> bytes:
    stored = (DEEP >> (16 - bits)).tobytes()
    return dicom(BitsStored=bits, HighBit=bits - 1, PixelData=stored, **elements)


@functools.cache
def real(name: str) -> bytes:
    return Path(get_testdata_file(name, download=False)).read_bytes()


@functools.cache
def frame_of(name: str) -> tuple[bytes, int, int]:
    """Return the compressed frame of a real file, its rows and its columns."""
    dataset = pydicom.dcmread(io.BytesIO(real(name)))
    return pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1), dataset.Rows, dataset.Columns


def gdcm_film(name: str, syntax: str) -> bytes:
    """Wrap a frame that only GDCM decodes into our own header."""
    frame, rows, columns = frame_of(name)
    return dicom(syntax, Rows=rows, Columns=columns, BitsStored=16, HighBit=15, PixelData=frames(frame))


@functools.cache
def sound() -> dict[str, bytes]:
    """Return a sound file of every kind, by file name."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "scanner"
    rgb = Image.fromarray(COLOUR)
    files = {
        "grey.jpg": encoded(GREY, "JPEG", quality=92),
        "colour.jpg": encoded(COLOUR, "JPEG"),
        "progressive.jpg": encoded(COLOUR, "JPEG", progressive=True),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "exif.jpg": encoded(GREY, "JPEG", exif=exif),
        "grey.png": encoded(GREY, "PNG"),
        "deep.png": encoded(DEEP, "PNG"),
        "palette.png": encoded(rgb.convert("P"), "PNG"),
        "alpha.png": encoded(rgb.convert("RGBA"), "PNG"),
        "one-bit.png": encoded(GREY > 127, "PNG"),
        "interlaced.png": _interlaced(),
        "grey.tif": encoded(GREY, "TIFF"),
        "deep.tif": encoded(DEEP, "TIFF"),
        "float.tif": encoded(PICTURE.astype(np.float32), "TIFF"),
        "lzw.tif": encoded(COLOUR, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(DEEP, "TIFF", compression="tiff_adobe_deflate"),
        "packbits.tif": encoded(GREY, "TIFF", compression="packbits"),
        "jpeg.tif": encoded(COLOUR, "TIFF", compression="jpeg"),
        "fax.tif": encoded(GREY > 127, "TIFF", compression="group4"),
        "tiled.tif": _tiled(),
        "big.tif": encoded(GREY, "TIFF", big_tiff=True),
        "grey.bmp": encoded(GREY, "BMP"),
        "colour.bmp": encoded(COLOUR, "BMP"),
        "run-length.bmp": _run_length_bmp(),
        "lossy.webp": encoded(COLOUR, "WEBP"),
        "lossless.webp": encoded(COLOUR, "WEBP", lossless=True),
        "alpha.webp": encoded(rgb.convert("RGBA"), "WEBP", exif=exif),
        "grey.heic": heic(),
        "film.pdf": pdf(pdf_picture()),
    }
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    syntaxes = {"implicit": IMPLICIT, "explicit": EXPLICIT, "deflated": DEFLATED, "big-endian": BIG_ENDIAN}
    files |= {f"{kind}.dcm": dicom(syntax, **window) for kind, syntax in syntaxes.items()}
    files |= {f"{bits}-bit.dcm": bit_depth(bits) for bits in (10, 14, 16)}
    files |= {
        "no-preamble.dcm": dicom(preamble=None),
        "implicit-no-preamble.dcm": dicom(IMPLICIT, preamble=None),
        "inverted.dcm": dicom(PhotometricInterpretation="MONOCHROME1", **window),
        "modality-table.dcm": dicom(ModalityLUTSequence=table((4096, 0, 16), DEEP.tobytes()[:8192])),
        "voi-table.dcm": dicom(VOILUTSequence=table((4096, 0, 12), np.arange(4096, dtype="<u2").tobytes())),
        "colour.dcm": dicom(**IN_COLOUR),
        "palette.dcm": dicom(
            **EIGHT_BIT | {"PhotometricInterpretation": "PALETTE COLOR"},
            **{f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16] for colour in ("Red", "Green", "Blue")},
            **{
                f"{colour}PaletteColorLookupTableData": (np.arange(256) * 257).astype("<u2").tobytes()
                for colour in ("Red", "Green", "Blue")
            },
        ),
        "rle.dcm": dicom(RLE, PixelData=frames(rle_frame(DEEP >> 4))),
        "jpeg.dcm": dicom(JPEG_BASELINE, **EIGHT_BIT | {"PixelData": frames(encoded(GREY, "JPEG"))}),
        "jpeg-2000.dcm": dicom(JPEG_2000, PixelData=frames(encoded(DEEP >> 4, "JPEG2000", no_jp2=True))),
        "jpeg-lossless.dcm": gdcm_film("JPEG-LL.dcm", JPEG_LOSSLESS),
        "jpeg-ls.dcm": gdcm_film("MR_small_jpeg_ls_lossless.dcm", JPEG_LS),
    }
    return files


def _interlaced() -> bytes:
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = [row for top, left, down, right in passes for row in GREY[top::down, left::right]]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png_of_chunks(png_header(WIDTH, HEIGHT, interlace=1), png_chunk(b"IDAT", packed))


def _tiled() -> bytes:
    padded = np.pad(GREY, ((0, 0), (0, 16)))
    tiles = [
        padded[top : top + 32, left : left + 32].tobytes() for top in range(0, 96, 32) for left in range(0, 96, 32)
    ]
    start = 8 + 2 + 12 * 10 + 4
    places = start + 2 * 4 * len(tiles)
    entries = [entry for entry in tiff_entries() if entry.tag not in (273, 278, 279)]
    entries += [Entry(322, LONG, 1, 32), Entry(323, LONG, 1, 32)]
    entries += [Entry(324, LONG, len(tiles), start), Entry(325, LONG, len(tiles), start + 4 * len(tiles))]
    data = struct.pack("<9I", *(places + 1024 * number for number in range(9))) + struct.pack("<9I", *[1024] * 9)
    return tiff(entries, data + b"".join(tiles))


def _run_length_bmp() -> bytes:
    rows = b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in GREY[::-1]) + b"\0\1"
    return bmp(WIDTH, HEIGHT, rows, compression=1)


def bmp(width: int, height: int, data: bytes, compression: int = 0, bits: int = 8) -> bytes:
    """Write a BMP with a grey palette."""
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    start = 14 + 40 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data
