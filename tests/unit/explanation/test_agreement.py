import cv2
import numpy as np
import pytest
from scipy.stats import spearmanr
from toy import synthetic

from pneumo.evaluation.intervals import Estimate
from pneumo.explanation import agreement
from pneumo.explanation.agreement import Agreement, UsualAgreement, compare, in_words, rank_correlation, usual


def test_the_rank_correlation_is_scipys_on_the_same_cells():
    first, second = np.random.default_rng(0).random((2, 32, 32))
    second = np.where(second < 0.5, 0, second) + first

    assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel())[0])
    assert rank_correlation(first, np.sqrt(first)) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)


def test_maps_of_different_shape_are_compared_and_flat_ones_are_not():
    coarse = np.array([[0, 1], [2, 3]], np.float32)

    assert rank_correlation(cv2.resize(coarse, (64, 64)), cv2.resize(coarse, (320, 160))) > 0.99
    assert rank_correlation(coarse, np.ones((5, 5))) is None
    assert compare(coarse, np.zeros((5, 5))) is None
    assert compare(np.zeros((5, 5)), coarse) is None


def test_the_overlap_is_counted_as_by_hand():
    one, other = np.zeros((2, 32, 32), np.float32)
    # Fewer than the 102 cells of a tenth are warm: 40 and 80, and 20 of them in both maps.
    one[0, :] = one[1, :8] = 1
    other[1, :] = other[2, :] = other[0, :12] = other[3, :4] = 0.5

    assert compare(one, other).overlap == pytest.approx((12 + 8) / (40 + 80 - 20))
    assert compare(one, one) == Agreement(pytest.approx(1), 1)
    assert compare(one, one[::-1]).overlap == 0


def test_the_hottest_tenth_of_each_is_compared_not_what_is_warm():
    row, column = np.mgrid[:64, :64]
    down, across = row + column / 1000, column + row / 1000

    # A tenth are 102 of 1,024 cells: the last three rows and six cells of the fourth, and so for columns. The two have
    # the corner of four by four in common.
    assert compare(down, down**3).overlap == 1
    assert compare(down, across).overlap == pytest.approx(16 / (102 + 102 - 16))
    assert compare(down, across).correlation == pytest.approx(0, abs=0.1)


CORRELATION, OVERLAP = Estimate(0.8, 0.77, 0.83), Estimate(0.45, 0.41, 0.49)


def test_what_is_usual_is_read_from_the_card_whichever_method_comes_first():
    figures = {"correlation": vars(CORRELATION), "overlap": vars(OVERLAP)}
    card = synthetic.card(heat={"agreement": {"gradcam": {"layercam": figures}}})

    assert usual(card, "gradcam", "layercam") == UsualAgreement(CORRELATION, OVERLAP)
    assert usual(card, "layercam", "gradcam") == UsualAgreement(CORRELATION, OVERLAP)
    assert usual(card, "gradcam", "smoothgrad") is None
    assert usual(synthetic.card(), "gradcam", "layercam") is None


def test_agreement_is_told_beside_what_is_usual():
    assert in_words(Agreement(-0.061, 0.464)) == "rank correlation −0.06; their hottest tenths overlap by 46 %."
    assert in_words(Agreement(0.81, 0.46), UsualAgreement(CORRELATION, OVERLAP)) == (
        "rank correlation 0.81 (usually 0.80, 0.77 to 0.83); "
        "their hottest tenths overlap by 46 % (usually 45 %, 41 to 49 %)."
    )


def test_cells_keep_the_mean_of_a_map():
    heat = np.random.default_rng(0).random((96, 160), np.float32)

    assert agreement.cells(heat).shape == (32, 32)
    assert agreement.cells(heat).mean() == pytest.approx(heat.mean(), rel=1e-5)
