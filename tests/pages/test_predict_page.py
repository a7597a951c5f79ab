import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pneumo import DISCLAIMER, calibration, classifier, explanation, radiograph, report, samples

ROOT = Path(__file__).parents[2]
TITLES = {"likely": "Pneumonia likely", "uncertain": "Cannot say", "unlikely": "Pneumonia unlikely"}


@pytest.fixture
def page(toy_models, monkeypatch) -> AppTest:
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)


@pytest.fixture(scope="module")
def film() -> bytes:
    picture = np.tile(np.linspace(0, 255, 300, dtype=np.uint8), (240, 1))
    return cv2.imencode(".png", picture)[1].tobytes()


def texts(page: AppTest) -> str:
    return "\n".join(
        element.value for kind in ("markdown", "caption", "error", "warning") for element in page.get(kind)
    )


def upload(page: AppTest, name: str, data: bytes) -> AppTest:
    return page.file_uploader(key="upload").set_value([(name, data, "application/octet-stream")]).run()


def test_the_first_screen_asks_for_a_film_and_says_what_pneumo_is(page):
    page.run()

    assert not page.exception
    assert page.title[0].value == "Read a chest film"
    assert DISCLAIMER in texts(page)
    assert not page.slider


def test_an_uploaded_film_gets_the_answer_of_the_library(page, film, toy_models):
    expected = classifier.Classifier.open("cnn", toy_models).assess(radiograph.read(film, "film.png"))

    page.run()
    page.selectbox(key="model").select("cnn").run()
    upload(page, "film.png", film)

    assert not page.exception
    assert TITLES[expected.answer] in texts(page)
    assert f"Probability of pneumonia: {calibration.as_percent(expected.probability)}" in texts(page)
    assert expected.reasons[0] in texts(page)
    assert DISCLAIMER in texts(page)
    assert "Small CNN" in page.expander[0].label
    assert len(captions(page)) == 2


def test_the_download_is_the_record_of_the_assessment(page, film, toy_models, monkeypatch):
    shown = []
    monkeypatch.setattr(report, "to_json", lambda record, **_: shown.append(record) or json.dumps(record))

    upload(page.run(), "film.png", film)

    assert shown[-1]["file"] == "film.png"
    assert shown[-1]["status"] == "ok"
    assert shown[-1]["image_sha256"] == radiograph.read(film, "film.png").sha256


def test_the_slider_lays_the_heat_map_over_the_film_without_a_model_run(page, film, monkeypatch):
    upload(page.run(), "film.png", film)
    runs, opacities = [], []
    monkeypatch.setattr(classifier.Classifier, "assess", lambda *_: runs.append("assess"))
    monkeypatch.setattr(explanation.Explainer, "heat_map", lambda *_: runs.append("heat map"))
    drawn = explanation.overlay
    monkeypatch.setattr(
        explanation, "overlay", lambda film, heat, opacity: opacities.append(opacity) or drawn(film, heat, opacity)
    )

    page.slider(key="opacity").set_value(25).run()

    assert not page.exception
    assert opacities == [0.25]
    assert runs == []


def test_a_sample_says_that_it_is_a_composite(page):
    page.run()
    page.segmented_control(key="source").set_value("Try a sample").run()
    films = samples.load_samples()

    assert not page.exception
    assert f"Composite of {films[0].composite_of} films of different patients" in "\n".join(captions(page))

    dicom = next(sample.path.name for sample in films if sample.path.suffix == ".dcm")
    page.selectbox(key="sample").select(dicom).run()

    assert not page.exception
    assert "DICOM" in "\n".join(captions(page))


def captions(page: AppTest) -> list[str]:
    return [image.caption for images in page.get("image") for image in images.proto.imgs]


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
    assert name in page.error[0].value
    assert "Probability of pneumonia" not in texts(page)


def test_a_model_without_feature_maps_says_so_and_still_answers(page, film):
    page.run()
    page.selectbox(key="model").select("dense").run()
    upload(page, "film.png", film)

    assert not page.exception
    assert "Probability of pneumonia" in texts(page)
    assert "cannot show where it looked" in texts(page)
    assert not page.slider


def test_another_method_draws_another_map(page, film, monkeypatch):
    upload(page.run(), "film.png", film)
    asked = []
    drawn = explanation.Explainer.heat_map
    monkeypatch.setattr(
        explanation.Explainer,
        "heat_map",
        lambda self, assessment, method, shape: asked.append(method) or drawn(self, assessment, method, shape),
    )

    page.selectbox(key="method").select("gradcam++").run()

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
