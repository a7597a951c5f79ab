"""Reports as DICOM objects that join the study of the film: a picture of the heat map, and a structured report.

This is the one place where pneumo reads a patient's name. It goes from one file into the other, so that an archive
files the new object in the same study, and into no message, log, picture or page.

The picture is a Secondary Capture (DICOM PS3.3 A.8), the report a Comprehensive SR that follows TID 1500 (PS3.16).
Concepts that neither DICOM nor SNOMED CT has a code for stand in the private coding scheme `SCHEME`.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import UID, generate_uid

from pneumo import DISCLAIMER, __version__
from pneumo.errors import ImageError, UnreadableImageError, UnsupportedImageError
from pneumo.evaluation.calibration import as_percent
from pneumo.inference.conclusion import limits
from pneumo.inference.findings import Finding
from pneumo.labels import ANSWER_WORDS
from pneumo.radiograph import Radiograph, dicom, silent_decoders

if TYPE_CHECKING:
    from highdicom import sr

    from pneumo.inference.classifier import Assessment


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
    with silent_decoders:
        return _identity(data, film)


def _identity(data: bytes, film: Radiograph) -> Dataset:
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


SCHEME = "99PNEUMO"
PROBABILITY = Code("PROBABILITY", SCHEME, "Probability of pneumonia")
PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
ANSWERS = {
    "likely": Code("LIKELY", SCHEME, ANSWER_WORDS["likely"]),
    "uncertain": Code("82334004", "SCT", "Indeterminate"),
    "unlikely": Code("UNLIKELY", SCHEME, ANSWER_WORDS["unlikely"]),
}
# High, so that the film's own series stay the first of the study.
PICTURE_SERIES, REPORT_SERIES = 9101, 9102


def secondary_capture(source: bytes | Path, overlay: np.ndarray, assessment: "Assessment") -> bytes:
    """Return a film with its heat map as a DICOM file in the film's study.

    Args:
        source: the bytes or the path of the DICOM file that was assessed.
        overlay: (height, width, 3) uint8, RGB, as `overlay_png.captioned` makes it.
        assessment: what a classifier said of the film.

    Raises:
        UnreadableImageError: if the source is not the file that was assessed.
        UnsupportedImageError: if the source is no DICOM file, or does not say which study it belongs to.
    """
    from highdicom.sc import SCImage

    identity = read(source, assessment.radiograph)
    image = SCImage(
        np.ascontiguousarray(overlay),
        "RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        # Checked by highdicom, and emptied below: a film may have been turned since its header was written.
        patient_orientation=("L", "F"),
        study_instance_uid=identity.StudyInstanceUID,
        **_new_instance(PICTURE_SERIES, "Heat map"),
    )
    image.PatientOrientation = []
    image.BodyPartExamined = "CHEST"
    take_over(image, identity)
    image.DerivationDescription = (
        f"Heat map of {assessment.card.title} (SHA-256 {assessment.card.sha256}) over the film. {DISCLAIMER}"
    )
    image.SourceImageSequence = [_reference(identity)]
    for keyword in ("BurnedInAnnotation", "LossyImageCompression"):
        if identity.get(keyword):
            setattr(image, keyword, identity[keyword].value)
    return _as_bytes(image)


def structured_report(source: bytes | Path, assessment: "Assessment", findings: Sequence[Finding] | None) -> bytes:
    """Return an answer as a DICOM structured report in the film's study.

    Args:
        source: the bytes or the path of the DICOM file that was assessed.
        assessment: what a classifier said of the film.
        findings: what the gate found, refusals first; None where the film was not checked.

    Raises:
        UnreadableImageError: if the source is not the file that was assessed.
        UnsupportedImageError: if the source is no DICOM file, or does not say which study it belongs to.
    """
    from highdicom import coding_schemes, sr
    from pydicom.sr.codedict import codes

    identity = read(source, assessment.radiograph)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(assessment)),
        procedure_reported=codes.SCT.PlainRadiography,
        imaging_measurements=[_measurement_group(assessment, findings, identity)],
    )
    contents = report[0].ContentSequence
    contents.insert(len(contents) - 1, _image_library(identity))
    document = sr.ComprehensiveSR(
        evidence=[_bare(identity)],
        content=report[0],
        is_complete=True,
        is_verified=False,
        coding_schemes=[
            coding_schemes.CodingSchemeIdentificationItem(SCHEME, name="pneumo", responsible_organization="pneumo")
        ],
        **_new_instance(REPORT_SERIES, "Answer"),
    )
    take_over(document, identity)
    return _as_bytes(document)


def _new_instance(series: int, what: str) -> dict[str, Any]:
    """Return the arguments that make an instance in a series of its own."""
    return {
        "series_instance_uid": generate_uid(prefix=None),
        "series_number": series,
        "series_description": f"pneumo: {what}. Research, not for diagnosis",
        "sop_instance_uid": generate_uid(prefix=None),
        "instance_number": 1,
        "manufacturer": "pneumo",
        "manufacturer_model_name": "pneumo",
        "software_versions": __version__,
        "specific_character_set": CHARACTER_SET,
    }


def _bare(identity: Dataset) -> Dataset:
    """Return the film's identity without the patient's: highdicom quotes a name that it finds odd in the log."""
    bare = Dataset()
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(bare, keyword, identity[keyword].value)
    for keyword in ("PatientID", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(bare, keyword, "")
    for keyword in ("PatientName", "PatientBirthDate", "StudyDate", "StudyTime"):
        setattr(bare, keyword, None)
    return bare


def _reference(identity: Dataset) -> Dataset:
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    item = Dataset()
    item.ReferencedSOPClassUID = identity.SOPClassUID
    item.ReferencedSOPInstanceUID = identity.SOPInstanceUID
    purpose = CodedConcept.from_code(codes.DCM.SourceImageForImageProcessingOperation)
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _observer(assessment: "Assessment") -> "sr.ObserverContext":
    from highdicom import sr
    from pydicom.sr.codedict import codes

    card = assessment.card
    device = sr.DeviceObserverIdentifyingAttributes(
        # The same weights are the same device. Below 2.25 a UID holds 128 bits (DICOM PS3.5 B.2).
        uid=f"2.25.{int(card.sha256[:32], 16)}",
        name=f"pneumo {__version__}",
        manufacturer_name="pneumo",
        model_name=card.title,
    )
    return sr.ObserverContext(codes.DCM.Device, device)


def _image_library(identity: Dataset) -> "sr.ContainerContentItem":
    """Return TID 1600 with the film; highdicom's own demands of radiographs what few of them say."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    within = sr.RelationshipTypeValues.CONTAINS
    about = sr.RelationshipTypeValues.HAS_ACQ_CONTEXT
    pixels = Code("{pixels}", "UCUM", "Pixels")
    film = sr.ImageContentItem(
        name=codes.SCT.Source,
        referenced_sop_class_uid=identity.SOPClassUID,
        referenced_sop_instance_uid=identity.SOPInstanceUID,
        relationship_type=within,
    )
    film.ContentSequence = sr.ContentSequence(
        [
            *(
                sr.CodeContentItem(codes.DCM.Modality, modality, about)
                for modality in (getattr(codes.cid29, name) for name in codes.cid29.dir())
                if modality.value == identity.Modality
            ),
            sr.NumContentItem(codes.DCM.PixelDataRows, identity.Rows, pixels, relationship_type=about),
            sr.NumContentItem(codes.DCM.PixelDataColumns, identity.Columns, pixels, relationship_type=about),
        ]
    )
    group = sr.ContainerContentItem(name=codes.DCM.ImageLibraryGroup, relationship_type=within)
    group.ContentSequence = sr.ContentSequence([film])
    library = sr.ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=within, template_id="1600")
    library.ContentSequence = sr.ContentSequence([group])
    return library


def _measurement_group(
    assessment: "Assessment", findings: Sequence[Finding] | None, identity: Dataset
) -> "sr.MeasurementsAndQualitativeEvaluations":
    from highdicom import sr
    from pydicom.sr.codedict import codes

    card, thresholds = assessment.card, assessment.card.as_thresholds()
    algorithm = sr.AlgorithmIdentification(
        name=f"pneumo {card.name}",
        version=__version__,
        parameters=[
            f"model sha256: {card.sha256}",
            f"likely at or above: {as_percent(thresholds.high)}",
            f"unlikely below: {as_percent(thresholds.low)}",
        ],
    )
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(generate_uid(prefix=None), "pneumo: pneumonia on the film"),
        algorithm_id=algorithm,
        finding_sites=[sr.FindingSite(codes.SCT.Lung)],
        measurements=[sr.Measurement(PROBABILITY, round(100 * assessment.probability, 4), codes.UCUM.Percent)],
        qualitative_evaluations=[sr.QualitativeEvaluation(PNEUMONIA, ANSWERS[assessment.answer])],
        source_images=[sr.SourceImageForMeasurementGroup(identity.SOPClassUID, identity.SOPInstanceUID)],
    )
    group[0].ContentSequence.extend(
        sr.TextContentItem(codes.DCM.Comment, text, sr.RelationshipTypeValues.CONTAINS)
        for text in _comments(assessment, findings)
    )
    return group


def _comments(assessment: "Assessment", findings: Sequence[Finding] | None) -> list[str]:
    """Return what a reader must know beside the answer, the disclaimer first."""
    words = {"refuse": "Assessed in spite of a refusal", "warn": "Warning"}
    told = [f"{words[finding.severity]}: {finding.message}" for finding in findings or ()]
    unchecked = ["Whether this is a frontal chest film was not checked."] if findings is None else []
    prevalence = assessment.card.calibration["prevalence"]
    return [
        f"For research, not for diagnosis. {DISCLAIMER}",
        *unchecked,
        *told,
        *assessment.reasons,
        f"The probability holds where {prevalence:.0%} of the films show pneumonia; with fewer it is lower.",
        limits(assessment.card),
    ]


def _as_bytes(instance: Dataset) -> bytes:
    stream = io.BytesIO()
    instance.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
