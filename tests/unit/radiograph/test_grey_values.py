"""Grey values and pictures as clinics really send them: each kind beside a sound twin of the same film."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from corpus import corpus_seeds as seeds
from corpus.corpus_seeds import Element, dicom, element, frames, sequence, spread, table
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from pneumo.errors import UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import read

HEIGHT, WIDTH = seeds.HEIGHT, seeds.WIDTH
STORED = (seeds.DEEP >> 4).astype(np.uint16)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
SOUND = dicom(**WINDOW)
TWIN = read(SOUND).pixels
# Overlays, lines of text: a twentieth of the picture.
DRAWING = np.zeros((HEIGHT, WIDTH), bool)
DRAWING[40:45] = True

PRIVATE, GE_PRIVATE, UNCOMPRESSED = "1.2.3.4.5", "1.2.840.113619.5.2", "1.2.840.10008.1.2.1.98"


def words(stored: np.ndarray) -> bytes:
    return stored.astype("<u2").tobytes()


def jpeg_2000(stored: np.ndarray = STORED) -> bytes:
    return seeds.encoded(stored, "JPEG2000", no_jp2=True)


def without_delimiter(*fragments: bytes) -> Element:
    whole = frames(*fragments)
    return whole._replace(value=whole.value[:-8])


def compressed(stored: np.ndarray, syntax: str, **elements: object) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(dicom(PixelData=words(stored), BitsStored=16, HighBit=15)))
    dataset.compress(syntax)
    dataset.BitsStored, dataset.HighBit = 12, 11
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


# --- what follows a picture, and how it is wrapped


@pytest.mark.parametrize(
    "rest",
    [
        b"\r\n--MIMEBOUNDARY--\r\n",
        words(STORED[:5]),
        b"\xe1\x7f\x10\x00LO\x06\x00vendor\xe1\x7f\x10\x10UN\x00\x00\xff\xff\x00\x00",
        bytes(2000),
        b"\0",
    ],
    ids=["boundary", "pixels", "private elements", "padding", "one byte"],
)
@pytest.mark.parametrize(
    "film",
    [SOUND, dicom(seeds.IMPLICIT, **WINDOW), dicom(seeds.JPEG_2000, PixelData=frames(jpeg_2000()), **WINDOW)],
    ids=["explicit", "implicit", "JPEG 2000"],
)
def test_what_follows_a_complete_picture_is_no_damage(film: bytes, rest: bytes) -> None:
    np.testing.assert_array_equal(read(film + rest).pixels, TWIN)


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [(seeds.JPEG_2000, jpeg_2000()), (seeds.RLE, seeds.rle_frame(STORED)), (UNCOMPRESSED, words(STORED))],
)
def test_reads_a_compressed_picture_without_its_delimiter(syntax: str, frame: bytes) -> None:
    film = read(dicom(syntax, PixelData=without_delimiter(frame), **WINDOW))

    np.testing.assert_array_equal(film.pixels, TWIN)


def test_a_compressed_picture_without_its_end_is_cut_off() -> None:
    frame = jpeg_2000()

    for part in (without_delimiter(frame[:-900]), Element("OB", frames(frame).value[:-900], seeds.UNDEFINED)):
        with pytest.raises(UnreadableImageError, match="cut off"):
            read(dicom(seeds.JPEG_2000, PixelData=part))


@pytest.mark.parametrize("length", [0, 100, seeds.UNDEFINED, HEIGHT * WIDTH * 2 + 1])
def test_reads_a_complete_picture_whose_length_is_wrong(length: int) -> None:
    film = read(dicom(PixelData=Element("OW", words(STORED), length), **WINDOW))

    np.testing.assert_array_equal(film.pixels, TWIN)


@pytest.mark.parametrize(
    ("syntax", "picture"),
    [
        (UNCOMPRESSED, frames(words(STORED))),
        (UNCOMPRESSED, frames(words(STORED)[:5000], words(STORED)[5000:])),
        (PRIVATE, words(STORED)),
        (PRIVATE, frames(words(STORED))),
        (PRIVATE, frames(jpeg_2000())),
        (GE_PRIVATE, STORED.astype(">u2").tobytes()),
        (seeds.EXPLICIT, frames(jpeg_2000())),
        (seeds.JPEG_2000, words(STORED)),
    ],
)
def test_reads_a_picture_by_what_it_is_where_the_transfer_syntax_does_not_tell(
    syntax: str, picture: bytes | Element
) -> None:
    film = read(dicom(syntax, PixelData=picture, **WINDOW))

    np.testing.assert_array_equal(film.pixels, TWIN)


def test_says_which_transfer_syntax_cannot_be_read() -> None:
    with pytest.raises(UnsupportedImageError, match=r"1\.2\.3\.4\.5, for which there is no decoder"):
        read(dicom(PRIVATE, PixelData=frames(b"a secret of the vendor" * 9)))


@pytest.mark.parametrize("syntax", [seeds.IMPLICIT, seeds.EXPLICIT, seeds.BIG_ENDIAN])
@pytest.mark.parametrize(
    ("keyword", "kind", "bits"), [("FloatPixelData", "f4", 32), ("DoubleFloatPixelData", "f8", 64)]
)
def test_reads_floating_pixels(keyword: str, kind: str, bits: int, syntax: str) -> None:
    numbers = (STORED * 1e-3 - 2).astype((">" if syntax == seeds.BIG_ENDIAN else "<") + kind)
    numbers[:10] = -9
    elements = {"PixelData": None, "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    picture = {keyword: Element({32: "OF", 64: "OD"}[bits], numbers.tobytes())}
    padding = Element({32: "FL", 64: "FD"}[bits], np.array([-9], numbers.dtype).tobytes())
    padding_value = {keyword.replace("Data", "PaddingValue"): padding}

    film = read(dicom(syntax, **elements | picture | padding_value))

    assert film.bits == bits
    assert not film.pixels[:10].any()
    np.testing.assert_allclose(film.pixels[10:], spread(numbers[10:]), atol=1e-5)

    numbers[50, 50] = np.nan
    with pytest.raises(UnreadableImageError, match="no numbers"):
        read(dicom(syntax, **elements, **{keyword: picture[keyword]._replace(value=numbers.tobytes())}))


# --- which bits of a word are the film


@pytest.mark.parametrize("syntax", [seeds.EXPLICIT, seeds.BIG_ENDIAN])
@pytest.mark.parametrize(
    ("stored", "high_bit"),
    [
        (STORED << 4, 15),
        (STORED << 2, 13),
        ((STORED << 4) | DRAWING * 5, 15),
        ((STORED << 2) | DRAWING * 0x8000, 13),
        (STORED | DRAWING * 0xF000, 11),
        (STORED, 15),
        (STORED, 3),
        (STORED, 40),
    ],
    ids=[
        "left",
        "inside",
        "overlay below",
        "overlay on both",
        "overlay above",
        "right after all",
        "too low",
        "too high",
    ],
)
def test_reads_the_bits_below_the_high_bit(stored: np.ndarray, high_bit: int, syntax: str) -> None:
    kind = ">u2" if syntax == seeds.BIG_ENDIAN else "<u2"

    film = read(dicom(syntax, PixelData=stored.astype(kind).tobytes(), HighBit=high_bit, **WINDOW))

    np.testing.assert_array_equal(film.pixels, TWIN)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_overlay_bits_are_no_film_whatever_the_compression(syntax: str, photometric: str) -> None:
    film = read(compressed(STORED | DRAWING * np.uint16(0x3000), syntax, PhotometricInterpretation=photometric))

    expected = spread(STORED)
    np.testing.assert_allclose(film.pixels, expected if photometric == "MONOCHROME2" else 1 - expected, atol=1e-4)


@pytest.mark.parametrize("stored", [(STORED - 2048) & 0xFFFF, (STORED - 2048) & 0xFFF, ((STORED - 2048) & 0xFFF) << 4])
def test_reads_signed_samples_in_words_with_bits_to_spare(stored: np.ndarray) -> None:
    high_bit = 15 if (stored & 0xF000).any() and not (stored & 0xF).any() else 11

    film = read(
        dicom(PixelData=words(stored), PixelRepresentation=1, HighBit=high_bit, WindowCenter=0, WindowWidth=4096)
    )

    np.testing.assert_array_equal(film.pixels, TWIN)


def test_keeps_all_bits_where_most_pixels_have_more_than_the_header_says() -> None:
    film = read(dicom(BitsStored=10, HighBit=9))

    np.testing.assert_allclose(film.pixels, spread(STORED), atol=1e-5)


@pytest.mark.parametrize(
    "elements",
    [
        {"PixelRepresentation": None},
        {"SamplesPerPixel": None},
        {"BitsStored": 0},
        {"BitsStored": 40},
        {"BitsStored": None, "HighBit": None},
        {"PhotometricInterpretation": None},
        {"PhotometricInterpretation": "MONOCHROME"},
        {"PhotometricInterpretation": "monochrome2 "},
        {"WindowCenter": b"2048,0", "WindowWidth": b"4096,00 "},
    ],
)
def test_what_a_header_lacks_or_misspells_is_what_films_have(elements: dict) -> None:
    np.testing.assert_array_equal(read(dicom(**WINDOW | elements)).pixels, TWIN)


def test_a_misspelt_negative_is_turned_over_and_colours_may_stand_side_by_side() -> None:
    negative = read(dicom(PhotometricInterpretation="monochrome1", **WINDOW))
    colour, complete = (read(dicom(**seeds.IN_COLOUR | more)) for more in ({"PlanarConfiguration": None}, {}))

    np.testing.assert_array_equal(negative.pixels, 1 - TWIN)
    np.testing.assert_array_equal(colour.pixels, complete.pixels)


@pytest.mark.parametrize("bits", [8, 12])
def test_reads_an_eight_bit_jpeg_under_a_header_of_more_bits(bits: int) -> None:
    frame = seeds.encoded(seeds.GREY, "JPEG", quality=98)

    film = read(dicom(seeds.JPEG_BASELINE, BitsStored=bits, HighBit=bits - 1, PixelData=frames(frame)))

    np.testing.assert_allclose(film.pixels, spread(seeds.GREY), atol=0.03)


# --- padding


@pytest.mark.parametrize(
    ("word", "value", "is_signed"),
    [
        (63536, Element("SS", struct.pack("<h", -2000)), False),
        (63536, Element("US", struct.pack("<H", 63536)), False),
        (63536, Element("SS", struct.pack("<h", -2000)), True),
        (63536, Element("US", struct.pack("<H", 63536)), True),
        (0, 0, False),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_padding_is_compared_modulo_a_word_and_painted_where_it_joins_the_edge(
    word: int, value: Element | int, is_signed: bool, photometric: str
) -> None:
    stored = 500 + STORED // 2
    inside = np.zeros(stored.shape, bool)
    inside[60:63, 30:34] = True
    stored[inside], stored[:, :20] = word, word

    film = read(
        dicom(
            PixelData=words(stored),
            **{"BitsStored": 16, "HighBit": 15, "PixelRepresentation": int(is_signed), "PixelPaddingValue": value},
            PhotometricInterpretation=photometric,
        )
    )

    assert not film.pixels[:, :20].any()
    numbers = stored.astype(np.int16 if is_signed else np.int32)
    white_bone = spread(numbers, np.arange(WIDTH) >= 20 + np.zeros((HEIGHT, 1)))
    expected = white_bone if photometric == "MONOCHROME2" else 1 - white_bone
    if word == 0 or is_signed:
        np.testing.assert_allclose(film.pixels[:, 20:], expected[:, 20:], atol=1e-4)
        assert film.pixels[inside].max() == (photometric == "MONOCHROME1")


@pytest.mark.parametrize(("value", "limit"), [(0, 50), (50, 0)])
def test_a_range_of_padding_is_painted_where_it_joins_the_edge(value: int, limit: int) -> None:
    stored = 500 + STORED // 2
    stored[:10], stored[10:20], stored[60:63, 30:34] = 5, 40, 20

    film = read(dicom(PixelData=words(stored), PixelPaddingValue=value, PixelPaddingRangeLimit=limit))

    assert not film.pixels[:20].any()
    np.testing.assert_allclose(film.pixels[20:], spread(stored[20:]), atol=1e-4)


# --- windows and tables


def voi(entries: np.ndarray, first: int = 0, depth: int = 8) -> bytes:
    descriptor = element(0x00283002, Element("US", struct.pack("<3H", len(entries) % 65536, first, depth)))
    return descriptor + element(0x00283006, Element("US", words(entries)))


ALL_OF_IT = voi(np.arange(4096) // 16)
TOO_SHORT = [voi(np.arange(entries) * 255 // (entries - 1)) for entries in (256, 1024)]
USELESS_WINDOW, USELESS_TABLE = "The window in the header", "The grey-scale table in the header"
BY_PERCENTILES = "between their 0.5th and 99.5th percentile"


@pytest.mark.parametrize(
    ("elements", "expected", "said"),
    [
        ({"WindowCenter": 128, "WindowWidth": 256}, None, [USELESS_WINDOW, BY_PERCENTILES]),
        ({"WindowCenter": 500, "WindowWidth": 1000}, None, [USELESS_WINDOW, BY_PERCENTILES]),
        ({"WindowCenter": 3900, "WindowWidth": 1000}, None, [USELESS_WINDOW, BY_PERCENTILES]),
        ({"WindowCenter": 32768, "WindowWidth": 65536}, None, [USELESS_WINDOW, BY_PERCENTILES]),
        ({"WindowCenter": 9000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}, None, [USELESS_WINDOW]),
        ({"WindowCenter": 128, "WindowWidth": 256, "VOILUTFunction": "LINEAR_EXACT"}, None, [USELESS_WINDOW]),
        ({"WindowCenter": [128, 2048], "WindowWidth": [256, 4096]}, TWIN, [USELESS_WINDOW, "Another window or table"]),
        ({"WindowCenter": ["", 2048], "WindowWidth": [0, 4096]}, TWIN, [USELESS_WINDOW, "Another window or table"]),
        ({"WindowCenter": [128, 100, 90], "WindowWidth": [256, 9, 1]}, None, [USELESS_WINDOW, BY_PERCENTILES]),
        ({"VOILUTSequence": sequence(TOO_SHORT[0])} | WINDOW, TWIN, [USELESS_TABLE, "Another window or table"]),
        ({"VOILUTSequence": sequence(TOO_SHORT[1])} | WINDOW, TWIN, [USELESS_TABLE, "Another window or table"]),
        ({"VOILUTSequence": table(b"", b"")} | WINDOW, TWIN, [USELESS_TABLE, "Another window or table"]),
        (
            {"VOILUTSequence": sequence(TOO_SHORT[0], ALL_OF_IT)},
            STORED // 16 / 255,
            [USELESS_TABLE, "Another window or table"],
        ),
        ({"VOILUTSequence": sequence(ALL_OF_IT)} | WINDOW, STORED // 16 / 255, []),
        ({"VOILUTSequence": sequence(*TOO_SHORT)}, None, [USELESS_TABLE, BY_PERCENTILES]),
    ],
)
def test_a_window_or_table_that_does_not_show_the_film_is_passed_over(
    elements: dict, expected: np.ndarray | None, said: list[str]
) -> None:
    film = read(dicom(**elements))

    np.testing.assert_allclose(film.pixels, spread(STORED) if expected is None else expected, atol=1e-4)
    assert len(film.notes) == (2 if said else 0)
    for words_of_it, note in zip(said, film.notes, strict=False):
        assert words_of_it in note


@pytest.mark.parametrize("air", [0, 300, 3900])
def test_a_window_that_loses_the_air_around_the_body_is_used(air: int) -> None:
    stored = STORED.copy()
    stored[:, : WIDTH // 2], stored[:2, -4:], stored[-2:, -4:] = air, 4095, 0

    film = read(dicom(PixelData=words(stored), WindowCenter=1900, WindowWidth=3000))

    np.testing.assert_allclose(film.pixels, np.clip((stored - 1899.5) / 2999 + 0.5, 0, 1), atol=1e-4)
    assert film.notes == ()


def test_padding_does_not_speak_against_a_window() -> None:
    stored = STORED // 2 + 1000
    stored[:, : WIDTH * 3 // 4] = 5

    film = read(dicom(PixelData=words(stored), PixelPaddingValue=5, WindowCenter=2000, WindowWidth=2000))

    shown = film.pixels[:, WIDTH * 3 // 4 :]
    np.testing.assert_allclose(shown, np.clip((stored - 1999.5) / 1999 + 0.5, 0, 1)[:, WIDTH * 3 // 4 :], atol=1e-4)


def test_a_burnt_in_marker_takes_no_grey_from_a_film_without_window() -> None:
    stored = 100 + STORED // 4
    stored[:8, :20] = 4095

    film = read(dicom(PixelData=words(stored)))

    rest = np.ones(stored.shape, bool)
    rest[:8, :20] = False
    np.testing.assert_allclose(film.pixels, spread(stored, rest), atol=1e-4)


def test_a_dark_border_that_is_not_marked_takes_no_grey_from_a_film_without_window() -> None:
    stored = 3000 + STORED // 4
    stored[:, :30] = 0

    film = read(dicom(PixelData=words(stored)))

    np.testing.assert_allclose(film.pixels, spread(stored, stored > 0), atol=1e-4)


# --- functional groups of an object of one frame


def group(keyword: int, item: bytes) -> bytes:
    return element(keyword, sequence(item))


def window_item(center: int, width: int) -> bytes:
    return element(0x00281050, Element("DS", f"{center}".encode())) + element(
        0x00281051, Element("DS", f"{width}".encode())
    )


def slope_item(slope: int, intercept: int) -> bytes:
    return element(0x00281052, Element("DS", f"{intercept}".encode())) + element(
        0x00281053, Element("DS", f"{slope}".encode())
    )


FRAME_VOI, PIXEL_VALUES, PIXEL_MEASURES = 0x00289132, 0x00289145, 0x00289110
RIGHT, WRONG = group(FRAME_VOI, window_item(2048, 4096)), group(FRAME_VOI, window_item(1700, 3000))
NEGATED = words(4095 - STORED)
SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


@pytest.mark.parametrize(
    "elements",
    [
        {SHARED: sequence(RIGHT)},
        {PER_FRAME: sequence(RIGHT)},
        {PER_FRAME: sequence(RIGHT), SHARED: sequence(WRONG), "WindowCenter": 1700, "WindowWidth": 3000},
        {SHARED: sequence(RIGHT), "WindowCenter": 1700, "WindowWidth": 3000},
        {SHARED: sequence(RIGHT), PER_FRAME: sequence()},
        {SHARED: Element("SQ", sequence(RIGHT).value + b"\xfe\xff\xdd\xe0\0\0\0\0", seeds.UNDEFINED)},
        {SHARED: sequence(RIGHT + group(PIXEL_VALUES, slope_item(-1, 4095))), "PixelData": NEGATED},
        {PER_FRAME: sequence(group(PIXEL_VALUES, slope_item(-1, 4095))), "PixelData": NEGATED} | WINDOW,
        {
            PER_FRAME: sequence(group(PIXEL_VALUES, slope_item(-1, 4095))),
            SHARED: sequence(group(PIXEL_VALUES, slope_item(2, 0)) + RIGHT),
            "RescaleSlope": 3,
            "PixelData": NEGATED,
        },
        {"RescaleSlope": -1, "RescaleIntercept": 4095, "PixelData": NEGATED} | WINDOW,
    ],
)
def test_functional_groups_are_heeded_the_frame_before_all_frames_before_the_rest(elements: dict) -> None:
    film = read(dicom(NumberOfFrames=1, **elements))

    np.testing.assert_array_equal(film.pixels, TWIN)
    assert film.notes == ()


def test_functional_groups_may_hold_a_table_and_the_spacing() -> None:
    item = group(FRAME_VOI, element(0x00283010, sequence(ALL_OF_IT)))
    spacing = group(PIXEL_MEASURES, element(0x00280030, Element("DS", b"0.4\\0.2")))

    film = read(dicom(NumberOfFrames=1, **{SHARED: sequence(spacing), PER_FRAME: sequence(item)}))

    assert (film.height, film.width, film.pixel_aspect) == (2 * HEIGHT, WIDTH, 2)
    np.testing.assert_allclose(film.pixels[:2].mean(0), (STORED // 16 / 255)[0], atol=0.05)


@pytest.mark.parametrize("broken", [b"\xfe\xff\0\xe0\xff\xff", b"noise that is no sequence"])
def test_a_broken_functional_group_is_left_out(broken: bytes) -> None:
    film = read(dicom(NumberOfFrames=1, **{SHARED: Element("SQ", broken)}, **WINDOW))

    np.testing.assert_array_equal(film.pixels, TWIN)


# --- pictures of 16 bits a sample

TEN_BIT = (seeds.DEEP >> 6).astype(np.uint16)
FULL = np.full_like(TEN_BIT, 65535)


def png16(samples: np.ndarray) -> bytes:
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = seeds.png_header(width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels])
    return seeds.png_of_chunks(header, seeds.png_chunk(b"IDAT", zlib.compress(rows)))


def tiff(
    samples: np.ndarray, order: str = "<", photometric: int = 2, is_packed: bool = False, planar: int = 1
) -> bytes:
    """Write (height, width, channels) of any dtype as a TIFF of one strip, or of one a channel."""
    height, width, channels = samples.shape
    stored = samples.astype(samples.dtype.newbyteorder(order))
    strips = [stored.tobytes()] if planar == 1 else [stored[..., channel].tobytes() for channel in range(channels)]
    strips = [zlib.compress(strip) for strip in strips] if is_packed else strips
    bits, kind = samples.dtype.itemsize * 8, {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    data, entries = b"".join(strips), []
    places = np.cumsum([8, *(len(strip) for strip in strips)])[:-1]
    values = {
        **{256: [width], 257: [height], 258: [bits] * channels, 259: [8 if is_packed else 1], 262: [photometric]},
        **{273: places, 277: [channels], 278: [height], 279: [len(strip) for strip in strips], 284: [planar]},
        **({338: [2]} if channels == 2 or (channels == 4 and photometric == 2) else {}),
        339: [kind] * channels,
    }
    for tag, numbers in values.items():
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(packed) > 4:
            packed, data = struct.pack(f"{order}I", 8 + len(data)), data + packed
        entries.append(struct.pack(f"{order}HHI", tag, 4, len(numbers)) + packed)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


GREY_TWIN = read(png16(TEN_BIT[..., np.newaxis]))
IN_GREY, IN_COLOUR = np.dstack([TEN_BIT]), np.dstack([TEN_BIT] * 3)
WITH_ALPHA = np.dstack([TEN_BIT, TEN_BIT, TEN_BIT, FULL])


@pytest.mark.parametrize(
    "data",
    [
        png16(np.dstack([TEN_BIT, FULL])),
        png16(np.dstack([TEN_BIT, FULL >> 6])),
        png16(IN_COLOUR),
        png16(WITH_ALPHA),
        tiff(IN_COLOUR),
        tiff(IN_COLOUR, ">"),
        tiff(IN_COLOUR, is_packed=True),
        tiff(IN_COLOUR, ">", is_packed=True),
        tiff(IN_COLOUR, planar=2),
        tiff(IN_COLOUR, ">", planar=2),
        tiff(WITH_ALPHA, is_packed=True),
        tiff(IN_GREY, ">", photometric=1, is_packed=True),
        tiff(65535 - IN_GREY, photometric=0),
        tiff(65535 - IN_GREY, ">", photometric=0),
        tiff(65535 - IN_GREY, ">", photometric=0, is_packed=True),
        tiff(-IN_GREY.astype(np.int16), photometric=0),
        *(
            tiff(np.dstack([TEN_BIT, FULL]), order, photometric=1, is_packed=is_packed)
            for order in "<>"
            for is_packed in (False, True)
        ),
        tiff(1023 - IN_GREY, photometric=0),
        *(
            tiff(IN_GREY.astype(kind), order, photometric=1, is_packed=is_packed)
            for kind in (np.int16, np.int32, np.float32)
            for order in "<>"
            for is_packed in (False, True)
        ),
        tiff(-IN_GREY.astype(np.float32), photometric=0),
    ],
)
def test_reads_all_bits_of_a_sample_in_grey_and_in_colour(data: bytes) -> None:
    film = read(data)

    assert film.bits in (16, 32)
    np.testing.assert_allclose(film.pixels, GREY_TWIN.pixels, atol=1e-5)


def test_weighs_sixteen_bit_colours_by_their_luminance_and_lays_them_on_black() -> None:
    colours = np.dstack([seeds.DEEP, seeds.DEEP // 2, 65535 - seeds.DEEP, np.where(DRAWING, 0, 65535)]).astype(
        np.uint16
    )

    film = read(png16(colours))

    expected = np.where(DRAWING, 0, colours[..., :3] @ [0.299, 0.587, 0.114] / 65535)
    np.testing.assert_allclose(film.pixels, expected, atol=1e-6)
    assert [word in "".join(film.notes) for word in ("colour", "transparent")] == [True, True]


@pytest.mark.parametrize(
    "data", [tiff(IN_COLOUR, is_packed=True, planar=2), tiff(np.dstack([IN_COLOUR, TEN_BIT]), photometric=5)]
)
def test_says_so_where_sixteen_bit_colour_cannot_be_read_in_full(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match="stores 16 bits a sample in a kind of colour"):
        read(data)


def marked(size: int, value: int = 65535) -> np.ndarray:
    stored = STORED.copy()
    stored[:size, :size] = value
    return stored


@pytest.mark.parametrize("stored", [marked(1), marked(3), marked(20), marked(1, 40_000)])
def test_a_hot_pixel_or_a_marker_does_not_make_a_twelve_bit_film_dark(stored: np.ndarray) -> None:
    for data in (png16(stored[..., np.newaxis]), png16(np.dstack([stored] * 3))):
        film = read(data)

        np.testing.assert_allclose(film.pixels, spread(stored, stored < 4096), atol=0.02)
        assert any("16-bit range" in note for note in film.notes)


# --- pages of a TIFF


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("sides", [(20, 24), (40, 48)])
def test_reads_the_full_size_page_of_a_tiff_with_a_thumbnail(sides: tuple[int, int], is_first: bool) -> None:
    pages = [Image.fromarray(seeds.GREY), Image.fromarray(seeds.GREY).resize(sides)][:: 1 if is_first else -1]

    film = read(seeds.encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))

    np.testing.assert_array_equal(film.pixels, seeds.GREY / np.float32(255))


@pytest.mark.parametrize("sides", [(WIDTH, HEIGHT), (HEIGHT, WIDTH), (60, 70)])
def test_a_tiff_of_several_films_is_told_of(sides: tuple[int, int]) -> None:
    pages = [Image.fromarray(seeds.GREY), Image.fromarray(255 - seeds.GREY).resize(sides)]

    with pytest.raises(UnsupportedImageError, match="several pictures"):
        read(seeds.encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))


# --- the files beside the project that tell of what was reported


@pytest.mark.shared
@pytest.mark.parametrize(
    ("twin", "names"),
    [
        (
            "00_base.dcm",
            "03_pixels_beyond_length.dcm 03_trailing_crlf_boundary.dcm 04_left_justified_highbit15.dcm "
            "06_j2k_no_sequence_delimiter.dcm 08_rescale_negative_top.dcm 10_encapsulated_uncompressed.dcm "
            "33_two_windows_first_wrong.dcm 35_voi_lut_1024_entries_on_12bit_good_window.dcm "
            "35_voi_lut_256_entries_on_12bit_good_window.dcm",
        ),
        ("04_overlay_bits_native_nowindow.dcm", "04_overlay_bits_jpegls.dcm"),
        ("08_window_shared_groups.dcm", "08_rescale_negative_in_groups.dcm"),
        ("11_png16_grey_10bit_same_content.png", "11_png16_rgb_10bit.png"),
        (
            "04_overlay_bits_native_nowindow.dcm",
            "33_12bit_with_window_128_256.dcm 33_12bit_with_window_500_1000.dcm 12_png16_12bit_one_hot_pixel.png",
        ),
    ],
)
def test_reads_reported_films_as_their_sound_twins(twin: str, names: str, shared_data: Path) -> None:
    folder = shared_data / "reported"
    expected = read(folder / twin).pixels

    for name in names.split():
        np.testing.assert_allclose(read(folder / name).pixels, expected, atol=0.05, err_msg=name)
