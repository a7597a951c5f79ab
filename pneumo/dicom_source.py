"""What a new DICOM object takes over from the film that it speaks of: patient, study, and the film's own identity.

The one place where pneumo reads a patient's name. It goes from one file into the other, so that an archive files the
new object in the same study, and into no message, log, picture or page.
"""

import hashlib
from pathlib import Path

from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import UID

from pneumo import dicom
from pneumo.errors import ImageError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph import Radiograph

# The file says everything in its own character set; new objects say it in UTF-8.
CHARACTER_SET = "ISO_IR 192"
# Patient and General Study modules (DICOM PS3.3 C.7.1.1 and C.7.2.1): what must be there, if only empty, and what may.
_DEMANDED = {
    "PatientName": "PN",
    "PatientID": "LO",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "StudyID": "SH",
    "AccessionNumber": "SH",
    "ReferringPhysicianName": "PN",
}
_OPTIONAL = {
    "IssuerOfPatientID": "LO",
    "StudyDescription": "LO",
    "BurnedInAnnotation": "CS",
    "LossyImageCompression": "CS",
}
_IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_SEXES = ("M", "F", "O")


def read(source: bytes | Path, film: Radiograph) -> Dataset:
    """Read who and which study a film belongs to.

    Args:
        source: the bytes or the path of the DICOM file that the film was read from.
        film: the film.

    Returns:
        The identifiers, the elements that a new object in the same study must or may have (empty where the file has
        none or a value that the standard forbids), ``Modality``, ``Rows`` and ``Columns``; all in `CHARACTER_SET`.

    Raises:
        UnreadableImageError: if the file is no longer there, or is another than the film was read from.
        UnsupportedImageError: if it is no DICOM file, or does not say which study and patient it belongs to.
    """
    if film.format != "DICOM":
        raise UnsupportedImageError(
            f"{film.name} is no DICOM file, so no DICOM report can refer to it. Keep the PDF and the JSON."
        )
    data = _bytes_of(source, film)
    if hashlib.sha256(data).hexdigest() != film.sha256:
        raise UnreadableImageError(f"{film.name} has changed since it was assessed. Assess it again.")
    try:
        dataset = dicom.parse(data, film.name, (*_DEMANDED, *_OPTIONAL, *_IDENTIFIERS))
    except ImageError:
        raise
    except Exception as error:
        # pydicom raises whatever a damaged header leads to, and its messages may quote the header.
        raise UnreadableImageError(f"The header of {film.name} is damaged. Export the film again.") from error
    identity = Dataset()
    identity.SpecificCharacterSet = CHARACTER_SET
    for keyword in _IDENTIFIERS:
        setattr(identity, keyword, _identifier(dataset, keyword, film.name))
    for keyword, vr in (_DEMANDED | _OPTIONAL).items():
        value = _legal_value(dataset, keyword, vr)
        if value is None and keyword == "PatientID":
            raise _cannot_join(film.name)
        if value or keyword in _DEMANDED:
            setattr(identity, keyword, value or "")
    if identity.PatientSex not in _SEXES:
        identity.PatientSex = ""
    identity.Modality = film.modality or ""
    identity.Rows, identity.Columns = int(dataset.Rows), int(dataset.Columns)
    return identity


def _bytes_of(source: bytes | Path, film: Radiograph) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        raise UnreadableImageError(
            f"{film.name} can no longer be read. Check its path, and assess it again."
        ) from error


def _identifier(dataset: Dataset, keyword: str, name: str) -> UID:
    value = _legal_value(dataset, keyword, "UI")
    if not value or not UID(value).is_valid:
        raise _cannot_join(name)
    return UID(value)


def _cannot_join(name: str) -> UnsupportedImageError:
    return UnsupportedImageError(
        f"{name} does not say, in a form that the DICOM standard allows, which image, study and patient it is of, so "
        "no DICOM report can join them. Keep the PDF and the JSON."
    )


def _legal_value(dataset: Dataset, keyword: str, vr: str) -> str | None:
    """Return an element's text, empty where there is none; None where the standard forbids what the file says."""
    try:
        value = dataset.get(keyword)
        if isinstance(value, MultiValue):
            return None
        text = "" if value is None else str(value).strip(" \0")
        DataElement(Tag(keyword), vr, text, validation_mode=config.RAISE)
    except Exception:  # Decoding and validating raise ValueError, LookupError, TypeError, …
        return None
    return text


def take_over(instance: Dataset, identity: Dataset) -> None:
    """Put a new object into the film's study: same patient, same study, nothing else of the film's.

    Args:
        instance: the new object; changed.
        identity: as `read` returns it.
    """
    instance.SpecificCharacterSet = CHARACTER_SET
    for keyword in (*_DEMANDED, "IssuerOfPatientID", "StudyDescription", "StudyInstanceUID"):
        if keyword in identity:
            setattr(instance, keyword, identity[keyword].value)
