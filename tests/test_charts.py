import json

import numpy as np
import pandas as pd
import pytest

from pneumo import charts, dataset_charts, dataset_summary, dataset_tables, leaderboard
from pneumo.evaluation import Confusion

MODELS = [f"Model {number}" for number in range(12)]
CURVE = pd.DataFrame({"threshold": [1, 0.5, 0], "false_positive_rate": [0, 0.1, 1], "true_positive_rate": [0, 0.9, 1]})


def roc(models):
    curves = pd.concat([CURVE.assign(model=model) for model in models], ignore_index=True)
    points = pd.concat([CURVE.iloc[[1]].assign(model=model) for model in models], ignore_index=True)
    return charts.roc_plot(curves, points, MODELS).to_dict()


def colours_and_dashes(spec):
    line = spec["layer"][1]["encoding"]
    scale, dash = line["color"]["scale"], line["strokeDash"]["scale"]
    return {
        model: (colour, tuple(dashes))
        for model, colour, dashes in zip(scale["domain"], scale["range"], dash["range"], strict=True)
    }


@pytest.fixture(scope="module")
def summary(toy_data):
    return dataset_summary.summarise(toy_data)


def every_chart(summary):
    cells = pd.DataFrame({"truth": ["Normal"], "call": ["Normal"], "films": [3], "share": [1.0]})
    intervals = pd.DataFrame({"model": ["A"], "value": [0.9], "low": [0.8], "high": [0.95], "text": ["0.9"]})
    history = pd.DataFrame({"epoch": [1, 2], "films": ["Training", "Validation"], "value": [0.5, 0.4]})
    splits = list(dataset_tables.SPLITS.values())
    return [
        charts.interval_plot(intervals, "AUROC"),
        charts.roc_plot(CURVE.assign(model="Model 1"), CURVE.iloc[[1]].assign(model="Model 1"), MODELS),
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


def test_a_model_keeps_its_colour_and_dashes_whichever_are_drawn():
    alone, together = colours_and_dashes(roc(["Model 3"])), colours_and_dashes(roc(MODELS))

    assert alone["Model 3"] == together["Model 3"]


def test_eight_models_differ_in_colour_and_in_dashes():
    shown = colours_and_dashes(roc(MODELS[:8])).values()

    assert len({colour for colour, _ in shown}) == 8
    assert len({dashes for _, dashes in shown}) == 8


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
    metrics = type("Metrics", (), {"confusion": Confusion(380, 10, 216, 18)})

    spec = charts.confusion_plot(leaderboard.confusion_table(metrics), "A").to_dict()

    texts = {layer["encoding"]["text"]["field"] for layer in spec["layer"] if layer["mark"]["type"] == "text"}
    assert texts == {"films", "share"}
    (rows,) = spec["datasets"].values()
    assert sorted(row["films"] for row in rows) == [10, 18, 216, 380]
