import ctypes
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pneumo import allocator
from pneumo.cli import app

COUNT = """
import resource, sys
import numpy as np
from pneumo import allocator

if sys.argv[1] == "keep":
    assert allocator.keep_freed_memory()
np.ones(20_000_000, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(20_000_000, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="the C library is not glibc",
)
def test_memory_that_was_freed_is_taken_again_without_asking_the_kernel():
    assert faults("keep") * 5 < faults("leave")


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert not allocator.keep_freed_memory()

    monkeypatch.setattr(allocator.sys, "platform", "linux")
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: object())
    assert not allocator.keep_freed_memory()


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["train", "nothing"], True),
        (["evaluate", "nothing"], True),
        (["search", "--data", "nowhere"], True),
        (["ablate", "--data", "nowhere"], True),
        (["latency", "nothing"], False),
    ],
)
def test_the_commands_that_go_through_a_whole_data_set_keep_it(monkeypatch, command, kept):
    called = []
    monkeypatch.delenv("PNEUMO_DATA", raising=False)
    monkeypatch.setattr(allocator, "keep_freed_memory", lambda: called.append(command))

    told = CliRunner().invoke(app, command)

    assert told.exit_code == 2
    assert bool(called) == kept
