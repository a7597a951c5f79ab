import numpy as np
import pytest
from toy import synthetic

from pneumo.evaluation import intervals
from pneumo.inference import similar_cases
from pneumo.inference.similar_cases import agreement, find, usual_distances


def at_angles(degrees, **changes):
    """Return an index of films that lie at these angles in a plane; 60° apart is a distance of one half."""
    angles = np.radians(degrees)
    return synthetic.index_of_films(
        len(degrees), embedding=np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32), **changes
    )


def at(degrees):
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


@pytest.fixture
def fan():
    """Eight films of eight children, ten degrees apart; every second shows viral pneumonia."""
    return at_angles(np.arange(8) * 10)


def files(cases):
    return [case.file.rsplit("/", 1)[-1] for case in cases.cases]


def test_the_nearest_films_come_first_with_their_labels_and_distances(fan):
    found = find(fan, usual_distances(fan), 7 * at(31), count=3)

    assert files(found) == ["3.jpeg", "4.jpeg", "2.jpeg"]
    assert [case.kind for case in found.cases] == ["Viral pneumonia", "Normal", "Normal"]
    assert [case.distance for case in found.cases] == pytest.approx(1 - np.cos(np.radians([1, 9, 11])), abs=1e-6)
    assert found.kinds == {"Normal": 2, "Viral pneumonia": 1}
    told = "The 3 validation films most like this one, of as many children, are labelled: 2 normal, 1 viral pneumonia."
    assert str(found) == told


def test_a_film_of_the_index_finds_itself(fan):
    distances = usual_distances(fan)

    for film in range(8):
        found = find(fan, distances, fan.embedding[film])
        assert found.cases[0].file == fan.files[film]
        assert found.cases[0].distance == pytest.approx(0, abs=1e-6)
        assert found.farther == 1


def test_one_film_a_child_is_found_its_nearest():
    twice = at_angles(np.arange(9) * 10, patients=np.array(["a", "b", "b", "b", "c", "d", "e", "f", "g"]))

    found = find(twice, usual_distances(twice), at(19), count=3)

    assert files(found) == ["2.jpeg", "0.jpeg", "4.jpeg"]
    assert [case.patient for case in found.cases] == ["b", "a", "c"]


def test_the_pairs_are_those_of_different_children(fan):
    together = at_angles(np.arange(8) * 10, patients=np.array(["a", "a", *"bcdefg"]))

    assert len(usual_distances(fan).pairs) == 8 * 7 / 2
    distances = usual_distances(together)
    assert len(distances.pairs) == 8 * 7 / 2 - 1
    # By hand: film 0 is 20° from the next child, all others 10°.
    expected = 1 - np.cos(np.radians([10] * 7 + [20]))
    np.testing.assert_allclose(distances.nearest, expected, atol=1e-6)


def test_nearness_is_told_as_the_pairs_and_films_that_are_farther_apart(fan):
    # Of the 28 pairs 7 are 10° apart, and 15° is nearer than the 21 others.
    found = find(fan, usual_distances(fan), at(85), count=1)

    assert found.cases[0].closer_than == pytest.approx(21 / 28)
    assert str(found.cases[0]) == "Closer than 75.0 % of pairs"
    assert found.farther == 0
    assert found.is_foreign


def test_a_film_unlike_all_is_said_to_be_so_and_a_near_one_is_not(fan):
    distances = usual_distances(fan)
    strange, usual = find(fan, distances, at(200)), find(fan, distances, at(5))

    assert strange.is_foreign
    assert "Nothing like this film is among the validation films" in strange.nearness
    assert "farther from all of them than 99 % of them" in strange.nearness
    assert not usual.is_foreign
    assert usual.nearness.startswith("Of the validation films under 1 % have a film of another child nearer")
    assert "with care" not in usual.nearness


def test_a_film_like_few_is_to_be_compared_with_care():
    # Twenty films 1° apart but for the last, which is 10° from its neighbour.
    index = at_angles(np.append(np.arange(19), 28.0))

    like_few = find(index, usual_distances(index), at(36))

    assert not like_few.is_foreign
    assert like_few.farther == pytest.approx(1 / 20)
    assert like_few.nearness.startswith("Of the validation films 95 % have a film of another child nearer to them")
    assert like_few.nearness.endswith("so compare with care.")


def test_one_film_in_a_hundred_is_farther_from_the_others_than_the_limit():
    # Film 199 lies alone; the limit is between it and the two next, which are as lonely as each other.
    index = at_angles(np.concatenate([np.arange(198) * 0.1, [40.0, 90.0]]))
    distances = usual_distances(index)

    told = [find(index, distances, at(angle)).is_foreign for angle in (20.0, 60.0, 65.0, 150.0)]

    assert told == [False, False, True, True]


@pytest.mark.parametrize("count", [0, -1, 9])
def test_more_films_than_children_or_none_cannot_be_asked_for(fan, count):
    with pytest.raises(ValueError, match="ask for 1 to 8 films, not"):
        find(fan, usual_distances(fan), at(0), count)


@pytest.mark.parametrize("count", [0, 8])
def test_agreement_cannot_be_measured_on_more_films_than_other_children_have(fan, count):
    with pytest.raises(ValueError, match="ask for 1 to 7"):
        agreement(fan, count)


def test_the_features_of_another_classifier_are_refused(fan):
    with pytest.raises(ValueError, match=r"2 features, and this one has .*classifier that the index was made for"):
        find(fan, usual_distances(fan), np.ones(3))


def test_features_that_are_all_zero_are_like_nothing(fan):
    found = find(fan, usual_distances(fan), np.zeros(2))

    assert found.is_foreign
    assert {case.distance for case in found.cases} == {1.0}


def test_the_agreement_is_that_of_the_films_around_each_counted_by_hand():
    # The nearest two of the films at 0 to 33° are normal, of 45° the last film and one normal, of the last two normal,
    # and the films at 100, 110 and 121° have each other.
    index = at_angles(
        [0.0, 10.5, 21.5, 33.0, 45.0, 100.0, 110.0, 121.0, 46.0],
        labels=np.array(["NORMAL"] * 5 + ["PNEUMONIA"] * 4),
        pathogens=np.array([""] * 5 + ["virus", "bacteria", "virus", "virus"]),
    )

    found = agreement(index, 2)

    assert found.label.value == pytest.approx((4 + 0.5 + 3) / 9)
    assert found.kind.value == pytest.approx((4 + 0.5 + 0.5 + 0.5) / 9)
    assert {kind: share.value for kind, share in found.kinds.items()} == {
        "Normal": pytest.approx(4.5 / 5),
        "Bacterial pneumonia": 0,
        "Viral pneumonia": pytest.approx(1 / 3),
    }
    # Drawn from the 8 others: a normal film meets 4 normal ones, a sick one 3 sick ones.
    assert found.label_by_chance == pytest.approx((5 * 4 + 4 * 3) / (9 * 8))
    assert found.kind_by_chance == pytest.approx((5 * 4 + 3 * 2) / (9 * 8))
    assert (found.count, found.films, found.patients) == (2, 9, 9)
    assert found.label == intervals.mean_by_patient(np.array([1, 1, 1, 1, 0.5, 1, 1, 1, 0]), index.patients)


def test_a_film_s_own_child_does_not_vouch_for_it():
    # Two films of each child at one place, labelled alike; the nearest other child is labelled otherwise.
    degrees = np.repeat(np.arange(8) * 10, 2)
    sick = np.repeat(np.arange(8) % 2 == 1, 2)
    index = at_angles(
        degrees,
        patients=np.repeat([f"p{child}" for child in range(8)], 2),
        labels=np.where(sick, "PNEUMONIA", "NORMAL"),
        pathogens=np.where(sick, "virus", ""),
    )

    assert agreement(index, 1).label.value == 0


def test_labels_that_say_nothing_agree_as_often_as_chance():
    rng = np.random.default_rng(0)
    sick = rng.random(600) < 0.7
    index = synthetic.index_of_films(
        600,
        embedding=similar_cases.directions(rng.normal(size=(600, 12))),
        labels=np.where(sick, "PNEUMONIA", "NORMAL"),
        pathogens=np.where(sick, "virus", ""),
    )

    found = agreement(index)

    assert found.label.low <= found.label_by_chance <= found.label.high
    assert found.label_by_chance == pytest.approx(0.7**2 + 0.3**2, abs=0.03)
    assert "600 validation films: of the 6 films nearest to each" in str(found)
    assert f"{100 * found.label.value:.0f} % (95 % interval" in str(found)
