import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy.scored import FILMS_PER_PART, ToyReader, write_films

from pneumo.errors import ArchiveError, PneumoError
from pneumo.reports.records import Record
from pneumo.serving import archive, scoring, workers

ANSWERS = {f"ward{number % 2}/film{number:02}.png": ("likely", "unlikely")[number % 2] for number in range(12)}

TESTS = Path(__file__).parents[2]
ROOT = TESTS.parent
TOY = ToyReader()


@pytest.fixture
def films(tmp_path):
    write_films(tmp_path / "films", ANSWERS)
    return tmp_path / "films"


def score(films, results, reader=TOY, engine=workers.local, crew=1, progress=lambda done: None):
    with scoring.opened(archive.find(str(films)), reader, results, FILMS_PER_PART) as job:
        return scoring.score(job, engine, crew, progress)


def rows(results):
    found = [row for path in sorted(results.glob("parts/*")) for row in pq.read_table(path).to_pylist()]
    assert len({row["file"] for row in found}) == len(found)
    return {row["file"]: row for row in found}


def stopping_after(parts):
    """An engine that is stopped, as by Ctrl-C, when it has done some parts."""

    def engine(job, left, crew, progress):
        yield from workers.local(job, left[:parts], crew, progress)
        raise KeyboardInterrupt

    return engine


def test_every_film_gets_one_row_in_a_file_of_its_part(films, tmp_path):
    told = []

    counts = score(films, tmp_path / "results", crew=2, progress=told.append)

    assert counts == {"likely": 6, "unlikely": 6}
    assert {name: row["answer"] for name, row in rows(tmp_path / "results").items()} == ANSWERS
    parts = sorted((tmp_path / "results" / "parts").iterdir())
    assert [path.name for path in parts] == [f"{part:06}.parquet" for part in range(4)]
    assert [pq.read_metadata(path).num_rows for path in parts] == [FILMS_PER_PART] * 4
    assert told[-1] == 12
    metadata = pq.read_schema(parts[0]).metadata[b"pneumo"].decode()
    assert '"model": "toy"' in metadata
    assert str(films) in metadata


def test_goes_on_where_it_was_stopped(films, tmp_path):
    results, log = tmp_path / "results", tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        score(films, results, engine=stopping_after(2))
    before = {path: path.stat().st_mtime_ns for path in (results / "parts").iterdir()}
    assert len(before) == 2

    # What reads the films is the same, though it logs now.
    counts = score(films, results, ToyReader(log=log))

    assert counts.total() == 12
    assert set(rows(results)) == set(ANSWERS)
    assert len(log.read_text().splitlines()) == 12 - 2 * FILMS_PER_PART
    assert before.items() <= {path: path.stat().st_mtime_ns for path in (results / "parts").iterdir()}.items()


def test_a_run_that_is_killed_in_a_part_loses_no_film_and_has_none_twice(films, tmp_path):
    results = tmp_path / "results"
    run = subprocess.Popen(
        [sys.executable, "-m", "toy.scored", "local", films, results, "0.3"],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{TESTS}"},
    )
    while len(list(results.glob("parts/*.parquet"))) < 2:
        assert run.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    run.send_signal(signal.SIGKILL)
    run.wait()
    (results / "parts" / ".000003.parquet.0a1b2c3d").write_bytes(b"PAR1 unfinished")

    assert len(list(results.glob("parts/0*.parquet"))) < 4

    score(films, results, crew=2)

    assert {name: row["answer"] for name, row in rows(results).items()} == ANSWERS


def test_a_bad_film_costs_one_row(films, tmp_path):
    (films / "ward0" / "film00.png").write_bytes(b"\xff")
    (films / "ward0" / "film02.png").write_text("raises")
    (films / os.fsdecode(b"r\xf6ntgen.png")).write_text("likely")

    counts = score(films, tmp_path / "results")

    found = rows(tmp_path / "results")
    assert counts == {"error": 2, "likely": 5, "unlikely": 6}
    assert found["ward0/film00.png"]["status"] == "error"
    assert "film02.png could not be read (IndexError)" in found["ward0/film02.png"]["reasons"][0]
    assert found["r\\udcf6ntgen.png"]["answer"] == "likely"


def test_a_film_that_ends_its_worker_twice_gets_a_row_that_says_so(films, tmp_path):
    (films / "ward0" / "film02.png").write_text("ends")
    log = tmp_path / "log"

    counts = score(films, tmp_path / "results", ToyReader(log=log))

    row = rows(tmp_path / "results")["ward0/film02.png"]
    assert counts == {"error": 1, "likely": 5, "unlikely": 6}
    assert row["reasons"] == ["ward0/film02.png ended the program that read it. Export the film again."]
    assert log.read_text().splitlines().count("ward0/film02.png") == workers.MOST_ENDS


def test_a_film_that_takes_for_ever_gets_a_row_that_says_so(films, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "FILM_SECONDS", 3)
    (films / "ward0" / "film02.png").write_text("hangs")

    assert score(films, tmp_path / "results") == {"error": 1, "likely": 5, "unlikely": 6}


def test_networks_that_cannot_be_loaded_end_the_run_with_their_sentence(films, tmp_path):
    with pytest.raises(PneumoError, match=r"There is no such model\."):
        score(films, tmp_path / "results", ToyReader("missing"))


def test_a_damaged_file_of_results_is_made_again(films, tmp_path):
    results = tmp_path / "results"
    score(films, results)
    (results / "parts" / "000001.parquet").write_bytes(b"PAR1 damaged")

    assert score(films, results).total() == 12
    assert set(rows(results)) == set(ANSWERS)


@pytest.mark.parametrize("other", ["model", "archive", "version", "site"])
def test_refuses_results_of_another_run(films, tmp_path, monkeypatch, other):
    results, reader = tmp_path / "results", ToyReader()
    with scoring.opened(archive.find(str(films)), reader, results):
        pass
    if other == "model":
        reader = ToyReader("another")
    elif other == "archive":
        write_films(tmp_path / "others", ANSWERS)
        films = tmp_path / "others"
    elif other == "version":
        monkeypatch.setattr(scoring, "__version__", "9.9")
    else:
        monkeypatch.setattr(ToyReader, "identity", property(lambda self: {"model": "toy", "site": "St Mary"}))

    with pytest.raises(ArchiveError, match=f"holds results of another {other}.*Give another folder with --out"):
        score(films, results, reader)


def test_refuses_a_folder_of_other_files(films, tmp_path):
    (tmp_path / "letters.txt").write_text("mine")

    with pytest.raises(ArchiveError, match="holds other files"):
        score(films, tmp_path)


def test_refuses_a_file_of_another_run_among_its_own(films, tmp_path):
    results, others = tmp_path / "results", tmp_path / "others"
    score(films, results)
    score(films, others, ToyReader("another"))
    (others / "parts" / "000001.parquet").replace(results / "parts" / "000001.parquet")

    with pytest.raises(ArchiveError, match="is of another run"):
        score(films, results)


def test_two_runs_do_not_write_into_one_folder(films, tmp_path):
    with (
        scoring.opened(archive.find(str(films)), ToyReader(), tmp_path / "results"),
        pytest.raises(ArchiveError, match="Another run is writing"),
    ):
        score(films, tmp_path / "results")


def test_an_archive_without_films_is_told(tmp_path):
    (tmp_path / "films").mkdir()

    with pytest.raises(ArchiveError, match="There is no film in"):
        score(tmp_path / "films", tmp_path / "results")


def test_a_machine_with_other_networks_scores_nothing(films, tmp_path):
    with scoring.opened(archive.find(str(films)), ToyReader(), tmp_path / "results") as job:
        elsewhere = replace(job, reader=ToyReader("another"))

        with pytest.raises(ArchiveError, match="Install the same on all"):
            workers.Worker(elsewhere).score(0)


def test_the_size_of_parts_follows_from_the_number_of_films():
    sizes = {films: scoring.part_size(films) for films in (1, 12, 10_000, 10_000_000)}

    assert sizes == {1: 10, 12: 10, 10_000: 50, 10_000_000: 1000}


def test_the_columns_hold_every_key_of_a_record():
    aside = {"count", "similar", "limits"}
    # Of predict alone, which writes files and restates answers for a place.
    of_predict = {"heatmap", "report", "clinic_prevalence"}

    assert set(scoring.columns().names) == set(Record.__dataclass_fields__) - aside - of_predict
