import time

import keras
import pytest
from keras import layers

from research import bench
from research.bench import Rates, Row

RATES = Rates(multiplications=1e9, copies=1e6)


def test_a_row_tells_how_many_times_the_limit_it_takes():
    by_arithmetic = bench.line(Row("model", [4.0, 5.0, 6.0], operations=1e6), RATES).split()
    by_bytes = bench.line(Row("read", [4.0, 5.0, 6.0], bytes=2e3), RATES).split()
    unlimited = bench.line(Row("page", [5.0]), RATES).split()

    assert by_arithmetic == ["model", "5.00", "4.20", "5.80", "3", "1.00", "5.0", "1", "MFLOP"]
    assert by_bytes[5:] == ["2.00", "2.5", "0.0", "MB"]
    assert unlimited == ["page", "5.00", "5.00", "5.00", "1"]


def test_the_operations_of_a_network_are_counted_by_hand():
    film = keras.Input((10, 10, 2))
    x = layers.Conv2D(3, 3, use_bias=False)(film)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    model = keras.Model(film, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))

    assert bench.operations(model) == 2 * (8 * 8 * 3 * 3 * 2 * 3) + 2 * (8 * 8 * 3 * 3 * 3) + 2 * 3 * 4


def test_the_first_runs_do_not_count():
    found = bench.timed(lambda: time.sleep(0.001), runs=4)

    assert len(found) == 4
    assert min(found) == pytest.approx(1, abs=0.5) or min(found) > 1
