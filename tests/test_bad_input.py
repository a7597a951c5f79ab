"""Whatever is given to the reader, it returns a sound film or says in a sentence why not: soon, and in little memory.

The corpus is read in other processes, so that a crash or a hang costs one test and names its input. Run as a
script, this file is such a process: ``python tests/test_bad_input.py NUMBER OF`` reads every OFth input.
"""

import contextlib
import itertools
import json
import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
import corpus_seeds as seeds
import pytest
from contract import assert_sound, assert_tells_a_user

from pneumo import radiograph
from pneumo.errors import ImageError

ROOT = Path(__file__).resolve().parents[1]
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


# --- the process that reads


def _serve(number: int, of: int) -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    with tempfile.TemporaryFile() as printed:
        # The decoders are C libraries that print past sys.stderr.
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
        for film in seeds.sound().values():
            with contextlib.suppress(ImageError):
                radiograph.read(film)
        for bad in itertools.islice(corpus.inputs(), number, None, of):
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
        assert_sound(radiograph.read(data, name))
    except ImageError as error:
        refusal, told = type(error).__name__, str(error)
        try:
            assert_tells_a_user(error, radiograph._last_part(name))
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


def _outcomes_of(number: int) -> Iterator[Outcome]:
    command = [sys.executable, str(Path(__file__)), str(number), str(PROCESSES)]
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


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    found: list[list[Outcome]] = [[] for _ in range(PROCESSES)]
    threads = [
        threading.Thread(target=lambda number=number: found[number].extend(_outcomes_of(number)))
        for number in range(PROCESSES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {outcome.name: outcome for outcome in itertools.chain(*found)}


def test_the_corpus_is_large_and_every_input_has_its_own_name() -> None:
    names = [bad.name for bad in corpus.inputs()]

    assert len(names) >= 500
    assert len(set(names)) == len(names)


def test_the_corpus_is_the_same_every_time() -> None:
    firsts, seconds = (
        {bad.name: bad.make() for bad in corpus.inputs() if bad.category in ("flipped bits", "nothing", "strangers")}
        for _ in range(2)
    )

    changed = [name for name in firsts if firsts[name] != seconds[name]]
    assert not [name for name in changed if not name.endswith((".zip", ".docx"))]


def test_every_input_is_a_sound_film_or_a_sentence_for_a_user(outcomes: dict[str, Outcome]) -> None:
    broken = {name: outcome.broken for name, outcome in outcomes.items() if outcome.broken}

    assert not broken
    assert len(outcomes) == len(list(corpus.inputs()))


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
    outcomes: dict[str, Outcome], pattern: str, refusal: str | None, words: str
) -> None:
    matching = [outcome for name, outcome in outcomes.items() if fnmatch.fnmatchcase(name, pattern)]

    assert matching
    for outcome in matching:
        assert outcome.refusal == refusal, f"{outcome.name}: {outcome.told}"
        assert words in outcome.told


if __name__ == "__main__":
    _serve(*(int(argument) for argument in sys.argv[1:]))
