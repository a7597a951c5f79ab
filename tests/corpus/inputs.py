"""Bad and odd files by the hundred, each under its own name ``category/file``, the same ones every time.

Nothing is made before it is asked for: `BadInput.make` returns the bytes.
"""

import functools
import gzip
import io
import itertools
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from corpus import corpus_seeds as seeds
from corpus.corpus_seeds import (
    DEFLATED,
    EIGHT_BIT,
    EXPLICIT,
    GREY,
    HEIGHT,
    IMPLICIT,
    IN_COLOUR,
    JPEG_2000,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LS,
    LONG,
    PICTURE,
    RLE,
    SHORT,
    UNDEFINED,
    WIDTH,
    Element,
    Entry,
    bmp,
    dicom,
    element,
    encoded,
    frames,
    jpeg_with_exif,
    png,
    png_chunk,
    png_header,
    png_of_chunks,
    table,
    tiff,
    tiff_entries,
)
from PIL import Image

MEBIBYTE = 1024**2
HEADER_BYTES = 700


@dataclass(frozen=True)
class BadInput:
    """A file to be: what it is called, in which category, and how it is made."""

    name: str
    make: Callable[[], bytes]

    @property
    def category(self) -> str:
        return self.name.split("/")[0]


def inputs() -> Iterator[BadInput]:
    """Yield the whole corpus."""
    makers = (
        *(sound, truncated, flipped_bits, swapped_lengths, wrong_extension, polyglots, nothing, strangers),
        *(names, huge_headers, large_pictures, bombs, exif, png_oddities, tiff_oddities, jpeg_oddities, bmp_oddities),
        *(webp_oddities, heic_and_pdf, dicom_headers, dicom_tables, dicom_windows, dicom_structure, dicom_frames),
    )
    for maker in makers:
        for name, data in maker():
            make = data if callable(data) else functools.partial(bytes, data)
            yield BadInput(f"{maker.__name__.replace('_', ' ')}/{name}", make)


Named = Iterator[tuple[str, bytes | Callable[[], bytes]]]


# --- damage to sound files


def sound() -> Named:
    yield from seeds.sound().items()


def truncated() -> Named:
    for name, data in seeds.sound().items():
        for tenth in range(1, 10):
            yield f"{tenth}0 percent of {name}", data[: len(data) * tenth // 10]
        yield f"all but a byte of {name}", data[:-1]


def _is_slow(name: str) -> bool:
    # These are read in a process of their own, which takes half a second to start.
    return name in ("jpeg-lossless.dcm", "jpeg-ls.dcm", "grey.heic", "film.pdf")


def flipped_bits() -> Named:
    for name, data in seeds.sound().items():
        for number in range(3 if _is_slow(name) else 10):
            rng = random.Random(f"{name} {number}")
            damaged = bytearray(data)
            # Headers are a small part of a file and the part that breaks readers.
            reach = min(HEADER_BYTES, len(data)) if number % 3 else len(data)
            for _ in range(rng.randint(1, 4)):
                damaged[rng.randrange(reach)] ^= 1 << rng.randrange(8)
            yield f"{number} of {name}", bytes(damaged)


def _length_fields(name: str, data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the length fields of a file stand and how many bytes they have."""
    if name.endswith(".png"):
        position = 8
        while position < len(data):
            yield position, 4
            position += 12 + struct.unpack_from(">I", data, position)[0]
    elif name.endswith(".jpg"):
        position = 2
        while data[position + 1] != 0xDA:
            yield position + 2, 2
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
        yield position + 2, 2
    elif name.endswith(".webp"):
        yield from ((4, 4), (16, 4))
    elif name.endswith(".bmp"):
        yield from ((2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (28, 2), (34, 4), (46, 4))
    elif name.endswith(".tif") and name != "big.tif":
        start = struct.unpack_from("<I", data, 4)[0]
        yield 4, 4
        yield start, 2
        for number in range(struct.unpack_from("<H", data, start)[0]):
            yield start + 2 + 12 * number + 4, 4
            yield start + 2 + 12 * number + 8, 4
    elif name in ("explicit.dcm", "voi-table.dcm"):
        for keyword in (
            b"\x08\0\x60\0CS",
            b"\x28\0\x10\0US",
            b"\x28\0\x02\x01US",
            b"\x08\0\x16\0UI",
            b"\x02\0\x10\0UI",
        ):
            yield data.index(keyword) + 6, 2
        for keyword in (b"\x28\0\x10\x30SQ", b"\xe0\x7f\x10\0OW"):
            if keyword in data:
                yield data.index(keyword) + 8, 4


def swapped_lengths() -> Named:
    chosen = ("grey.jpg", "exif.jpg", "grey.png", "palette.png", "deep.tif", "lzw.tif", "grey.bmp", "lossy.webp")
    for name in (*chosen, "alpha.webp", "explicit.dcm", "voi-table.dcm"):
        data = seeds.sound()[name]
        for position, size in _length_fields(name, data):
            field = data[position : position + size]
            for kind, value in (("swapped", field[::-1]), ("none", bytes(size)), ("most", b"\xff" * size)):
                if value != field:
                    yield f"{kind} at {position} of {name}", data[:position] + value + data[position + size :]


def wrong_extension() -> Named:
    sound_files = seeds.sound()
    for name in ("grey.jpg", "deep.png", "float.tif", "grey.bmp", "lossy.webp", "explicit.dcm"):
        for extension in ("jpg", "png", "tif", "bmp", "webp", "dcm", "pdf", "txt", "exe"):
            if not name.endswith(extension):
                yield f"{name}.{extension}", sound_files[name]
    yield "no extension", sound_files["grey.png"]
    yield ".png", sound_files["grey.jpg"]


def polyglots() -> Named:
    files = seeds.sound()
    pdf = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
    archive = _zip()
    for tail, name in itertools.product(("pdf", "zip", "html", "dicom"), ("grey.jpg", "grey.png", "lossy.webp")):
        added = {"pdf": pdf, "zip": archive, "html": b"<script>alert(1)</script>", "dicom": files["explicit.dcm"]}[tail]
        yield f"{name} and then {tail}", files[name] + added
    for head, name in itertools.product(("pdf", "gif", "zip"), ("grey.jpg", "grey.png", "explicit.dcm")):
        before = {"pdf": pdf, "gif": _gif(), "zip": archive}[head]
        yield f"{head} and then {name}", before + files[name]
    preamble = files["grey.tif"][:128]
    yield "dicom with a tiff preamble.dcm", dicom(preamble=preamble)
    yield "dicom with a jpeg preamble.dcm", dicom(preamble=files["grey.jpg"][:128])
    yield "dicom with an executable preamble.dcm", dicom(preamble=b"MZ" + bytes(126))
    yield "png with dicom mark.png", files["grey.png"][:128] + b"DICM" + files["grey.png"][132:]
    yield "jpeg whose comment is a dicom file.jpg", _jpeg_segment(0xFE, files["explicit.dcm"])
    yield "tiff and png with one body", files["grey.tif"] + files["grey.png"]


def nothing() -> Named:
    yield "no bytes.png", b""
    for size in (1, 2, 4, 16, 131, 132, 136, 1000, 10**6):
        yield f"{size} zeros.dcm", bytes(size)
        yield f"{size} ones.jpg", b"\xff" * size
    for size in (1, 3, 8, 40, 200, 2000, 20_000):
        yield f"{size} random bytes.tif", random.Random(size).randbytes(size)
    for name in ("grey.jpg", "grey.png", "grey.tif", "big.tif", "grey.bmp", "lossy.webp", "explicit.dcm"):
        data = seeds.sound()[name]
        head = 144 if name.endswith("dcm") else 12
        yield f"the signature alone of {name}", data[:head]
        yield f"zeros behind the signature of {name}", data[:head] + bytes(5000)
        yield f"noise behind the signature of {name}", data[:head] + random.Random(name).randbytes(5000)
        yield f"half overwritten with zeros {name}", data[: len(data) // 2] + bytes(len(data) // 2)
        yield f"line ends changed {name}", data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        yield f"as utf-8 {name}", data.decode("latin-1").encode()
        yield f"twice {name}", data + data


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("film.png", seeds.sound()["grey.png"])
    return buffer.getvalue()


def _nested_zip() -> bytes:
    """Three layers of archives, whose hundred files unpack to 40 MiB each."""
    name, content = "zeros.dcm", bytes(40 * MEBIBYTE)
    for layer in (1, 10, 10):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(layer):
                archive.writestr(f"{number}{name}", content)
        name, content = "films.zip", buffer.getvalue()
    return content


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("film.png"))
    return buffer.getvalue()


def _gif() -> bytes:
    return encoded(GREY, "GIF")


def strangers() -> Named:
    yield "film.gif", _gif()
    yield "film.avif", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(2000)
    yield "film.mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(2000)
    yield "film.jp2", encoded(GREY, "JPEG2000")
    yield "film.j2k", encoded(GREY, "JPEG2000", no_jp2=True)
    yield "film.ico", encoded(GREY, "ICO")
    yield "film.ppm", encoded(GREY, "PPM")
    yield "film.tga", encoded(GREY, "TGA")
    yield "film.psd", b"8BPS\0\1" + bytes(2000)
    yield "film.exr", b"\x76\x2f\x31\x01" + bytes(2000)
    yield "film.nii", struct.pack("<I", 348) + bytes(340) + b"n+1\0" + bytes(2000)
    yield "film.npy", b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9)}" + bytes(400)
    yield "film.pkl", b"\x80\x04cos\nsystem\n(S'true'\ntR."
    yield "films.zip", _zip()
    yield "zip of zips of zeros.zip", _nested_zip
    yield "films.tar", _tar()
    yield "film.dcm.gz", gzip.compress(seeds.sound()["explicit.dcm"], mtime=0)
    yield "films.7z", b"7z\xbc\xaf\x27\x1c" + bytes(500)
    yield "page.html", b"<!doctype html><html><body><img src='film.png'></body></html>"
    yield "drawing.svg", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>"
    yield "entities.svg", b"<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;&b;'>]><svg>&c;</svg>"
    yield "note.txt", "Der Brustkorb ist unauffällig. ".encode() * 300
    yield "note utf-16.txt", "The chest is clear. ".encode("utf-16") * 300
    yield "labels.csv", b"file,label\nIM-0001.jpeg,NORMAL\n" * 400
    yield "card.json", b'{"name": "cnn", "pixels": [0, 1, 2]}' * 100
    yield "report.docx", _zip()
    yield "program.exe", b"MZ" + random.Random(2).randbytes(4000)
    yield "program", b"\x7fELF\2\1\1" + bytes(4000)
    yield "sound.wav", b"RIFF\x24\x10\0\0WAVEfmt " + bytes(4000)
    yield "film.avi", b"RIFF\x24\x10\0\0AVI LIST" + bytes(4000)
    yield "._film.dcm", b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(4000)
    yield "Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000)


def names() -> Named:
    good, bad = seeds.sound()["grey.png"], seeds.sound()["grey.png"][:900]
    odd = {
        "umlauts": "Röntgen-Thorax_Jürgen.png",
        "chinese": "胸部X光片.png",
        "arabic": "صورة الصدر.png",
        "emoji": "🫁🫁.png",
        "combining": "e\u0301" * 40 + ".png",
        "right to left override": "film\u202egnp.exe",
        "zero width": "\u200b\u200b.png",
        "surrogate": "film\udcff.png",
        "zero byte": "film\0.png",
        "line ends": "film\r\n.png",
        "tab": "film\t.png",
        "markup": "<b onclick=alert(1)>film.png",
        "markdown": "**film** [x](y).png",
        "format": "film {0} %s %n {name}.png",
        "long": "x" * 5000 + ".png",
        "very long": "ü" * 100_000 + ".png",
        "blank": " ",
        "dots": "..",
        "full stop": "film.",
        "quote": "fi'l\"m.png",
    }
    for kind, name in odd.items():
        yield f"{kind}, read/{name}", good
        yield f"{kind}, cut off/{name}", bad
    yield "windows path/C:\\films\\x.png", bad
    yield "backslashes/\\\\\\", bad


# --- what is too large


def huge_headers() -> Named:
    idat = png_chunk(b"IDAT", zlib.compress(bytes(100)))
    sides = [(65_500, 65_500), (65_500, 1000), (65_500, 600), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (1, 2**31 - 1)]
    for width, height in [*sides, (2**32 - 1, 2**32 - 1), (0, 0), (0, 100), (100, 0), (40_000_000, 1)]:
        yield f"{width} x {height}.png", png_of_chunks(png_header(width, height), idat)
        yield f"{width} x {height}.tif", tiff(tiff_entries(width, height), bytes(100))
        data = bmp(min(width, 2**31 - 1), min(height, 2**31 - 1), bytes(100))
        yield f"{width} x {height}.bmp", data
    yield "negative width.bmp", bmp(-100, 100, bytes(10_000))
    yield "negative height.bmp", bmp(100, -100, bytes(10_400))
    jpeg = encoded(GREY, "JPEG")
    start = jpeg.index(b"\xff\xc0") + 5
    canvas = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<IB3x", 10, 0)
    for width, height in ((65_535, 65_535), (65_535, 600), (0, 0), (0, 100), (100, 0), (1, 1), (6000, 6000)):
        yield f"{width} x {height}.jpg", jpeg[:start] + struct.pack(">HH", height, width) + jpeg[start + 4 :]
        yield f"{width} x {height}.dcm", dicom(Rows=height, Columns=width)
        yield (
            f"{width} x {height} compressed.dcm",
            dicom(JPEG_2000, Rows=height, Columns=width, PixelData=frames(_jpeg_2000())),
        )
        sized = struct.pack("<I", max(width, 1) - 1)[:3] + struct.pack("<I", max(height, 1) - 1)[:3]
        yield f"{width} x {height}.webp", canvas + sized + seeds.sound()["lossy.webp"][12:]
    yield "largest.webp", canvas + b"\xff" * 6 + seeds.sound()["lossy.webp"][12:]
    yield "frames too large.dcm", dicom(Rows=65_535, Columns=65_535, SamplesPerPixel=3, BitsAllocated=32)


def _strip(kind: str, width: int, height: int, mode: str = "L", **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(Image.new(mode, (width, height)), kind, **options)


def large_pictures() -> Named:
    """Yield real pictures about as large as the limit, which pack into little."""
    yield "65500 x 600.png", lambda: png(width=65_500, height=600)
    yield "65500 x 650.png", lambda: png(width=65_500, height=650)
    yield "65500 x 10.png", lambda: png(width=65_500, height=10)
    for name, depth, colour in (("deep", 16, 0), ("colour", 8, 2), ("deep alpha", 16, 6)):
        yield (
            f"{name} 8000 x 5000.png",
            lambda depth=depth, colour=colour: png(width=8000, height=5000, depth=depth, colour=colour),
        )
    yield "colour.jpg", _strip("JPEG", 8000, 5000, "RGB")
    yield "progressive.jpg", _strip("JPEG", 8000, 5000, "RGB", progressive=True)
    for mode in ("F", "I", "RGBA"):
        yield f"{mode}.tif", _strip("TIFF", 8000, 5000, mode, compression="tiff_adobe_deflate")
    yield "alpha.webp", _strip("WEBP", 4800, 4000, "RGBA", lossless=True, method=0)
    yield "lossless.webp", _strip("WEBP", 8000, 5000, "RGB", lossless=True, method=0)
    yield "black.bmp", lambda: bmp(8000, 5000, bytes(8000 * 5000))
    yield "run-length.bmp", lambda: bmp(8000, 5000, b"\xff\0" * (32 * 5000) + b"\0\1", compression=1)
    size = {"Rows": 5000, "Columns": 8000}
    window = {"WindowCenter": 100, "WindowWidth": 300, "RescaleSlope": 2, "RescaleIntercept": 5}
    ramp = np.repeat(np.arange(5000, dtype="<u2"), 8000)
    yield "windowed.dcm", lambda: dicom(DEFLATED, **size, **window, PixelData=ramp.tobytes())
    yield "spread.dcm", lambda: dicom(DEFLATED, **size, RescaleSlope=2, PixelData=ramp.tobytes())
    yield (
        "padded.dcm",
        lambda: dicom(
            DEFLATED, **size, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1", PixelData=ramp.tobytes()
        ),
    )
    colour = IN_COLOUR | size
    yield "colour.dcm", lambda: dicom(DEFLATED, **colour | {"PixelData": bytes(120_000_000)})
    yield (
        "ybr.dcm",
        lambda: dicom(DEFLATED, **colour | {"PixelData": bytes(120_000_000), "PhotometricInterpretation": "YBR_FULL"}),
    )
    run = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * (40_000_000 // 128)
    yield "run-length.dcm", lambda: dicom(RLE, **EIGHT_BIT | size | {"PixelData": frames(run)})
    yield (
        "jpeg.dcm",
        lambda: dicom(JPEG_BASELINE, **EIGHT_BIT | size | {"PixelData": frames(_strip("JPEG", 8000, 5000)())}),
    )
    yield (
        "resampled.dcm",
        lambda: dicom(DEFLATED, Rows=3000, Columns=3300, PixelAspectRatio="4\\1", PixelData=ramp[:9_900_000].tobytes()),
    )
    yield "too many bytes.png", lambda: seeds.sound()["grey.png"] + bytes(51 * MEBIBYTE)
    yield "too many bytes.dcm", lambda: dicom() + bytes(51 * MEBIBYTE)


def bombs() -> Named:
    packed = functools.cache(lambda: zlib.compress(bytes(80 * MEBIBYTE), 9))
    yield "text.png", lambda: png(png_chunk(b"zTXt", b"k\0\0" + packed()))
    yield "international text.png", lambda: png(png_chunk(b"iTXt", b"k\0\1\0\0\0" + packed()))
    yield (
        "many texts.png",
        lambda: png(
            *[png_chunk(b"zTXt", b"k%d\0\0" % number + zlib.compress(bytes(900_000))) for number in range(200)]
        ),
    )
    yield "many small texts.png", lambda: png(*[png_chunk(b"tEXt", b"k%d\0v" % number) for number in range(100_000)])
    yield "colour profile.png", lambda: png(png_chunk(b"iCCP", b"profile\0\0" + packed()))
    yield "two colour profiles.png", lambda: png(*[png_chunk(b"iCCP", b"profile\0\0" + packed())] * 2)
    yield "picture data.png", lambda: png_of_chunks(png_header(WIDTH, HEIGHT), png_chunk(b"IDAT", packed()))
    yield "transparency.png", png(png_chunk(b"tRNS", bytes(10**6)))
    yield (
        "many empty data chunks.png",
        lambda: png_of_chunks(png_header(WIDTH, HEIGHT), *[png_chunk(b"IDAT", b"")] * 300_000),
    )
    yield "many unknown chunks.png", lambda: png(*[png_chunk(b"juNK", b"")] * 300_000)
    deflater = zlib.compressobj(9, wbits=-15)
    yield (
        "deflated.dcm",
        lambda: (
            bytes(128)
            + b"DICM"
            + seeds.file_meta(DEFLATED)
            + b"".join(deflater.compress(bytes(MEBIBYTE)) for _ in range(400))
            + deflater.flush()
        ),
    )
    sixty_four = struct.pack("<16I", 1, 64, *[0] * 14)
    yield (
        "run lengths.dcm",
        lambda: dicom(RLE, **EIGHT_BIT | {"PixelData": frames(sixty_four + b"\x81\0" * 12 * MEBIBYTE)}),
    )
    yield (
        "run lengths that do nothing.dcm",
        lambda: dicom(RLE, **EIGHT_BIT | {"PixelData": frames(sixty_four + b"\x80" * 40 * MEBIBYTE)}),
    )
    yield (
        "run lengths that do nothing.bmp",
        lambda: bmp(8000, 5000, b"\0\2\0\0" * (10 * MEBIBYTE) + b"\0\1", compression=1),
    )
    yield "run lengths of one.bmp", lambda: bmp(8000, 5000, b"\1\1" * (20 * MEBIBYTE) + b"\0\1", compression=1)
    yield "scans.jpg", lambda: _many_scans(6000, 20_000)
    yield (
        "scans inside.dcm",
        lambda: dicom(
            JPEG_BASELINE, **EIGHT_BIT | {"Rows": 6000, "Columns": 6000, "PixelData": frames(_many_scans(6000, 20_000))}
        ),
    )
    yield "scans inside.tif", lambda: _tiff_around(_many_scans(6000, 20_000), 6000)
    yield (
        "many small segments.jpg",
        lambda: encoded(GREY, "JPEG")[:2] + b"\xff\xfe\0\2" * (10 * MEBIBYTE) + encoded(GREY, "JPEG")[2:],
    )
    yield "comments.jpg", lambda: _jpeg_segment(0xFE, b"x" * (20 * MEBIBYTE))
    yield "colour profile.jpg", lambda: _jpeg_segment(0xE2, b"ICC_PROFILE\0\1\xff" + b"x" * (20 * MEBIBYTE))
    yield "restarts.jpg", lambda: encoded(GREY, "JPEG")[:-2] + b"\xff\xd0" * (10 * MEBIBYTE) + b"\xff\xd9"
    yield "fill bytes.jpg", lambda: b"\xff\xd8" + b"\xff" * (40 * MEBIBYTE) + encoded(GREY, "JPEG")[2:]
    yield "many directories.tif", lambda: _chain_of_directories(200_000)
    yield "deflated strip.tif", _deflated_strip


def _many_scans(side: int, scans: int) -> bytes:
    """Write a progressive JPEG that refines nothing, scan after scan over all its blocks."""
    picture = encoded(Image.new("L", (side, side)), "JPEG", progressive=True)
    first = picture.index(b"\xff\xda")
    tables = picture.rindex(b"\xff\xc4", 0, picture.rindex(b"\xff\xda"))
    last = picture[tables:-2]
    return picture[:-2] + last * scans + b"\xff\xd9" if first < tables else picture


def _tiff_around(jpeg: bytes, side: int) -> bytes:
    return tiff(tiff_entries(side, side, Compression=7, StripByteCounts=len(jpeg)), jpeg)


def _deflated_strip() -> bytes:
    packed = zlib.compress(bytes(200 * MEBIBYTE), 9)
    return tiff(tiff_entries(Compression=8, StripByteCounts=len(packed)), packed)


def _chain_of_directories(number: int) -> bytes:
    size = 2 + 12 * 9 + 4
    body = b"".join(struct.pack("<HHII", *entry) for entry in tiff_entries())
    return b"II*\0\x08\0\0\0" + b"".join(
        struct.pack("<H", 9) + body + struct.pack("<I", 8 + size * (place + 1) if place < number - 1 else 0)
        for place in range(number)
    )


# --- EXIF


def exif() -> Named:
    def block(entries: list[Entry], data: bytes = b"", next_directory: int = 0) -> bytes:
        return tiff(entries, data, next_directory)

    upright = Entry(0x0112, SHORT, 1, 1)
    blocks = {
        "empty": b"",
        "short": b"II*\0",
        "noise": random.Random(3).randbytes(3000),
        "no entries": block([]),
        "truncated directory": block([upright])[:14],
        "directory beyond the end": b"II*\0\xff\xff\xff\x7f",
        "directory on itself": b"II*\0\0\0\0\0",
        "next directory is the first": block([upright], next_directory=8),
        "exif directory is the first": block([Entry(0x8769, LONG, 1, 8)]),
        "gps directory is the first": block([Entry(0x8825, LONG, 1, 8), Entry(0xA005, LONG, 1, 8)]),
        "thumbnail is the first": block([Entry(0x0201, LONG, 1, 8), Entry(0x0202, LONG, 1, 10**9)], next_directory=8),
        "65535 entries": block([upright] * 65_535)[:64_000],
        "count too large": block([Entry(0x010E, 2, 0xFFFFFFFF, 8)]),
        "many rationals": block([Entry(0x011A, 5, 0x1FFFFFFF, 8)]),
        "unknown type": block([Entry(0x010E, 99, 1, 8)]),
        "big endian": b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0",
    }
    for kind, value in blocks.items():
        yield f"{kind}.jpg", jpeg_with_exif(value)
        yield f"{kind}.png", png(png_chunk(b"eXIf", value))
        yield f"{kind}.webp", _webp_with_exif(value)
    orientations = {"0": 0, "8": 8, "9": 9, "65535": 65_535}
    for name, value in orientations.items():
        yield f"orientation {name}.jpg", jpeg_with_exif(block([Entry(0x0112, SHORT, 1, value)]))
    yield "orientation in words.jpg", jpeg_with_exif(block([Entry(0x0112, 2, 4, 0x00646162)]))
    yield "orientation of many values.jpg", jpeg_with_exif(block([Entry(0x0112, SHORT, 2, 0x00060006)]))
    yield "orientation as fraction.jpg", jpeg_with_exif(block([Entry(0x0112, 5, 1, 26)], bytes(8)))
    yield (
        "turned with a broken comment.jpg",
        jpeg_with_exif(block([Entry(0x0112, SHORT, 1, 6), Entry(0x9286, 7, 99, 10**8), Entry(0x8769, LONG, 1, 10**8)])),
    )
    yield "huge.jpg", lambda: jpeg_with_exif(block([upright], bytes(30 * MEBIBYTE)))
    yield "huge.png", lambda: png(png_chunk(b"eXIf", block([upright], bytes(30 * MEBIBYTE))))
    yield (
        "huge and turned.png",
        lambda: png(
            png_chunk(
                b"eXIf", block([Entry(0x0112, SHORT, 1, 3), Entry(0x927C, 7, 30 * MEBIBYTE, 38)], bytes(30 * MEBIBYTE))
            )
        ),
    )
    yield "huge.webp", lambda: _webp_with_exif(block([upright], bytes(30 * MEBIBYTE)))
    yield "raw profile.png", png(png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n    99\nzzzz"))
    yield "xmp orientation.png", png(png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation='z'/>"))


def _webp_with_exif(value: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)

    picture = seeds.sound()["lossy.webp"][12:]
    size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    body = b"WEBP" + chunk(b"VP8X", b"\x08\0\0\0" + size) + picture + chunk(b"EXIF", value)
    return chunk(b"RIFF", body)


# --- oddities of one format


def png_oddities() -> Named:
    idat = png_chunk(b"IDAT", zlib.compress(bytes(HEIGHT * (WIDTH + 1))))
    for depth, colour in itertools.product((0, 3, 8, 16, 32), (1, 2, 3, 4, 5, 7)):
        yield f"depth {depth} colour {colour}.png", png_of_chunks(png_header(WIDTH, HEIGHT, depth, colour), idat)
    header = png_header(WIDTH, HEIGHT)
    yield "no data.png", png_of_chunks(header)
    yield "no header.png", png_of_chunks(idat)
    yield "two headers.png", png_of_chunks(header, png_header(9000, 9000), idat)
    yield "data before header.png", png_of_chunks(idat, header)
    yield "too little data.png", png_of_chunks(header, png_chunk(b"IDAT", zlib.compress(bytes(40))))
    yield "data is no deflate.png", png_of_chunks(header, png_chunk(b"IDAT", b"garbage" * 50))
    yield "wrong checksum.png", png_of_chunks(header, idat[:-4] + b"\0\0\0\0")
    yield "filter of no kind.png", png_of_chunks(header, png_chunk(b"IDAT", zlib.compress(b"\x09" * HEIGHT * 81)))
    yield "interlace of no kind.png", png_of_chunks(png_header(WIDTH, HEIGHT, interlace=9), idat)
    yield "no end.png", (png_of_chunks(header, idat))[:-12]
    yield "palette missing.png", png_of_chunks(png_header(WIDTH, HEIGHT, 8, 3), idat)
    yield "palette short.png", png_of_chunks(png_header(WIDTH, HEIGHT, 8, 3), png_chunk(b"PLTE", b"\1\2"), idat)
    yield "palette long.png", png_of_chunks(png_header(WIDTH, HEIGHT, 8, 3), png_chunk(b"PLTE", bytes(3000)), idat)
    yield (
        "animated.png",
        encoded(Image.fromarray(GREY), "PNG", save_all=True, append_images=[Image.new("L", (80, 96), 7)]),
    )
    for kind, content in itertools.product((b"acTL", b"fcTL", b"fdAT", b"pHYs", b"gAMA", b"cHRM"), (b"", b"\xff" * 40)):
        yield f"{kind.decode()} of {len(content)} bytes.png", png(png_chunk(kind, content))
    yield "text without end.png", png(png_chunk(b"tEXt", b"k" * 100), png_chunk(b"zTXt", b"k\0\7zz"))


def tiff_oddities() -> Named:
    for value, name in ((np.nan, "nan"), (np.inf, "inf"), (-np.inf, "minus inf")):
        for dtype in (np.float32,):
            picture = PICTURE.astype(dtype)
            picture[5, 5] = value
            yield f"one {name}.tif", encoded(picture, "TIFF")
            yield f"all {name}.tif", encoded(np.full_like(picture, value), "TIFF")
    yield "largest floats.tif", encoded(np.where(GREY > 99, 3e38, -3e38).astype(np.float32), "TIFF")
    yield "smallest floats.tif", encoded((PICTURE * 1e-44).astype(np.float32), "TIFF")
    yield "flat floats.tif", encoded(np.full((HEIGHT, WIDTH), 7, np.float32), "TIFF")
    yield "largest integers.tif", encoded(np.where(GREY > 99, 2**31 - 1, -(2**31)).astype(np.int32), "TIFF")
    yield "loop.tif", tiff(tiff_entries(), GREY.tobytes(), next_directory=8)
    yield "next directory inside.tif", tiff(tiff_entries(), GREY.tobytes(), next_directory=20)
    yield "next directory beyond.tif", tiff(tiff_entries(), GREY.tobytes(), next_directory=10**9)
    two = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    yield "two pages.tif", encoded(two[0], "TIFF", save_all=True, append_images=two[1:])
    yield "no entries.tif", tiff([], GREY.tobytes())
    yield "65535 entries.tif", tiff([], b"").replace(b"\0\0", b"\xff\xff", 1)
    changes: dict[str, tuple[int, ...]] = {
        "BitsPerSample": (0, 1, 3, 7, 12, 16, 24, 32, 64, 65_535),
        "Compression": (0, 2, 3, 4, 5, 6, 7, 8, 34_712, 32_773, 34_925, 50_000, 50_001, 65_535),
        "PhotometricInterpretation": (0, 2, 3, 5, 6, 8, 32_844, 65_535),
        "SamplesPerPixel": (0, 2, 3, 4, 5, 65_535),
        "RowsPerStrip": (0, 1, 2**32 - 1),
        "StripOffsets": (0, 8, 2**31, 2**32 - 1),
        "StripByteCounts": (0, 1, 2**32 - 1),
    }
    for name, values in changes.items():
        for value in values:
            yield f"{name} {value}.tif", tiff(tiff_entries(**{name: value}), GREY.tobytes())
    whole = tiff_entries()
    for entry in whole:
        yield f"without {entry.tag}.tif", tiff([other for other in whole if other != entry], GREY.tobytes())
        many = entry._replace(count=0xFFFFFFFF)
        yield (
            f"{entry.tag} of many values.tif",
            tiff([many if other == entry else other for other in whole], GREY.tobytes()),
        )
        for kind in (0, 2, 5, 12, 13):
            other_type = entry._replace(type=kind)
            data = tiff([other_type if other == entry else other for other in whole], GREY.tobytes())
            yield f"{entry.tag} of type {kind}.tif", data
    tiles = [Entry(322, LONG, 1, 0), Entry(323, LONG, 1, 0), Entry(324, LONG, 1, 8), Entry(325, LONG, 1, 99)]
    yield "tiles of no size.tif", tiff(whole + tiles, GREY.tobytes())
    yield "tiles of one pixel.tif", tiff([*whole, tiles[0]._replace(value=1), tiles[1]._replace(value=1), *tiles[2:]])
    yield "tile of two billion.tif", tiff(whole[:5] + [entry._replace(value=2**31 - 1) for entry in tiles], bytes(99))
    packed = [entry._replace(value=5) if entry.tag == 259 else entry for entry in whole[:5]]
    for side in (8_192, 16_384, 46_336):
        sides = [Entry(322, LONG, 1, side), Entry(323, LONG, 1, side)]
        yield f"packed tile of {side} x {side}.tif", tiff(packed + sides + tiles[2:], bytes(99))
    yield "sample format 3.tif", tiff([*whole, Entry(339, SHORT, 1, 3)], GREY.tobytes())
    yield "fill order 2.tif", tiff([*whole, Entry(266, SHORT, 1, 2)], GREY.tobytes())
    yield "planar.tif", tiff([*tiff_entries(SamplesPerPixel=3), Entry(284, SHORT, 1, 2)], GREY.tobytes() * 3)
    yield "predictor 3.tif", tiff([*tiff_entries(Compression=5), Entry(317, SHORT, 1, 3)], GREY.tobytes())


def _jpeg_segment(marker: int, content: bytes) -> bytes:
    picture = encoded(GREY, "JPEG")
    parts = [content[start : start + 65_000] for start in range(0, len(content), 65_000)]
    return (
        picture[:2]
        + b"".join(struct.pack(">HH", 0xFF00 | marker, len(part) + 2) + part for part in parts)
        + picture[2:]
    )


def jpeg_oddities() -> Named:
    picture = encoded(GREY, "JPEG")
    for marker in (0xC0, 0xC4, 0xDB, 0xDA, 0xE0):
        start = picture.index(bytes([0xFF, marker]))
        length = struct.unpack_from(">H", picture, start + 2)[0]
        yield f"without {marker:x}.jpg", picture[:start] + picture[start + 2 + length :]
        yield f"{marker:x} twice.jpg", picture[: start + 2 + length] + picture[start:]
        yield f"{marker:x} emptied.jpg", picture[: start + 2] + b"\0\2" + picture[start + 2 + length :]
    header = picture.index(b"\xff\xc0")
    for marker in (0xC1, 0xC2, 0xC3, 0xC5, 0xC7, 0xC9, 0xCB, 0xCF, 0xF7):
        yield f"called {marker:x}.jpg", picture[: header + 1] + bytes([marker]) + picture[header + 2 :]
    for precision in (0, 1, 12, 16, 255):
        yield f"precision {precision}.jpg", picture[: header + 4] + bytes([precision]) + picture[header + 5 :]
    for components in (0, 2, 3, 4, 255):
        yield f"{components} components.jpg", picture[: header + 9] + bytes([components]) + picture[header + 10 :]
    yield "lossless.jpg", seeds.frame_of("JPEG-LL.dcm")[0]
    yield "jpeg-ls.jpg", seeds.frame_of("MR_small_jpeg_ls_lossless.dcm")[0]
    yield "nothing but ends.jpg", b"\xff\xd8\xff\xd9" * 100
    yield "no end.jpg", picture[:-2]
    yield "thumbnail alone.jpg", encoded(GREY[:20, :20], "JPEG")
    yield (
        "multi-picture.jpg",
        encoded(Image.fromarray(GREY), "MPO", save_all=True, append_images=[Image.fromarray(GREY)]),
    )
    yield "adobe mark.jpg", _jpeg_segment(0xEE, b"Adobe\0\x64\0\0\0\0\2")
    yield "resolution of nothing.jpg", picture.replace(b"JFIF\0\1\1\0\0\1\0\1", b"JFIF\0\1\1\1\0\0\0\0")
    yield "photoshop.jpg", _jpeg_segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\xff\xff\xff\xff")


def bmp_oddities() -> Named:
    data = GREY[::-1].tobytes()
    for compression, bits in itertools.product((0, 1, 2, 3, 4, 9), (0, 1, 4, 8, 15, 24, 32)):
        yield f"compression {compression} bits {bits}.bmp", bmp(WIDTH, HEIGHT, data, compression, bits)
    whole = bmp(WIDTH, HEIGHT, data)
    for size in (0, 12, 16, 64, 108, 124, 2**32 - 1):
        yield f"header of {size}.bmp", whole[:14] + struct.pack("<I", size) + whole[18:]
    for colours in (1, 257, 2**32 - 1):
        yield f"{colours} colours.bmp", whole[:46] + struct.pack("<I", colours) + whole[50:]


def webp_oddities() -> Named:
    for name in ("lossy.webp", "lossless.webp", "alpha.webp"):
        data = seeds.sound()[name]
        yield f"no chunks {name}", data[:12]
        yield f"a chunk of no kind {name}", data[:12] + b"ZZZZ" + data[16:]
        yield f"noise as picture {name}", data[:30] + random.Random(9).randbytes(len(data) - 30)
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    animated = encoded(pages[0], "WEBP", save_all=True, append_images=pages[1:])
    yield "animated.webp", animated
    yield "animated, cut off.webp", animated[: len(animated) // 2]


# --- DICOM


def _jpeg_2000() -> bytes:
    return encoded((seeds.DEEP >> 4).astype(np.uint16), "JPEG2000", no_jp2=True)


def heic_and_pdf() -> Named:
    heic, film = seeds.heic(), seeds.pdf_picture()
    size = heic.index(b"ispe") + 8
    yield "no picture.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(2000)
    for width, height in ((65500, 65500), (4000, 4000), (64, 64), (0, 0)):
        said = struct.pack(">2I", width, height)
        yield f"{width} x {height} by its header.heic", heic[:size] + said + heic[size + 8 :]
    yield "too small.heic", lambda: seeds.heic(GREY[:40])
    yield "two pictures.heic", lambda: seeds.heic(GREY, 255 - GREY)
    yield "noise.pdf", b"%PDF-1.7\n" + random.Random(1).randbytes(4000) + b"\n%%EOF"
    yield "no picture.pdf", seeds.pdf(drawn=b"0 0 100 100 re f")
    yield "two pictures.pdf", seeds.pdf(film, film)
    yield "a film and a logo.pdf", seeds.pdf(seeds.pdf_picture(np.tile(GREY, (4, 4))), film)
    yield "two pages.pdf", seeds.pdf(film, pages=2)
    yield "65500 pages.pdf", seeds.pdf(film).replace(b"/Count 1", b"/Count 65500")
    yield "turned by its page.pdf", seeds.pdf(film, page="/Rotate 90")
    script = "<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
    yield "program at its opening.pdf", seeds.pdf(film, catalog=f"/OpenAction {script}")
    yield "program by name.pdf", seeds.pdf(film, catalog=f"/Names << /JavaScript << /Names [(a) {script}] >> >>")
    attached = "<< /Type /Filespec /F (a.exe) /EF << /F 4 0 R >> >>"
    yield "file inside.pdf", seeds.pdf(film, catalog=f"/Names << /EmbeddedFiles << /Names [(a) {attached}] >> >>")
    yield "65500 x 65500.pdf", seeds.pdf(seeds.pdf_picture(Width=65500, Height=65500))
    yield "too small.pdf", seeds.pdf(seeds.pdf_picture(GREY[:40]))
    yield "less data than it says.pdf", seeds.pdf(seeds.pdf_picture(Width=6000, Height=6000))
    packed = functools.cache(lambda: zlib.compress(bytes(80 * MEBIBYTE), 9))
    yield "more data than it says.pdf", lambda: seeds.pdf(seeds.Stream(film.entries, packed()))
    yield "drawing bomb.pdf", lambda: seeds.pdf(film, drawn=b"q Q\n" * 300_000)
    itself = seeds.Stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources 5 0 R", b"/I0 Do " * 50)
    yield "form that draws itself.pdf", seeds.pdf(itself)
    jpeg = encoded(np.zeros((6000, 6000), np.uint8), "JPEG")
    yield "jpeg of another size.pdf", seeds.pdf(seeds.Stream(film.entries.replace("Flate", "DCT"), jpeg))


def dicom_headers() -> Named:
    """Yield films of which one number or word of the header is wrong."""
    numbers = (
        *("SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
        *("PlanarConfiguration",),
    )
    for keyword in numbers:
        for value in (0, 1, 2, 4, 7, 17, 33, 64, 255, 65_535):
            yield f"{keyword} {value}.dcm", dicom(**{keyword: value})
        yield f"{keyword} of two values.dcm", dicom(**{keyword: [96, 80]})
        yield f"{keyword} empty.dcm", dicom(**{keyword: b""})
        yield f"{keyword} of one byte.dcm", dicom(**{keyword: Element("US", b"\1", 1)})
        yield f"{keyword} in words.dcm", dicom(**{keyword: Element("LO", b"ninety-six")})
        yield f"{keyword} as sequence.dcm", dicom(**{keyword: seeds.sequence(b"")})
        yield f"{keyword} missing.dcm", dicom(**{keyword: None})
        yield f"{keyword} implicit, wrong.dcm", dicom(IMPLICIT, **{keyword: 3})
    for allocated, stored, high in ((8, 12, 11), (16, 17, 16), (16, 0, 0), (16, 12, 15), (16, 12, 3), (12, 12, 11)):
        yield f"bits {allocated} {stored} {high}.dcm", dicom(BitsAllocated=allocated, BitsStored=stored, HighBit=high)
    for allocated in (1, 32, 64):
        yield f"{allocated} bits allocated.dcm", dicom(BitsAllocated=allocated, PixelData=bytes(WIDTH * HEIGHT * 8))
    for photometric in (
        "",
        "RGB",
        "YBR_FULL",
        "YBR_FULL_422",
        "YBR_ICT",
        "PALETTE COLOR",
        "ARGB",
        "CMYK",
        "mono",
        "\0",
    ):
        yield f"photometric {photometric!r}.dcm", dicom(PhotometricInterpretation=photometric)
        coloured = IN_COLOUR | {"PhotometricInterpretation": photometric}
        yield f"photometric {photometric!r} in colour.dcm", dicom(**coloured)
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        for value in (Element("US", b""), Element("SS", b"\0\x80"), Element("LO", b"none"), Element("US", b"\1\2\3\4")):
            yield f"{keyword} {value.vr} {value.value.hex()}.dcm", dicom(**{"PixelPaddingValue": 0, keyword: value})
    for value in (
        "0\\0",
        "-1\\1",
        "nan\\1",
        "inf\\inf",
        "1e308\\1e-308",
        "1",
        "\\",
        "a\\b",
        "4\\1",
        "1\\4",
        "1e-320\\1e-320",
    ):
        yield f"PixelSpacing {value!r}.dcm", dicom(PixelSpacing=value)
        yield f"PixelAspectRatio {value!r}.dcm", dicom(PixelAspectRatio=value)
    for age in ("", "Y", "999Y", "-01Y", "003y", "1e9Y", "0x1Y", "٣٣٣Y"):
        yield f"age {age}.dcm", dicom(PatientAge=age)
    for date in ("00000000", "99999999", "20200230", "2020", "-0010101", "2020.01.01", "x" * 99):
        yield f"date {date}.dcm", dicom(PatientBirthDate="20150101", StudyDate=date)
    for keyword in ("Modality", "BodyPartExamined", "ViewPosition", "PatientAge", "PresentationLUTShape"):
        for kind, value in (
            ("noise", random.Random(keyword).randbytes(300)),
            ("long", b"X" * 65_000),
            ("zeros", bytes(64)),
        ):
            yield f"{keyword} {kind}.dcm", dicom(**{keyword: value})
    yield "character set of no kind.dcm", dicom(SpecificCharacterSet="ISO 9999")


def dicom_tables() -> Named:
    entries = np.arange(4096, dtype="<u2").tobytes()
    tables = {
        "claims too many": table((65_535, 0, 16), entries),
        "claims all": table((0, 0, 16), entries),
        "claims one": table((1, 0, 16), entries),
        "begins late": table((4096, 65_535, 16), entries),
        "depth 0": table((4096, 0, 0), entries),
        "depth 1": table((4096, 0, 1), entries),
        "depth 255": table((4096, 0, 255), entries),
        "depth 65535": table((4096, 0, 65_535), entries),
        "empty data": table((4096, 0, 12), b""),
        "odd data": table((4096, 0, 12), entries[:-1]),
        "all zero": table((4096, 0, 12), bytes(8192)),
        "descriptor of two": table((4096, 0), entries),
        "descriptor of none": table(b"", entries),
        "descriptor of nine": table([4096, 0, 12] * 3, entries),
        "descriptor in words": table(b"many\\zero\\12", entries, descriptor_vr="LO"),
        "signed descriptor": table((4096, 0xF800, 12), entries, descriptor_vr="SS"),
        "data in words": table((4096, 0, 12), entries, vr="LO"),
        "data as floats": table((4096, 0, 12), np.full(4096, np.nan, "<f4").tobytes(), vr="FL"),
        "data as doubles": table((2048, 0, 12), np.full(2048, 1e300, "<f8").tobytes(), vr="FD"),
        "data as sequence": table((4096, 0, 12), b"", vr="SQ"),
        "data unknown": table((4096, 0, 12), entries, vr="UN"),
        "no items": Element("SQ", b""),
        "empty item": seeds.sequence(b""),
        "no sequence": Element("OW", entries),
        "item cut off": Element("SQ", b"\xfe\xff\0\xe0\xff\xff\0\0\1\2"),
        "two items": Element("SQ", table((4096, 0, 12), entries).value * 2),
    }
    for kind, value in tables.items():
        for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
            yield f"{keyword} {kind}.dcm", dicom(**{keyword: value})
    yield "both.dcm", dicom(ModalityLUTSequence=tables["depth 0"], VOILUTSequence=tables["all zero"])
    palette = EIGHT_BIT | {"PhotometricInterpretation": "PALETTE COLOR"}
    colours = ("Red", "Green", "Blue")
    for kind, descriptor, data in (
        ("short", [256, 0, 16], bytes(10)),
        ("empty", [256, 0, 16], b""),
        ("of no entries", [0, 0, 16], bytes(512)),
        ("of depth 3", [256, 0, 3], bytes(512)),
        ("of depth 99", [256, 0, 99], bytes(512)),
        ("beginning late", [256, 60_000, 8], bytes(256)),
        ("of two numbers", [256, 0], bytes(512)),
    ):
        elements = {f"{colour}PaletteColorLookupTableDescriptor": descriptor for colour in colours}
        elements |= {f"{colour}PaletteColorLookupTableData": data for colour in colours}
        yield f"palette {kind}.dcm", dicom(**palette | elements)
        segmented = {f"Segmented{colour}PaletteColorLookupTableData": data for colour in colours}
        descriptors = {key: value for key, value in elements.items() if key.endswith("Descriptor")}
        yield f"segmented palette {kind}.dcm", dicom(**palette | descriptors | segmented)
    yield "palette missing.dcm", dicom(**palette)
    long_segment = struct.pack("<9H", 1, 65_535, 7, 1, 65_535, 9, 2, 4, 0) * 500
    elements = {f"{colour}PaletteColorLookupTableDescriptor": [256, 0, 16] for colour in colours}
    elements |= {f"Segmented{colour}PaletteColorLookupTableData": long_segment for colour in colours}
    yield "segmented palette bomb.dcm", dicom(**palette | elements)


def dicom_windows() -> Named:
    values = (
        "0",
        "1",
        "-1",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "1e-308",
        "1e400",
        "",
        "wide",
        "0x10",
        "1\\2",
        "\\",
        "1,5",
        "٣",
    )
    for value in values:
        yield f"width {value!r}.dcm", dicom(WindowCenter="2048", WindowWidth=value)
        yield f"centre {value!r}.dcm", dicom(WindowCenter=value, WindowWidth="4096")
        yield f"slope {value!r}.dcm", dicom(RescaleSlope=value, RescaleIntercept="0")
        yield f"intercept {value!r}.dcm", dicom(RescaleSlope="1", RescaleIntercept=value)
        yield f"frames {value!r}.dcm", dicom(NumberOfFrames=value)
    for function in ("SIGMOID", "LINEAR_EXACT", "linear", "CUBIC", "", "\0"):
        for width in ("0", "1e-300", "1e300"):
            elements = {"WindowCenter": "2048", "WindowWidth": width, "VOILUTFunction": function}
            yield f"function {function!r} width {width}.dcm", dicom(**elements)
    yield "window as floats.dcm", dicom(WindowCenter=Element("FD", bytes(8)), WindowWidth=Element("FD", b"\xff" * 8))
    yield "window as sequence.dcm", dicom(WindowCenter=seeds.sequence(b""), WindowWidth=seeds.sequence(b""))


def dicom_structure() -> Named:
    nest = b""
    for _ in range(2000):
        nest = element(0x00283010, Element("SQ", b"\xfe\xff\0\xe0\xff\xff\xff\xff" + nest, UNDEFINED))
    yield "sequences nested without end.dcm", dicom(VOILUTSequence=Element("SQ", nest, UNDEFINED))
    nest = b""
    for _ in range(300):
        nest = element(0x00283010, seeds.sequence(nest))
    yield "sequences nested 300 deep.dcm", dicom(VOILUTSequence=seeds.sequence(nest))
    yield "unknown sequences nested.dcm", dicom(RequestAttributesSequence=seeds.sequence(nest))
    undelimited = b"\xfe\xff\0\xe0\xff\xff\xff\xff" + element(0x00283002, Element("US", bytes(6)))
    ended = undelimited + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    yield "items of undefined length.dcm", dicom(VOILUTSequence=Element("SQ", ended, UNDEFINED))
    yield "items never ended.dcm", dicom(VOILUTSequence=Element("SQ", undelimited, UNDEFINED))
    yield "unknown of undefined length.dcm", dicom(VOILUTSequence=Element("UN", ended, UNDEFINED))
    yield "text of undefined length.dcm", dicom(Modality=Element("UT", b"DX", UNDEFINED))
    for keyword in ("PixelData", "Rows", "BitsAllocated", "SOPClassUID"):
        yield f"without {keyword}.dcm", dicom(**{keyword: None})
    for length in (0, 1, 7, 2**31, UNDEFINED - 1, UNDEFINED):
        yield f"pixel data claims {length}.dcm", dicom(PixelData=Element("OW", bytes(WIDTH * HEIGHT * 2), length))
    for size in (0, 1, 2, WIDTH * HEIGHT, WIDTH * HEIGHT * 2 - 2, WIDTH * HEIGHT * 2 + 2, WIDTH * HEIGHT * 9):
        yield f"pixel data of {size}.dcm", dicom(PixelData=bytes(size))
    for vr in ("OB", "UN", "OF", "UT", "SQ", "LO", "ZZ"):
        yield f"pixel data as {vr}.dcm", dicom(PixelData=Element(vr, bytes(WIDTH * HEIGHT * 2)))
    whole = dicom()
    start = whole.index(b"\x28\0\x02\0US")
    yield "an element of no VR.dcm", whole[:start] + b"\x28\0\x02\0\0\0\x02\0\1\0" + whole[start + 10 :]
    yield "elements in no order.dcm", whole[:start] + b"\xff\x7f\x10\0LO\2\0xx" + whole[start:]
    yield "an odd length.dcm", dicom(Modality=Element("CS", b"DXY", 3))
    yield "two headers.dcm", whole + whole
    yield "two prefixes.dcm", whole[:132] + b"DICM" + whole[132:]
    yield "no file meta.dcm", whole[:132] + whole[132 + len(seeds.file_meta(EXPLICIT)) :]
    yield "file meta alone.dcm", whole[: 132 + len(seeds.file_meta(EXPLICIT))]
    group_length = whole.index(b"UL\4\0") + 4
    for length in (0, 1, 10**6, UNDEFINED):
        yield (
            f"file meta claims {length}.dcm",
            whole[:group_length] + struct.pack("<I", length) + whole[group_length + 4 :],
        )
    for syntax in ("", "1.2.3.4.5", "1.2.840.10008.1.2.4.100", "not a syntax", "1" * 200, "1.2.840.10008.1.2.4.102"):
        yield f"transfer syntax {syntax[:30]!r}.dcm", bytes(128) + b"DICM" + seeds.file_meta(syntax) + whole[132 + 40 :]
    yield "private compression.dcm", dicom("1.2.3.4.5", PixelData=frames(random.Random(4).randbytes(900)))
    for written, claimed in itertools.permutations((IMPLICIT, EXPLICIT, DEFLATED, seeds.BIG_ENDIAN), 2):
        body = dicom(written)[132 + len(seeds.file_meta(written)) :]
        yield f"written as {written}, called {claimed}.dcm", bytes(128) + b"DICM" + seeds.file_meta(claimed) + body
    twice = dicom(DEFLATED)
    packer = zlib.compressobj(wbits=-15)
    again = packer.compress(twice) + packer.flush()
    yield "deflated twice.dcm", bytes(128) + b"DICM" + seeds.file_meta(DEFLATED) + again
    yield "many private elements.dcm", lambda: dicom(preamble=None) + b"\xe1\x7f\x10\0LO\2\0xx" * 200_000
    private = b"".join(element(0x00090010 + number, Element("LO", b"xx")) for number in range(60_000))
    at = whole.index(b"\x18\0\x15\0CS")
    yield "many elements before.dcm", lambda: whole[:at] + private + whole[at:]
    items, empty = b"\xfe\xff\0\xe0\0\0\0\0" * (5 * MEBIBYTE), b"\x28\0\x06\x30UN\0\0\0\0\0\0" * (2 * MEBIBYTE)
    for keyword in ("VOILUTSequence", "ModalityLUTSequence", "RequestAttributesSequence"):
        for length in (None, UNDEFINED):
            kind = "" if length is None else ", undefined length"
            yield (
                f"many items in {keyword}{kind}.dcm",
                lambda keyword=keyword, length=length: dicom(**{keyword: Element("SQ", items, length)}),
            )
            yield (
                f"an item of many elements in {keyword}{kind}.dcm",
                lambda keyword=keyword, length=length: dicom(
                    **{keyword: seeds.sequence(empty)._replace(length=length)}
                ),
            )
    group = element(0x00289132, seeds.sequence(empty[:MEBIBYTE]))
    yield (
        "an item of many elements in a functional group.dcm",
        dicom(PerFrameFunctionalGroupsSequence=seeds.sequence(group)),
    )
    yield "many fragments.dcm", lambda: dicom(JPEG_2000, PixelData=Element("OB", items, UNDEFINED))
    yield (
        "many windows.dcm",
        lambda: dicom(IMPLICIT, **dict.fromkeys(("WindowCenter", "WindowWidth"), b"1\\" * MEBIBYTE)),
    )
    yield (
        "many empty elements.dcm",
        lambda: dicom(IMPLICIT)[: -HEIGHT * WIDTH * 2 - 8] + b"\x31\0\x10\0\0\0\0\0" * (5 * MEBIBYTE),
    )
    yield "many elements of file meta.dcm", lambda: dicom()[:158] + b"\2\0\x16\0AE\0\0" * (5 * MEBIBYTE) + dicom()[158:]


def dicom_frames() -> Named:
    """Yield DICOM files whose compressed picture or number of frames is wrong."""
    twenty = (seeds.DEEP >> 4).tobytes() * 20
    yield "20 frames.dcm", dicom(NumberOfFrames=20, PixelData=twenty)
    yield "20 frames implicit.dcm", dicom(IMPLICIT, NumberOfFrames=20, PixelData=twenty)
    yield (
        "20 frames compressed.dcm",
        dicom(JPEG_BASELINE, NumberOfFrames=20, **EIGHT_BIT | {"PixelData": frames(*[encoded(GREY, "JPEG")] * 20)}),
    )
    yield "20 frames claimed.dcm", dicom(NumberOfFrames=20)
    yield "2147483647 frames claimed.dcm", dicom(NumberOfFrames=2**31 - 1)
    yield "20 frames unclaimed.dcm", dicom(PixelData=twenty)
    good = {
        JPEG_BASELINE: encoded(GREY, "JPEG"),
        JPEG_2000: _jpeg_2000(),
        RLE: seeds.rle_frame(seeds.DEEP >> 4),
    }
    for syntax, name in ((JPEG_BASELINE, "jpeg"), (JPEG_2000, "jpeg-2000"), (RLE, "rle")):
        elements: dict[str, Any] = EIGHT_BIT if syntax == JPEG_BASELINE else {}
        frame = good[syntax]
        contents = {
            "no frame": frames(),
            "empty frame": frames(b""),
            "zeros": frames(bytes(400)),
            "noise": frames(random.Random(name).randbytes(4000)),
            "half a frame": frames(frame[: len(frame) // 2]),
            "not encapsulated": Element("OB", frame),
            "no delimiter": frames(frame)._replace(value=frames(frame).value[:-8]),
            "offsets that lie": Element(
                "OB", b"\xfe\xff\0\xe0\4\0\0\0\xff\xff\0\0" + frames(frame).value[8:], UNDEFINED
            ),
            "a fragment that lies": Element(
                "OB", frames().value[:8] + b"\xfe\xff\0\xe0\xff\xff\xff\x7f" + frame, UNDEFINED
            ),
            "two frames": frames(frame, frame),
            "many fragments": frames(*[frame[place : place + 2] for place in range(0, 2000, 2)]),
            "raw pixels": frames(GREY.tobytes()),
        }
        for kind, value in contents.items():
            yield f"{name}, {kind}.dcm", dicom(syntax, **elements | {"PixelData": value})
        yield f"{name}, of another size.dcm", dicom(syntax, **elements | {"PixelData": frames(frame), "Rows": 200})
        yield (
            f"{name}, of another depth.dcm",
            dicom(syntax, **elements | {"PixelData": frames(frame), "BitsAllocated": 32, "BitsStored": 32}),
        )
        yield (
            f"{name}, called colour.dcm",
            dicom(syntax, **IN_COLOUR | {"PixelData": frames(frame), "PhotometricInterpretation": "YBR_FULL_422"}),
        )
        for other in good:
            if other != syntax:
                yield f"{name} called {other}.dcm", dicom(other, **elements | {"PixelData": frames(frame)})
    for file, syntax, name in (
        ("JPEG-LL.dcm", JPEG_LOSSLESS, "jpeg-lossless"),
        ("MR_small_jpeg_ls_lossless.dcm", JPEG_LS, "jpeg-ls"),
    ):
        frame, rows, columns = seeds.frame_of(file)
        size = {"Rows": rows, "Columns": columns}
        half = frame[: len(frame) // 2]
        yield f"{name}, half a frame.dcm", dicom(syntax, **size, PixelData=frames(half))
        yield f"{name}, called 8 bits.dcm", dicom(syntax, **size | EIGHT_BIT | {"PixelData": frames(frame)})
        yield f"{name}, of another size.dcm", dicom(syntax, Rows=rows * 2, Columns=columns, PixelData=frames(frame))
        yield f"{name}, noise.dcm", dicom(syntax, **size, PixelData=frames(frame[:200] + bytes(3000)))
    segments = {"none": 0, "sixteen": 16, "many": 2**32 - 1}
    for kind, number in segments.items():
        head = struct.pack("<16I", number, *[64] * 15)
        yield f"rle of {kind} segments.dcm", dicom(RLE, PixelData=frames(head + bytes(500)))
    yield "rle segments beyond the end.dcm", dicom(RLE, PixelData=frames(struct.pack("<16I", 2, 64, 10**9, *[0] * 13)))
