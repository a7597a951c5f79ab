"""``python -m research.heat_maps``, see README.md."""

from research.heat_maps.command import app

app(prog_name="python -m research.heat_maps")
