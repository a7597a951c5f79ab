"""The commands ``python -m pneumo compare`` and ``latency``."""

import dataclasses
import math
from typing import Annotated, Any

import pandas as pd
import typer

from pneumo.cli import output
from pneumo.cli.output import JsonOption, ModelsOption, load_runtime, reports_errors, say
from pneumo.model_store import store
from pneumo.results import comparison as model_comparison
from pneumo.results.comparison import Comparison


@reports_errors
def compare(
    first: Annotated[str, typer.Argument(help="A model.")],
    seconds: Annotated[list[str], typer.Argument(help="One or more to compare it with.")],
    split: Annotated[str, typer.Option(help="The films to compare them on.")] = "test",
    as_json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    models: ModelsOption = None,
) -> None:
    """Say whether one model is better than others on the same films, or chance may explain the difference."""
    if as_markdown and not as_json:
        print(model_comparison.markdown(first, seconds, split, models))
        return
    comparisons = [model_comparison.compare(first, second, split, models) for second in seconds]
    if as_json:
        output.print_json([_record(each) for each in comparisons])
    else:
        _print(comparisons)


def _print(comparisons: list[Comparison]) -> None:
    shown, one = model_comparison.readable(comparisons), comparisons[0]
    title = f"{one.first_title} less each, on {one.split}, {one.films:,} films of {one.patients:,} patients"
    output.print_table(shown, title)
    for each in comparisons:
        output.console().print(str(each), markup=False)


def _record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison for JSON, with null for what the films cannot tell, and its sentence."""
    values = dataclasses.asdict(comparison)
    for key, value in values.items():
        if isinstance(value, dict):
            values[key] = {name: None if math.isnan(figure) else figure for name, figure in value.items()}
    return {**values, "sentence": str(comparison)}


@reports_errors
def latency(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; all classifiers if left out.", metavar="[NAME]...")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Store the figures in the models' cards.")] = False,
    models: ModelsOption = None,
) -> None:
    """Measure how long each model takes for one film on this machine."""
    load_runtime()
    from pneumo.results import latency as timing

    rows = []
    for name in names or [card.name for card in store.catalogue(models).cards]:
        found = timing.measure(name, models)
        rows.append({"Model": name, "p50, ms": f"{found.p50:.0f}", "p95, ms": f"{found.p95:.0f}"})
        if write:
            timing.store(name, found, models)
            say(f"Wrote the latency into the card of {name}.")
    output.print_table(pd.DataFrame(rows), f"{timing.RUNS} films each")
