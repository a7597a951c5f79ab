"""The command ``python -m research.ablation``."""

from pathlib import Path
from typing import Annotated

import typer

from pneumo.cli import output
from pneumo.cli.options import DataOption, ModelsOption, load_keras, reports_errors, required
from pneumo.cli.output import say

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@reports_errors
def ablate(
    data: DataOption = None,
    weights: Annotated[str, typer.Option(help="MobileNetV2 without its top: a file, or `imagenet`.")] = "imagenet",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each change.")] = 2,
    epochs: Annotated[int, typer.Option(min=1, help="Of each run.")] = 4,
    size: Annotated[int, typer.Option(min=32, max=224, help="Side of the input in pixels.")] = 96,
    out: Annotated[Path, typer.Option(help="Table to write; runs that it has are not run again.")] = Path(
        "docs/ablation.csv"
    ),
    models: ModelsOption = None,
) -> None:
    """Take the ingredients of MobileNetV2's recipe out one by one, and print what each was worth on validation."""
    data = required(data)
    load_keras()
    from research.ablation import ablation

    with output.progress_bar() as show:
        table = ablation.run(
            data,
            weights,
            out,
            models=models,
            seeds=seeds,
            epochs=epochs,
            size=size,
            progress=lambda stage: output.show_stage(show, stage),
        )
    print(ablation.markdown(table))
    say(f"Wrote {out}.")
