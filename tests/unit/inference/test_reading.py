import numpy as np
import pytest
from toy import synthetic
from toy.synthetic import noise, png, sound_film

from pneumo import radiograph
from pneumo.errors import ModelError, UnreadableImageError
from pneumo.inference import gate
from pneumo.inference.classifier import Classifier
from pneumo.inference.gate import Gate
from pneumo.inference.reading import Models, open_models, read_film, reassess
from pneumo.model_store import store
from pneumo.preprocessing.network_input import squashed


def test_an_accepted_film_is_assessed(cnn):
    reading = read_film(png(sound_film()), "film.png", cnn)

    film = radiograph.read(png(sound_film()), "film.png")
    assert (reading.status, reading.findings, reading.forced, reading.correction) == ("ok", (), False, None)
    assert reading.assessment.probability == pytest.approx(cnn.classifier.assess(film, reading.lungs).probability)
    np.testing.assert_array_equal(reading.radiograph.pixels, film.pixels)


def test_a_refused_film_is_put_to_the_model_only_when_the_user_insists(cnn):
    refused = read_film(png(noise()), "noise.png", cnn)
    forced = read_film(png(noise()), "noise.png", cnn, force=True)

    assert (refused.status, refused.assessment, refused.forced) == ("refused", None, False)
    assert (forced.status, forced.forced) == ("ok", True)
    assert forced.findings == refused.findings
    assert "validation films" not in " ".join(forced.reasons) + forced._repr_html_()
    assert "validation films" not in " ".join(reassess(forced, cnn).reasons)


def test_to_insist_on_an_accepted_film_changes_nothing(cnn):
    assert read_film(png(sound_film()), "film.png", cnn, force=True).forced is False


def test_a_film_is_corrected_where_the_user_asked_for_it(cnn):
    inverted = png(255 - sound_film())

    as_given = read_film(inverted, "a.png", cnn)
    righted = read_film(inverted, "a.png", cnn, correct=True)

    assert (as_given.status, as_given.correction) == ("refused", None)
    assert (righted.status, righted.correction.invert) == ("ok", True)
    assert "corrected at the user's request" in righted.assessment.reasons[-1]
    plain = read_film(png(sound_film()), "a.png", cnn)
    assert righted.assessment.probability == pytest.approx(plain.assessment.probability, abs=1e-3)


def test_each_of_several_films_is_read_alone_where_the_user_asked_for_it(cnn):
    picture = png(synthetic.pair())

    refused = read_film(picture, "a.png", cnn)
    left, right = (read_film(picture, "a.png", cnn, correct=each) for each in refused.gate.corrections)

    assert (refused.status, left.status, right.status) == ("refused", "ok", "ok")
    assert left.assessment.probability < right.assessment.probability
    assert "cut out the film on the left" in left.assessment.reasons[-1]
    assert read_film(picture, "a.png", cnn, correct=True).correction == left.correction


def test_a_film_is_assessed_without_its_uniform_border(cnn):
    boxed = np.pad(sound_film(), ((0, 0), (120, 120)), constant_values=255)

    reading, alone = (read_film(png(each), "a.png", cnn) for each in (boxed, sound_film()))

    assert reading.assessment.probability == alone.assessment.probability
    assert (reading.radiograph.width, reading.lungs.box) == (300, alone.lungs.box)
    assert "The uniform border around the film was cut off." in reading.reasons


@pytest.mark.parametrize("data", [b"Dear colleague", b""], ids=["letter", "empty"])
def test_a_file_that_cannot_be_read_gives_a_reading_that_says_why(cnn, data):
    reading = read_film(data, "a.png", cnn)

    assert (reading.status, reading.radiograph, reading.assessment) == ("error", None, None)
    assert isinstance(reading.error, UnreadableImageError)


def test_a_path_is_read_and_called_as_asked(cnn, tmp_path):
    (tmp_path / "film.png").write_bytes(png(sound_film()))

    found = read_film(tmp_path / "film.png", "ward 3/film.png", cnn)
    missing = read_film(tmp_path / "gone.png", "ward 3/gone.png", cnn)

    assert (found.name, found.status, found.radiograph.name) == ("ward 3/film.png", "ok", "film.png")
    assert (missing.status, "gone.png" in str(missing.error)) == ("error", True)


@pytest.mark.parametrize("step", ["read", "check", "assess"])
def test_a_film_that_does_not_fit_into_memory_costs_its_own_reading_only(cnn, monkeypatch, step):
    def exhausted(*_, **__):
        raise MemoryError

    place = {"read": radiograph, "check": Gate, "assess": Classifier}[step]
    monkeypatch.setattr(place, step, exhausted)

    reading = read_film(png(sound_film()), "a.png", cnn)

    assert reading.status == "error"
    assert "a.png needs more memory" in str(reading.error)


def test_a_film_is_squashed_once(cnn, monkeypatch):
    made = []
    for module in ("pneumo.inference.reading.squashed", "pneumo.preprocessing.network_input.squashed"):
        monkeypatch.setattr(module, lambda pixels, *side: made.append(pixels.shape) or squashed(pixels, *side))

    reading = read_film(png(sound_film()), "a.png", cnn)

    assert reading.status == "ok"
    assert made.count(reading.radiograph.pixels.shape) == 1


def test_a_film_is_not_checked_only_where_the_user_asked_for_that(toy_models):
    unchecked = open_models("cnn", toy_models, unchecked=True)

    reading = read_film(png(noise()), "noise.png", unchecked)

    assert (reading.status, reading.gate, reading.findings, reading.forced) == ("ok", None, None, False)


@pytest.mark.parametrize("network", ["lungs", "gate"])
def test_without_the_networks_of_the_gate_no_models_are_opened(toy_models, tmp_path, monkeypatch, network):
    def missing(name, folder):
        return tmp_path if name == network else folder

    monkeypatch.setattr(gate, "holder", missing)

    with pytest.raises(ModelError, match=f"no model '{network}'"):
        open_models("cnn", toy_models)
    assert open_models("cnn", toy_models, unchecked=True).gate is None


def test_a_classifier_that_is_not_there_is_told_first(toy_models):
    with pytest.raises(ModelError, match="no model 'nobody'"):
        open_models("nobody", toy_models)
    assert open_models(None, toy_models).card.name == store.default_name(toy_models)


def test_one_lung_network_serves_the_gate_and_the_classifier(toy_models, monkeypatch):
    loaded, find = [], store.find
    monkeypatch.setattr(store, "find", lambda name, *rest: loaded.append(name) or find(name, *rest))
    card = store.read_card("cnn", toy_models)
    lungs_alone = synthetic.card(**{**vars(card), "input": {**card.input, "views": ["lungs"]}})
    monkeypatch.setattr(store, "find", lambda name, *rest: loaded.append(name) or _with(find(name, *rest), lungs_alone))

    models = open_models("cnn", toy_models)

    assert sorted(loaded) == ["cnn", "gate", "lungs"]
    assert models.classifier._segmenter is models.gate.segmenter


def _with(loaded, card):
    return (card, loaded[1]) if loaded[0].name == card.name else loaded


def test_another_model_gives_a_second_opinion_on_what_was_checked_once(cnn, toy_models, monkeypatch):
    first = read_film(png(sound_film()), "film.png", cnn)
    other = Models(Classifier.open("dense", toy_models), cnn.gate)
    monkeypatch.setattr(Gate, "check", lambda *_: pytest.fail("the film was checked again"))

    second = reassess(first, other)

    assert (second.models.card.name, second.radiograph, second.gate) == ("dense", first.radiograph, first.gate)
    assert second.assessment.probability == pytest.approx(
        other.classifier.assess(first.radiograph, first.lungs).probability
    )


@pytest.mark.parametrize("data", [b"", png(noise())], ids=["error", "refused"])
def test_a_film_without_an_answer_gets_none_from_another_model(cnn, toy_models, data):
    first = read_film(data, "a.png", cnn)
    other = Models(Classifier.open("dense", toy_models), cnn.gate)

    second = reassess(first, other)

    assert (second.status, second.assessment, second.models) == (first.status, None, other)


def test_another_model_that_does_not_fit_into_memory_is_told_of(cnn, toy_models, monkeypatch):
    first = read_film(png(sound_film()), "a.png", cnn)
    other = Models(Classifier.open("dense", toy_models), cnn.gate)

    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(other.classifier, "assess", exhausted)

    second = reassess(first, other)

    assert (second.status, second.models) == ("error", other)
    assert "a.png needs more memory" in str(second.error)
