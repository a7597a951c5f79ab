"""Fetch the chest X-ray data set for a user who wants to train or to look at real films."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pooch
import requests

from pneumo import dataset
from pneumo.errors import DatasetError

# Kaggle serves public data sets without an account at this address.
URL = "https://www.kaggle.com/api/v1/datasets/download/paultimothymooney/chest-xray-pneumonia"
PAGE = "https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia"


def download(
    out: Path,
    url: str = URL,
    sha256: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Fetch the archive (2.3 GB), unpack it, and check that every film arrived.

    Args:
        out: folder to put the data set in; created where it is missing.
        url: of a zip archive that holds the Kaggle layout.
        sha256: the archive's hash, checked where it is known.
        progress: called with a sentence for each step.

    Returns:
        The folder that holds ``train`` and ``test``.

    Raises:
        DatasetError: if the network, the archive or the number of films is not as it should be.
    """
    out.mkdir(parents=True, exist_ok=True)
    progress(f"Fetching {url}")
    try:
        archive = pooch.retrieve(url, sha256 and f"sha256:{sha256}", fname="chest-xray-pneumonia.zip", path=out)
    except (requests.RequestException, OSError, ValueError) as error:
        raise DatasetError(
            f"The data set could not be fetched ({error}). Check the connection, or download it by hand from {PAGE}, "
            f"unpack it into {out} and point --data to it."
        ) from error
    progress(f"Unpacking {archive}")
    _unpack(Path(archive), out)
    Path(archive).unlink()
    root = dataset.find_root(out)
    check_complete(root)
    return root


def check_complete(root: Path) -> None:
    """Check that a folder holds the 5,856 films of the published data set.

    Raises:
        DatasetError: naming the folders with too few or too many.
    """
    counts = dataset.film_counts(dataset.scan(root))
    wrong = [
        f"{split}/{label} has {counts.get((split, label), 0)} films, not {expected}"
        for (split, label), expected in dataset.PUBLISHED_FILMS.items()
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
