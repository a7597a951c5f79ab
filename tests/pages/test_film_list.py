import dataclasses

import numpy as np
import pytest
from toy.reported import answered, png_film, record_of
from toy.synthetic import noise, png, sound_film

from pages.parts.predict import film_list
from pages.parts.predict.film_list import Film, FilmList, Progress
from pneumo.evaluation.intervals import Estimate
from pneumo.inference.findings import warn
from pneumo.inference.similar_scores import SimilarFilms
from pneumo.serving import audit


def record(answer=None, status="ok", probability=0.5, findings=None, reasons=("It is so.",)):
    if status != "ok":
        return dataclasses.replace(record_of(), status=status, reasons=reasons)
    return record_of(assessment=answered(png_film(), answer, probability), findings=findings)


def noted(film, record, key="new"):
    film.record, film.read_by = record, key


def listed(*sizes, **limits):
    films = FilmList(**limits)
    for number, size in enumerate(sizes):
        films.add(str(number), f"{number}.png", bytes(size))
    return films


def held(films):
    return [film.identity for film in films.films.values() if film.data is not None]


def test_an_open_film_is_read_once_for_the_same_models_and_wishes(cnn):
    film = Film("1", "a.png", png(sound_film()))

    first = film.read(cnn, "key")

    assert film.read(cnn, "key") is first
    assert (film.record.file, film.record.status, film.read_by) == ("a.png", "ok", "key")
    assert film.thumbnail.startswith("data:image/png;base64,")
    assert film.read(cnn, "another key") is not first


def test_each_answer_on_the_page_is_in_the_audit_log_once(cnn, tmp_path, monkeypatch):
    monkeypatch.setenv(audit.VARIABLE, str(tmp_path / "audit.jsonl"))
    film = Film("1", "Anna Example.png", png(sound_film()))

    film.read(cnn, "key")
    film.read(cnn, "key")

    [line] = audit.entries([tmp_path / "audit.jsonl"])
    assert (line["via"], line["status"], line["probability"]) == ("page", "ok", film.record.probability)
    assert "Anna" not in (tmp_path / "audit.jsonl").read_text()


def test_what_the_user_asks_for_is_done_and_what_was_worked_out_before_goes(cnn):
    film = Film("1", "noise.png", png(noise()))
    film.read(cnn, "key")
    film.drawn["heat"] = np.ones(3)

    film.ask(correct=None, force=True)

    assert (film.reading, film.drawn, film.record.status) == (None, {}, "refused")
    assert film.read(cnn, "key").forced
    assert film.record.forced


def test_a_film_whose_file_was_let_go_cannot_be_read(cnn):
    with pytest.raises(ValueError, match=r"a\.png is no longer held"):
        Film("1", "a.png", None).read(cnn, "key")


def test_one_film_at_a_time_is_held_in_full(cnn):
    films = listed(1, 1)
    for film in films.films.values():
        film.data = png(sound_film())
    first, second = films.films.values()
    films.open("0")
    first.read(cnn, "key")

    films.open("1")

    assert films.opened_film is second
    assert (first.reading, first.record.status) == (None, "ok")


def test_only_what_these_models_did_not_read_is_pending():
    films = listed(1, 1, 1, 1)
    asked, other, waiting, gone = films.films.values()
    noted(asked, record("likely"), "new")
    noted(other, record("likely"), "old")
    noted(gone, record("likely"), "old")
    gone.data = None

    assert films.pending("new") == [other, waiting]


def test_the_oldest_files_are_let_go_beyond_the_number_and_their_results_stay():
    films = listed(1, 1, 1, 1, max_films=2)
    for film in films.films.values():
        noted(film, record("likely"))

    assert films.let_go_of_excess() == ["0", "1"]

    assert held(films) == ["2", "3"]
    assert films.let_go == 2
    assert len(films.records) == 4


def test_files_are_let_go_until_the_rest_fits():
    films = listed(60, 30, 20, 40, max_bytes=100)
    for film in films.films.values():
        noted(film, record("likely"))
        films.let_go_of_excess()

    assert held(films) == ["1", "2", "3"]


def test_neither_what_was_not_read_nor_what_is_open_is_let_go():
    films = listed(1, 1, 1, max_films=1)
    first, second, third = films.films.values()
    films.opened = "0"

    noted(first, record("likely"))
    films.let_go_of_excess()
    assert held(films) == ["0", "1", "2"]

    noted(second, record("likely"))
    films.let_go_of_excess()
    assert held(films) == ["0", "2"]

    noted(third, record("likely"))
    films.let_go_of_excess()
    assert held(films) == ["0"]


def test_a_film_that_is_given_twice_stands_once_and_keeps_its_result():
    films = listed(1)
    noted(films.films["0"], record("likely"))

    films.add("0", "0.png", b"?")

    assert [film.record.answer for film in films.films.values()] == ["likely"]


def test_a_film_that_is_taken_off_is_no_longer_open():
    films = listed(1, 1)
    films.opened = "0"

    films.remove("1")
    assert films.opened == "0"

    films.remove("0")
    films.remove("0")
    assert (films.opened, films.films) == (None, {})


def test_a_film_that_is_put_on_the_list_again_is_open_and_waits_to_be_read():
    films = listed(1, 1)
    noted(films.films["0"], record("likely"))

    films.put("0", "again.png", b"new")

    assert list(films.films) == ["1", "0"]
    assert (films.opened, films.films["0"].data, films.films["0"].record) == ("0", b"new", None)


def test_an_emptied_list_holds_nothing():
    films = listed(1, 1)
    films.opened = "0"

    films.clear()

    assert (films.films, films.opened, films.records) == ({}, None, [])


def test_outcomes_are_counted_in_the_order_of_a_worklist():
    statuses = [record(status="error"), record("unlikely"), record(status="refused"), record("likely")]

    counted = film_list.counts([*statuses, record("unlikely")])

    assert list(counted.items()) == [("likely", 1), ("refused", 1), ("error", 1), ("unlikely", 2)]


def counted(answer, share):
    similar = SimilarFilms(100, 50, 90, 0.4, 0.6, Estimate(share, 0.0, 1.0), (0.02, 0.98), 0.5)
    answer = dataclasses.replace(answered(png_film(), answer), similar=similar)
    return dataclasses.replace(record_of(assessment=answer), checked=True)


def film_of(name, known=None):
    return Film(name, name, b"", known, thumbnail="data:")


def test_what_wants_a_look_first_stands_first():
    films = [
        film_of("waiting"),
        film_of("well", counted("unlikely", 0.02)),
        film_of("letter", record(status="error")),
        film_of("cat", record(status="refused")),
        film_of("either", counted("uncertain", 0.7)),
        film_of("ill", counted("likely", 0.9)),
        film_of("surely ill", counted("likely", 0.97)),
    ]

    names = [film.name for film in film_list.by_urgency(films)]

    assert names == ["surely ill", "ill", "either", "cat", "letter", "well", "waiting"]


def test_where_pneumonia_is_rare_the_list_answers_as_the_page_does():
    films = [film_of("ill", counted("likely", 0.8))]

    assert film_list.table(films, prevalence=0.05)["Answer"].to_list() == ["? Cannot say"]
    assert film_list.with_outcomes(films, ["likely"], 0.05) == []
    assert film_list.with_outcomes(films, ["likely"], 0.5) == films


def test_the_table_has_a_row_for_every_film_and_says_what_was_wrong():
    warned = record("likely", probability=0.9, findings=[warn("x", "It is dark.")])
    refused = record(status="refused", reasons=("It is a cat.", "Give a film."))
    films = [film_of("a.png", warned), film_of("b.png", refused), Film("3", "c.png", b"")]

    rows = film_list.table([*films, film_of("d.png", counted("likely", 0.91))]).to_dict("list")

    assert rows["File"] == ["a.png", "b.png", "c.png", "d.png"]
    assert rows["Answer"] == ["▲ Likely", "⊘ Not assessed", "… Waiting", "▲ Likely"]
    assert rows["Of 100"] == ["", "", "", "91"]
    assert rows["Quality"] == ["It is dark.", "It is a cat. Give a film.", "", "Fine"]
    assert rows["Film"] == ["data:", "data:", "", "data:"]


def test_the_table_of_nothing_has_its_columns():
    assert list(film_list.table([])) == ["Film", "Answer", "Of 100", "File", "Quality"]


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


def test_each_film_is_noted_before_the_next_is_read_and_none_stays_open(cnn):
    films = FilmList()
    for name, data in (("a.png", png(sound_film())), ("b.png", b"no film"), ("c.png", png(noise()))):
        films.add(name, name, data)

    steps = [
        (step.done, step.total, [known.status for known in films.records])
        for step in film_list.read_all(films.pending("key"), cnn, "key")
    ]

    assert steps == [
        (0, 3, []),
        (1, 3, ["ok"]),
        (2, 3, ["ok", "error"]),
        (3, 3, ["ok", "error", "refused"]),
    ]
    assert [film.reading for film in films.films.values()] == [None] * 3
