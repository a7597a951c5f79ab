"""The door: the lung network and the gate network opened, and every film put before them."""

from pathlib import Path

import numpy as np

from pneumo import film_quality, gate, header_findings, model_store, preprocessing
from pneumo.errors import ModelError
from pneumo.findings import Correction, in_order, refusals
from pneumo.gate import Limits, Verdict, View, ViewReader
from pneumo.lungs import LungMask, Segmenter
from pneumo.model_card import SCREENING, SEGMENTATION, ModelCard
from pneumo.radiograph import Radiograph

LUNGS, GATE = "lungs", "gate"


class Screener:
    """Decides which films the models may judge; one object may serve many threads.

    Attributes:
        segmenter: draws the lungs.
        reader: looks at the picture.
        limits: beyond which a finding is made.
    """

    def __init__(self, segmenter: Segmenter, reader: ViewReader, limits: Limits) -> None:
        self.segmenter, self.reader, self.limits = segmenter, reader, limits

    @classmethod
    def open(cls, folder: Path | None = None) -> "Screener":
        """Load both networks from a folder of models, or those shipped with pneumo where it has none.

        Raises:
            ModelError: if a network is missing or damaged, or its card lacks a limit.
        """
        segmenter = open_segmenter(folder)
        card, network = model_store.load(GATE, holder(GATE, folder), SCREENING)
        try:
            limits = Limits.of(card.thresholds)
        except (KeyError, TypeError) as error:
            raise ModelError(f"The card of {GATE!r} lacks a limit ({error}). Restore or retrain the model.") from error
        return cls(segmenter, ViewReader(network), limits)

    def warm_up(self) -> None:
        """Run both networks once on a black picture, so that the first film does not wait for their graphs."""
        black = np.zeros((preprocessing.SQUARE, preprocessing.SQUARE), np.float32)
        self.reader.read(black)
        self.segmenter.segment(black)

    def check(self, film: Radiograph) -> Verdict:
        """Say what speaks against judging a film."""
        square = preprocessing.film_square(film.pixels)
        view, lungs = self.reader.read(square), self.segmenter.segment(square)
        correction = self._correction(square, view, lungs)
        # An inverted film is not to be called too bright as well.
        pixels = correction.apply(film.pixels) if correction else film.pixels
        said = header_findings.of_file(film)
        measured = [
            *header_findings.of_size(film),
            *gate.quality_findings(film_quality.measure(pixels), self.limits),
        ]
        if correction:
            return Verdict(in_order([*gate.correction_findings(correction), *said, *measured]))
        seen = gate.content_findings(view, lungs, self.limits)
        if gate.is_chest(view, lungs, self.limits):
            return Verdict(in_order([*said, *seen, *measured]), lungs)
        # A film may be too dark or blurred to be known for one; of a receipt nobody asks whether it is a little bright.
        return Verdict((*refusals(said), *refusals(measured), *seen))

    def _correction(self, square: np.ndarray, view: View, lungs: LungMask) -> Correction | None:
        """Return the correction that makes a chest film of the picture, unless it is a better one as it is."""
        suspected = gate.suspected_correction(view, self.limits)
        if suspected is None:
            return None
        righted = suspected.apply(square)
        righted_view, righted_lungs = self.reader.read(righted), self.segmenter.segment(righted)
        if not gate.is_chest(righted_view, righted_lungs, self.limits):
            return None
        if gate.is_chest(view, lungs, self.limits) and view.novelty <= righted_view.novelty:
            return None
        return suspected


def open_segmenter(folder: Path | None = None) -> Segmenter:
    """Load the lung network alone, from the same place as `Screener.open`.

    Raises:
        ModelError: if it is missing or damaged.
    """
    return Segmenter(model_store.load(LUNGS, holder(LUNGS, folder), SEGMENTATION)[1])


def network_cards(folder: Path | None = None) -> tuple[ModelCard, ModelCard]:
    """Return the cards of the lung and the gate network that `Screener.open` would load.

    Raises:
        ModelError: if one is missing or damaged.
    """
    return (
        model_store.read_card(LUNGS, holder(LUNGS, folder), SEGMENTATION),
        model_store.read_card(GATE, holder(GATE, folder), SCREENING),
    )


def holder(name: str, folder: Path | None) -> Path:
    """Return the folder of models that holds a network: the given one, or else that shipped with pneumo."""
    root = folder or model_store.models_folder()
    return root if (root / name / "card.json").is_file() else model_store.SHIPPED
