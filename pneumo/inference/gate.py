"""Is this a frontal chest radiograph that the models may judge? Reasons in plain words.

What the file's header says, how the picture is exposed, what the gate network makes of it (`GateOutput`) and whether
two lungs can be drawn on it (`pneumo.inference.lungs`) each may give a `Finding`. Softmax confidence has no part in
it: a network is sure of itself on pictures that it has never seen the like of. All limits come from validation films.
"""

import dataclasses
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumo.errors import ModelError
from pneumo.inference.findings import (
    Correction,
    Finding,
    Quality,
    in_order,
    measure,
    of_file,
    of_size,
    refusals,
    refuse,
    warn,
)
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.model_store import store
from pneumo.model_store.card import SCREENING, SEGMENTATION, ModelCard
from pneumo.preprocessing import network_input
from pneumo.radiograph import Radiograph
from pneumo.sentences import say

if TYPE_CHECKING:
    import keras

LUNGS, GATE = "lungs", "gate"


@dataclass(frozen=True, eq=False)
class GateResult:
    """What the gate makes of a film.

    Attributes:
        findings: refusals first.
        lungs: the lungs of the film as it was given; None where it has no frontal lungs to draw.
    """

    findings: tuple[Finding, ...]
    lungs: LungMask | None = None

    @property
    def accepted(self) -> bool:
        """Whether the models may judge the film: no finding refuses it."""
        return all(finding.severity != "refuse" for finding in self.findings)

    @property
    def correction(self) -> Correction | None:
        """What would put the film right, if pneumo can do that."""
        return next((finding.correction for finding in self.findings if finding.correction), None)


@dataclass(frozen=True, eq=False)
class GateOutput:
    """What the gate network makes of a picture.

    Attributes:
        novelty: root mean square distance from frontal chest films in the network's embedding, in standard deviations
            of theirs (Lee et al. 2018): about 1.3 on such a film.
        turned: (4,) probability that the picture was turned by 0, 1, 2 or 3 quarters anticlockwise.
        mirrored: probability that left and right changed places, 0…1.
        inverted: probability that black and white changed places, 0…1.
    """

    novelty: float
    turned: np.ndarray
    mirrored: float
    inverted: float


@dataclass(frozen=True)
class Limits:
    """Beyond these a finding is made; every one is chosen on validation films.

    Attributes:
        novelty: of `GateOutput.novelty`, above.
        uncertainty: of `LungMask.uncertainty`, above.
        turned: of the sum of `GateOutput.turned` but for its first, at or above.
        inverted: of `GateOutput.inverted`, at or above.
        mirrored: of `GateOutput.mirrored`, at or above.
        dark: of `Quality.brightness`, below: to warn, to refuse.
        bright: of `Quality.brightness`, above: to warn, to refuse.
        flat: of `Quality.contrast`, below: to warn, to refuse.
        blurred: of `Quality.sharpness`, below: to warn, to refuse.
        cut_off: share of the left, top, right and bottom edge that the lungs may touch.
    """

    novelty: float
    uncertainty: float
    turned: float
    inverted: float
    mirrored: float
    dark: tuple[float, float]
    bright: tuple[float, float]
    flat: tuple[float, float]
    blurred: tuple[float, float]
    cut_off: tuple[float, float, float, float]

    @classmethod
    def of(cls, thresholds: dict[str, Any]) -> "Limits":
        """Read the limits from the gate's card.

        Raises:
            KeyError: if one is missing.
        """
        values: dict[str, Any] = {field.name: thresholds[field.name] for field in dataclasses.fields(cls)}
        for name, value in values.items():
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


class GateNetwork:
    """A loaded gate network; one object may serve many threads."""

    def __init__(self, model: "keras.Model") -> None:
        self._model = model
        self._lock = threading.Lock()

    def read(self, square: np.ndarray) -> GateOutput:
        """Look at one film's `network_input.film_square`."""
        return self.read_all(square[np.newaxis])[0]

    def read_all(self, squares: np.ndarray) -> list[GateOutput]:
        """Look at (films, side, side) squares."""
        size = self._model.input_shape[1]
        inputs = np.stack([network_input.model_input(square, size) for square in squares])
        # Keras builds the prediction function on the first call and does not guard that.
        with self._lock:
            novelty, turned, mirrored, inverted = self._model.predict_on_batch(inputs)
        return [
            GateOutput(float(novelty[film, 0]), turned[film], float(mirrored[film, 0]), float(inverted[film, 0]))
            for film in range(len(squares))
        ]


def quality_findings(quality: Quality, limits: Limits) -> list[Finding]:
    """Return what is wrong with a film's exposure and sharpness."""
    checks = (
        ("too_dark", -quality.brightness, limits.dark, say("dark"), say("Window it brighter or export it anew.")),
        ("too_bright", quality.brightness, limits.bright, say("bright"), say("Window it darker or export it anew.")),
        ("too_flat", -quality.contrast, limits.flat, say("poor in contrast"), say("Window it or export it anew.")),
        (
            *("blurred", -quality.sharpness, limits.blurred, say("blurred")),
            say("Export the original rather than photograph it."),
        ),
    )
    findings = []
    for code, value, (to_warn, to_refuse), words, remedy in checks:
        sign = 1 if code == "too_bright" else -1
        if value > sign * to_refuse:
            told = say("The picture is far too {words} to be read. {remedy}", words=words, remedy=remedy)
            findings.append(refuse(code, told))
        elif value > sign * to_warn:
            told = say(
                "The picture is unusually {words}, so the answer may be wrong. {remedy}", words=words, remedy=remedy
            )
            findings.append(warn(code, told))
    return findings


def suspected_correction(view: GateOutput, limits: Limits) -> Correction | None:
    """Return what the network says was done to the film, to be undone; None where it looks upright."""
    turns = int(np.argmax(view.turned)) if 1 - view.turned[0] >= limits.turned else 0
    inverted = view.inverted >= limits.inverted
    return Correction(turns, inverted) if turns or inverted else None


def is_chest(view: GateOutput, lungs: LungMask, limits: Limits) -> bool:
    """Return whether a picture, as it is, looks like a frontal chest film with two lungs."""
    return view.novelty <= limits.novelty and lungs.count == 2 and lungs.uncertainty <= limits.uncertainty


def correction_findings(correction: Correction) -> list[Finding]:
    """Return the findings on a chest film that is one only after a correction."""
    findings = []
    ask = say("pneumo can {correction} and then assess it, if you ask for that", correction=str(correction))
    if correction.invert:
        told = say("The film seems inverted: bones are dark and air is bright; {ask}.", ask=ask)
        findings.append(refuse("inverted", told, correction))
    if correction.quarter_turns:
        if correction.quarter_turns == 2:
            told = say("The film seems rotated: it stands on its head; {ask}.", ask=ask)
        else:
            told = say("The film seems rotated: it lies on its side; {ask}.", ask=ask)
        findings.append(refuse("rotated", told, correction))
    return findings


def content_findings(view: GateOutput, lungs: LungMask, limits: Limits) -> list[Finding]:
    """Return the findings on a picture that needs no correction."""
    if not is_chest(view, lungs, limits):
        return [_not_chest(view, lungs, limits)]
    findings = []
    if any(share > limit for share, limit in zip(lungs.edge_shares, limits.cut_off, strict=True)):
        findings.append(
            warn("lungs_cut_off", say("The lungs seem cut off by the edge of the picture. Give the whole film."))
        )
    if view.mirrored >= limits.mirrored:
        findings.append(
            warn(
                "mirrored",
                say(
                    "Left and right may have changed places. Compare the side marker and the heart; if they are on the "
                    "wrong side, export the film anew."
                ),
            )
        )
    return findings


def _not_chest(view: GateOutput, lungs: LungMask, limits: Limits) -> Finding:
    # Side views differ little from frontal films but for their lungs, which lie over each other.
    if lungs.count == 1 and view.novelty <= 1.2 * limits.novelty and lungs.uncertainty <= limits.uncertainty:
        return refuse(
            "lateral",
            say("This looks like a side view: the two lungs cannot be told apart. Give the frontal film, PA or AP."),
        )
    return refuse(
        "not_chest_film",
        say(
            "This does not look like a frontal chest film: it may show another part of the body, another view, or be "
            "no radiograph at all. Give a frontal chest film, upright and uncropped."
        ),
    )


def corrected(film: Radiograph, correction: Correction) -> Radiograph:
    """Return a film as the user asked for it to be corrected; its notes say so."""
    pixels = correction.apply(film.pixels)
    pixels.flags.writeable = False
    note = say("The film was corrected at the user's request: {correction}.", correction=str(correction))
    return dataclasses.replace(film, pixels=pixels, notes=(*film.notes, note))


class Gate:
    """Decides which films the models may judge; one object may serve many threads.

    Attributes:
        segmenter: draws the lungs.
        reader: looks at the picture.
        limits: beyond which a finding is made.
    """

    def __init__(self, segmenter: Segmenter, reader: GateNetwork, limits: Limits) -> None:
        self.segmenter, self.reader, self.limits = segmenter, reader, limits

    @classmethod
    def open(cls, folder: Path | None = None) -> "Gate":
        """Load both networks from a folder of models, or those shipped with pneumo where it has none.

        Raises:
            ModelError: if a network is missing or damaged, or its card lacks a limit.
        """
        segmenter = open_segmenter(folder)
        card, network = store.load(GATE, holder(GATE, folder), SCREENING)
        try:
            limits = Limits.of(card.thresholds)
        except (KeyError, TypeError) as error:
            raise ModelError(f"The card of {GATE!r} lacks a limit ({error}). Restore or retrain the model.") from error
        return cls(segmenter, GateNetwork(network), limits)

    def warm_up(self) -> None:
        """Run both networks once on a black picture, so that the first film does not wait for their graphs."""
        black = np.zeros((network_input.SQUARE, network_input.SQUARE), np.float32)
        self.reader.read(black)
        self.segmenter.segment(black)

    def check(self, film: Radiograph, square: np.ndarray | None = None) -> GateResult:
        """Say what speaks against judging a film.

        Args:
            film: the film.
            square: its `network_input.film_square` where that is known.
        """
        if square is None:
            square = network_input.film_square(film.pixels)
        view, lungs = self.reader.read(square), self.segmenter.segment(square)
        correction = self._correction(square, view, lungs)
        # An inverted film is not to be called too bright as well.
        pixels = correction.apply(film.pixels) if correction else film.pixels
        said = of_file(film)
        measured = [
            *of_size(film),
            *quality_findings(measure(pixels), self.limits),
        ]
        if correction:
            return GateResult(in_order([*correction_findings(correction), *said, *measured]))
        seen = content_findings(view, lungs, self.limits)
        if is_chest(view, lungs, self.limits):
            return GateResult(in_order([*said, *seen, *measured]), lungs)
        # A film may be too dark or blurred to be known for one; of a receipt nobody asks whether it is a little bright.
        return GateResult((*refusals(said), *refusals(measured), *seen))

    def _correction(self, square: np.ndarray, view: GateOutput, lungs: LungMask) -> Correction | None:
        """Return the correction that makes a chest film of the picture, unless it is a better one as it is."""
        suspected = suspected_correction(view, self.limits)
        if suspected is None:
            return None
        righted = suspected.apply(square)
        righted_view, righted_lungs = self.reader.read(righted), self.segmenter.segment(righted)
        if not is_chest(righted_view, righted_lungs, self.limits):
            return None
        if is_chest(view, lungs, self.limits) and view.novelty <= righted_view.novelty:
            return None
        return suspected


def open_segmenter(folder: Path | None = None) -> Segmenter:
    """Load the lung network alone, from the same place as `Gate.open`.

    Raises:
        ModelError: if it is missing or damaged.
    """
    return Segmenter(store.load(LUNGS, holder(LUNGS, folder), SEGMENTATION)[1])


def network_cards(folder: Path | None = None) -> tuple[ModelCard, ModelCard]:
    """Return the cards of the lung and the gate network that `Gate.open` would load.

    Raises:
        ModelError: if one is missing or damaged.
    """
    return (
        store.read_card(LUNGS, holder(LUNGS, folder), SEGMENTATION),
        store.read_card(GATE, holder(GATE, folder), SCREENING),
    )


def holder(name: str, folder: Path | None) -> Path:
    """Return the folder of models that holds a network: the given one, or else that shipped with pneumo."""
    root = folder or store.models_folder()
    return root if (root / name / "card.json").is_file() else store.SHIPPED
