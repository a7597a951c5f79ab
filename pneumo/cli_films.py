"""``python -m pneumo predict|check|lungs``: the commands that look at films, a line for every input."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pneumo import DISCLAIMER, cli_files, cli_output
from pneumo.cli_options import ModelsOption, load_keras, reports_errors
from pneumo.cli_output import complain, say
from pneumo.errors import ExplanationError, ModelError, PneumoError

if TYPE_CHECKING:
    from pneumo.classifier import Assessment, Classifier
    from pneumo.explanation import Explainer
    from pneumo.gate import Finding, Verdict
    from pneumo.radiograph import Radiograph
    from pneumo.screening import Screener

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
    from pneumo import heat_methods, radiograph, report, report_files
    from pneumo.classifier import Classifier

    if method not in heat_methods.METHODS:
        raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(heat_methods.METHODS)}.")
    classifier = Classifier.open(model, models)
    explainer = _explainer_or_notice(classifier, needed=heatmap is not None) if heatmap or reports else None
    screener = _screener_or_complaint(models)
    files = list(_films(paths))
    records: list[dict[str, Any]] = []
    taken = {path.resolve() for path in files}
    all_reported = True
    with cli_output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                film, verdict = _screened(radiograph.read(path), screener, correct)
                record, assessment = _assessed(film, verdict, str(path), classifier, force)
                heat = explainer.heat_map(assessment, method).values if assessment and explainer else None
                if heat is not None and heatmap:
                    target = cli_files.own_path(heatmap, path.stem, taken)
                    cli_files.write_heatmap(film, heat, target)
                    record["heatmap"] = str(target)
                if reports:
                    target = reports / cli_files.own_stem(reports, path.stem, report_files.ENDINGS, taken)
                    findings = verdict.findings if verdict else None
                    outcome = cli_files.Outcome(record, film, findings, assessment, heat, heat_methods.METHODS[method])
                    if problem := cli_files.write_report(outcome, path, target):
                        all_reported = False
                        complain(f"{path}: {problem}")
            except PneumoError as error:
                record = report.error_record(str(path), error, classifier.card)
            records.append(record)
            print(report.to_json(record) if as_json else cli_output.record_line(record), flush=True)
            show("assessing", done, len(files))
    if csv_file:
        csv_file.write_text(report.to_csv(records), "utf-8", "backslashreplace")
    if not as_json:
        say(f"Model: {classifier.card.title}. {DISCLAIMER}")
    if not all_reported or any(record["status"] != "ok" for record in records):
        raise typer.Exit(SOME_FAILED)


def _explainer_or_notice(classifier: "Classifier", *, needed: bool) -> "Explainer | None":
    """Return what draws heat maps; a report can do without where the model has none, a folder of heat maps cannot."""
    from pneumo.explanation import Explainer

    try:
        return Explainer(classifier)
    except ExplanationError as error:
        if needed:
            raise
        say(f"The reports have no heat map. {error}")
        return None


def _screener_or_complaint(models: Path | None) -> "Screener | None":
    from pneumo.screening import Screener

    try:
        return Screener.open(models)
    except ModelError as error:
        complain(f"Films are not checked. {error}")
        return None


def _screened(film: "Radiograph", screener: "Screener | None", correct: bool) -> "tuple[Radiograph, Verdict | None]":
    """Check a film; where it needs a correction that the user asked for, return the corrected film and its check."""
    from pneumo import gate

    verdict = screener.check(film) if screener else None
    if screener and verdict and verdict.correction and correct:
        film = gate.corrected(film, verdict.correction)
        verdict = screener.check(film)
    return film, verdict


def _assessed(
    film: "Radiograph", verdict: "Verdict | None", file: str, classifier: "Classifier", force: bool
) -> "tuple[dict[str, Any], Assessment | None]":
    from pneumo import batch

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
    from pneumo import radiograph, report
    from pneumo.screening import Screener

    screener = Screener.open(models)
    files = list(_films(paths))
    all_accepted = True
    with cli_output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                record = report.check_record(str(path), screener.check(radiograph.read(path)).findings)
            except PneumoError as error:
                record = report.unreadable_record(str(path), error)
            all_accepted &= record["accepted"]
            print(report.to_json(record) if as_json else cli_output.check_line(record), flush=True)
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

    from pneumo import preprocessing, radiograph, screening

    segmenter = screening.open_segmenter(models)
    files = list(_films(paths))
    out.mkdir(parents=True, exist_ok=True)
    taken = {path.resolve() for path in files}
    all_drawn = True
    with cli_output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                film = radiograph.read(path)
                mask = segmenter.segment(preprocessing.film_square(film.pixels))
                target = cli_files.own_path(out, path.stem, taken)
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
