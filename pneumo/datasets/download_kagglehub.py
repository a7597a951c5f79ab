"""Fetch the data set with kagglehub, which checks Kaggle's hash, goes on after an interruption, and keeps one copy.

Its folder (``~/.cache/kagglehub``, or ``KAGGLEHUB_CACHE``) is the one that notebooks on the same machine use.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import requests

from pneumo.datasets import download, kaggle
from pneumo.errors import DatasetError

HANDLE = "paultimothymooney/chest-xray-pneumonia"
BY_HAND = f"download it by hand from {download.PAGE}, unpack it and point to its folder"
# In seconds: often enough to be seen to move.
LOOK_EVERY = 1.0


def folder() -> Path:
    """Return where kagglehub keeps this data set, whether it is there or not."""
    from kagglehub.config import get_cache_folder

    return Path(get_cache_folder()) / "datasets" / HANDLE


def fetch(progress: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch the data set unless it is there, and check that every film arrived.

    Args:
        progress: called every `LOOK_EVERY` seconds with a sentence that says how much is there.

    Returns:
        The folder that holds ``train`` and ``test``.

    Raises:
        DatasetError: if the network, the archive or the number of films is not as it should be.
    """
    # kagglehub shows its own bar on the terminal and tells nobody else, so what lies in its folder is looked at.
    found: list[str] = []
    failed: list[Exception] = []
    worker = threading.Thread(target=_download, args=(found, failed), daemon=True)
    worker.start()
    while worker.is_alive():
        progress(f"{megabytes(folder()):,} MB of about 2,300 MB are here; then they are unpacked")
        worker.join(LOOK_EVERY)
    if failed:
        raise _explained(failed[0]) from failed[0]
    root = kaggle.find_root(Path(found[0]))
    download.check_complete(root)
    return root


def megabytes(place: Path) -> int:
    """Return how many MB the files below a folder hold; 0 where there is none."""
    size = 0
    for path in place.rglob("*"):
        try:
            size += path.stat().st_size
        # The archive goes away when it is unpacked.
        except OSError:
            continue
    return round(size / 1e6)


def _download(found: list[str], failed: list[Exception]) -> None:
    import kagglehub

    try:
        found.append(kagglehub.dataset_download(HANDLE))
    # Whatever goes wrong in a thread is told by the one that waits for it.
    except Exception as error:
        failed.append(error)


def _explained(error: Exception) -> DatasetError:
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return DatasetError(f"Kaggle cannot be reached. Check the connection, or {BY_HAND}.")
    reason = " ".join(str(error).split())
    return DatasetError(f"kagglehub could not fetch the data set ({reason}). Try again, or {BY_HAND}.")
