"""Worker processes that read the films of an archive's parts, on this machine or, through Ray, on many.

A worker has networks of its own and uses one processor. What ends it, such as a decoder that crashes or a lack of
memory, costs a second try of its part; a film that ends it twice gets a row that says so.
"""

import functools
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from pneumo.errors import ArchiveError, AuditError, PneumoError, UnreadableImageError
from pneumo.model_store import runtime
from pneumo.serving import scoring
from pneumo.serving.archive import Entry
from pneumo.serving.scoring import Job, ReadFilm, Row

# A film that has ended a worker so often is passed over; workers that end as often without a film are given up.
MOST_ENDS = 2
# Most films take a tenth of a second, and decoders have limits of their own.
FILM_SECONDS, LOADING_SECONDS = 300, 600
# For the libraries that compute: more threads than processors slow all workers down.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

# One process is started at a time.
_starting = threading.Lock()


class _EndedError(Exception):
    """The process of a worker has ended, or takes too long."""


class Worker:
    """A process that reads films, started when it is needed and again after it has ended.

    Args:
        job: whose films it reads.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._process: Any = None
        self._pipe: Connection | None = None
        self._is_closed = False

    def score(self, part: int, progress: Callable[[int], None] = lambda films: None) -> dict[str, int]:
        """Write the file of a part, and return its `Job.counts`.

        Args:
            part: its number.
            progress: is told how many films of it are done.

        Raises:
            PneumoError: if networks cannot be loaded, the archive is away, or the process ends again and again.
            OSError: if the file cannot be written.
        """
        ends: Counter[int | None] = Counter()
        while True:
            passed_over = {film for film, times in ends.items() if times >= MOST_ENDS}
            film = None
            try:
                for said in self._ask(part, passed_over):
                    if isinstance(said, dict):
                        return said
                    film = said
                    progress(film)
            except _EndedError:
                code = self._end()
                ends[film] += 1
                if self._is_closed or ends[None] >= MOST_ENDS:
                    raise ArchiveError(
                        "The worker processes end before they read a film (exit code {code}). There may be too little "
                        "memory: try fewer with --workers.",
                        code=code,
                    ) from None

    def _ask(self, part: int, passed_over: set[int | None]) -> Iterator[int | dict[str, int]]:
        """Yield which film of a part the process is at, and in the end what `Job.write` returned."""
        seconds = FILM_SECONDS if self._pipe else LOADING_SECONDS
        try:
            pipe = self._started()
            pipe.send((part, passed_over))
            while pipe.poll(seconds):
                said = pipe.recv()
                if isinstance(said, Exception):
                    break
                yield said
                seconds = FILM_SECONDS
            else:
                raise EOFError
        except (EOFError, OSError) as error:
            raise _EndedError from error
        raise said

    def _started(self) -> Connection:
        if self._is_closed:
            raise EOFError
        if self._pipe is None:
            # A fork would share locks and threads of the libraries that compute.
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._job), daemon=True)
            with _without_main():
                self._process.start()
            theirs.close()
        return self._pipe

    def _end(self) -> int | None:
        """End the process, and return its exit code."""
        if self._process is None:
            return None
        # One that has closed its pipe is ending by itself, with a code of its own.
        self._process.join(timeout=1)
        self._process.kill()
        self._process.join()
        self._pipe = None
        return self._process.exitcode

    def close(self) -> None:
        """End the process for good; a thread that waits for it gets an error."""
        self._is_closed = True
        if self._process is not None:
            self._process.kill()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main program from a process that is started: it would run the program, and needs nothing of it."""
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _serve(pipe: Connection, job: Job) -> None:
    """Score the parts that are asked for, in a process of its own, until who asks has gone."""
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries write notices there, decoders what they find in a film; what matters goes through the pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.environ.update({**job.settings, **dict.fromkeys(_ONE_THREAD, "1")})
    try:
        try:
            if not scoring.rules(job.reader).items() <= job.identity.items():
                raise ArchiveError(
                    "A machine of the cluster has another model or version of pneumo. Install the same on all."
                )
            read = job.reader.load()
            while True:
                part, passed_over = pipe.recv()
                pipe.send(_score(job, part, passed_over, read, pipe.send))
        except (PneumoError, OSError) as error:
            pipe.send(error)
        except EOFError:
            raise
        except Exception as error:
            pipe.send(
                ArchiveError("A worker process failed ({kind}: {why}).", kind=type(error).__name__, why=str(error))
            )
    except (EOFError, OSError):
        return


def _score(job: Job, part: int, passed_over: set[int], read: ReadFilm, at: Callable[[int], None]) -> dict[str, int]:
    rows = []
    for number, entry in enumerate(job.entries(part)):
        at(number)
        rows.append(_row(job, entry, read, is_passed_over=number in passed_over))
    return job.write(part, rows)


def _row(job: Job, entry: Entry, read: ReadFilm, *, is_passed_over: bool) -> Row:
    """Return the row of a film; whatever is wrong with it, it gets one."""
    name = entry[0]
    try:
        if is_passed_over:
            raise UnreadableImageError("{name} ended the program that read it. Export the film again.", name=name)
        return read(job.archive.film(entry), name)
    except (ArchiveError, AuditError):
        raise
    except PneumoError as error:
        return read(error, name)
    except Exception as error:
        kind = type(error).__name__
        return read(
            UnreadableImageError("{name} could not be read ({kind}). Export the film again.", name=name, kind=kind),
            name,
        )


def local(
    job: Job, parts: Sequence[int], workers: int | None, progress: Callable[[int, int], None]
) -> Iterator[tuple[int, dict[str, int]]]:
    """Score parts by processes of this machine; see `scoring.Engine`."""
    left, taking = iter(parts), threading.Lock()
    done: queue.SimpleQueue[tuple[int, dict[str, int]] | Exception] = queue.SimpleQueue()

    def run(worker: Worker) -> None:
        try:
            while True:
                with taking:
                    part = next(left, None)
                if part is None:
                    return
                done.put((part, worker.score(part, functools.partial(progress, part))))
        except Exception as error:
            done.put(error)

    crew = [Worker(job) for _ in range(min(workers or runtime.processors(), len(parts)))]
    threads = [threading.Thread(target=run, args=(worker,)) for worker in crew]
    try:
        for thread in threads:
            thread.start()
        for _ in parts:
            found = done.get()
            if isinstance(found, Exception):
                raise found
            yield found
    finally:
        for worker in crew:
            worker.close()
        for thread in threads:
            thread.join()


class RayWorker:
    """A `Worker` as Ray Data calls it: with rows of part numbers, once a part.

    Args:
        job: whose films it reads.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._worker = job, Worker(job)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a part's number, and its counts or the sentence that says why it has none."""
        part = int(row["part"])
        try:
            # Ray runs a task again whose node was lost, even if all but its last part were written.
            counts = self._job.counts(part) or self._worker.score(part)
            return {"part": part, "counts": json.dumps(counts), "problem": ""}
        except (PneumoError, OSError) as error:
            return {"part": part, "counts": "{}", "problem": str(error)}


def ray(
    job: Job, parts: Sequence[int], workers: int | None, progress: Callable[[int, int], None]
) -> Iterator[tuple[int, dict[str, int]]]:
    """Score parts by Ray Data, on all machines of the cluster, which see archive, results and models under one path.

    The cluster is that of ``RAY_ADDRESS`` or of this machine; where none runs, Ray starts one here.
    """
    # Ray reports its use over the network unless this is set when it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray as library
        import ray.data as ray_data
    except ImportError as error:
        raise ArchiveError('Ray is not installed: `pip install "pneumo[ray]"`.') from error
    library.init(ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray_data.DataContext.get_current().enable_progress_bars = False
    workers = workers or int(library.cluster_resources()["CPU"])
    # Ray's types know functions alone here.
    scorer: Any = RayWorker
    scored = ray_data.from_items([{"part": part} for part in parts], override_num_blocks=len(parts)).map(
        scorer,
        fn_constructor_args=(job,),
        num_cpus=1,
        compute=ray_data.ActorPoolStrategy(min_size=1, max_size=workers),
    )
    for row in scored.iter_rows():
        if row["problem"]:
            raise ArchiveError(row["problem"])
        yield row["part"], json.loads(row["counts"])
