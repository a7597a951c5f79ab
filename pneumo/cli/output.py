"""Output and options of the commands: results on stdout, progress and complaints on stderr, errors as sentences."""

import errno
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pneumo.datasets import kaggle
from pneumo.errors import PneumoError
from pneumo.inference.findings import Correction
from pneumo.model_store import runtime, weights
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.results import model_facts
from pneumo.sentences import visible

if TYPE_CHECKING:
    from pneumo.inference.site_films import LocalFilm
    from pneumo.reports.records import Record
    from pneumo.training.films import Stage

# What the history of a run calls a figure, and how an epoch's line names it.
_EPOCH_FIGURES = {
    "loss": "loss",
    "val_auroc": "validation AUROC",
    "shifted_auroc": "shifted",
    "val_dice": "validation Dice",
}
# A pipe has no width; a table cut to 80 columns would lose its intervals.
_PIPED_WIDTH = 160


def console(*, stderr: bool = False) -> Console:
    """Return a console on the stream as it is now, wide where no terminal sets a width."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, soft_wrap=True, width=None if stream.isatty() else _PIPED_WIDTH)


def say(text: str) -> None:
    """Print a sentence on stderr, on one line."""
    console(stderr=True).print(visible(text), markup=False)


def complain(text: str) -> None:
    """Print what went wrong on stderr."""
    console(stderr=True).print(visible(f"Error: {text}"), markup=False, style="red")


def print_json(data: Any) -> None:
    """Print a value as JSON, for people and machines."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Drop what native code writes to stderr meanwhile.

    TensorFlow logs two notices while it is imported, before any of its own log settings take effect.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on stderr where that is a terminal; yields a function of (what, done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def show_stage(show: Callable[[str, int, int], None], stage: "Stage") -> None:
    """Move the bar on, and print a line for each epoch that is done."""
    show(stage.what, stage.done, stage.total)
    if row := stage.row:
        known = [(name, row[key]) for key, name in _EPOCH_FIGURES.items() if key in row]
        figures = ", ".join(f"{name} {value:.4f}" for name, value in known)
        say(f"epoch {row['epoch']:.0f}: {figures}, {row['seconds']:.0f} s")


def record_line(record: "Record") -> str:
    """Return a film's record as one line of text: file, answer, probability, findings; or file, status, reasons."""
    if record.probability is not None:
        findings = [finding.message for finding in record.findings or ()]
        if record.forced:
            findings.insert(0, "Assessed in spite of a refusal:")
        if record.crop:
            findings.insert(0, str(Correction(crop=record.crop)))
        return cells(record.file, record.answer, f"{record.probability:.3f}", " ".join(findings))
    return cells(record.file, record.status, " ".join(record.reasons))


def local_film_line(film: "LocalFilm") -> str:
    """Return a film that a hospital is calibrated on as one line of text: file, label, probability, or why not."""
    return cells(film.file, film.label, f"{film.probability:.3f}" if film.probability is not None else film.left_out)


def cells(*texts: str | None) -> str:
    """Return texts as one line, with tabs between those that there are."""
    return "\t".join(visible(text) for text in texts if text)


def check_line(record: dict[str, Any]) -> str:
    """Return what the gate found in a film as one line of text: file, verdict and findings."""
    messages = " ".join(finding["message"] for finding in record["findings"])
    return cells(record["file"], "accepted" if record["accepted"] else "refused", messages)


def print_leaderboard(cards: list[ModelCard], split: str) -> None:
    """Print one row a model."""
    titles = {"auroc": "AUROC", **{key: key for key in ("accuracy", "sensitivity", "specificity")}}
    rows = [
        {
            "model": card.name,
            **{title: _interval(card.metrics.get(split, {}).get(key)) for key, title in titles.items()},
            "parameters": f"{card.parameters:,}",
        }
        for card in cards
    ]
    print_table(pd.DataFrame(rows, columns=["model", *titles.values(), "parameters"]), f"Split: {split}")


def print_metrics(card: ModelCard, split: str) -> None:
    """Print a model's figures on one split."""
    figures = card.metrics[split]
    rows = [(name, model_facts.cell(figure)) for name, figure in model_facts.figures(figures)]
    shown = pd.DataFrame(rows, columns=["figure", "value (95 % interval)"], dtype=object)
    print_table(shown, f"{card.title} on {split}, {figures['films']} films")
    out = console()
    if card.task == CLASSIFICATION and (cells := figures.get("confusion")):
        out.print(_confusion_line(cells, figures["threshold"]))
    if figures.get("failed"):
        out.print(f"On {figures['failed']} of the films nothing was found.")


def _confusion_line(cells: dict[str, int], threshold: float) -> str:
    return (
        f"At threshold {threshold:g}: of {cells['true_positive'] + cells['false_negative']} films with "
        f"pneumonia {cells['false_negative']} missed, of {cells['true_negative'] + cells['false_positive']} normal "
        f"films {cells['false_positive']} false alarms."
    )


def print_table(rows: pd.DataFrame, title: str) -> None:
    """Print a table as it stands."""
    table = Table(*rows.columns, title=title)
    for row in rows.itertuples(index=False):
        table.add_row(*(str(cell) for cell in row))
    console().print(table)


def print_data_summary(films: pd.DataFrame, parts: kaggle.Development) -> None:
    """Print the counts of a dataset."""
    print_table(kaggle.counts(films), f"{len(films):,} films of {films['patient'].nunique():,} patients")
    console().print(
        f"{len(kaggle.duplicate_groups(films))} groups of identical films. Development split by patient: "
        f"{len(parts.train):,} films train, {len(parts.validation):,} validate. No patient stands in two splits."
    )


def _interval(figure: dict[str, float | None] | None) -> str:
    if not figure or figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"


SOME_FAILED, USAGE = 1, 2
# Addresses that only this machine can call.
LOCAL = ("localhost", "127.0.0.1", "::1")

ModelsOption = Annotated[
    Path | None,
    typer.Option("--models", help="Folder of model folders.", show_default="PNEUMO_MODELS, else what pneumo ships"),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Name of a model; if left out that of PNEUMO_SITE, else the best on validation."),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="PNEUMO_DATA", help="Dataset in the Kaggle layout (train/, val/, test/)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors that a user can mend into one sentence and exit code 2."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (PneumoError, ValueError, OSError) as error:
            complain(of_system(error) if isinstance(error, OSError) else str(error))
            raise typer.Exit(USAGE) from error

    return run


def of_system(error: OSError) -> str:
    """Say what the system refused, and what to do where that is known."""
    place = f": {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"The disk is full{place}. Free some space, then run the command again."
    if error.errno in (errno.EROFS, errno.EACCES):
        return f"The folder or file cannot be used, it is read-only or of another user{place}. Name another one."
    return str(error)


def load_keras() -> None:
    """Import Keras, without the notices that TensorFlow prints meanwhile.

    Raises:
        ModelError: if it is not installed.
    """
    with silenced_stderr():
        weights.import_keras()


def load_runtime() -> None:
    """Import what runs networks here.

    Raises:
        ModelError: if ``PNEUMO_RUNTIME`` asks for what is not there.
    """
    if runtime.chosen() == runtime.KERAS:
        load_keras()


def required(data: Path | None) -> Path:
    """Return the dataset's folder, or say how to name it."""
    if data is None:
        raise ValueError("Say where the dataset is: --data DIR, or the environment variable PNEUMO_DATA.")
    return data
