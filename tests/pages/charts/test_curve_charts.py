import json

import pandas as pd
import pytest

from pages.parts.charts.curves import RISK_COVERAGE, ROC, band_plot, epochs_plot, reliability_plot, score_plot

MODELS = [f"Model {number}" for number in range(12)]
CURVE = pd.DataFrame(
    {"threshold": [1, 0.5, 0], "x": [0, 0.1, 1], "y": [0, 0.9, 1], "low": [0, 0.8, 1], "high": [0, 1, 1]}
)


def bands(models, axes=ROC):
    curves = pd.concat([CURVE.assign(model=model) for model in models], ignore_index=True)
    points = curves[curves["threshold"] == 0.5][["model", "x", "y", "threshold"]]
    return band_plot(curves, points, MODELS, axes).to_dict()


def colours_and_dashes(spec):
    line = next(layer for layer in spec["layer"] if "strokeDash" in layer["encoding"])["encoding"]
    scale, dash = line["color"]["scale"], line["strokeDash"]["scale"]
    return {
        model: (colour, tuple(dashes))
        for model, colour, dashes in zip(scale["domain"], scale["range"], dash["range"], strict=True)
    }


def every_chart():
    shares = pd.DataFrame({"class": ["Normal"], "low": [0.0], "high": [0.05], "films": [3], "share": [1.0]})
    epochs = pd.DataFrame({"model": "Model 1", "epoch": [1, 2], "value": [0.5, 0.4]})
    return [
        *(bands(MODELS[:2], axes) for axes in (ROC, RISK_COVERAGE)),
        reliability_plot(CURVE.assign(model="Model 1", films=5), MODELS).to_dict(),
        score_plot(shares, "A").to_dict(),
        epochs_plot(epochs, MODELS, "Loss").to_dict(),
    ]


def test_every_chart_is_sound_titled_and_leaves_its_background_to_the_page():
    for spec in every_chart():  # altair checks it against the schema of Vega-Lite
        assert spec["title"]
        assert "background" not in spec and "background" not in spec.get("config", {})
        json.dumps(spec)


def test_a_model_keeps_its_colour_and_dashes_whichever_are_drawn():
    alone, together = colours_and_dashes(bands(["Model 3"])), colours_and_dashes(bands(MODELS))

    assert alone["Model 3"] == together["Model 3"]


def test_eight_models_differ_in_colour_and_in_dashes_and_twelve_in_one_of_them():
    shown = colours_and_dashes(bands(MODELS))

    eight = [shown[model] for model in MODELS[:8]]
    assert len({colour for colour, _ in eight}) == len({dashes for _, dashes in eight}) == 8
    assert len(set(shown.values())) == 12


@pytest.mark.parametrize(("axes", "layers"), [(ROC, 5), (RISK_COVERAGE, 4)])
def test_only_some_charts_have_a_diagonal(axes, layers):
    assert len(bands(["Model 1"], axes)["layer"]) == layers


def test_the_band_spans_from_low_to_high_without_an_order():
    (area,) = (layer for layer in bands(["Model 1"])["layer"] if layer["mark"]["type"] == "area")

    assert (area["encoding"]["y"]["field"], area["encoding"]["y2"]["field"]) == ("low", "high")
    assert "order" not in area["encoding"]
