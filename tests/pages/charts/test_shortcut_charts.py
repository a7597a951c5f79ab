import pytest

from pages.parts.charts.shortcuts import baseline_plot, embedding_plot, shift_plot, trait_plot
from pneumo.datasets import shortcuts
from pneumo.datasets.samples import FOLDER

SHIPPED = shortcuts.load(FOLDER)


def test_charts_draw_the_figures_they_are_given():
    floors, rows = shortcuts.baselines(SHIPPED), shortcuts.trait_rows(SHIPPED, "width")

    assert next(iter(baseline_plot(floors).to_dict()["datasets"].values())) == floors.to_dict("records")
    assert next(iter(trait_plot(rows, "Width").to_dict()["datasets"].values())) == rows.to_dict("records")
    drawn = shift_plot(shortcuts.shift_rows(SHIPPED)).to_dict()["datasets"].values()
    assert sorted(len(each) for each in drawn) == [1, len(shortcuts.shift_rows(SHIPPED))]


@pytest.mark.parametrize("by", ["part", "kind"])
def test_the_embedding_can_be_read_by_shape_and_colour(by):
    groups = list(dict.fromkeys(SHIPPED.points[by]))

    encoding = embedding_plot(SHIPPED.points, by, [*groups, "absent"]).to_dict()["encoding"]

    assert encoding["color"]["scale"]["domain"] == encoding["shape"]["scale"]["domain"] == groups
    assert len(set(encoding["shape"]["scale"]["range"])) == len(groups)
