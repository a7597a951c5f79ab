"""Films with answers that reports are made of in tests: nothing is loaded and no model is asked."""

import io
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from pneumo import radiograph
from pneumo.errors import UnreadableImageError
from pneumo.inference.classifier import Assessment
from pneumo.inference.findings import Finding
from pneumo.inference.gate import GateResult
from pneumo.inference.reading import Models, Reading
from pneumo.radiograph import Radiograph
from pneumo.reports.records import Record, record
from toy import synthetic

PATIENT = {
    "PatientName": "Núñez^José",
    "PatientID": "4711-SECRET",
    "PatientBirthDate": "20220310",
    "PatientSex": "M",
    "StudyDate": "20250611",
    "StudyTime": "101112",
    "StudyID": "S1",
    "AccessionNumber": "A-42",
    "ReferringPhysicianName": "Weiß^Ärztin",
}


def dicom_film(**changes: Any) -> bytes:
    """Return a computed radiograph with a patient, in Latin 1; a change may break the standard, and None takes an
    element out."""
    pixels = synthetic.film(np.random.default_rng(0), sick=True, height=240, width=300)
    film = Dataset()
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {
        "SpecificCharacterSet": "ISO_IR 100",
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": generate_uid(entropy_srcs=["image"]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=["series"]),
        "StudyInstanceUID": generate_uid(entropy_srcs=["study"]),
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 240,
        "Columns": 300,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
        **PATIENT,
        **changes,
    }
    with config.disable_value_validation():
        for keyword, value in values.items():
            if value is not None:
                setattr(film, keyword, value)
    film.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    film.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["image"])
    stream = io.BytesIO()
    with config.disable_value_validation():
        film.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def answered(film: Radiograph, answer: Any = "likely", probability: float = 0.912345, **card: Any) -> Assessment:
    """Return an answer to a film."""
    reasons = ("It is 91.2 %, “likely”.",)
    return Assessment(film, answer, probability, reasons, synthetic.card(**card), np.zeros((32, 32, 1), np.float32))


def png_film(name: str = "film.png", height: int = 240, width: int = 300) -> Radiograph:
    """Return a drawn film as it is read from a PNG."""
    pixels = synthetic.film(np.random.default_rng(0), sick=True, height=height, width=width)
    return Radiograph(pixels.astype(np.float32) / 255, name, "a" * 64, "PNG", 8)


def read_dicom(data: bytes) -> Radiograph:
    """Return the film in a DICOM file."""
    return radiograph.read(data, "film.dcm")


def reading_of(
    film: Radiograph | None = None,
    assessment: Assessment | None = None,
    findings: Sequence[Finding] | None = None,
    **changes: Any,
) -> Reading:
    """Return what became of a film, as `read_film` would: answered, refused or, without a film, unreadable."""
    film = film or (assessment.radiograph if assessment else None)
    card = assessment.card if assessment else synthetic.card()
    values: dict[str, Any] = {
        "name": film.name if film else "x.png",
        "source": b"",
        "models": Models(SimpleNamespace(card=card, site=assessment and assessment.site), None),
        "radiograph": film,
        "gate": None if findings is None else GateResult(tuple(findings)),
        "assessment": assessment,
        "error": None if film else UnreadableImageError("x.png is empty."),
    }
    return Reading(**(values | changes))


def record_of(*args: Any, **changes: Any) -> Record:
    """Return the record of `reading_of`."""
    return record(reading_of(*args, **changes))
