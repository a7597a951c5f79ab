import pytest

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.explanation import agreement

TABLE = """part,method,figure,value,low,high,films
lungs,gradcam,energy,0.34,0.30,0.38,12
opacities,gradcam,extent_correlation,,,,2
"""


@pytest.fixture
def models(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "explanation.csv").write_text(TABLE)
    return tmp_path


def test_a_figure_that_was_measured_is_found_with_its_interval(models):
    assert agreement.figure("toy", "lungs", "gradcam", "energy", models) == Estimate(0.34, 0.30, 0.38)


@pytest.mark.parametrize(
    ("name", "part", "method", "wanted"),
    [
        ("toy", "lungs", "layercam", "energy"),
        ("toy", "lungs", "gradcam", "pointing"),
        ("toy", "opacities", "gradcam", "extent_correlation"),
        ("other", "lungs", "gradcam", "energy"),
    ],
)
def test_what_was_not_measured_is_none(models, name, part, method, wanted):
    assert agreement.figure(name, part, method, wanted, models) is None


def test_a_model_whose_heat_maps_were_not_measured_is_told_how(models):
    with pytest.raises(ModelError, match=r"research\.heat_maps --model other --write"):
        agreement.read("other", models)
    (models / "toy" / "explanation.csv").write_text("part\nlungs\n")
    with pytest.raises(ModelError, match="toy"):
        agreement.read("toy", models)


@pytest.mark.parametrize(
    ("low", "off", "words"),
    [(0.16, False, None), (0.15, True, "no better than a blob in the middle"), (None, False, "was not measured")],
)
def test_a_map_is_worth_more_than_a_blob_only_where_its_whole_interval_is(models, low, off, words):
    if low is not None:
        rows = f"opacities,gradcam,iou,0.2,{low},0.3,92\nopacities,centre,iou,0.15,0.1,0.2,92\n"
        (models / "toy" / "explanation.csv").write_text(TABLE + rows)

    found = agreement.worth("toy", "gradcam", models)

    assert found.is_none is off
    assert words is found.words if words is None else words in found.words
