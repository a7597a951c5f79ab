"""A line of the table: what took how long, and what the machine needs for it at best."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import keras

RUNS, WARM_UP = 20, 3
# Width of the first column.
NAMES = 56
MATRIX, COPIED = 512, 2**27


class Rates(NamedTuple):
    """What this machine does at best.

    Attributes:
        multiplications: floating point operations a second of a product of two matrices.
        copies: bytes a second that are read and written by a copy.
    """

    multiplications: float
    copies: float


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        what: was measured.
        milliseconds: of each run.
        operations: floating point operations that it takes; 0 where its bytes are what limits it.
        bytes: that it reads and writes.
    """

    what: str
    milliseconds: list[float]
    operations: float = 0.0
    bytes: float = 0.0

    def limit(self, rates: Rates) -> float:
        """Return the milliseconds that the machine needs at best; 0 where no limit is known."""
        return 1000 * max(self.operations / rates.multiplications, self.bytes / rates.copies)


def line(row: Row, rates: Rates) -> str:
    """Return a row as text: median, 10th and 90th percentile, the limit and how many times as long it takes."""
    low, median, high = np.percentile(row.milliseconds, [10, 50, 90])
    limit = row.limit(rates)
    beside = f"{limit:>9.2f}{median / limit:>8.1f}  {_limited_by(row, rates)}" if limit else ""
    return f"{row.what:<{NAMES}}{median:>9.2f}{low:>9.2f}{high:>9.2f}{len(row.milliseconds):>6}{beside}"


def _limited_by(row: Row, rates: Rates) -> str:
    arithmetic = row.operations / rates.multiplications >= row.bytes / rates.copies
    return f"{row.operations / 1e6:,.0f} MFLOP" if arithmetic else f"{row.bytes / 1e6:,.1f} MB"


def timed(run: Callable[[], Any], runs: int = RUNS) -> list[float]:
    """Return how many milliseconds something takes, the first times left out."""
    found = []
    for number in range(WARM_UP + runs):
        start = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - start))
        if number < WARM_UP:
            found.clear()
    return found


def rates() -> Rates:
    """Measure the machine: the best of several products of matrices and copies."""
    rng = np.random.default_rng(0)
    first, second = rng.random((2, MATRIX, MATRIX), np.float32)
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    product, copy = min(timed(lambda: first @ second, 10 * RUNS)), min(timed(lambda: np.copyto(target, source)))
    return Rates(2 * MATRIX**3 / product * 1000, 2 * COPIED / copy * 1000)


def operations(model: "keras.Model") -> float:
    """Count the floating point operations of the convolutions and dense layers of a network, for one film."""
    counted = 0.0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            counted += operations(layer) * len(layer._inbound_nodes)
            continue
        kernels = [each for each in layer.weights if each.name.endswith("kernel") and len(each.shape) >= 2]
        for kernel in kernels:
            places = int(np.prod(layer.output.shape[1:-1])) if len(kernel.shape) == 4 else 1
            counted += 2.0 * places * int(np.prod(kernel.shape))
    return counted
