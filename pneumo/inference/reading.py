"""The reading of one film: read, checked by the gate, corrected if the user asks for it, and assessed.

`read_film` is the one place where that happens; page, list of films, command line and reports all call it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Literal

import numpy as np

from pneumo import DISCLAIMER, radiograph
from pneumo.errors import GateError, ModelError, PneumoError, out_of_memory
from pneumo.inference.classifier import Assessment, Classifier
from pneumo.inference.findings import Correction, Finding
from pneumo.inference.gate import Gate, GateResult, corrected
from pneumo.inference.lungs import LungMask
from pneumo.inference.opacity import OpacityMap, OpacityNetwork, Severity, severity
from pneumo.labels import ANSWER_WORDS, STATUS_WORDS
from pneumo.model_store import site as sites
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.preprocessing.network_input import film_square, squashed, stretched
from pneumo.radiograph import Radiograph
from pneumo.sentences import visible

Status = Literal["ok", "refused", "error"]


@dataclass(frozen=True, eq=False)
class Models:
    """The networks that a film is read with, loaded; one object may serve many threads.

    Attributes:
        classifier: says how likely pneumonia is.
        gate: decides which films the classifier may judge; None where the user asked that films are not checked.
        opacity: maps the opacities of a film; None where there is no such network.
    """

    classifier: Classifier
    gate: Gate | None
    opacity: OpacityNetwork | None = None

    @property
    def card(self) -> ModelCard:
        """The card of the classifier."""
        return self.classifier.card

    def warm_up(self) -> None:
        """Run each network once on a black picture, so that the first film does not wait for their graphs."""
        self.classifier.warm_up()
        if self.gate:
            self.gate.warm_up()
        if self.opacity:
            self.opacity.warm_up()


def open_models(
    name: str | None = None,
    folder: str | Path | None = None,
    *,
    unchecked: bool = False,
    at_site: bool = True,
) -> Models:
    """Load a classifier and the networks of the gate; one lung network serves both.

    Args:
        name: of the classifier; where None, that of the site, or else the best on validation.
        folder: the folder of model folders; see `store.models_folder` where None.
        unchecked: whether films are assessed without asking the gate.
        at_site: whether the classifier is calibrated for the site of ``PNEUMO_SITE``, if one is set.

    Raises:
        GateError: if a network of the gate is missing or damaged, unless `unchecked`.
        ModelError: if the classifier is, or the site's file is or was made for another model; if the network of
            opacities is damaged.
    """
    site = sites.configured() if at_site else None
    name = name or (site.model if site else None)
    folder = Path(folder) if folder is not None else None
    # A classifier that is missing is told of first.
    name = store.read_card(name or store.default_name(folder), folder, CLASSIFICATION).name
    try:
        gate = None if unchecked else Gate.open(folder)
    except ModelError as error:
        raise GateError("Films cannot be checked, so none is assessed. {why}", why=str(error)) from error
    opacity = OpacityNetwork.open(folder) if OpacityNetwork.is_there(folder) else None
    return Models(Classifier.open(name, folder, gate.segmenter if gate else None, site), gate, opacity)


@dataclass(frozen=True, eq=False, repr=False)
class Reading:
    """What became of one film.

    Attributes:
        name: what the film is called.
        source: the bytes or the path of its file.
        models: that it was read with.
        radiograph: the film as it was assessed or refused, corrected if that was asked for; None where the file could
            not be read.
        gate: what the gate found in it; None where the film was not checked.
        assessment: what the classifier said; None where the film was refused or could not be read.
        opacity: where the film is opaque; None without an assessment or a network for it.
        correction: what was done to the film at the user's request; None where nothing was.
        forced: whether the gate refused the film and the user asked for an answer all the same.
        error: why the file could not be read.
    """

    name: str
    source: bytes | Path
    models: Models
    radiograph: Radiograph | None = None
    gate: GateResult | None = None
    assessment: Assessment | None = None
    opacity: OpacityMap | None = None
    correction: Correction | None = None
    forced: bool = False
    error: PneumoError | None = None

    @property
    def status(self) -> Status:
        """``ok`` where there is an answer, ``refused`` by the gate, or ``error`` where the file could not be read."""
        if self.assessment:
            return "ok"
        return "error" if self.error else "refused"

    @property
    def findings(self) -> tuple[Finding, ...] | None:
        """What the gate found, refusals first; None where the film was not checked."""
        return self.gate.findings if self.gate else None

    @property
    def lungs(self) -> LungMask | None:
        """The lungs of `radiograph`; None where it is refused for having none, or was not checked."""
        return self.gate.lungs if self.gate else None

    @cached_property
    def severity(self) -> Severity | None:
        """How much of the lungs is opaque; None where the answer is “unlikely”, or there is none, or no lungs."""
        if self.assessment is None or self.assessment.answer == "unlikely" or self.opacity is None or not self.lungs:
            return None
        return severity(self.opacity, self.lungs, self.models.opacity.card if self.models.opacity else None)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why this answer, or why there is none, in sentences; those of the gate first."""
        if self.radiograph is None:
            return (str(self.error),)
        found = tuple(finding.message for finding in self.findings or ())
        return found + (self.assessment.reasons if self.assessment else self.radiograph.notes)

    def with_hint(self, hint: str) -> "Reading":
        """Say beside each finding that pneumo can correct how to ask for that."""
        if self.gate is None:
            return self
        hinted = tuple(
            replace(each, message=f"{each.message} {hint}") if each.corrections else each for each in self.gate.findings
        )
        return replace(self, gate=replace(self.gate, findings=hinted))

    def __str__(self) -> str:
        """Say the answer and the probability of pneumonia, as in ``Pneumonia likely, 97.3 %``, or why there is none."""
        if self.assessment is None:
            return STATUS_WORDS[self.status]
        return f"{ANSWER_WORDS[self.assessment.answer]}, {self.assessment.percent}"

    def __repr__(self) -> str:
        """Return the name of the film and the answer, as in ``Reading('film.png': Pneumonia likely, 97.3 %)``."""
        return f"Reading({self.name!r}: {self})"

    def _repr_html_(self) -> str:
        """Return the answer, the reasons and the model for a notebook."""
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason in self.reasons)
        return (
            f"<p><strong>{escape(str(self))}</strong><br>{escape(visible(self.name))}</p><ul>{reasons}</ul>"
            f"<p><small>Model: {escape(self.models.card.title)}. {escape(DISCLAIMER)}</small></p>"
        )


def read_film(
    source: bytes | str | Path, name: str, models: Models, *, correct: bool | Correction = False, force: bool = False
) -> Reading:
    """Read a film, check it, and assess it unless the gate refuses it.

    Args:
        source: the bytes of a file, or the path of one.
        name: what to call the film.
        models: that read it.
        correct: whether to do to the film what the gate says that it needs, the first where it offers several; or what
            to do, such as to cut out one of several films.
        force: whether to assess what the gate refuses, too.

    Returns:
        The reading; a file that cannot be read gives one that holds the error, and raises nothing.
    """
    source = Path(source) if isinstance(source, str) else source
    try:
        film = radiograph.read(source, None if isinstance(source, Path) else name)
        return _read(Reading(name, source, models, film), correct, force)
    except PneumoError as error:
        return Reading(name, source, models, error=error)
    except MemoryError:
        return Reading(name, source, models, error=out_of_memory(name))


def _read(given: Reading, correct: bool | Correction, force: bool) -> Reading:
    assert given.radiograph is not None
    correction = correct if isinstance(correct, Correction) else None
    film, square, result = _check(given.radiograph, given.models.gate, correction)
    if correct is True and result and result.corrections:
        correction = result.corrections[0]
        film, square, result = _check(given.radiograph, given.models.gate, correction)
    checked = replace(given, radiograph=film, gate=result, correction=correction)
    refused = result is not None and not result.accepted
    if refused and not force:
        return checked
    lungs, opacity = result.lungs if result else None, given.models.opacity
    assessment = given.models.classifier.assess(film, lungs, square)
    return replace(
        checked,
        assessment=assessment.of_refused_film() if refused else assessment,
        opacity=opacity.find(square, lungs) if opacity else None,
        forced=refused,
    )


def _check(
    film: Radiograph, gate: Gate | None, correction: Correction | None
) -> tuple[Radiograph, np.ndarray, GateResult | None]:
    """Return a film as it is to be assessed, its square, and what the gate found in it."""
    if correction:
        film = corrected(film, correction)
    small = squashed(film.pixels)
    square = stretched(small)
    result = gate.check(film, small, square) if gate else None
    if result and result.film:
        return result.film, film_square(result.film.pixels), result
    return film, square, result


def reassess(reading: Reading, models: Models) -> Reading:
    """Ask another classifier about a film; what the gate said of it stands, and a film without an answer gets none."""
    if reading.radiograph is None or reading.assessment is None:
        return replace(reading, models=models)
    try:
        assessment = models.classifier.assess(reading.radiograph, reading.lungs)
    except MemoryError:
        return Reading(reading.name, reading.source, models, error=out_of_memory(reading.name))
    assessment = assessment.of_refused_film() if reading.forced else assessment
    return replace(reading, models=models, assessment=assessment)
