import pandas as pd
import pytest
from toy import synthetic

from pneumo.evaluation.intervals import Estimate
from pneumo.inference.conclusion import WrongAnswers, conclude, limits, next_steps, wrong_answers
from pneumo.inference.similar_scores import SimilarFilms
from pneumo.model_store import store

WRONG = WrongAnswers(390, 6, 234, 7)


def counted(share: float, provable: tuple[float, float] = (0.02, 0.98)) -> SimilarFilms:
    return SimilarFilms(
        100, round(100 * share), 90, 0.4, 0.6, Estimate(share, share / 2, (1 + share) / 2), provable, 0.5
    )


@pytest.mark.parametrize(
    ("answer", "share", "prevalence", "expected", "statement"),
    [
        (
            "likely",
            0.97,
            None,
            "likely",
            "Where 50 of 100 X-rayed children have pneumonia, about 97 of 100",
        ),
        ("likely", 1.0, 0.5, "likely", "about 98 of 100"),
        # By Bayes: odds of 49 become 49 / 9.
        ("likely", 1.0, 0.1, "likely", "Where 10 of 100 X-rayed children have pneumonia, about 84 of 100"),
        ("likely", 1.0, 0.01, "uncertain", "Where 1 of 100 X-rayed children have pneumonia, the model cannot prove"),
        ("uncertain", 0.96, None, "uncertain", "Read the film as if there were no computer."),
        ("uncertain", 0.04, 0.05, "uncertain", "Read the film as if there were no computer."),
        ("unlikely", 0.04, None, "unlikely", "about 4 of 100"),
        ("unlikely", 0.0, 0.5, "unlikely", "about 2 of 100"),
        ("unlikely", 0.0, 0.05, "unlikely", "fewer than 1 of 100"),
    ],
)
def test_each_answer_comes_to_one_sentence(answer, share, prevalence, expected, statement):
    found = conclude(answer, counted(share), prevalence)

    assert found.answer == expected
    assert statement in found.statement
    # One count at most beside the share of the place, and none where the model cannot say.
    assert found.statement.count("of 100") <= (1 if expected == "uncertain" else 2)
    assert ("as if there were no computer" in found.statement) == (expected == "uncertain")


def test_at_the_models_own_share_its_answer_stands_and_no_count_contradicts_it():
    found = conclude("likely", counted(0.4))

    assert (found.answer, found.count) == ("likely", "")
    assert found.statement.startswith("Too few validation films score like this")


def test_without_films_to_compare_with_no_count_is_told():
    found = conclude("likely", None, 0.05)

    assert (found.answer, found.similar) == ("likely", None)
    assert "of 100" not in found.statement


@pytest.mark.parametrize(
    ("answer", "zone", "first"),
    [
        ("likely", "left lower", "Look again at the film, at the left lower zone first."),
        ("likely", None, "Look again at the film, and behind the heart."),
        ("uncertain", "left lower", "Your own reading alone counts."),
        (
            "unlikely",
            None,
            "This does not rule pneumonia out: of 390 test films with it, the model called 6 unlikely.",
        ),
    ],
)
def test_three_lines_say_what_next(answer, zone, first):
    steps = next_steps(answer, WRONG, zone)

    assert len(steps) == 3
    assert steps[0] == first
    assert "Treat the child, not the number." in steps


def test_wrong_answers_are_counted_on_the_test_films(tmp_path):
    # The limits of the card are 0.2 and 0.8.
    rows = [("PNEUMONIA", 0.1), ("PNEUMONIA", 0.2), ("PNEUMONIA", 0.9), ("NORMAL", 0.8), ("NORMAL", 0.79)]
    table = pd.DataFrame(rows, columns=["label", "probability"]).assign(file="a.png", patient="p", pathogen="")
    store.write_predictions(table, "toy", "test", tmp_path)

    assert wrong_answers(synthetic.card(), tmp_path) == WrongAnswers(3, 1, 2, 1)
    assert wrong_answers(synthetic.card(name="other"), tmp_path) is None


def test_the_limits_name_the_hospitals_that_a_model_learned_from():
    learned = dict.fromkeys(["guangzhou", "external_nih", "shenzhen"])
    several = synthetic.card(training={"fold": 0, "hospitals": {"learned_from": learned, "left_out": []}})

    assert "at one hospital. Other ages" in limits(synthetic.card())
    assert "at one hospital, and from films of NIH and Shenzhen." in limits(several)
