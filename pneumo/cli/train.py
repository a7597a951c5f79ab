"""The commands ``python -m pneumo train``, ``evaluate``, ``search``, ``foreign`` and ``similar``."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from pneumo.cli import output
from pneumo.cli import workers as processes
from pneumo.cli.output import DataOption, JsonOption, ModelsOption, load_keras, reports_errors, required, say
from pneumo.datasets import kaggle
from pneumo.labels import hospital_split
from pneumo.model_store import store

if TYPE_CHECKING:
    from pneumo.training.search import Trial
    from pneumo.training.similar_cases import Indexed

MasksOption = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        help="Lung masks: a folder with labels.csv, which tells the original sizes of squashed films, and masks224/.",
        show_default="DATA/../lung_masks",
    ),
]

OutOption = Annotated[Path, typer.Option("--out", help="Folder of model folders.")]
FoldOption = Annotated[int, typer.Option("--fold", min=0, max=kaggle.FOLDS - 1, help="Which patients validate.")]


@reports_errors
def train(
    name: Annotated[
        str,
        typer.Argument(
            help="Architecture, such as cnn or mobilenetv2; or everywhere, ensemble, lungs, gate, pathogen, opacity."
        ),
    ],
    data: DataOption = None,
    masks: MasksOption = None,
    weights: Annotated[
        str | None,
        typer.Option(help="A weights file, `imagenet` or `none`.", show_default="imagenet for transfer models"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the recipe's.")] = None,
    out: OutOption = Path("models"),
    fold: FoldOption = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in runs/.")] = False,
    hospitals: Annotated[
        list[Path] | None,
        typer.Option(
            "--hospitals",
            help="Learn from other hospitals besides: a folder with labels.csv. Give it once for each folder.",
            show_default=False,
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            help="A hospital not to learn from; the model is measured there.",
            show_default=False,
        ),
    ] = None,
    left_out_runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--left-out-run",
            help="For everywhere and ensemble: a folder of model folders whose members left a hospital out, by which "
            "what is said of foreign films is calibrated. Give it once for each.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes on this machine that train together. A step takes as many films from each as the recipe "
            "says. For several machines set TF_CONFIG on each, see docs/training.md.",
            show_default="1, or those of TF_CONFIG",
        ),
    ] = None,
) -> None:
    """Train a model and write its folder; the test split stays closed."""
    data = required(data)
    known = processes.count()
    if known == 1 and workers and workers > 1:
        raise typer.Exit(processes.train(workers, Path("runs") / name))
    if workers not in (None, known):
        raise ValueError(f"TF_CONFIG names {known} workers, and --workers {workers}. Leave one of them out.")
    load_keras()
    with processes.silent_where_started_by_train(workers), output.progress_bar() as show:
        team = None
        if known > 1:
            from pneumo.training.workers import Team

            # It has to be the first that calls TensorFlow.
            team = Team()
        from pneumo.training import films, task

        leads = team is None or team.is_chief
        card = task.train(
            name,
            data,
            out,
            weights=weights,
            epochs=epochs,
            fold=fold,
            masks=masks,
            resume=resume,
            progress=partial(output.show_stage, show) if leads else films.silent,
            hospitals=hospitals or (),
            leave_out=leave_out or (),
            team=team,
            left_out_runs=left_out_runs or (),
        )
    if not leads:
        return
    output.print_metrics(card, "val")
    for hospital in leave_out or ():
        output.print_metrics(card, hospital_split(hospital))
    _say_written(name, out)


def _say_written(name: str, out: Path) -> None:
    """Say where a model lies, and how it is measured there."""
    elsewhere = "" if out.resolve() == store.models_folder().resolve() else f" --models {shlex.quote(str(out))}"
    say(f"Wrote {out / name}. Measure it with `python -m pneumo evaluate {name} --data … --split test{elsewhere}`.")


@reports_errors
def evaluate(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    data: DataOption = None,
    masks: MasksOption = None,
    split: Annotated[
        str,
        typer.Option(
            help="val, val_shifted, test or external_nih; val_hard, val_evened, val_reframed, val_lungs_only, "
            "val_without_lungs and val_surroundings_only for classifiers; opacity_masks for lungs, "
            "out_of_distribution for gate."
        ),
    ] = "test",
    hospital: Annotated[
        str | None,
        typer.Option(
            help="Measure on this hospital's films in place of a split; --data is its folder with labels.csv."
        ),
    ] = None,
    left_out_run: Annotated[
        Path | None,
        typer.Option(
            help="Where the model learned from --hospital: the models folder of a run that left it out; that model "
            "is measured in its place."
        ),
    ] = None,
    as_json: JsonOption = False,
    models: ModelsOption = None,
) -> None:
    """Measure a model on a split, rewrite its predictions, and print the metrics."""
    data = required(data)
    load_keras()
    from pneumo.training import task

    with output.progress_bar() as show:
        card = task.evaluate(name, data, split, models, partial(output.show_stage, show), masks, hospital, left_out_run)
    split = hospital_split(hospital) if hospital else split
    if as_json:
        output.print_json({"model": name, "split": split, **card.metrics[split]})
    else:
        output.print_metrics(card, split)


@reports_errors
def search(
    data: DataOption = None,
    trials: Annotated[int, typer.Option(min=1, help="How many networks to compare.")] = 12,
    epochs: Annotated[int, typer.Option(min=1, help="Of each trial; the best network is then trained in full.")] = 4,
    fold: FoldOption = 0,
    out: OutOption = Path("models"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the search in runs/.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=1_000_000, help="Of everything random.")] = 0,
) -> None:
    """Compare small CNNs on validation, and train and ship the best as cnn_search; the test split stays closed."""
    data = required(data)
    load_keras()
    import optuna

    from pneumo.training import search as searched

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with output.progress_bar() as show:
        outcome = searched.run(
            data,
            out,
            trials=trials,
            epochs=epochs,
            fold=fold,
            seed=seed,
            resume=resume,
            progress=partial(output.show_stage, show),
            trial_done=lambda trial: say(_line(trial)),
        )
    _print_trials(outcome.trials, outcome.winner.number)
    output.print_metrics(outcome.card, "val")
    name = outcome.card.name
    _say_written(name, out)


def _line(trial: "Trial") -> str:
    return (
        f"trial {trial.number}: {trial.state}, {_count(trial.parameters)} parameters, shifted AUROC "
        f"{_figure(trial.shifted_auroc)}, {trial.epochs} epochs, {trial.seconds:.0f} s"
    )


def _print_trials(trials: "list[Trial]", winner: int) -> None:
    """Print one row a trial, best first, and which of them won."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state,
            "shifted AUROC": _figure(trial.shifted_auroc),
            "parameters": _count(trial.parameters),
            "epochs": trial.epochs,
            "seconds": f"{trial.seconds:.0f}",
            "network": trial.configuration or "–",
        }
        for trial in sorted(trials, key=lambda trial: (trial.state != "complete", -(trial.shifted_auroc or 0.0)))
    ]
    output.print_table(pd.DataFrame(rows), "Trials")
    [best] = [trial for trial in trials if trial.number == winner]
    output.console().print(f"Winner: trial {winner}, {best.configuration}.", markup=False)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


@reports_errors
def foreign(
    name: Annotated[str, typer.Argument(help="A classifier that learned from several hospitals.")],
    hospitals: Annotated[
        list[Path],
        typer.Option(
            "--hospitals", help="The hospitals that it learned from: a folder with labels.csv. Once for each folder."
        ),
    ],
    data: DataOption = None,
    models: ModelsOption = None,
) -> None:
    """Let a classifier say “cannot say” of films unlike those of the hospitals that it learned from.

    Training does this by itself; the command is for a classifier that was trained without it.
    """
    data = required(data)
    load_keras()
    from pneumo.inference.foreign import path_of
    from pneumo.training import foreign as described

    with output.progress_bar() as show:
        described.add(name, data, hospitals, models, partial(output.show_stage, show))
    say(f"Wrote {path_of(name, models)}.")


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
    from pneumo.training import similar_cases

    made: dict[str, Indexed] = {}
    for name in dict.fromkeys(names):
        with output.progress_bar() as show:
            made[name] = similar_cases.build(name, data, models, progress=partial(output.show_stage, show))
        path = made[name].path
        say(f"Wrote {path}, {path.stat().st_size / 1e6:.2f} MB.")
    if as_json:
        output.print_json([similar_cases.record(name, indexed) for name, indexed in made.items()])
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
    output.print_table(table, f"Of the {first.count} films nearest to each of {first.films:,} validation films")
