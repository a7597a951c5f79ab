import pytest

from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION
from pneumo.model_store.store import SHIPPED


@pytest.fixture(scope="session", params=store.names(SHIPPED, CLASSIFICATION) or ["none"])
def card(request):
    return store.read_card(request.param, SHIPPED)


@pytest.fixture(scope="session")
def segmenter():
    """The shipped lung network."""
    from pneumo.inference import gate

    return gate.open_segmenter(SHIPPED)


@pytest.fixture(scope="session")
def classifier(card, segmenter):
    """A shipped classifier, loaded once for all tests of it."""
    from pneumo.inference.classifier import Classifier

    return Classifier.open(card.name, SHIPPED, segmenter)
