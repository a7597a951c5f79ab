import io
import os
import shutil
import zipfile

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.fileset import FileSet

from pneumo.errors import ArchiveError, UnreadableImageError
from pneumo.radiograph import decoder_limits
from pneumo.serving import archive


def names(found):
    return sorted(name for name, _ in found.entries())


def test_a_folder_holds_the_files_of_its_folders_but_no_hidden_ones(tmp_path):
    for name in ("b.png", "a/inner/c.dcm", "a/.hidden.png", "__MACOSX/d.png", "DICOMDIR", ".trash/e.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"film")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")

    found = archive.find(str(tmp_path))

    assert names(found) == ["a/inner/c.dcm", "b.png", "gone.png"]
    assert found.film(("a/inner/c.dcm", "")) == tmp_path / "a/inner/c.dcm"


def test_a_folder_that_is_away_makes_no_film_unreadable(tmp_path):
    (tmp_path / "a.png").write_bytes(b"film")
    found = archive.find(str(tmp_path))
    assert not found.film(("b.png", "")).exists()
    (tmp_path / "a.png").unlink()

    with pytest.raises(ArchiveError, match="is away"):
        found.film(("a.png", ""))


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "films.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("ward/stored.png", b"stored")
        file.writestr("ward/deflated.png", b"deflated" * 100, zipfile.ZIP_DEFLATED)
        file.writestr("ward/bz2.png", b"other", zipfile.ZIP_BZIP2)
        file.writestr("large.png", b"0" * 10_000, zipfile.ZIP_DEFLATED)
        file.writestr("__MACOSX/ward/stored.png", b"resource")
        with file.open(zipfile.ZipInfo("zip64.png"), "w", force_zip64=True) as member:
            member.write(b"zip64")
    return path


def test_a_zip_file_is_read_without_unpacking_it(packed, monkeypatch):
    monkeypatch.setattr(decoder_limits, "MAX_BYTES", 1000)
    found = archive.find(str(packed))
    films = {name: (name, place) for name, place in found.entries()}

    assert sorted(films) == ["large.png", "ward/bz2.png", "ward/deflated.png", "ward/stored.png", "zip64.png"]
    assert found.film(films["ward/stored.png"]) == b"stored"
    assert found.film(films["ward/deflated.png"]) == b"deflated" * 100
    assert found.film(films["zip64.png"]) == b"zip64"
    # One more than may be read: the reader then says that it is too large.
    assert len(found.film(films["large.png"])) == 1001
    with pytest.raises(UnreadableImageError, match=r"ward/bz2\.png is locked, or packed"):
        found.film(films["ward/bz2.png"])


def test_a_film_that_is_damaged_in_a_zip_file_costs_itself(packed):
    whole = packed.read_bytes()
    at = whole.index(b"stored", 45)
    packed.write_bytes(whole[:at] + b"STORED" + whole[at + 6 :])
    found = archive.find(str(packed))
    films = {name: (name, place) for name, place in found.entries()}

    with pytest.raises(UnreadableImageError, match=r"ward/stored\.png is damaged in the zip file"):
        found.film(films["ward/stored.png"])
    assert found.film(films["zip64.png"]) == b"zip64"


def test_a_zip_file_is_known_by_its_content(packed, tmp_path):
    moved = shutil.copy(packed, tmp_path / "moved.zip")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("film.png", b"film")

    assert archive.find(str(moved)).identity == archive.find(str(packed)).identity
    assert archive.find(str(other)).identity != archive.find(str(packed)).identity


@pytest.fixture
def medium(tmp_path):
    """A DICOMDIR with two films."""
    files = FileSet()
    for number in (1, 2):
        dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        files.add(dataset)
    files.write(tmp_path / "cd")
    return tmp_path / "cd" / "DICOMDIR"


def test_a_dicomdir_names_the_films_of_its_medium(medium):
    found = archive.find(str(medium))

    films = list(found.entries())
    uids = {pydicom.dcmread(found.film(film), stop_before_pixels=True).SOPInstanceUID for film in films}
    assert uids == {"1.2.3.1", "1.2.3.2"}


def test_a_medium_whose_names_are_shown_in_small_letters_is_read(medium):
    found = archive.find(str(medium))
    (film, _) = entry = next(found.entries())
    for path in medium.parent.iterdir():
        if path.name != "DICOMDIR":
            path.rename(path.with_name("aside"))
    small = medium.parent / film.lower()
    small.parent.mkdir(parents=True)
    small.write_bytes(b"film")

    assert found.film(entry) == small


def test_a_dicomdir_leads_to_no_file_outside_of_its_medium(medium):
    with pytest.raises(UnreadableImageError, match="lies outside"):
        archive.find(str(medium)).film(("../secret", ""))


def test_says_what_is_no_archive(tmp_path):
    film = tmp_path / "film.png"
    film.write_bytes(b"film")

    with pytest.raises(ArchiveError, match=r"Use `pneumo predict` for single films"):
        archive.find(str(film))
    with pytest.raises(ArchiveError, match="There is no folder, zip file or DICOMDIR"):
        archive.find(str(tmp_path / "nothing"))


def test_a_damaged_dicomdir_is_told(medium):
    directory = pydicom.dcmread(medium)
    del directory.DirectoryRecordSequence
    stream = io.BytesIO()
    directory.save_as(stream)
    medium.write_bytes(stream.getvalue())

    with pytest.raises(ArchiveError, match="is damaged"):
        list(archive.find(str(medium)).entries())


@pytest.mark.skipif(os.name == "nt", reason="there, file names are text")
def test_names_of_files_need_not_be_text(tmp_path):
    odd = os.fsdecode(b"r\xf6ntgen.png")
    (tmp_path / odd).write_bytes(b"film")

    assert names(archive.find(str(tmp_path))) == [odd]


def test_a_password_stands_in_no_address():
    with pytest.raises(ArchiveError, match="PNEUMO_DICOMWEB_USER"):
        archive.find("https://user:secret@pacs.example/dicom-web")
