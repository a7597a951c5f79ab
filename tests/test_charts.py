import json

import numpy as np
import pandas as pd
import pytest

from pneumo import charts, dataset_charts, dataset_summary, dataset_tables, leaderboard
from pneumo.evaluation import Confusion


@pytest.fixture(scope="module")
def summary(toy_data):
    return dataset_summary.summarise(toy_data)


def every_chart(summary):
    cells = pd.DataFrame({"truth": ["Normal"], "call": ["Normal"], "films": [3], "share": [1.0]})
    history = pd.DataFrame({"epoch": [1, 2], "films": ["Training", "Validation"], "value": [0.5, 0.4]})
    splits = list(dataset_tables.SPLITS.values())
    return [
        charts.confusion_plot(cells, "A"),
        charts.training_plot(history, "Loss", 2),
        charts.training_plot(history, "Loss"),
        dataset_charts.class_bars(dataset_tables.class_counts(summary.counts), splits),
        dataset_charts.films_per_patient_bars(dataset_tables.films_per_patient(summary.films_per_patient)),
        dataset_charts.size_histogram(dataset_tables.size_shares(summary.sizes, "width"), "Width (pixels)"),
        dataset_charts.intensity_lines(dataset_tables.intensity_shares(summary.intensity), splits),
    ]


def test_every_chart_is_sound_titled_and_leaves_its_background_to_the_page(summary):
    for chart in every_chart(summary):
        spec = chart.to_dict()  # altair checks it against the schema of Vega-Lite

        assert spec["title"]
        assert "background" not in spec and "background" not in spec.get("config", {})
        json.dumps(spec)


def luminance(colour):
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colour", [*charts.PALETTE, *charts.FILMS.values(), *dataset_charts.KINDS.values()])
def test_colours_stand_out_on_light_and_on_dark_pages(colour):
    """WCAG's contrast (lighter + 0.05) / (darker + 0.05), on white and on Streamlit's dark grey."""
    own = luminance(colour) + 0.05

    assert (luminance("#FFFFFF") + 0.05) / own > 2
    assert own / (luminance("#0E1117") + 0.05) > 3


def test_the_kept_epoch_is_marked():
    history = pd.DataFrame({"epoch": [1, 2], "films": ["Training"] * 2, "value": [0.5, 0.4]})

    spec = charts.training_plot(history, "Loss", 2).to_dict()

    rule = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "rule")
    assert spec["datasets"][rule["data"]["name"]] == [{"epoch": 2.0}]


def test_a_confusion_matrix_shows_films_and_shares():
    spec = charts.confusion_plot(leaderboard.confusion_table(Confusion(380, 10, 216, 18)), "A").to_dict()

    texts = {layer["encoding"]["text"]["field"] for layer in spec["layer"] if layer["mark"]["type"] == "text"}
    assert texts == {"films", "share"}
    (rows,) = spec["datasets"].values()
    assert sorted(row["films"] for row in rows) == [10, 18, 216, 380]
