import hashlib
import io
import shutil
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import kagglehub
import numpy as np
import pytest
from toy import sites
from toy.opened import page, text
from toy.synthetic import arrays

from pages.parts.data import fetch_films
from pneumo.datasets import download, kaggle
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store
from pneumo.results import leaderboard, own_films

run = partial(page, "own_data")

pytestmark = pytest.mark.usefixtures("no_data_set")


def told(app):
    """What the reader is told, without the backslashes that keep names from being Markdown."""
    said = "\n".join(str(each.value) for kind in (app.error, app.warning, app.success) for each in kind)
    return said.replace("\\", "")


def checked(path):
    app = run()
    app.text_input(key="own_data.path").set_value(str(path))
    return app.button(key="own_data.check").click().run()


def test_nothing_happens_before_a_click():
    app = run()

    assert not app.exception
    assert told(app) == ""
    assert not app.dataframe


def test_a_sound_data_set_is_counted(toy_data):
    app = checked(toy_data)

    assert not app.exception
    assert "Nothing here stands in the way" in told(app)
    assert "2 files have a copy" in told(app)
    assert app.dataframe[0].value["Films"].sum() > 60
    assert app.button(key="own_data.to_gallery")


def test_what_is_wrong_is_told_with_its_files(toy_data, tmp_path):
    copy = shutil.copytree(toy_data, tmp_path / "copy")
    (copy / "train" / "NORMAL" / "IM-0116-0001.jpeg").write_bytes(b"no picture")

    app = checked(copy)

    assert not app.exception
    assert "1 films cannot be read" in app.error[0].value
    assert app.code[0].value == "train/NORMAL/IM-0116-0001.jpeg"
    assert not app.success


def test_a_medmnist_file_is_counted_and_shown(tmp_path):
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays())

    app = checked(tmp_path / "pneumoniamnist.npz")

    assert not app.exception
    assert app.dataframe[0].value["Films"].sum() == 14
    assert len(app.get("image")) == 6


def test_a_medmnist_file_is_written_as_films(tmp_path):
    np.savez(tmp_path / "pneumoniamnist_64.npz", **arrays(64))
    app = checked(tmp_path / "pneumoniamnist_64.npz")

    app.text_input(key="own_data.unpack_out").set_value(str(tmp_path / "films"))
    app.button(key="own_data.unpack").click().run()

    root = tmp_path / "films" / "pneumoniamnist_64"
    assert not app.exception
    assert f"The films are in {root}" in told(app)
    assert len(kaggle.scan(root)) == 14
    assert app.button(key="own_data.to_gallery")
    app.button(key="own_data.unpack").click().run()
    assert "is there already" in told(app)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_model_is_measured_on_the_test_films(toy_data, toy_models, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    np.savez(tmp_path / "a.npz", **arrays(64))
    path = toy_data if kind == "folder" else tmp_path / "a.npz"
    app = checked(path)

    app.button(key="own_data.measure").click().run()

    name = app.selectbox(key="own_data.model").value
    measured = own_films.measure(Classifier.open(name, toy_models), path)
    official = leaderboard.measure(store.read_card(name, toy_models), "test", folder=toy_models).metrics
    assert not app.exception
    shown = next(table.value for table in app.table if "Figure" in table.value)
    assert shown.to_dict() == own_films.readable(measured.metrics, official).to_dict()
    assert app.download_button(key="own_data.csv")


def test_films_without_a_test_split_cannot_be_measured(toy_models, tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    values = {name: value for name, value in arrays(64).items() if not name.startswith("test")}
    np.savez(tmp_path / "a.npz", **values)
    app = checked(tmp_path / "a.npz")

    app.button(key="own_data.measure").click().run()

    assert not app.exception
    assert "no test films of both classes" in told(app)


@pytest.mark.parametrize("path", ["", "   "])
def test_an_empty_box_is_told(path):
    assert "Type the name" in told(checked(path))


@pytest.mark.parametrize("path", ["/nowhere", "y" * 900, "~nobody-of-that-name/films", __file__])
def test_what_is_no_data_set_costs_a_sentence_and_clears_the_last_check(toy_data, path):
    app = checked(toy_data)

    app.text_input(key="own_data.path").set_value(path)
    app.button(key="own_data.check").click().run()

    assert not app.exception
    assert app.error
    assert not app.dataframe


@pytest.fixture
def server():
    """A local server of one file, whatever the address."""
    content = io.BytesIO()
    np.savez(content, **arrays())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content.getvalue())))
            self.end_headers()
            self.wfile.write(content.getvalue())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", hashlib.md5(content.getvalue()).hexdigest()
    server.shutdown()
    server.server_close()


def fetched(out, source):
    app = run()
    app.selectbox(key="own_data.source").set_value(source).run()
    app.text_input(key="own_data.out").set_value(str(out))
    return app.button(key="own_data.fetch").click().run()


def test_a_file_is_fetched_at_a_click_and_can_be_checked(server, tmp_path, monkeypatch):
    url, md5 = server
    monkeypatch.setattr(download, "MEDMNIST_URL", url)
    monkeypatch.setitem(download.MEDMNIST, 64, ("pneumoniamnist_64.npz", md5))

    app = fetched(tmp_path / "new", "64")
    assert not app.exception
    assert f"The dataset is in {tmp_path / 'new' / 'pneumoniamnist_64.npz'}" in told(app)
    app.button(key="own_data.use_fetched").click().run()
    app.button(key="own_data.check").click().run()

    assert app.dataframe[0].value["Films"].sum() == 14


def test_without_a_dataset_real_films_are_fetched_at_a_click_and_shown(server, tmp_path, monkeypatch):
    url, md5 = server
    monkeypatch.setattr(download, "MEDMNIST_URL", url)
    monkeypatch.setitem(download.MEDMNIST, 64, ("pneumoniamnist_64.npz", md5))
    monkeypatch.delenv("PNEUMO_DATA", raising=False)
    monkeypatch.setattr(fetch_films, "FOLDER", tmp_path)
    app = page("gallery")
    assert not list(tmp_path.iterdir())

    app.selectbox(key="shared.fetch_side").set_value(64).run()
    app.button(key="shared.fetch").click().run()

    assert not app.exception
    assert app.text_input(key="shared.data_folder").value == str(tmp_path / "pneumoniamnist_64")
    assert "14 films" in text(app)
    # They are here; the offer is gone.
    assert not [button for button in app.button if button.key == "shared.fetch"]


def test_without_what_fetches_films_the_page_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    app = run()

    assert "Install it with pip install kagglehub." in text(app)
    app.button(key="own_data.fetch").click().run()
    assert not app.exception
    assert "Install it with pip install kagglehub." in app.error[0].value


def test_a_file_with_another_hash_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MEDMNIST_URL", server[0])

    app = fetched(tmp_path, "28")

    assert not app.exception
    assert "could not be fetched" in told(app)


def test_the_films_of_kaggle_are_fetched_at_a_click(toy_data, monkeypatch):
    counts = kaggle.film_counts(kaggle.scan(toy_data))
    monkeypatch.setattr(kaggle, "PUBLISHED_FILMS", counts)
    monkeypatch.setattr(kagglehub, "dataset_download", lambda handle, output_dir: str(toy_data))
    app = run()
    assert app.selectbox(key="own_data.source").value == "kaggle"
    assert "own_data.out" not in {box.key for box in app.text_input}

    app.button(key="own_data.fetch").click().run()

    assert not app.exception
    assert f"The dataset is in {toy_data}" in told(app)


def test_without_a_network_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MEDMNIST_URL", "http://127.0.0.1:9/")

    app = fetched(tmp_path, "PneumoniaMNIST, 28 × 28 pixels, from Zenodo")

    assert not app.exception
    assert "127.0.0.1:9 cannot be reached. Check the connection, or download" in told(app)


def calibrated(folder, name="St Mary"):
    app = run()
    app.text_input(key="own_data.site_folder").set_value(str(folder))
    app.text_input(key="own_data.site_name").set_value(name)
    app.selectbox(key="own_data.site_model").set_value("cnn")
    return app.button(key="own_data.calibrate").click().run()


def test_a_model_is_calibrated_at_the_readers_hospital(toy_models, tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    sites.write_films(tmp_path / "ours")
    (tmp_path / "ours" / "NORMAL" / "broken.png").write_bytes(b"no picture")

    app = calibrated(tmp_path / "ours", "St *Mary*")

    assert not app.exception
    assert "St *Mary* is calibrated on 32 normal films and 0 with pneumonia." in told(app)
    assert app.dataframe[0].value["File"].tolist() == ["broken.png"]
    assert app.table[0].value["Threshold"].tolist()[0] == "Likely, at or above"
    assert app.download_button(key="own_data.site_file")
    assert "PNEUMO_SITE=site.json" in text(app)
    assert "No film with pneumonia was there" in text(app)


def test_films_that_cannot_calibrate_are_told_with_those_that_do_not_count(toy_models, tmp_path, monkeypatch):
    monkeypatch.setenv("PNEUMO_MODELS", str(toy_models))
    sites.write_films(tmp_path / "ours", normal=2)
    (tmp_path / "ours" / "NORMAL" / "broken.png").write_bytes(b"no picture")

    app = calibrated(tmp_path / "ours")

    assert not app.exception
    assert "2 normal films of different children count" in told(app)
    assert len(app.dataframe[0].value) == 1
    assert "Type the folder" in told(calibrated("", ""))
