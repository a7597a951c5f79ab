"""An archive that is scored without networks: a film is a text file of its answer, or of what befalls who reads it.

``python -m toy.scored ENGINE ARCHIVE RESULTS SECONDS`` scores a folder, with so many seconds for each film.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pneumo.errors import PneumoError, UnreadableImageError
from pneumo.serving import archive, scoring, workers

FILMS_PER_PART = 3


@dataclass(frozen=True)
class ToyReader:
    """Reads the answer that a film holds.

    Attributes:
        model: what it calls itself.
        seconds: that a film takes.
        log: a file that takes the name of each film when it is begun.
    """

    model: str = "toy"
    seconds: float = 0.0
    log: Path | None = None

    @property
    def identity(self) -> dict[str, str]:
        return {"model": self.model}

    def load(self) -> scoring.ReadFilm:
        if self.model == "missing":
            raise PneumoError("There is no such model.")
        return self._row

    def _row(self, source: Path | bytes | PneumoError, name: str) -> scoring.Row:
        row: scoring.Row = {"file": name, "status": "ok", "answer": None, "reasons": [], "model": self.model}
        if isinstance(source, PneumoError):
            return row | {"status": "error", "reasons": [str(source)]}
        if self.log:
            with self.log.open("a") as log:
                log.write(f"{name}\n")
        try:
            answer = (source.read_bytes() if isinstance(source, Path) else source).decode()
        except (OSError, UnicodeDecodeError) as error:
            return row | {"status": "error", "reasons": [str(UnreadableImageError("{name}", name=name)), str(error)]}
        time.sleep(60 if answer == "hangs" else self.seconds)
        if answer == "ends":
            os.kill(os.getpid(), signal.SIGKILL)
        if answer == "raises":
            raise IndexError
        return row | {"answer": answer}


def write_films(folder: Path, answers: dict[str, str]) -> None:
    """Write a film for each name."""
    for name, answer in answers.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(answer)


if __name__ == "__main__":
    # By the name under which other processes know it.
    from toy import scored  # noqa: PLW0406

    engine, films, results, seconds = sys.argv[1:]
    reader = scored.ToyReader(seconds=float(seconds))
    with scoring.opened(archive.find(films), reader, Path(results), FILMS_PER_PART) as whole:
        scoring.score(whole, {"local": workers.local, "ray": workers.ray}[engine], 2)
