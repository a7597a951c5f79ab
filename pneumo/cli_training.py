"""The commands ``python -m pneumo train …`` and ``evaluate …``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo import cli_output, dataset
from pneumo.cli_options import DataOption, JsonOption, ModelsOption, load_keras, reports_errors, required
from pneumo.cli_output import say
from pneumo.model_card import ModelCard

MasksOption = Annotated[
    Path | None,
    typer.Option(
        "--masks",
        help="Lung masks: a folder with labels.csv, which tells the original sizes of squashed films, and masks224/.",
        show_default="DATA/../lung_masks",
    ),
]


@dataclass(frozen=True)
class Target:
    """How one kind of model is trained and measured.

    Attributes:
        train: given (name, data, masks, out) and the options of `experiment.train`.
        evaluate: given (name, data, masks, split, folder, progress).
        pretrained: whether training starts from ImageNet weights where none are named.
    """

    train: Callable[..., ModelCard]
    evaluate: Callable[..., ModelCard]
    pretrained: bool


def _train_classifier(name: str, data: Path, masks: Path | None, out: Path, **options: Any) -> ModelCard:
    from pneumo import experiment

    return experiment.train(name, data, out, masks=masks, **options)


def _evaluate_classifier(
    name: str, data: Path, masks: Path | None, split: str, folder: Path | None, progress: Callable[..., None]
) -> ModelCard:
    from pneumo import experiment

    return experiment.evaluate(name, data, split, folder, progress, masks)


def _train_lungs(name: str, data: Path, masks: Path | None, out: Path, **options: Any) -> ModelCard:
    from pneumo import lung_experiment

    return lung_experiment.train(data, masks, out, **options)


def _evaluate_lungs(
    name: str, data: Path, masks: Path | None, split: str, folder: Path | None, progress: Callable[..., None]
) -> ModelCard:
    from pneumo import lung_experiment

    return lung_experiment.evaluate(data, masks, split, folder, progress)


def _train_gate(name: str, data: Path, masks: Path | None, out: Path, **options: Any) -> ModelCard:
    from pneumo import gate_experiment

    # Nothing is learned epoch by epoch, so there is nothing to count or resume.
    used = {key: options[key] for key in ("weights", "fold", "progress")}
    return gate_experiment.train(data, None, out, **used)


def _evaluate_gate(
    name: str, data: Path, masks: Path | None, split: str, folder: Path | None, progress: Callable[..., None]
) -> ModelCard:
    from pneumo import gate_experiment

    return gate_experiment.evaluate(data, split, folder, progress)


def _train_ensemble(name: str, data: Path, masks: Path | None, out: Path, **options: Any) -> ModelCard:
    from pneumo import ensemble_experiment

    return ensemble_experiment.train(data, out, fold=options["fold"], masks=masks, progress=options["progress"])


def _train_pathogen(name: str, data: Path, masks: Path | None, out: Path, **options: Any) -> ModelCard:
    from pneumo import pathogen_experiment

    # It starts from a classifier of ours, not from ImageNet.
    used = {key: options[key] for key in ("epochs", "fold", "resume", "progress")}
    return pathogen_experiment.train(data, out, **used)


def _evaluate_pathogen(
    name: str, data: Path, masks: Path | None, split: str, folder: Path | None, progress: Callable[..., None]
) -> ModelCard:
    from pneumo import pathogen_experiment

    return pathogen_experiment.evaluate(data, split, folder, progress)


# The networks that look at a film before or after it is classified, and the models joined. Every other name is an
# architecture.
TARGETS = {
    "ensemble": Target(_train_ensemble, _evaluate_classifier, pretrained=False),
    "lungs": Target(_train_lungs, _evaluate_lungs, pretrained=True),
    "gate": Target(_train_gate, _evaluate_gate, pretrained=True),
    "pathogen": Target(_train_pathogen, _evaluate_pathogen, pretrained=False),
}


def _target(name: str) -> Target:
    from pneumo import architectures

    if name in TARGETS:
        return TARGETS[name]
    architecture = architectures.REGISTRY.get(name)
    return Target(_train_classifier, _evaluate_classifier, pretrained=bool(architecture and architecture.pretrained))


@reports_errors
def train(
    name: Annotated[
        str, typer.Argument(help="Architecture, such as cnn or mobilenetv2; or ensemble, lungs, gate, pathogen.")
    ],
    data: DataOption = None,
    masks: MasksOption = None,
    weights: Annotated[
        str | None,
        typer.Option(help="A weights file, `imagenet` or `none`.", show_default="imagenet for transfer models"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the recipe's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of model folders.")] = Path("models"),
    fold: Annotated[int, typer.Option(min=0, max=dataset.FOLDS - 1, help="Which patients validate.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints in runs/.")] = False,
) -> None:
    """Train a model and write its folder; the test split stays closed."""
    load_keras(whole_data_set=True)
    from pneumo import architectures

    known = [*architectures.REGISTRY, *TARGETS]
    if name not in known:
        raise ValueError(f"There is no architecture {name!r}. Choose one of: {', '.join(known)}.")
    target = _target(name)
    if weights is None and target.pretrained:
        weights = "imagenet"
    with cli_output.progress_bar() as show:
        card = target.train(
            name,
            required(data),
            masks,
            out,
            weights=None if weights == "none" else weights,
            epochs=epochs,
            fold=fold,
            resume=resume,
            progress=lambda stage: cli_output.show_stage(show, stage),
        )
    cli_output.print_metrics(card, "val")
    say(f"Wrote {out / name}. Measure it with `python -m pneumo evaluate {name} --data … --split test`.")


@reports_errors
def evaluate(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    data: DataOption = None,
    masks: MasksOption = None,
    split: Annotated[
        str,
        typer.Option(
            help="val, val_shifted, test or external_nih; val_hard, val_evened, val_reframed, val_lungs_only "
            "and val_without_lungs for classifiers; opacity_masks for lungs, out_of_distribution for gate."
        ),
    ] = "test",
    as_json: JsonOption = False,
    models: ModelsOption = None,
) -> None:
    """Measure a model on a split, rewrite its predictions, and print the metrics."""
    load_keras(whole_data_set=True)
    with cli_output.progress_bar() as show:
        card = _target(name).evaluate(
            name, required(data), masks, split, models, lambda stage: cli_output.show_stage(show, stage)
        )
    if as_json:
        cli_output.print_json({"model": name, "split": split, **card.metrics[split]})
    else:
        cli_output.print_metrics(card, split)
