"""The shipped network of opacities is that of its card, and its map is better than the one that it replaces."""

import pytest

from pneumo import radiograph
from pneumo.datasets.samples import load_samples
from pneumo.explanation import agreement
from pneumo.inference import gate, opacity
from pneumo.inference.opacity import DRAWN_SPLIT, OpacityNetwork
from pneumo.model_store import store
from pneumo.model_store.card import OPACITY
from pneumo.model_store.store import SHIPPED
from pneumo.model_store.weights import sha256
from pneumo.preprocessing.network_input import film_square
from pneumo.training.opacity import TASK

FILE = SHIPPED / opacity.NAME / "model.keras"


@pytest.fixture(scope="module")
def card():
    return store.read_card(opacity.NAME, SHIPPED, OPACITY)


def test_the_file_is_small_and_the_one_of_the_card(card):
    assert (card.sha256, card.size_bytes) == (sha256(FILE), FILE.stat().st_size)
    assert card.size_bytes < 3_000_000
    assert card.sha256 in {opening["sha256"] for opening in card.test_openings}


def test_every_figure_is_what_the_predictions_give(card):
    assert set(card.metrics) == set(store.measured_splits(card.name, SHIPPED))
    for split, figures in card.metrics.items():
        assert figures == TASK.summarise(TASK.predictions(card.name, split, SHIPPED), card), split


def test_no_publication_was_learned_from_that_the_drawn_opacities_were_measured_on():
    unseen = TASK.predictions(opacity.NAME, DRAWN_SPLIT, SHIPPED)

    assert unseen.groupby("source")["fold"].nunique().eq(1).all()
    assert not set(unseen["file"]) & set(TASK.predictions(opacity.NAME, "val", SHIPPED)["file"])


@pytest.mark.parametrize(
    ("split", "figure", "part", "of_gradcam"),
    [
        (DRAWN_SPLIT, "hottest_in_opacity", "opacities", "pointing"),
        (DRAWN_SPLIT, "heat_in_opacity", "opacities", "energy"),
        (DRAWN_SPLIT, "rank_correlation", "opacities", "extent_correlation"),
        ("test", "heat_in_lungs", "lungs", "energy"),
    ],
)
def test_the_map_that_is_shown_first_is_better_than_grad_cam_of_what_learned_no_places(
    card, split, figure, part, of_gradcam
):
    explained = [path.parent.name for path in SHIPPED.glob(f"*/{store.EXPLANATION}")]
    others = [agreement.figure(name, part, "gradcam", of_gradcam, SHIPPED) for name in explained]

    assert card.metrics[split][figure]["value"] > max(other.value for other in others if other)


def test_samples_with_pneumonia_are_more_opaque_than_normal_ones():
    network, segmenter = OpacityNetwork.open(SHIPPED), gate.open_segmenter(SHIPPED)
    shares = {"NORMAL": [], "PNEUMONIA": []}
    for sample in load_samples():
        square = film_square(radiograph.read(sample.path).pixels)
        lungs = segmenter.segment(square)
        shares[sample.label].append(opacity.severity(network.find(square, lungs), lungs).share)

    assert max(shares["NORMAL"]) < min(shares["PNEUMONIA"])
