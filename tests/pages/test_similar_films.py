import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from toy import synthetic
from toy.opened import ROOT, app

from pneumo import radiograph
from pneumo.datasets import samples
from pneumo.inference import classifier
from pneumo.inference import similar_cases as film_index
from pneumo.inference.similar_cases import Cases, agreement, find, usual_distances
from pneumo.labels import KIND_WORDS
from pneumo.model_store import store
from pneumo.training.similar_cases import build


@pytest.fixture(scope="module")
def indexed_models(toy_models, toy_data, tmp_path_factory) -> Path:
    """The toy models, `cnn` with an index and `dense` without one; never change it."""
    folder = shutil.copytree(toy_models, tmp_path_factory.mktemp("indexed") / "models")
    build("cnn", toy_data, folder)
    return folder


@pytest.fixture
def page(indexed_models, monkeypatch, no_data_set) -> AppTest:
    monkeypatch.setenv("PNEUMO_MODELS", str(indexed_models))
    monkeypatch.chdir(ROOT)
    return app()


@pytest.fixture(scope="module")
def film() -> bytes:
    return synthetic.png(synthetic.sound_film())


@pytest.fixture(scope="module")
def expected(indexed_models, film) -> Cases:
    """What the library finds for the film."""
    reader = classifier.Classifier.open("cnn", indexed_models)
    index = film_index.read(reader.card, indexed_models)
    return find(index, usual_distances(index), reader.assess(radiograph.read(film, "film.png")).embedding)


def opened(page: AppTest, film: bytes, model: str = "cnn") -> AppTest:
    page.run()
    page.selectbox(key="predict.model").select(model).run()
    page.file_uploader(key="predict.upload_0").set_value([("film.png", film, "image/png")]).run()
    page.session_state["predict.research"] = page.session_state["predict.similar"] = True
    return page.run()


def texts(page: AppTest) -> str:
    return "\n".join(each.value for kind in ("markdown", "caption", "error", "warning") for each in page.get(kind))


def alts(page: AppTest) -> list[str]:
    return [image.alt for images in page.get("image") for image in images.proto.imgs]


def test_nothing_is_looked_up_before_it_is_opened(page, film, monkeypatch):
    monkeypatch.setattr(film_index, "read", lambda *_: pytest.fail("the index was read"))
    page.run()
    page.selectbox(key="predict.model").select("cnn").run()
    page.session_state["predict.research"] = True

    page.file_uploader(key="predict.upload_0").set_value([("film.png", film, "image/png")]).run()

    assert not page.exception
    assert "Cases like this one" in [folded.label for folded in page.expander]
    assert "validation films most like this one" not in texts(page)


def test_without_the_data_set_labels_and_composites_are_shown_and_called_so(page, film, expected):
    opened(page, film)

    assert not page.exception
    assert str(expected) in texts(page)
    assert expected.nearness in texts(page)
    assert "none of the cases" in texts(page)
    shown = [words for words in alts(page) if words.startswith("Composite of")]
    known = {sample.label for sample in samples.load_samples()}
    assert known == {"NORMAL", "PNEUMONIA"}
    assert len(shown) == len(expected.kinds)
    assert all("in place of the cases" in words for words in shown)
    listed = next(table.value for table in page.dataframe if "Nearness" in table.value)
    assert listed.to_dict("list") == {
        "Label": [case.kind for case in expected.cases],
        "Nearness": [str(case) for case in expected.cases],
        "Film": [Path(case.file).name for case in expected.cases],
    }


def test_with_the_data_set_the_films_are_shown_with_their_labels(page, film, expected, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))

    opened(page, film)

    assert not page.exception
    names = [Path(case.file).stem for case in expected.cases]
    assert [words for words in alts(page) if words.startswith("Validation film")] == [
        f"Validation film {name}, labelled {KIND_WORDS[case.kind]}"
        for name, case in zip(names, expected.cases, strict=True)
    ]
    for name, case in zip(names, expected.cases, strict=True):
        assert f"{case}  \n{name}" in texts(page)
    assert "composite" not in texts(page)


def test_a_data_set_that_lacks_one_film_shows_the_others(page, film, expected, toy_data, tmp_path):
    root = shutil.copytree(toy_data, tmp_path / "chest_xray")
    (root / expected.cases[1].file).unlink()
    (root / expected.cases[2].file).write_bytes(b"no picture")

    opened(page, film)
    page.text_input(key="shared.data_folder").set_value(str(root)).run()

    assert not page.exception
    assert len([words for words in alts(page) if words.startswith("Validation film")]) == len(expected.cases) - 2
    assert f"{Path(expected.cases[1].file).name} is not in this folder." in texts(page)


def test_another_data_set_is_told_of_and_composites_are_shown(page, film, tmp_path):
    (tmp_path / "other" / "train" / "NORMAL").mkdir(parents=True)

    opened(page, film)
    page.text_input(key="shared.data_folder").set_value(str(tmp_path / "other")).run()

    assert not page.exception
    assert f"None of these films is in {tmp_path / 'other'}" in texts(page)
    assert "none of the cases" in texts(page)


def test_how_far_the_likeness_can_be_trusted_is_measured_on_this_models_films(page, film, indexed_models):
    opened(page, film)

    index = film_index.read(store.read_card("cnn", indexed_models), indexed_models)
    assert str(agreement(index)) in texts(page)


def test_a_film_like_none_is_warned_of(page, film, monkeypatch):
    monkeypatch.setattr(Cases, "is_foreign", True)

    opened(page, film)

    assert not page.exception
    assert "Nothing like this film is among the validation films" in page.warning[-1].value


def test_a_model_without_an_index_offers_no_cases_and_still_answers(page, film):
    opened(page, film, "dense")

    assert not page.exception
    assert "Cases like this one" not in [folded.label for folded in page.expander]
    assert "X-rayed children" in texts(page) or "as if there were no computer" in texts(page)


def test_missing_composites_cost_the_pictures_only(page, film, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(samples, "FOLDER", tmp_path)

    opened(page, film)

    assert not page.exception
    assert "There is no list of samples" in texts(page)
    assert str(expected) in texts(page)
    assert any("Nearness" in table.value for table in page.dataframe)
