from toy import audited

from pages.parts.charts import drift as charts
from pneumo.serving import drift


def test_the_charts_of_a_log_are_valid_and_draw_what_is_in_it():
    films = drift.films_of(audited.entries(300, refused=0.1))
    reference, later = drift.first_films(films), films.iloc[drift.BASELINE :]
    course = drift.course(reference, later)

    drawn = charts.course_plot(course).to_dict()
    answers = charts.answers_plot(drift.answers(films)).to_dict()
    tenths = charts.tenths_plot(drift.tenths(reference, later)).to_dict()

    figures = drawn["layer"][1]["encoding"]["color"]["scale"]["domain"]
    assert set(figures) == set(course["figure"])
    assert answers["encoding"]["color"]["scale"]["domain"][-1] == "Refused"
    assert len(tenths["layer"]) == 2
