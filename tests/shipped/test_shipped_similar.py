"""The shipped indexes of validation films belong to the shipped weights."""

import numpy as np
import pytest

from pneumo import radiograph
from pneumo.datasets.kaggle import patient_key
from pneumo.inference import similar_cases
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION
from pneumo.model_store.store import SHIPPED

NAMES = store.names(SHIPPED, CLASSIFICATION)
INDEXED = [name for name in NAMES if similar_cases.path_of(name, SHIPPED).is_file()]
LARGEST = 10_000_000

pytestmark = [
    pytest.mark.skipif(not INDEXED, reason="no index is shipped yet"),
]


@pytest.fixture
def index(card):
    if card.name not in INDEXED:
        pytest.skip(f"{card.name} has no index")
    return similar_cases.read(card, SHIPPED)


def test_the_model_that_is_used_where_none_is_named_has_an_index():
    assert store.default_name(SHIPPED) in INDEXED


def test_all_indexes_together_stay_small_and_lie_beside_classifiers():
    found = sorted(SHIPPED.glob(f"*/{store.SIMILAR}"))

    assert [path.parent.name for path in found] == INDEXED
    assert sum(path.stat().st_size for path in found) < LARGEST


def test_the_index_is_of_these_weights_and_of_the_validation_films_alone(card, index):
    predictions = store.read_predictions(card.name, "val", SHIPPED)

    for key in ("file", "patient", "label", "pathogen"):
        assert getattr(index, f"{key}s").tolist() == predictions[key].tolist()
    tested = set(store.read_predictions(card.name, "test", SHIPPED)["patient"])
    assert not tested & {*index.patients, *map(patient_key, index.files.tolist())}
    assert len(index.files) == card.training["films"]["validation"]


def test_the_layer_is_one_of_the_model_and_as_wide(index, classifier):
    size = classifier.network.input_shapes[0]

    assert classifier.embedding_layer == index.layer != ""
    assert classifier.embed(np.zeros((1, *size), np.float32)).shape[1:] == index.embedding.shape[1:]


def test_the_nearest_films_share_the_label_far_more_often_than_chance(index):
    found = similar_cases.agreement(index)

    assert found.label.low > found.label_by_chance
    assert found.kind.low > found.kind_by_chance


@pytest.mark.shared
def test_a_validation_film_finds_itself(index, classifier, shared_data):
    distances = similar_cases.usual_distances(index)

    for file in index.files[::500]:
        assessed = classifier.assess(radiograph.read(shared_data / "chest_xray" / str(file)))
        found = similar_cases.find(index, distances, assessed.embedding)
        assert found.cases[0].patient == index.patients[index.files == file][0]
