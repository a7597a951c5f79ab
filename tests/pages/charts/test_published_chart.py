import pandas as pd

from pages.parts.charts.published import rebuilt_plot
from pneumo.results.published import PUBLISHED, REBUILT


def test_what_was_not_measured_on_test_films_is_hollow_and_the_line_is_where_every_film_is_pneumonia():
    rows = [("A", PUBLISHED, "Test", 0.7, None, None), ("A", PUBLISHED, "Validation", 0.9, None, None)]
    rows.append(("A", REBUILT, "Test", 0.8, 0.75, 0.85))
    table = pd.DataFrame(rows, columns=["system", "figures", "films", "accuracy", "low", "high"])

    spec = rebuilt_plot(table, 0.625).to_dict()  # altair checks it against the schema of Vega-Lite

    fills = next(layer["encoding"]["fill"]["scale"] for layer in spec["layer"] if "fill" in layer["encoding"])
    inside = dict(zip(fills["domain"], fills["range"], strict=True))
    assert [mark for mark, fill in inside.items() if fill == "transparent"] == ["Published, on other films"]
    assert [{"accuracy": 0.625}] in spec["datasets"].values()
