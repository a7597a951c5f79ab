"""The file ``model.keras``: a whole Keras model, stored small, loaded without running any code that it may carry."""

import hashlib
import importlib.util
import io
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from pneumo.errors import ModelError

if TYPE_CHECKING:
    import keras

INSTALL_TENSORFLOW = "pip install 'pneumo[train]'"

# Above this a file is written again with kernels of fewer digits, unless the network tells foreign films besides: its
# limit is chosen before that, and with fewer digits many more films lie beyond.
LARGEST = 16_000_000
# Bits of the significand behind the leading one: of float16, and what a large model keeps.
BITS, FEWER_BITS = 10, 7
# Arrays of no more numbers are not worth deflating.
SMALL = 1000


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_keras_installed() -> bool:
    """Return whether what trains networks, and draws all kinds of heat maps, is installed."""
    return all(importlib.util.find_spec(name) for name in ("keras", "tensorflow", "tf_keras_vis"))


def import_keras() -> ModuleType:
    """Import Keras.

    Raises:
        ModelError: if it, or TensorFlow, is not installed.
    """
    try:
        import keras
    except ImportError as error:
        raise ModelError(
            "{package} is not installed here. Install it with {command}.",
            package="TensorFlow",
            command=INSTALL_TENSORFLOW,
        ) from error
    return keras


def load(path: Path) -> "keras.Model":
    """Load a ``.keras`` file without running any code that it may carry.

    Raises:
        ModelError: if Keras is not installed, or cannot read it.
    """
    keras = import_keras()
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise ModelError(
            "Keras cannot read {path} ({error}). Restore it or retrain the model.", path=path, error=error
        ) from error


def save(model: "keras.Model", path: Path) -> None:
    """Write a model for shipping: kernels rounded to float16 precision, no optimiser, deflated.

    The file loads like any other ``.keras`` file, in float32. Vectors (biases, batch-norm statistics) keep
    their precision: they are small, and some lie outside float16's range. The kernels of a model whose file would be
    larger than `LARGEST` are rounded to `FEWER_BITS`, if it has but one output.
    """
    _write(model, path, BITS)
    if path.stat().st_size > LARGEST and len(model.outputs) == 1:
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
                content = source.read(item)
                target.writestr(item.filename, _shuffled(content) if item.filename.endswith(".h5") else content)
        deflated.replace(path)


def _shuffled(content: bytes) -> bytes:
    """Return a HDF5 file whose large arrays are deflated, bytes shuffled: a fifth smaller than deflate alone.

    The first bytes of all numbers lie together then, and so do the last, which rounding left empty. Any HDF5 reader
    undoes it.
    """
    import h5py

    packed = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as source, h5py.File(packed, "w") as target:

        def copy(name: str, item: "h5py.Group | h5py.Dataset") -> None:
            if isinstance(item, h5py.Dataset):
                filters = {"chunks": item.shape, "compression": "gzip", "shuffle": True} if item.size > SMALL else {}
                copied = target.create_dataset(name, data=item[()], **filters)
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    return packed.getvalue()


def _rounded(weights: np.ndarray, bits: int) -> np.ndarray:
    if weights.ndim < 2 or np.abs(weights).max(initial=0) > np.finfo(np.float16).max:
        return weights
    half = weights.astype(np.float16).astype(weights.dtype)
    if bits == BITS:
        return half
    significand, exponent = np.frexp(half)
    return np.ldexp(np.rint(significand * 2.0 ** (bits + 1)) / 2.0 ** (bits + 1), exponent).astype(weights.dtype)
