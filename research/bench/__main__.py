"""``make bench`` prints one table from one run.

Medians, their spread (10th to 90th percentile), and for each row the time that its arithmetic would take at the
measured rate of a matrix product, or its bytes at the measured rate of a copy.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pneumo.cli.output import load_keras, reports_errors, required
from pneumo.inference import open_models
from pneumo.model_store import runtime
from research.bench.films import COUNTS, memory, of_commands, of_counts, of_page, of_runtimes, of_stages
from research.bench.rows import NAMES, Row, line, rates

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def rows(data: Path | None, films: int) -> Iterator[Row]:
    """Measure all that makes a row."""
    yield from of_runtimes()
    models = open_models()
    models.warm_up()
    yield from of_stages(models)
    yield from of_page()
    yield from of_counts(models, COUNTS)
    yield from of_commands(films)
    if data:
        from research.bench.training import of_training, of_workers

        yield from of_training(data)
        yield from of_workers(data)


@app.command()
@reports_errors
def main(
    data: Annotated[
        Path | None, typer.Option(envvar="PNEUMO_DATA", help="Data set, to measure training; not measured without.")
    ] = None,
    films: Annotated[int, typer.Option(help="The most films of an archive: 1000 takes two minutes, 10000 ten.")] = 100,
    to_auroc: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Measure how long our views and the usual pipeline train to this AUROC, too."),
    ] = None,
    network: Annotated[str, typer.Option(help="What trains to it: cnn, cnn_deep or dense.")] = "cnn",
    budget: Annotated[int, typer.Option(min=1, help="The most images that it learns from.")] = 60_000,
    seed: Annotated[int, typer.Option(min=0, help="Of its first weights and of everything random.")] = 0,
) -> None:
    """Print the table; milliseconds. How fast a machine is, and what else it does, is no fault: the exit code is 0."""
    load_keras()
    if to_auroc is not None:
        data = required(data)
    found = rates()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {found.multiplications / 1e9:.0f} "
        f"GFLOP/s in a product of matrices, {found.copies / 1e9:.1f} GB/s in a copy. Milliseconds."
    )
    print(f"{'':<{NAMES}}{'median':>9}{'p10':>9}{'p90':>9}{'runs':>6}{'limit':>9}{'times':>8}  of", flush=True)
    for row in rows(data, films):
        print(line(row, found), flush=True)
    for which in (runtime.ONNX, runtime.KERAS) if sys.platform == "linux" else ():
        print(f"{f'memory, 30 films with {which}':<{NAMES}}{memory(which):>9.0f} MB", flush=True)
    if data and to_auroc is not None:
        from research.bench.training import CHECK_EVERY, races

        print(f"{network} to validation AUROC {to_auroc}, which is looked at after every {CHECK_EVERY} steps:")
        for race in races(data, to_auroc, network, budget, seed):
            print(race, flush=True)
    print(f"Load at the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    app(prog_name="python -m research.bench")
