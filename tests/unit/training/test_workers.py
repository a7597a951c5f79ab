import json
import os
import subprocess
import sys

import numpy as np
import pytest
from toy import workers


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def ended(processes):
    """Return the exit code of each process, once all have ended, and what each printed."""
    try:
        printed = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], printed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What two workers that nothing disturbed write, a folder by network."""
    folder = tmp_path_factory.mktemp("undisturbed")
    codes, printed = ended(workers.start(folder, "plain", "dropout"))
    assert codes == [0, 0], printed
    return folder


def history(folder, number=0):
    return json.loads((folder / f"history-{number}.json").read_text())


def weights(folder):
    return [*np.load(folder / "weights.npz").values()]


def test_two_workers_give_the_loss_curve_and_the_weights_of_one_with_the_doubled_batch(undisturbed, tmp_path):
    model, alone = workers.train(tmp_path, "plain", 0, False, None)

    together = history(undisturbed / "plain")
    assert history(undisturbed / "plain", 1) == together
    assert len(together) == 4
    for row, expected in zip(without_time(together), without_time(alone), strict=True):
        assert row == pytest.approx(expected, abs=1e-3)
    for one, other in zip(weights(undisturbed / "plain"), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_lost_worker_is_told_and_training_goes_on_from_the_checkpoint(undisturbed, tmp_path):
    folder = tmp_path / "dropout"

    # It has reported two epochs, of four steps each, and two steps more.
    codes, [chief, _] = ended(workers.start(tmp_path, "dropout", dies=12))
    assert codes == [1, -9]
    assert chief.endswith("Worker 1 is gone; start again with --resume.\n")
    assert len(json.loads((folder / "checkpoints" / "state.json").read_text())["history"]) == 2
    codes, printed = ended(workers.start(tmp_path, "dropout", resume=True))

    assert codes == [0, 0], printed
    for row, expected in zip(
        without_time(history(folder)), without_time(history(undisturbed / "dropout")), strict=True
    ):
        assert row == pytest.approx(expected, abs=1e-6)
    for one, other in zip(weights(folder), weights(undisturbed / "dropout"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_command_trains_with_two_processes_and_the_chief_ships_the_model(toy_data, tmp_path):
    command = [sys.executable, "-m", "pneumo", "train", "dense", "--data", str(toy_data), "--epochs", "1"]
    root = {"PYTHONPATH": str(workers.CHECKOUT)}

    run = subprocess.run(
        [*command, "--out", "models", "--workers", "2"],
        cwd=tmp_path,
        env=os.environ | root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert run.stderr.count("epoch 1: loss") == 1
    card = json.loads((tmp_path / "models" / "dense" / "card.json").read_text())
    assert card["training"]["recipe"]["workers"] == 2
    assert (tmp_path / "runs" / "dense" / "worker-1.log").is_file()
