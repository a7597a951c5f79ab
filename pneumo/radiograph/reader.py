"""The only door for images: bytes or a path become a `Radiograph`, or a typed error that says why not.

What a file is, its content decides and never its extension. Sizes are checked before anything is decoded.
"""

import hashlib
import io
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, TiffImagePlugin

from pneumo.errors import ImageError, ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import decoder_limits, decoder_process, grayscale
from pneumo.radiograph.decoder_limits import MAX_PIXELS, MIN_SIDE
from pneumo.sentences import say, visible

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "HEIF", "PDF", "DICOM")

# A TIFF of one film holds it in a few sizes.
MAX_PAGES = 16

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
# What is read in a process of its own; see `decoder_process`.
_APART = ("HEIF", "PDF")
# The kinds of ISO base media file that hold a HEVC picture, as telephones write it; others hold videos.
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_STRANGERS = (
    (b"PK\x03\x04", say("a ZIP archive")),
    (b"\x1f\x8b", say("a gzip archive")),
    (b"GIF8", say("a GIF picture")),
    (b"\0\0\0\x0cjP  ", say("a bare JPEG 2000 picture")),
)


@dataclass(frozen=True, eq=False)
class Radiograph:
    """A film as pneumo sees it, and what its file said of itself; nothing that names the patient.

    Attributes:
        pixels: (height, width) float32, 0…1, bright is dense tissue (bones are white); square, read-only,
            C-contiguous.
        name: the file's name as given, without its folder, and made `visible`.
        sha256: of the file's bytes, in hexadecimal.
        format: one of `FORMATS`.
        bits: bits a sample that the file stored.
        modality: from a DICOM header, such as ``"CR"`` or ``"DX"``.
        body_part: from a DICOM header, such as ``"CHEST"``.
        view_position: what a DICOM header says of the view, such as ``"PA"``, or ``"LATERAL"`` where only a code or a
            description says so.
        age_years: from a DICOM header: the patient's age, or the time from birth to study.
        pixel_aspect: height of a stored pixel over its width, from a DICOM header; where it is not 1,
            `pixels` have been resampled.
        notes: what the reader did to the picture, in plain sentences.
    """

    pixels: np.ndarray
    name: str
    sha256: str
    format: str
    bits: int
    modality: str | None = None
    body_part: str | None = None
    view_position: str | None = None
    age_years: float | None = None
    pixel_aspect: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows of `pixels`."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of `pixels`."""
        return int(self.pixels.shape[1])


def read(source: bytes | bytearray | memoryview | str | Path, name: str | None = None) -> Radiograph:
    """Read a film.

    Args:
        source: the bytes of a file, or the path of one.
        name: what to call it in messages; by default the path's last part.

    Raises:
        UnreadableImageError: if there is no such file, or it is empty, damaged, or no known picture.
        UnsupportedImageError: if it is sound, but has several frames, no picture, or needs a missing decoder.
        ImageSizeError: if the file or the picture is beyond the limits (`decoder_limits`).
        TypeError: if the source is neither bytes nor a path.
    """
    data, name = _content(source, name)
    kind = _format_of(data, name)
    with _decoding(kind, name):
        if kind == "DICOM":
            from pneumo.radiograph import dicom

            pixels, said = dicom.read(data, name)
        elif kind in _APART:
            pixels, said = _read_apart(data, kind, name)
        else:
            pixels, said = _read_picture(data, kind, name)
    pixels = np.ascontiguousarray(pixels, np.float32)
    pixels.flags.writeable = False
    return Radiograph(pixels, name, hashlib.sha256(data).hexdigest(), kind, **said)


def size(source: bytes | bytearray | memoryview | str | Path, name: str | None = None) -> tuple[int, int]:
    """Return the width and the height in pixels that a film has once it is read; no pixel is decoded.

    Args:
        source: the bytes of a file, or the path of one.
        name: what to call it in messages; by default the path's last part.

    Raises:
        ImageError: as `read` does, as far as the header tells.
        TypeError: if the source is neither bytes nor a path.
    """
    data, name = _content(source, name)
    kind = _format_of(data, name)
    with _decoding(kind, name):
        if kind == "DICOM":
            from pneumo.radiograph import dicom

            return dicom.size(dicom.parse(data, name), name)
        if kind in _APART:
            height, width = _decoded_apart(data, kind, name, size_only=True)[0].shape[:2]
            return width, height
        image = _opened(data, kind, name)
        # Pillow states the size of a TIFF as it is turned upright, and that of other pictures as they are stored.
        return image.size[::-1] if kind != "TIFF" and _lies_on_its_side(image) else image.size


def grey_levels(source: bytes | bytearray | memoryview | str | Path, name: str | None = None) -> np.ndarray:
    """Read a film, or a mask, as 8-bit grey values.

    Returns:
        (height, width) uint8, 0…255: of a grey picture of 8 bits the values that its file stores.

    Raises:
        ImageError: as `read` does.
        TypeError: if the source is neither bytes nor a path.
    """
    return np.rint(read(source, name).pixels * 255).astype(np.uint8)


class _Silence:
    """Keeps Pillow and pydicom from warning and logging while a file is decoded.

    A damaged file is answered by an error, or read. What pydicom says of it quotes what the file holds, names of
    patients included. Filters of warnings and levels of loggers belong to the process and not to a thread, so the
    first thread that decodes sets them and the last one sets them back: none speaks up because another one is done.
    """

    def __init__(self) -> None:
        self._lock, self._threads, self._undo = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._threads += 1
            if self._threads > 1:
                return
            logger = logging.getLogger("pydicom")
            self._undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
            self._undo.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"(PIL|pydicom)\.")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._threads -= 1
            if not self._threads:
                self._undo.close()


silent_decoders = _Silence()


@contextmanager
def _decoding(kind: str, name: str) -> Iterator[None]:
    if kind == "DICOM":
        # Takes a quarter of a second, which most films need not wait for, and sets the level of pydicom's logger.
        import pydicom  # noqa: F401
    with silent_decoders:
        try:
            yield
        except (ImageError, MemoryError):
            raise
        except Exception as error:
            # The decoders document no common error: damaged files raise IndexError, struct.error, …
            raise UnreadableImageError(
                "{name} is damaged, or a kind of {kind} that cannot be decoded here. Export the film again, "
                "as an 8-bit PNG if nothing else works.",
                name=name,
                kind=kind,
            ) from error


def _content(source: bytes | bytearray | memoryview | str | Path, name: str | None) -> tuple[bytes, str]:
    if isinstance(source, str | Path):
        name = _last_part(name or str(source))
        return _bytes_of(source, name), name
    name = _last_part(name or "picture")
    if memoryview(source).nbytes > decoder_limits.MAX_BYTES:
        raise _too_many_bytes(name)
    return bytes(source), name


def _last_part(name: str) -> str:
    # Browsers on Windows send backslashes, which Path leaves alone elsewhere.
    last = re.split(r"[\\/]", name.rstrip("\\/"))[-1]
    return visible(last) if last.strip() else "picture"


def _bytes_of(path: str | Path, name: str) -> bytes:
    try:
        file = Path(path)
        if file.is_dir() and not os.access(file, os.R_OK | os.X_OK):
            raise PermissionError
        if file.is_dir():
            raise UnreadableImageError("{name} is a folder. Name the image files inside it.", name=name)
        if file.is_symlink() and not file.exists():
            raise UnreadableImageError(
                "{name} is a link to a file that is not there. Mend the link, or give the film itself.", name=name
            )
        if not file.is_file():
            raise UnreadableImageError("There is no file {name}. Check the path and its spelling.", name=name)
        with file.open("rb") as stream:
            data = stream.read(decoder_limits.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UnreadableImageError(
            "{name} cannot be opened. Check its path and your permission to read it.", name=name
        ) from error
    if len(data) > decoder_limits.MAX_BYTES:
        raise _too_many_bytes(name)
    return data


def _too_many_bytes(name: str) -> ImageSizeError:
    return ImageSizeError(
        "{name} is larger than {limit} MiB. Export the film in a smaller size.",
        name=name,
        limit=decoder_limits.MAX_BYTES // 1024**2,
    )


def _format_of(data: bytes, name: str) -> str:
    if not data:
        raise UnreadableImageError("{name} is empty. Send or export it again.", name=name)
    # DICOM first: a file may carry a TIFF header in its preamble.
    if data[128:132] == b"DICM":
        return "DICOM"
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if _may_be_bare_dicom(data):
        return "DICOM"
    if data[4:8] == b"ftyp":
        # The brands stand at the start of the file, the main one first.
        brands = {data[place : place + 4] for place in range(8, min(int.from_bytes(data[:4], "big"), 256), 4)}
        if brands & _HEIF_BRANDS and b"avif" not in brands:
            return "HEIF"
    if data[:1024].lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"%PDF-"):
        return "PDF"
    stranger = next((kind for signature, kind in _STRANGERS if data.startswith(signature)), None)
    raise UnreadableImageError(
        "{name} is {stranger}. Upload a JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM file.",
        name=name,
        stranger=stranger or say("not a picture that pneumo knows"),
    )


def _may_be_bare_dicom(data: bytes) -> bool:
    # Without the prefix a file begins with an element of group 0002 or 0008, in either byte order.
    return len(data) > 16 and data[:2] in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")


def _opened(data: bytes, kind: str, name: str) -> ImageFile.ImageFile:
    """Open a picture that may be decoded, and decode nothing."""
    decoder_limits.refuse_laborious(data, kind, name)
    try:
        image = _Tiff(io.BytesIO(data)) if kind == "TIFF" else Image.open(io.BytesIO(data), formats=[kind])
        if isinstance(image, _Tiff) and image.is_animated:
            image.seek(_full_size_page(data, name))
    except Image.DecompressionBombError as error:
        raise ImageSizeError(
            "{name} has more than {limit} million pixels. Export the film in a smaller size.",
            name=name,
            limit=MAX_PIXELS // 10**6,
        ) from error
    decoder_limits.refuse_size(image.width, image.height, name)
    # A camera's JPEG may hold previews after the picture proper; PNG and WebP have true frames.
    if kind in ("PNG", "WEBP") and getattr(image, "is_animated", False):
        raise _several_pictures(name)
    decoder_limits.refuse_slow(data, image, name)
    return image


class _Tiff(TiffImagePlugin.TiffImageFile):
    """A TIFF, of two kinds more than Pillow knows.

    Attributes:
        is_negative: whether white is zero, in more than the 8 bits that Pillow turns over itself; loaded as it is.
        has_grey_and_alpha: whether a pixel has 16 bits of either; loaded as four colours, one of each byte.
    """

    is_negative = False
    has_grey_and_alpha = False

    @property
    def is_little_endian(self) -> bool:
        """Whether the lower byte of a sample comes first as Pillow loads them: libtiff turns those that it unpacks."""
        is_unpacked = self.tile[0].codec_name == "libtiff"
        return sys.byteorder == "little" if is_unpacked else self.tag_v2.prefix == b"II"

    def _setup(self) -> None:
        tags = self.tag_v2
        bits, photometric = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,)), TiffImagePlugin.PHOTOMETRIC_INTERPRETATION
        self.is_negative = tags.get(photometric) == 0 and max(bits) > 8
        if self.is_negative:
            tags[photometric] = 1
        is_chunky = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == 1
        self.has_grey_and_alpha = bits == (16, 16) and tags.get(photometric) == 1 and is_chunky
        if self.has_grey_and_alpha:
            tags[photometric], tags[TiffImagePlugin.SAMPLESPERPIXEL] = 2, 4
            tags[TiffImagePlugin.BITSPERSAMPLE], tags[TiffImagePlugin.EXTRASAMPLES] = (8,) * 4, (2,)
        super()._setup()


def _full_size_page(data: bytes, name: str) -> int:
    """Return which page of a TIFF is the film, where all others are thumbnails of it.

    Raises:
        UnsupportedImageError: if another page is more than half as wide and as high as the largest one.
    """
    sides: list[tuple[int, int]] = []
    with _Tiff(io.BytesIO(data)) as pages:
        while len(sides) < MAX_PAGES:
            try:
                pages.seek(len(sides))
            except EOFError:
                break
            except Exception:
                # Pillow has read the sides of a page before it finds that it cannot decode it.
                if len(pages.tag_v2) == 0:
                    break
            width, height = (pages.tag_v2.get(tag) for tag in (TiffImagePlugin.IMAGEWIDTH, TiffImagePlugin.IMAGELENGTH))
            if not isinstance(width, int) or not isinstance(height, int):
                break
            sides.append((width, height))
        else:
            raise _several_pictures(name)
    largest = max(range(len(sides)), key=lambda page: sides[page][0] * sides[page][1])
    films = [page for page in sides if max(page) * 2 > max(sides[largest])]
    if len(films) > 1:
        raise _several_pictures(name)
    return largest


def _several_pictures(name: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        "{name} holds several pictures. pneumo reads one film at a time: export one of them.", name=name
    )


def _lies_on_its_side(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    except Exception:  # See `_read_picture`: a damaged block is left out.
        return False


def _read_picture(data: bytes, kind: str, name: str) -> tuple[np.ndarray, dict[str, Any]]:
    image = _opened(data, kind, name)
    bits, notes = _bits_of(data, image), list[str]()
    is_negative = isinstance(image, _Tiff) and image.is_negative
    if bits > 8 and not (image.mode.startswith("I") or image.mode == "F"):
        image.close()
        pixels = grayscale.of_deep_colour(_deep_parts(data, kind, name, notes), notes)
    else:
        _settle_byte_order(image)
        image.load()
        pixels = grayscale.of_picture(_upright(image, notes), bits, name, notes, is_negative)
    return pixels, {"bits": bits, "notes": tuple(notes)}


def _settle_byte_order(image: ImageFile.ImageFile) -> None:
    # libtiff unpacks to the byte order of the machine, which Pillow forgets for signed and floating samples.
    native = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}
    image.tile = [
        tile._replace(args=(native.get(str(tile.args[0]), tile.args[0]), *tile.args[1:]))
        if tile.codec_name == "libtiff" and isinstance(tile.args, tuple)
        else tile
        for tile in image.tile
    ]


def _deep_parts(data: bytes, kind: str, name: str, notes: list[str]) -> Iterator[grayscale.DeepPart]:
    """Yield the upper and then the lower bytes of a picture of 16-bit colour: Pillow loads 8 bits of a sample."""
    for weight in (256, 1):
        image = _opened(data, kind, name)
        modes = [_raw_mode(tile, image) for tile in image.tile]
        if modes == ["LA;16B"]:
            image.tile = [image.tile[0]._replace(args="RGBA")]
        if modes == ["LA;16B"] or (isinstance(image, _Tiff) and image.has_grey_and_alpha):
            # The bytes of grey and of alpha, as if they were four colours.
            upper, lower = (1, 0) if isinstance(image, _Tiff) and image.is_little_endian else (0, 1)
            weights = np.zeros(4, np.float32)
            weights[[upper, lower]] = 256, 1
            yield grayscale.DeepPart(_upright(image, notes), weights, upper + 2)
            return
        if not all(mode[:-1].endswith(";16") for mode in modes):
            raise UnsupportedImageError(
                "{name} stores {bits} bits a sample in a kind of colour that pneumo does not read. "
                "Export the film as 16-bit grey.",
                name=name,
                bits=_bits_of(data, image),
            )
        if weight == 1:
            # The upper byte of the other byte order.
            modes = [mode[:-1] + ("L" if mode.endswith("B") else "B") for mode in modes]
        if image.mode == "RGBA" and modes[0].startswith("RGBX"):
            image._mode = "RGB"
        image.tile = [
            tile._replace(args=mode if isinstance(tile.args, str) else (mode, *(tile.args or ())[1:]))
            for tile, mode in zip(image.tile, modes, strict=True)
        ]
        alpha = 3 if image.mode == "RGBA" and weight > 1 else None
        yield grayscale.DeepPart(_upright(image, notes if weight > 1 else []), grayscale.LUMA * weight, alpha)


def _raw_mode(tile: ImageFile._Tile, image: ImageFile.ImageFile) -> str:
    """Return in which order a part of a picture of 16-bit colour holds which samples, as Pillow names it."""
    mode = tile.args if isinstance(tile.args, str) else str((tile.args or ("",))[0])
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        if image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2:
            # Pillow takes samples of 8 bits for granted where each colour stands for itself.
            order = "L" if image.tag_v2.prefix == b"II" else "B"
            return f"{mode};16{order}" if tile.codec_name == "raw" and mode in ("R", "G", "B", "A") else ""
        mode = mode.replace(";16N", ";16L" if sys.byteorder == "little" else ";16B")
    # A picture that is multiplied with its alpha is laid on black already.
    return mode.replace("RGBa;16", "RGBX;16") if mode.startswith(("RGB", "LA")) else ""


def _upright(image: Image.Image, notes: list[str]) -> Image.Image:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # As many kinds as a file can be damaged in, and none of them in the picture itself.
        notes.append(say("The EXIF block in the file is damaged; it was left out."))
    return image


def _read_apart(data: bytes, kind: str, name: str) -> tuple[np.ndarray, dict[str, Any]]:
    stored, bits = _decoded_apart(data, kind, name)
    notes = list[str]()
    if kind == "PDF":
        notes.append(say("The film was taken out of a PDF, in its full resolution."))
    return grayscale.of_picture(Image.fromarray(stored), bits, name, notes), {"bits": bits, "notes": tuple(notes)}


def _decoded_apart(data: bytes, kind: str, name: str, *, size_only: bool = False) -> tuple[np.ndarray, int]:
    try:
        return decoder_process.decode(data, kind, (MAX_PIXELS, MIN_SIDE), size_only=size_only)
    except decoder_process.RefusalError as refusal:
        raise _refused_apart(refusal, kind, name) from None


def _refused_apart(refusal: decoder_process.RefusalError, kind: str, name: str) -> ImageError:
    """Return what is told of a sound file that holds no film that can be read."""
    values = refusal.values
    if refusal.code == "size":
        try:
            decoder_limits.refuse_size(values["width"], values["height"], name)
        except ImageSizeError as error:
            return error
    if refusal.code == "several":
        return _several_pictures(name)
    if refusal.code == "protected":
        return UnsupportedImageError(
            "{name} is a protected PDF. Save it without a password, or export the film as PNG or DICOM.", name=name
        )
    if refusal.code == "active":
        return UnsupportedImageError(
            "{name} is a PDF with programs or files inside, which pneumo does not open. Export the film as PNG or "
            "DICOM.",
            name=name,
        )
    if refusal.code == "pages":
        return UnsupportedImageError(
            "{name} is a PDF of {pages} pages. pneumo reads one film at a time: save the page with the film alone.",
            name=name,
            pages=values["pages"],
        )
    if refusal.code == "pictures":
        return UnsupportedImageError(
            "{name} is a PDF with {pictures} pictures. pneumo reads one film at a time: export the film alone, as PNG "
            "or DICOM.",
            name=name,
            pictures=values["pictures"],
        )
    if refusal.code == "no_picture":
        return UnsupportedImageError(
            "{name} is a PDF without the picture of a film. Export the film itself, as PNG or DICOM.", name=name
        )
    return ImageSizeError(
        "{name} takes too much time or memory to be opened. Export the film in a smaller size, as PNG.", name=name
    )


def _bits_of(data: bytes, image: Image.Image) -> int:
    if image.format == "PNG":
        return data[24]
    if isinstance(image, _Tiff) and image.has_grey_and_alpha:
        return 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))[0])
    return 1 if image.mode == "1" else 8
