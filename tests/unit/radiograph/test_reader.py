import contextlib
import csv
import functools
import hashlib
import io
import logging
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from corpus import corpus_seeds as seeds
from corpus.contract import assert_sound
from corpus.corpus_seeds import encoded, spread
from PIL import Image, ImageFile, PngImagePlugin
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_windowing
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

from pneumo.errors import ImageError, ImageSizeError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import Radiograph, decoder_limits, dicom, grey_levels, read, silent_decoders, size

HEIGHT, WIDTH = 96, 80

GREY = (np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) * 255 // (HEIGHT + WIDTH - 2)).astype(np.uint8)
DEEP = (np.arange(HEIGHT * WIDTH, dtype=np.uint32) * 65535 // (HEIGHT * WIDTH - 1)).astype(np.uint16)
DEEP = DEEP.reshape(HEIGHT, WIDTH)
TWELVE_BIT = (DEEP >> 4).astype(np.uint16)

IDENTITY = {"PatientName": "Doe^Jane", "PatientID": "4711-SECRET", "PatientBirthDate": "20150310"}


def png(array: np.ndarray) -> bytes:
    return encoded(Image.fromarray(array), "PNG")


def dataset_of(stored: np.ndarray, bits: int | None = None, **elements: object) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3"
    dataset.Modality = "DX"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel = 1 if stored.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if stored.ndim == 2 else "RGB"
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated == 8 else "OW"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dcm(stored: np.ndarray, bits: int | None = None, **elements: object) -> bytes:
    return written(dataset_of(stored, bits, **elements))


def full_window(bits: int) -> dict[str, float]:
    return {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2**bits}


def lut(entries: list[int], first: int, depth: int) -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, depth]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries
    item["LUTData"].VR = "US"
    return [item]


@functools.cache
def real_film(name: str) -> Radiograph:
    return read(get_testdata_file(name, download=False))


# --- what every film carries


def test_names_hashes_and_freezes_a_film() -> None:
    data = png(GREY)

    film = read(data, name="C:\\films\\child one.png")

    assert_sound(film)
    assert (film.name, film.format, film.bits) == ("child one.png", "PNG", 8)
    assert film.sha256 == hashlib.sha256(data).hexdigest()
    assert (film.height, film.width) == (HEIGHT, WIDTH)
    assert (film.modality, film.age_years, film.pixel_aspect, film.notes) == (None, None, 1.0, ())
    with pytest.raises(ValueError, match="read-only"):
        film.pixels[0, 0] = 1


def test_reads_paths_and_every_kind_of_bytes_alike(tmp_path: Path) -> None:
    path = tmp_path / "film.png"
    path.write_bytes(png(GREY))
    data = path.read_bytes()

    films = [read(source) for source in (path, str(path), data, bytearray(data), memoryview(data))]

    assert [film.name for film in films] == ["film.png", "film.png", "picture", "picture", "picture"]
    for film in films:
        np.testing.assert_array_equal(film.pixels, GREY / np.float32(255))


def test_trusts_the_content_over_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(png(GREY))

    assert read(path).format == "PNG"


# --- pictures that Pillow reads


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 4 / 255),
        ("PNG", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("BMP", {}, 0),
        ("WEBP", {"lossless": True}, 1 / 255),
    ],
)
def test_reads_eight_bit_grey_of_every_format(kind: str, options: dict, tolerance: float) -> None:
    film = read(encoded(Image.fromarray(GREY), kind, **options))

    assert_sound(film)
    assert (film.format, film.bits) == (kind, 8)
    np.testing.assert_allclose(film.pixels, GREY / 255, atol=tolerance + 1e-6)


def test_turns_colour_into_rec_601_luminance() -> None:
    colour = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colour[:32, :, 0], colour[32:64, :, 1], colour[64:, :, 2] = 255, 255, 255

    film = read(png(colour))

    np.testing.assert_allclose(film.pixels[[0, 40, 90], 0], [0.299, 0.587, 0.114], atol=1 / 255)
    assert any("colour" in note for note in film.notes)


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr"])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_reads_a_grey_film_saved_in_colour_as_grey(mode: str, kind: str) -> None:
    film = read(encoded(Image.fromarray(GREY).convert("RGB").convert(mode), kind))

    np.testing.assert_allclose(film.pixels, GREY / 255, atol=6 / 255)


def test_reads_a_palette_by_its_colours_and_not_by_its_indices() -> None:
    picture = Image.fromarray(255 - GREY).convert("P")
    picture.putpalette([value for index in range(256) for value in [255 - index] * 3])

    film = read(encoded(picture, "PNG"))

    np.testing.assert_allclose(film.pixels, GREY / 255, atol=1 / 255)


def test_reads_one_bit_pictures_as_black_and_white() -> None:
    film = read(encoded(Image.fromarray(GREY > 127), "PNG"))

    assert film.bits == 1
    np.testing.assert_array_equal(film.pixels, GREY > 127)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_lays_transparent_pictures_on_black(mode: str) -> None:
    picture = Image.new("L", (WIDTH, HEIGHT), 200).convert(mode)
    alpha = Image.new("L", (WIDTH, HEIGHT), 255)
    alpha.paste(0, (0, 0, 40, HEIGHT))
    picture.putalpha(alpha)

    film = read(encoded(picture, "PNG"))

    np.testing.assert_allclose(film.pixels[0, [0, 60]], [0, 200 / 255], atol=1e-6)
    assert any("transparent" in note for note in film.notes)


@pytest.mark.parametrize(("orientation", "turned"), [(3, np.rot90(GREY, 2)), (6, np.rot90(GREY, -1))])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_turns_a_film_upright_by_its_exif_orientation(kind: str, orientation: int, turned: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    film = read(encoded(Image.fromarray(GREY), kind, exif=exif))

    assert film.pixels.shape == turned.shape
    np.testing.assert_allclose(film.pixels, turned / 255, atol=4 / 255)


@pytest.mark.parametrize("orientation", [None, 1, 3, 5, 6, 7, 8, 99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
def test_the_size_is_that_of_the_film_once_it_is_read(kind: str, orientation: int | None, tmp_path: Path) -> None:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    data = encoded(Image.fromarray(GREY), kind, exif=exif)
    (tmp_path / "film").write_bytes(data)

    film = read(data)

    assert size(data) == size(tmp_path / "film") == (film.width, film.height)


@pytest.mark.parametrize("spacing", [[0.2, 0.2], [0.3, 0.2], [0.1, 0.2], [9, 0.1]])
def test_the_size_of_a_dicom_film_is_in_square_pixels(spacing: list[float]) -> None:
    data = dcm(TWELVE_BIT, 12, PixelSpacing=spacing)

    film = read(data)

    assert size(data) == (film.width, film.height)


def test_the_size_is_told_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    films = encoded(Image.fromarray(GREY), "JPEG"), dcm(TWELVE_BIT, 12)

    def fail(*_: object) -> None:
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    monkeypatch.setattr(dicom, "decode", fail)

    assert [size(film) for film in films] == [(WIDTH, HEIGHT)] * 2
    for film in films:
        with pytest.raises(UnreadableImageError):
            read(film)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF",
        png(GREY[:60]),
        seeds.png_of_chunks(seeds.png_header(70_000, 70_000)),
        seeds.png_of_chunks(seeds.png_header(7_000, 7_000)),
        encoded(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[Image.fromarray(GREY)]),
        dcm(np.zeros((60, 80), np.uint8)),
        dcm(TWELVE_BIT, 12)[:-9],
    ],
)
def test_what_is_refused_by_its_header_has_no_size(data: bytes) -> None:
    refusals = []
    for door in (read, size):
        with pytest.raises(ImageError) as refusal:
            door(data, "film")
        refusals.append((type(refusal.value), str(refusal.value)))

    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "DICOM"])
def test_the_grey_levels_are_those_that_the_file_stores(kind: str) -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(32).reshape(64, 128)
    data = dcm(levels, WindowCenter=128, WindowWidth=256) if kind == "DICOM" else encoded(Image.fromarray(levels), kind)

    read_levels = grey_levels(data)

    assert read_levels.dtype == np.uint8
    np.testing.assert_array_equal(read_levels, levels)


def test_the_grey_levels_of_a_jpeg_are_those_of_opencv() -> None:
    data = encoded(Image.fromarray(GREY), "JPEG", quality=60)

    np.testing.assert_array_equal(grey_levels(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_keeps_the_full_depth_of_sixteen_bit_grey(kind: str) -> None:
    film = read(encoded(Image.fromarray(DEEP), kind))

    assert film.bits == 16
    assert len(np.unique(film.pixels)) == DEEP.size
    np.testing.assert_allclose(film.pixels, DEEP / 65535, atol=1e-6)
    assert film.notes == ()


def test_reads_big_endian_sixteen_bit_tiff() -> None:
    film = read(encoded(Image.frombytes("I;16B", (WIDTH, HEIGHT), DEEP.astype(">u2").tobytes()), "TIFF"))

    np.testing.assert_allclose(film.pixels, DEEP / 65535, atol=1e-6)


def test_spreads_twelve_bit_values_in_a_sixteen_bit_picture() -> None:
    film = read(png(TWELVE_BIT))

    np.testing.assert_allclose(film.pixels, spread(TWELVE_BIT), atol=1e-5)
    assert any("16-bit range" in note for note in film.notes)


def test_turns_a_sixteen_bit_tiff_that_stores_white_as_zero() -> None:
    data = encoded(Image.fromarray(65535 - DEEP), "TIFF", tiffinfo={262: 0})
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.tag_v2[262] == 0

    film = read(data)

    np.testing.assert_allclose(film.pixels, DEEP / 65535, atol=1e-5)
    assert any("inverted" in note for note in film.notes)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_spreads_thirty_two_bit_tiff_between_percentiles(dtype: type) -> None:
    values = (DEEP.astype(np.float64) * 3 - 1000).astype(dtype)

    film = read(encoded(Image.fromarray(values), "TIFF"))

    assert film.bits == 32
    np.testing.assert_allclose(film.pixels, spread(values), atol=1e-4)


@pytest.mark.parametrize("level", [0, 100, 255])
def test_reads_a_picture_of_one_flat_value(level: int) -> None:
    film = read(png(np.full((HEIGHT, WIDTH), level, np.uint8)))

    np.testing.assert_allclose(film.pixels, level / 255, atol=1e-6)


# --- DICOM: storage


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_shows_the_window_of_films_of_any_depth(bits: int) -> None:
    stored = (DEEP >> (16 - bits)).astype(np.uint16)

    film = read(dcm(stored, bits, **full_window(bits)))

    assert_sound(film)
    assert (film.format, film.bits, film.modality) == ("DICOM", bits, "DX")
    np.testing.assert_allclose(film.pixels, stored / (2**bits - 1), atol=2e-3)
    assert film.notes == ()


def test_reads_signed_values() -> None:
    stored = (TWELVE_BIT.astype(np.int16) - 2048).astype(np.int16)

    film = read(dcm(stored, 12, WindowCenter=0, WindowWidth=4096))

    np.testing.assert_allclose(film.pixels, TWELVE_BIT / 4095, atol=1e-3)


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_reads_the_same_film_from_every_lossless_transfer_syntax(syntax: pydicom.uid.UID) -> None:
    dataset = dataset_of(TWELVE_BIT, 12, **full_window(12))
    expected = read(written(dataset)).pixels
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = TWELVE_BIT.astype(">u2").tobytes()
    if syntax in (RLELossless, JPEG2000Lossless):
        dataset.compress(syntax)
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)

    np.testing.assert_array_equal(read(buffer.getvalue()).pixels, expected)


def jpeg_dicom(stored: np.ndarray, frame: bytes, **elements: object) -> bytes:
    dataset = dataset_of(stored, **elements)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return written(dataset)


def test_reads_baseline_jpeg_inside_dicom() -> None:
    frame = encoded(Image.fromarray(GREY), "JPEG", quality=95)

    film = read(jpeg_dicom(GREY, frame, **full_window(8)))

    np.testing.assert_allclose(film.pixels, GREY / 255, atol=6 / 255)


@pytest.mark.parametrize("is_implicit", [True, False])
def test_reads_dicom_without_preamble_and_file_meta(is_implicit: bool) -> None:
    dataset = dataset_of(TWELVE_BIT, 12, **full_window(12))
    expected = read(written(dataset)).pixels
    del dataset.file_meta
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=is_implicit, little_endian=True)
    assert b"DICM" not in buffer.getvalue()

    film = read(buffer.getvalue())

    assert film.format == "DICOM"
    np.testing.assert_array_equal(film.pixels, expected)


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("RG1_J2KR.dcm", "RG1_UNCR.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_expb.dcm", "MR_small_implicit.dcm"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_reads_real_files_as_their_uncompressed_twins(name: str, twin: str) -> None:
    films = [real_film(name), real_film(twin)]

    assert np.ptp(films[0].pixels) > 0.5
    np.testing.assert_array_equal(films[0].pixels, films[1].pixels)


def test_reads_both_compressions_of_one_film_alike() -> None:
    lossy, plain = (real_film(f"RG1_{kind}.dcm") for kind in ("J2KR", "UNCI"))

    np.testing.assert_allclose(lossy.pixels, plain.pixels, atol=0.02)


def test_reads_lossless_jpeg() -> None:
    path = get_testdata_file("JPEG-LL.dcm", download=False)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.name.startswith("JPEG Lossless")

    film = read(path)

    assert film.pixels.shape == (1024, 256)
    assert np.ptp(film.pixels) > 0.5


def test_shows_a_real_inverted_chest_film_with_dark_lungs() -> None:
    film = read(get_testdata_file("RG1_UNCI.dcm", download=False))

    assert (film.modality, film.body_part, film.view_position) == ("CR", "CHEST", "PA")
    assert film.age_years == pytest.approx(64.4, abs=0.1)
    spine, right_lung = film.pixels[900:1100, 860:940], film.pixels[500:600, 350:450]
    assert spine.mean() > right_lung.mean() + 0.2


# --- DICOM: grey scale


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_by_the_rules_of_the_standard(function: str) -> None:
    stored = TWELVE_BIT
    dataset = dataset_of(stored, 12, WindowCenter=1900, WindowWidth=3000, VOILUTFunction=function)

    film = read(written(dataset))

    np.testing.assert_allclose(film.pixels, apply_windowing(stored, dataset) / 4095, atol=1e-4)


def test_uses_the_first_of_several_windows() -> None:
    many = read(dcm(TWELVE_BIT, 12, WindowCenter=[1700, 2300], WindowWidth=[3000, 3500]))
    first = read(dcm(TWELVE_BIT, 12, WindowCenter=1700, WindowWidth=3000))

    np.testing.assert_array_equal(many.pixels, first.pixels)


def test_applies_the_window_after_the_rescale() -> None:
    film = read(dcm(TWELVE_BIT, 12, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3095, WindowWidth=8190))

    np.testing.assert_allclose(film.pixels, TWELVE_BIT / 4095, atol=2e-3)


def test_applies_a_modality_table_before_the_window() -> None:
    reversed_table = lut(list(range(255, -1, -1)), 0, 8)

    film = read(dcm(GREY, ModalityLUTSequence=reversed_table, **full_window(8)))

    np.testing.assert_allclose(film.pixels, (255 - GREY) / 255, atol=5e-3)


def test_prefers_the_voi_table_to_the_window() -> None:
    # 12-bit values into 8-bit entries: the case that pydicom's own apply_voi wraps around.
    entries = [min(255, value // 13) for value in range(4096)]

    film = read(dcm(TWELVE_BIT, 12, VOILUTSequence=lut(entries, 0, 8), WindowCenter=2500, WindowWidth=3000))

    np.testing.assert_allclose(film.pixels, np.array(entries)[TWELVE_BIT] / 255, atol=1e-6)


def test_maps_values_outside_a_voi_table_to_its_ends() -> None:
    film = read(dcm(TWELVE_BIT, 12, VOILUTSequence=lut(list(range(1000, 4000)), 500, 12)))

    np.testing.assert_allclose(film.pixels, np.clip(TWELVE_BIT + 500.0, 1000, 3999) / 4095, atol=1e-5)


def test_spreads_a_film_without_window_between_percentiles() -> None:
    film = read(dcm(TWELVE_BIT, 12))

    np.testing.assert_allclose(film.pixels, spread(TWELVE_BIT), atol=1e-5)
    assert any("percentile" in note for note in film.notes)


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": 2048, "WindowWidth": 0},
        {"WindowCenter": 2048, "WindowWidth": 1},
        {"WindowCenter": 2048, "WindowWidth": -50},
        {"WindowCenter": 2048},
        {"WindowCenter": "1e308", "WindowWidth": "1e308"},
        {"WindowCenter": 90000, "WindowWidth": 100},
        {"VOILUTSequence": [Dataset()]},
        {"VOILUTSequence": lut([7], 0, 16)},
    ],
)
def test_falls_back_to_percentiles_and_says_so_where_the_window_is_broken(elements: dict) -> None:
    film = read(dcm(TWELVE_BIT, 12, **elements))

    np.testing.assert_allclose(film.pixels, spread(TWELVE_BIT), atol=1e-5)
    assert any("cannot be used" in note for note in film.notes)


def test_reads_a_table_that_overstates_its_depth_at_full_contrast() -> None:
    film = read(dcm(TWELVE_BIT, 12, VOILUTSequence=lut(list(range(4096)), 0, 16)))

    np.testing.assert_allclose(film.pixels, TWELVE_BIT / 4095, atol=1e-6)


def test_reads_a_table_that_begins_below_zero() -> None:
    stored = TWELVE_BIT.astype(np.int16) - np.int16(2048)

    film = read(dcm(stored, 16, VOILUTSequence=lut(list(range(4096)), 65536 - 2048, 12)))

    np.testing.assert_allclose(film.pixels, TWELVE_BIT / 4095, atol=1e-6)


def test_shows_a_flat_film_with_an_empty_table_as_finite() -> None:
    flat = np.full((HEIGHT, WIDTH), 700, np.uint16)

    assert_sound(read(dcm(flat, 12, VOILUTSequence=lut([0] * 4096, 0, 12))))


def test_falls_back_where_a_table_is_shorter_than_it_says() -> None:
    table = lut(list(range(4096)), 0, 12)
    table[0].LUTData = list(range(100))
    table[0]["LUTData"].VR = "US"

    film = read(dcm(TWELVE_BIT, 12, VOILUTSequence=table))

    np.testing.assert_allclose(film.pixels, spread(TWELVE_BIT), atol=1e-5)


def test_leaves_a_broken_rescale_out() -> None:
    film = read(dcm(TWELVE_BIT, 12, RescaleSlope=0, RescaleIntercept=5))

    np.testing.assert_allclose(film.pixels, spread(TWELVE_BIT), atol=1e-5)
    assert any("rescale" in note for note in film.notes)


@pytest.mark.parametrize(
    ("photometric", "shape", "is_inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_turns_an_inverted_film_exactly_once(photometric: str, shape: str | None, is_inverted: bool) -> None:
    elements = {"PresentationLUTShape": shape} if shape else {}

    film = read(dcm(TWELVE_BIT, 12, PhotometricInterpretation=photometric, **full_window(12), **elements))

    upright = TWELVE_BIT / 4095
    np.testing.assert_allclose(film.pixels, 1 - upright if is_inverted else upright, atol=1e-3)
    assert any("inverted" in note for note in film.notes) == is_inverted


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_shows_padding_black_and_keeps_it_out_of_the_percentiles(photometric: str, dtype: type) -> None:
    stored = (1000 + TWELVE_BIT // 8).astype(dtype)
    padding = dtype(-2000) if dtype is np.int16 else dtype(65535)
    stored[:30] = padding
    shown = stored != padding

    film = read(dcm(stored, PhotometricInterpretation=photometric, PixelPaddingValue=int(padding)))

    expected = spread(stored, shown)
    np.testing.assert_allclose(
        film.pixels[30:], (expected if photometric == "MONOCHROME2" else 1 - expected)[30:], atol=1e-4
    )
    assert not film.pixels[:30].any()
    assert any("padding" in note for note in film.notes)


def test_understands_a_padding_range() -> None:
    stored = (1000 + TWELVE_BIT // 8).astype(np.uint16)
    stored[:10], stored[10:20] = 5, 40

    film = read(dcm(stored, PixelPaddingValue=0, PixelPaddingRangeLimit=50))

    assert not film.pixels[:20].any()
    np.testing.assert_allclose(film.pixels[20:], spread(stored, stored > 50)[20:], atol=1e-4)


def test_understands_a_signed_padding_value_with_the_unsigned_representation() -> None:
    stored = (1000 + TWELVE_BIT // 8).astype(np.int16)
    stored[:10] = -2000
    dataset = dataset_of(stored)
    dataset.add_new("PixelPaddingValue", "US", 65536 - 2000)

    film = read(written(dataset))

    assert not film.pixels[:10].any()
    np.testing.assert_allclose(film.pixels[10:], spread(stored, stored > 0)[10:], atol=1e-4)


def test_reads_a_film_that_is_all_padding_as_black() -> None:
    film = read(dcm(np.full((HEIGHT, WIDTH), 7, np.uint16), PixelPaddingValue=7))

    assert not film.pixels.any()


def test_reads_flat_dicom() -> None:
    assert_sound(read(dcm(np.full((HEIGHT, WIDTH), 700, np.uint16), 12)))


@pytest.mark.parametrize("planar", [0, 1])
def test_turns_colour_secondary_captures_into_luminance(planar: int) -> None:
    colour = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)
    dataset = dataset_of(colour, PlanarConfiguration=planar)
    if planar:
        dataset.PixelData = np.ascontiguousarray(colour.transpose(2, 0, 1)).tobytes()

    film = read(written(dataset))

    np.testing.assert_allclose(film.pixels, colour @ [0.299, 0.587, 0.114] / 255, atol=1e-5)


def test_turns_full_ybr_into_luminance() -> None:
    neutral = np.stack([GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)], axis=-1)

    film = read(dcm(neutral, PhotometricInterpretation="YBR_FULL"))

    np.testing.assert_allclose(film.pixels, GREY / 255, atol=2 / 255)


# --- DICOM: header


@pytest.mark.parametrize(
    ("elements", "aspect", "shape"),
    [
        ({"PixelAspectRatio": [2, 1]}, 2.0, (HEIGHT * 2, WIDTH)),
        ({"PixelAspectRatio": [1, 2]}, 0.5, (HEIGHT, WIDTH * 2)),
        ({"ImagerPixelSpacing": [0.3, 0.2]}, 1.5, (HEIGHT * 3 // 2, WIDTH)),
        ({"PixelSpacing": [0.2, 0.2], "PixelAspectRatio": [2, 1]}, 1.0, (HEIGHT, WIDTH)),
        ({"PixelSpacing": [0.1430, 0.1431]}, 1.0, (HEIGHT, WIDTH)),
        ({"PixelAspectRatio": [1, 90000]}, 1.0, (HEIGHT, WIDTH)),
        ({"PixelAspectRatio": [0, 1]}, 1.0, (HEIGHT, WIDTH)),
    ],
)
def test_brings_films_to_square_pixels(elements: dict, aspect: float, shape: tuple[int, int]) -> None:
    film = read(dcm(TWELVE_BIT, 12, **full_window(12), **elements))

    assert_sound(film)
    assert film.pixel_aspect == pytest.approx(aspect)
    assert film.pixels.shape == shape
    assert any("resampled" in note for note in film.notes) == (aspect != 1)
    assert film.pixels.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("elements", "age"),
    [
        ({"PatientAge": "003Y"}, 3.0),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientAge": "026W"}, 0.5),
        ({"PatientAge": "010D"}, 0.027),
        ({"PatientAge": "abc", "PatientBirthDate": "20150310", "StudyDate": "20180912"}, 3.5),
        ({"PatientBirthDate": "20150310", "StudyDate": "", "AcquisitionDate": "20160311"}, 1.0),
        ({"PatientBirthDate": "20150310"}, None),
        ({"PatientBirthDate": "20150310", "StudyDate": "20140101"}, None),
        ({"PatientBirthDate": "17000101", "StudyDate": "20140101"}, None),
        ({"PatientBirthDate": "2015", "StudyDate": "20140101"}, None),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tells_the_age(elements: dict, age: float | None) -> None:
    film = read(dcm(TWELVE_BIT, 12, **elements))

    assert film.age_years == (None if age is None else pytest.approx(age, abs=0.01))


def test_keeps_nothing_that_names_the_patient(caplog: pytest.LogCaptureFixture) -> None:
    elements = {**IDENTITY, "StudyDate": "20180912", "PatientComments": "Doe", "BodyPartExamined": "CHEST"}
    data = dcm(TWELVE_BIT, 12, **elements)

    film = read(data, name="film.dcm")
    with pytest.raises(UnreadableImageError) as cut_off:
        read(data[: len(data) // 2], name="film.dcm")

    told = f"{film!r}{film.notes}{caplog.text}{cut_off.value!r}{cut_off.value.__cause__!r}"
    assert film.body_part == "CHEST"
    for secret in ("Doe", "4711", "20150310", "20180912"):
        assert secret not in told


def silence() -> tuple[object, ...]:
    return list(warnings.filters), logging.getLogger("pydicom").level


def test_reading_leaves_warnings_and_logs_as_they_were() -> None:
    before = silence()
    bad_name = dcm(TWELVE_BIT, 12, **full_window(12)).replace(b"1.2.3\0", b"1.x.y\0")

    for data in (png(GREY), bad_name, bad_name[:-9], b"%PDF"):
        with contextlib.suppress(ImageError):
            read(data)
        assert silence() == before


def test_importing_changes_neither_warnings_nor_logs() -> None:
    code = (
        "import logging, warnings, pydicom, numpy, PIL.Image\n"
        "def state():\n"
        "    ours = {str(each) for each in warnings.filters if 'PIL' in str(each) or 'pydicom' in str(each)}\n"
        "    return ours, logging.getLogger('pydicom').level\n"
        "before = state()\n"
        "import pneumo.radiograph.dicom\n"
        "assert state() == before\n"
    )

    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_thread_speaks_up_because_another_one_is_done(caplog: pytest.LogCaptureFixture) -> None:
    before = silence()
    inside, leave = threading.Event(), threading.Event()

    def decode_for_long() -> None:
        with silent_decoders:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=decode_for_long)
    with warnings.catch_warnings(record=True) as warned:
        thread.start()
        inside.wait(10)
        with silent_decoders:
            pass
        warnings.warn_explicit("Doe^Jane", UserWarning, "valuerep.py", 1, module="pydicom.valuerep")
        logging.getLogger("pydicom.pixels").warning("Doe^Jane")
        leave.set()
        thread.join()

    assert warned == []
    assert "Doe" not in caplog.text
    assert silence() == before


# --- what is refused


def test_explains_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match=r"no file lost\.png"):
        read(tmp_path / "lost.png")
    with pytest.raises(UnreadableImageError, match="folder"):
        read(tmp_path)
    for path in ("nul\0byte.png", "x" * 5000):
        with pytest.raises(UnreadableImageError):
            read(path)


def test_refuses_dicom_without_a_picture() -> None:
    with pytest.raises(UnsupportedImageError, match="without a picture"):
        read(get_testdata_file("rtplan.dcm", download=False))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.3.4.5", JPEGExtended12Bit])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_says_where_a_decoder_is_missing(syntax: str) -> None:
    if syntax == JPEGExtended12Bit:
        data = Path(get_testdata_file("JPEG-lossy.dcm", download=False)).read_bytes()
    else:
        dataset = dataset_of(TWELVE_BIT, 12)
        dataset.PixelData = encapsulate([b"\0" * 100])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True)
        data = buffer.getvalue()

    with pytest.raises(UnsupportedImageError, match="no decoder"):
        read(data)


def test_refuses_samples_wider_than_any_film_has() -> None:
    with pytest.raises(UnsupportedImageError, match="32 bits"):
        read(get_testdata_file("SC_rgb_rle_32bit.dcm", download=False))


@pytest.mark.parametrize(("name", "offset"), [("SC_rgb_jpeg_gdcm.dcm", 19), ("JPEG-LL.dcm", 13), ("JPEG-LL.dcm", 4)])
@pytest.mark.filterwarnings("ignore")
def test_survives_pictures_on_which_gdcm_ends_its_process(name: str, offset: int) -> None:
    data = bytearray(Path(get_testdata_file(name, download=False)).read_bytes())
    frame_header = data.index(b"\xff\xc3", data.index(b"\xff\xd8\xff"))
    # Found by flipping bits: GDCM 3.2 ends by SIGABRT or, at offset 4, by SIGSEGV.
    data[frame_header + offset] ^= 3

    with pytest.raises(UnreadableImageError):
        read(bytes(data))


# --- limits


@pytest.mark.parametrize(("side", "is_read"), [(63, False), (64, True)])
def test_refuses_thumbnails(side: int, is_read: bool) -> None:
    for data in (png(DEEP[:side, :80]), dcm(np.ascontiguousarray(DEEP[:80, :side]))):
        if is_read:
            assert min(read(data).pixels.shape) == 64
        else:
            with pytest.raises(ImageSizeError, match="original"):
                read(data)


def test_refuses_files_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_limits, "MAX_BYTES", 2 * 1024**2)
    path = tmp_path / "film.png"
    path.write_bytes(png(GREY) + bytes(2 * 1024**2))

    for source in (path, path.read_bytes()):
        with pytest.raises(ImageSizeError, match="2 MiB"):
            read(source)


def test_reads_pictures_with_ordinary_text() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "scanner")

    assert read(encoded(Image.fromarray(GREY), "PNG", pnginfo=info)).pixels.shape == GREY.shape


def test_tells_a_header_cut_off_within_an_element_from_a_file_without_picture() -> None:
    data = dcm(TWELVE_BIT, 12)

    with pytest.raises(UnreadableImageError, match="cut off"):
        read(data[: data.index(b"\xe0\x7f\x10\0") - 5])


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_refuses_a_codestream_larger_than_its_header_says(kind: str) -> None:
    large = encoded(Image.new("L", (3000, 3000)), kind, **({"no_jp2": True} if kind == "JPEG2000" else {}))
    data = jpeg_dicom(GREY, large)
    if kind == "JPEG2000":
        data = data.replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.90")

    with pytest.raises(UnreadableImageError, match="not the one that its header describes"):
        read(data)


# --- the real films beside the project


@pytest.mark.shared
def test_reads_the_real_dicom_films_as_their_labels_say(shared_data: Path) -> None:
    folder = shared_data / "dicom"
    with (folder / "labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))

    films = {row["file"]: read(folder / row["file"]) for row in rows}

    for row in rows:
        film = films[row["file"]]
        assert_sound(film)
        assert (film.height, film.width) == (int(row["rows"]), int(row["cols"]))
        assert (film.bits, film.modality) == (int(row["bits_stored"]), row["modality"])
        assert (film.view_position or "") == row["view"]
        assert any("inverted" in note for note in film.notes) == (row["photometric"] == "MONOCHROME1")
    plain, wrong = films["cr_jpeg_baseline.dcm"], films["cr_wrong_mono1_header.dcm"]
    np.testing.assert_allclose(wrong.pixels, 1 - plain.pixels, atol=1e-6)
    # The mediastinum is denser than the lungs beside it in every film whose header tells the truth.
    for name, film in films.items():
        if name != "cr_wrong_mono1_header.dcm":
            middle = film.pixels[film.height // 2]
            centre = middle[film.width * 47 // 100 : film.width * 53 // 100].mean()
            assert centre > middle[film.width // 4 : film.width // 3].mean() + 0.1


@pytest.mark.shared
def test_reads_the_original_films(shared_data: Path) -> None:
    paths = sorted((shared_data / "originals").glob("*/*.jpeg"))[::6]

    assert paths
    for path in paths:
        film = read(path)
        assert_sound(film)
        assert (film.format, film.bits, film.name) == ("JPEG", 8, path.name)
        assert np.ptp(film.pixels) > 0.5
