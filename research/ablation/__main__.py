"""``python -m research.ablation``, see README.md."""

from research.ablation.command import app

app(prog_name="python -m research.ablation")
