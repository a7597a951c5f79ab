"""``python -m pneumo``: the command line of `pneumo.cli.app`."""

from pneumo.cli.app import app

app(prog_name="python -m pneumo")
