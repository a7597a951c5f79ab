"""Findings of the gate and the corrections that it offers; image quality; what a file's header says against a film."""

import re
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from pneumo.preprocessing import network_input, outlines
from pneumo.preprocessing.outlines import Corners
from pneumo.radiograph import Radiograph, header
from pneumo.sentences import Sentence, say

Severity = Literal["refuse", "warn"]
# By quarters clockwise.
TURNS = {1: say("turn by 90° clockwise"), 2: say("turn by 180°"), 3: say("turn by 90° anticlockwise")}

ADULT_YEARS = 18.0
SEEN_YEARS = (1.0, 6.0)
# Below this side a film is less than half of what the models look at; below `network_input.SQUARE` it is blurred by
# enlarging it.
SMALLEST_SIDE = network_input.SQUARE // 2

# Plain radiographs, as the standard and as machines call them, and what a picture of one is filed as.
_RADIOGRAPHS = frozenset(("CR", "DX", "DR", "RG", "PX", "XR", "RX", "CXR", "DXR", "XRAY"))
_CAPTURES = frozenset(("SC", "OT", "XC", "HC"))
_CHEST = ("CHEST", "THORAX", "LUNG", "RIB", "TORSO", "TRUNK", "BODY", "HEART", "MEDIASTIN", "BABYGRAM")
_OTHER_PARTS = (
    *("ABDOMEN", "PELVI", "HIP", "SPINE", "SKULL", "HEAD", "NECK", "JAW", "TEETH", "SINUS", "BREAST", "KIDNEY"),
    *("HAND", "WRIST", "FINGER", "THUMB", "ELBOW", "FOREARM", "ARM", "HUMERUS", "SHOULDER", "CLAVICLE", "SCAPULA"),
    *("LEG", "KNEE", "ANKLE", "FOOT", "TOE", "FEMUR", "TIBIA", "FIBULA", "CALCANEUS", "EXTREMITY", "BLADDER", "COLON"),
)


@dataclass(frozen=True)
class Correction:
    """What would put a film right; applied only when a user asks for it.

    Attributes:
        quarter_turns: clockwise turns by 90°, 0…3.
        invert: whether black and white are to change places.
        crop: the film inside the picture, which is cut out and straightened before it is turned; None where the film
            fills the picture.
    """

    quarter_turns: int = 0
    invert: bool = False
    crop: Corners | None = None

    def __str__(self) -> Sentence:
        """Say what is done, as in ``turn by 90° clockwise and invert``."""
        if self.crop:
            return _cut_out(self.crop)
        if not self.quarter_turns:
            return say("invert") if self.invert else say("do nothing")
        turn = TURNS[self.quarter_turns]
        return say("{turn} and invert", turn=turn) if self.invert else turn

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return corrected grey values, (height, width) float32 in 0…1."""
        film = outlines.cut_out(pixels, self.crop) if self.crop else pixels
        turned = np.rot90(film, -self.quarter_turns)
        return np.ascontiguousarray(1 - turned if self.invert else turned)


# By the row and the column of the third of the picture that the middle of the film lies in.
_CUTS = (
    (
        say("cut out the film at the upper left"),
        say("cut out the film at the top"),
        say("cut out the film at the upper right"),
    ),
    (say("cut out the film on the left"), say("cut out the film in the middle"), say("cut out the film on the right")),
    (
        say("cut out the film at the lower left"),
        say("cut out the film at the bottom"),
        say("cut out the film at the lower right"),
    ),
)


def _cut_out(crop: Corners) -> Sentence:
    if not outlines.is_box(crop):
        return say("cut out the film and straighten it")
    left, top, right, bottom = outlines.bounds(crop)
    row, column = (_third((start + end) / 2) for start, end in ((top, bottom), (left, right)))
    return _CUTS[row][column]


def _third(middle: float) -> int:
    return 0 if middle < 0.4 else 2 if middle > 0.6 else 1


@dataclass(frozen=True)
class Finding:
    """One reason for or against judging a film.

    Attributes:
        code: for programs, such as ``lateral``.
        severity: ``refuse`` or ``warn``.
        message: what is wrong and what to do, for a user.
        corrections: what would put it right, where pneumo can do that; one for each film in the picture.
    """

    code: str
    severity: Severity
    message: str
    corrections: tuple[Correction, ...] = ()


def refusals(findings: list[Finding]) -> list[Finding]:
    """Return those that refuse the film."""
    return [finding for finding in findings if finding.severity == "refuse"]


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings with the refusals first."""
    return tuple(sorted(findings, key=lambda finding: finding.severity != "refuse"))


def refuse(code: str, message: str, *corrections: Correction) -> Finding:
    """Return a finding that keeps the models from judging the film."""
    return Finding(code, "refuse", message, corrections)


def warn(code: str, message: str) -> Finding:
    """Return a finding that is told beside the answer."""
    return Finding(code, "warn", message)


@dataclass(frozen=True)
class Quality:
    """Measured on a film squashed to `network_input.SQUARE`, so that a copy of another size measures alike.

    Attributes:
        brightness: mean grey value, 0…1.
        contrast: the range of grey values from the 1st to the 99th percentile, 0…1.
        sharpness: standard deviation of the fine detail (below a Gaussian of 2 pixels) over that of the coarser detail
            (between Gaussians of 2 and 8 pixels). A blur takes the fine detail first; exposure changes neither.
    """

    brightness: float
    contrast: float
    sharpness: float


def measure(pixels: np.ndarray) -> Quality:
    """Measure a film, (height, width) float32 in 0…1, or what `network_input.squashed` makes of it."""
    small = network_input.squashed(pixels)
    low, high = np.percentile(small, network_input.WINDOW)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (2.0, 8.0))
    coarse_detail = float((fine - coarse).std())
    sharpness = float((small - fine).std()) / coarse_detail if coarse_detail > 0 else 0.0
    return Quality(float(small.mean()), float(high - low), sharpness)


def of_file(film: Radiograph) -> list[Finding]:
    """Return what the file says of itself that speaks against judging it."""
    findings = []
    modality, part, view = (
        (text or "").strip().upper() for text in (film.modality, film.body_part, film.view_position)
    )
    if modality and not _may_be_radiograph(modality):
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
    if view and (finding := _view_finding(view)):
        findings.append(finding)
    return findings + _age_findings(film.age_years)


def _may_be_radiograph(modality: str) -> bool:
    names = re.findall(r"[A-Z]+", modality.replace("-", ""))
    return bool(names) and all(name in _RADIOGRAPHS | _CAPTURES for name in names)


def _view_finding(view: str) -> Finding | None:
    kind = header.projection(view)
    if kind == "lateral":
        return refuse(
            "lateral",
            say("The file says that it is a side view ({view}). Give the frontal film, PA or AP.", view=view),
        )
    if kind == "oblique":
        return refuse(
            "oblique",
            say("The file says that it is an oblique view ({view}). Give the frontal film, PA or AP.", view=view),
        )
    if kind in ("decubitus", "lordotic"):
        return warn(
            "unusual_view",
            say(
                "The file says that it is no usual frontal view ({view}), so the answer may be wrong. Give the frontal "
                "film, PA or AP, if there is one.",
                view=view,
            ),
        )
    return None


def _age_findings(years: float | None) -> list[Finding]:
    if years is None:
        return []
    if years >= ADULT_YEARS:
        return [
            refuse(
                "adult",
                say(
                    "The file says that the patient is {years} years old. pneumo reads children's films; on films of "
                    "adults its models are wrong far more often. Give a child's film.",
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
                    "The file says that the patient is {age} old. Nearly all children whose films the models learned "
                    "from were one to five years old.",
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
    if side < network_input.SQUARE:
        fewer = say("{size}, fewer than the models look at. Give the original if there is one.", size=size)
        return [warn("too_small", fewer)]
    return []
