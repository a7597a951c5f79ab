"""The commands that look at films: ``predict``, ``check``, ``lungs`` and ``calibrate``; a line for every input."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from pneumo import DISCLAIMER
from pneumo.cli import output
from pneumo.cli.output import (
    SOME_FAILED,
    ModelOption,
    ModelsOption,
    complain,
    load_keras,
    load_runtime,
    reports_errors,
    say,
)
from pneumo.errors import ExplanationError, GateError, PneumoError, out_of_memory
from pneumo.model_store import store
from pneumo.model_store.site import checked_name
from pneumo.serving.archive import films_below

if TYPE_CHECKING:
    from pneumo.explanation.explainer import HeatMap
    from pneumo.inference.classifier import Classifier
    from pneumo.inference.reading import Models, Reading

PathsArgument = Annotated[
    list[Path], typer.Argument(help="Films (JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF, DICOM) or folders of films.")
]
LinesOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@reports_errors
def predict(
    paths: PathsArgument,
    model: ModelOption = None,
    as_json: LinesOption = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write a CSV file.")] = None,
    heatmap: Annotated[
        Path | None, typer.Option(help="Write each assessed film with its heat map as PNG into a folder.")
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write a PDF and the JSON of each film into a folder, and of an answer the heat map as PNG; for a "
            "DICOM film also the heat map and a structured report as DICOM.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="Kind of heat map; an unknown one lists them all.", show_default="opacity, else gradcam"),
    ] = None,
    correct: Annotated[
        bool,
        typer.Option(
            "--correct",
            help="Turn or invert a film, or cut films out of a picture, where the check finds that it needs that; "
            "a line for each film.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Assess what the check refuses, too.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Assess films without the check; works where its networks are missing.")
    ] = False,
    prevalence: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            max=0.999,
            help="The share of children with pneumonia where you work; answer and count are told for it.",
            show_default="the model's own",
        ),
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Assess films: a line for every input, those that are refused or cannot be read included."""
    files, empty = _films(paths)
    load_runtime()
    from pneumo.explanation import explain
    from pneumo.explanation.explainer import MAPS, OPACITY, maps_of
    from pneumo.inference import open_models
    from pneumo.inference.classifier import calibrated_for
    from pneumo.reports import film_files, record
    from pneumo.reports.records import to_csv, to_json

    if method not in (None, *MAPS):
        raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(MAPS)}.")
    try:
        opened = open_models(model, models, unchecked=unchecked)
    except GateError as error:
        raise GateError("{why} To assess films without the check, use --unchecked.", why=str(error)) from error
    method = method or next(iter(maps_of(opened)))
    draws_heat = bool(heatmap or reports) and (
        method == OPACITY or _has_heat_maps(opened.classifier, method, needed=heatmap is not None)
    )
    records = []
    taken = {path.resolve() for path in files}
    all_reported = True
    with ExitStack() as stack:
        # Opened before the films: an answer of an hour must not be lost to a folder that is not there.
        table = stack.enter_context(_csv_file(csv_file)) if csv_file else None
        show = stack.enter_context(output.progress_bar())
        for done, path, reading in _readings(files, opened, correct=correct, force=force):
            heat, heatmap_file, report_file = None, None, None
            try:
                if draws_heat and reading.assessment:
                    heat = explain(reading, method)
                if heatmap and heat:
                    target = own_path(heatmap, path.stem, taken)
                    write_heatmap(reading, heat, target)
                    heatmap_file = str(target)
                if reports and reading.radiograph:
                    target = reports / own_stem(reports, path.stem, film_files.ENDINGS, taken)
                    page, problem = write_report(reading, heat, target, prevalence)
                    if page:
                        report_file = str(page)
                    if problem:
                        all_reported = False
                        complain(f"{path}: {problem}")
            except MemoryError:
                all_reported = False
                complain(f"{path}: There is not memory enough for its pictures. Export the film in a smaller size.")
            of_film = dataclasses.replace(record(reading, prevalence), heatmap=heatmap_file, report=report_file)
            records.append(of_film)
            print(to_json(of_film) if as_json else output.record_line(of_film), flush=True)
            show("assessing", done, len(files))
        if table:
            table.write(to_csv(records))
    if not as_json:
        site = opened.classifier.site
        say(f"Model: {opened.card.title}. {f'{calibrated_for(site)} ' if site else ''}{DISCLAIMER}")
    if empty or not all_reported or any(of_film.status != "ok" for of_film in records):
        raise typer.Exit(SOME_FAILED)


def _readings(
    files: Sequence[Path], models: "Models", *, correct: bool, force: bool
) -> Iterator[tuple[int, Path, "Reading"]]:
    """Yield the number, the path and the reading of every file; with `correct` one of each film that lies in it."""
    from pneumo.inference import read_film
    from pneumo.serving.audit import noted

    for number, path in enumerate(files, start=1):
        reading = read_film(path, str(path), models, force=force)
        offered = reading.gate.corrections if correct and reading.gate else ()
        for correction in offered:
            yield number, path, noted(read_film(path, str(path), models, correct=correction, force=force), "cli")
        if not offered:
            reading = noted(reading, "cli")
            yield number, path, reading if force else reading.with_hint("Run again with --correct.")


def _csv_file(path: Path) -> TextIO:
    # With a byte order mark: without one Excel takes UTF-8 for another encoding.
    return path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="")


def _has_heat_maps(classifier: "Classifier", method: str, *, needed: bool) -> bool:
    """Return whether a model draws the heat maps; a report can do without, a folder of heat maps cannot."""
    from pneumo.explanation.explainer import explainer_of

    try:
        if explainer_of(classifier).needs_keras(method):
            load_keras()
    except ExplanationError as error:
        if needed:
            raise
        say(f"The reports have no heat map. {error}")
        return False
    return True


def own_path(folder: Path, stem: str, taken: set[Path]) -> Path:
    """Return a path for a PNG under a film's name that neither replaces an input nor what this run has written."""
    return folder / f"{own_stem(folder, stem, ('.png',), taken)}.png"


def own_stem(folder: Path, stem: str, endings: Sequence[str], taken: set[Path]) -> str:
    """Return a name for all files of one film, none of which replaces an input or what this run has written.

    Args:
        folder: that they are written to.
        stem: the name of the film's file, without its ending.
        endings: of the files' names.
        taken: resolved paths of the inputs and of what this run has written; the new ones are added.
    """
    name, number = stem, 1
    while not taken.isdisjoint(targets := [(folder / f"{name}{ending}").resolve() for ending in endings]):
        number += 1
        name = f"{stem}-{number}"
    taken.update(targets)
    return name


def write_heatmap(reading: "Reading", heat: "HeatMap", target: Path) -> None:
    """Write a film with its heat map as PNG, in the film's own size.

    Args:
        reading: of the film.
        heat: of the film's size.
        target: path of the PNG; its folder is made if there is none.
    """
    import cv2

    from pneumo.explanation import drawing

    assert reading.radiograph is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = drawing.overlay(reading.radiograph.pixels, heat.values, opacity=0.6)
    store.write_atomically(target, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def write_report(
    reading: "Reading", heat: "HeatMap | None", target: Path, prevalence: float | None = None
) -> tuple[Path | None, str]:
    """Write all that there is to keep of one film.

    Args:
        reading: of a film that was read.
        heat: its heat map, if it has one.
        target: path of the files without their endings; its folder is made if there is none.
        prevalence: share of the children who have pneumonia where the film was made, 0…1; the model's own where None.

    Returns:
        The path of the PDF, None where no report could be made; and what is missing and why, in a sentence, empty where
        nothing is. Nothing is raised, so that the other films of a run get their reports.
    """
    from pneumo.reports import files
    from pneumo.reports.film_files import PDF

    try:
        made = files(reading, heat, made=datetime.now().astimezone(), prevalence=prevalence)
        target.parent.mkdir(parents=True, exist_ok=True)
        for ending, content in made.contents.items():
            store.write_atomically(target.with_name(f"{target.name}{ending}"), content)
    except OSError as error:
        return None, f"The report could not be written. {output.of_system(error)}"
    except Exception as error:
        return (
            None,
            (f"No report could be made ({type(error).__name__}). Run again without --report for the answer alone."),
        )
    return target.with_name(f"{target.name}{PDF}"), made.problem


@reports_errors
def check(paths: PathsArgument, as_json: LinesOption = False, models: ModelsOption = None) -> None:
    """Say which films the models may judge, and what speaks against the others; nothing is assessed."""
    files, empty = _films(paths)
    load_runtime()
    from pneumo import radiograph
    from pneumo.inference.gate import Gate
    from pneumo.reports.records import check_record, json_text, unreadable_record

    gate = Gate.open(models)
    all_accepted = True
    with output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                line = check_record(str(path), gate.check(radiograph.read(path)).findings)
            except PneumoError as error:
                line = unreadable_record(str(path), error)
            except MemoryError:
                line = unreadable_record(str(path), out_of_memory(path.name))
            all_accepted &= line["accepted"]
            print(json_text(line) if as_json else output.check_line(line), flush=True)
            show("checking", done, len(files))
    if empty or not all_accepted:
        raise typer.Exit(SOME_FAILED)


@reports_errors
def lungs(
    paths: PathsArgument,
    out: Annotated[Path, typer.Option(help="Folder for the masks; made if there is none.", show_default=False)],
    models: ModelsOption = None,
) -> None:
    """Draw the lungs of films: a PNG each, 255 where there is lung, in the film's own size."""
    files, empty = _films(paths)
    load_runtime()
    import cv2
    import numpy as np

    from pneumo import radiograph
    from pneumo.inference import gate
    from pneumo.preprocessing import network_input

    segmenter = gate.open_segmenter(models)
    out.mkdir(parents=True, exist_ok=True)
    taken = {path.resolve() for path in files}
    all_drawn = True
    with output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                film = radiograph.read(path)
                mask = segmenter.segment(network_input.film_square(film.pixels))
                target = own_path(out, path.stem, taken)
                picture = np.where(mask.at(film.height, film.width), 255, 0).astype(np.uint8)
                store.write_atomically(target, cv2.imencode(".png", picture)[1].tobytes())
                print(output.cells(str(path), "drawn" if mask.count else "no lungs", str(target)), flush=True)
            except (PneumoError, MemoryError) as error:
                error = out_of_memory(path.name) if isinstance(error, MemoryError) else error
                all_drawn = False
                print(output.cells(str(path), "error", str(error)), flush=True)
            show("drawing", done, len(files))
    if empty or not all_drawn:
        raise typer.Exit(SOME_FAILED)


@reports_errors
def calibrate(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Films of one hospital: a folder NORMAL, and PNEUMONIA if there are some, or labels.csv as `data "
            "hospitals` reads it."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The site file to write, for PNEUMO_SITE.")] = Path("site.json"),
    site: Annotated[
        str | None, typer.Option(help="The hospital's name, which every answer tells.", show_default="the folder's")
    ] = None,
    hospital: Annotated[str | None, typer.Option(help="Which hospital, where labels.csv names several.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of a model; the best on validation if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the site file instead of tables.")] = False,
    models: ModelsOption = None,
) -> None:
    """Calibrate a model at one hospital: thresholds and probability from 30 or more of its films known to be normal.

    Each film is of another child; 20 or more films with pneumonia show besides how many of those are found. Then set
    PNEUMO_SITE to the file: the app and `predict` use it for that model and name the hospital in every answer.
    """
    # Before the films: their answers must not be lost to a name or a folder that cannot be.
    name = checked_name(site or hospital or folder.resolve().name)
    if not out.resolve().parent.is_dir():
        raise ValueError(f"There is no folder {out.resolve().parent} to write {out.name} into. Make it first.")
    load_runtime()
    from pneumo.inference import open_models, site_films

    opened = open_models(model, models, at_site=False)
    with output.progress_bar() as show:
        films = site_films.read_local_films(
            folder, opened, hospital, lambda done, total: show("assessing", done, total)
        )
    if not as_json:
        for film in films:
            print(output.local_film_line(film))
    made = site_films.calibrated_site(opened.card, name, films)
    store.write_atomically(out, made.as_json())
    if as_json:
        print(made.as_json(), end="")
    else:
        counted = f"{made.normal_films} normal films, {made.pneumonia_films} with pneumonia"
        output.print_table(site_films.readable(made), f"{opened.card.name} at {made.name}: {counted}")
    for sentence in filter(None, (site_films.foreign_films(films), *site_films.limits(made))):
        say(sentence)
    say(f"Wrote {out}. Use it with PNEUMO_SITE={out.resolve()}.")
    if any(film.failed for film in films):
        raise typer.Exit(SOME_FAILED)


def _films(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the films of folders and the named ones, and the folders that hold none.

    Raises:
        ValueError: if there is no film at all.
    """
    films, empty = [], []
    for path in paths:
        inside = sorted(films_below(path)) if path.is_dir() else [path]
        films += inside
        if not inside:
            empty.append(path)
    if not films:
        raise ValueError(f"There is no film in {', '.join(map(str, empty))}.")
    for folder in empty:
        complain(f"There is no film in {folder}.")
    return films, empty
