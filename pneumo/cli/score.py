"""The command that scores an archive: ``score``."""

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from pneumo import DISCLAIMER
from pneumo.cli import output
from pneumo.cli.output import SOME_FAILED, ModelOption, ModelsOption, reports_errors, say
from pneumo.labels import ANSWER_WORDS, STATUS_WORDS
from pneumo.model_store import site, store
from pneumo.serving import scoring
from pneumo.serving import workers as engines
from pneumo.serving.archive import find


class Engine(StrEnum):
    """What runs the workers."""

    LOCAL = "local"
    RAY = "ray"


@reports_errors
def score(
    archive: Annotated[
        str, typer.Argument(help="A folder with all that is in it, a zip file, a DICOMDIR, or a DICOMweb address.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; made if there is none.", show_default=False)],
    engine: Annotated[
        Engine, typer.Option(help="`local` for this machine, `ray` for all machines of a Ray cluster.")
    ] = Engine.LOCAL,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that read films.", show_default="one for each processor")
    ] = None,
    model: ModelOption = None,
    models: ModelsOption = None,
) -> None:
    """Score an archive: what `predict --json` says of each film becomes a row in the Parquet files of OUT/parts.

    It may be stopped at any time: the same command goes on where it was. Each film gets one row, refused and unreadable
    ones included. Films that come after the first start get none; score them into another OUT.
    """
    if find_spec("pyarrow") is None:
        raise ValueError("Parquet files need a package that is missing. Install it with pip install 'pneumo[archive]'.")
    of_site = site.configured()
    name = model or (of_site.model if of_site else None) or store.default_name(models)
    reader = scoring.ModelReader(name, (models or store.models_folder()).resolve())
    run = engines.ray if engine == Engine.RAY else engines.local
    with output.progress_bar() as show:
        pace = Pace(show)
        with scoring.opened(find(archive), reader, out, listing=lambda films: show("listing", films, films)) as job:
            counts = scoring.score(job, run, workers, lambda films: pace.move(films, job.films))
    words = {**ANSWER_WORDS, **STATUS_WORDS}
    print(f"{job.films:,} films", *(f"{words[key]}: {counts[key]:,}" for key in words if counts[key]), sep="\t")
    say(f"The rows are in {job.results / scoring.PARTS}. {DISCLAIMER}")
    if counts["refused"] or counts["error"]:
        raise typer.Exit(SOME_FAILED)


class Pace:
    """How fast films are read and how long the rest takes: beside the bar, or as a line a minute where there is none.

    Args:
        show: moves a bar, as `output.progress_bar` gives it.
    """

    SECONDS = 60.0

    def __init__(self, show: Callable[[str, int, int], None]) -> None:
        self._show = show
        # How many films there were and when, at the first film of this run: it has waited for the networks.
        self._first: tuple[int, float] | None = None
        self._before = -1
        self._told = time.monotonic()

    def move(self, films: int, total: int) -> None:
        """Tell that some films of all have been read, those of earlier runs included."""
        now = time.monotonic()
        if self._first is None and 0 <= self._before < films:
            self._first = films, now
        self._before = films
        rate = 0.0
        if self._first and films > self._first[0]:
            rate = (films - self._first[0]) / (now - self._first[1])
        self._show(f"scoring, {rate:.1f} films a second" if rate else "scoring", films, total)
        if rate and not sys.stderr.isatty() and now - self._told >= self.SECONDS:
            self._told = now
            left = time.strftime("%H:%M:%S", time.gmtime((total - films) / rate % 86400))
            days = f"{(total - films) / rate // 86400:.0f} d " if (total - films) / rate >= 86400 else ""
            say(f"{films:,} of {total:,} films, {rate:.1f} films a second, {days}{left} left")
