"""``python -m research.composites``, see README.md."""

from research.composites.command import app

app(prog_name="python -m research.composites")
