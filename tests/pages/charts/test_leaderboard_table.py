import re

import pytest
from toy.measured import PUBLISHED, measured_models

from pages.parts.charts import leaderboard_table
from pneumo.evaluation.metrics import Confusion
from pneumo.results import leaderboard
from pneumo.results.elsewhere import Calls
from pneumo.results.leaderboard import COLUMNS, ELSEWHERE, EXTERNAL, Latency


@pytest.fixture
def measurements(tmp_path):
    return measured_models(tmp_path)


def test_the_html_has_each_figure_its_interval_and_its_bar(measurements):
    shown = leaderboard_table.table(leaderboard.rows(measurements), {"accuracy": COLUMNS["accuracy"]})

    poor = measurements[0].metrics.accuracy
    assert f"{100 * poor.value:.1f} %<small>{100 * poor.low:.1f}–{100 * poor.high:.1f}</small>" in shown
    low = min(each.metrics.accuracy.low for each in measurements)
    high = max(each.metrics.accuracy.high for each in measurements)
    assert f"<small>bar: {100 * low:.1f} to {100 * high:.1f}</small>" in shown
    starts = [float(start) for start in re.findall(r'<i style="left: ([\d.]+)%', shown)]
    widths = [float(width) for width in re.findall(r"width: ([\d.]+)%\"></i>", shown)]
    assert min(starts) == 0
    assert max(start + width for start, width in zip(starts, widths, strict=True)) == pytest.approx(100, abs=0.1)


def test_the_html_says_what_is_not_known_and_escapes_names(measurements):
    table = leaderboard.rows(measurements, latencies={"good" * 10: Latency(11, 22)}, results=[PUBLISHED])

    shown = leaderboard_table.table(table, COLUMNS)

    assert "<b>net</b>" not in shown and "Other &lt;b&gt;net&lt;/b&gt;" in shown
    assert shown.count("not measured here") == 2
    assert "11 ms" in shown and "22 ms" in shown and "12,345" in shown and "twice" in shown and "2.1 MB" in shown
    assert '<span class="mark">published</span> Someone 2020; test; chosen on test' in shown


def test_the_html_has_the_columns_that_were_asked_for(measurements):
    shown = leaderboard_table.table(
        leaderboard.rows(measurements), {key: COLUMNS[key] for key in ("brier", "seed_system")}
    )

    assert re.findall(r'<th scope="col"[^>]*>([^<]+)', shown) == ["Model", "Brier", "Stands for"]


def test_a_column_without_any_value_has_no_bars(measurements):
    assert '<div class="bar">' not in leaderboard_table.table(
        leaderboard.rows(measurements), {EXTERNAL: COLUMNS[EXTERNAL]}
    )


def test_a_latency_has_its_machine(measurements):
    latencies = {"good" * 10: Latency(7.6, 9.0, "2 <cores>")}

    shown = leaderboard_table.table(leaderboard.rows(measurements, latencies=latencies), {"p50": COLUMNS["p50"]})

    assert "8 ms<small>2 &lt;cores&gt;</small>" in shown


def test_the_head_and_each_card_say_what_is_better_lower(measurements):
    shown = leaderboard_table.table(leaderboard.rows(measurements), COLUMNS)

    assert shown.count("<small>lower is better</small>") == sum(
        not each.higher_is_better and each.is_ranked for each in COLUMNS.values()
    )
    assert 'data-label="Missed per 100 sick (lower is better)"' in shown
    assert 'data-label="Accuracy"' in shown
    assert 'data-label="Stands for"' in shown


def test_many_columns_are_cards_so_that_none_is_cut_off(measurements):
    rows = leaderboard.rows(measurements)
    few = {key: COLUMNS[key] for key in leaderboard.shown_first("test")}

    assert 'class="board"' in leaderboard_table.table(rows, few)
    assert 'class="board cards"' in leaderboard_table.table(rows, COLUMNS)


def test_what_was_called_elsewhere_stands_under_its_figure(measurements, tmp_path):
    others = {"good": Calls(("hospital_shenzhen",), Confusion(1, 1, 1, 3))}

    shown = leaderboard_table.table(leaderboard.rows(measurements, others=others), {ELSEWHERE: COLUMNS[ELSEWHERE]})

    assert "37.5 %<small>" in shown
    assert "<small>50 of 100 found, 75 false alarms per 100 (6 films, Shenzhen)</small>" in shown
    assert 'class="unknown">–</td>' in shown


def test_the_model_to_use_is_marked(measurements):
    shown = leaderboard_table.table(leaderboard.rows(measurements), {"p50": COLUMNS["p50"]}, "good")

    assert shown.count("recommended") == 1
    assert 'GOOD<small><span class="mark">recommended</span></small>' in shown
