"""Reports as DICOM objects that join the study of the film: a picture of the heat map, and a structured report.

This is the one place where pneumo reads a patient's name. It goes from one file into the other, so that an archive
files the new object in the same study, and into no message, log, picture or page.

The picture is a Secondary Capture (DICOM PS3.3 A.8), the report a Comprehensive SR that follows TID 1500 (PS3.16).
Concepts that neither DICOM nor SNOMED CT has a code for stand in the private coding scheme `SCHEME`. A film's objects
made anew by the same model are the same instances (`instance_uid`), so an archive never holds them twice.
"""

import dataclasses
import hashlib
import io
import json
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sr.coding import Code
from pydicom.tag import Tag
from pydicom.uid import UID

from pneumo import DISCLAIMER, __version__
from pneumo.errors import ImageError, UnreadableImageError, UnsupportedImageError
from pneumo.evaluation.calibration import as_percent
from pneumo.inference.conclusion import limits
from pneumo.inference.findings import Correction
from pneumo.inference.reading import Models, Reading
from pneumo.labels import ANSWER_WORDS
from pneumo.radiograph import dicom, silent_decoders

if TYPE_CHECKING:
    from highdicom import sr


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
_PICTURE = ("Modality", "Rows", "Columns")
_SEXES = ("M", "F", "O")


def read(reading: Reading) -> Dataset:
    """Read who and which study the film of a reading belongs to.

    Returns:
        What `identity` returns.

    Raises:
        UnreadableImageError: if the file is no longer there, or is another than the film was read from.
        UnsupportedImageError: if it is no DICOM file, or does not say which study and patient it belongs to.
    """
    film, name = reading.radiograph, reading.name
    if film and film.format != "DICOM":
        raise UnsupportedImageError(
            f"{film.name} is no DICOM file, so no DICOM report can refer to it. Keep the PDF and the JSON."
        )
    data = _bytes_of(reading)
    if film and hashlib.sha256(data).hexdigest() != film.sha256:
        raise UnreadableImageError(f"{film.name} has changed since it was assessed. Assess it again.")
    return identity(data, film.name if film else name)


def identity(data: bytes, name: str) -> Dataset:
    """Read who and which study a film belongs to, whether its picture can be read or not.

    Args:
        data: the bytes of a DICOM file.
        name: the file's name, for messages.

    Returns:
        The identifiers, the elements that a new object in the same study must or may have (empty where the file has
        none or a value that the standard forbids), ``Modality``, and ``Rows`` and ``Columns`` where the file tells
        them; all in `CHARACTER_SET`.

    Raises:
        UnreadableImageError: if the header is damaged.
        UnsupportedImageError: if it does not say which study and patient it belongs to.
    """
    with silent_decoders:
        try:
            dataset = dicom.elements(
                data, name, ("SpecificCharacterSet", *_DEMANDED, *_OPTIONAL, *_IDENTIFIERS, *_PICTURE)
            )
        except ImageError:
            raise
        except Exception as error:
            # pydicom raises whatever a damaged header leads to, and its messages may quote the header.
            raise UnreadableImageError(f"The header of {name} is damaged. Export the film again.") from error
        return _legal(dataset, name)


def _legal(dataset: Dataset, name: str) -> Dataset:
    legal = Dataset()
    legal.SpecificCharacterSet = CHARACTER_SET
    for keyword in _IDENTIFIERS:
        setattr(legal, keyword, _identifier(dataset, keyword, name))
    for keyword, vr in (_DEMANDED | _OPTIONAL).items():
        value = _legal_value(dataset, keyword, vr)
        if value is None and keyword == "PatientID":
            raise _cannot_join(name)
        if value or keyword in _DEMANDED:
            setattr(legal, keyword, value or "")
    if legal.PatientSex not in _SEXES:
        legal.PatientSex = ""
    legal.Modality = _legal_value(dataset, "Modality", "CS") or ""
    for keyword in ("Rows", "Columns"):
        value = _legal_value(dataset, keyword, "IS")
        if value and int(value) > 0:
            setattr(legal, keyword, int(value))
    return legal


def _bytes_of(reading: Reading) -> bytes:
    if isinstance(reading.source, bytes):
        return reading.source
    try:
        return reading.source.read_bytes()
    except OSError as error:
        name = reading.radiograph.name if reading.radiograph else reading.source.name
        raise UnreadableImageError(f"{name} can no longer be read. Check its path, and assess it again.") from error


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
        identity: of the film, as `read` returns it.
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
NOT_ASSESSED = Code("NOT_ASSESSED", SCHEME, "Not assessed")
# High, so that the film's own series stay the first of the study.
PICTURE_SERIES, REPORT_SERIES = 9101, 9102


def instance_uid(film: str, models: Models, kind: str) -> UID:
    """Return the UID of an object about a film: the same for the same film, models, site, version of pneumo and kind.

    Args:
        film: the film's SOP instance UID.
        models: that read it.
        kind: of object, such as ``report``, with all that a user chose of it.
    """
    site = models.classifier.site
    made_of = [film, dataclasses.asdict(models.card), site.as_json() if site else None, __version__, kind]
    # A name-based UUID (RFC 9562, 5.5) as a UID (DICOM PS3.5 B.2).
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(made_of, sort_keys=True)).int}")


def report_uids(film: str, models: Models) -> tuple[UID, UID]:
    """Return the UIDs that `structured_report` gives a film as it came: that of an answer or a refusal, and that of a
    report that it could not be read, which may be otherwise the next time.
    """
    return instance_uid(film, models, _kind("report")), instance_uid(film, models, _kind("report", is_unreadable=True))


def _kind_of(what: str, reading: Reading) -> str:
    return _kind(what, reading.forced, reading.correction, reading.error is not None)


def _kind(what: str, forced: bool = False, correction: Correction | None = None, is_unreadable: bool = False) -> str:
    return f"{what}, forced: {forced}, correction: {correction!r}, unreadable: {is_unreadable}"


def secondary_capture(reading: Reading, overlay: np.ndarray, chosen: str = "") -> bytes:
    """Return a film with its heat map as a DICOM file in the film's study.

    Args:
        reading: of a DICOM film that was assessed.
        overlay: (height, width, 3) uint8, RGB, as `overlay_png.captioned` makes it.
        chosen: what the user chose of the picture, such as the kind of heat map; part of its UID.

    Raises:
        UnreadableImageError: if the source is not the file that was assessed.
        UnsupportedImageError: if the source is no DICOM file, or does not say which study it belongs to.
    """
    from highdicom.sc import SCImage

    identity, card = read(reading), reading.models.card
    image = SCImage(
        np.ascontiguousarray(overlay),
        "RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        # Checked by highdicom, and emptied below: a film may have been turned since its header was written.
        patient_orientation=("L", "F"),
        study_instance_uid=identity.StudyInstanceUID,
        **_new_instance(reading, identity, PICTURE_SERIES, _kind_of(f"picture {chosen}", reading), "Heat map"),
    )
    image.PatientOrientation = []
    image.BodyPartExamined = "CHEST"
    take_over(image, identity)
    image.DerivationDescription = f"Heat map of {card.title} (SHA-256 {card.sha256}) over the film. {DISCLAIMER}"
    image.SourceImageSequence = [_reference(identity)]
    for keyword in ("BurnedInAnnotation", "LossyImageCompression"):
        if identity.get(keyword):
            setattr(image, keyword, identity[keyword].value)
    return _as_bytes(image)


def structured_report(reading: Reading) -> bytes:
    """Return what became of a film as a DICOM structured report in the film's study: its answer, or why it has none.

    Args:
        reading: of a DICOM film.

    Raises:
        UnreadableImageError: if the source is not the file that was assessed.
        UnsupportedImageError: if the source is no DICOM file, or does not say which study it belongs to.
    """
    from highdicom import coding_schemes, sr
    from pydicom.sr.codedict import codes

    identity = read(reading)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(reading)),
        procedure_reported=codes.SCT.PlainRadiography,
        imaging_measurements=[_measurement_group(reading, identity)],
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
        **_new_instance(reading, identity, REPORT_SERIES, _kind_of("report", reading), "Answer"),
    )
    take_over(document, identity)
    return _as_bytes(document)


def _new_instance(reading: Reading, identity: Dataset, series: int, kind: str, what: str) -> dict[str, Any]:
    """Return the arguments that make an instance in a series of its own."""
    film, models = identity.SOPInstanceUID, reading.models
    return {
        "series_instance_uid": instance_uid(film, models, f"series of {kind}"),
        "series_number": series,
        "series_description": f"pneumo: {what}. Research, not for diagnosis",
        "sop_instance_uid": instance_uid(film, models, kind),
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


def _observer(reading: Reading) -> "sr.ObserverContext":
    from highdicom import sr
    from pydicom.sr.codedict import codes

    card = reading.models.card
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
    described = [
        *(
            sr.CodeContentItem(codes.DCM.Modality, modality, about)
            for modality in (getattr(codes.cid29, name) for name in codes.cid29.dir())
            if modality.value == identity.Modality
        ),
        *(
            sr.NumContentItem(name, identity[keyword].value, pixels, relationship_type=about)
            for keyword, name in (("Rows", codes.DCM.PixelDataRows), ("Columns", codes.DCM.PixelDataColumns))
            if keyword in identity
        ),
    ]
    if described:
        film.ContentSequence = sr.ContentSequence(described)
    group = sr.ContainerContentItem(name=codes.DCM.ImageLibraryGroup, relationship_type=within)
    group.ContentSequence = sr.ContentSequence([film])
    library = sr.ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=within, template_id="1600")
    library.ContentSequence = sr.ContentSequence([group])
    return library


def _measurement_group(reading: Reading, identity: Dataset) -> "sr.MeasurementsAndQualitativeEvaluations":
    from highdicom import sr
    from pydicom.sr.codedict import codes

    card, assessment = reading.models.card, reading.assessment
    thresholds = card.as_thresholds()
    algorithm = sr.AlgorithmIdentification(
        name=f"pneumo {card.name}",
        version=__version__,
        parameters=[
            f"model sha256: {card.sha256}",
            f"likely at or above: {as_percent(thresholds.high)}",
            f"unlikely below: {as_percent(thresholds.low)}",
        ],
    )
    tracked = instance_uid(identity.SOPInstanceUID, reading.models, _kind_of("tracking", reading))
    measured = []
    if assessment:
        measured = [sr.Measurement(PROBABILITY, round(100 * assessment.probability, 4), codes.UCUM.Percent)]
    answer = ANSWERS[assessment.answer] if assessment else NOT_ASSESSED
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(tracked, "pneumo: pneumonia on the film"),
        algorithm_id=algorithm,
        finding_sites=[sr.FindingSite(codes.SCT.Lung)],
        measurements=measured,
        qualitative_evaluations=[sr.QualitativeEvaluation(PNEUMONIA, answer)],
        source_images=[sr.SourceImageForMeasurementGroup(identity.SOPClassUID, identity.SOPInstanceUID)],
    )
    group[0].ContentSequence.extend(
        sr.TextContentItem(codes.DCM.Comment, text, sr.RelationshipTypeValues.CONTAINS) for text in _comments(reading)
    )
    return group


def _comments(reading: Reading) -> list[str]:
    """Return what a reader must know beside the answer, the disclaimer first."""
    return [
        f"For research, not for diagnosis. {DISCLAIMER}",
        *(_of_answer if reading.assessment else _of_none)(reading),
    ]


def _of_answer(reading: Reading) -> list[str]:
    assert reading.assessment is not None
    words = {"refuse": "Assessed in spite of a refusal", "warn": "Warning"}
    told = [f"{words[finding.severity]}: {finding.message}" for finding in reading.findings or ()]
    unchecked = ["Whether this is a frontal chest film was not checked."] if reading.findings is None else []
    prevalence = reading.assessment.card.calibration["prevalence"]
    return [
        *unchecked,
        *told,
        *reading.assessment.reasons,
        f"The probability holds where {prevalence:.0%} of the films show pneumonia; with fewer it is lower.",
        limits(reading.assessment.card),
    ]


def _of_none(reading: Reading) -> list[str]:
    words = {"refuse": "Refused", "warn": "Warning"}
    told = [f"{words[finding.severity]}: {finding.message}" for finding in reading.findings or ()]
    return told or [f"Not readable: {reason}" for reason in reading.reasons]


def _as_bytes(instance: Dataset) -> bytes:
    stream = io.BytesIO()
    instance.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
