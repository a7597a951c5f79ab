"""The command line: ``python -m pneumo …``.

Results go to stdout, progress and complaints to stderr. Exit code 0: all went well; 1: some inputs failed;
2: the command could not run as it was given.
"""

import dataclasses
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from pneumo import (
    DISCLAIMER,
    __version__,
    card_figures,
    cli_ablation,
    cli_compare,
    cli_data,
    cli_explain,
    cli_films,
    cli_latency,
    cli_output,
    cli_search,
    cli_similar,
    cli_training,
    dataset,
    model_store,
)
from pneumo.cli_options import DataOption, JsonOption, ModelsOption, reports_errors, required
from pneumo.cli_output import say

app = typer.Typer(
    help=f"Read children's chest radiographs and tell pneumonia likely, unlikely, or cannot say. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_data.app, name="data")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Hold the options that belong to no command."""
    # A file name need not be text, and every input gets its line.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if version:
        print(f"pneumo {__version__}")
        raise typer.Exit


app.command()(cli_films.predict)
app.command()(cli_films.check)
app.command()(cli_films.lungs)
app.command()(cli_training.train)
app.command()(cli_training.evaluate)
app.command()(cli_search.search)
app.command()(cli_ablation.ablate)
app.command()(cli_compare.compare)
app.command()(cli_latency.latency)
app.command()(cli_explain.explain_benchmark)
app.command()(cli_similar.similar)


@app.command("models")
@reports_errors
def list_models(
    name: Annotated[str | None, typer.Argument(help="One model, for its figures on all splits.")] = None,
    as_json: JsonOption = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of README.md, with all figures.")
    ] = False,
    split: Annotated[str, typer.Option(help="Which split's figures to show.")] = "test",
    models: ModelsOption = None,
) -> None:
    """Print the leaderboard, or all figures of one model."""
    if name:
        card = model_store.read_card(name, models)
        if as_json:
            cli_output.print_json(dataclasses.asdict(card))
        elif as_markdown:
            print(card_figures.markdown(name, models))
        else:
            for measured in card_figures.in_order(card.metrics):
                cli_output.print_metrics(card, measured)
        return
    catalogue = model_store.catalogue(models)
    for problem in catalogue.problems.values():
        cli_output.complain(problem)
    if as_json:
        cli_output.print_json([dataclasses.asdict(card) for card in catalogue.cards])
    elif as_markdown:
        from pneumo import leaderboard

        print(leaderboard.markdown(split, models))
    else:
        cli_output.print_leaderboard(catalogue.cards, split)


@app.command()
@reports_errors
def samples(
    data: DataOption = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Lung masks: a folder with labels.csv and masks224/.", show_default="DATA/../lung_masks"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("data_samples"),
) -> None:
    """Compute the composite radiographs and the data set's summary that the app ships."""
    from pneumo import composites, dataset_summary

    root = dataset.find_root(required(data))
    masks = masks or root.parent / "lung_masks"
    composites.build(root, masks, out, progress=say)
    dataset_summary.write(dataset_summary.summarise(root, masks / "labels.csv", say), out)
    say(f"Wrote {out}.")
