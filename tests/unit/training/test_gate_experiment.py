import numpy as np
import pandas as pd
import pytest

from pneumo.inference.findings import Correction
from pneumo.training import gate


def answers(*rows):
    return pd.DataFrame(rows, columns=gate.COLUMNS)


def test_shares_are_counted_for_films_as_they_are_and_for_each_alteration():
    metrics = gate.summarise(
        answers(
            ("a", "p", "NORMAL", "", "", 1, "", ""),
            ("b", "p", "NORMAL", "", "", 0, "inverted adult", "invert"),
            ("a", "p", "NORMAL", "", "inverted", 0, "inverted", "invert"),
            ("b", "p", "NORMAL", "", "inverted", 0, "not_chest_film", ""),
            ("a", "p", "NORMAL", "", "mirrored", 1, "mirrored", ""),
        )
    )

    assert (metrics["films"], metrics["accepted"]["count"], metrics["false_alarms"]["count"]) == (2, 1, 1)
    assert metrics["findings"] == {"adult": 1, "inverted": 1}
    assert (
        metrics["altered"]["inverted"]["found"]["value"] == metrics["altered"]["inverted"]["corrected"]["value"] == 0.5
    )
    assert metrics["altered"]["mirrored"]["found"]["count"] == 1
    assert "refused_far" not in metrics


def test_other_pictures_are_counted_by_how_near_they_are():
    metrics = gate.summarise(answers(("a", "a", "hand", 1, "", 0, "x", ""), ("b", "b", "cat", 0, "", 1, "", "")))

    assert (metrics["refused_near"]["value"], metrics["refused_far"]["value"]) == (1.0, 0.0)
    assert {category: share["count"] for category, share in metrics["refused_by_category"].items()} == {
        "cat": 0,
        "hand": 1,
    }


@pytest.mark.parametrize("name", gate.ALTERATIONS)
def test_the_named_correction_undoes_the_alteration(name):
    change, _, words = gate.ALTERATIONS[name]
    pixels = np.random.default_rng(0).random((70, 90)).astype(np.float32)
    corrections = [Correction(turns, invert) for turns in range(4) for invert in (False, True)]

    if words:
        (correction,) = (correction for correction in corrections if str(correction) == words)
        np.testing.assert_allclose(correction.apply(np.asarray(change(pixels))), pixels, atol=1e-6)
    else:
        assert not np.array_equal(change(pixels), pixels)
