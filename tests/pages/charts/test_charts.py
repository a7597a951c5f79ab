import json
import re

import numpy as np
import pandas as pd
import pytest

from pages.parts.charts import dataset, style
from pages.parts.shared import chart
from pneumo.datasets import summary as data_summary
from pneumo.datasets.summary import summarise
from pneumo.evaluation.metrics import Confusion
from pneumo.labels import OFFICIAL_SPLITS
from pneumo.results import leaderboard


@pytest.fixture(scope="module")
def summary(toy_data):
    return summarise(toy_data)


def every_chart(summary):
    cells = pd.DataFrame({"truth": ["Normal"], "call": ["Normal"], "films": [3], "share": [1.0]})
    history = pd.DataFrame({"epoch": [1, 2], "films": ["Training", "Validation"], "value": [0.5, 0.4]})
    splits = list(OFFICIAL_SPLITS.values())
    return [
        style.confusion_plot(cells, "A"),
        style.training_plot(history, "Loss", 2),
        style.training_plot(history, "Loss"),
        dataset.class_bars(data_summary.class_counts(summary.counts), splits),
        dataset.frame_scatter(data_summary.frame_points(summary.frames)),
        dataset.films_per_patient_bars(data_summary.films_per_patient(summary.films_per_patient)),
        dataset.size_histogram(data_summary.size_shares(summary.sizes, "width"), "Width (pixels)"),
        dataset.intensity_lines(data_summary.intensity_shares(summary.intensity), splits),
    ]


def test_every_chart_is_sound_titled_and_leaves_its_background_to_the_page(summary):
    for each in every_chart(summary):
        spec = each.to_dict()  # altair checks it against the schema of Vega-Lite

        assert spec["title"]
        assert "background" not in spec and "background" not in spec.get("config", {})
        json.dumps(spec)


def luminance(colour):
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colour", [*style.PALETTE, *style.FILMS.values(), *style.KINDS.values()])
def test_colours_stand_out_on_light_and_on_dark_pages(colour):
    """WCAG's contrast (lighter + 0.05) / (darker + 0.05), on white and on Streamlit's dark grey."""
    own = luminance(colour) + 0.05

    assert (luminance("#FFFFFF") + 0.05) / own > 2
    assert own / (luminance("#0E1117") + 0.05) > 3


def test_the_kept_epoch_is_marked():
    history = pd.DataFrame({"epoch": [1, 2], "films": ["Training"] * 2, "value": [0.5, 0.4]})

    spec = style.training_plot(history, "Loss", 2).to_dict()

    rule = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "rule")
    assert spec["datasets"][rule["data"]["name"]] == [{"epoch": 2.0}]


def test_a_confusion_matrix_shows_films_and_shares():
    spec = style.confusion_plot(leaderboard.confusion_table(Confusion(380, 10, 216, 18)), "A").to_dict()

    texts = {layer["encoding"]["text"]["field"] for layer in spec["layer"] if layer["mark"]["type"] == "text"}
    assert texts == {"films", "share"}
    (rows,) = spec["datasets"].values()
    assert sorted(row["films"] for row in rows) == [10, 18, 216, 380]


def test_the_text_of_axes_can_be_read_on_a_light_and_on_a_dark_page():
    on_light, on_dark = re.findall(r"#\w{6}", chart.INK.expr)

    assert (luminance("#ffffff") + 0.05) / (luminance(on_light) + 0.05) >= 4.5
    assert (luminance(on_dark) + 0.05) / (luminance("#171614") + 0.05) >= 4.5
