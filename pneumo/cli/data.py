"""``python -m pneumo data …``: count and fetch the dataset, count the films of other hospitals."""

from pathlib import Path
from typing import Annotated

import typer

from pneumo.cli import output
from pneumo.cli.output import DataOption, JsonOption, reports_errors, required, say
from pneumo.datasets import hospitals, kaggle
from pneumo.sentences import visible

app = typer.Typer(help="The chest X-ray dataset.", no_args_is_help=True)


@app.command()
@reports_errors
def summary(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Count films and patients, and check that no patient stands in two splits."""
    films = kaggle.scan(required(data))
    parts = kaggle.development_split(films)
    if as_json:
        output.print_json(
            {
                "films": len(films),
                "patients": int(films["patient"].nunique()),
                "identical_groups": len(kaggle.duplicate_groups(films)),
                "fingerprint": kaggle.fingerprint(films),
                "development": {"train": len(parts.train), "validation": len(parts.validation)},
                "counts": kaggle.counts(films).to_dict("records"),
            }
        )
        return
    output.print_data_summary(films, parts)


@app.command("hospitals")
@reports_errors
def count_hospitals(
    folders: Annotated[list[Path], typer.Argument(help="Folders with labels.csv.", metavar="FOLDER...")],
    as_json: JsonOption = False,
) -> None:
    """Count the films of other hospitals by who read them; labels that no person read stand last and are no evidence.

    labels.csv has the columns file, opacity (1, 0 or nothing) and read_by (such as radiologist; software or folder
    where no person read the film), and may have hospital, patient, age and finding.
    """
    counts = hospitals.read(folders).counts()
    if as_json:
        output.print_json(counts.to_dict("records"))
    else:
        output.print_table(counts, "Films of other hospitals")


@app.command()
@reports_errors
def download(
    out: Annotated[
        Path | None,
        typer.Option(help="An empty folder to put the dataset in; if none, kagglehub's own, which resumes."),
    ] = None,
) -> None:
    """Fetch the dataset (2.3 GB) from Kaggle and check that it is complete."""
    from pneumo.datasets import download as fetcher

    say(f"Fetching {fetcher.HANDLE} from Kaggle into {out or fetcher.folder()}.")
    root = fetcher.fetch_kaggle(out)
    print(f"The dataset is in {root}. Use it with --data {root} or PNEUMO_DATA={root}.")


@app.command()
@reports_errors
def leaks(
    data: DataOption = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Lung masks: a folder with labels.csv and masks224/, for original sizes and framing."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("data_samples"),
) -> None:
    """Measure how well image properties outside the lungs predict the label, for the page “Shortcuts in the data”."""
    from pneumo.datasets import shortcuts

    with output.progress_bar() as show:
        found = shortcuts.measure(required(data), masks, lambda done, total: show("measuring films", done, total))
    path = shortcuts.write(found, out)
    output.print_table(found.baselines, "AUROC on validation of a logistic regression")
    say(f"Wrote {path}.")


@app.command()
@reports_errors
def check(
    path: Annotated[Path, typer.Argument(help="A folder in the Kaggle layout, or a MedMNIST .npz file.")],
    as_json: JsonOption = False,
) -> None:
    """Tell what is missing, corrupt, duplicated or shared between splits; exit code 1 if anything is wrong."""
    from pneumo.datasets import checks

    with output.progress_bar() as show:
        found = checks.check(path, lambda done, total: show("reading films", done, total))
    if as_json:
        output.print_json(found.as_record())
    else:
        output.print_table(found.counts, f"{found.films:,} films in {found.root}")
        for problem in found.problems:
            print(f"{problem.severity}: {problem.message} {problem.remedy}")
            for file in problem.files:
                print(f"  {visible(file)}")
        if not found.problems:
            print("Nothing is wrong with this dataset.")
    if not found.is_sound:
        raise typer.Exit(1)
