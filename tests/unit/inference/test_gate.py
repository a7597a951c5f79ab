import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from toy import synthetic

from pneumo import radiograph
from pneumo.inference import gate, lungs
from pneumo.inference.findings import Correction, Finding, Quality, in_order, of_file, of_size
from pneumo.inference.gate import GateOutput, GateResult, Limits
from pneumo.radiograph import Radiograph

LIMITS = Limits.of(synthetic.LIMITS)
GOOD = Quality(brightness=0.5, contrast=0.6, sharpness=0.6)
EVERY_CORRECTION = [Correction(turns, invert) for turns in range(4) for invert in (False, True)]


def film_of(height=240, width=300, **said):
    return Radiograph(np.zeros((height, width), np.float32), "film.dcm", "f" * 64, "DICOM", 12, **said)


def view_of(novelty=1.0, turned=(1.0, 0.0, 0.0, 0.0), mirrored=0.0, inverted=0.0):
    return GateOutput(novelty, np.array(turned), mirrored, inverted)


def mask_of(count=2, uncertainty=0.1, shift=0):
    """Return a mask of so many lungs, moved to the right by so many pixels."""
    drawn = synthetic.lung_mask(224, 224, (0.3, 0.7, 0.5)[:count] if count else ())
    mask = lungs.of_probability(np.roll(drawn, shift, axis=1).astype(np.float32))
    return dataclasses.replace(mask, uncertainty=uncertainty)


def told(findings):
    return [(finding.code, finding.severity) for finding in findings]


@pytest.mark.parametrize(
    "modality", ["CR", "DX", "DR", "RG", "XR", "RX", "X-RAY", "CR/DX", "SC", "OT", "XC", "dx ", "", None]
)
def test_plain_radiographs_and_files_that_do_not_say_pass(modality):
    assert of_file(film_of(modality=modality)) == []


@pytest.mark.parametrize("modality", ["CT", "MR", "US", "NM", "MG", "ct", "CR/CT", "?"])
def test_refuses_what_is_no_plain_radiograph(modality):
    findings = of_file(film_of(modality=modality))

    assert told(findings) == [("not_radiograph", "refuse")]
    assert modality.upper() in findings[0].message


@pytest.mark.parametrize(
    "part",
    ["CHEST", "Chest PA", "PORT CHEST", "CHEST/ABDOMEN", "THORAX", "RIBS", "WHOLE BODY", "OTHER", "", "  ", None],
)
def test_films_of_the_chest_and_files_that_do_not_say_pass(part):
    assert of_file(film_of(body_part=part)) == []


@pytest.mark.parametrize("part", ["HAND", "ABDOMEN", "Knee ", "LSPINE", "SKULL", "PELVIS", "THORACIC SPINE"])
def test_refuses_another_part_of_the_body(part):
    findings = of_file(film_of(body_part=part))

    assert told(findings) == [("other_body_part", "refuse")]
    assert part.strip().upper() in findings[0].message


@pytest.mark.parametrize("view", ["LL", "RL", "lateral", "LAT ", "L", "XTABLE LATERAL", "SWIMMERS"])
def test_refuses_a_lateral_view(view):
    assert told(of_file(film_of(view_position=view))) == [("lateral", "refuse")]


def test_refuses_an_oblique_view_and_warns_of_an_unusual_frontal_one():
    assert told(of_file(film_of(view_position="RAO"))) == [("oblique", "refuse")]
    assert told(of_file(film_of(view_position="LLD"))) == [("unusual_view", "warn")]


@pytest.mark.parametrize("view", ["PA", "AP", "PA/AP", "A-P", "PORTABLE AP SUPINE", "", None])
def test_frontal_views_and_files_that_do_not_say_pass(view):
    assert of_file(film_of(view_position=view)) == []


@pytest.mark.parametrize(
    ("years", "code", "said"),
    [
        (0.0, "unusual_age", "0 months"),
        (0.5, "unusual_age", "6 months"),
        (0.99, "unusual_age", "11 months"),
        (1.0, None, ""),
        (3.0, None, ""),
        (5.99, None, ""),
        (6.0, "unusual_age", "6 years"),
        (12.0, "unusual_age", "12 years"),
        (17.0, "unusual_age", "17 years"),
        (17.99, "unusual_age", "17 years"),
        (18.0, "adult", "18 years"),
        (60.0, "adult", "60 years"),
        (None, None, ""),
    ],
)
def test_refuses_adults_and_warns_of_other_ages_that_the_models_did_not_see(years, code, said):
    findings = of_file(film_of(age_years=years))

    assert told(findings) == ([(code, "refuse" if code == "adult" else "warn")] if code else [])
    assert all(said in finding.message for finding in findings)


def test_every_fault_of_a_header_is_told():
    film = film_of(modality="CT", body_part="HAND", view_position="LL", age_years=40.0)

    assert [each.code for each in of_file(film)] == [
        "not_radiograph",
        "other_body_part",
        "lateral",
        "adult",
    ]


@pytest.mark.parametrize(
    ("height", "width", "severity"),
    [
        (111, 3000, "refuse"),
        (3000, 111, "refuse"),
        (112, 112, "warn"),
        (223, 3000, "warn"),
        (224, 224, None),
        (3000, 2000, None),
    ],
)
def test_a_film_needs_enough_pixels(height, width, severity):
    findings = of_size(film_of(height, width))

    assert told(findings) == ([("too_small", severity)] if severity else [])
    assert all(f"{width} × {height}" in finding.message for finding in findings)


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"brightness": 0.2}, None, None),
        ({"brightness": 0.19}, "too_dark", "warn"),
        ({"brightness": 0.1}, "too_dark", "warn"),
        ({"brightness": 0.09}, "too_dark", "refuse"),
        ({"brightness": 0.85}, None, None),
        ({"brightness": 0.86}, "too_bright", "warn"),
        ({"brightness": 0.95}, "too_bright", "warn"),
        ({"brightness": 0.96}, "too_bright", "refuse"),
        ({"contrast": 0.2}, None, None),
        ({"contrast": 0.19}, "too_flat", "warn"),
        ({"contrast": 0.09}, "too_flat", "refuse"),
        ({"sharpness": 0.1}, None, None),
        ({"sharpness": 0.09}, "blurred", "warn"),
        ({"sharpness": 0.04}, "blurred", "refuse"),
    ],
)
def test_exposure_and_sharpness_are_judged_on_both_sides_of_their_limits(change, code, severity):
    findings = gate.quality_findings(dataclasses.replace(GOOD, **change), LIMITS)

    assert told(findings) == ([(code, severity)] if code else [])


def test_a_black_picture_has_every_fault_of_exposure():
    findings = gate.quality_findings(Quality(0.0, 0.0, 0.0), LIMITS)

    assert told(findings) == [("too_dark", "refuse"), ("too_flat", "refuse"), ("blurred", "refuse")]
    assert "far too poor in contrast" in findings[1].message


def test_a_chest_film_looks_like_one_and_has_two_lungs():
    assert gate.is_chest(view_of(), mask_of(), LIMITS)
    assert gate.is_chest(view_of(LIMITS.novelty), mask_of(uncertainty=LIMITS.uncertainty), LIMITS)


@pytest.mark.parametrize(
    ("view", "mask"),
    [
        (view_of(LIMITS.novelty + 0.01), mask_of()),
        (view_of(float("nan")), mask_of()),
        (view_of(), mask_of(0)),
        (view_of(), mask_of(1)),
        (view_of(), mask_of(uncertainty=LIMITS.uncertainty + 0.01)),
    ],
)
def test_what_looks_strange_or_lacks_a_lung_is_no_chest_film(view, mask):
    assert not gate.is_chest(view, mask, LIMITS)


@pytest.mark.parametrize(
    ("view", "mask", "code"),
    [
        (view_of(), mask_of(1), "lateral"),
        (view_of(1.2 * LIMITS.novelty), mask_of(1), "lateral"),
        (view_of(1.3 * LIMITS.novelty), mask_of(1), "not_chest_film"),
        (view_of(), mask_of(1, uncertainty=0.9), "not_chest_film"),
        (view_of(), mask_of(0), "not_chest_film"),
        (view_of(9.0), mask_of(), "not_chest_film"),
    ],
)
def test_refuses_what_is_no_chest_film_and_tells_a_side_view(view, mask, code):
    assert told(gate.content_findings(view, mask, LIMITS)) == [(code, "refuse")]


def test_nothing_speaks_against_a_chest_film():
    assert gate.content_findings(view_of(), mask_of(), LIMITS) == []


def test_warns_where_the_lungs_run_over_the_edge():
    assert told(gate.content_findings(view_of(), mask_of(shift=-60), LIMITS)) == [("lungs_cut_off", "warn")]


def test_warns_where_left_and_right_may_have_changed_places():
    assert told(gate.content_findings(view_of(mirrored=0.5), mask_of(), LIMITS)) == [("mirrored", "warn")]
    assert gate.content_findings(view_of(mirrored=0.49), mask_of(), LIMITS) == []


@pytest.mark.parametrize(
    ("view", "correction"),
    [
        (view_of(), None),
        (view_of(turned=(0.51, 0.49, 0.0, 0.0)), None),
        (view_of(turned=(0.3, 0.6, 0.1, 0.0)), Correction(1)),
        (view_of(turned=(0.0, 0.0, 1.0, 0.0)), Correction(2)),
        (view_of(turned=(0.0, 0.0, 0.0, 1.0)), Correction(3)),
        (view_of(inverted=0.49), None),
        (view_of(inverted=0.5), Correction(0, invert=True)),
        (view_of(turned=(0.0, 0.0, 0.0, 1.0), inverted=1.0), Correction(3, invert=True)),
    ],
)
def test_what_was_done_to_a_film_is_to_be_undone(view, correction):
    assert gate.suspected_correction(view, LIMITS) == correction


@pytest.mark.parametrize("correction", EVERY_CORRECTION)
@given(
    pixels=arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(0, 1, width=16)
    )
)
def test_a_correction_undoes_what_numpy_did(correction, pixels):
    """A picture that was turned anticlockwise (and inverted) is put right again."""
    wrong = np.rot90(1 - pixels if correction.invert else pixels, correction.quarter_turns)

    righted = correction.apply(wrong)

    assert (righted.dtype, righted.flags.c_contiguous) == (np.float32, True)
    np.testing.assert_allclose(righted, pixels, atol=1e-6)


@pytest.mark.parametrize(
    ("correction", "words", "codes"),
    [
        (Correction(1), "turn by 90° clockwise", ["rotated"]),
        (Correction(2), "turn by 180°", ["rotated"]),
        (Correction(3), "turn by 90° anticlockwise", ["rotated"]),
        (Correction(0, invert=True), "invert", ["inverted"]),
        (Correction(2, invert=True), "turn by 180° and invert", ["inverted", "rotated"]),
    ],
)
def test_a_film_that_needs_a_correction_is_refused_with_the_offer(correction, words, codes):
    findings = gate.correction_findings(correction)

    assert str(correction) == words
    assert told(findings) == [(code, "refuse") for code in codes]
    for finding in findings:
        assert f"pneumo can {words} and then assess it, if you ask for that" in finding.message
        assert finding.corrections == (correction,)


def test_a_corrected_film_is_another_that_says_so():
    pixels = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    before = pixels.copy()
    film = dataclasses.replace(film_of(), pixels=pixels, notes=("It was resampled.",))

    righted = gate.corrected(film, Correction(1, invert=True))

    np.testing.assert_array_equal(film.pixels, before)
    np.testing.assert_allclose(righted.pixels, 1 - np.rot90(before, -1))
    assert (righted.width, righted.height) == (2, 3)
    assert not righted.pixels.flags.writeable
    assert film.notes == ("It was resampled.",)
    assert righted.notes[0] == "It was resampled."
    assert "corrected at the user's request: turn by 90° clockwise and invert" in righted.notes[1]
    assert righted.sha256 == film.sha256


def test_refusals_stand_first_in_the_order_that_they_were_found():
    severities = ("warn", "refuse", "warn", "refuse")
    findings = [Finding(str(number), severity, "") for number, severity in enumerate(severities)]

    assert [finding.code for finding in in_order(findings)] == ["1", "3", "0", "2"]


def test_one_refusal_is_enough_and_warnings_do_not_count():
    refusal, warning = Finding("a", "refuse", "", (Correction(1),)), Finding("b", "warn", "")

    assert GateResult(()).accepted
    assert GateResult((warning,)).accepted
    assert not GateResult((refusal, warning)).accepted
    assert GateResult((warning,)).corrections == ()
    assert GateResult((Finding("c", "refuse", ""), refusal)).corrections == (Correction(1),)


def test_a_card_that_lacks_a_limit_is_not_read():
    with pytest.raises(KeyError, match="blurred"):
        Limits.of({name: value for name, value in synthetic.LIMITS.items() if name != "blurred"})


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "codes"),
    [
        ("reported/00_base.dcm", []),
        ("reported/01_age_42_no_unit.dcm", ["adult"]),
        ("reported/01_age_45_space_Y.dcm", ["adult"]),
        ("reported/02_modality_XR.dcm", []),
        ("reported/19_view_L.dcm", ["lateral"]),
        ("reported/19_view_XTABLE_LATERAL.dcm", ["lateral"]),
        ("reported/19_viewcode_lateral.dcm", ["lateral"]),
        ("dicom/dx_nih_no_window.dcm", ["adult"]),
        ("dicom/cr_jpeg_baseline.dcm", ["adult"]),
        ("dicom/cr_wrong_mono1_header.dcm", ["adult"]),
    ],
)
def test_the_headers_of_real_files_are_understood(file, codes, shared_data):
    assert [finding.code for finding in of_file(radiograph.read(shared_data / file))] == codes
