import numpy as np
import pytest
from toy import audited

from pneumo.serving import drift
from research import drift as study


def films(count, **changes):
    return drift.films_of(audited.entries(count, **changes))


def test_a_change_is_noticed_so_many_films_after_it():
    plain = films(400)
    changed = drift.films_of([*audited.entries(300), *audited.entries(200, start=300, brightness=0.7)])
    reference = drift.first_films(plain)

    after, figure = study.noticed(reference, changed, 300)

    assert 0 < after <= 50 and figure == "Brightness"
    assert study.noticed(reference, films(300, seed=1), 0) is None


def test_the_table_has_a_row_for_each_alteration_and_the_false_alarms_first(monkeypatch):
    monkeypatch.setattr(study, "STREAMS", 2)
    found = study.table(
        {"": films(400), "bright": films(200, seed=2, brightness=0.7)}, drift.first_films(films(400, seed=3))
    )
    assert found["Films"].to_list() == ["as they are (false alarms)", "bright"]
    assert found.iloc[0, 1] == "never in 2 streams" and found.iloc[1, 2] == "Brightness"


@pytest.mark.parametrize("name", study.ALTERATIONS)
def test_an_alteration_changes_a_film_and_keeps_its_shape(name):
    film = np.random.default_rng(0).integers(0, 256, (70, 90), np.uint8)
    altered = study.ALTERATIONS[name](film)
    assert (altered.shape, altered.dtype) == (film.shape, np.uint8)
    assert (altered != film).any()
