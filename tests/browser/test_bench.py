import pytest
from browser import bench
from browser.bench import Timing


def test_a_line_gives_median_and_p95_and_marks_what_misses_its_target():
    within, missed, free = (
        bench.line(Timing("Page switch", target, [100.0, 200.0, 600.0])).split() for target in (200, 199, None)
    )

    assert within == ["Page", "switch", "200", "200", "560", "3"]
    assert missed == ["Page", "switch", "199", "200", "560", "3", "MISSED"]
    assert free == ["Page", "switch", "200", "560", "3"]


@pytest.mark.slow
@pytest.mark.browser
def test_all_that_a_user_waits_for_is_timed(chromium, app_url):
    found = [*bench.of_films(chromium, app_url, 1), bench.of_switches(chromium, app_url, 1)]
    new = bench.of_new_tabs(chromium, app_url, 1)

    assert [timing.target for timing in found] == [bench.ANSWER, bench.HEAT, bench.SHOWN, bench.SLIDER, bench.SWITCH]
    assert [timing.target for timing in new] == [None, None]
    assert all(len(timing.milliseconds) == 1 and timing.milliseconds[0] > 0 for timing in [*found, *new])


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_is_opened_twice_on_a_server_of_its_own(chromium):
    cold, warm = bench.of_opening(chromium, bench.PLACES[0], 1)

    assert (cold.target, warm.target) == (bench.COLD, bench.WARM)
    assert all(timing.milliseconds[0] > 0 for timing in (cold, warm))
