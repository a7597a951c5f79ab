"""The command ``python -m pneumo latency …``."""

from typing import Annotated

import pandas as pd
import typer

from pneumo import cli_output, model_store
from pneumo.cli_options import ModelsOption, load_keras, reports_errors
from pneumo.cli_output import say


@reports_errors
def latency(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; all classifiers if left out.", metavar="[NAME]...")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Store the figures in the models' cards.")] = False,
    models: ModelsOption = None,
) -> None:
    """Measure how long each model takes for one film on this machine."""
    load_keras()
    from pneumo import latency as timing

    rows = []
    for name in names or [card.name for card in model_store.catalogue(models).cards]:
        found = timing.measure(name, models)
        rows.append({"Model": name, "p50, ms": f"{found.p50:.0f}", "p95, ms": f"{found.p95:.0f}"})
        if write:
            timing.store(name, found, models)
            say(f"Wrote the latency into the card of {name}.")
    cli_output.print_table(pd.DataFrame(rows), f"{timing.RUNS} films each")
