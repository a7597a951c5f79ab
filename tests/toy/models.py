"""The toy models on disk: trained once for all processes, and kept until what they depend on changes."""

import hashlib
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

import pneumo
from toy import synthetic

LIBRARY = Path(pneumo.__file__).parent
PACKAGES = ("datasets", "evaluation", "model_store", "networks", "preprocessing", "radiograph", "training")
DISTRIBUTIONS = ("keras", "numpy", "opencv-python-headless")


def key() -> str:
    """Return the hash of the code and the library versions that the toy models come from."""
    known = hashlib.sha256()
    for package in PACKAGES:
        known.update(digest(LIBRARY / package, "*.py").encode())
    for file in (synthetic.__file__, __file__):
        known.update(Path(file).read_bytes())
    known.update(" ".join(map(version, DISTRIBUTIONS)).encode())
    return known.hexdigest()[:16]


def digest(folder: Path, pattern: str = "*") -> str:
    """Return the hash of the names and bytes of all files below a folder."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
        found.update(f"{path.relative_to(folder)}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def kept(cache: Path, data: Path) -> Iterator[Path]:
    """Yield the folder of toy models below `cache`, trained first where it isn't there; say who changed it."""
    folder = cache / key()
    with FileLock(cache / "lock"):
        if not folder.is_dir():
            for old in cache.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            write(cache / "unfinished", data)
            (cache / "unfinished").rename(folder)
    before = digest(folder)
    yield folder
    if digest(folder) != before:
        shutil.rmtree(folder, ignore_errors=True)
        raise AssertionError("A test changed the toy models, which all tests share. Let it change a copy.")


def write(out: Path, data: Path) -> None:
    """Train `cnn` and `dense` in earnest, and write `lungs` and `gate` by hand."""
    from pneumo.training import task

    for name in ("cnn", "dense"):
        task.train(name, data, out, epochs=2, checkpoints=out.parent / "unfinished_runs" / name)
        task.evaluate(name, data, "test", out)
    shutil.rmtree(out.parent / "unfinished_runs")
    synthetic.write_screening_models(out)
