import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy.command_line import pneumo
from toy.scored import write_films

from pneumo.cli.score import Pace


def test_score_writes_what_predict_says_of_each_film(toy_data, toy_models, tmp_path):
    films = tmp_path / "films"
    shutil.copytree(toy_data / "test", films)
    (films / "NORMAL" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    options = ("--model", "cnn", "--models", toy_models)

    result = pneumo("score", "films", "--out", "results", *options, "--workers", 1)

    predicted = [json.loads(line) for line in pneumo("predict", "films", *options, "--json").stdout.splitlines()]
    rows = [row for path in sorted(Path("results/parts").iterdir()) for row in pq.read_table(path).to_pylist()]
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{len(predicted)} films\t")
    assert "Not readable: 1" in result.stdout
    assert [f"films/{row['file']}" for row in rows] == [record["file"] for record in predicted]
    for row, record in zip(rows, predicted, strict=True):
        # Computed by one thread and by several.
        assert row.pop("probability") == pytest.approx(record.pop("probability"), abs=1e-6)
        assert without_gaps(row) | {"file": record["file"]} == without_gaps(record)


def without_gaps(value):
    """Leave out what a table has a column for and this row has not."""
    if isinstance(value, dict):
        return {key: without_gaps(each) for key, each in value.items() if each is not None}
    return [without_gaps(each) for each in value] if isinstance(value, list) else value


def test_score_says_in_a_sentence_what_cannot_be(tmp_path, toy_models):
    write_films(tmp_path / "films", {"a.png": "film"})
    nothing = pneumo("score", "nothing", "--out", "results", "--model", "cnn", "--models", toy_models)
    inside = pneumo("score", "films", "--out", "films", "--model", "cnn", "--models", toy_models)

    assert nothing.exit_code == inside.exit_code == 2
    assert "There is no folder, zip file or DICOMDIR nothing" in " ".join(nothing.stderr.split())
    assert "holds other files" in " ".join(inside.stderr.split())


def test_the_pace_counts_the_films_of_this_run_from_its_first_one_on(monkeypatch, capsys):
    seconds = iter((0.0, 0.0, 20.0, 90.0))
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    shown = []
    pace = Pace(lambda what, done, total: shown.append(what))

    for done in (1000, 1001, 1071):
        pace.move(done, 1_000_000)

    assert shown == ["scoring", "scoring", "scoring, 1.0 films a second"]
    assert "1,071 of 1,000,000 films, 1.0 films a second, 11 d 13:28:49 left" in capsys.readouterr().err
