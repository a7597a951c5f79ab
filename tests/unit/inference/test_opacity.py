from types import SimpleNamespace

import numpy as np
import pytest
from toy import synthetic

from pneumo.errors import ExplanationError, ModelError
from pneumo.explanation import explain
from pneumo.explanation.explainer import maps_of
from pneumo.inference import lungs, opacity
from pneumo.inference.opacity import OpacityMap, OpacityNetwork, severity
from pneumo.inference.reading import Models, Reading
from pneumo.preprocessing import crops
from pneumo.preprocessing.network_input import SQUARE

MEASURED = {"opacity_masks": {"share_error": {"value": 0.11, "low": 0.09, "high": 0.13}}}
CARD = synthetic.card(name="opacity", metrics=MEASURED)


@pytest.fixture(scope="module")
def mask():
    return lungs.of_probability(synthetic.lung_mask(SQUARE, SQUARE).astype(np.float32))


def of_right_half():
    """An opacity over the whole of the child's right, which is the viewer's left."""
    grid = np.zeros((14, 14), np.float32)
    grid[:, :7] = 1
    return OpacityMap(grid, crops.WHOLE)


def test_the_share_of_each_lung_is_counted_where_the_lung_lies(mask):
    found = severity(of_right_half(), mask, CARD)

    assert found.share == pytest.approx(0.5, abs=0.02)
    assert found.sides == pytest.approx((1, 0), abs=0.02)
    assert found.as_values() == {
        "share": found.share,
        "right": found.sides[0],
        "left": found.sides[1],
        "grade": found.grade,
        "error": 0.11,
    }
    assert found.worth.endswith("off by 11 percentage points on average (9–13).")


def test_a_lung_that_the_film_does_not_show_has_no_share():
    right = lungs.of_probability(synthetic.lung_mask(SQUARE, SQUARE, (0.3,)).astype(np.float32))

    found = severity(of_right_half(), right)

    assert found.sides[1] is None
    assert found.sentence == "100 % of the lungs is opaque (right 100 %, left not on the film): severe."
    assert (found.error, found.worth) == (None, None)


def test_a_film_without_lungs_has_no_severity():
    assert severity(of_right_half(), lungs.of_probability(np.zeros((32, 32)))) is None


@pytest.mark.parametrize(
    ("share", "grade"), [(0, "mild"), (0.249, "mild"), (0.25, "moderate"), (0.5, "severe"), (1, "severe")]
)
def test_the_grade_goes_by_quarters_of_the_lungs(share, grade):
    assert opacity.grade(share) == grade


def test_a_map_of_a_box_lies_where_the_box_does_and_never_leaves_0_to_1():
    grid = np.zeros((14, 14), np.float32)
    grid[5:9, 5:9] = 1

    film = OpacityMap(grid, (0.5, 0.0, 1.0, 1.0)).on_film((100, 200))

    assert film.shape == (100, 200)
    assert not film[:, :100].any()
    assert film[50, 150] == pytest.approx(1, abs=0.01)
    assert (film.min(), film.max()) == (0, 1)


def test_the_map_is_the_mean_of_the_film_and_of_its_mirror_image():
    seen = []

    def predict_on_batch(pictures):
        seen.append(pictures)
        return np.stack([np.full((2, 2, 1), 0.2), np.array([[[0.0], [1.0]]] * 2)])

    network = OpacityNetwork(CARD, SimpleNamespace(input_shape=(None, 8, 8, 1), predict_on_batch=predict_on_batch))
    found = network.find(np.arange(64, dtype=np.float32).reshape(8, 8), None)

    np.testing.assert_array_equal(seen[0][0], seen[0][1][:, ::-1])
    np.testing.assert_allclose(found.grid, [[0.6, 0.1]] * 2)
    assert found.box == crops.WHOLE


def reading(answer, network, mask):
    """Of a film whose right lung is opaque."""
    radiograph = SimpleNamespace(pixels=np.zeros((100, 200), np.float32))
    assessment = SimpleNamespace(answer=answer, radiograph=radiograph)
    models = Models(SimpleNamespace(card=synthetic.card()), None, network)
    checked = SimpleNamespace(lungs=mask)
    found = of_right_half() if network else None
    return Reading("film.png", b"", models, radiograph, checked, assessment, found)


@pytest.mark.parametrize(("answer", "is_told"), [("likely", True), ("uncertain", True), ("unlikely", False)])
def test_severity_is_told_only_where_the_answer_is_not_unlikely(mask, answer, is_told):
    told = reading(answer, SimpleNamespace(card=CARD), mask).severity

    assert (told is not None) == is_told
    assert told is None or told.error.value == 0.11


def test_the_opacity_map_comes_first_where_there_is_a_network_for_it(mask):
    with_network = reading("likely", SimpleNamespace(card=CARD), mask)

    heat = explain(with_network)

    assert next(iter(maps_of(with_network.models))) == heat.method == "opacity"
    assert heat.values.shape == (100, 200)
    np.testing.assert_array_equal(heat.values, heat.absolute)


def test_without_the_network_there_is_no_opacity_map_and_no_severity(mask, tmp_path):
    without = reading("likely", None, mask)

    assert "opacity" not in maps_of(without.models)
    assert without.severity is None
    with pytest.raises(ExplanationError, match="missing"):
        explain(without, "opacity")
    assert not OpacityNetwork.is_there(tmp_path)
    with pytest.raises(ModelError, match="opacity"):
        OpacityNetwork.open(tmp_path)
