"""The processes of ``pneumo train --workers N``: start them, and once again where one is lost.

Each is the same command with the environment variable ``TF_CONFIG``, which names all workers and the one that it is.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer

from pneumo.cli.output import USAGE, complain, say
from pneumo.errors import WorkerError
from pneumo.training import checkpoints

# The exit code of a process that found another one gone. It says nothing: `train` does.
LOST = 75
# Seconds between two looks at the processes, and that one has to end when it is told to.
LOOK_EVERY, GRACE = 0.2, 10.0


def count() -> int:
    """Count the workers that ``TF_CONFIG`` names; 1 where it is not set.

    Raises:
        ValueError: if it is set to something else.
    """
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster = config.get("cluster") or {"worker": ["this"]}
        workers = cluster.pop("worker")
        if cluster or (
            len(workers) > 1 and not (config["task"]["type"] == "worker" and workers[config["task"]["index"]])
        ):
            raise ValueError
        return len(workers)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "TF_CONFIG is not understood. It should look like this: "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
        ) from error


def train(workers: int, folder: Path) -> int:
    """Run this command in several processes that train together; return the exit code.

    Where a process is killed, all start once more from the last checkpoint.

    Args:
        workers: how many.
        folder: where the checkpoints go. What worker 1 and the following print goes there too, to ``worker-1.log``.
    """
    signal.signal(signal.SIGTERM, _end)
    folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    for last in (False, True):
        state = folder / checkpoints.STATE
        resume = state.is_file() and state.stat().st_mtime > began
        with _started(workers, folder, ["--resume"] if resume else []) as processes:
            failed = _failures(processes)
        if not failed:
            return 0
        killed = [f"Worker {number}" for number, code in failed.items() if code < 0]
        if not killed and LOST not in failed.values():
            number, code = next(iter(failed.items()))
            # Worker 0 has said why itself.
            if number:
                complain(f"Worker {number} failed; {_log(folder, number)} says why.")
            return code
        gone = next(iter(killed), "A worker")
        if not last:
            say(f"{gone} is gone. All workers start again from the last checkpoint.")
    complain(f"{gone} is gone; start again with --resume.")
    return USAGE


@contextmanager
def silent_where_started_by_train(workers: int | None) -> Iterator[None]:
    """Exit with `LOST` where another worker is gone and this process is one of ``--workers``."""
    try:
        yield
    except WorkerError as error:
        if workers is None:
            raise
        raise typer.Exit(LOST) from error


@contextmanager
def _started(workers: int, folder: Path, options: list[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the processes; end those that still run afterwards."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    processes: list[subprocess.Popen[bytes]] = []
    with ExitStack() as logs:
        try:
            for number in range(workers):
                task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
                log = logs.enter_context(_log(folder, number).open("wb")) if number else None
                processes.append(
                    subprocess.Popen(  # noqa: S603  # the command that the user gave
                        [sys.executable, "-m", "pneumo", *sys.argv[1:], *options],
                        # TensorFlow's own lines about a lost worker would hide the sentence that says so.
                        env=os.environ | {"TF_CONFIG": json.dumps(task), "TF_CPP_MIN_LOG_LEVEL": "3"},
                        stdout=log,
                        stderr=log,
                        # No other thread runs here that it could meet.
                        preexec_fn=_end_with_parent,  # noqa: PLW1509
                    )
                )
            yield processes
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(GRACE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _failures(processes: list[subprocess.Popen[bytes]]) -> dict[int, int]:
    """Wait until worker 0 has written the model or a process fails; return the codes of the failed, by number."""
    while True:
        codes = [process.poll() for process in processes]
        failed = {number: code for number, code in enumerate(codes) if code}
        if codes[0] == 0:
            return {}
        if failed:
            return failed
        time.sleep(LOOK_EVERY)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(number)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


def _log(folder: Path, number: int) -> Path:
    return folder / f"worker-{number}.log"


def _end_with_parent() -> None:
    """Let the kernel end a worker when this process ends, also where that was killed and could not tell its workers."""
    if sys.platform == "linux":
        # PR_SET_PDEATHSIG of prctl(2).
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
