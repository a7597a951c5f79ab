"""Lines of an audit log, drawn at random."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toy.synthetic import card

SHA = card().sha256


def entries(
    films: int,
    *,
    shift: float = 0.0,
    refused: float = 0.0,
    foreign: float = 0.02,
    brightness: float = 0.5,
    seed: int = 0,
    start: int = 0,
    **changes: Any,
) -> Iterator[dict[str, Any]]:
    """Yield the values of lines of films that score as sick and well ones do."""
    rng = np.random.default_rng((seed, start))
    for number in range(start + 1, start + films + 1):
        is_refused = rng.random() < refused
        probability = float(1 / (1 + np.exp(-rng.normal(rng.choice([-3, 3]) + shift, 1))))
        answer = "likely" if probability > 0.8 else "unlikely" if probability < 0.2 else "uncertain"
        yield {
            "number": number,
            "time": f"2026-11-28T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
            "via": "page",
            "image_sha256": f"{seed}-{number}",
            "status": "refused" if is_refused else "ok",
            "answer": None if is_refused else answer,
            "probability": None if is_refused else probability,
            "foreign": bool(rng.random() < foreign),
            "findings": ["not_chest_film"] if is_refused else [],
            "quality": {
                "brightness": rng.normal(brightness, 0.05),
                "contrast": rng.normal(0.7, 0.05),
                "sharpness": rng.normal(0.5, 0.05),
            },
            "forced": False,
            "corrected": False,
            "model": "cnn",
            "model_sha256": SHA,
            "site_sha256": None,
            **changes,
        }


def write(file: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write lines as a log holds them, but for their chain."""
    chained = ({**line, "previous": "", "hash": ""} for line in lines)
    file.write_text("".join(f"{json.dumps(line)}\n" for line in chained))
