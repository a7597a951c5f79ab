"""Fetch the chest X-ray data set for a user who wants to train or to look at real films."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from pneumo.datasets import kaggle
from pneumo.errors import DatasetError

# Kaggle serves public data sets without an account at this address.
URL = "https://www.kaggle.com/api/v1/datasets/download/paultimothymooney/chest-xray-pneumonia"
CHUNK = 1_000_000
PAGE = "https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia"


# Record 10519652, the MedMNIST+ release, by side in pixels; hashes as `medmnist.INFO` states them.
MEDMNIST_URL = "https://zenodo.org/records/10519652/files/"
MEDMNIST_PAGE = "https://zenodo.org/records/10519652"
MEDMNIST = {
    28: ("pneumoniamnist.npz", "28209eda62fecd6e6a2d98b1501bb15f"),
    64: ("pneumoniamnist_64.npz", "8f4eceb4ccffa70c672198ea285246c6"),
    128: ("pneumoniamnist_128.npz", "05b46931834c231683c68f40c47b2971"),
    224: ("pneumoniamnist_224.npz", "d6a3c71de1b945ea11211b03746c1fe1"),
}


class _Meter:
    """What pooch wants of a progress bar; tells the share that has arrived, 0…1, in steps of a hundredth."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self.total, self._tell, self._done, self._told = 0, tell, 0, -1

    def update(self, size: int) -> None:
        """Count bytes that arrived; a server that states no length leaves the share unknown."""
        self._done += size
        hundredths = min(100 * self._done // self.total, 100) if self.total else 0
        if hundredths > self._told:
            self._told = hundredths
            self._tell(hundredths / 100)

    def reset(self) -> None:
        """Start from nothing, which pooch does before it says that all has arrived."""
        self._done = 0

    def close(self) -> None:
        """End."""


def download(
    out: Path,
    url: str = URL,
    sha256: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
    arrived: Callable[[float], None] = lambda _: None,
) -> Path:
    """Fetch the archive (2.3 GB), unpack it, and check that every film arrived.

    Args:
        out: folder to put the data set in; created where it is missing.
        url: of a zip archive that holds the Kaggle layout.
        sha256: the archive's hash, checked where it is known.
        progress: called with a sentence for each step.
        arrived: called with the share of the archive that has arrived, 0…1.

    Returns:
        The folder that holds ``train`` and ``test``.

    Raises:
        DatasetError: if the network, the archive or the number of films is not as it should be.
    """
    progress(f"Fetching {url}")
    by_hand = f"download it by hand from {PAGE}, unpack it into {out} and point --data to it"
    archive = _fetch(url, sha256 and f"sha256:{sha256}", "chest-xray-pneumonia.zip", out, by_hand, arrived)
    progress(f"Unpacking {archive}")
    _unpack(archive, out)
    archive.unlink()
    root = kaggle.find_root(out)
    check_complete(root)
    return root


def download_medmnist(
    side: int, out: Path, base: str = MEDMNIST_URL, arrived: Callable[[float], None] = lambda _: None
) -> Path:
    """Fetch PneumoniaMNIST from Zenodo and check its hash.

    Args:
        side: of its pictures in pixels, key of `MEDMNIST`.
        out: folder to put the file in; created where it is missing. A file that is there and whole is kept.
        base: address of the folder that holds the files.
        arrived: called with the share of the file that has arrived, 0…1.

    Returns:
        The file.

    Raises:
        DatasetError: if the network or the file is not as it should be.
        KeyError: if there is no such size.
    """
    name, md5 = MEDMNIST[side]
    return _fetch(base + name, f"md5:{md5}", name, out, f"download {name} by hand from {MEDMNIST_PAGE}", arrived)


def _fetch(
    url: str, known_hash: str | None, name: str, out: Path, by_hand: str, arrived: Callable[[float], None]
) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Only HTTP tells how much has arrived.
        over_http = url.startswith(("http://", "https://"))
        downloader = pooch.HTTPDownloader(progressbar=_Meter(arrived), chunk_size=CHUNK) if over_http else None
        return Path(pooch.retrieve(url, known_hash, fname=name, path=out, downloader=downloader))
    except (requests.ConnectionError, requests.Timeout) as error:
        raise DatasetError(f"{urlsplit(url).netloc} cannot be reached. Check the connection, or {by_hand}.") from error
    except (requests.RequestException, OSError, ValueError) as error:
        raise DatasetError(
            f"The data set could not be fetched ({error}). Check the connection, or {by_hand}."
        ) from error


def check_complete(root: Path) -> None:
    """Check that a folder holds the 5,856 films of the published data set.

    Raises:
        DatasetError: naming the folders with too few or too many.
    """
    counts = kaggle.film_counts(kaggle.scan(root))
    wrong = [
        f"{split}/{label} has {counts.get((split, label), 0)} films, not {expected}"
        for (split, label), expected in kaggle.PUBLISHED_FILMS.items()
        if counts.get((split, label), 0) != expected
    ]
    if wrong:
        raise DatasetError(f"The data set in {root} is not complete: {'; '.join(wrong)}. Fetch it again.")


def _unpack(archive: Path, out: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            # `extract` keeps every member below `out`, whatever its name says.
            for member in packed.infolist():
                if not member.filename.startswith("__MACOSX") and not Path(member.filename).name.startswith("."):
                    packed.extract(member, out)
    # A password raises RuntimeError.
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError) as error:
        raise DatasetError(f"{archive} is no sound zip archive ({error}). Delete it and fetch it again.") from error
