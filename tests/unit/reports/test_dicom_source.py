import pytest
from pydicom.dataset import Dataset
from toy import reported

from pneumo.errors import ImageError, UnreadableImageError, UnsupportedImageError
from pneumo.radiograph.dicom import parse
from pneumo.reports.dicom import identity, read, take_over


def source_of(data):
    return read(reported.reading_of(reported.read_dicom(data), source=data))


def test_patient_and_study_are_taken_over_in_utf_8():
    new = Dataset()

    take_over(new, source_of(reported.dicom_film(StudyDescription="Thorax à deux")))

    assert {keyword: str(new[keyword].value) for keyword in reported.PATIENT} == reported.PATIENT
    assert new.SpecificCharacterSet == "ISO_IR 192"
    assert new.StudyDescription == "Thorax à deux"
    assert new.StudyInstanceUID == source_of(reported.dicom_film()).StudyInstanceUID
    assert "SOPInstanceUID" not in new
    assert "SeriesInstanceUID" not in new


def test_a_path_is_read_like_its_bytes(tmp_path):
    data = reported.dicom_film()
    (tmp_path / "film.dcm").write_bytes(data)

    reading = reported.reading_of(reported.read_dicom(data), source=tmp_path / "film.dcm")
    assert read(reading) == source_of(data)


def test_what_the_file_lacks_is_empty():
    identity = source_of(reported.dicom_film(**dict.fromkeys(reported.PATIENT)))

    assert [str(identity[keyword].value or "") for keyword in reported.PATIENT] == [""] * len(reported.PATIENT)
    assert "StudyDescription" not in identity


@pytest.mark.filterwarnings("ignore:The value length:UserWarning")
@pytest.mark.parametrize(
    ("keyword", "wrong"),
    [("PatientBirthDate", "1995.07.2x"), ("StudyTime", "noon"), ("PatientSex", "X"), ("StudyID", "x" * 40)],
)
def test_what_the_standard_forbids_is_left_empty(keyword, wrong):
    assert source_of(reported.dicom_film())[keyword].value
    assert not source_of(reported.dicom_film(**{keyword: wrong}))[keyword].value


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_film_without_an_identity_cannot_be_joined(keyword):
    with pytest.raises(UnsupportedImageError, match=r"no DICOM report can join them\. Keep the PDF"):
        source_of(reported.dicom_film(**{keyword: None}))


def test_a_patient_number_that_would_be_cut_is_not_taken_over():
    data = reported.dicom_film(PatientID="4711-SECRET\\4712")

    with pytest.raises(UnsupportedImageError) as refusal:
        source_of(data)

    assert "SECRET" not in str(refusal.value)


def test_a_picture_is_no_dicom_film():
    with pytest.raises(UnsupportedImageError, match=r"film\.png is no DICOM file"):
        read(reported.reading_of(reported.png_film()))


def test_the_source_must_be_the_file_that_was_assessed(tmp_path):
    film = reported.read_dicom(reported.dicom_film())

    with pytest.raises(UnreadableImageError, match="has changed since it was assessed"):
        read(reported.reading_of(film, source=reported.dicom_film(PatientID="4712")))
    with pytest.raises(UnreadableImageError, match=r"film\.dcm can no longer be read"):
        read(reported.reading_of(film, source=tmp_path / "gone.dcm"))


def test_the_reader_of_films_still_knows_no_patient():
    dataset = parse(reported.dicom_film(), "film.dcm")

    assert "PatientName" not in dataset
    assert "PatientID" not in dataset


def test_a_film_whose_picture_cannot_be_read_still_says_whose_it_is():
    whole, cut = (identity(data, "film.dcm") for data in (reported.dicom_film(), reported.dicom_film()[:2000]))

    assert whole == cut


def test_a_damaged_header_is_an_error_without_a_word_of_it():
    with pytest.raises(ImageError) as error:
        identity(b"\0" * 128 + b"DICM" + b"SECRET" * 50, "film.dcm")

    assert "SECRET" not in str(error.value)
