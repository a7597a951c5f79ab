import dataclasses
import io
import json
import shutil
from types import ModuleType

import cv2
import numpy as np
import pydicom
import pytest
import streamlit as st
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest
from toy import sites, synthetic
from toy.opened import ROOT, app, visit
from toy.synthetic import png

from pages.parts.predict import agreement, loaded_models
from pages.parts.predict.film_list import FilmList
from pneumo import DISCLAIMER, radiograph
from pneumo.datasets import samples
from pneumo.errors import ModelError
from pneumo.evaluation import calibration
from pneumo.evaluation.intervals import Estimate
from pneumo.explanation import agreement as measured_maps
from pneumo.explanation import drawing, explainer, heat_findings
from pneumo.explanation.cam import METHODS
from pneumo.inference import classifier, gate, pathogen, similar_scores
from pneumo.inference.conclusion import conclude
from pneumo.inference.gate import GateResult
from pneumo.inference.opacity import Severity
from pneumo.inference.reading import Models, Reading
from pneumo.model_store import store
from pneumo.reports import records as reports
from pneumo.sentences import say

TITLES = {"likely": "Pneumonia likely", "uncertain": "Cannot say", "unlikely": "Pneumonia unlikely"}


@pytest.fixture
def page(toy_models, monkeypatch) -> AppTest:
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    monkeypatch.chdir(ROOT)
    return app()


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return synthetic.sound_film()


@pytest.fixture(scope="module")
def film(drawn) -> bytes:
    return png(drawn)


@pytest.fixture(scope="module")
def noise() -> bytes:
    return png(synthetic.noise())


@pytest.fixture(autouse=True)
def offered(monkeypatch) -> list[dict]:
    """The records that the page made up for download, the latest last, as plain values."""
    made = []
    to_json = reports.to_json
    monkeypatch.setattr(
        reports, "to_json", lambda record, **said: made.append(record.as_values()) or to_json(record, **said)
    )
    return made


@pytest.fixture
def downloads(monkeypatch) -> dict:
    """What the page offers for download, by the words on the button."""
    found = {}
    button = st.download_button
    monkeypatch.setattr(
        st, "download_button", lambda words, data, **said: found.update({words: data}) or button(words, b"", **said)
    )
    return found


def texts(page: AppTest) -> str:
    return "\n".join(
        element.value for kind in ("markdown", "caption", "error", "warning") for element in page.get(kind)
    )


def upload(page: AppTest, name: str, data: bytes) -> AppTest:
    return upload_all(page, {name: data})


def upload_all(page: AppTest, films: dict[str, bytes]) -> AppTest:
    files = [(name, data, "application/octet-stream") for name, data in films.items()]
    return page.file_uploader(key="predict.upload_0").set_value(files).run()


def test_the_first_screen_asks_for_a_film_and_says_what_pneumo_is(page):
    page.run()

    assert not page.exception
    assert page.title[0].value == "Is there pneumonia on this film?"
    assert DISCLAIMER in texts(page)
    assert "First it checks" in texts(page)
    assert not page.slider


def test_a_visitor_with_no_film_is_offered_one_of_each_kind_with_a_pneumonia_first(page):
    page.run()
    offered = [button.label for button in page.button if "predict.offer_" in button.key]
    assert offered == ["Bacterial pneumonia 1", "Normal 1", "Viral pneumonia 1"]

    page.button(key="predict.offer_").click().run()

    assert not page.exception
    assert page.selectbox(key="predict.sample").value == "normal_1.png"
    assert answered(page)


def test_a_link_opens_a_film_of_the_dataset_by_the_model_that_it_names(page, toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))
    visit(page, open="train/NORMAL/IM-0115-0001.jpeg", model="dense")

    assert not page.exception
    assert page.selectbox(key="predict.model").value == "dense"
    assert "Not the recommended model" in texts(page)
    assert [film.name for film in page.session_state["predict.films"].films.values()] == ["IM-0115-0001.jpeg"]
    assert answered(page)


def test_a_link_to_a_film_that_is_not_here_costs_a_sentence(page):
    visit(page, open="train/NORMAL/IM-0115-0001.jpeg", model="nonsense")

    assert not page.exception
    assert "is not on this machine" in texts(page)
    assert DISCLAIMER in texts(page)


def test_an_uploaded_film_gets_the_answer_of_the_library(page, film, toy_models):
    expected = classifier.Classifier.open("cnn", toy_models).assess(radiograph.read(film, "film.png"))

    page.session_state["predict.counted"] = True
    page.run()
    page.selectbox(key="predict.model").select("cnn").run()
    upload(page, "film.png", film)

    assert not page.exception
    assert TITLES[expected.answer] in texts(page)
    assert str(conclude(expected.answer, expected.similar).statement) in texts(page)
    assert expected.reasons[0] in texts(page)
    assert DISCLAIMER in texts(page)
    assert "film.png · PNG · 300 × 240 px" in captions(page)


def test_the_download_is_the_record_of_the_assessment(page, film, offered):
    upload(page.run(), "film.png", film)

    assert offered[-1]["file"] == "film.png"
    assert (offered[-1]["status"], offered[-1]["findings"], offered[-1]["forced"]) == ("ok", [], False)
    assert offered[-1]["image_sha256"] == radiograph.read(film, "film.png").sha256


def test_the_viewer_gets_the_film_and_its_heat_map(page, film, drawn):
    upload(page.run(), "film.png", film)

    [data] = viewers(page)
    assert data["film"] == drawing.film_url(radiograph.read(film, "film.png").pixels)
    assert data["heat"].startswith("data:image/png;base64,")
    assert (data["height"], data["width"]) == drawn.shape
    assert len(data["outline"]) == 2
    assert "heat map. Answer: " in data["words"]["heat"]


def test_a_sample_says_that_it_is_a_composite(page, monkeypatch):
    # The toy gate knows drawn films only.
    monkeypatch.setattr(gate.Gate, "check", lambda *_: GateResult(()))
    page.run()
    page.segmented_control(key="predict.source").set_value("Try a sample").run()
    films = samples.load_samples()

    assert not page.exception
    assert f"Composite of {films[0].composite_of} films of different patients" in "\n".join(captions(page))

    dicom = next(sample.path.name for sample in films if sample.path.suffix == ".dcm")
    page.selectbox(key="predict.sample").select(dicom).run()

    assert not page.exception
    assert "DICOM" in "\n".join(captions(page))


def captions(page: AppTest) -> list[str]:
    plain = [image.caption for images in page.get("image") for image in images.proto.imgs]
    return plain + [data[caption] for data in viewers(page) for caption in ("caption", "heatCaption")]


def viewers(page: AppTest) -> list[dict]:
    """What the viewers on the page were given to draw."""
    return [json.loads(viewer.proto.json) for viewer in page.get("bidi_component")]


@pytest.mark.parametrize(
    ("name", "data"),
    [("notes.txt", b"not a picture at all"), ("empty.png", b""), ("cut.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 20)],
)
def test_a_file_that_is_no_film_gets_a_sentence_and_no_answer(page, film, name, data):
    upload(page.run(), "film.png", film)

    upload(page, name, data)

    assert not page.exception
    assert len(page.error) == 1
    assert "not assessed" in page.error[0].value
    assert name in page.error[0].value.replace("\\", "")
    assert not any(title in texts(page) for title in TITLES.values())


def test_a_model_without_feature_maps_says_so_and_still_answers(page, film):
    page.run()
    page.selectbox(key="predict.model").select("dense").run()
    upload(page, "film.png", film)

    assert not page.exception
    assert any(title in texts(page) for title in TITLES.values())
    assert "cannot show where it looked" in texts(page)
    assert not viewers(page)


def test_another_method_draws_another_map(page, film, monkeypatch):
    upload(page.run(), "film.png", film)
    asked = []
    drawn = explainer.Explainer.heat_map
    monkeypatch.setattr(
        explainer.Explainer,
        "heat_map",
        lambda self, assessment, method, shape: asked.append(method) or drawn(self, assessment, method, shape),
    )

    page.selectbox(key="predict.method").select("gradcam++").run()

    assert not page.exception
    assert asked == ["gradcam++"]
    assert "Grad-CAM++" in "\n".join(captions(page))


def test_a_model_file_that_is_not_its_cards_is_refused(page, toy_models, tmp_path, monkeypatch):
    copy = shutil.copytree(toy_models, tmp_path / "models")
    for file in copy.glob("*/model.keras"):
        file.write_bytes(b"something else")
    for file in copy.glob("*/card.json"):
        card = json.loads(file.read_text())
        file.write_text(json.dumps({**card, "sha256": "0" * 64}))
    monkeypatch.setenv("PNEUMO_MODELS", str(copy))

    page.run()

    assert not page.exception
    assert "not the file that its card describes" in page.error[0].value


def test_without_models_it_tells_how_to_train_one(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(tmp_path))

    page.run()

    assert not page.exception
    assert "python -m pneumo train" in page.warning[0].value


def test_no_part_of_an_upload_reaches_the_log(page, film, caplog, capfd):
    with caplog.at_level("DEBUG", "pneumo"):
        upload(page.run(), "jane-doe-1234.png", film)
        upload(page, "jane-doe-1234.txt", b"nothing")

    out, err = capfd.readouterr()
    assert "jane-doe" not in caplog.text + out + err


def answered(page: AppTest) -> bool:
    """Whether the page shows an answer; it never does so beside a refusal."""
    shown = any(title in texts(page) for title in TITLES.values())
    assert shown != ("Not assessed" in texts(page))
    return shown


def buttons(page: AppTest) -> dict[str, str]:
    return {
        button.key.removeprefix("predict."): button.label for button in page.button if button.key != "predict.change"
    }


def test_an_accepted_film_is_answered_without_a_warning(page, film):
    upload(page.run(), "film.png", film)

    assert answered(page)
    assert "First it checks" not in texts(page)
    assert not page.warning
    assert buttons(page) == {}


def test_a_warning_stands_above_the_answer_and_first_in_the_record(page, drawn, offered):
    upload(page.run(), "small.png", png(drawn[::2, ::2]))

    assert answered(page)
    assert "only 150 × 120 pixels" in page.warning[0].value
    assert offered[-1]["reasons"][0] == page.warning[0].value
    assert [finding["code"] for finding in offered[-1]["findings"]] == ["too_small"]


def test_a_refused_film_is_not_assessed(page, noise, offered, monkeypatch):
    page.run()
    monkeypatch.setattr(classifier.Classifier, "assess", lambda *_: pytest.fail("a refused film was assessed"))

    upload(page, "noise.png", noise)

    assert not page.exception
    assert not answered(page)
    assert not any(title in texts(page) for title in TITLES.values())
    assert "does not look like a frontal chest film" in page.error[0].value
    assert "noise.png · PNG · 300 × 240 px" in [text.value for text in page.text]
    assert buttons(page) == {"force": "Assess anyway"}
    assert DISCLAIMER in texts(page)
    assert (offered[-1]["status"], offered[-1]["answer"]) == ("refused", None)


def test_a_refused_film_is_assessed_when_the_user_insists_and_the_warning_stays(page, noise, offered):
    upload(page.run(), "noise.png", noise)

    page.button(key="predict.force").click().run()

    for _ in range(2):
        assert not page.exception
        assert answered(page)
        assert "although pneumo refuses this film" in page.warning[0].value
        assert "does not look like a frontal chest film" in page.warning[1].value
        assert (offered[-1]["status"], offered[-1]["forced"]) == ("ok", True)
        assert "films that score like this" not in texts(page)
        assert "predict.prevalence" not in {field.key for field in page.segmented_control}
        page.selectbox(key="predict.model").select("dense").run()

    page.button(key="predict.withdraw").click().run()

    assert not answered(page)


@pytest.mark.parametrize(
    ("wrong", "label", "told"),
    [
        (np.rot90, "Turn by 90° clockwise and assess", "turn by 90° clockwise."),
        (lambda picture: 255 - picture, "Invert and assess", "invert."),
        (
            lambda picture: 255 - np.rot90(picture),
            "Turn by 90° clockwise, invert and assess",
            "turn by 90° clockwise and invert.",
        ),
    ],
    ids=["rotated", "inverted", "both"],
)
def test_a_correction_is_offered_made_and_undone(page, drawn, offered, toy_models, wrong, label, told):
    upload(page.run(), "film.png", png(wrong(drawn)))
    assert not answered(page)
    assert buttons(page) == {"correct": label, "force": "Assess anyway"}

    page.button(key="predict.correct").click().run()

    assert not page.exception
    assert answered(page)
    assert page.info[0].value == f"The film was corrected at the user's request: {told}"
    assert "300 × 240 px" in captions(page)[0]
    assert page.info[0].value in offered[-1]["reasons"]
    assert offered[-1]["forced"] is False
    expected = classifier.Classifier.open(offered[-1]["model"], toy_models).assess(radiograph.read(png(drawn)))
    assert offered[-1]["probability"] == pytest.approx(expected.probability, abs=1e-3)

    page.button(key="predict.undo").click().run()

    assert not answered(page)
    assert buttons(page) == {"correct": label, "force": "Assess anyway"}


def test_each_film_in_a_picture_is_offered_and_read_at_a_click(page, offered):
    upload(page.run(), "pair.png", png(synthetic.pair()))
    refused = {
        "crop_0": "Cut out the film on the left and assess",
        "crop_1": "Cut out the film on the right and assess",
        "force": "Assess anyway",
    }
    assert not answered(page)
    assert buttons(page) == refused

    page.button(key="predict.crop_1").click().run()

    assert not page.exception
    assert answered(page)
    assert page.info[0].value == "The film was corrected at the user's request: cut out the film on the right."
    assert offered[-1]["crop"][0][0] == pytest.approx(11 / 21, abs=0.02)

    page.button(key="predict.undo").click().run()

    assert buttons(page) == refused


def test_another_film_has_to_be_asked_for_anew(page, film, noise, drawn):
    upload(page.run(), "noise.png", noise)
    page.button(key="predict.force").click().run()

    upload(page, "noise again.png", noise)
    assert not answered(page)

    upload(page, "inverted.png", png(255 - drawn))
    page.button(key="predict.correct").click().run()
    upload(page, "film.png", film)

    assert answered(page)
    assert not page.info
    assert not page.warning


def test_a_film_is_checked_once_whatever_is_moved(page, film, monkeypatch):
    page.run()
    checks = []
    check = gate.Gate.check
    monkeypatch.setattr(
        gate.Gate, "check", lambda self, film, *rest: checks.append(film.name) or check(self, film, *rest)
    )

    upload(page, "film.png", film)
    page.selectbox(key="predict.model").select("dense").run()
    page.selectbox(key="predict.model").select("cnn").run()
    page.selectbox(key="predict.method").select("gradcam++").run()

    assert not page.exception
    assert checks == ["film.png"]


def test_without_the_networks_no_film_is_assessed_unless_the_user_waives_the_check(page, noise, offered, monkeypatch):
    def missing():
        raise ModelError("There is no model 'gate'.")

    monkeypatch.setattr(gate, "network_cards", missing)

    upload(page.run(), "noise.png", noise)

    assert not page.exception
    assert "no film is assessed" in page.error[0].value
    assert not any(title in texts(page) for title in TITLES.values())
    assert offered == []

    page.toggle(key="predict.unchecked").set_value(True).run()

    assert not page.exception
    assert any(title in texts(page) for title in TITLES.values())
    assert "Films are not checked" in page.warning[0].value
    assert "First it checks" not in texts(page)
    assert viewers(page)[0]["outline"] == []
    assert (offered[-1]["findings"], offered[-1]["checked"]) == (None, False)


def test_it_says_how_much_of_the_score_came_from_outside_the_lungs_and_names_the_zone_to_look_at(
    page, film, monkeypatch
):
    measured = heat_findings.HeatInLungs(0.71, "right lower", 0.6)
    monkeypatch.setattr(heat_findings, "heat_in_lungs", lambda heat, zones: measured)
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "likely")

    upload(page.run(), "film.png", film)

    assert "29 % of the score came from outside the lungs, most of the rest from the right lower zone." in texts(page)
    assert "Look again at the film, at the right lower zone first." in texts(page)


def test_a_likely_answer_with_its_heat_off_the_body_gets_no_weight(page, film, monkeypatch):
    monkeypatch.setattr(heat_findings, "off_body_share", lambda *_: 0.4)
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "likely")

    upload(page.run(), "film.png", film)

    assert "Give this answer no weight: 40 %" in page.warning[0].value


def test_how_it_was_counted_is_drawn_only_once_it_is_unfolded(page, film):
    upload(page.run(), "film.png", film)
    assert not page.get("vega_lite_chart")

    page.session_state["predict.counted"] = True
    page.run()

    assert len(page.get("vega_lite_chart")) == 1
    assert "**The probability** holds" in texts(page)


def test_the_count_rests_on_the_nearest_validation_films(page, film, toy_models, offered):
    page.session_state["predict.counted"] = True
    upload(page.run(), "film.png", film)

    card = classifier.Classifier.open(offered[-1]["model"], toy_models).card
    scores = similar_scores.read_scores(card, toy_models)
    similar = similar_scores.similar_films(scores, offered[-1]["probability"], 0.5)
    assert str(similar) in texts(page)
    assert f"Counted on the {similar.films} validation films" in texts(page)
    assert offered[-1]["statement"] in texts(page)


def test_how_common_pneumonia_is_changes_the_sentence_on_the_page_and_in_what_is_kept(
    page, film, offered, downloads, monkeypatch
):
    similar = similar_scores.SimilarFilms(100, 90, 90, 0.9, 1.0, Estimate(0.9, 0.8, 0.95), (0.02, 0.98), 0.5)
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "likely")
    monkeypatch.setattr(classifier, "similar_films", lambda *_: similar)
    upload(page.run(), "film.png", film)
    assert "Where 50 of 100 X-rayed children have pneumonia, about 90 of 100 with a film like this" in texts(page)

    page.segmented_control(key="predict.prevalence").set_value(0.15).run()

    # By Bayes: odds of 9 become 9 / (85 / 15).
    assert "Where 15 of 100 X-rayed children have pneumonia, about 61 of 100 with a film like this" in texts(page)
    assert (offered[-1]["answer"], offered[-1]["clinic_prevalence"]) == ("likely", 0.15)

    page.segmented_control(key="predict.prevalence").set_value(0.05).run()

    assert not page.exception
    assert "Cannot say" in texts(page)
    assert "Read the film as if there were no computer." in texts(page)
    assert (offered[-1]["answer"], offered[-1]["clinic_prevalence"]) == ("uncertain", 0.05)
    told = PdfReader(io.BytesIO(downloads["PDF report"]())).pages[0].extract_text()
    assert "Cannot say" in told
    assert "as if there were no computer" in " ".join(told.split())


def test_where_the_model_cannot_say_no_count_is_told(page, film, monkeypatch):
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "uncertain")

    upload(page.run(), "film.png", film)

    assert "**Read the film as if there were no computer.**" in texts(page)
    assert "of 100 with a film like this" not in texts(page)
    assert "Your own reading alone counts." in texts(page)


def test_a_model_without_validation_predictions_answers_without_a_count(page, film, monkeypatch):
    monkeypatch.setattr(classifier, "similar_films", lambda *_: None)

    upload(page.run(), "film.png", film)

    assert not page.exception
    assert answered(page)
    assert "no validation films to compare the film with" in texts(page)
    assert "of 100" not in texts(page)


def test_a_map_that_is_worth_no_more_than_a_blob_is_off_until_it_is_asked_for(page, film, monkeypatch):
    monkeypatch.setattr(measured_maps, "worth", lambda *_: measured_maps.Worth(True, say("It finds nothing.")))

    upload(page.run(), "film.png", film)

    assert viewers(page)[0]["mapOff"]
    assert "It finds nothing." in texts(page)


def rows(page: AppTest) -> dict[str, str]:
    """The list: the answer by the file's name."""
    shown = page.dataframe[0].value
    return dict(zip(shown["File"], shown["Answer"], strict=True))


def open_film(page: AppTest, name: str) -> AppTest:
    films = page.session_state["predict.films"]
    films.open(next(identity for identity, film in films.films.items() if film.name == name))
    return page.run()


@pytest.fixture
def many(film, noise) -> dict[str, bytes]:
    return {"film.png": film, "noise.png": noise, "letter.png": b"Dear colleague"}


def test_many_films_each_get_a_row_and_a_broken_one_costs_its_own_only(page, many, offered):
    upload_all(page.run(), many)

    assert not page.exception
    listed = rows(page)
    assert set(listed) == set(many)
    assert listed["film.png"] in ("▲ Likely", "? Cannot say", "✓ Unlikely")
    assert (listed["noise.png"], listed["letter.png"]) == ("⊘ Not assessed", "✕ Not readable")
    assert [record["status"] for record in offered[-3:]] == ["ok", "refused", "error"]
    assert not any(title in texts(page) for title in TITLES.values())
    assert DISCLAIMER in texts(page)


def test_a_film_of_the_list_is_opened_and_shown_in_full(page, many):
    upload_all(page.run(), many)

    assert answered(open_film(page, "film.png"))
    assert "Open: film.png" in [text.value for text in page.text]

    assert not answered(open_film(page, "noise.png"))

    open_film(page, "letter.png")
    assert "not assessed" in page.error[0].value
    assert len(rows(page)) == 3
    assert not page.exception


def test_no_film_of_the_list_is_assessed_twice(page, many, film, monkeypatch):
    page.run()
    asked = []
    assess = classifier.Classifier.assess
    monkeypatch.setattr(
        classifier.Classifier,
        "assess",
        lambda self, film, *rest: asked.append(film.name) or assess(self, film, *rest),
    )

    upload_all(page, {"a.png": film, "b.png": film})
    page.pills(key="predict.outcomes").set_value([]).run()

    assert asked == ["a.png", "b.png"]


def test_the_list_is_filtered_by_outcome(page, many):
    upload_all(page.run(), many)

    page.pills(key="predict.outcomes").set_value(["refused", "error"]).run()

    assert not page.exception
    assert list(rows(page)) == ["noise.png", "letter.png"]


def test_what_the_user_asked_for_is_noted_in_the_list_and_stays_with_the_film(page, many, drawn, offered):
    upload_all(page.run(), {**many, "inverted.png": png(255 - drawn)})
    open_film(page, "noise.png").button(key="predict.force").click().run()
    open_film(page, "inverted.png").button(key="predict.correct").click().run()
    open_film(page, "noise.png")

    assert not page.exception
    assert answered(page)
    assert "although pneumo refuses this film" in page.warning[0].value
    assert "⊘ Not assessed" not in rows(page).values()
    by_name = {record["file"]: record for record in offered[-5:]}
    assert by_name["noise.png"]["forced"]
    assert "corrected at the user's request" in " ".join(by_name["inverted.png"]["reasons"])


def test_another_model_is_asked_about_the_whole_list(page, many, offered):
    page.run()
    first = page.selectbox(key="predict.model").value
    other = "dense" if first == "cnn" else "cnn"
    upload_all(page, many)

    page.selectbox(key="predict.model").select(other).run()

    assert not page.exception
    assert [record["model"] for record in offered[-3:]] == [other] * 3


def test_a_film_that_is_taken_off_the_uploader_leaves_the_list(page, many, film):
    upload_all(page.run(), many)

    upload_all(page, {"film.png": film})

    assert not page.dataframe
    assert answered(page)


def held_in(value) -> list[np.ndarray | bytes]:
    """All pictures and files that can be reached from a value."""
    found, seen, to_see = [], {}, [value]
    while to_see:
        each = to_see.pop()
        # The models are shared by all sessions and hold no film.
        if id(each) in seen or isinstance(each, str | int | float | type | ModuleType | Models):
            continue
        seen[id(each)] = each
        if isinstance(each, io.BytesIO):
            each = each.getvalue()
        if isinstance(each, np.ndarray | bytes | bytearray | memoryview):
            found += [each] if len(each) > 100 else []
        elif isinstance(each, dict):
            to_see += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset):
            to_see += each
        else:
            inside = ("__dict__", "__self__", "__closure__", "cell_contents", "func", "args", "keywords")
            to_see += [getattr(each, name, None) for name in (*inside, *getattr(type(each), "__slots__", ()))]
    return found


def films_held(page: AppTest) -> list[np.ndarray | bytes]:
    """All pictures and files that the session holds, under whatever key."""
    return held_in(page.session_state._state)


def look_at_everything(page: AppTest) -> None:
    """Open all that is folded, so that all is worked out that can be."""
    for folded in ("research", "agreement", "compare", "similar"):
        page.session_state[f"predict.{folded}"] = True
    page.run()
    assert not page.exception
    assert films_held(page)


def test_an_emptied_list_leaves_nothing_of_the_films(page, many, monkeypatch):
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "likely")
    upload_all(page.run(), many)
    open_film(page, "film.png")
    look_at_everything(page)

    page.button(key="predict.clear").click().run()

    assert not page.exception
    assert not page.dataframe
    # Streamlit keeps what its widgets were before a run until the next one begins.
    assert films_held(page.run()) == []
    assert page.file_uploader(key="predict.upload_1").value == []


def test_a_film_that_is_taken_off_the_uploader_leaves_nothing(page, film, monkeypatch):
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "likely")
    upload(page.run(), "film.png", film)
    look_at_everything(page)

    page.file_uploader(key="predict.upload_0").set_value([]).run()

    assert not page.exception
    assert films_held(page.run()) == []


def test_a_sample_leaves_nothing_when_films_are_uploaded(page, monkeypatch):
    monkeypatch.setattr(gate.Gate, "check", lambda *_: GateResult(()))
    page.run()
    page.segmented_control(key="predict.source").set_value("Try a sample").run()
    assert films_held(page)

    page.segmented_control(key="predict.source").set_value("Upload films").run()

    assert films_held(page) == []


def test_another_film_takes_the_place_of_the_one_that_was_open(page, many, film):
    upload_all(page.run(), {**many, "other.png": film})
    open_film(page, "film.png")

    open_film(page, "other.png")

    films = page.session_state["predict.films"].films.values()
    assert [film.name for film in films if film.reading or film.drawn] == ["other.png"]


def test_it_says_when_a_file_was_let_go(page, many):
    page.run()
    page.session_state["predict.films"] = FilmList(max_films=1)
    upload_all(page, many)

    assert "the files of 2 older films were let go" in texts(page)
    assert len(rows(page)) == 3

    open_film(page, "film.png")

    assert not page.exception
    assert "Upload it again" in page.info[0].value
    assert not any(title in texts(page) for title in TITLES.values())


def test_a_second_model_is_asked_only_when_the_comparison_is_opened(page, film, toy_models, monkeypatch):
    asked = []
    assess = classifier.Classifier.assess
    monkeypatch.setattr(
        classifier.Classifier,
        "assess",
        lambda self, film, *rest: asked.append(self.card.name) or assess(self, film, *rest),
    )
    page.run()
    page.selectbox(key="predict.model").select("cnn").run()
    upload(page, "film.png", film)
    assert asked == ["cnn"]

    page.session_state["predict.research"] = page.session_state["predict.compare"] = True
    page.run()

    assert not page.exception
    assert asked == ["cnn", "dense"]
    monkeypatch.undo()
    other = classifier.Classifier.open("dense", toy_models).assess(radiograph.read(film, "film.png"))
    assert f"**{TITLES[other.answer]}**" in texts(page)
    assert str(conclude(other.answer, other.similar).statement) in texts(page)
    assert "The models differ" in texts(page) or "Both models say" in texts(page)
    assert "cannot show where it looked" in texts(page)
    assert sum("Small CNN" in caption for caption in captions(page)) == 1


def test_the_methods_are_compared_only_when_asked(page, film, monkeypatch):
    drawn = []
    heat_map = explainer.Explainer.heat_map
    monkeypatch.setattr(
        explainer.Explainer,
        "heat_map",
        lambda self, assessment, method, shape: drawn.append(method) or heat_map(self, assessment, method, shape),
    )
    page.run()
    page.selectbox(key="predict.model").select("cnn").run()
    upload(page, "film.png", film)
    assert drawn == ["gradcam"]

    page.session_state["predict.research"] = page.session_state["predict.agreement"] = True
    page.run()

    assert not page.exception
    assert drawn == ["gradcam", *METHODS]
    told = next(each.value for each in page.markdown if "How far each agrees with Grad-CAM" in each.value)
    assert told.count("\n- **") == len(METHODS) - 1
    assert "It is no proof" in texts(page)
    # The toy model's agreement was not measured.
    assert "usually" not in told
    assert sum("SmoothGrad" in caption for caption in captions(page)) == 1
    page.run()
    assert drawn == ["gradcam", *METHODS]


def test_agreement_stands_beside_what_is_usual(page, film, toy_models, tmp_path, monkeypatch):
    folder = tmp_path / "measured"
    shutil.copytree(toy_models, folder)
    figures = {
        "correlation": {"value": 0.8, "low": 0.7, "high": 0.9},
        "overlap": {"value": 0.4, "low": 0.3, "high": 0.5},
    }
    heat = {"films": 48, "agreement": {"gradcam": {"layercam": figures}}}
    store.write_card(dataclasses.replace(store.read_card("cnn", folder), heat=heat), folder)
    monkeypatch.setenv("PNEUMO_MODELS", str(folder))
    page.run()
    page.selectbox(key="predict.model").select("cnn").run()
    page.session_state["predict.research"] = page.session_state["predict.agreement"] = True
    upload(page, "film.png", film)

    assert not page.exception
    lines = next(each.value for each in page.markdown if "How far each agrees" in each.value).splitlines()
    [told] = [line for line in lines if "usually" in line]
    assert told.startswith("- **LayerCAM**: rank correlation ")
    assert "(usually 0.80, 0.70 to 0.90)" in told
    assert told.endswith("(usually 40 %, 30 to 50 %).")
    assert "the mean over 48 validation films" in texts(page)


def test_an_empty_map_agrees_with_nothing(page, film, monkeypatch):
    monkeypatch.setattr(
        agreement, "heats_of", lambda _, __, shape: {method: np.zeros(shape, np.float32) for method in METHODS}
    )
    page.run()
    page.selectbox(key="predict.model").select("cnn").run()
    page.session_state["predict.research"] = page.session_state["predict.agreement"] = True
    upload(page, "film.png", film)

    assert not page.exception
    assert "The map of Grad-CAM is empty on this film" in texts(page)


def test_a_model_without_feature_maps_has_no_methods_to_compare(page, film):
    page.run()
    page.selectbox(key="predict.model").select("dense").run()
    page.session_state["predict.research"] = True
    upload(page, "film.png", film)

    assert "Compare with another model" in [folded.label for folded in page.expander]
    assert "Do the methods agree?" not in [folded.label for folded in page.expander]


def test_a_card_that_is_rewritten_is_obeyed_at_once(page, film, toy_models, tmp_path, monkeypatch, offered):
    folder = tmp_path / "models"
    shutil.copytree(toy_models, folder)
    monkeypatch.setenv("PNEUMO_MODELS", str(folder))
    upload(page.run(), "film.png", film)
    answer, name = offered[-1]["answer"], offered[-1]["model"]
    other, limits = ("unlikely", (1.0, 1.0)) if answer != "unlikely" else ("likely", (0.0, 0.0))
    card = store.read_card(name, folder)

    thresholds = {**card.thresholds, "low": limits[0], "high": limits[1]}
    store.write_card(dataclasses.replace(card, thresholds=thresholds), folder)
    page.run()

    assert not page.exception
    assert (offered[-1]["answer"], offered[-1]["model_sha256"]) == (other, card.sha256)


def test_a_single_film_that_does_not_fit_into_memory_is_told_of(page, film, monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr(radiograph, "read", exhausted)

    upload(page.run(), "film.png", film)

    assert not page.exception
    assert "needs more memory" in page.error[0].value


def test_a_name_formats_nothing(page, film):
    upload(page.run(), "**bold** [link].png", b"nothing")

    assert "**bold**" not in page.error[0].value
    assert "**bold** [link].png" in page.error[0].value.replace("\\", "")


def test_the_film_s_whereabouts_and_the_numbers_are_explained(page, film):
    upload(page.run(), "film.png", film)

    folded = [each.label for each in page.expander]
    assert folded == ["How was this counted?", "Does my film leave this machine?", "For researchers"]
    assert "not sent on" in texts(page)


def test_an_answer_can_be_kept_as_pdf_and_picture_with_what_the_user_typed(page, film, downloads):
    upload(page.run(), "film.png", film)
    page.text_input[0].set_value("Bed 7").run()

    text = PdfReader(io.BytesIO(downloads["PDF report"]())).pages[0].extract_text()

    assert not page.exception
    assert "Bed 7" in text
    assert downloads["Overlay as PNG"]().startswith(b"\x89PNG")
    assert json.loads(downloads["JSON"])["file"] == "film.png"


def test_the_name_on_a_report_is_not_left_over_for_the_next_film(page, film, noise, downloads):
    upload(page.run(), "film.png", film)
    page.text_input[0].set_value("Bed 7").run()

    upload(page, "noise.png", noise)

    assert page.text_input[0].value == ""
    assert "Overlay as PNG" not in [button.label for button in page.get("download_button")]
    assert "Bed 7" not in PdfReader(io.BytesIO(downloads["PDF report"]())).pages[0].extract_text()


def test_a_dicom_film_gets_objects_that_join_its_study(page, downloads):
    sample = next((ROOT / "data_samples").glob("*.dcm"))

    upload(page.run(), sample.name, sample.read_bytes())
    page.toggle[-1].set_value(True).run()

    assert not page.exception
    assert pydicom.dcmread(io.BytesIO(downloads["Structured report"])).Modality == "SR"
    assert "Overlay as DICOM" in downloads


def test_all_films_of_a_list_can_be_kept_as_one_pdf(page, film, noise, downloads):
    upload_all(page.run(), {"film.png": film, "noise.png": noise})

    page.button(key="predict.make_pdf").click().run()

    assert not page.exception
    assert len(PdfReader(io.BytesIO(downloads["Download the PDF of all films"])).pages) == 3
    page.segmented_control(key="predict.source").set_value("Upload films").run()
    assert "predict.make_pdf" not in [button.key for button in page.button]


def test_research_figures_are_shown_unless_pneumonia_is_unlikely(page, film, monkeypatch, toy_models):
    card = store.read_card("cnn", toy_models)
    severe = Severity(0.55, (0.8, None), "severe", Estimate(0.11, 0.09, 0.13))
    monkeypatch.setattr(Reading, "severity", property(lambda reading: severe))
    page.session_state["predict.research"] = True
    monkeypatch.setattr(loaded_models, "leaning_of", lambda *_: pathogen.leaning(card, 0.9))
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "uncertain")

    upload(page.run(), "film.png", film)

    assert not page.exception
    assert "The film looks more like bacterial pneumonia (90.0 %" in texts(page)
    assert "55 % of the lungs is opaque (right 80 %, left not on the film): severe." in texts(page)
    assert "off by 11 percentage points on average (9–13)" in texts(page)
    monkeypatch.setattr(calibration.Thresholds, "answer", lambda *_: "unlikely")
    upload(page, "other.png", png(cv2.imdecode(np.frombuffer(film, np.uint8), 0)[:, :-8]))
    assert "of the lungs is opaque" not in texts(page)


def test_a_hospital_that_a_model_is_calibrated_for_is_named_and_its_thresholds_hold(
    page, film, toy_models, tmp_path, monkeypatch, offered
):
    site = sites.site(store.read_card("dense", toy_models), "St *Mary*")
    (tmp_path / "site.json").write_text(site.as_json())
    monkeypatch.setenv("PNEUMO_SITE", str(tmp_path / "site.json"))

    upload(page.run(), "film.png", film)

    assert not page.exception
    assert page.selectbox(key="predict.model").value == "dense"
    assert f"Calibrated for St \\*Mary\\* on 40 normal films and 0 with pneumonia ({site.made})." in texts(page)
    assert "Of 100 films that score like this" not in texts(page)
    assert offered[-1]["site"]["name"] == "St *Mary*"
    assert offered[-1]["thresholds"] == dataclasses.asdict(site.found.thresholds)

    page.selectbox(key="predict.model").select("cnn").run()

    assert not page.exception
    assert "was calibrated for the model dense, not for cnn" in page.error[0].value


def test_a_damaged_site_file_is_told(page, tmp_path, monkeypatch):
    (tmp_path / "site.json").write_text("{")
    monkeypatch.setenv("PNEUMO_SITE", str(tmp_path / "site.json"))

    page.run()

    assert not page.exception
    assert "is no site file of pneumo, or it is damaged" in page.error[0].value
