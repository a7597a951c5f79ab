"""What a DICOM header says of a film: text, numbers, the patient's age, the shape of a pixel (DICOM PS3.3)."""

import re
from datetime import datetime

import numpy as np
from pydicom.dataset import Dataset

# Pixels wider than four times their height are a broken header; resampling them would only waste memory.
MAX_ASPECT = 4.0

AGE_DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")


def header_text(dataset: Dataset, keyword: str) -> str | None:
    """Return the first value of a text element as the file wrote it, or None where it is missing or empty."""
    # The raw bytes: pydicom's own conversion would put values it finds wrong into warnings.
    element = dataset.get_item(keyword)
    value = element.value if element is not None else None
    if value is None:
        return None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.split("\\")[0].strip(" \0") or None


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value of a decimal element, or None where it is missing or no finite number."""
    return _finite(header_text(dataset, keyword))


def _finite(text: str | None) -> float | None:
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def age_years(dataset: Dataset) -> float | None:
    """Return the age in years, from PatientAge or in whole months from birth to study; None if unknown."""
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", header_text(dataset, "PatientAge") or "")
    if stated:
        return int(stated[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[stated[2]]
    dates = [_date(header_text(dataset, keyword)) for keyword in AGE_DATES]
    birth, study = dates[0], next((date for date in dates[1:] if date), None)
    if birth is None or study is None or not 0 <= (study - birth).days <= 130 * 365.25:
        return None
    return int((study - birth).days / (365.25 / 12)) / 12


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.strptime((text or "").replace(".", ""), "%Y%m%d")
    except ValueError:
        return None


def pixel_aspect(dataset: Dataset) -> float:
    """Return the height of a pixel over its width, 1.0 where the header says nothing that is believable."""
    for keyword in SPACINGS:
        element = dataset.get_item(keyword)
        if element is None or not element.value:
            continue
        value = element.value
        parts = value.decode("ascii", "replace").split("\\") if isinstance(value, bytes) else [str(v) for v in value]
        height, *rest = (_finite(part.strip(" \0")) for part in parts)
        width = rest[0] if rest else None
        if height and width and 1 / MAX_ASPECT <= height / width <= MAX_ASPECT:
            # Spacings are written with four to six digits; a smaller difference is rounding.
            return height / width if abs(height / width - 1) > 0.005 else 1.0
    return 1.0


def bits_stored(dataset: Dataset) -> int:
    """Return the bits that a sample uses, 1…32."""
    return int(dataset.get("BitsStored") or dataset.BitsAllocated)
