import hashlib
import io
import logging
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from pneumo.cli import app
from pneumo.datasets import kaggle
from pneumo.datasets.download import MEDMNIST, check_complete, download, download_medmnist
from pneumo.errors import DatasetError


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("pooch").setLevel(logging.ERROR)


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

    def address_of(content, path="/archive.zip"):
        served[path] = content
        return f"http://127.0.0.1:{server.server_port}{path}"

    yield address_of
    server.shutdown()
    server.server_close()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def published():
    """An archive with as many films as the published one, with what macOS adds to archives."""
    members = {
        f"chest_xray/{split}/{label}/film-{number}.jpeg": f"{split} {label} {number}"
        for (split, label), films in kaggle.PUBLISHED_FILMS.items()
        for number in range(films)
    }
    junk = {"__MACOSX/chest_xray/train/NORMAL/film-0.jpeg": "junk", "chest_xray/train/.DS_Store": "junk"}
    return zipped(members | junk)


def test_a_complete_archive_is_fetched_unpacked_and_removed(serve, published, tmp_path):
    steps = []
    url = serve(published)

    root = download(tmp_path / "new" / "data", url, hashlib.sha256(published).hexdigest(), steps.append)

    assert root == tmp_path / "new" / "data" / "chest_xray"
    assert (root / "test/NORMAL/film-233.jpeg").read_text() == "test NORMAL 233"
    assert sorted(path.name for path in root.parent.iterdir()) == ["chest_xray"]
    assert not (root / "train" / ".DS_Store").exists()
    assert url in steps[0]
    assert steps[1].startswith("Unpacking")


def test_an_archive_with_another_hash_is_refused_and_not_unpacked(serve, tmp_path):
    url = serve(zipped({"chest_xray/train/NORMAL/a.jpeg": "a"}))

    with pytest.raises(DatasetError, match="could not be fetched"):
        download(tmp_path, url, "0" * 64)

    assert not list(tmp_path.rglob("*.jpeg"))


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", b"", b"PK\x03\x04 cut off"])
def test_what_is_no_zip_archive_is_refused(serve, tmp_path, content):
    with pytest.raises(DatasetError, match="no sound zip archive"):
        download(tmp_path, serve(content))


def test_a_damaged_archive_is_refused(serve, tmp_path):
    content = bytearray(zipped({"chest_xray/train/NORMAL/a.jpeg": "abc" * 1000 + "xyz" * 500}))
    content[65:75] = b"\xff" * 10

    with pytest.raises(DatasetError, match="no sound zip archive"):
        download(tmp_path, serve(bytes(content)))


def test_an_archive_that_asks_for_a_password_is_refused(serve, tmp_path):
    content = bytearray(zipped({"chest_xray/train/NORMAL/a.jpeg": "a"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1

    with pytest.raises(DatasetError, match="no sound zip archive"):
        download(tmp_path, serve(bytes(content)))


def test_an_incomplete_archive_is_refused_with_what_is_missing(serve, tmp_path):
    url = serve(zipped({"train/NORMAL/a.jpeg": "a", "test/PNEUMONIA/b.jpeg": "b"}))

    with pytest.raises(DatasetError, match=r"train/NORMAL has 1 films, not 1341.*val/NORMAL has 0 films, not 8"):
        download(tmp_path, url)


def test_an_archive_of_something_else_is_refused(serve, tmp_path):
    with pytest.raises(DatasetError, match="no data set in the Kaggle layout"):
        download(tmp_path, serve(zipped({"cats/cat.jpeg": "a"})))


def test_names_that_point_outside_stay_inside(serve, tmp_path):
    inside = tmp_path / "outer" / "data"
    hostile = {"../escaped.jpeg": "x", f"{tmp_path}/absolute.jpeg": "x", "train/NORMAL/../../../up.jpeg": "x"}
    url = serve(zipped({"train/NORMAL/a.jpeg": "a", **hostile}))

    with pytest.raises(DatasetError, match="not complete"):
        download(inside, url)

    names = {path.name: path for path in tmp_path.rglob("*.jpeg")}
    assert set(names) == {"a.jpeg", "escaped.jpeg", "absolute.jpeg", "up.jpeg"}
    assert all(path.is_relative_to(inside) for path in names.values())


def test_a_refused_connection_is_reported_with_the_way_by_hand(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    with pytest.raises(DatasetError, match=r"Check the connection.*kaggle\.com/datasets"):
        download(tmp_path, f"http://127.0.0.1:{port}/archive.zip")


def test_an_address_without_an_archive_is_reported(serve, tmp_path):
    url = serve(b"", path="/other").replace("other", "missing")

    with pytest.raises(DatasetError, match="404"):
        download(tmp_path, url)


def test_an_address_of_an_unknown_kind_is_reported(tmp_path):
    with pytest.raises(DatasetError, match="could not be fetched"):
        download(tmp_path, "gopher://example.org/archive.zip")


def test_too_many_films_are_not_complete_either(toy_data):
    with pytest.raises(DatasetError, match="train/PNEUMONIA has 36 films, not 3875"):
        check_complete(toy_data)


def test_the_command_line_fetches_a_set_and_says_how_to_use_it(serve, published, tmp_path):
    arguments = ["data", "download", "--url", serve(published), "--out", str(tmp_path)]

    result = CliRunner().invoke(app.app, arguments)

    assert result.exit_code == 0
    assert f"PNEUMO_DATA={tmp_path / 'chest_xray'}" in result.stdout
    assert "Unpacking" in result.stderr


def test_medmnist_is_fetched_with_its_hash_and_its_progress(serve, tmp_path, monkeypatch):
    content = bytes(range(256)) * 20_000
    monkeypatch.setitem(MEDMNIST, 64, ("pneumoniamnist_64.npz", hashlib.md5(content).hexdigest()))
    base = serve(content, path="/files/pneumoniamnist_64.npz").removesuffix("pneumoniamnist_64.npz")
    shares = []

    path = download_medmnist(64, tmp_path / "new", base, shares.append)

    assert path == tmp_path / "new" / "pneumoniamnist_64.npz"
    assert path.read_bytes() == content
    assert shares == sorted(set(shares))
    assert shares[-1] == 1
    assert len(shares) > 3


def test_medmnist_with_another_hash_is_refused_and_not_kept(serve, tmp_path):
    base = serve(b"other", path="/files/pneumoniamnist.npz").removesuffix("pneumoniamnist.npz")

    with pytest.raises(DatasetError, match=r"could not be fetched.*zenodo\.org/records/10519652"):
        download_medmnist(28, tmp_path, base)

    assert not (tmp_path / "pneumoniamnist.npz").exists()


def test_a_folder_that_cannot_be_made_is_a_data_set_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(DatasetError, match="could not be fetched"):
        download_medmnist(28, tmp_path / "file" / "below")
