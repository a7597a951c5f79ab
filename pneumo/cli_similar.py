"""The command ``python -m pneumo similar …``."""

from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from pneumo import cli_output
from pneumo.cli_options import DataOption, JsonOption, ModelsOption, load_keras, reports_errors, required
from pneumo.cli_output import say

if TYPE_CHECKING:
    from pneumo.index_experiment import Indexed


@reports_errors
def similar(
    names: Annotated[list[str], typer.Argument(help="One classifier or more.", metavar="NAME...")],
    data: DataOption = None,
    as_json: JsonOption = False,
    models: ModelsOption = None,
) -> None:
    """Write where the validation films lie in a classifier's embedding, so that cases like a film can be looked up.

    Prints how often the films nearest to a validation film, all of other children, are labelled as it is.
    """
    data = required(data)
    load_keras()
    from pneumo import index_experiment

    made: dict[str, Indexed] = {}
    for name in dict.fromkeys(names):
        with cli_output.progress_bar() as show:
            made[name] = index_experiment.build(
                name, data, models, progress=lambda stage: cli_output.show_stage(show, stage)
            )
        path = made[name].path
        say(f"Wrote {path}, {path.stat().st_size / 1e6:.2f} MB.")
    if as_json:
        cli_output.print_json([index_experiment.record(name, indexed) for name, indexed in made.items()])
    else:
        _print(made)


def _print(made: "dict[str, Indexed]") -> None:
    found = {name: indexed.agreement for name, indexed in made.items()}
    first = next(iter(found.values()))
    table = pd.DataFrame(
        {name: {"Same label": each.label, "Same kind": each.kind, **each.kinds} for name, each in found.items()}
    )
    # Which films are held out is the same for all models of one fold, and so is chance.
    chance = pd.Series({"Same label": first.label_by_chance, "Same kind": first.kind_by_chance}).map("{:.3f}".format)
    table = table.assign(**{"By chance": chance}).fillna("–").rename_axis("Nearest films").reset_index()
    cli_output.print_table(table, f"Of the {first.count} films nearest to each of {first.films:,} validation films")
