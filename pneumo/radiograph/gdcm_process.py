"""Decode lossless JPEG and JPEG-LS with GDCM in a process of its own.

GDCM ends the whole process on some damaged pictures (`gdcm::Exception`, which nothing catches), and no other
decoder with a free licence reads these two. Run as a script, this file is the other process: DICOM on standard
input, an ``npz`` on standard output, nothing on disk.
"""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

# The start takes half a second; the rest is room for large films on a busy machine.
TIMEOUT_SECONDS = 60

_ELEMENTS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)


def decode(dataset: Dataset) -> tuple[np.ndarray, str]:
    """Decode the one frame of a data set.

    Returns:
        The stored integers, (rows, columns) or (rows, columns, 3), and their photometric interpretation.

    Raises:
        ValueError: if GDCM fails on the picture or takes longer than `TIMEOUT_SECONDS`.
    """
    # Nothing but the pixels and their shape leaves this process.
    bare = Dataset()
    for keyword in _ELEMENTS:
        if keyword in dataset:
            bare[keyword] = dataset[keyword]
    bare.file_meta = FileMetaDataset()
    bare.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    file = io.BytesIO()
    pydicom.dcmwrite(file, bare)
    try:
        # -P keeps the modules beside this file from standing in for others of the same name.
        child = subprocess.run(  # noqa: S603  # nothing of the film is in the command
            [sys.executable, "-P", str(Path(__file__).resolve())],
            input=file.getvalue(),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError as error:
        raise ValueError(f"GDCM could not decode the picture ({type(error).__name__})") from None
    with np.load(io.BytesIO(child.stdout), allow_pickle=False) as result:
        return result["stored"], str(result["photometric"])


def _serve() -> None:
    dataset = pydicom.dcmread(io.BytesIO(sys.stdin.buffer.read()), force=True)
    decoder = pydicom.pixels.get_decoder(dataset.file_meta.TransferSyntaxUID)
    options: Any = {"correct_unused_bits": False}
    stored, properties = decoder.as_array(dataset, index=0, decoding_plugin="gdcm", **options)
    result = io.BytesIO()
    np.savez(result, stored=stored, photometric=properties["photometric_interpretation"])
    sys.stdout.buffer.write(result.getvalue())


if __name__ == "__main__":
    _serve()
