"""``python -m research.composites``, see README.md beside it."""

from pathlib import Path
from typing import Annotated

import typer

from pneumo.cli.output import DataOption, reports_errors, required, say
from pneumo.datasets import kaggle, summary
from research.composites import composites

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    """Compute the composite radiographs and the dataset's summary that the app ships."""
    root = kaggle.find_root(required(data))
    masks = masks or root.parent / "lung_masks"
    composites.build(root, masks, out, progress=say)
    summary.write(summary.summarise(root, masks / "labels.csv", say), out)
    say(f"Wrote {out}.")


if __name__ == "__main__":
    app(prog_name="python -m research.composites")
