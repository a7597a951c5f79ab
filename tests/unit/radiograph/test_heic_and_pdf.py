"""What is read in a process of its own; the corpus holds the damaged and hostile ones."""

import io

import numpy as np
import pillow_heif
import pytest
from corpus import corpus_seeds as seeds
from fpdf import FPDF
from PIL import Image
from pypdf import PdfReader, PdfWriter

from pneumo import radiograph
from pneumo.errors import ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import decoder_process

GREY = seeds.GREY


def levels(film: radiograph.Radiograph) -> np.ndarray:
    return np.rint(film.pixels * 255).astype(int)


def test_a_heic_photograph_is_read_and_measured_like_the_same_picture_as_png() -> None:
    film = radiograph.read(seeds.heic(), "film.heic")

    assert (film.format, film.bits, film.name) == ("HEIF", 8, "film.heic")
    np.testing.assert_array_equal(levels(film), GREY)
    assert radiograph.size(seeds.heic()) == GREY.shape[::-1]


def test_a_heic_photograph_is_turned_as_the_telephone_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    film = radiograph.read(seeds.heic(exif=exif.tobytes()))

    np.testing.assert_array_equal(levels(film), np.rot90(GREY, -1))
    assert radiograph.size(seeds.heic(exif=exif.tobytes())) == GREY.shape


def test_all_bits_of_a_deep_heic_picture_are_read() -> None:
    deep = np.ascontiguousarray(np.stack([seeds.DEEP] * 3, axis=-1))
    file = pillow_heif.from_bytes(mode="RGB;16", size=GREY.shape[::-1], data=deep.tobytes())
    buffer = io.BytesIO()
    file.save(buffer, quality=-1)

    film = radiograph.read(buffer.getvalue())

    assert film.bits == 10
    assert np.abs(film.pixels - seeds.DEEP / 65535).max() < 1 / 1000


def test_other_files_of_the_same_family_are_strangers() -> None:
    for brands in (b"avif\0\0\0\0mif1avif", b"isom\0\0\2\0isomiso2", b"qt  \0\0\0\0qt  \0\0\0\0"):
        with pytest.raises(UnreadableImageError, match="not a picture that pneumo knows"):
            radiograph.read(b"\0\0\0\x18ftyp" + brands + bytes(2000))


def film_pdf(degrees: float = 0, **page: object) -> bytes:
    document = FPDF()
    document.add_page()
    document.set_font("helvetica", size=12)
    document.cell(text="Chest, frontal", **page)
    with document.rotation(degrees, 100, 100):
        document.image(Image.fromarray(GREY), 50, 50, 80)
    return bytes(document.output())


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_film_of_a_page_is_taken_in_full_resolution_and_as_it_stands_there(degrees: int) -> None:
    film = radiograph.read(film_pdf(degrees), "film.pdf")

    assert (film.format, film.bits) == ("PDF", 8)
    np.testing.assert_array_equal(levels(film), np.rot90(GREY, degrees // 90))
    assert "taken out of a PDF" in film.notes[0]
    assert radiograph.size(film_pdf(degrees)) == (film.width, film.height)


@pytest.mark.parametrize(
    ("matrix", "seen"),
    [
        ("-200 0 0 250 300 300", GREY[:, ::-1]),
        ("200 0 0 -250 50 600", GREY[::-1]),
        ("0 250 200 0 50 300", np.rot90(GREY[::-1])),
    ],
    ids=["mirrored", "upside down", "transposed"],
)
def test_a_page_may_mirror_its_film(matrix: str, seen: np.ndarray) -> None:
    film = radiograph.read(seeds.pdf(seeds.pdf_picture(), drawn=f"q {matrix} cm /I0 Do Q".encode()))

    np.testing.assert_array_equal(levels(film), seen)


def test_a_page_may_be_turned_and_store_white_as_zero() -> None:
    film = radiograph.read(seeds.pdf(seeds.pdf_picture(Decode="[1 0]"), page="/Rotate 90"))

    np.testing.assert_array_equal(levels(film), np.rot90(255 - GREY, -1))


def test_a_film_in_colour_or_as_jpeg_is_read() -> None:
    colour = radiograph.read(seeds.pdf(seeds.pdf_picture(seeds.COLOUR, ColorSpace="/DeviceRGB")))
    entries = seeds.pdf_picture().entries.replace("/FlateDecode", "/DCTDecode")
    jpeg = radiograph.read(seeds.pdf(seeds.Stream(entries, seeds.encoded(GREY, "JPEG", quality=95))))

    np.testing.assert_array_equal(levels(colour), np.asarray(Image.fromarray(seeds.COLOUR).convert("L")))
    assert np.abs(levels(jpeg) - GREY).mean() < 2


@pytest.mark.parametrize("words", [("secret", None), ("", "owner")], ids=["to open", "to change"])
def test_a_protected_pdf_is_told_as_one(words: tuple[str, str | None]) -> None:
    writer, buffer = PdfWriter(clone_from=PdfReader(io.BytesIO(film_pdf()))), io.BytesIO()
    writer.encrypt(*words)
    writer.write(buffer)

    with pytest.raises(UnsupportedImageError, match=r"protected PDF\. Save it without a password"):
        radiograph.read(buffer.getvalue())


@pytest.mark.parametrize("kind", ["HEIF", "PDF"])
def test_what_takes_too_long_costs_a_sentence(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "TIMEOUT_SECONDS", 0.001)
    data = seeds.heic() if kind == "HEIF" else seeds.pdf(seeds.pdf_picture())

    with pytest.raises(ImageSizeError, match="takes too much time or memory"):
        radiograph.read(data)
