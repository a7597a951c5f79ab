import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes
from pydicom.tag import Tag

from pneumo.radiograph import header


def dataset(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("003Y", 3),
        ("62", 62),
        ("081", 81),
        ("45y", 45),
        ("45 Y", 45),
        ("3 M", 0.25),
        ("6MO", 0.5),
        ("4 years", 4),
        ("010M", 10 / 12),
        ("018M", 1.5),
        ("026W", 0.498),
        ("010D", 0.027),
        ("2,5 Y", 2.5),
        ("3Y6M", 3.5),
        ("3 yrs, 6 mos", 3.5),
        ("45 y/o", 45),
        ("45 years old", 45),
        ("7 yr.", 7),
        ("12 ans", 12),
        ("12 años", 12),
        ("8 Monate", 8 / 12),
        ("2 Jahre", 2),
        ("5 mois", 5 / 12),
        ("3 semanas", 0.0575),
        ("45岁", 45),
        ("6个月", 0.5),
        ("5 лет", 5),
        (">89Y", 89),
        ("90+", 90),
        ("000D", 0),
    ],
)
def test_reads_an_age_in_every_spelling(text: str, years: float) -> None:
    assert header.stated_age(text) == pytest.approx(years, abs=0.001)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "abc",
        "Y",
        "-5",
        "999Y",
        "1962",
        "000",
        "0",
        "3X",
        "12/04/1962",
        "3Y 6",
        "<1Y",
        "1" * 150 + "!",
        "3Y " * 5000,
        "45 J",
        "NaN",
        "1e9",
        "?",
    ],
)
def test_an_age_that_makes_no_sense_is_unknown(text: str) -> None:
    assert header.stated_age(text) is None


@pytest.mark.parametrize(
    ("elements", "years"),
    [
        ({"PatientAge": "000Y", "PatientBirthDate": "20180310", "StudyDate": "20180912"}, 0.5),
        ({"PatientAge": "000Y"}, 0),
        ({"PatientAge": "", "PatientBirthDate": "20150310", "StudyDate": "20180912"}, 3.5),
        ({"PatientAge": "?", "PatientBirthDate": "2015-03-10", "StudyDate": "2018.09.12"}, 3.5),
        ({"PatientBirthDate": "20150310", "StudyDate": "19010101", "AcquisitionDate": "20180912"}, 3.5),
        ({"PatientBirthDate": "19000101", "StudyDate": "20050912"}, None),
        ({"PatientBirthDate": "18580101", "StudyDate": "20050912"}, None),
        ({}, None),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_dates_tell_the_age_where_nothing_else_does(elements: dict, years: float | None) -> None:
    assert header.age_years(dataset(**elements)) == (None if years is None else pytest.approx(years, abs=0.01))


LATERAL = (
    *("L", "R", "LL", "RL", "LAT", "lateral", "LLAT", "RLAT", "LT LAT", "LEFT LATERAL", "LAT CHEST", "CHEST_LAT"),
    *(
        "XTABLE LATERAL",
        "X-TABLE LAT",
        "CROSS TABLE",
        "SWIMMERS",
        "SWIMMER'S VIEW",
        "LL ERECT",
        "ThoraxLat",
        "Latero-lateral",
    ),
    *(
        "LATERAL DORSAL DECUBITUS",
        "PERFIL",
        "PROFIL",
        "Tórax perfil",
        "seitlich",
        "Thorax seitl.",
        "boczne",
        "боковая",
        "侧位",
        "胸部側面",
    ),
)
FRONTAL = (
    *("PA", "AP", "PA/AP", "A-P", "P.A.", "POSTERO ANTERIOR", "POSTERO-ANTERIOR", "Anteroposterior", "FRONTAL"),
    *("PORTABLE AP SUPINE", "AP ERECT", "CHEST PA", "Thorax p.a.", "view: PA", "FRENTE", "AP_SUPINE", "正位"),
    *("AP DECUBITUS SUPINE", "PA BILATERAL LUNGS"),
)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("lateral", LATERAL),
        ("frontal", FRONTAL),
        (
            "oblique",
            ("RAO", "LAO", "RPO", "LPO", "LLO", "RLO", "OBL", "LEFT OBLIQUE", "Oblicua", "schräg", "AP OBLIQUE"),
        ),
        ("decubitus", ("LLD", "RLD", "LEFT LATERAL DECUBITUS", "DECUB LT", "DECUBITUS L")),
        ("lordotic", ("LORDOTIC", "AP LORDOTIC")),
        (None, ("", "CHEST", "ERECT", "SUPINE", "BILATERAL", "LATERALITY", "PA AND LATERAL", "UNKNOWN", "LATE", "1")),
    ],
)
def test_tells_the_projection_by_its_many_names(kind: str, texts: tuple[str, ...]) -> None:
    assert [text for text in texts if header.projection(text) != kind] == []


def coded(value: str, meaning: str = "") -> list[Dataset]:
    return [dataset(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)]


@pytest.mark.parametrize(
    ("elements", "view"),
    [
        ({"ViewPosition": "PA"}, "PA"),
        ({"ViewPosition": "PA", "SeriesDescription": "CHEST LAT"}, "PA"),
        ({"ViewPosition": "LL", "ViewCodeSequence": coded("272479007")}, "LL"),
        ({"ViewPosition": "AP", "ViewCodeSequence": coded("399067008")}, "LATERAL"),
        ({"ViewCodeSequence": coded("399067008")}, "LATERAL"),
        ({"ViewCodeSequence": coded("R-10236")}, "LATERAL"),
        ({"ViewCodeSequence": coded("X", "right lateral")}, "LATERAL"),
        ({"ViewCodeSequence": coded("399182000")}, "OBLIQUE"),
        ({"ViewCodeSequence": coded("399348003"), "SeriesDescription": "LAT"}, "FRONTAL"),
        ({"ViewCodeSequence": []}, None),
        ({"SeriesDescription": "W Chest Lat"}, "LATERAL"),
        ({"ViewPosition": "ERECT", "ProtocolName": "Thorax seitlich"}, "LATERAL"),
        ({"BodyPartExamined": "LAT CHEST"}, "LATERAL"),
        ({"SeriesDescription": "CHEST LAT", "ProtocolName": "CHEST PA"}, None),
        ({"SeriesDescription": "CHEST PA AND LATERAL"}, None),
        ({"SeriesDescription": "CHEST PA"}, None),
    ],
)
def test_the_view_is_told_by_position_codes_or_descriptions(elements: dict, view: str | None) -> None:
    assert header.view_position(dataset(**elements)) == view


def test_every_code_of_the_standard_for_a_view_is_known() -> None:
    known = {code: kind for kind, listed in header._VIEW_CODES.items() for code in listed.split()}
    older = {new: old for old, new in mapping["SRT"].items()}

    for name in codes.cid4010.dir():
        code = getattr(codes.cid4010, name)
        named = header.projection(code.meaning)
        assert known.get(code.value, named) == (named or known.get(code.value)), code
        if named:
            assert {known[code.value], known[older[code.value]]} == {named}


@pytest.mark.parametrize(
    ("value", "charset", "text"),
    [
        ("боковая".encode("iso8859_5"), "ISO_IR 144", "боковая"),
        ("侧位".encode("gb18030"), "GB18030", "侧位"),
        ("侧位".encode("gbk"), "", "侧位"),
        ("Thorax à plat".encode("latin_1"), "ISO_IR 100", "Thorax à plat"),
        ("schräg".encode(), "ISO_IR 192", "schräg"),
        ("schräg".encode(), "nonsense", "schräg"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_texts_are_read_in_the_letters_of_their_file(value: bytes, charset: str, text: str) -> None:
    made = dataset(SpecificCharacterSet=charset) if charset else Dataset()
    tag = Tag("SeriesDescription")
    made._dict[tag] = RawDataElement(tag, "LO", len(value), value, 0, False, True)

    assert header.header_text(made, "SeriesDescription") == text
