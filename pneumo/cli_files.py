"""The files that the commands write for each film, under names of their own."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from pneumo.classifier import Assessment
    from pneumo.findings import Finding
    from pneumo.radiograph import Radiograph


class Outcome(NamedTuple):
    """A film that was read, and what was made of it.

    Attributes:
        record: as `pneumo.report` makes it.
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

    from pneumo import drawing

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
    from pneumo import report_files, report_picture
    from pneumo.report_text import FilmReport

    record, film, findings, assessment, heat, method = outcome
    try:
        overlay = None
        if assessment and heat is not None:
            overlay = report_picture.overlay(film.pixels, heat, method, assessment.answer)
        item = FilmReport(record, film.pixels, overlay)
        files = report_files.of_film(item, path, datetime.now().astimezone(), assessment, findings)
        target.parent.mkdir(parents=True, exist_ok=True)
        for ending, content in files.contents.items():
            target.with_name(f"{target.name}{ending}").write_bytes(content)
    except OSError as error:
        return f"The report could not be written: {error}."
    except Exception as error:
        return f"No report could be made ({type(error).__name__}). Run again without --report for the answer alone."
    record["report"] = str(target.with_name(f"{target.name}{report_files.PDF}"))
    return files.problem
