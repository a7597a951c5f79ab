import cv2
import numpy as np
import pytest
from toy import synthetic

from pneumo import radiograph
from pneumo.errors import UnreadableImageError
from pneumo.inference import batch
from pneumo.inference.batch import Entry, FilmList, Progress
from pneumo.inference.classifier import Classifier
from pneumo.inference.gate import Gate
from pneumo.reports.record import assessment_record, error_record


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def drawn():
    return synthetic.film(np.random.default_rng(0), sick=False, height=240, width=300)


def noise():
    return np.random.default_rng(0).integers(0, 256, (240, 300), np.uint8)


@pytest.fixture(scope="module")
def classifier(toy_models):
    return Classifier.open("cnn", toy_models)


@pytest.fixture(scope="module")
def screener(toy_models):
    return Gate.open(toy_models)


def record(answer=None, status="ok", sha256="a", **said):
    values = {"file": "x.png", "answer": answer, "status": status, "model_sha256": sha256, "probability": None}
    return {**values, "reasons": ["It is so."], "findings": None, **said}


def listed(*sizes, **limits):
    films = FilmList(**limits)
    for number, size in enumerate(sizes):
        films.add(str(number), f"{number}.png", bytes(size))
    return films


def held(films):
    return [entry.identity for entry in films.entries.values() if entry.data is not None]


def test_an_accepted_film_gets_the_record_of_its_assessment(classifier, screener):
    film = radiograph.read(png(drawn()), "film.png")
    verdict = screener.check(film)

    found, assessment = batch.judged(film, verdict, classifier)

    assert assessment is not None
    assert found == assessment_record(assessment, findings=())
    assert assessment.probability == pytest.approx(classifier.assess(film, verdict.lungs).probability)


def test_a_refused_film_is_put_to_the_model_only_when_the_user_insists(classifier, screener):
    film = radiograph.read(png(noise()), "noise.png")
    verdict = screener.check(film)

    refused, nothing = batch.judged(film, verdict, classifier)
    forced, assessment = batch.judged(film, verdict, classifier, forced=True)

    assert (refused["status"], refused["answer"], nothing) == ("refused", None, None)
    assert (forced["status"], forced["forced"], forced["probability"]) == ("ok", True, assessment.probability)


def test_a_film_that_was_not_checked_has_no_findings(classifier):
    found, assessment = batch.judged(radiograph.read(png(noise()), "noise.png"), None, classifier)

    assert assessment is not None
    assert (found["status"], found["findings"], found["forced"]) == ("ok", None, False)


@pytest.mark.parametrize(
    ("data", "status"),
    [(png(drawn()), "ok"), (png(noise()), "refused"), (b"Dear colleague", "error"), (b"", "error")],
    ids=["film", "noise", "letter", "empty"],
)
def test_every_file_gets_a_record_of_its_own(classifier, screener, data, status):
    found = batch.read_entry(Entry("1", "a.png", data), screener, classifier)

    assert (found["file"], found["status"]) == ("a.png", status)
    assert found["reasons"]


def test_a_film_is_corrected_where_the_user_asked_for_it(classifier, screener):
    inverted = png(255 - drawn())

    as_given = batch.read_entry(Entry("1", "a.png", inverted), screener, classifier)
    righted = batch.read_entry(Entry("1", "a.png", inverted, corrected=True), screener, classifier)

    assert as_given["status"] == "refused"
    assert righted["status"] == "ok"
    plain = batch.read_entry(Entry("1", "a.png", png(drawn())), screener, classifier)
    assert righted["probability"] == pytest.approx(plain["probability"], abs=1e-3)


def test_a_film_that_does_not_fit_into_memory_costs_its_own_row_only(classifier, screener, monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(radiograph, "read", exhausted)

    found = batch.read_entry(Entry("1", "a.png", b"?"), screener, classifier)

    assert found["status"] == "error"
    assert "a.png needs more memory" in found["reasons"][0]


def test_a_film_whose_file_was_let_go_cannot_be_read(classifier, screener):
    with pytest.raises(ValueError, match=r"a\.png is no longer held"):
        batch.read_entry(Entry("1", "a.png", None), screener, classifier)


def test_only_what_this_model_was_not_asked_about_is_pending():
    films = listed(1, 1, 1, 1)
    asked, other, waiting, gone = films.entries.values()
    films.record(asked, record("likely", sha256="new"))
    films.record(other, record("likely", sha256="old"))
    films.record(gone, record("likely", sha256="old"))
    gone.data = None

    assert films.pending("new") == [other, waiting]


def test_the_oldest_files_are_let_go_beyond_the_number_and_their_results_stay():
    films = listed(1, 1, 1, 1, max_films=2)
    for entry in films.entries.values():
        films.record(entry, record("likely"))

    assert held(films) == ["2", "3"]
    assert films.let_go == 2
    assert len(films.records) == 4


def test_files_are_let_go_until_the_rest_fits():
    films = listed(60, 30, 20, 40, max_bytes=100)
    for entry in films.entries.values():
        films.record(entry, record("likely"))

    assert held(films) == ["1", "2", "3"]


def test_neither_what_was_not_read_nor_what_is_open_is_let_go():
    films = listed(1, 1, 1, max_films=1)
    first, second, third = films.entries.values()
    films.opened = "0"

    films.record(first, record("likely"))
    assert held(films) == ["0", "1", "2"]

    films.record(second, record("likely"))
    assert held(films) == ["0", "2"]

    films.record(third, record("likely"))
    assert held(films) == ["0"]


def test_a_film_that_is_given_twice_stands_once_and_keeps_its_result():
    films = listed(1)
    films.record(films.entries["0"], record("likely"))

    films.add("0", "0.png", b"?")

    assert [entry.record["answer"] for entry in films.entries.values()] == ["likely"]


def test_a_film_that_is_taken_off_is_no_longer_open():
    films = listed(1, 1)
    films.opened = "0"

    films.remove("1")
    assert films.opened == "0"

    films.remove("0")
    films.remove("0")
    assert (films.opened, films.entries) == (None, {})


def test_an_emptied_list_holds_nothing():
    films = listed(1, 1)
    films.opened = "0"

    films.clear()

    assert (films.entries, films.opened, films.records) == ({}, None, [])


def test_outcomes_are_counted_in_the_order_of_a_worklist():
    error = error_record("x", UnreadableImageError("It is damaged. Send it again."), synthetic.card())
    records = [error, record("unlikely"), record(status="refused"), record("likely"), record("unlikely")]

    assert list(batch.counts(records).items()) == [("likely", 1), ("unlikely", 2), ("refused", 1), ("error", 1)]


def test_the_table_has_a_row_for_every_film_and_says_what_was_wrong():
    warned = record("likely", probability=0.9, findings=[{"code": "x", "severity": "warn", "message": "It is dark."}])
    refused = record(status="refused", reasons=["It is a cat.", "Give a film."])
    entries = [Entry("1", "a.png", b"", warned), Entry("2", "b.png", b"", refused), Entry("3", "c.png", b"")]

    rows = batch.table(entries).to_dict("list")

    assert rows["File"] == ["a.png", "b.png", "c.png"]
    assert rows["Answer"] == ["▲ Likely", "⊘ Not assessed", "… Waiting"]
    assert rows["Remark"] == ["It is dark.", "It is a cat. Give a film.", ""]
    np.testing.assert_array_equal(rows["Probability"], [0.9, np.nan, np.nan])


def test_the_table_calls_no_film_certain():
    entries = [
        Entry(str(value), "a.png", b"", record("likely", probability=value)) for value in (0.999999, 0.00001, 0.50126)
    ]

    assert batch.table(entries)["Probability"].to_list() == [0.999, 0.001, 0.501]


def test_the_table_of_nothing_has_its_columns():
    assert list(batch.table([])) == ["File", "Answer", "Probability", "Remark"]


@pytest.mark.parametrize(
    ("progress", "share", "told"),
    [
        (Progress(0, 50, 0.0), 0.0, "0 of 50 films read"),
        (Progress(10, 50, 2.0), 0.2, "10 of 50 films read, about 8 seconds left"),
        (Progress(49, 50, 10.0), 0.98, "49 of 50 films read, about a second left"),
        (Progress(1, 200, 1.0), 0.005, "1 of 200 films read, about 3 minutes left"),
        (Progress(50, 50, 10.0), 1.0, "50 of 50 films read"),
        (Progress(0, 0, 0.0), 1.0, "0 of 0 films read"),
    ],
)
def test_the_time_left_is_that_of_the_films_so_far(progress, share, told):
    assert progress.share == pytest.approx(share)
    assert str(progress) == told


def test_each_film_is_noted_before_the_next_is_read(classifier, screener):
    films = FilmList()
    for name, data in (("a.png", png(drawn())), ("b.png", b"no film"), ("c.png", png(noise()))):
        films.add(name, name, data)

    noted = [
        (step.done, step.total, [record["status"] for record in films.records])
        for step in batch.read_all(films, films.pending(classifier.card.sha256), screener, classifier)
    ]

    assert noted == [
        (0, 3, []),
        (1, 3, ["ok"]),
        (2, 3, ["ok", "error"]),
        (3, 3, ["ok", "error", "refused"]),
    ]
    assert films.pending(classifier.card.sha256) == []


def test_films_are_chosen_by_outcome_and_those_that_wait_stay():
    entries = [
        Entry("1", "a.png", b"", record("likely")),
        Entry("2", "b.png", b"", record(status="error")),
        Entry("3", "c.png", b""),
    ]

    assert [each.identity for each in batch.with_outcomes(entries, ["error"])] == ["2", "3"]
    assert batch.with_outcomes(entries, []) == entries
