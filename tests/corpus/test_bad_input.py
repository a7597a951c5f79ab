"""Whatever is given to the reader, it returns a sound film or says in a sentence why not: soon, and in little memory.

The corpus is read in other processes, so that a crash or a hang costs one test and names its input. Run as a
script, this file is such a process: ``python tests/corpus/test_bad_input.py PART NUMBER OF`` reads every OFth input
of a part of the corpus: `CHOSEN` stands for every category, format and sentence in `make test`, and `make test-all`
reads the `OTHERS` too.
"""

import contextlib
import fnmatch
import importlib.util
import itertools
import json
import os
import queue
import resource
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest
from corpus import corpus_seeds as seeds
from corpus import inputs
from corpus.contract import assert_sound, assert_tells_a_user
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pneumo.errors import ImageError
from pneumo.radiograph import reader

# What pytest sees of warnings in its own process; the corpus is read in others and must print none.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 2
SECONDS = 2.0
MEBIBYTES = 500
# Of the wall clock, which on a busy machine runs several times as fast as a process.
WATCHDOG_SECONDS = 30
# Beyond this a process gets MemoryError, rather than the machine none.
ADDRESS_SPACE = 6 * 1024**3


@dataclass(frozen=True)
class Outcome:
    """What became of an input: the refusal's class and sentence or neither, and what it took."""

    name: str
    refusal: str | None
    told: str
    broken: str | None
    seconds: float
    mebibytes: float
    printed: str


UNREADABLE, UNSUPPORTED, SIZE = "UnreadableImageError", "UnsupportedImageError", "ImageSizeError"
# What cannot but happen: inputs by pattern, the class of the refusal or None, and words of its sentence.
CERTAIN = (
    ("nothing/no bytes.png", UNREADABLE, "is empty. Send or export it again."),
    ("nothing/* zeros.dcm", UNREADABLE, "Upload a JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM file."),
    ("nothing/* ones.jpg", UNREADABLE, "Upload a JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM file."),
    ("strangers/*", UNREADABLE, "Upload a JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM file."),
    ("strangers/films.zip", UNREADABLE, "is a ZIP archive."),
    ("strangers/film.gif", UNREADABLE, "is a GIF picture."),
    ("polyglots/pdf and then *", UNREADABLE, "a kind of PDF that cannot be decoded here. Export the film again"),
    ("polyglots/gif and then *", UNREADABLE, "is a GIF picture."),
    ("polyglots/* and then pdf", None, ""),
    ("polyglots/dicom with *", None, ""),
    ("wrong extension/*", None, ""),
    ("names/*, read/*", None, ""),
    ("names/*, cut off/*", UNREADABLE, "Export the film again"),
    ("truncated/[1-9]0 percent of *.jpg", UNREADABLE, "Export the film again"),
    ("truncated/[1-9]0 percent of *.png", UNREADABLE, "Export the film again"),
    ("truncated/[1-9]0 percent of *.webp", UNREADABLE, "Export the film again"),
    ("truncated/[1-9]0 percent of *.tif", UNREADABLE, "Export the film again"),
    ("truncated/[1-9]0 percent of *.bmp", UNREADABLE, "Export the film again"),
    ("truncated/[5-9]0 percent of *.dcm", UNREADABLE, "Send or export it again."),
    ("huge headers/65500 x 65500.*", SIZE, "Export the film in a smaller size."),
    ("huge headers/65500 x 1000.*", SIZE, "more than 40 million"),
    ("huge headers/65535 x 65535*", SIZE, "million"),
    ("large pictures/65500 x 600.png", None, ""),
    ("large pictures/65500 x 650.png", SIZE, "Export the film in a smaller size."),
    ("large pictures/65500 x 10.png", SIZE, "Upload the original rather than a thumbnail."),
    ("large pictures/too many bytes.*", SIZE, "larger than 50 MiB. Export the film in a smaller size."),
    ("large pictures/lossless.webp", SIZE, "Export the film as PNG or in a smaller size."),
    ("large pictures/run-length.bmp", UNSUPPORTED, "Export it as an 8-bit PNG."),
    ("large pictures/*.tif", None, ""),
    ("bombs/*text*.png", "*", "Export the film again"),
    ("bombs/deflated.dcm", SIZE, "unpacks to more than 128 MiB."),
    ("bombs/scans*", UNSUPPORTED, "8-bit PNG."),
    ("bombs/run lengths*.bmp", UNSUPPORTED, "Export it as an 8-bit PNG."),
    ("bombs/many directories.tif", UNSUPPORTED, "export one of them."),
    ("bombs/fill bytes.jpg", UNSUPPORTED, "far more parts"),
    ("bombs/many small segments.jpg", UNSUPPORTED, "far more parts"),
    ("bombs/many unknown chunks.png", UNSUPPORTED, "far more parts"),
    ("exif/*", None, ""),
    ("tiff oddities/*nan.tif", UNREADABLE, "holds pixels that are no numbers. Export the film again."),
    ("tiff oddities/*inf.tif", UNREADABLE, "holds pixels that are no numbers. Export the film again."),
    ("png oddities/animated.png", UNSUPPORTED, "export one of them."),
    ("tiff oddities/two pages.tif", UNSUPPORTED, "export one of them."),
    ("tiff oddities/loop.tif", None, ""),
    ("tiff oddities/packed tile of 8192 x 8192.tif", UNREADABLE, "Export the film again"),
    ("tiff oddities/packed tile of 16384 x 16384.tif", SIZE, "Export the film as an 8-bit PNG."),
    ("tiff oddities/packed tile of 46336 x 46336.tif", SIZE, "Export the film as an 8-bit PNG."),
    ("webp oddities/animated.webp", UNSUPPORTED, "export one of them."),
    ("heic and pdf/no*.*", "*", "xport the film"),
    ("heic and pdf/65500 x 65500*", SIZE, "more than 40 million"),
    ("heic and pdf/two pictures.*", UNSUPPORTED, "pneumo reads one film at a time: export"),
    ("heic and pdf/* pages.pdf", UNSUPPORTED, "pages. pneumo reads one film at a time: save the page"),
    ("heic and pdf/a film and a logo.pdf", None, ""),
    ("heic and pdf/turned by its page.pdf", None, ""),
    ("heic and pdf/program *.pdf", UNSUPPORTED, "programs or files inside"),
    ("heic and pdf/file inside.pdf", UNSUPPORTED, "programs or files inside"),
    ("heic and pdf/too small.heic", SIZE, "Upload the original rather than a thumbnail."),
    ("heic and pdf/too small.pdf", UNSUPPORTED, "without the picture of a film. Export"),
    ("dicom frames/20 frames.dcm", UNSUPPORTED, "20 frames. pneumo reads one film at a time: export one frame."),
    ("dicom frames/20 frames [ic][mol]*.dcm", UNSUPPORTED, "export one frame."),
    ("dicom frames/*, of another size.dcm", UNREADABLE, "xport"),
    ("dicom tables/*LUTSequence *", None, ""),
    ("dicom windows/width *", None, ""),
    ("dicom windows/centre *", None, ""),
    ("dicom windows/slope *", None, ""),
    ("dicom windows/intercept *", None, ""),
    ("dicom headers/age *", None, ""),
    ("dicom headers/date *", None, ""),
    ("dicom headers/Pixel[SA]*", None, ""),
    ("dicom structure/without PixelData.dcm", UNSUPPORTED, "Export the radiograph itself."),
    ("dicom structure/transfer syntax '1.2.3.4.5'.dcm", None, ""),
    ("dicom structure/private compression.dcm", UNSUPPORTED, "Export it uncompressed or as JPEG 2000."),
    ("dicom structure/deflated twice.dcm", UNREADABLE, "Export it again uncompressed."),
    ("dicom structure/many items in [VM]*Sequence.dcm", None, ""),
)

CHOSEN, OTHERS = "chosen", "others"
# In `CHOSEN`, beside all sound files and the first input of each pattern.
EVERY = 40


def part(name: str) -> Iterator[inputs.BadInput]:
    """Yield the inputs of a part, in the order of the corpus."""
    met: Counter[str] = Counter()
    patterns = {pattern for pattern, *_ in CERTAIN}
    for bad in inputs.inputs():
        firsts = {pattern for pattern in patterns if fnmatch.fnmatchcase(bad.name, pattern)}
        patterns -= firsts
        is_chosen = firsts or bad.category == "sound" or met[bad.category] % EVERY == 0
        met[bad.category] += 1
        if (name == CHOSEN) == bool(is_chosen):
            yield bad


# --- the process that reads


def _serve(name: str, number: int, of: int) -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    with tempfile.TemporaryFile() as printed:
        # The decoders are C libraries that print past sys.stderr.
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        for film in seeds.sound().values():
            with contextlib.suppress(ImageError):
                reader.read(film)
        for bad in itertools.islice(part(name), number, None, of):
            data = bad.make()
            print(json.dumps({"reads": bad.name}), file=answers)
            print(json.dumps(asdict(_outcome(bad.name, data, printed.fileno()))), file=answers)


def _outcome(name: str, data: bytes, printed: int) -> Outcome:
    outcome = _one_reading(name, data, printed)
    # A second try tells a slow input from a machine that was busy for a moment.
    return outcome if outcome.seconds < SECONDS else _one_reading(name, data, printed)


def _one_reading(name: str, data: bytes, printed: int) -> Outcome:
    refusal, told, broken = None, "", None
    shown = os.fstat(printed).st_size
    before, memory = _seconds(), _reset_peak()
    try:
        assert_sound(reader.read(data, name))
    except ImageError as error:
        refusal, told = type(error).__name__, str(error)
        try:
            assert_tells_a_user(error, reader._last_part(name))
        except AssertionError as complaint:
            broken = f"{complaint}: {told}"
    except BaseException as error:
        broken = f"{type(error).__name__}: {error}"
    seconds, peak = _seconds() - before, _peak() - memory
    sys.stdout.flush()
    sys.stderr.flush()
    spilled = os.pread(printed, 2000, shown).decode("utf-8", "replace")
    return Outcome(name, refusal, told, broken, seconds, peak, spilled)


def _seconds() -> float:
    # Of the processor, the children's too: what a busy machine takes from a process is not the reader's.
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _reset_peak() -> float:
    """Make Linux count the peak of memory anew, and return what is in use, in MiB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (1024**2 if sys.platform == "darwin" else 1024)


# --- the process that judges


def _outcomes_of(name: str, number: int) -> Iterator[Outcome]:
    command = [sys.executable, str(Path(__file__)), name, str(number), str(PROCESSES)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "PYTHONWARNINGS": "default"}
    lines: queue.Queue[str] = queue.Queue()
    reads = "the sound files"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment) as process:
        assert process.stdout

        def listen(answers=process.stdout) -> None:
            for line in answers:
                lines.put(line)
            lines.put("")

        threading.Thread(target=listen, daemon=True).start()
        while True:
            try:
                answer = lines.get(timeout=WATCHDOG_SECONDS)
            except queue.Empty:
                process.kill()
                yield Outcome(reads, None, "", f"hangs for {WATCHDOG_SECONDS} s", WATCHDOG_SECONDS, 0, "")
                return
            if not answer:
                break
            said = json.loads(answer)
            if "reads" in said:
                reads = said["reads"]
            else:
                yield Outcome(**said)
    if process.returncode:
        yield Outcome(reads, None, "", f"the process ended with {process.returncode}", 0, 0, "")


@pytest.fixture(scope="module", params=[CHOSEN, pytest.param(OTHERS, marks=pytest.mark.slow)])
def name(request) -> str:
    """The part of the corpus that is read."""
    return request.param


@pytest.fixture(scope="module")
def outcomes(name: str) -> dict[str, Outcome]:
    found: list[list[Outcome]] = [[] for _ in range(PROCESSES)]
    threads = [
        threading.Thread(target=lambda number=number: found[number].extend(_outcomes_of(name, number)))
        for number in range(PROCESSES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {outcome.name: outcome for outcome in itertools.chain(*found)}


def test_the_corpus_is_large_and_every_input_has_its_own_name_and_part() -> None:
    names = [bad.name for bad in inputs.inputs()]
    chosen = {bad.name: bad.category for bad in part(CHOSEN)}

    assert len(names) >= 500
    assert len(set(names)) == len(names)
    assert {*names} - {*chosen} == {bad.name for bad in part(OTHERS)}
    assert {*chosen.values()} == {bad.category for bad in inputs.inputs()}


def test_the_corpus_is_the_same_every_time() -> None:
    firsts, seconds = (
        {bad.name: bad.make() for bad in inputs.inputs() if bad.category in ("flipped bits", "nothing", "strangers")}
        for _ in range(2)
    )

    changed = [name for name in firsts if firsts[name] != seconds[name]]
    assert not [name for name in changed if not name.endswith((".zip", ".docx"))]


def test_every_input_is_a_sound_film_or_a_sentence_for_a_user(name: str, outcomes: dict[str, Outcome]) -> None:
    broken = {name: outcome.broken for name, outcome in outcomes.items() if outcome.broken}

    assert not broken
    assert len(outcomes) == len(list(part(name)))


def test_every_input_is_answered_soon(outcomes: dict[str, Outcome]) -> None:
    assert not {name: outcome.seconds for name, outcome in outcomes.items() if outcome.seconds > SECONDS}


def test_no_input_takes_much_memory(outcomes: dict[str, Outcome]) -> None:
    assert not {name: outcome.mebibytes for name, outcome in outcomes.items() if outcome.mebibytes > MEBIBYTES}


def test_no_input_makes_python_print_a_warning(outcomes: dict[str, Outcome]) -> None:
    # Lines of libtiff's own remain: nothing but its file name "tempfile.tif" and numbers.
    assert not {name: outcome.printed for name, outcome in outcomes.items() if "Warning:" in outcome.printed}


def test_reads_a_sound_file_of_every_kind(outcomes: dict[str, Outcome]) -> None:
    assert not {
        name: outcome.told for name, outcome in outcomes.items() if name.startswith("sound/") and outcome.refusal
    }


@pytest.mark.parametrize(
    ("pattern", "refusal", "words"),
    CERTAIN,
    ids=[pattern for pattern, *_ in CERTAIN],
)
def test_says_what_is_wrong_and_what_to_do(
    name: str, outcomes: dict[str, Outcome], pattern: str, refusal: str | None, words: str
) -> None:
    matching = [outcome for outcome in outcomes.values() if fnmatch.fnmatchcase(outcome.name, pattern)]

    # The first input of each pattern is among the chosen.
    assert matching or name == OTHERS
    for outcome in matching:
        assert outcome.refusal == refusal or (refusal == "*" and outcome.refusal), f"{outcome.name}: {outcome.told}"
        assert words in outcome.told


# --- arbitrary inputs

SIGNATURES = {
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n" + seeds.png_header(seeds.WIDTH, seeds.HEIGHT),
    "TIFF": b"II*\0\x08\0\0\0",
    "big-endian TIFF": b"MM\0*\0\0\0\x08",
    "BigTIFF": b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0",
    "BMP": b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "WebP, lossy": b"RIFF\0\1\0\0WEBPVP8 ",
    "WebP, lossless": b"RIFF\0\1\0\0WEBPVP8L",
    "WebP, extended": b"RIFF\0\1\0\0WEBPVP8X",
    "DICOM": bytes(128) + b"DICM" + seeds.file_meta(seeds.EXPLICIT),
    "implicit DICOM": bytes(128) + b"DICM" + seeds.file_meta(seeds.IMPLICIT),
    "big-endian DICOM": bytes(128) + b"DICM" + seeds.file_meta(seeds.BIG_ENDIAN),
    "DICOM without preamble": b"\x08\0\x05\0CS",
}


def assert_contract(data: bytes) -> reader.Radiograph | None:
    try:
        film = reader.read(data, "film")
    except ImageError as refusal:
        assert_tells_a_user(refusal, "film")
        return None
    assert_sound(film)
    return film


@pytest.mark.parametrize("kind", SIGNATURES)
@given(noise=st.binary(max_size=600))
def test_any_bytes_behind_a_signature_keep_the_contract(kind: str, noise: bytes) -> None:
    assert_contract(SIGNATURES[kind] + noise)


png_chunks = st.tuples(
    st.sampled_from(
        [b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"acTL", b"fcTL", b"pHYs", b"cHRM"]
    ),
    st.binary(max_size=60),
)


@given(
    chunks=st.lists(png_chunks, max_size=4),
    depth=st.sampled_from([1, 2, 4, 8, 16]),
    colour=st.sampled_from([0, 2, 3, 4, 6]),
)
def test_any_chunks_in_a_png_keep_the_contract(chunks: list[tuple[bytes, bytes]], depth: int, colour: int) -> None:
    assert_contract(seeds.png(*(seeds.png_chunk(*chunk) for chunk in chunks), depth=depth, colour=colour))


tiff_tags = st.sampled_from(
    [256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 324, 325, 338, 339]
)
entries = st.builds(
    seeds.Entry,
    st.one_of(tiff_tags, st.integers(0, 65_535)),
    st.integers(0, 14),
    st.one_of(st.integers(0, 4), st.integers(0, 2**32 - 1)),
    st.one_of(st.integers(0, 20), st.integers(0, 2**32 - 1)),
)


@given(changed=st.lists(entries, max_size=4), next_directory=st.one_of(st.just(0), st.integers(0, 300)))
@settings(max_examples=150)
def test_any_entries_in_a_tiff_keep_the_contract(changed: list[seeds.Entry], next_directory: int) -> None:
    whole = {entry.tag: entry for entry in (*seeds.tiff_entries(), *changed)}

    assert_contract(seeds.tiff([whole[tag] for tag in sorted(whole)], seeds.GREY.tobytes(), next_directory))


@given(exif=st.one_of(st.binary(max_size=300), st.lists(entries, max_size=5).map(seeds.tiff)))
@example(exif=seeds.tiff([seeds.Entry(0x0112, seeds.SHORT, 1, 6), seeds.Entry(0x8769, seeds.LONG, 1, 8)]))
def test_no_exif_block_keeps_a_sound_picture_from_being_read(exif: bytes) -> None:
    assert assert_contract(seeds.jpeg_with_exif(exif))
    assert assert_contract(seeds.png(seeds.png_chunk(b"eXIf", exif)))


words = st.one_of(st.integers(0, 65_535), st.sampled_from([0, 1, 2, 3, 8, 12, 16, 32, 64, 80, 96, 65_535]))
numbers = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from(["", "nan", "inf", "1e999", "1\\2", "\\", "0", "-0.0", "a", "1,5"]),
    st.binary(max_size=20),
)
NUMERIC = {
    **dict.fromkeys(
        ("SamplesPerPixel", "PlanarConfiguration", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"), words
    ),
    **dict.fromkeys(("PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"), words),
    **dict.fromkeys(("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "NumberOfFrames"), numbers),
    **dict.fromkeys(("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio", "PatientAge"), numbers),
    "PhotometricInterpretation": st.sampled_from(
        ["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "PALETTE COLOR", ""]
    ),
    "VOILUTFunction": st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID", "?"]),
}
some_numbers = st.lists(st.sampled_from(sorted(NUMERIC)), min_size=1, max_size=4, unique=True).flatmap(
    lambda keywords: st.fixed_dictionaries({keyword: NUMERIC[keyword] for keyword in keywords})
)


@given(elements=some_numbers, is_big_endian=st.booleans())
@settings(max_examples=300)
def test_any_numbers_in_a_dicom_header_keep_the_contract(elements: dict, is_big_endian: bool) -> None:
    assert_contract(seeds.dicom(seeds.BIG_ENDIAN if is_big_endian else seeds.EXPLICIT, **elements))


@given(
    descriptor=st.one_of(st.lists(words, min_size=3, max_size=3), st.binary(max_size=12)),
    data=st.binary(max_size=600),
    vr=st.sampled_from(["US", "SS", "OW", "UN", "FL", "FD", "LO"]),
    keyword=st.sampled_from(["ModalityLUTSequence", "VOILUTSequence"]),
)
@example(descriptor=[2, 0, 16], data=struct.pack("<2f", float("nan"), 1), vr="FL", keyword="ModalityLUTSequence")
def test_any_table_in_a_dicom_header_leaves_the_film_readable(descriptor, data: bytes, vr: str, keyword: str) -> None:
    assert assert_contract(seeds.dicom(**{keyword: seeds.table(descriptor, data, vr)}))


@given(frame=st.binary(max_size=400), segments=st.integers(0, 16))
def test_any_run_lengths_keep_the_contract(frame: bytes, segments: int) -> None:
    header = struct.pack("<16I", segments, *(64 + 20 * number for number in range(15)))

    assert_contract(seeds.dicom(seeds.RLE, Rows=64, Columns=64, PixelData=seeds.frames(header + frame)))


def test_unpacks_the_run_lengths_of_colour_films() -> None:
    planes = [seeds.rle_frame(np.ascontiguousarray(seeds.COLOUR[..., colour]))[64:] for colour in range(3)]
    starts = [64, 64 + len(planes[0]), 64 + len(planes[0]) + len(planes[1])]
    frame = struct.pack("<16I", 3, *starts, *[0] * 12) + b"".join(planes)

    packed = assert_contract(seeds.dicom(seeds.RLE, **seeds.IN_COLOUR | {"PixelData": seeds.frames(frame)}))
    plain = assert_contract(seeds.dicom(**seeds.IN_COLOUR))

    assert packed and plain
    np.testing.assert_array_equal(packed.pixels, plain.pixels)


# --- the fuzzer


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="atheris is not installed (Linux on x86-64 only)")
def test_a_short_guided_search_finds_nothing(tmp_path: Path) -> None:
    # Linux counts the memory of whoever starts a program into the program's peak, which the search holds against its
    # limit. A shell in between is small, where this process may have grown by all the tests before.
    search = subprocess.run(
        [
            "sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            sys.executable,
            ROOT / "tests" / "corpus" / "fuzz_reader.py",
            "10",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )

    assert search.returncode == 0, search.stderr[-3000:]
    assert int(search.stderr.split("stat::number_of_executed_units:")[1].split()[0]) > 100


if __name__ == "__main__":
    _serve(sys.argv[1], *map(int, sys.argv[2:]))
