"""The command line: ``python -m pneumo …``.

Results go to stdout, progress and complaints to stderr. Exit code 0: all went well; 1: some inputs failed;
2: the command could not run as it was given.
"""

import dataclasses
import io
import sys
from typing import Annotated

import typer

from pneumo import DISCLAIMER, __version__
from pneumo.cli import data as cli_data
from pneumo.cli import films, output, pacs, results, score, serve, train
from pneumo.cli.output import JsonOption, ModelsOption, reports_errors
from pneumo.model_store import store
from pneumo.results import model_facts

app = typer.Typer(
    help=f"Read children's chest radiographs and tell pneumonia likely, unlikely, or cannot say. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_data.app, name="data")
app.add_typer(serve.audit_app, name="audit")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Hold the options that belong to no command."""
    # A file name need not be text, and every input gets its line.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if version:
        print(f"pneumo {__version__}")
        raise typer.Exit


app.command()(films.predict)
app.command()(films.check)
app.command()(films.lungs)
app.command()(films.calibrate)
app.command()(score.score)
app.command()(train.train)
app.command()(train.evaluate)
app.command()(train.search)
app.command()(results.compare)
app.command()(results.latency)
app.command()(train.foreign)
app.command()(train.similar)
app.command()(serve.serve_api)
app.command(help=pacs.HELP)(pacs.serve_dicom)


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
        card = store.read_card(name, models)
        if as_json:
            output.print_json(dataclasses.asdict(card))
        elif as_markdown:
            print(model_facts.table(card))
        else:
            for measured in model_facts.in_order(card.metrics):
                output.print_metrics(card, measured)
        return
    catalogue = store.catalogue(models)
    for problem in catalogue.problems.values():
        output.complain(problem)
    if as_json:
        output.print_json([dataclasses.asdict(card) for card in catalogue.cards])
    elif as_markdown:
        from pneumo.results import leaderboard

        print(leaderboard.markdown(split, models))
    else:
        output.print_leaderboard(catalogue.cards, split)
