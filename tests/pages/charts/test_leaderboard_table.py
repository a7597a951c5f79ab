import re

import pytest
from toy.measured import PUBLISHED, measured_models

from pages.parts.charts import leaderboard_table
from pneumo.results import leaderboard
from pneumo.results.leaderboard import EXTERNAL, SHOWN_FIRST, Latency


@pytest.fixture
def measurements(tmp_path):
    return measured_models(tmp_path)


def test_the_html_has_each_figure_its_interval_and_its_bar(measurements):
    shown = leaderboard_table.table(leaderboard.rows(measurements), ["accuracy"])

    poor = measurements[0].metrics.accuracy
    assert f"{poor.value:.3f}<small>{poor.low:.3f}–{poor.high:.3f}</small>" in shown
    low = min(each.metrics.accuracy.low for each in measurements)
    high = max(each.metrics.accuracy.high for each in measurements)
    assert f"<small>{low:.2f} to {high:.2f}</small>" in shown
    starts = [float(start) for start in re.findall(r'<i style="left: ([\d.]+)%', shown)]
    widths = [float(width) for width in re.findall(r"width: ([\d.]+)%\"></i>", shown)]
    assert min(starts) == 0
    assert max(start + width for start, width in zip(starts, widths, strict=True)) == pytest.approx(100, abs=0.1)


def test_the_html_says_what_is_not_known_and_escapes_names(measurements):
    table = leaderboard.rows(measurements, latencies={"good" * 10: Latency(11, 22)}, results=[PUBLISHED])

    shown = leaderboard_table.table(table, SHOWN_FIRST)

    assert "<b>net</b>" not in shown and "Other &lt;b&gt;net&lt;/b&gt;" in shown
    assert shown.count("not measured here") == 2
    assert "11 ms" in shown and "22 ms" in shown and "12,345" in shown and "twice" in shown and "2.1 MB" in shown
    assert '<span class="mark">published</span> Someone 2020; test; chosen on test' in shown


def test_the_html_has_the_columns_that_were_asked_for(measurements):
    shown = leaderboard_table.table(leaderboard.rows(measurements), ["brier", "seed_system"])

    assert re.findall(r'<th scope="col"[^>]*>([^<]+)', shown) == ["Model", "Brier", "Stands for"]


def test_a_column_without_any_value_has_no_bars(measurements):
    assert '<div class="bar">' not in leaderboard_table.table(leaderboard.rows(measurements), [EXTERNAL])


def test_a_latency_has_its_machine(measurements):
    latencies = {"good" * 10: Latency(7.6, 9.0, "2 <cores>")}

    shown = leaderboard_table.table(leaderboard.rows(measurements, latencies=latencies), ["p50"])

    assert "8 ms<small>2 &lt;cores&gt;</small>" in shown
