import shutil

import numpy as np
import pytest
from scipy import special
from toy import sites, synthetic

from pneumo.errors import DatasetError
from pneumo.inference import site_films
from pneumo.inference.site_films import LocalFilm, calibrated_site, read_local_films


def local(normal, sick=(), left_out=0):
    """Films with these logits of the model's own probability."""
    parts = [("NORMAL", place) for place in normal] + [("PNEUMONIA", place) for place in sick]
    films = [LocalFilm(f"{number}.png", label, special.expit(place)) for number, (label, place) in enumerate(parts)]
    return films + [LocalFilm("bad.png", "NORMAL", None, "It is empty.", failed=True)] * left_out


def normals(count, middle=-3.0, seed=0):
    return np.random.default_rng(seed).normal(middle, 1, count)


def test_a_hospital_is_calibrated_on_the_films_that_count():
    site = calibrated_site(synthetic.card(), "St Mary", local(normals(31), normals(22, middle=1), left_out=2))

    assert (site.name, site.model, site.normal_films, site.pneumonia_films, site.left_out) == (
        "St Mary",
        "toy",
        31,
        22,
        2,
    )
    assert site.found.sensitivity.value > 0.5
    assert site_films.readable(site)["Threshold"].tolist()[0] == "Likely, at or above"


@pytest.mark.parametrize(
    ("films", "why"),
    [
        (lambda: local(normals(29), left_out=3), r"29 normal films .*\(3 films were left out\), and 30 are needed"),
        (lambda: local([], normals(40)), "0 normal films"),
        (lambda: local([1.0] * 30), "the same probability"),
        (
            lambda: local([*normals(30), 6, 7, 8]),
            r"3 of 33 stand by themselves \(30.png, 31.png, 32.png\).*Look at them",
        ),
        (lambda: local(normals(40), normals(30, seed=1)), "does not tell these films with pneumonia .* wrong folder"),
        (lambda: local(normals(40, middle=1), normals(30)), "does not tell these films with pneumonia"),
    ],
)
def test_films_that_cannot_calibrate_are_refused_with_what_to_do(films, why):
    with pytest.raises(DatasetError, match=why):
        calibrated_site(synthetic.card(), "St Mary", films())


def test_what_the_films_could_not_show_is_said():
    def said(sick):
        return " ".join(site_films.limits(sites.site(synthetic.card(), sick=sick)))

    assert "No film with pneumonia was there" in said(0)
    assert "5 films with pneumonia are too few" in said(5)
    assert "with pneumonia" not in said(25)
    for sick in (0, 5, 25):
        assert "does not mend a ranking" in said(sick)


def test_films_that_the_model_will_not_answer_are_counted():
    known, foreign = LocalFilm("a.png", "NORMAL", 0.5), LocalFilm("b.png", "NORMAL", 0.5, foreign=True)

    assert site_films.foreign_films([known]) == ""
    assert site_films.foreign_films([known, foreign, *local([], left_out=1)]).startswith("1 of 2 films are unlike")


def test_each_film_goes_through_the_gate_and_an_unsuitable_one_costs_only_itself(cnn, tmp_path):
    sites.write_films(tmp_path, normal=3, sick=1)
    (tmp_path / "NORMAL" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "NORMAL" / "noise.png").write_bytes(synthetic.png(synthetic.noise()))
    shutil.copy(tmp_path / "NORMAL" / "normal 0.png", tmp_path / "NORMAL" / "copy.png")
    told = []

    films = read_local_films(tmp_path, cnn, progress=lambda done, total: told.append((done, total)))

    assert told[-1] == (6, 6)
    failed = [film.file.rpartition("/")[2] for film in films if film.failed]
    assert failed == ["broken.png", "noise.png"]
    assert [film.label for film in films if film.probability is not None] == ["NORMAL"] * 3 + ["PNEUMONIA"]
    assert site_films.left_out(films)["File"].tolist() == failed


def test_one_film_of_a_child_counts_and_none_of_an_adult(cnn, tmp_path):
    sites.write_films(tmp_path, normal=4)
    rows = [("normal 0.png", "a", 3), ("normal 1.png", "a", 3), ("normal 2.png", "b", 40), ("normal 3.png", "c", "")]
    lines = [f"NORMAL/{file},0,Dr Weiß,{patient},{age}" for file, patient, age in rows]
    (tmp_path / "labels.csv").write_text("\n".join(["file,opacity,read_by,patient,age", *lines]))

    films = read_local_films(tmp_path, cnn)

    assert [film.probability is not None for film in films] == [True, False, False, True]
    assert "same patient" in films[1].left_out
    assert "40 years old" in films[2].left_out
    assert not any(film.failed for film in films)
