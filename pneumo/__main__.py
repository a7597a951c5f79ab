"""``python -m pneumo``: the command line of `pneumo.cli`."""

from pneumo.cli import app

app(prog_name="python -m pneumo")
