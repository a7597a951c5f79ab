"""Drift: after how many films a new machine or a wrong setting is noticed in the audit log, and how often for nothing.

``python -m research.drift --data DIR`` reads the validation films as they are, and some of them altered as a machine,
its settings or an export may alter them. Streams of films are then compared with either reference, as the page “Drift”
does:
`BEFORE` films as they are, then altered ones.
"""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pandas as pd
import typer

from pneumo import radiograph
from pneumo.cli import output
from pneumo.cli.output import DataOption, load_keras, reports_errors, required
from pneumo.results import markdown_tables
from pneumo.serving import audit, drift
from pneumo.serving.drift import Reference

# Films of each alteration, films as they are before it, and streams of each, shuffled anew.
ALTERED, BEFORE, STREAMS = 200, 100, 20
SEED = 0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _grey(alter: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Return what alters a film of uint8 by what alters grey values in 0…1."""
    return lambda film: np.rint(255 * np.clip(alter(film.astype(np.float32) / 255), 0, 1)).astype(np.uint8)


def _detail(film: np.ndarray) -> np.ndarray:
    return film - cv2.GaussianBlur(film, (0, 0), 2)


def _noise(film: np.ndarray) -> np.ndarray:
    return film + np.random.default_rng(film.size).normal(0, 0.08, film.shape)


def _jpeg(film: np.ndarray) -> np.ndarray:
    return radiograph.grey_levels(cv2.imencode(".jpeg", film, [cv2.IMWRITE_JPEG_QUALITY, 10])[1].tobytes())


ALTERATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "gamma 0.6": _grey(lambda film: film**0.6),
    "gamma 1.6": _grey(lambda film: film**1.6),
    "half of the contrast": _grey(lambda film: 0.25 + film / 2),
    "window of 40 %": _grey(lambda film: (film - 0.3) / 0.4),
    "local contrast (CLAHE)": lambda film: np.asarray(cv2.createCLAHE(4.0, (8, 8)).apply(film)),
    "sharpened": _grey(lambda film: film + 2 * _detail(film)),
    "blurred by 2 pixels": lambda film: np.asarray(cv2.GaussianBlur(film, (0, 0), 2)),
    "noise of 8 %": _grey(_noise),
    "JPEG of quality 10": _jpeg,
    "mirrored": lambda film: film[:, ::-1].copy(),
    "inverted": lambda film: 255 - film,
}


def noticed(reference: Reference, films: pd.DataFrame, after: int) -> tuple[int, str] | None:
    """Return how many films after a change there was an alarm, and of which figure; None where there was none.

    Args:
        reference: to compare them with.
        films: as they came.
        after: how many came before the change.
    """
    found = drift.course(reference, films.assign(number=np.arange(1, len(films) + 1)))
    alarms = found[found["alarm"] & (found["line"] > after)]
    if alarms.empty:
        return None
    first = alarms.sort_values(["line", "of_limit"], ascending=[True, False]).iloc[0]
    return int(first["line"]) - after, str(first["figure"])


def _streams(plain: pd.DataFrame, altered: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield the first films of a hospital, and what came after them; no film comes twice."""
    rng = np.random.default_rng(SEED)
    for _ in range(STREAMS):
        shuffled = plain.iloc[rng.permutation(len(plain))].reset_index(drop=True)
        first, rest = shuffled.iloc[: drift.BASELINE], shuffled.iloc[drift.BASELINE :]
        before = rest if altered.empty else rest.iloc[:BEFORE]
        yield first, pd.concat([before, altered.iloc[rng.permutation(len(altered))]], ignore_index=True)


def table(films: dict[str, pd.DataFrame], validation: Reference) -> pd.DataFrame:
    """Return after how many films each alteration is noticed, against either reference.

    Args:
        films: of each alteration; those as they are under the empty name.
        validation: the validation films as a reference.
    """
    rows = []
    for name, altered in films.items():
        after = BEFORE if name else 0
        streams = list(_streams(films[""], altered if name else altered.iloc[:0]))
        own = [noticed(drift.first_films(first), rest, after) for first, rest in streams]
        against_validation = [noticed(validation, rest, after) for _, rest in streams]
        rows.append((name or "as they are (false alarms)", *_told(own), *_told(against_validation)))
    heads = ("films until noticed, against the first films", "by", "against the validation films", "by ")
    return pd.DataFrame(rows, columns=["Films", *heads])


def _told(found: list[tuple[int, str] | None]) -> tuple[str, str]:
    known = [each for each in found if each]
    if not known:
        return f"never in {len(found)} streams", "–"
    films = [films for films, _ in known]
    missed = f", never in {len(found) - len(known)} of {len(found)}" if len(known) < len(found) else ""
    return f"{np.median(films):.0f} ({min(films)}–{max(films)}){missed}", pd.Series([by for _, by in known]).mode()[0]


@app.command()
@reports_errors
def main(data: DataOption = None) -> None:
    """Print after how many films each alteration is noticed."""
    root = required(data)
    load_keras()
    from pneumo.inference import open_models, read_film
    from pneumo.model_store import store

    models = open_models(at_site=False)
    files = store.read_predictions(models.card.name, "val")["file"].to_numpy(str)
    chosen = np.random.default_rng(SEED).permutation(files)[:ALTERED]
    wanted = [("", files), *((name, chosen) for name in ALTERATIONS)]
    total, done, films = sum(len(each) for _, each in wanted), 0, {}
    with output.progress_bar() as show:
        for name, each in wanted:
            entries: list[dict[str, Any]] = []
            for file in each:
                film = radiograph.grey_levels(root / file)
                altered = ALTERATIONS[name](film) if name else film
                reading = read_film(cv2.imencode(".png", altered)[1].tobytes(), "film.png", models)
                entries.append({"number": done, "time": "2026-01-01T00:00:00+00:00", **audit.entry(reading, "cli")})
                done += 1
                show(name or "as they are", done, total)
            films[name] = drift.films_of(entries)
    print(markdown_tables.table(table(films, drift.validation_films(models.card))))


if __name__ == "__main__":
    app()
