"""ONNX Runtime gives what Keras gives, on each shipped network."""

from pathlib import Path

import numpy as np
import pytest
from toy import synthetic

from pneumo import radiograph
from pneumo.explanation.cam import drawer
from pneumo.model_store import runtime, store, weights
from pneumo.model_store.store import SHIPPED
from pneumo.preprocessing import network_input
from research.runtime_agreement import ALLOWED, largest_difference

NAMES = store.names(SHIPPED)
# What reads a film where nothing else is asked for. Keras takes seconds to load each of the others.
READ_WITH = (store.default_name(SHIPPED), "gate", "lungs", "opacity")
FILMS = 50
BOX = (0.1, 0.1, 0.9, 0.85)


@pytest.fixture(scope="module")
def squares() -> np.ndarray:
    """Real films where they are on this machine, else drawn ones."""
    folder = Path(__file__).parents[3] / "shared" / "data" / "chest_xray" / "test"
    files = sorted(folder.rglob("*.jpeg"))
    if files:
        films = [radiograph.read(path).pixels for path in files[:: len(files) // FILMS][:FILMS]]
    else:
        rng = np.random.default_rng(0)
        films = [synthetic.film(rng, bool(number % 2)) / np.float32(255) for number in range(FILMS)]
    return np.stack([np.rint(network_input.film_square(film) * 255).astype(np.uint8) for film in films])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in READ_WITH else pytest.mark.slow) for name in NAMES]
)
def test_both_runtimes_agree_on_fifty_films(name, squares):
    assert largest_difference(name, squares, [BOX] * len(squares), SHIPPED) < ALLOWED


@pytest.mark.parametrize("name", NAMES)
def test_the_card_tells_that_both_agreed_on_the_whole_test_split(name):
    card = store.read_card(name, SHIPPED)

    assert card.runtime["largest_difference"] < ALLOWED
    assert (card.runtime["measured_on"], card.runtime["films"]) == ("test", 624)
    assert card.runtime["sha256"] == card.sha256


def test_the_grad_cam_of_the_default_model_is_that_of_tf_keras_vis(squares):
    card, path = store.find(READ_WITH[0], SHIPPED)
    whole, of_keras = runtime.open_network(path), weights.load(path)
    assert len(card.members) == 2

    for member in card.members:
        network = whole.member(member["name"], member["cam_layer"])
        pictures = np.stack([network_input.model_input(each / np.float32(255), network.size) for each in squares[:8]])
        drawn = network.run(pictures).cam

        expected = drawer(of_keras.get_layer(member["name"]), member["cam_layer"], "gradcam")(pictures)
        assert expected.max() > 0
        np.testing.assert_allclose(drawn, expected, atol=1e-4 * expected.max())
