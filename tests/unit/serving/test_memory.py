import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
from pathlib import Path
import numpy as np
from pneumo.serving.memory import give_back_freed

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

def work():
    # Arrays that grow, as those of films do, of which glibc learns to keep ever larger ones.
    for size in range(1, 30):
        np.ones(size * 100_000)

if sys.argv[1] == "give back":
    assert give_back_freed()
before = resident()
for _ in range(8):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
kept = [np.ones(1_000_000) for _ in range(20)]
del kept
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_a_server_gives_freed_memory_back():
    run = subprocess.run([sys.executable, "-c", SCRIPT, "give back"], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 10


def test_other_allocators_are_left_alone(monkeypatch):
    from pneumo.serving import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.give_back_freed() is False
