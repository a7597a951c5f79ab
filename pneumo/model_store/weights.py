"""The file ``model.keras``: a whole Keras model, stored small, loaded without running any code that it may carry."""

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumo.errors import ModelError

if TYPE_CHECKING:
    import keras

# Above this a file is written again with kernels of fewer digits.
LARGEST = 8_000_000
# Bits of the significand behind the leading one: of float16, and what a large model keeps.
BITS, FEWER_BITS = 10, 7


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(path: Path) -> "keras.Model":
    """Load a ``.keras`` file without running any code that it may carry.

    Raises:
        ModelError: if Keras cannot read it.
    """
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise ModelError(f"Keras cannot read {path} ({error}). Restore it or retrain the model.") from error


def save(model: "keras.Model", path: Path) -> None:
    """Write a model for shipping: kernels rounded to float16 precision, no optimiser, zip deflated.

    The file loads like any other ``.keras`` file, in float32. Vectors (biases, batch-norm statistics) keep
    their precision: they are small, and some lie outside float16's range. The kernels of a model whose file would be
    larger than `LARGEST` are rounded to `FEWER_BITS`.
    """
    _write(model, path, BITS)
    if path.stat().st_size > LARGEST:
        _write(model, path, FEWER_BITS)


def _write(model: "keras.Model", path: Path, bits: int) -> None:
    import keras

    # Without what it was compiled with: a loss of ours would have to be known to whoever loads the file.
    bare = keras.Model(model.input, model.output, name=model.name)
    copy = keras.models.clone_model(bare)
    copy.set_weights([_rounded(weights, bits) for weights in bare.get_weights()])
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, so that the finished file takes its place at once.
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as scratch:
        stored, deflated = Path(scratch) / "stored.keras", Path(scratch) / "deflated.keras"
        copy.save(stored)
        with (
            zipfile.ZipFile(stored) as source,
            zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target,
        ):
            for item in source.infolist():
                target.writestr(item.filename, source.read(item))
        deflated.replace(path)


def _rounded(weights: np.ndarray, bits: int) -> np.ndarray:
    if weights.ndim < 2 or np.abs(weights).max(initial=0) > np.finfo(np.float16).max:
        return weights
    half = weights.astype(np.float16).astype(weights.dtype)
    if bits == BITS:
        return half
    significand, exponent = np.frexp(half)
    return np.ldexp(np.rint(significand * 2.0 ** (bits + 1)) / 2.0 ** (bits + 1), exponent).astype(weights.dtype)
