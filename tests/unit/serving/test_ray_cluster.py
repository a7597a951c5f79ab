"""A Ray cluster of two nodes on this machine, each in a network of its own, of which one is lost half-way."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from toy.scored import FILMS_PER_PART, ToyReader, write_films

from pneumo.serving import archive, scoring, workers

pytest.importorskip("ray.data", reason="Ray is not installed (pip install pneumo[ray])")

TESTS = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")
HEAD, NODE = "10.77.0.1", "10.77.0.2"
PORT = 6399
SECONDS = 120
ANSWERS = {f"film{number:02}.png": ("likely", "unlikely")[number % 2] for number in range(48)}


def run(*command):
    subprocess.run([str(each) for each in command], check=True, capture_output=True)


@pytest.fixture
def networks():
    """Two network namespaces, joined by a cable."""
    if os.name == "nt" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and Debian's iproute2")
    names = [f"pneumo-{os.getpid()}-{place}" for place in ("head", "node")]
    with ExitStack() as stack:
        for name in names:
            try:
                run("ip", "netns", "add", name)
            except subprocess.CalledProcessError:
                pytest.skip("network namespaces are not allowed here")
            stack.callback(run, "ip", "netns", "delete", name)
            stack.callback(end_all, name)
        run("ip", "link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
        for name, address in zip(names, (HEAD, NODE), strict=True):
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                run("ip", "-n", name, "link", "set", device, "up")
        yield names


def processes(name):
    return [int(number) for number in subprocess.check_output(["ip", "netns", "pids", name], text=True).split()]


def end_all(name):
    """End every process of a namespace at once, as a power cut does."""
    while found := processes(name):
        for number in found:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def start(name, log, *command):
    environment = os.environ | {
        "PYTHONPATH": f"{TESTS.parent}:{TESTS}",
        "RAY_USAGE_STATS_ENABLED": "0",
        # A token would have to be written into the home folder.
        "RAY_AUTH_MODE": "disabled",
        "RAY_ADDRESS": f"{HEAD}:{PORT}",
    }
    with log.open("ab") as file:
        return subprocess.Popen(
            ["ip", "netns", "exec", name, *map(str, command)], env=environment, stdout=file, stderr=file
        )


def wait_until(true):
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def readers(name):
    """Return the processes of a namespace that read films: those that Ray's workers have spawned."""
    commands = [Path(f"/proc/{number}/cmdline") for number in processes(name)]
    return [path for path in commands if path.exists() and b"spawn_main" in path.read_bytes()]


def parts(results):
    return sorted(results.glob("parts/0*.parquet"))


def rows(results):
    return [row for path in parts(results) for row in pq.read_table(path).to_pylist()]


def test_a_cluster_that_loses_a_node_half_way_gives_the_rows_of_one_machine(networks, tmp_path):
    write_films(tmp_path / "films", ANSWERS)
    head, node = networks
    logs = [tmp_path / f"log of the {place}" for place in ("head", "node", "driver")]
    results = tmp_path / "results"
    common = ("--num-cpus=1", "--object-store-memory=100000000", "--block")
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        begun = (f"--node-ip-address={HEAD}", f"--port={PORT}", f"--temp-dir={folder}", "--include-dashboard=false")
        start(head, logs[0], RAY, "start", "--head", *begun, *common)
        wait_until(lambda: "Ray runtime started" in logs[0].read_text())
        start(node, logs[1], RAY, "start", f"--address={HEAD}:{PORT}", f"--node-ip-address={NODE}", *common)
        wait_until(lambda: "Ray runtime started" in logs[1].read_text())

        films = tmp_path / "films"
        driver = start(head, logs[2], sys.executable, "-m", "toy.scored", "ray", films, results, "0.5")
        wait_until(lambda: readers(head) and readers(node) and len(parts(results)) >= 4)
        end_all(node)
        assert len(parts(results)) < len(ANSWERS) // FILMS_PER_PART
        assert driver.wait(SECONDS) == 0, logs[2].read_text()

    with scoring.opened(archive.find(str(films)), ToyReader(), tmp_path / "local", FILMS_PER_PART) as job:
        scoring.score(job, workers.local, 1)
    assert rows(results) == rows(tmp_path / "local")
    assert {row["file"]: row["answer"] for row in rows(results)} == ANSWERS
