"""The files that the commands write for each film, under names of their own.

``python -m pneumo predict|check|lungs``: the commands that look at films, a line for every input.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from pneumo.inference.classifier import Assessment
    from pneumo.inference.findings import Finding
    from pneumo.radiograph import Radiograph


import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo import DISCLAIMER
from pneumo.cli import output
from pneumo.cli.options import ModelsOption, load_keras, reports_errors
from pneumo.cli.output import complain, say
from pneumo.errors import ExplanationError, ModelError, PneumoError

if TYPE_CHECKING:
    from pneumo.explanation.explainer import Explainer
    from pneumo.inference.classifier import Assessment, Classifier
    from pneumo.inference.gate import Finding, Gate, GateResult
    from pneumo.radiograph import Radiograph


class Outcome(NamedTuple):
    """A film that was read, and what was made of it.

    Attributes:
        record: as `pneumo.reports.record` makes it.
        film: what was assessed or refused.
        findings: what the gate found; None where the film was not checked.
        assessment: None where the film was refused.
        heat: (height, width) float32 in 0…1; None where there is no heat map.
        method: the heat map's, for people.
    """

    record: dict[str, Any]
    film: "Radiograph"
    findings: "Sequence[Finding] | None"
    assessment: "Assessment | None"
    heat: "np.ndarray | None"
    method: str


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


def write_heatmap(film: "Radiograph", heat: "np.ndarray", target: Path) -> None:
    """Write a film with its heat map as PNG, in the film's own size.

    Args:
        film: the film.
        heat: (height, width) float32 in 0…1, of the film's size.
        target: path of the PNG; its folder is made if there is none.
    """
    import cv2

    from pneumo.explanation import drawing

    target.parent.mkdir(parents=True, exist_ok=True)
    picture = drawing.overlay(film.pixels, heat, opacity=0.6)
    target.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def write_report(outcome: Outcome, path: Path, target: Path) -> str:
    """Write all that there is to keep of one film, and put the path of its PDF into its record.

    Args:
        outcome: the film and what was made of it.
        path: of the film's file.
        target: path of the files without their endings; its folder is made if there is none.

    Returns:
        What is missing and why, in a sentence; empty where nothing is. Nothing is raised, so that the other films of a
        run get their reports.
    """
    from pneumo.reports import overlay_png
    from pneumo.reports.files import PDF, of_film
    from pneumo.reports.pdf import FilmReport

    record, film, findings, assessment, heat, method = outcome
    try:
        overlay = None
        if assessment and heat is not None:
            overlay = overlay_png.overlay(film.pixels, heat, method, assessment.answer)
        item = FilmReport(record, film.pixels, overlay)
        files = of_film(item, path, datetime.now().astimezone(), assessment, findings)
        target.parent.mkdir(parents=True, exist_ok=True)
        for ending, content in files.contents.items():
            target.with_name(f"{target.name}{ending}").write_bytes(content)
    except OSError as error:
        return f"The report could not be written: {error}."
    except Exception as error:
        return f"No report could be made ({type(error).__name__}). Run again without --report for the answer alone."
    record["report"] = str(target.with_name(f"{target.name}{PDF}"))
    return files.problem


SOME_FAILED = 1

PathsArgument = Annotated[list[Path], typer.Argument(help="Films (JPEG, PNG, TIFF, DICOM …) or folders of films.")]
LinesOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@reports_errors
def predict(
    paths: PathsArgument,
    model: Annotated[str | None, typer.Option(help="Name of a model; the best on validation if left out.")] = None,
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
    method: Annotated[str, typer.Option(help="Kind of heat map; an unknown one lists them all.")] = "gradcam",
    correct: Annotated[
        bool, typer.Option("--correct", help="Turn or invert a film where the check finds that it needs that.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Assess what the check refuses, too.")] = False,
    models: ModelsOption = None,
) -> None:
    """Assess films: a line for every input, those that are refused or cannot be read included."""
    load_keras()
    from pneumo import radiograph
    from pneumo.explanation import cam
    from pneumo.inference.classifier import Classifier
    from pneumo.reports.files import ENDINGS
    from pneumo.reports.record import error_record, to_csv, to_json

    if method not in cam.METHODS:
        raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(cam.METHODS)}.")
    classifier = Classifier.open(model, models)
    explainer = _explainer_or_notice(classifier, needed=heatmap is not None) if heatmap or reports else None
    screener = _screener_or_complaint(models)
    files = list(_films(paths))
    records: list[dict[str, Any]] = []
    taken = {path.resolve() for path in files}
    all_reported = True
    with output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                film, verdict = _screened(radiograph.read(path), screener, correct)
                record, assessment = _assessed(film, verdict, str(path), classifier, force)
                heat = explainer.heat_map(assessment, method).values if assessment and explainer else None
                if heat is not None and heatmap:
                    target = own_path(heatmap, path.stem, taken)
                    write_heatmap(film, heat, target)
                    record["heatmap"] = str(target)
                if reports:
                    target = reports / own_stem(reports, path.stem, ENDINGS, taken)
                    findings = verdict.findings if verdict else None
                    outcome = Outcome(record, film, findings, assessment, heat, cam.METHODS[method])
                    if problem := write_report(outcome, path, target):
                        all_reported = False
                        complain(f"{path}: {problem}")
            except PneumoError as error:
                record = error_record(str(path), error, classifier.card)
            records.append(record)
            print(to_json(record) if as_json else output.record_line(record), flush=True)
            show("assessing", done, len(files))
    if csv_file:
        csv_file.write_text(to_csv(records), "utf-8", "backslashreplace")
    if not as_json:
        say(f"Model: {classifier.card.title}. {DISCLAIMER}")
    if not all_reported or any(record["status"] != "ok" for record in records):
        raise typer.Exit(SOME_FAILED)


def _explainer_or_notice(classifier: "Classifier", *, needed: bool) -> "Explainer | None":
    """Return what draws heat maps; a report can do without where the model has none, a folder of heat maps cannot."""
    from pneumo.explanation.explainer import Explainer

    try:
        return Explainer(classifier)
    except ExplanationError as error:
        if needed:
            raise
        say(f"The reports have no heat map. {error}")
        return None


def _screener_or_complaint(models: Path | None) -> "Gate | None":
    from pneumo.inference.gate import Gate

    try:
        return Gate.open(models)
    except ModelError as error:
        complain(f"Films are not checked. {error}")
        return None


def _screened(film: "Radiograph", screener: "Gate | None", correct: bool) -> "tuple[Radiograph, GateResult | None]":
    """Check a film; where it needs a correction that the user asked for, return the corrected film and its check."""
    from pneumo.inference import gate

    verdict = screener.check(film) if screener else None
    if screener and verdict and verdict.correction and correct:
        film = gate.corrected(film, verdict.correction)
        verdict = screener.check(film)
    return film, verdict


def _assessed(
    film: "Radiograph", verdict: "GateResult | None", file: str, classifier: "Classifier", force: bool
) -> "tuple[dict[str, Any], Assessment | None]":
    from pneumo.inference import batch

    if verdict and not force:
        verdict = dataclasses.replace(verdict, findings=tuple(_with_hint(each) for each in verdict.findings))
    record, assessment = batch.judged(film, verdict, classifier, forced=force)
    return {**record, "file": file}, assessment


def _with_hint(finding: "Finding") -> "Finding":
    if finding.correction is None:
        return finding
    return dataclasses.replace(finding, message=f"{finding.message} Run again with --correct.")


@reports_errors
def check(paths: PathsArgument, as_json: LinesOption = False, models: ModelsOption = None) -> None:
    """Say which films the models may judge, and what speaks against the others; nothing is assessed."""
    load_keras()
    from pneumo import radiograph
    from pneumo.inference.gate import Gate
    from pneumo.reports.record import check_record, to_json, unreadable_record

    screener = Gate.open(models)
    files = list(_films(paths))
    all_accepted = True
    with output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                record = check_record(str(path), screener.check(radiograph.read(path)).findings)
            except PneumoError as error:
                record = unreadable_record(str(path), error)
            all_accepted &= record["accepted"]
            print(to_json(record) if as_json else output.check_line(record), flush=True)
            show("checking", done, len(files))
    if not all_accepted:
        raise typer.Exit(SOME_FAILED)


@reports_errors
def lungs(
    paths: PathsArgument,
    out: Annotated[Path, typer.Option(help="Folder for the masks; made if there is none.", show_default=False)],
    models: ModelsOption = None,
) -> None:
    """Draw the lungs of films: a PNG each, 255 where there is lung, in the film's own size."""
    load_keras()
    import cv2
    import numpy as np

    from pneumo import radiograph
    from pneumo.inference import gate
    from pneumo.preprocessing import network_input

    segmenter = gate.open_segmenter(models)
    files = list(_films(paths))
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
                target.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
                print(f"{path}\t{'drawn' if mask.count else 'no lungs'}\t{target}", flush=True)
            except PneumoError as error:
                all_drawn = False
                print(f"{path}\terror\t{error}", flush=True)
            show("drawing", done, len(files))
    if not all_drawn:
        raise typer.Exit(SOME_FAILED)


def _films(paths: list[Path]) -> Iterator[Path]:
    """Go through folders, leaving out what the system hides in them; a named file is always taken."""
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from (file for file in inside if not file.name.startswith("."))
        else:
            yield path
