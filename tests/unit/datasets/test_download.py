import hashlib
import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import kagglehub
import pytest
import requests
from typer.testing import CliRunner

from pneumo.cli import app
from pneumo.datasets import download, kaggle
from pneumo.datasets.download import MEDMNIST, check_complete, fetch_kaggle, fetch_medmnist
from pneumo.errors import DatasetError


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    logging.getLogger("pooch").setLevel(logging.ERROR)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "LOOK_EVERY", 0.02)


@pytest.fixture
def serve():
    """Serve bytes under a local address."""
    served = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = served.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def folder_of(content, name):
        served[f"/files/{name}"] = content
        return f"http://127.0.0.1:{server.server_port}/files/"

    yield folder_of
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(toy_data, monkeypatch):
    """The toy data, taken for the published set."""
    monkeypatch.setattr(kaggle, "PUBLISHED_FILMS", kaggle.film_counts(kaggle.scan(toy_data)))
    return toy_data


def test_the_films_go_into_the_folder_that_notebooks_use_and_are_counted(published, tmp_path, monkeypatch):
    asked, sentences = [], []

    def fetch(handle, output_dir):
        asked.append((handle, output_dir))
        archive = download.folder() / "2.archive"
        archive.parent.mkdir(parents=True)
        archive.write_bytes(bytes(3_000_000))
        time.sleep(0.2)
        return str(published.parent)

    monkeypatch.setattr(kagglehub, "dataset_download", fetch)

    assert fetch_kaggle(progress=sentences.append) == published
    assert asked == [("paultimothymooney/chest-xray-pneumonia", None)]
    assert download.folder().is_relative_to(tmp_path / "cache")
    assert sentences[-1].startswith("3 MB of about 2,300 MB")


def test_the_films_can_go_into_another_folder(published, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        kagglehub, "dataset_download", lambda handle, output_dir: asked.append(output_dir) or str(published)
    )

    assert fetch_kaggle(tmp_path / "data") == published
    assert asked == [str(tmp_path / "data")]


def test_an_incomplete_data_set_is_refused(toy_data, monkeypatch):
    monkeypatch.setattr(kagglehub, "dataset_download", lambda handle, output_dir: str(toy_data))

    with pytest.raises(DatasetError, match="is not complete: train/NORMAL has"):
        fetch_kaggle()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            requests.ConnectionError("no route"),
            "Kaggle cannot be reached. Check the connection, or download it by hand",
        ),
        (requests.Timeout(), "Kaggle cannot be reached"),
        (OSError("No space left on device"), "could not fetch the dataset .No space left"),
        (FileExistsError("output_dir is not empty"), "data is not empty. Name an empty or a new folder"),
        (kagglehub.exceptions.DataCorruptionError("another\n  checksum"), "another checksum"),
    ],
)
def test_what_goes_wrong_costs_a_sentence(tmp_path, monkeypatch, error, said):
    def fail(handle, output_dir):
        raise error

    monkeypatch.setattr(kagglehub, "dataset_download", fail)

    with pytest.raises(DatasetError, match=said):
        fetch_kaggle(tmp_path / "data")


def test_an_empty_folder_holds_nothing(tmp_path):
    assert download.megabytes(tmp_path / "nowhere") == 0


def test_too_many_films_are_not_complete_either(toy_data):
    with pytest.raises(DatasetError, match="train/PNEUMONIA has 36 films, not 3875"):
        check_complete(toy_data)


def test_the_command_line_fetches_a_set_and_says_how_to_use_it(published, tmp_path, monkeypatch):
    monkeypatch.setattr(kagglehub, "dataset_download", lambda handle, output_dir: str(published))

    result = CliRunner().invoke(app.app, ["data", "download", "--out", str(tmp_path / "data")])

    assert result.exit_code == 0
    assert f"PNEUMO_DATA={published}" in result.stdout
    assert f"into {tmp_path / 'data'}" in result.stderr


def test_the_command_line_says_what_went_wrong(monkeypatch):
    def fail(handle, output_dir):
        raise requests.ConnectionError

    monkeypatch.setattr(kagglehub, "dataset_download", fail)

    result = CliRunner().invoke(app.app, ["data", "download"])

    assert result.exit_code == 2
    assert "Kaggle cannot be reached" in result.stderr


def test_medmnist_is_fetched_with_its_hash_and_its_progress(serve, tmp_path, monkeypatch):
    content = bytes(range(256)) * 20_000
    monkeypatch.setitem(MEDMNIST, 64, ("pneumoniamnist_64.npz", hashlib.md5(content).hexdigest()))
    base = serve(content, "pneumoniamnist_64.npz")
    shares = []

    path = fetch_medmnist(64, tmp_path / "new", base, shares.append)

    assert path == tmp_path / "new" / "pneumoniamnist_64.npz"
    assert path.read_bytes() == content
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert len(shares) > 3


def test_medmnist_with_another_hash_is_refused_and_not_kept(serve, tmp_path):
    base = serve(b"other", "pneumoniamnist.npz")

    with pytest.raises(DatasetError, match=r"could not be fetched.*zenodo\.org/records/10519652"):
        fetch_medmnist(28, tmp_path, base)

    assert not (tmp_path / "pneumoniamnist.npz").exists()


def test_an_address_without_the_file_is_reported(serve, tmp_path):
    base = serve(b"", "other.npz")

    with pytest.raises(DatasetError, match="404"):
        fetch_medmnist(28, tmp_path, base)


def test_a_refused_connection_is_reported_with_the_way_by_hand(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    with pytest.raises(DatasetError, match=r"Check the connection.*zenodo\.org/records"):
        fetch_medmnist(28, tmp_path, f"http://127.0.0.1:{port}/")


def test_a_folder_that_cannot_be_made_is_a_data_set_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DatasetError, match="could not be fetched"):
        fetch_medmnist(28, tmp_path / "file" / "below")
