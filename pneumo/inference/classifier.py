"""The whole path from a `Radiograph` to an `Assessment`."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pneumo.errors import ModelError
from pneumo.evaluation.calibration import Answer, as_percent
from pneumo.inference import foreign, gate
from pneumo.inference.foreign import KnownHospitals
from pneumo.inference.lungs import LungMask, Segmenter
from pneumo.inference.similar_scores import SimilarFilms, ValidationScores, read_scores, similar_films
from pneumo.model_store import runtime, store
from pneumo.model_store.card import CLASSIFICATION, ModelCard
from pneumo.model_store.site import Site
from pneumo.preprocessing import crops, network_input
from pneumo.preprocessing.crops import Box
from pneumo.radiograph import Radiograph
from pneumo.sentences import Sentence, say

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Assessment:
    """What a model says of one film.

    Attributes:
        radiograph: the film.
        answer: ``likely``, ``uncertain`` or ``unlikely``.
        probability: calibrated probability of pneumonia, 0…1.
        reasons: why this answer, in plain sentences.
        card: the model that gave it; with a site, its thresholds are those of the site.
        model_input: (size, size, views) float32, what the model saw; heat maps are drawn from it.
        cam: (rows, columns) float32, its Grad-CAM where that was drawn along with the answer, see `Outputs.cam`.
        embedding: (features,) float32, where the film lies in the classifier's embedding, see `Seen`.
        parts: of the film that each view shows.
        similar: the validation films that score like it; None where the model has none, or the gate refused the film.
        foreign: whether the film is unlike those of the hospitals that the model learned from; it then gets no answer.
        elsewhere: how much of the probability comes from the members that read foreign films, 0…1.
        site: the hospital that the model is calibrated for; None where it answers as it was trained.
        provable: the lowest and the highest probability that validation films can prove; None where there are none.
    """

    radiograph: Radiograph
    answer: Answer
    probability: float
    reasons: tuple[str, ...]
    card: ModelCard
    model_input: np.ndarray = field(repr=False)
    parts: tuple[Box, ...] = (crops.WHOLE,)
    similar: SimilarFilms | None = None
    foreign: bool = False
    site: Site | None = None
    cam: np.ndarray | None = field(default=None, repr=False)
    embedding: np.ndarray | None = field(default=None, repr=False)
    provable: tuple[float, float] | None = None
    elsewhere: float = 0.0

    @property
    def uncertain_because(self) -> Literal["foreign", "between_limits"] | None:
        """Why the model cannot say, for programs; None where it can."""
        if self.foreign:
            return "foreign"
        return "between_limits" if self.answer == "uncertain" else None

    @property
    def percent(self) -> Sentence:
        """The probability for people, as far as the validation films prove it, as the count of children is."""
        return as_percent(self.probability, self.provable)

    def of_refused_film(self) -> "Assessment":
        """Return the same without the count of validation films, which says nothing of a film that the gate refused."""
        if self.foreign:
            return self
        limits = self.card.as_thresholds()
        why = say(
            "{found}; its limits are {low} for “unlikely” and {high} for “likely”.",
            **{
                "found": _found(self.percent),
                "low": as_percent(limits.low),
                "high": as_percent(limits.high),
            },
        )
        return replace(self, reasons=(why, *self.reasons[1:]), similar=None)


class Seen(NamedTuple):
    """What a classifier makes of some films, the films in the first axis of each.

    Attributes:
        raw: (films,) float32, its probabilities before calibration.
        features: (films, features) float32, by which `KnownHospitals` tells foreign films; None where it tells none.
        embedding: (films, features) float32, what its last unit is given, or that of its first member; None where all
            of several members answer each film.
        cam: (films, rows, columns) float32, see `Outputs.cam`.
    """

    raw: np.ndarray
    features: np.ndarray | None
    embedding: np.ndarray | None
    cam: np.ndarray | None


class Classifier:
    """A loaded model; one object may serve many threads.

    Attributes:
        card: the model's card; with a site, its thresholds are those of the site.
        network: what runs it.
        site: the hospital that the model is calibrated for; None where it answers as it was trained.

    Raises:
        ModelError: if the model lacks the layer by which foreign films are told, or the site was calibrated for another
            model.
    """

    def __init__(
        self,
        card: ModelCard,
        model: "Path | keras.Model",
        segmenter: Segmenter | None = None,
        *,
        known: KnownHospitals | None = None,
        scores: ValidationScores | None = None,
        site: Site | None = None,
    ) -> None:
        self.card, self._segmenter, self._known = card, segmenter, known
        # Validation films are of another hospital, and on another scale than that of a site.
        self._scores, self.site = None if site else scores, site
        if site:
            self.card = site.of_card(card)
        # A model that joins several networks has neither an embedding of its own nor one layer to draw from.
        layers = [known.layer] if known and known.layer else []
        self.network = runtime.open_network(model, layers, embedding=not card.members, cam=card.cam_layer)
        if known and layers and self.network.layer_channels != (known.means.shape[1] // 2,):
            raise ModelError(
                "The hospitals that {name} learned from are described by another layer than it has.", name=card.name
            )
        self._views: list[str] = card.input["views"]
        self._calibration, self._thresholds = card.as_calibration(), self.card.as_thresholds()

    @classmethod
    def open(
        cls,
        name: str | None = None,
        folder: Path | None = None,
        segmenter: Segmenter | None = None,
        site: Site | None = None,
    ) -> "Classifier":
        """Load a model by name; the best on validation where none is given.

        Args:
            name: of the model folder.
            folder: the folder of model folders.
            segmenter: the lung network where it is loaded already.
            site: the hospital that the model is calibrated for, if it is for one.

        Raises:
            ModelError: if there is no such model, it is damaged, or it is no classifier; if it sees the lungs alone
                and there is no network that finds them; if the file that tells foreign films is damaged; or if the site
                was calibrated for another model.
        """
        card, model = store.find(name or store.default_name(folder), folder, CLASSIFICATION)
        known, scores = foreign.read(card, folder), None
        # An answer needs no validation films, only the count that explains it.
        with suppress(ModelError):
            scores = read_scores(card, folder)
        if crops.LUNGS not in card.input["views"]:
            return cls(card, model, known=known, scores=scores, site=site)
        return cls(card, model, segmenter or gate.open_segmenter(folder), known=known, scores=scores, site=site)

    @property
    def model(self) -> "keras.Model":
        """The model for Keras; shared, so never change it.

        Raises:
            ModelError: if Keras is not installed.
        """
        return self.network.keras_model()

    def warm_up(self) -> None:
        """Run the model once on a black picture, so that the first film does not wait for its graph."""
        self.look(np.zeros((1, *self.network.input_shapes[0]), np.float32))

    def assess(
        self, radiograph: Radiograph, lungs: LungMask | None = None, square: np.ndarray | None = None
    ) -> Assessment:
        """Assess one film.

        Args:
            radiograph: the film.
            lungs: its lungs where they are known; else the classifier finds them if the model needs them.
            square: its `network_input.film_square` where that is known.
        """
        if square is None:
            square = network_input.film_square(radiograph.pixels)
        notes = radiograph.notes
        if self._segmenter:
            lungs = lungs or self._segmenter.segment(square)
            if lungs.box is None:
                notes = (*notes, say("No lungs were found on the film; the model saw all of it."))
        box = lungs.box if lungs else None
        # Cut from 8 bits, as the films of a data set are.
        cropped = crops.cropped(np.rint(square * 255).astype(np.uint8), self._views, box) / np.float32(255)
        model_input = network_input.model_input(cropped, self.card.input["size"])
        seen = self.look(model_input[np.newaxis])
        is_foreign = self._known is not None and seen.features is not None and self._known.is_foreign(seen.features[0])
        # Where a site showed both kinds of film, how often the model is wrong there is known, however unlike they are.
        is_foreign = is_foreign and not (self.site and self.site.pneumonia_films)
        own = self._calibration.apply(seen.raw[0])
        # On the model's own probability, rounded as it was where the site was calibrated.
        probability = float(self.site.found.calibration.apply(own) if self.site else own)
        answer: Answer = "uncertain" if is_foreign else self._thresholds.answer(probability)
        parts = tuple(crops.box(view, box) for view in self._views)
        held_at = self.card.calibration["prevalence"]
        similar = similar_films(self._scores, probability, held_at) if self._scores and not is_foreign else None
        why = self._foreign_reasons() if is_foreign else self._reasons(answer, probability, similar)
        return Assessment(
            radiograph,
            answer,
            probability,
            (*why, *notes),
            self.card,
            model_input,
            parts,
            similar,
            is_foreign,
            self.site,
            None if seen.cam is None else seen.cam[0],
            None if seen.embedding is None else seen.embedding[0],
            similar.provable if similar else None,
            float(seen.features[0, 0]) if seen.features is not None and self.card.tells_foreign_films else 0.0,
        )

    def look(self, pictures: np.ndarray) -> Seen:
        """Run the model on some films.

        Args:
            pictures: (films, size, size, views) float32, each as `Assessment.model_input`.
        """
        given = self.network.run(pictures)
        if self.card.tells_foreign_films:
            probability, how_foreign, embedding = given.results
            return Seen(probability[:, 0], how_foreign, embedding, None)
        features = foreign.features(given.layers[0]) if given.layers else None
        return Seen(given.results[0][:, 0], features, given.embedding, given.cam)

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Return the calibrated probabilities of pneumonia, (films,) 0…1, of pictures as `look` takes them."""
        return self._calibration.apply(self.look(pictures).raw)

    @property
    def embedding_layer(self) -> str:
        """Name of the layer whose output the embedding is; empty where there is none."""
        return "embedding" if self.card.tells_foreign_films else self.network.embedding_layer

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Return where some films lie in the model's embedding: what it hands to its last unit.

        Args:
            pictures: (films, size, size, views) float32, each as `Assessment.model_input`.

        Returns:
            (films, features) float32.

        Raises:
            ModelError: if all of several networks answer each film, which have no embedding in common.
        """
        embedding = self.look(pictures).embedding
        if embedding is None:
            raise ModelError(
                "{title} joins several models and has no embedding of its own, so similar films cannot "
                "be looked up. Choose one of its members.",
                title=self.card.title,
            )
        return embedding

    def _foreign_reasons(self) -> tuple[str, ...]:
        return (str(self._known), *([calibrated_for(self.site)] if self.site else []))

    def _reasons(self, answer: Answer, probability: float, similar: SimilarFilms | None) -> tuple[str, ...]:
        low, high = as_percent(self._thresholds.low), as_percent(self._thresholds.high)
        found = _found(as_percent(probability))
        # Next to a limit, what is proved may be less than the limit.
        if similar and probability > similar.provable[1] > similar.provable[0]:
            found = say("The model is surer of pneumonia than its validation films can prove")
        elif similar and probability < similar.provable[0] < similar.provable[1]:
            found = say("The model is surer that there is no pneumonia than its validation films can prove")
        seen = self.card.thresholds["evidence"]
        if self.site:
            return _reasons_at(self.site, answer, {"found": found, "low": low, "high": high})
        if answer == "likely":
            return (
                say(
                    "{found}, at or above its limit of {high} for “likely”: of {films} normal validation films {wrong} "
                    "came that high.",
                    **{"found": found, "high": high},
                    **{"films": seen["normal_films"], "wrong": seen["normal_at_or_above_high"]},
                ),
            )
        if answer == "unlikely":
            return (
                say(
                    "{found}, below its limit of {low} for “unlikely”: of {films} validation films with pneumonia "
                    "{wrong} came that low.",
                    **{"found": found, "low": low},
                    **{"films": seen["pneumonia_films"], "wrong": seen["pneumonia_below_low"]},
                ),
            )
        return (
            say(
                "{found}, between its limits of {low} for “unlikely” and {high} for “likely”: validation films with "
                "and without pneumonia come out like this.",
                **{"found": found, "low": low, "high": high},
            ),
        )


def _reasons_at(site: Site, answer: Answer, shown: dict[str, Sentence]) -> tuple[str, ...]:
    """Say why a model that is calibrated for a site gives an answer, and which site that is."""
    values = {**shown, "site": site.name}
    if answer == "likely":
        why = say(
            "{found}, at or above the limit of {high} for “likely” at {site}: of {films} normal films there {wrong} "
            "came that high.",
            **{**values, "films": site.normal_films, "wrong": site.found.evidence["normal_at_or_above_high"]},
        )
    elif answer == "uncertain":
        why = say("{found}, between the limits of {low} for “unlikely” and {high} for “likely” at {site}.", **values)
    elif site.pneumonia_films:
        why = say(
            "{found}, below the limit of {low} for “unlikely” at {site}: of {films} films with pneumonia there {wrong} "
            "came that low.",
            **{**values, "films": site.pneumonia_films, "wrong": site.found.evidence["pneumonia_below_low"]},
        )
    else:
        why = say(
            "{found}, below the limit of {low} for “unlikely” at {site}: no film with pneumonia from there has tested "
            "that limit.",
            **values,
        )
    return why, calibrated_for(site)


def calibrated_for(site: Site) -> Sentence:
    """Say which hospital a model is calibrated for, on how many films, and when."""
    return say(
        "Calibrated for {site} on {normal} normal films and {pneumonia} with pneumonia ({made}).",
        **{"site": site.name, "normal": site.normal_films, "pneumonia": site.pneumonia_films, "made": site.made},
    )


def _found(percent: Sentence) -> Sentence:
    return say("The model's probability of pneumonia is {probability}", probability=percent)
