import dataclasses

import numpy as np
import pytest
from toy.audited import entries
from toy.synthetic import card

from pneumo.model_store import store
from pneumo.serving import drift


def log(*parts):
    return drift.films_of([line for part in parts for line in part])


def alarms(films):
    reference, rest = drift.first_films(films), films.iloc[drift.BASELINE :]
    found = drift.course(reference, rest)
    return found[found["alarm"]]


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_films_like_the_first_raise_no_alarm(seed):
    assert alarms(log(entries(1200, seed=seed))).empty


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"shift": 2.0}, drift.KS),
        ({"refused": 0.3}, drift.SHARES["refused"]),
        ({"foreign": 0.4}, drift.SHARES["foreign"]),
        ({"brightness": 0.56}, "Brightness"),
    ],
)
def test_a_change_is_noticed_within_200_films(change, figure):
    found = alarms(log(entries(400), entries(200, start=400, **change)))
    assert found["line"].min() > 400
    assert figure in set(found["figure"])
    assert drift.first_alarm(drift.course(drift.first_films(log(entries(400))), log(entries(60, start=400)))) is None


def test_the_first_alarm_is_that_since_when_there_was_one():
    films = log(entries(400), entries(200, start=400, brightness=0.7))
    since = drift.first_alarm(drift.course(drift.first_films(films), films.iloc[drift.BASELINE :]))
    assert 400 < since["line"] <= 450 and since["figure"] == "Brightness"
    over = log(entries(400), entries(100, start=400, brightness=0.7), entries(200, start=500))
    assert drift.first_alarm(drift.course(drift.first_films(over), over.iloc[drift.BASELINE :])) is None


def test_a_film_counts_once_and_unreadable_files_do_not():
    once = next(entries(1))
    films = log([once, {**once, "number": 2}, {**once, "number": 3, "status": "error", "image_sha256": None}])
    assert films["number"].to_list() == [1]
    forced = log([{**once, "forced": True}])
    assert forced["refused"].to_list() == [True]


def test_a_log_without_films_has_none_and_no_alarm():
    films = log()
    assert films.empty and drift.answers(films).empty
    assert drift.course(drift.first_films(films), films).empty
    assert drift.first_alarm(drift.course(drift.first_films(films), films)) is None


def test_films_of_other_weights_and_sites_are_kept_apart():
    films = log(entries(3), entries(2, start=3, site_sha256="here"), entries(4, start=5, model_sha256="other"))
    assert len(drift.of_model(films, card(), None)) == 3
    assert len(drift.of_model(films, card(), "here")) == 2
    assert len(drift.of_model(films, dataclasses.replace(card(), sha256="other"), None)) == 4


def test_answers_are_counted_in_blocks_that_add_up():
    found = drift.answers(log(entries(120, refused=0.2)))
    assert found.groupby("from")["films"].sum().to_dict() == {1: 50, 51: 50, 101: 20}
    assert found.groupby("from")["share"].sum().to_numpy() == pytest.approx(1)
    assert set(found["outcome"]) == {"Pneumonia likely", "Cannot say", "Pneumonia unlikely", "Refused"}


def test_the_shipped_model_has_its_validation_films_for_a_reference(monkeypatch):
    monkeypatch.delenv("PNEUMO_MODELS", raising=False)
    monkeypatch.delenv("PNEUMO_SITE", raising=False)
    name = store.default_name()
    reference = drift.validation_films(store.read_card(name))
    rng = np.random.default_rng(0)
    scores = rng.choice(reference.scores, 1000)
    lines = list(entries(1000))
    for line, score in zip(lines, scores, strict=True):
        line["probability"] = float(score)
    # Of the validation films 5 % are foreign and 2 % have a finding.
    for line in lines[::20]:
        line["foreign"] = True
    for line in lines[::50]:
        line["findings"] = ["mirrored"]
    course = drift.course(reference, drift.films_of(lines))
    assert not course["alarm"].any()
    assert set(course["figure"]) == {*drift.SHARES.values(), drift.PSI, drift.KS}
    tenths = drift.tenths(reference, drift.films_of(lines))
    assert len(tenths) == 10 and tenths["share"].sum() == pytest.approx(1)
