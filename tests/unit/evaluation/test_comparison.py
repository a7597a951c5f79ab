import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from pneumo.evaluation.comparison import Difference, delong, interval, mcnemar, p_text, tango

seeds = st.integers(0, 10**6)


def random_films(seed, films=80, patients=50, gap=0.3):
    """Labels, two models' scores with many ties, and patients with several films, of both classes too."""
    rng = np.random.default_rng(seed)
    labels = np.append([0, 0, 1, 1], rng.integers(0, 2, films - 4))
    truth = labels + rng.normal(0, 0.8, films)
    first, second = (np.round(truth + rng.normal(0, noise, films), 1) for noise in (0.5, 0.5 + gap))
    return labels, first, second, rng.integers(0, patients, films)


def clustered_films(rng, patients=80):
    """Two films of each patient, of one class, that resemble each other; both models are equally good."""
    labels = np.repeat(rng.integers(0, 2, patients), 2)
    child = np.repeat(rng.normal(0, 1, (2, patients)), 2, axis=1)
    first, second = labels + child + rng.normal(0, 0.4, (2, 2 * patients))
    return labels, first, second, np.repeat(np.arange(patients), 2)


def random_calls(seed, films=60, patients=25):
    labels, first, second, patients = random_films(seed, films, patients)
    return labels, (first > 0.5).astype(int), (second > 0.5).astype(int), patients


def values(difference):
    return dataclasses.astuple(difference)


def by_pairs(labels, first, second):
    """Return each film's structural components of DeLong et al. 1988, less the other model's, pair by pair."""
    sick, normal = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    share = np.zeros(len(labels))
    for score, sign in ((first, 1), (second, -1)):
        for one in sick:
            for other in normal:
                order = 1.0 if score[one] > score[other] else 0.5 if score[one] == score[other] else 0.0
                share[one] += sign * order / len(normal)
                share[other] += sign * order / len(sick)
    return share


@pytest.mark.parametrize("seed", range(6))
def test_delongs_variance_is_that_of_the_structural_components(seed):
    labels, first, second, _ = random_films(seed)
    share = by_pairs(labels, first, second)
    error = np.sqrt(sum(np.var(share[labels == label], ddof=1) / np.sum(labels == label) for label in (0, 1)))

    difference = delong(labels, first, second)

    assert difference.value == pytest.approx(roc_auc_score(labels, first) - roc_auc_score(labels, second))
    assert difference.high - difference.value == pytest.approx(1.959964 * error)
    assert difference.value - difference.low == pytest.approx(1.959964 * error)


@pytest.mark.parametrize("seed", range(6))
def test_the_clustered_variance_is_obuchowskis(seed):
    labels, first, second, patients = random_films(seed)
    share = by_pairs(labels, first, second)
    value, sick = share[labels == 1].mean(), np.sum(labels == 1)
    normal = len(labels) - sick
    every = np.unique(patients)
    products = {"sick": 0.0, "normal": 0.0, "both": 0.0}
    for patient in every:
        own = patients == patient
        of_sick = np.sum(share[own & (labels == 1)] - value)
        of_normal = np.sum(share[own & (labels == 0)] - value)
        products["sick"] += of_sick**2
        products["normal"] += of_normal**2
        products["both"] += of_sick * of_normal
    with_sick, with_normal = (len(np.unique(patients[labels == label])) for label in (1, 0))
    variance = (
        with_sick / ((with_sick - 1) * sick) * products["sick"] / sick
        + with_normal / ((with_normal - 1) * normal) * products["normal"] / normal
        + 2 * len(every) / (len(every) - 1) * products["both"] / (sick * normal)
    )

    difference = delong(labels, first, second, patients)

    assert difference.value == delong(labels, first, second).value
    assert difference.high - difference.value == pytest.approx(1.959964 * np.sqrt(variance))


def test_delongs_p_belongs_to_its_interval():
    difference = delong(*random_films(1))

    # The p-value is 0.05 where a limit touches 0.
    half = difference.high - difference.value
    assert (difference.p_value < 0.05) == (abs(difference.value) > half)
    assert difference.p_value == pytest.approx(2 * _upper_tail(1.959964 * abs(difference.value) / half), rel=1e-5)


def _upper_tail(z):
    density = np.linspace(z, z + 12, 200_001)
    return np.trapezoid(np.exp(-(density**2) / 2), density) / np.sqrt(2 * np.pi)


@given(seed=seeds, clustered=st.booleans())
def test_models_that_change_places_change_the_sign(seed, clustered):
    labels, first, second, patients = random_films(seed, films=40)
    chosen = patients if clustered else None

    there, back = delong(labels, first, second, chosen), delong(labels, second, first, chosen)

    assert values(-back) == pytest.approx(values(there), nan_ok=True)


@given(seed=seeds)
def test_only_the_order_of_the_scores_and_not_that_of_the_films_counts(seed):
    labels, first, second, patients = random_films(seed, films=40)
    order = np.random.default_rng(seed).permutation(40)

    plain = delong(labels, first, second, patients)

    assert values(delong(labels, np.exp(first), second * 3 - 7, patients)) == pytest.approx(values(plain))
    assert values(delong(labels[order], first[order], second[order], patients[order])) == pytest.approx(values(plain))


def test_models_that_order_films_alike_do_not_differ():
    labels, first, _, patients = random_films(2)

    for chosen in (patients, None, np.zeros(80)):
        assert values(delong(labels, first, np.exp(first), chosen)) == (0, 0, 0, 1)


def test_with_one_film_a_patient_the_clustered_figures_are_the_plain_ones():
    labels, first, second, _ = random_films(3)
    calls = first > 0.5, second > 0.5

    assert values(delong(labels, first, second, np.arange(80))) == pytest.approx(values(delong(labels, first, second)))
    assert mcnemar(labels, *calls, np.arange(80)) == mcnemar(labels, *calls)


@given(seed=seeds, copies=st.integers(2, 4))
def test_more_films_of_the_same_patients_narrow_no_auroc(seed, copies):
    labels, first, second, patients = random_films(seed, films=40)
    copied = [np.tile(array, copies) for array in (labels, first, second)]

    once, repeated = (
        delong(labels, first, second, patients),
        delong(*copied, np.tile(patients, copies)),
    )

    assert values(repeated) == pytest.approx(values(once))
    by_film, wrong = delong(labels, first, second), delong(*copied)
    assert wrong.high - wrong.low <= by_film.high - by_film.low


@given(seed=seeds, copies=st.integers(2, 4))
def test_more_films_of_the_same_patients_narrow_no_accuracy(seed, copies):
    labels, first, second, _ = random_calls(seed)
    patients = np.arange(60)
    copied = [np.tile(array, copies) for array in (labels, first, second)]

    once, repeated = mcnemar(labels, first, second, patients), mcnemar(*copied, np.tile(patients, copies))

    assert values(repeated.accuracy) == pytest.approx(values(once.accuracy))
    assert repeated.only_first_right == copies * once.only_first_right
    wrong = mcnemar(*copied).accuracy
    assert wrong.high - wrong.low < once.accuracy.high - once.accuracy.low


@settings(max_examples=20)
@given(seed=seeds)
def test_films_that_resemble_each_other_widen_the_intervals(seed):
    labels, first, second, patients = clustered_films(np.random.default_rng(seed))
    calls = first > 0.5, second > 0.5

    by_patient, by_film = delong(labels, first, second, patients), delong(labels, first, second)
    right, right_by_film = mcnemar(labels, *calls, patients).accuracy, mcnemar(labels, *calls).accuracy

    assert by_patient.high - by_patient.low > 1.1 * (by_film.high - by_film.low)
    assert right.high - right.low >= right_by_film.high - right_by_film.low


@pytest.mark.slow
def test_the_intervals_contain_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(20)
    covered, rejected = np.zeros(4), np.zeros(2)
    runs = 400

    for _ in range(runs):
        labels, first, second, patients = clustered_films(rng)
        auroc, auroc_by_film = delong(labels, first, second, patients), delong(labels, first, second)
        calls = first > 0.5, second > 0.5
        right, right_by_film = mcnemar(labels, *calls, patients).accuracy, mcnemar(labels, *calls).accuracy
        covered += [each.low <= 0 <= each.high for each in (auroc, auroc_by_film, right, right_by_film)]
        rejected += [auroc.p_value < 0.05, right.p_value < 0.05]

    # Two standard errors of the simulation are 0.022.
    auroc, auroc_by_film, right, right_by_film = covered / runs
    assert 0.925 <= auroc <= 0.975
    assert 0.925 <= right <= 0.975
    assert auroc_by_film < 0.9
    assert right_by_film < 0.93
    assert (rejected / runs <= 0.075).all()


def test_the_clustered_interval_agrees_with_a_bootstrap_of_patients():
    labels, first, second, patients = random_films(9, films=240, patients=120)
    rng = np.random.default_rng(0)
    films_of = [np.flatnonzero(patients == patient) for patient in np.unique(patients)]
    drawn = []
    for _ in range(300):
        films = np.concatenate([films_of[index] for index in rng.integers(0, len(films_of), len(films_of))])
        drawn.append(delong(labels[films], first[films], second[films]).value)

    difference = delong(labels, first, second, patients)

    assert difference.high - difference.low == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.15)


def test_a_hand_worked_mcnemar():
    # Of ten films five are of pneumonia. The first errs on the last, the second on films 0, 1 and 5 to 7.
    labels = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    first = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 1])
    second = np.array([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])

    told = mcnemar(labels, first, second)

    assert (told.only_first_right, told.only_second_right) == (5, 1)
    assert told.accuracy.value == pytest.approx(0.4)
    # Of 64 ways that six coins fall, 2 x (1 + 6) are as uneven.
    assert told.accuracy.p_value == pytest.approx(14 / 64)


def test_a_hand_worked_test_of_patients():
    # The first is ahead by 2 films of patient A and 1 of B, behind by 1 of C; D has one film each way.
    labels = np.ones(6, int)
    first = np.array([1, 1, 1, 0, 1, 0])
    second = np.array([0, 0, 0, 1, 0, 1])

    told = mcnemar(labels, first, second, np.array(list("AABCDD")))

    # Of the eight sums ±2 ±1 ±1 all but two, 2 - 1 - 1 and its opposite, are 2 or more either way.
    assert told.accuracy.p_value == pytest.approx(6 / 8)
    assert (told.only_first_right, told.only_second_right) == (4, 2)


@given(seed=seeds)
def test_mcnemars_p_is_the_binomial_one(seed):
    told = mcnemar(*random_calls(seed)[:3])

    discordant = told.only_first_right + told.only_second_right
    exact = binomtest(told.only_first_right, discordant).pvalue if discordant else 1.0
    assert told.accuracy.p_value == pytest.approx(exact)


@given(seed=seeds, clustered=st.booleans())
def test_calls_that_change_places_change_the_sign(seed, clustered):
    labels, first, second, patients = random_calls(seed)
    chosen = patients if clustered else None

    there, back = mcnemar(labels, first, second, chosen), mcnemar(labels, second, first, chosen)

    assert (there.only_first_right, there.only_second_right) == (back.only_second_right, back.only_first_right)
    assert values(-back.accuracy) == pytest.approx(values(there.accuracy), abs=1e-6)


@given(seed=seeds)
def test_the_difference_in_accuracy_is_that_of_the_accuracies_and_lies_in_its_interval(seed):
    labels, first, second, patients = random_calls(seed)

    accuracy = mcnemar(labels, first, second, patients).accuracy

    assert accuracy.value == pytest.approx(np.mean(first == labels) - np.mean(second == labels))
    assert -1 <= accuracy.low <= accuracy.value <= accuracy.high <= 1


def test_equal_calls_leave_room_for_a_difference_but_tell_none():
    labels, first, _, patients = random_calls(4)

    by_film, by_patient = mcnemar(labels, first, first).accuracy, mcnemar(labels, first, first, patients).accuracy

    assert (by_film.value, by_film.p_value, by_patient.p_value) == (0, 1, 1)
    # Without a discordant pair Tango's limits are z² / (n + z²); at worst each patient counts as one film.
    for accuracy, size in ((by_film, 60), (by_patient, len(set(patients)))):
        assert (-accuracy.low, accuracy.high) == pytest.approx([1.959964**2 / (size + 1.959964**2)] * 2, abs=1e-6)


def test_tangos_interval_equals_a_published_one():
    # Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850: airway reactivity in 21 children.
    told = tango(1, 7, 21)

    assert (told.value, told.low, told.high) == pytest.approx((-0.286, -0.517, -0.026), abs=5e-4)


@given(only_first=st.integers(0, 30), only_second=st.integers(0, 30), others=st.integers(1, 60))
def test_tangos_limits_are_where_the_score_test_just_rejects(only_first, only_second, others):
    trials = only_first + only_second + others
    told = tango(only_first, only_second, trials)

    def score(difference):
        """The score statistic, with the likeliest share of pairs found where the likelihood's slope is 0."""
        lowest, highest = max(0, -difference), (1 - difference) / 2

        def slope(share):
            return (
                only_first / (share + difference)
                + only_second / share
                - 2 * others / max(1 - 2 * share - difference, 1e-300)
            )

        edge = 1e-12
        if only_first + only_second == 0 or slope(lowest + edge) <= 0:
            share = lowest
        else:
            share = brentq(slope, lowest + edge, highest - edge, xtol=1e-15)
        variance = (2 * share + difference - difference**2) / trials
        return ((only_first - only_second) / trials - difference) ** 2 / variance

    for limit in (told.low, told.high):
        assert score(limit) == pytest.approx(1.959964**2, rel=1e-3)


def test_tangos_interval_ends_at_what_is_possible():
    assert tango(7, 0, 7).high == 1
    assert tango(0, 7, 7).low == -1
    assert -1 < tango(7, 0, 7).low < 1


def test_what_too_few_patients_cannot_tell_is_unknown():
    labels, first, second = np.array([1, 1, 0, 0]), np.array([4, 3, 2, 1]), np.array([1, 2, 3, 4])

    for difference in (
        delong(labels, first, second, np.array(list("AABC"))),
        # All films agree that the first is right and the second wrong, which leaves no variance to estimate.
        delong(labels, first, second),
        mcnemar(labels, first > 2, second > 2, np.zeros(4)).accuracy,
    ):
        assert difference.value == 1
        assert np.isnan([difference.low, difference.high, difference.p_value]).all()
        assert not difference.told_apart
        assert str(difference) == "1.000 (too few patients for an interval)"


def test_patients_that_all_agree_leave_no_variance_to_estimate():
    labels, first, second, _ = random_films(5, films=30)
    thrice = [np.tile(array, 3) for array in (labels, first, second)]

    difference = delong(*thrice, np.repeat(np.arange(3), 30))

    assert difference.value == pytest.approx(delong(labels, first, second).value)
    assert not difference.known


def test_an_auroc_needs_two_patients_of_each_class():
    labels, first, second, _ = random_films(6, films=40)

    for label in (0, 1):
        lonely, both = (np.where(labels == label, -np.arange(40) % count - 1, np.arange(40)) for count in (1, 2))
        assert not delong(labels, first, second, lonely).known
        assert delong(labels, first, second, both).known


def test_films_of_a_patient_that_offset_each_other_narrow_no_accuracy():
    labels, patients = np.ones(40, int), np.repeat(np.arange(20), 2)
    first, second = np.tile([1, 0], 20), np.tile([0, 1], 20)

    by_patient, by_film = mcnemar(labels, first, second, patients).accuracy, mcnemar(labels, first, second).accuracy

    assert by_patient == by_film
    assert by_film.high > 0.2


def test_a_difference_is_told_only_where_interval_and_test_agree():
    assert Difference(0.1, 0.01, 0.2, 0.04).told_apart
    assert (-Difference(0.1, 0.01, 0.2, 0.04)).told_apart
    assert not Difference(0.1, 0.01, 0.2, 0.06).told_apart
    assert not Difference(0.1, -0.01, 0.2, 0.04).told_apart


def test_differences_read_with_a_true_minus_and_p():
    assert str(Difference(0.0124, -0.0041, 0.0284, 0.1339)) == "0.012 (−0.004–0.028, p = 0.134)"
    assert interval(Difference(-0.0001, -0.2, 0.0001, 0.9)) == "0.000 (−0.200–0.000)"
    assert (p_text(0.00099), p_text(0.001), p_text(1)) == ("p < 0.001", "p = 0.001", "p = 1.000")


@pytest.mark.parametrize(
    ("labels", "first", "second", "patients", "complaint"),
    [
        ([], [], [], None, "not empty"),
        ([1, 0], [1], [1, 0], None, "one length"),
        ([1, 0], [1, 0], [1, 0], ["a"], "one length"),
        ([1, 2], [1, 0], [1, 0], None, "labels must be 0"),
    ],
)
@pytest.mark.parametrize("compared", [delong, mcnemar])
def test_impossible_arrays_are_refused(compared, labels, first, second, patients, complaint):
    with pytest.raises(ValueError, match=complaint):
        compared(np.array(labels), np.array(first), np.array(second), None if patients is None else np.array(patients))


@pytest.mark.parametrize("label", [0, 1])
def test_films_of_one_class_have_no_auroc_to_compare(label):
    labels = np.full(3, label)

    with pytest.raises(ValueError, match="both classes"):
        delong(labels, np.arange(3), np.arange(3))
    assert mcnemar(labels, labels, labels).accuracy.value == 0


def test_scores_and_calls_out_of_range_are_refused():
    with pytest.raises(ValueError, match="finite"):
        delong(np.array([1, 0]), np.array([np.nan, 0]), np.array([1, 0]))
    with pytest.raises(ValueError, match="calls must be"):
        mcnemar(np.array([1, 0]), np.array([0.7, 0]), np.array([1, 0]))
