"""The command ``python -m pneumo search …``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pneumo import cli_output, dataset
from pneumo.cli_options import DataOption, load_keras, reports_errors, required
from pneumo.cli_output import say

if TYPE_CHECKING:
    from pneumo.search import Trial


@reports_errors
def search(
    data: DataOption = None,
    trials: Annotated[int, typer.Option(min=1, help="How many networks to compare.")] = 12,
    epochs: Annotated[int, typer.Option(min=1, help="Of each trial; the best network is then trained in full.")] = 4,
    fold: Annotated[int, typer.Option(min=0, max=dataset.FOLDS - 1, help="Which patients validate.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of model folders.")] = Path("models"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the search in runs/.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=1_000_000, help="Of everything random.")] = 0,
) -> None:
    """Compare small CNNs on validation, and train and ship the best as cnn_search; the test split stays closed."""
    data = required(data)
    load_keras(whole_data_set=True)
    import optuna

    from pneumo import search_experiment

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with cli_output.progress_bar() as show:
        outcome = search_experiment.run(
            data,
            out,
            trials=trials,
            epochs=epochs,
            fold=fold,
            seed=seed,
            resume=resume,
            progress=lambda stage: cli_output.show_stage(show, stage),
            told=lambda trial: say(_line(trial)),
        )
    _print(outcome.trials, outcome.winner.number)
    cli_output.print_metrics(outcome.card, "val")
    name = outcome.card.name
    say(f"Wrote {out / name}. Measure it with `python -m pneumo evaluate {name} --data … --split test`.")


def _line(trial: "Trial") -> str:
    return (
        f"trial {trial.number}: {trial.state}, {_count(trial.parameters)} parameters, shifted AUROC "
        f"{_figure(trial.shifted_auroc)}, {trial.epochs} epochs, {trial.seconds:.0f} s"
    )


def _print(trials: "list[Trial]", winner: int) -> None:
    """Print one row a trial, best first, and which of them won."""
    table = Table("trial", "state", "shifted AUROC", "parameters", "epochs", "seconds", "network", title="Trials")
    for trial in sorted(trials, key=lambda trial: (trial.state != "complete", -(trial.shifted_auroc or 0.0))):
        table.add_row(
            str(trial.number),
            trial.state,
            _figure(trial.shifted_auroc),
            _count(trial.parameters),
            str(trial.epochs),
            f"{trial.seconds:.0f}",
            str(trial.configuration or "–"),
        )
    out = cli_output.console()
    out.print(table)
    [best] = [trial for trial in trials if trial.number == winner]
    out.print(f"Winner: trial {winner}, {best.configuration}.", markup=False)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
