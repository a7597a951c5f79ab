"""Films from files: bytes or a path become a `Radiograph`; the only door through which images come in.

A JPEG, PNG, TIFF, BMP, WebP, HEIC or DICOM file, or a PDF with one film, becomes one grey picture of float32 in 0…1
and what the file says of itself.
Everything that is particular to DICOM, from damaged headers to grey-scale tables, is dealt with here.
"""

from pneumo.radiograph.decoder_limits import MAX_PIXELS, MIN_SIDE
from pneumo.radiograph.reader import FORMATS, Radiograph, grey_levels, read, silent_decoders, size

__all__ = ["FORMATS", "MAX_PIXELS", "MIN_SIDE", "Radiograph", "grey_levels", "read", "silent_decoders", "size"]
