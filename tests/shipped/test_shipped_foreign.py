"""The shipped files by which foreign films are told belong to their models, and know the sample films."""

import pytest

from pneumo import radiograph
from pneumo.datasets import samples
from pneumo.inference import foreign
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION
from pneumo.model_store.store import SHIPPED

COMPARING = [name for name in store.names(SHIPPED, CLASSIFICATION) if store.read_card(name, SHIPPED).foreign]
LARGEST = 300_000

pytestmark = pytest.mark.skipif(not COMPARING, reason="no model is shipped that tells foreign films")


@pytest.fixture(autouse=True)
def comparing(card):
    if card.name not in COMPARING:
        pytest.skip(f"{card.name} tells no foreign films")


def test_it_knows_the_hospitals_that_the_model_learned_from(card):
    known = foreign.read(card, SHIPPED)

    assert set(known.names) == set(card.training["hospitals"]["learned_from"])
    assert card.tells_foreign_films or foreign.path_of(card.name, SHIPPED).stat().st_size <= LARGEST


def test_hardly_a_sample_film_is_foreign(classifier):
    films = [radiograph.read(sample.path) for sample in samples.load_samples()]

    # One film in twenty of those at home is.
    assert films
    assert sum(classifier.assess(film).foreign for film in films) <= len(films) / 10
