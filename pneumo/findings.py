"""What the gate tells of a film: findings, and the corrections that it offers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pneumo.sentences import Sentence, say

Severity = Literal["refuse", "warn"]
# By quarters clockwise.
TURNS = {1: say("turn by 90° clockwise"), 2: say("turn by 180°"), 3: say("turn by 90° anticlockwise")}


@dataclass(frozen=True)
class Correction:
    """What would put a film right; applied only when a user asks for it.

    Attributes:
        quarter_turns: clockwise turns by 90°, 0…3.
        invert: whether black and white are to change places.
    """

    quarter_turns: int = 0
    invert: bool = False

    def __str__(self) -> Sentence:
        """Say what is done, as in ``turn by 90° clockwise and invert``."""
        if not self.quarter_turns:
            return say("invert") if self.invert else say("do nothing")
        turn = TURNS[self.quarter_turns]
        return say("{turn} and invert", turn=turn) if self.invert else turn

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return corrected grey values, (height, width) float32 in 0…1."""
        turned = np.rot90(pixels, -self.quarter_turns)
        return np.ascontiguousarray(1 - turned if self.invert else turned)


@dataclass(frozen=True)
class Finding:
    """One reason for or against judging a film.

    Attributes:
        code: for programs, such as ``lateral``.
        severity: ``refuse`` or ``warn``.
        message: what is wrong and what to do, for a user.
        correction: what would put it right, where pneumo can do that.
    """

    code: str
    severity: Severity
    message: str
    correction: Correction | None = None


def refusals(findings: list[Finding]) -> list[Finding]:
    """Return those that refuse the film."""
    return [finding for finding in findings if finding.severity == "refuse"]


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings with the refusals first."""
    return tuple(sorted(findings, key=lambda finding: finding.severity != "refuse"))


def refuse(code: str, message: str, correction: Correction | None = None) -> Finding:
    """Return a finding that keeps the models from judging the film."""
    return Finding(code, "refuse", message, correction)


def warn(code: str, message: str) -> Finding:
    """Return a finding that is told beside the answer."""
    return Finding(code, "warn", message)
