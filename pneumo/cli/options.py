"""What the commands share: options, and how an error that a user can mend becomes a sentence and exit code 2."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pneumo.cli import output
from pneumo.errors import PneumoError

USAGE = 2

ModelsOption = Annotated[
    Path | None,
    typer.Option("--models", help="Folder of model folders.", show_default="PNEUMO_MODELS, else what pneumo ships"),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="PNEUMO_DATA", help="Data set in the Kaggle layout (train/, val/, test/)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors that a user can mend into one sentence and exit code 2."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (PneumoError, ValueError, OSError) as error:
            output.complain(str(error))
            raise typer.Exit(USAGE) from error

    return run


def load_keras() -> None:
    """Import Keras, without the notices that TensorFlow prints meanwhile."""
    with output.silenced_stderr():
        import keras  # noqa: F401


def required(data: Path | None) -> Path:
    """Return the data set's folder, or say how to name it."""
    if data is None:
        raise ValueError("Say where the data set is: --data DIR, or the environment variable PNEUMO_DATA.")
    return data
