"""The command line: ``python -m pneumo …``.

Results go to stdout, progress and complaints to stderr. Exit code 0: all went well; 1: some inputs failed;
2: the command could not run as it was given.
"""

import dataclasses
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo import DISCLAIMER, __version__, cli_data, cli_output, dataset, model_store
from pneumo.cli_options import DataOption, JsonOption, ModelsOption, reports_errors, required
from pneumo.cli_output import say
from pneumo.errors import PneumoError

SOME_FAILED = 1

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


@app.command()
@reports_errors
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Films (JPEG, PNG, TIFF, DICOM …) or folders of films.")],
    model: Annotated[str | None, typer.Option(help="Name of a model; the best on validation if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write a CSV file.")] = None,
    heatmap: Annotated[
        Path | None, typer.Option(help="Write each film with its heat map as PNG into a folder.")
    ] = None,
    method: Annotated[str, typer.Option(help="gradcam or gradcam++.")] = "gradcam",
    models: ModelsOption = None,
) -> None:
    """Assess films: a line for every input, those that cannot be read included."""
    _load_keras()
    from pneumo import explanation, radiograph, report
    from pneumo.classifier import Classifier

    if method not in explanation.METHODS:
        raise ValueError(f"There is no method {method!r}. Choose one of: {', '.join(explanation.METHODS)}.")
    classifier = Classifier.open(model, models)
    explainer = explanation.Explainer(classifier) if heatmap else None
    files = list(_films(paths))
    records: list[dict[str, Any]] = []
    drawn: set[Path] = set()
    with cli_output.progress_bar() as show:
        for done, path in enumerate(files, start=1):
            try:
                assessment = classifier.assess(radiograph.read(path))
                record = report.assessment_record(assessment, str(path))
                if explainer and heatmap:
                    target = heatmap / f"{path.stem}.png"
                    if target in drawn:
                        target = heatmap / f"{path.stem}-{done}.png"
                    drawn.add(target)
                    _write_heatmap(explainer, assessment, method, target)
                    record["heatmap"] = str(target)
            except PneumoError as error:
                record = report.error_record(str(path), error, classifier.card)
            records.append(record)
            print(report.to_json(record) if as_json else cli_output.record_line(record), flush=True)
            show("assessing", done, len(files))
    if csv_file:
        csv_file.write_text(report.to_csv(records), "utf-8", "backslashreplace")
    if not as_json:
        say(f"Model: {classifier.card.title}. {DISCLAIMER}")
    if any(record["status"] != "ok" for record in records):
        raise typer.Exit(SOME_FAILED)


def _films(paths: list[Path]) -> Iterator[Path]:
    """Go through folders, leaving out what the system hides in them; a named file is always taken."""
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from (file for file in inside if not file.name.startswith("."))
        else:
            yield path


def _write_heatmap(explainer: Any, assessment: Any, method: str, target: Path) -> None:
    import cv2

    from pneumo import explanation

    target.parent.mkdir(parents=True, exist_ok=True)
    heat = explainer.heat_map(assessment, method)
    picture = explanation.overlay(assessment.radiograph.pixels, heat.values, opacity=0.6)
    target.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


@app.command()
@reports_errors
def train(
    name: Annotated[str, typer.Argument(help="Architecture, such as cnn or mobilenetv2.")],
    data: DataOption = None,
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
    _load_keras()
    from pneumo import architectures, experiment

    if name not in architectures.REGISTRY:
        raise ValueError(f"There is no architecture {name!r}. Choose one of: {', '.join(architectures.REGISTRY)}.")
    if weights is None and architectures.REGISTRY[name].pretrained:
        weights = "imagenet"
    initial = None if weights == "none" else weights
    with cli_output.progress_bar() as show:
        card = experiment.train(
            name,
            required(data),
            out,
            weights=initial,
            epochs=epochs,
            fold=fold,
            resume=resume,
            progress=lambda stage: cli_output.show_stage(show, stage),
        )
    cli_output.print_metrics(card, "val")
    say(f"Wrote {out / name}. Measure it with `python -m pneumo evaluate {name} --data … --split test`.")


@app.command()
@reports_errors
def evaluate(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    data: DataOption = None,
    split: Annotated[str, typer.Option(help="val, val_shifted, test or external_nih.")] = "test",
    as_json: JsonOption = False,
    models: ModelsOption = None,
) -> None:
    """Measure a model on a split, rewrite its predictions, and print the metrics."""
    _load_keras()
    from pneumo import experiment

    with cli_output.progress_bar() as show:
        card = experiment.evaluate(
            name, required(data), split, models, lambda stage: cli_output.show_stage(show, stage)
        )
    if as_json:
        cli_output.print_json({"model": name, "split": split, **card.metrics[split]})
    else:
        cli_output.print_metrics(card, split)


@app.command("models")
@reports_errors
def list_models(
    as_json: JsonOption = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of README.md, with all figures.")
    ] = False,
    split: Annotated[str, typer.Option(help="Which split's figures to show.")] = "test",
    models: ModelsOption = None,
) -> None:
    """Print the leaderboard."""
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


def _load_keras() -> None:
    with cli_output.silenced_stderr():
        import keras  # noqa: F401
