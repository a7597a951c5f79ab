import dataclasses
import re

import pandas as pd
import pytest
from toy import synthetic

from pages.parts.charts import leaderboard_table
from pneumo.labels import FIGURES
from pneumo.model_store import store
from pneumo.results import leaderboard, published, scoreboard
from pneumo.results.scoreboard import COLUMNS, EXTERNAL, SHOWN_FIRST, Latency

RESULT = published.Published("Other <b>net</b>", "cnn", 0.9, None, None, 0.8, "test", "Someone 2020", "chosen on test")


def measure(folder, name, probability, split="test", **changes):
    card = synthetic.card(name=name, title=name.upper(), sha256=name * 10, **changes)
    labels = ["NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA", "PNEUMONIA"]
    table = pd.DataFrame({"label": labels, "probability": probability, "pathogen": "", "file": list("abcde")})
    store.write_predictions(table.assign(patient=list("vwxyz")), name, split, folder)
    return leaderboard.measure(card, split, folder=folder)


@pytest.fixture
def measurements(tmp_path):
    return [
        measure(tmp_path, "poor", [0.1, 0.6, 0.4, 0.8, 0.9], seed_system="Some notebook", size_bytes=2_100_000),
        measure(tmp_path, "good", [0.1, 0.2, 0.7, 0.8, 0.9], test_openings=[{"date": "x"}] * 2, parameters=12345),
    ]


def test_a_row_a_model_and_a_row_a_published_result(measurements):
    table = scoreboard.rows(measurements, results=[RESULT])

    assert table["system"].tolist() == ["GOOD", "POOR", "Other <b>net</b>"]
    assert table["kind"].tolist() == ["model", "model", "published"]
    good, poor, other = (table.iloc[row] for row in range(3))
    for figure in FIGURES:
        estimate = measurements[1].metrics.estimates()[figure]
        assert (good[figure], good[f"{figure}_low"], good[f"{figure}_high"]) == (
            estimate.value,
            estimate.low,
            estimate.high,
        )
    assert (poor["size_mb"], poor["seed_system"]) == (2.1, "Some notebook")
    assert (other["accuracy"], other["sensitivity"]) == (0.9, 0.8)
    assert (other["accuracy_low"], other["accuracy_high"]) == (
        RESULT.accuracy_interval.low,
        RESULT.accuracy_interval.high,
    )
    assert other["source"] == "Someone 2020; test; chosen on test"
    assert pd.isna(other["auroc"]) and pd.isna(other["parameters"])


def test_the_external_auroc_stands_beside_the_model_it_is_of(measurements, tmp_path):
    external = measure(tmp_path, "poor", [0.9, 0.6, 0.4, 0.8, 0.1], split="external_nih")

    table = scoreboard.rows(measurements, [external]).set_index("system")

    auroc = external.metrics.auroc
    assert table.loc["POOR", [EXTERNAL, f"{EXTERNAL}_low", f"{EXTERNAL}_high"]].tolist() == [
        auroc.value,
        auroc.low,
        auroc.high,
    ]
    assert pd.isna(table.loc["GOOD", EXTERNAL])


def test_latency_belongs_to_the_file_it_was_measured_with(measurements):
    table = scoreboard.rows(measurements, latencies={"good" * 10: Latency(11, 22)}).set_index("system")

    assert table.loc["GOOD", ["p50", "p95", "machine"]].tolist() == [11, 22, "this machine"]
    assert table.loc["POOR", ["p50", "p95", "machine"]].isna().all()


def test_a_latency_that_ships_is_shown_with_its_machine_until_one_is_measured_here(measurements):
    stored = {"p50": 7.6, "p95": 9.0, "films": 3, "hardware": "2 <cores>"}
    card = dataclasses.replace(measurements[0].card, latency=stored)
    shipped = [dataclasses.replace(measurements[0], card=card)]

    table = scoreboard.rows(shipped)
    here = scoreboard.rows(shipped, latencies={card.sha256: Latency(1, 2)})

    assert table.loc[0, ["p50", "p95", "machine"]].tolist() == [7.6, 9.0, "2 <cores>"]
    assert here.loc[0, ["p50", "p95", "machine"]].tolist() == [1, 2, "this machine"]
    assert "8 ms<small>2 &lt;cores&gt;</small>" in leaderboard_table.table(table, ["p50"])


@pytest.mark.parametrize("key", list(COLUMNS))
def test_the_best_of_a_column_comes_first_and_what_is_not_known_last(measurements, key):
    table = scoreboard.in_order(scoreboard.rows(measurements, results=[RESULT]), key)

    known = table[key].dropna()
    assert table[key].isna().to_numpy().tolist() == [False] * len(known) + [True] * (3 - len(known))
    if len(known) > 1:
        assert known.is_monotonic_decreasing if COLUMNS[key].higher_is_better else known.is_monotonic_increasing


@pytest.mark.parametrize(
    ("text", "found"),
    [("go", ["GOOD"]), ("NOTEBOOK", ["POOR"]), ("someone", ["Other <b>net</b>"]), (" ", 3), ("(", []), ("nobody", [])],
)
def test_the_search_looks_at_systems_and_sources(measurements, text, found):
    table = scoreboard.matching(scoreboard.rows(measurements, results=[RESULT]), text)

    assert len(table) == found if isinstance(found, int) else table["system"].tolist() == found


def test_the_html_has_each_figure_its_interval_and_its_bar(measurements):
    shown = leaderboard_table.table(scoreboard.rows(measurements), ["accuracy"])

    poor = measurements[0].metrics.accuracy
    assert f"{poor.value:.3f}<small>{poor.low:.3f}–{poor.high:.3f}</small>" in shown
    low = min(each.metrics.accuracy.low for each in measurements)
    high = max(each.metrics.accuracy.high for each in measurements)
    assert f"<small>{low:.2f} to {high:.2f}</small>" in shown
    starts = [float(start) for start in re.findall(r'<i style="left: ([\d.]+)%', shown)]
    widths = [float(width) for width in re.findall(r"width: ([\d.]+)%\"></i>", shown)]
    assert min(starts) == 0
    assert max(start + width for start, width in zip(starts, widths, strict=True)) == pytest.approx(100, abs=0.1)


def test_the_html_tells_what_is_not_known_and_escapes_names(measurements):
    table = scoreboard.rows(measurements, latencies={"good" * 10: Latency(11, 22)}, results=[RESULT])

    shown = leaderboard_table.table(table, SHOWN_FIRST)

    assert "<b>net</b>" not in shown and "Other &lt;b&gt;net&lt;/b&gt;" in shown
    assert shown.count("not measured here") == 2
    assert "11 ms" in shown and "22 ms" in shown and "12,345" in shown and "twice" in shown and "2.1 MB" in shown
    assert '<span class="mark">published</span> Someone 2020; test; chosen on test' in shown


def test_the_html_has_the_columns_that_were_asked_for(measurements):
    shown = leaderboard_table.table(scoreboard.rows(measurements), ["brier", "seed_system"])

    assert re.findall(r'<th scope="col"[^>]*>([^<]+)', shown) == ["Model", "Brier", "Stands for"]


def test_a_column_without_any_value_has_no_bars(measurements):
    assert '<div class="bar">' not in leaderboard_table.table(scoreboard.rows(measurements), [EXTERNAL])
