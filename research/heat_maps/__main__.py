"""``python -m research.heat_maps``, see README.md beside it."""

from typing import Annotated

import typer
from rich.table import Table

from pneumo.cli import output
from pneumo.cli.output import DataOption, JsonOption, ModelsOption, load_keras, reports_errors, required, say
from pneumo.explanation.cam import METHODS
from pneumo.model_store import store
from research.heat_maps import benchmark as benchmarks
from research.heat_maps.benchmark import FILMS, MEASURES, Benchmark

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@reports_errors
def heat_maps(
    data: DataOption = None,
    model: Annotated[str | None, typer.Option(help="Name of a model; the best on validation if left out.")] = None,
    films: Annotated[int, typer.Option(min=2, help="At the most this many in each part.")] = FILMS,
    methods: Annotated[str, typer.Option(help="Which ways to draw a map, with commas between.")] = ",".join(METHODS),
    measures: Annotated[
        str, typer.Option(help="Which parts to measure, with commas between; --write keeps the figures of the others.")
    ] = ",".join(MEASURES),
    references_only: Annotated[
        bool,
        typer.Option(
            "--references-only",
            help="Measure only the absolute heat scale and how far the methods agree; --write stores both in the card.",
        ),
    ] = False,
    as_json: JsonOption = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/figures.md.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Store the table and the heat references in the model's folder.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Measure what heat maps are worth: against drawn lungs, boxes and opacities, the model itself, and chance.

    Lung masks, NIH films and opacity masks are looked for beside the data set. No label is read.
    """
    data, name = required(data), model or store.default_name(models)
    load_keras()
    with output.progress_bar() as show:
        benchmark = benchmarks.run(
            name,
            data,
            models,
            films=films,
            methods=[method.strip() for method in methods.split(",")],
            measures=[measure.strip() for measure in measures.split(",")],
            references_only=references_only,
            progress=lambda stage: output.show_stage(show, stage),
        )
    for sentence in benchmark.left_out:
        say(sentence)
    if as_json:
        output.print_json(benchmarks.record(benchmark))
    elif as_markdown:
        print(benchmarks.markdown(benchmark.table))
    else:
        _print(benchmark)
    if write and references_only:
        store.write_card(benchmark.card, models)
        say(f"Wrote the heat references and the agreement of the methods in the card of {benchmark.card.name}.")
    elif write:
        say(f"Wrote {benchmarks.write(benchmark, models)} and the heat references in the card beside it.")


def _print(benchmark: Benchmark) -> None:
    shown = benchmarks.readable(benchmark.table)
    table = Table(*map(str, shown.columns), title=f"Heat maps of {benchmark.card.title}, each with its 95 % interval")
    for row in shown.itertuples(index=False):
        table.add_row(*map(str, row))
    output.console().print(table)


if __name__ == "__main__":
    app(prog_name="python -m research.heat_maps")
