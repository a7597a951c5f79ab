"""The command ``python -m pneumo compare …``."""

import dataclasses
import math
from typing import Annotated, Any

import typer
from rich.table import Table

from pneumo import cli_output, model_comparison
from pneumo.cli_options import JsonOption, ModelsOption, reports_errors
from pneumo.model_comparison import Comparison


@reports_errors
def compare(
    first: Annotated[str, typer.Argument(help="A model.")],
    seconds: Annotated[list[str], typer.Argument(help="One or more to compare it with.")],
    split: Annotated[str, typer.Option(help="The films to compare them on.")] = "test",
    as_json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of MODEL_CARD.md.")] = False,
    models: ModelsOption = None,
) -> None:
    """Say whether one model is better than others on the same films, or chance may explain the difference."""
    if as_markdown and not as_json:
        print(model_comparison.markdown(first, seconds, split, models))
        return
    comparisons = [model_comparison.compare(first, second, split, models) for second in seconds]
    if as_json:
        cli_output.print_json([_record(each) for each in comparisons])
    else:
        _print(comparisons)


def _print(comparisons: list[Comparison]) -> None:
    shown, one = model_comparison.readable(comparisons), comparisons[0]
    title = f"{one.first_title} less each, on {one.split}, {one.films:,} films of {one.patients:,} patients"
    table = Table(*shown.columns, title=title)
    for row in shown.itertuples(index=False):
        table.add_row(*map(str, row))
    out = cli_output.console()
    out.print(table)
    for each in comparisons:
        out.print(str(each), markup=False)


def _record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison for JSON, with null for what the films cannot tell, and its sentence."""
    values = dataclasses.asdict(comparison)
    for key, value in values.items():
        if isinstance(value, dict):
            values[key] = {name: None if math.isnan(figure) else figure for name, figure in value.items()}
    return {**values, "sentence": str(comparison)}
