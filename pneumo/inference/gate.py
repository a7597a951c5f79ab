"""Is this a frontal chest radiograph that the models may judge? Reasons in plain words.

What the file's header says, how the picture is exposed, what the gate network makes of it (`GateOutput`) and whether
two lungs can be drawn on it (`pneumo.inference.lungs`) each may give a `Finding`. Softmax confidence has no part in
it: a network is sure of itself on pictures that it has never seen the like of. All limits come from validation films.
"""

import dataclasses
from collections.abc import Sequence
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
from pneumo.model_store import runtime, store
from pneumo.model_store.card import SCREENING, SEGMENTATION, ModelCard
from pneumo.preprocessing import network_input, outlines
from pneumo.preprocessing.crops import LUNGS as LUNGS_CROP
from pneumo.preprocessing.crops import WHOLE, Box, cropped, share
from pneumo.preprocessing.outlines import Corners, Layout, bounds, box_corners
from pneumo.radiograph import Radiograph
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    import keras

LUNGS, GATE = "lungs", "gate"
# Films are sought in a picture of this longest side, on a square of this side: a film on a screen may be small.
SEARCHED_SIDE, SEARCHED_SQUARE = 1024, 448
# Least support of the sides of an outline, and its least and largest area; and how many outlines the networks look at.
SOUGHT, CANDIDATES, MOST_ISLANDS = (0.35, 0.04, 0.98), 20, 6
# Films in one picture share no more than this of the smaller one; the small pictures beside a film are much smaller.
MOST_OVERLAP, LEAST_OF_LARGEST = 0.2, 0.25


@dataclass(frozen=True, eq=False)
class GateResult:
    """What the gate makes of a film.

    Attributes:
        findings: refusals first.
        lungs: the lungs of the film to be assessed; None where it has no frontal lungs to draw.
        film: the film without its uniform border, which is to be assessed; None where that is the film as it was given.
    """

    findings: tuple[Finding, ...]
    lungs: LungMask | None = None
    film: Radiograph | None = None

    @property
    def accepted(self) -> bool:
        """Whether the models may judge the film: no finding refuses it."""
        return all(finding.severity != "refuse" for finding in self.findings)

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What would put the film right, where pneumo can do that; one for each film in the picture."""
        return tuple(dict.fromkeys(each for finding in self.findings for each in finding.corrections))


@dataclass(frozen=True, eq=False)
class GateOutput:
    """What the gate network makes of a picture.

    Attributes:
        novelty: root mean square distance from frontal chest films in the network's embedding, in standard deviations
            of theirs (Lee et al. 2018): about 1.3 on such a film.
        turned: (4,) probability that the picture was turned by 0, 1, 2 or 3 quarters anticlockwise.
        mirrored: probability that left and right changed places, 0…1, by the side on which the heart lies.
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
        third_piece: of `LungMask.third_piece`, above.
        lungs_area: share of the film that the box of the lungs takes, below.
        framed: of `framed`, above.
        seam: of `Layout.seam`, above.
        border: width of a uniform border, as a share of the film, above which it is cut off: a dark one, two dark ones
            on opposite sides together, and one of another grey.
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
    third_piece: float
    lungs_area: float
    framed: float
    seam: float
    border: tuple[float, float, float]

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

    def __init__(self, model: "Path | keras.Model") -> None:
        self._network = runtime.open_network(model)

    def read(self, square: np.ndarray, lungs: LungMask) -> GateOutput:
        """Look at one film's `network_input.film_square` and its lungs."""
        return self.read_all(square[np.newaxis], [lungs])[0]

    def read_all(self, squares: np.ndarray, lungs: Sequence[LungMask]) -> list[GateOutput]:
        """Look at (films, side, side) squares and the lungs of each; without any, the whole film is taken for them."""
        boxes = [cropped(square, (LUNGS_CROP,), each.box) for square, each in zip(squares, lungs, strict=True)]
        sizes = [shape[0] for shape in self._network.input_shapes]
        inputs = [
            np.stack([network_input.model_input(picture, size) for picture in pictures])
            for pictures, size in zip((list(squares), boxes), sizes, strict=True)
        ]
        novelty, turned, mirrored, inverted = self._network.run(*inputs).results
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


def is_part(square: np.ndarray, lungs: LungMask, limits: Limits) -> bool:
    """Return whether a picture with lungs holds more than one film, or more than a film.

    Args:
        square: the picture's `network_input.film_square`.
        lungs: of it.
        limits: beyond which it does.
    """
    area = share(lungs.box) if lungs.box else 0.0
    if lungs.third_piece > limits.third_piece or area < limits.lungs_area:
        return True
    layout = outlines.layout(square)
    if lungs.box and any(outlines.holds(island, lungs.box) for island in layout.apart):
        return True
    return framed(layout, area) > limits.framed or layout.seam > limits.seam


def framed(layout: Layout, lungs_area: float) -> float:
    """Return how much a picture looks like a film with something around it: the more, the smaller the lungs are.

    Args:
        layout: of the picture.
        lungs_area: share of the picture that the box of the lungs takes.
    """
    return layout.framing - lungs_area / 2


def part_finding(crops: Sequence[Correction], *, several: bool) -> Finding:
    """Return the finding on a picture that holds more than one film, or more than a film."""
    if several and crops:
        told = say(
            "The picture seems to hold several films. Give each film alone; pneumo can cut them out and assess each, "
            "if you ask for that."
        )
    elif several:
        told = say("The picture seems to hold several films. Give each film alone.")
    elif crops:
        told = say(
            "The film is only a part of the picture, as on a screen, a page or a photograph. Give the film alone; "
            "pneumo can cut it out and then assess it, if you ask for that."
        )
    else:
        told = say(
            "The film is only a part of the picture, as on a screen, a page or a photograph. Give the film alone."
        )
    return refuse("several_films" if several else "film_inside", told, *crops)


def without_border(film: Radiograph, box: Box) -> Radiograph:
    """Return a film without its uniform border; its notes say so.

    Args:
        film: with the border.
        box: inside the border.
    """
    pixels = outlines.cut_out(film.pixels, box_corners(box))
    pixels.flags.writeable = False
    note = say("The uniform border around the film was cut off.")
    return dataclasses.replace(film, pixels=pixels, notes=(*film.notes, note))


def corrected(film: Radiograph, correction: Correction) -> Radiograph:
    """Return a film as the user asked for it to be corrected; its notes say so."""
    pixels = correction.apply(film.pixels)
    pixels.flags.writeable = False
    return dataclasses.replace(film, pixels=pixels, notes=(*film.notes, correction_note(correction)))


def correction_note(correction: Correction) -> Sentence:
    """Say that a film was corrected, and how."""
    return say("The film was corrected at the user's request: {correction}.", correction=str(correction))


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
        card, network = store.find(GATE, holder(GATE, folder), SCREENING)
        try:
            limits = Limits.of(card.thresholds)
        except (KeyError, TypeError) as error:
            raise ModelError(
                "The card of {name} lacks a limit ({error}). Restore or retrain the model.", name=GATE, error=error
            ) from error
        return cls(segmenter, GateNetwork(network), limits)

    def warm_up(self) -> None:
        """Run both networks once on a black picture, so that the first film does not wait for their graphs."""
        black = np.zeros((network_input.SQUARE, network_input.SQUARE), np.float32)
        self.reader.read(black, self.segmenter.segment(black))

    def check(self, film: Radiograph, small: np.ndarray | None = None, square: np.ndarray | None = None) -> GateResult:
        """Say what speaks against judging a film.

        Args:
            film: the film.
            small: the film as `network_input.squashed` makes it, where that is known.
            square: its `network_input.film_square` where that is known.
        """
        box = outlines.uniform_border(film.pixels, *self.limits.border)
        if box == WHOLE:
            return self._check(film, box, small, square)
        trimmed = without_border(film, box)
        result = self._check(trimmed, box)
        # What is offered lies on the picture as it was given.
        return result if result.corrections else dataclasses.replace(result, film=trimmed)

    def _check(
        self, film: Radiograph, box: Box | None, small: np.ndarray | None = None, square: np.ndarray | None = None
    ) -> GateResult:
        """Check a film without its border; see `check`.

        Args:
            film: the film.
            box: of the film on the picture of its file; None where no other films are to be sought in it.
            small: see `check`.
            square: see `check`.
        """
        small = network_input.squashed(film.pixels) if small is None else small
        square = network_input.stretched(small) if square is None else square
        lungs = self.segmenter.segment(square)
        view = self.reader.read(square, lungs)
        correction = self._correction(square, view, lungs)
        # An inverted film is not to be called too bright as well.
        quality = measure(correction.apply(film.pixels) if correction else small)
        said, measured = of_file(film), [*of_size(film), *quality_findings(quality, self.limits)]
        if correction:
            return GateResult(in_order([*correction_findings(correction), *said, *measured]))
        seen_as_chest = is_chest(view, lungs, self.limits)
        if not seen_as_chest or is_part(square, lungs, self.limits):
            # Where the file says that it is no chest film, no film is sought in it.
            crops = self._crops(film) if box and not refusals(said) else []
            if crops or seen_as_chest:
                several = len(crops) > 1 or (not crops and lungs.third_piece > self.limits.third_piece)
                on_file = [Correction(crop=outlines.on_picture(crop, box_corners(box or WHOLE))) for crop in crops]
                # A film that is too dark or blurred may look like a part of the picture.
                unreadable = [] if crops else refusals(measured)
                return GateResult((*refusals(said), *unreadable, part_finding(on_file, several=several)))
        seen = content_findings(view, lungs, self.limits)
        if seen_as_chest:
            return GateResult(in_order([*said, *seen, *measured]), lungs)
        # A film may be too dark or blurred to be known for one; of a receipt nobody asks whether it is a little bright.
        return GateResult((*refusals(said), *refusals(measured), *seen))

    def _crops(self, film: Radiograph) -> list[Corners]:
        """Return the corners of the films in a picture that pass the gate, from top to bottom and left to right."""
        small = network_input.fit_within(film.pixels, SEARCHED_SIDE)
        square = network_input.stretched(network_input.squashed(small, SEARCHED_SQUARE))
        drawn = [*outlines.islands(small, *SOUGHT[1:])[:MOST_ISLANDS], *outlines.quadrilaterals(square, *SOUGHT)]
        light = self.limits.border[2]
        candidates = []
        for outline in outlines.distinct(drawn, CANDIDATES):
            # The edge itself belongs to both sides, and would hide a gap between films. A dark border is cut off here
            # where it is as narrow as a light one: what lies around a film in a picture is no part of it.
            corners = outlines.drawn_in(outline.corners, 2 / SEARCHED_SQUARE)
            box = outlines.uniform_border(outlines.cut_out(small, corners), light, light, light)
            corners = outlines.on_picture(box_corners(box), corners)
            candidates.append(dataclasses.replace(outline, corners=corners))
        if not candidates:
            return []
        squares = np.stack([network_input.film_square(outlines.cut_out(small, each.corners)) for each in candidates])
        masks = self.segmenter.segment_all(squares)
        views = self.reader.read_all(squares, masks)
        films = [
            candidate
            for candidate, square, view, lungs in zip(candidates, squares, views, masks, strict=True)
            if is_chest(view, lungs, self.limits) and not is_part(square, lungs, self.limits)
        ]
        found: list[Corners] = []
        for film_outline in outlines.tightest_first(films):
            corners = film_outline.corners
            if all(outlines.overlap(corners, other)[1] <= MOST_OVERLAP for other in found):
                cut = dataclasses.replace(film, pixels=outlines.cut_out(film.pixels, corners))
                if self._check(cut, None).accepted:
                    found.append(corners)
        largest = max((share(bounds(corners)) for corners in found), default=0.0)
        found = [corners for corners in found if share(bounds(corners)) >= LEAST_OF_LARGEST * largest]
        return sorted(found, key=lambda corners: (round(3 * bounds(corners)[1]), bounds(corners)[0]))

    def _correction(self, square: np.ndarray, view: GateOutput, lungs: LungMask) -> Correction | None:
        """Return the correction that makes a chest film of the picture, unless it is a better one as it is."""
        suspected = suspected_correction(view, self.limits)
        if suspected is None:
            return None
        righted = suspected.apply(square)
        righted_lungs = self.segmenter.segment(righted)
        righted_view = self.reader.read(righted, righted_lungs)
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
    return Segmenter(store.find(LUNGS, holder(LUNGS, folder), SEGMENTATION)[1])


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
