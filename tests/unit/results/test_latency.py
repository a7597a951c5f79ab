import re
import time

import pytest
from toy import synthetic
from typer.testing import CliRunner

from pneumo.cli import app
from pneumo.errors import ModelError
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store, weights
from pneumo.results import latency
from pneumo.results.leaderboard import Latency


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "toy" / "model.keras"
    weights.save(synthetic.small_model(), path)
    card = synthetic.card(sha256=weights.sha256(path), size_bytes=path.stat().st_size)
    store.write_card(card, tmp_path)
    return tmp_path


def test_a_slow_run_in_five_shows_in_the_95th_percentile_only(folder, monkeypatch):
    assess, calls = Classifier.assess, []

    def sometimes_slow(self, film):
        calls.append(film)
        time.sleep(0.3 if len(calls) % 5 == 0 else 0)
        return assess(self, film)

    monkeypatch.setattr(Classifier, "assess", sometimes_slow)

    measured = latency.measure("toy", folder, runs=10)

    assert len(calls) == 11
    assert 0 < measured.p50 < 300 <= measured.p95


def test_a_model_that_is_not_there_is_a_model_error(folder):
    with pytest.raises(ModelError, match="no model"):
        latency.measure("nobody", folder)


def test_the_command_stores_what_it_measured_and_on_which_machine(folder, monkeypatch):
    monkeypatch.setattr(latency, "measure", lambda name, folder: Latency(11.04, 22))

    result = CliRunner().invoke(app.app, ["latency", "--models", str(folder), "--write"])

    assert result.exit_code == 0, result.stderr
    assert re.search(r"toy\W+11\W+22", result.stdout)
    stored = store.read_card("toy", folder).latency
    assert (stored["p50"], stored["p95"], stored["films"]) == (11.0, 22, latency.RUNS)
    assert "CPU cores" in stored["hardware"]
