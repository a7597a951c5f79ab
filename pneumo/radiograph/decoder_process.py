"""Decode a HEIC picture, the one film in a PDF, or a DICOM picture that GDCM alone decodes, in a process of its own.

libheif, PDFium and GDCM read what strangers send, and nothing in Python bounds what they do: here they cannot end
pneumo, as GDCM does on some damaged pictures (`gdcm::Exception`, which nothing catches), nor the first two fill its
memory. Run as a script, this file is the other process: the file on standard input; on standard output a line of JSON
and after it the pixels; nothing on disk.
"""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

# A film of 12 million pixels takes about a second; the rest is room for large films on a busy machine.
TIMEOUT_SECONDS = 60
PROCESSOR_SECONDS = 30
MAX_MEMORY = 1024**3
# Logos and signatures beside a film are smaller than this share of it.
RIVAL_AREA = 0.1
# Pages that people make have a few dozen pictures, and these seldom lie deeper than in two groups.
MAX_PICTURES, MAX_DEPTH = 1000, 5

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class RefusalError(Exception):
    """Why a sound file holds no film that can be read.

    Attributes:
        code: ``size``, ``several``, ``protected``, ``active``, ``pages``, ``pictures``, ``no_picture``, ``resources``.
        values: for the sentence about it.
    """

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code, self.values = code, values


def decode(
    data: bytes, kind: str, limits: tuple[int, int] = (0, 0), *, size_only: bool = False
) -> tuple[np.ndarray, Any]:
    """Decode the film in a file.

    Args:
        data: the bytes of the file.
        kind: ``HEIF``, ``PDF`` or ``DICOM``.
        limits: the most pixels that a picture may have, and the fewest on each side; no DICOM picture is held to them.
        size_only: whether only the shape is asked for; no pixel is decoded.

    Returns:
        The picture, (height, width) uint8 or uint16, or (height, width, 3 or 4) uint8, upright; all zeros where only
        its shape was asked for. And the bits a sample that the file stores. Of DICOM the stored integers as they are,
        and their photometric interpretation.

    Raises:
        RefusalError: if the file is sound and holds no film that can be read, or takes too much time or memory.
        ValueError: if it is damaged.
    """
    # -P keeps the modules beside this file from standing in for others of the same name.
    command = [sys.executable, "-P", str(Path(__file__).resolve()), kind, *map(str, limits), str(int(size_only))]
    try:
        child = subprocess.run(  # noqa: S603  # nothing of the film is in the command
            command,
            input=data,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            # Threads of BLAS, which is not used, would take address space.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise RefusalError("resources") from None
    end = child.stdout.find(b"\n")
    if child.returncode or end < 0:
        raise RefusalError("resources") if child.returncode == -_SIGXCPU else ValueError(f"{kind} could not be decoded")
    said = json.loads(child.stdout[:end])
    if "code" in said:
        raise RefusalError(said["code"], **said["values"])
    if size_only:
        return np.broadcast_to(np.uint8(0), said["shape"]), said["fact"]
    pixels = np.frombuffer(memoryview(child.stdout)[end + 1 :], said["dtype"])
    return pixels.reshape(said["shape"]), said["fact"]


_SIGXCPU = 24


def _serve(kind: str, most_pixels: int, least_side: int, size_only: bool) -> None:
    data = sys.stdin.buffer.read()
    pixels = np.empty(0, np.uint8)
    try:
        fact: int | str
        if kind == "DICOM":
            pixels, fact = _dicom(data)
        else:
            _bound()
            read = _heif if kind == "HEIF" else _pdf
            pixels, fact = read(data, most_pixels, least_side, size_only)
        said: dict[str, Any] = {"shape": pixels.shape, "dtype": str(pixels.dtype), "fact": fact}
    except RefusalError as refusal:
        said = {"code": refusal.code, "values": refusal.values}
    except MemoryError:
        said = {"code": "resources", "values": {}}
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
    if not size_only:
        sys.stdout.buffer.write(np.ascontiguousarray(pixels).data)


def _bound() -> None:
    try:
        import resource
    except ImportError:  # Not on Windows, where the time alone is bounded.
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _refuse_size(width: int, height: int, most_pixels: int, least_side: int) -> None:
    if width * height > most_pixels or min(width, height) < least_side:
        raise RefusalError("size", width=width, height=height)


def _dicom(data: bytes) -> tuple[np.ndarray, str]:
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    options: Any = {"correct_unused_bits": False}
    decoder = pydicom.pixels.get_decoder(dataset.file_meta.TransferSyntaxUID)
    stored, properties = decoder.as_array(dataset, index=0, decoding_plugin="gdcm", **options)
    return stored, str(properties["photometric_interpretation"])


def _heif(data: bytes, most_pixels: int, least_side: int, size_only: bool) -> tuple[np.ndarray, int]:
    import pillow_heif

    # Turned as the file asks, for which libheif sees to itself.
    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    if len(file) > 1:
        raise RefusalError("several")
    picture = file[0]
    width, height = picture.size
    _refuse_size(width, height, most_pixels, least_side)
    bits = int(picture.info.get("bit_depth", 8))
    if size_only:
        return np.broadcast_to(np.uint8(0), (height, width)), bits
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint16:
        return pixels, bits
    if pixels.ndim == 2:
        return pixels, bits
    # Pillow knows no picture of 16 bits in colour. Row by row, for the memory's sake.
    grey = np.empty(pixels.shape[:2], np.uint16)
    for row, colours in zip(grey, pixels, strict=True):
        row[:] = np.rint(colours[:, :3] @ LUMA)
    return grey, bits


def _pdf(data: bytes, most_pixels: int, least_side: int, size_only: bool) -> tuple[np.ndarray, int]:
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise RefusalError("protected") from None
        raise
    if raw.FPDF_GetSecurityHandlerRevision(document) >= 0:
        raise RefusalError("protected")
    if raw.FPDFDoc_GetJavaScriptActionCount(document) or document.count_attachments():
        raise RefusalError("active")
    if b"/JavaScript" in data or b"/EmbeddedFile" in data:
        raise RefusalError("active")
    if len(document) != 1:
        raise RefusalError("pages" if len(document) else "no_picture", pages=len(document))
    page = document[0]
    sizes = []
    for number, found in enumerate(page.get_objects([raw.FPDF_PAGEOBJ_IMAGE], max_depth=MAX_DEPTH)):
        if number == MAX_PICTURES:
            raise RefusalError("pictures", pictures=number)
        width, height = found.get_px_size()
        if min(width, height) >= least_side:
            sizes.append((width * height, found))
    if not sizes:
        raise RefusalError("no_picture")
    largest = max(area for area, _ in sizes)
    films = [found for area, found in sizes if area >= RIVAL_AREA * largest]
    if len(films) > 1:
        raise RefusalError("pictures", pictures=len(films))
    width, height = films[0].get_px_size()
    _refuse_size(width, height, most_pixels, least_side)
    # As stored, in full resolution; PDFium hands out eight bits.
    stored = np.empty((height, width), np.uint8) if size_only else _bitmap(films[0])
    matrix = films[0].get_matrix()
    return np.rot90(_placed(stored, matrix.a, matrix.b, matrix.c, matrix.d), -page.get_rotation() // 90), 8


def _bitmap(image: Any) -> np.ndarray:
    bitmap = image.get_bitmap(render=False)
    pixels = bitmap.to_numpy()
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        return pixels[..., 0]
    # Blue comes first, and what is fourth is not used or a mask that the film does not need.
    return pixels[..., 2::-1] if pixels.ndim == 3 else pixels


def _placed(pixels: np.ndarray, a: float, b: float, c: float, d: float) -> np.ndarray:
    """Turn and mirror a picture as the page's matrix does (ISO 32000-1, 8.3.3), to the nearest quarter turn."""
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return pixels[:: 1 if d >= 0 else -1, :: 1 if a >= 0 else -1]
    # The picture's right edge comes to lie above or below, and its upper edge at the left or at the right.
    upright = pixels if b * c < 0 else pixels[::-1]
    return np.rot90(upright, 1 if b > 0 else -1)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1")
