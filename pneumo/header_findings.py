"""What a file says of itself against judging its film: kind of picture, part of the body, view, age, size."""

from pneumo import preprocessing
from pneumo.findings import Finding, refuse, warn
from pneumo.radiograph import Radiograph
from pneumo.sentences import say

ADULT_YEARS = 18.0
SEEN_YEARS = (1.0, 6.0)
# Below this side a film is less than half of what the models look at; below `preprocessing.SQUARE` it is blurred by
# enlarging it.
SMALLEST_SIDE = preprocessing.SQUARE // 2

_RADIOGRAPHS = frozenset({"CR", "DX", "DR", "RG", "SC", "OT", "PX"})
_CHEST = ("CHEST", "THORAX", "LUNG", "RIB", "TORSO", "TRUNK", "BODY", "HEART", "MEDIASTIN", "BABYGRAM")
_OTHER_PARTS = (
    *("ABDOMEN", "PELVI", "HIP", "SPINE", "SKULL", "HEAD", "NECK", "JAW", "TEETH", "SINUS", "BREAST", "KIDNEY"),
    *("HAND", "WRIST", "FINGER", "THUMB", "ELBOW", "FOREARM", "ARM", "HUMERUS", "SHOULDER", "CLAVICLE", "SCAPULA"),
    *("LEG", "KNEE", "ANKLE", "FOOT", "TOE", "FEMUR", "TIBIA", "FIBULA", "CALCANEUS", "EXTREMITY", "BLADDER", "COLON"),
)
_LATERAL_VIEWS = frozenset({"LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT"})


def of_file(film: Radiograph) -> list[Finding]:
    """Return what the file says of itself that speaks against judging it."""
    findings = []
    modality, part, view = (
        (text or "").strip().upper() for text in (film.modality, film.body_part, film.view_position)
    )
    if modality and modality not in _RADIOGRAPHS:
        findings.append(
            refuse(
                "not_radiograph",
                say(
                    "The file says that it is no plain radiograph (modality {modality}). "
                    "Give a chest film from CR or DX.",
                    modality=modality,
                ),
            )
        )
    if part and any(name in part for name in _OTHER_PARTS) and not any(name in part for name in _CHEST):
        findings.append(
            refuse(
                "other_body_part",
                say("The file says that it shows another part of the body ({part}), not the chest.", part=part),
            )
        )
    if view in _LATERAL_VIEWS:
        findings.append(
            refuse(
                "lateral",
                say("The file says that it is a side view ({view}). Give the frontal film, PA or AP.", view=view),
            )
        )
    return findings + _age_findings(film.age_years)


def _age_findings(years: float | None) -> list[Finding]:
    if years is None:
        return []
    if years >= ADULT_YEARS:
        return [
            warn(
                "adult",
                say(
                    "The file says that the patient is {years} years old. The models saw children of one to five "
                    "years only; on adults they were no better than chance.",
                    years=int(years),
                ),
            )
        ]
    if not SEEN_YEARS[0] <= years < SEEN_YEARS[1]:
        if years >= SEEN_YEARS[1]:
            age = say("{years} years", years=int(years))
        else:
            age = say("{months} months", months=min(round(years * 12), 11))
        return [
            warn(
                "unusual_age",
                say(
                    "The file says that the patient is {age} old. The models saw children of one to five years only.",
                    age=age,
                ),
            )
        ]
    return []


def of_size(film: Radiograph) -> list[Finding]:
    """Return whether a film has too few pixels."""
    side = min(film.width, film.height)
    size = say("The picture has only {width} × {height} pixels", width=film.width, height=film.height)
    if side < SMALLEST_SIDE:
        told = say("{size}; a film needs {least} on each side. Give the original.", size=size, least=SMALLEST_SIDE)
        return [refuse("too_small", told)]
    if side < preprocessing.SQUARE:
        fewer = say("{size}, fewer than the models look at. Give the original if there is one.", size=size)
        return [warn("too_small", fewer)]
    return []
