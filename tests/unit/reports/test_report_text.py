import pytest
from toy import reported, synthetic

from pneumo.inference.conclusion import limits
from pneumo.inference.findings import refuse, warn
from pneumo.reports.pdf import COLUMNS, FilmReport, below_pictures, counts, row, shortened, statement, title

WARNING = warn("adult", "She is 40 years old.")
REFUSAL = refuse("rotated", "It lies on its side.")


def answered(findings=(), label="", **options):
    film = reported.png_film("Jane Doe/film.png")
    record = reported.record_of(
        assessment=reported.answered(film), findings=findings, name="Jane Doe/film.png", **options
    )
    return FilmReport(record, film.pixels, label=label)


def refused():
    film = reported.png_film("side.png")
    return FilmReport(reported.record_of(film, findings=[REFUSAL]), film.pixels)


def broken():
    return FilmReport(reported.record_of(), None)


def texts(item):
    return [line.text for line in below_pictures(item, len(item.record.reasons))]


def test_an_answered_film_is_told_with_its_reasons_its_limits_and_its_origin():
    told = texts(answered([WARNING]))

    assert told[:4] == [
        "What the check warns of",
        "– She is 40 years old.",
        "Why this answer",
        "– It is 91.2 %, “likely”.",
    ]
    assert limits(synthetic.card()) in told
    assert "Film: film.png (PNG, 300 × 240 pixels)" in told
    assert f"SHA-256 of the film's file: {'a' * 64}" in told
    assert f"SHA-256 of the model's file: {'0' * 64}" in told


def test_a_refused_film_is_told_without_limits_of_an_answer():
    told = texts(refused())

    assert told[:2] == ["Why the film was refused", "– It lies on its side."]
    assert not any("The model learned from" in text for text in told)
    assert statement(refused().record).startswith("The model was not asked.")
    assert statement(answered().record) == answered().record.statement


@pytest.mark.parametrize(
    ("options", "heading"),
    [
        ({"findings": None}, "Whether this is a frontal chest film was not checked"),
        ({"findings": []}, "Film quality: fine"),
        (
            {"findings": [REFUSAL], "forced": True},
            "The check refused this film; it was assessed because the user asked for that",
        ),
    ],
)
def test_what_the_check_said_heads_its_findings(options, heading):
    assert texts(answered(**options))[0] == heading


def test_what_is_left_out_is_counted():
    told = [line.text for line in below_pictures(answered([WARNING, WARNING]), 1)]

    assert "– and 2 more, which the JSON record holds" in told
    assert told.count("– She is 40 years old.") == 1
    assert "Why this answer" not in told


def test_a_page_is_headed_by_its_place_and_by_what_the_user_typed():
    assert title(answered(label="Bed 3"), "Film 1 of 2") == "Film 1 of 2 · Bed 3"
    assert title(answered(), "") == ""


def test_a_long_text_is_cut_and_put_on_one_line():
    assert shortened("a\nb  c", 10) == "a b c"
    assert shortened("x" * 11, 10) == f"{'x' * 9}…"


def test_several_films_are_told_in_rows():
    items = [answered([WARNING], label="Bed 3"), answered([REFUSAL], forced=True), refused(), broken()]

    rows = [row(item, number) for number, item in enumerate(items, start=1)]

    assert {len(cells) for cells in rows} == {len(COLUMNS)}
    assert rows == [
        ("1", "Bed 3 · film.png", "Pneumonia likely", "–", "She is 40 years old."),
        ("2", "film.png", "Pneumonia likely, although refused", "–", "It lies on its side."),
        ("3", "side.png", "Refused", "–", "It lies on its side."),
        ("4", "x.png", "Not readable", "–", "x.png is empty."),
    ]
    assert row(answered([]), 1)[-1] == "Fine"
    assert row(answered(None), 1)[-1] == "Not checked"
    assert counts(items) == "4 films: pneumonia likely 2, refused 1, not readable 1"
    assert counts(items[:1]) == "1 film: pneumonia likely 1"
