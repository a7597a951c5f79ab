import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pneumo.cli import workers

# Stands in for `python -m pneumo`: writes down how it was started, and does what it is told to.
PROGRAM = """#!{python} -S
import json, os, pathlib, signal, sys, time
folder = pathlib.Path("{folder}")
task = json.loads(os.environ["TF_CONFIG"])
number = task["task"]["index"]
start = len(list(folder.glob(f"start-*-{{number}}")))
(folder / f"start-{{start}}-{{number}}").write_text(json.dumps([sys.argv[3:], task, os.getpid()]))
while len(list(folder.glob(f"start-{{start}}-*"))) < 2:
    time.sleep(0.01)
act = json.loads((folder / "acts").read_text())[start][number]
if act == "save and die":
    (folder / "state.json").touch()
if act in ("die", "save and die"):
    os.kill(os.getpid(), signal.SIGKILL)
if act == "train on":
    time.sleep(60)
print("what went wrong", flush=True)
sys.exit(act)
"""


def program(folder):
    """Write what stands in for Python in `folder`, and return its path."""
    path = folder / "python"
    path.write_text(PROGRAM.format(python=sys.executable, folder=folder))
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Runs a command with two workers, which act at each start as they are told to, in `tmp_path`."""
    monkeypatch.setattr(sys, "executable", program(tmp_path))
    monkeypatch.setattr(sys, "argv", ["pneumo", "train", "cnn", "--workers", "2"])
    before = signal.getsignal(signal.SIGTERM)

    def run(*acts):
        (tmp_path / "acts").write_text(json.dumps(acts))
        return workers.train(2, tmp_path)

    yield run
    signal.signal(signal.SIGTERM, before)


def starts(folder, number):
    """Return what each process of a worker was started with: arguments, task and process id."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"start-*-{number}"))]


def test_all_workers_run_the_same_command_and_know_each_other(train, tmp_path):
    assert train([0, 0]) == 0

    [(arguments, first, _)], [(same, second, _)] = starts(tmp_path, 0), starts(tmp_path, 1)
    assert arguments == same == ["train", "cnn", "--workers", "2"]
    assert first["cluster"] == second["cluster"]
    assert len(set(first["cluster"]["worker"])) == 2
    assert [task["task"] for task in (first, second)] == [
        {"type": "worker", "index": 0},
        {"type": "worker", "index": 1},
    ]


@pytest.mark.parametrize(("acts", "number"), [(["train on", "save and die"], 1), (["save and die", "train on"], 0)])
def test_where_a_worker_is_killed_all_go_on_from_the_checkpoint(train, tmp_path, capfd, acts, number):
    assert train(acts, [0, 0]) == 0

    assert [[arguments[4:] for arguments, _, _ in starts(tmp_path, each)] for each in (0, 1)] == [
        [[], ["--resume"]]
    ] * 2
    assert f"Worker {number} is gone. All workers start again from the last checkpoint." in capfd.readouterr().err


def test_a_checkpoint_that_was_there_before_is_not_gone_on_from(train, tmp_path):
    (tmp_path / "state.json").touch()
    os.utime(tmp_path / "state.json", (0, 0))

    assert train(["train on", "die"], [0, 0]) == 0

    assert all(len(arguments) == 4 for arguments, _, _ in starts(tmp_path, 1))


def test_where_workers_are_killed_twice_a_sentence_says_what_to_do_and_none_is_left(train, tmp_path, capfd):
    assert train(["train on", "die"], ["train on", "die"]) == 2

    assert "Worker 1 is gone; start again with --resume." in capfd.readouterr().err
    for _, _, process in starts(tmp_path, 0):
        assert not Path("/proc", str(process)).exists()


def test_where_a_worker_no_longer_answers_and_is_not_killed_all_start_again(train, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(workers, "GRACE", 1)

    assert train([workers.LOST, "train on"], [0, 0]) == 0

    assert "A worker is gone. All workers start again" in capfd.readouterr().err


@pytest.mark.parametrize("other", ["die", "train on"])
def test_once_the_chief_has_written_the_model_nothing_is_done_again(train, tmp_path, other):
    assert train([0, other]) == 0

    assert len(starts(tmp_path, 0)) == 1


@pytest.mark.parametrize(("acts", "code"), [([2, "train on"], 2), (["train on", 1], 1)])
def test_an_error_ends_all_workers_and_is_not_tried_again(train, tmp_path, capfd, acts, code):
    assert train(acts) == code

    printed = capfd.readouterr()
    log = tmp_path / "worker-1.log"
    assert (f"Worker 1 failed; {log} says why." in printed.err) == (code == 1)
    assert "what went wrong" in (printed.out if code == 2 else log.read_text())


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (None, 1),
        ("", 1),
        ("{}", 1),
        ('{"cluster": {"worker": ["a:1"]}}', 1),
        ('{"cluster": {"worker": ["a:1", "b:1", "c:1"]}, "task": {"type": "worker", "index": 2}}', 3),
    ],
)
def test_the_environment_tells_how_many_workers_there_are(monkeypatch, config, count):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)

    assert workers.count() == count


@pytest.mark.parametrize(
    "config",
    [
        "worker",
        "[1]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}',
    ],
)
def test_an_environment_that_is_not_understood_is_refused_with_an_example(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)

    with pytest.raises(ValueError, match=r"It should look like this: \{"):
        workers.count()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_a_command_that_is_killed(tmp_path, how):
    (tmp_path / "acts").write_text(json.dumps([["train on", "train on"]]))
    code = (
        f"import sys; from pathlib import Path; from pneumo.cli import workers; "
        f"sys.executable = {program(tmp_path)!r}; workers.train(2, Path({str(tmp_path)!r}))"
    )
    root = {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = subprocess.Popen([sys.executable, "-c", code, "train", "cnn", "--workers", "2"], env=os.environ | root)
    wait_until(lambda: len(list(tmp_path.glob("start-0-*"))) == 2)

    command.send_signal(how)
    command.wait()

    for number in (0, 1):
        [(_, _, process)] = starts(tmp_path, number)
        wait_until(
            lambda stat=Path("/proc", str(process), "stat"): not stat.exists() or stat.read_text().split()[2] == "Z"
        )


def wait_until(there):
    for _ in range(300):
        if there():
            return
        time.sleep(0.1)
    pytest.fail("it did not come about in half a minute")
