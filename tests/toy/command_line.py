"""The command line, called as a user calls it."""

from click.testing import Result
from typer.testing import CliRunner

from pneumo.cli import app


def pneumo(*arguments: object) -> Result:
    """Run ``pneumo`` with some arguments; what it wrote and its exit code."""
    return CliRunner().invoke(app.app, [str(argument) for argument in arguments])
