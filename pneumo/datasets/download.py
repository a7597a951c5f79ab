"""Downloads: the dataset from Kaggle by kagglehub, and PneumoniaMNIST from Zenodo.

kagglehub compares the archive with the hash that Kaggle sends along, goes on after an interruption, and keeps one copy
in its own folder (``~/.cache/kagglehub``, or ``KAGGLEHUB_CACHE``), where notebooks on the same machine find it too.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError, require_package
from pneumo.sentences import say, say_list

HANDLE = "paultimothymooney/chest-xray-pneumonia"
BY_HAND = say(
    "download it by hand from https://www.kaggle.com/datasets/{handle}, unpack it and point to its folder",
    handle=HANDLE,
)
# Seconds between two looks at what has arrived: often enough to be seen to move.
LOOK_EVERY = 1.0
# Record 10519652, the MedMNIST+ release, by side in pixels; hashes as `medmnist.INFO` states them.
MEDMNIST_URL = "https://zenodo.org/records/10519652/files/"
MEDMNIST_PAGE = "https://zenodo.org/records/10519652"
MEDMNIST = {
    28: ("pneumoniamnist.npz", "28209eda62fecd6e6a2d98b1501bb15f"),
    64: ("pneumoniamnist_64.npz", "8f4eceb4ccffa70c672198ea285246c6"),
    128: ("pneumoniamnist_128.npz", "05b46931834c231683c68f40c47b2971"),
    224: ("pneumoniamnist_224.npz", "d6a3c71de1b945ea11211b03746c1fe1"),
}
CHUNK = 1_000_000


def folder() -> Path:
    """Return where kagglehub keeps the dataset, whether it is there or not.

    Raises:
        PackageError: if kagglehub is not installed.
    """
    require_package("kagglehub")
    from kagglehub.config import get_cache_folder

    return Path(get_cache_folder()) / "datasets" / HANDLE


def fetch_kaggle(out: Path | None = None, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch the dataset (2.3 GB) unless it is there, and check that every film arrived.

    Args:
        out: an empty or new folder to put it into; kagglehub's own `folder` where None.
        progress: called every `LOOK_EVERY` seconds with a sentence that says how much is there.

    Returns:
        The folder that holds ``train`` and ``test``.

    Raises:
        DatasetError: if the network, the archive or the number of films is not as it should be.
        PackageError: if kagglehub is not installed.
    """
    require_package("kagglehub")
    # kagglehub shows its own bar on the terminal and tells nobody else, so what lies in its folder is looked at.
    found: list[str] = []
    failed: list[Exception] = []
    worker = threading.Thread(target=_download, args=(out, found, failed), daemon=True)
    worker.start()
    while worker.is_alive():
        progress(say("{here:,} MB of about 2,300 MB are here; then they are unpacked", here=megabytes(out or folder())))
        worker.join(LOOK_EVERY)
    if failed:
        raise _explained(failed[0], out) from failed[0]
    root = kaggle.find_root(Path(found[0]))
    check_complete(root)
    return root


def fetch_medmnist(
    side: int, out: Path, base: str | None = None, progress: Callable[[float], None] = lambda _: None
) -> Path:
    """Fetch PneumoniaMNIST from Zenodo and check its hash.

    Args:
        side: of its pictures in pixels, key of `MEDMNIST`.
        out: folder to put the file in; created where it is missing. A file that is there and whole is kept.
        base: address of the folder that holds the files; `MEDMNIST_URL` where None.
        progress: called with the share of the file that has arrived, 0…1, in steps of a hundredth.

    Returns:
        The file.

    Raises:
        DatasetError: if the network or the file is not as it should be.
        PackageError: if pooch is not installed.
        KeyError: if there is no such size.
    """
    require_package("pooch")
    import pooch
    import requests

    name, md5 = MEDMNIST[side]
    url, by_hand = (
        f"{base or MEDMNIST_URL}{name}",
        say("download {name} by hand from {page}", name=name, page=MEDMNIST_PAGE),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        downloader = pooch.HTTPDownloader(progressbar=_Meter(progress), chunk_size=CHUNK)
        return Path(pooch.retrieve(url, f"md5:{md5}", fname=name, path=out, downloader=downloader))
    except (requests.ConnectionError, requests.Timeout) as error:
        raise DatasetError(
            "{netloc} cannot be reached. Check the connection, or {by_hand}.",
            netloc=urlsplit(url).netloc,
            by_hand=by_hand,
        ) from error
    except (requests.RequestException, OSError, ValueError) as error:
        raise DatasetError(
            "The dataset could not be fetched ({error}). Check the connection, or {by_hand}.",
            error=error,
            by_hand=by_hand,
        ) from error


def check_complete(root: Path) -> None:
    """Check that a folder holds the 5,856 films of the published dataset.

    Raises:
        DatasetError: naming the folders with too few or too many.
    """
    counts = kaggle.film_counts(kaggle.scan(root))
    wrong = [
        say(
            "{folder} has {films} films, not {expected}",
            folder=f"{split}/{label}",
            films=counts.get((split, label), 0),
            expected=expected,
        )
        for (split, label), expected in kaggle.PUBLISHED_FILMS.items()
        if counts.get((split, label), 0) != expected
    ]
    if wrong:
        raise DatasetError(
            "The dataset in {root} is not complete: {wrong}. Fetch it again.", root=root, wrong=say_list(wrong)
        )


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


def _download(out: Path | None, found: list[str], failed: list[Exception]) -> None:
    import kagglehub

    try:
        found.append(kagglehub.dataset_download(HANDLE, output_dir=str(out) if out else None))
    # Whatever goes wrong in a thread is told by the one that waits for it.
    except Exception as error:
        failed.append(error)


def _explained(error: Exception, out: Path | None) -> DatasetError:
    import requests

    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return DatasetError("Kaggle cannot be reached. Check the connection, or {by_hand}.", by_hand=BY_HAND)
    if isinstance(error, FileExistsError):
        return DatasetError("{out} is not empty. Name an empty or a new folder, or none for kagglehub's own.", out=out)
    reason = " ".join(str(error).split())
    return DatasetError(
        "kagglehub could not fetch the dataset ({reason}). Try again, or {by_hand}.", reason=reason, by_hand=BY_HAND
    )


class _Meter:
    """What pooch wants of a progress bar; reports the share that has arrived."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self.total, self._report, self._done, self._reported = 0, report, 0, -1

    def update(self, size: int) -> None:
        """Count bytes that arrived; a server that states no length leaves the share unknown."""
        self._done += size
        hundredths = min(100 * self._done // self.total, 100) if self.total else 0
        if hundredths > self._reported:
            self._reported = hundredths
            self._report(hundredths / 100)

    def reset(self) -> None:
        """Start from nothing, which pooch does before it says that all has arrived."""
        self._done = 0

    def close(self) -> None:
        """End."""
