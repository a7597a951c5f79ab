"""Fuzz the reader, guided by the branches that each input reaches.

    python tests/corpus/fuzz_reader.py [seconds] [folder of found inputs]

Ends with 0 where every input gave a film or an `ImageError`; else the input that did not is in the folder.
"""

import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["pneumo", "PIL", "pydicom"]):
    from pneumo import radiograph
    from pneumo.errors import ImageError
    from pneumo.radiograph import decoder_process

from corpus import corpus_seeds  # noqa: E402
from corpus.contract import assert_sound, assert_tells_a_user  # noqa: E402

SECONDS = 60
# A guided search gets further with many short inputs; the seeds are at most 31 kB but for GDCM's.
MAX_LENGTH = 32_768
SECONDS_AN_INPUT = 5
MEBIBYTES = 2048

# Numbers and names that the formats turn on, which chance would not find.
WORDS = (
    *(b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"IEND"),
    *(b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANMF", b"EXIF", b"Exif\0\0", b"ICC_PROFILE\0"),
    *(b"\xff\xd8", b"\xff\xda", b"\xff\xc0", b"\xff\xc2", b"\xff\xc3", b"\xff\xf7", b"\xff\xe1", b"\xff\x4f\xff\x51"),
    *(b"\xe0\x7f\x10\0", b"\xfe\xff\0\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xff\xff\xff\xff"),
    *(bytes([element & 0xFF, element >> 8]).join([b"\x28\0", b""]) for element in (0x1050, 0x1051, 0x3000, 0x3010)),
    *(b"OB\0\0", b"OW\0\0", b"SQ\0\0", b"UN\0\0", b"US\x02\0", b"1.2.840.10008.1.2.", b"MONOCHROME1", b"PALETTE COLOR"),
)


def read(data: bytes) -> None:
    try:
        film = radiograph.read(data, "film")
    except ImageError as refusal:
        assert_tells_a_user(refusal, "film")
    else:
        assert_sound(film)


def _no_process(*_: object, **__: object) -> None:
    # A process an input would take the fuzzer from a thousand inputs a second to two.
    raise ValueError("what runs in a process of its own is not fuzzed here")


def main(seconds: int = SECONDS, found: str = "") -> None:
    decoder_process.decode = _no_process
    folder = Path(found or tempfile.mkdtemp(prefix="fuzz-"))
    seeds, words = folder / "seeds", folder / "words"
    seeds.mkdir(parents=True, exist_ok=True)
    for name, data in corpus_seeds.sound().items():
        (seeds / name).write_bytes(data)
    words.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in WORDS))
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SECONDS_AN_INPUT}",
        f"-rss_limit_mb={MEBIBYTES}",
        f"-max_len={MAX_LENGTH}",
        f"-artifact_prefix={folder}/",
        f"-dict={words}",
        "-print_final_stats=1",
    ]
    # What the search keeps goes into the first folder, so that a second run goes on from there.
    (folder / "kept").mkdir(exist_ok=True)
    print(f"Inputs that break the reader go to {folder}.", file=sys.stderr)
    atheris.Setup([sys.argv[0], *options, str(folder / "kept"), str(seeds)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]), *sys.argv[2:3])
