"""A real server of the app, and where the machine has a browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str | None:
    """Where this machine has a Chromium; `PNEUMO_CHROMIUM` names another."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("PNEUMO_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@contextmanager
def serve(
    folder: Path,
    script: str = "streamlit_app.py",
    *,
    port: int = 0,
    options: Sequence[str] = (),
    before: Sequence[str] = (),
) -> Iterator[str]:
    """Serve the app as `make app` does, with the models that the repository ships; or another script in its place.

    Args:
        folder: for the log, ``log.txt``.
        script: of the app.
        port: to listen at; a free one where 0.
        options: of Streamlit.
        before: the command that runs the server, with its options.
    """
    port = port or free_port()
    log = (folder / "log.txt").open("w+")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PNEUMO_")}
    server = subprocess.Popen(
        [*before, sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port), *options],
        cwd=ROOT,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://localhost:{port}"
    try:
        _wait_until_healthy(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_healthy(url: str, server: subprocess.Popen, log) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if urllib.request.urlopen(f"{url}/_stcore/health", timeout=2).read() == b"ok":
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    log.seek(0)
    pytest.fail(f"the app did not start:\n{log.read()}")
