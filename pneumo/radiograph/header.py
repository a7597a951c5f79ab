"""What a DICOM header says of patient and view: texts, the age in years, and the projection, under their many names."""

import re
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Projection = Literal["frontal", "lateral", "oblique", "decubitus", "lordotic"]

AGE_DATES = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
# Of the study it is not said which of its films this one is.
DESCRIPTIONS = ("BodyPartExamined", "SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
ELEMENTS = (
    *("SpecificCharacterSet", "Modality", "ViewPosition", "ViewCodeSequence", "PatientAge"),
    *AGE_DATES,
    *DESCRIPTIONS,
)

OLDEST = 130.0
# Few live longer, and a birth date in 1900 stands for one that was taken out.
OLDEST_BY_DATES = 110.0
_NO_BIRTH_DATES = (datetime(1900, 1, 1), datetime(1901, 1, 1))

# A part of a year, and what it is called. A bare J is a year in German and a day in French, so it is neither.
_UNITS = (
    (1.0, "Y|YO|YR|YRS|YEARS?|A|ANS?|ANOS?|ANN[IO]|JAHRE?|JAAR|ЛЕТ|ГОДА?|Г|岁|歲|歳|才|세|살"),
    (1 / 12, "M|MO|MOS|MON|MTHS?|MNTHS?|MONTHS?|MOIS|MES|MESES|MES[EI]|MONATE?|MAAND(EN)?|МЕС|М|月|个月|個月|개월"),
    (1 / 52.18, "W|WKS?|WEEKS?|SEM|SEMAINES?|SEMANAS?|SETTIMAN[AE]|WOCHEN?|周|週"),
    (1 / 365.25, "D|DAYS?|DIAS?|JOURS?|TAGE?|GIORN[IO]|天|日"),
)
_AGE_PART = re.compile(r"(\d++(?:[.,]\d++)?)\s*+([^\W\d_]*+)")
_AGE = re.compile(rf"[>~]?\s*(?:{_AGE_PART.pattern}[\s,]*+)+\+?")
# Longer than any element that names a view or an age; a hostile one would take seconds.
LONGEST = 200

# Words that begin like this, whole words, and codes that are the whole text.
_BEGINNINGS: dict[Projection, str] = {
    "oblique": "OBLIQ|OBLIC|OBLICU|SCHRAG|SKOSN|КОСА|КОСО|斜",
    "lateral": "LATERAL(?!IT)|LATERO|TRANSLATERAL|SEITLICH|SEITENAUFN|ZIJDELING|DWARS|BOCZN|BOCN|БОКОВ|OLDALIRAN"
    "|SIVUKUVA",
    "lordotic": "LORDO|APICOLORDO",
    "frontal": "FRONTAL|POSTEROANT|ANTEROPOST|DORSOVENTR|VENTRODORS|ПРЯМ",
}
_WORDS: dict[Projection, str] = {
    "oblique": "OBL|OBLS|OBLQ|RAO|LAO|RPO|LPO|LLO|RLO",
    "lateral": "LL|RL|LAT|LATS|LATL|LATR|LLAT|RLAT|LTLAT|RTLAT|XTABLE|XTLAT|XTABLELAT|CROSSTABLE|SWIMMERS?"
    "|SEITL|PROFIL|PROFILO|PERFIL",
    "decubitus": "LLD|RLD",
    "frontal": "PA|AP|APPA|PAAP|FRENTE|FACE",
}
_CODES = re.compile("L|R|ML|LM|SIDE|PROFILE|BOK|YAN")
_DECUBITUS = re.compile(r"\bDECUB")
_ON_A_SIDE = re.compile(r"\b(L|R|LL|RL|LAT|LATERAL|LEFT|RIGHT|LT|RT)\b")
_ON_BACK_OR_BELLY = re.compile(r"\b(DORSAL|VENTRAL|SUPINE|PRONE|SUPINO|PRONO)\b")
_ANYWHERE: dict[Projection, tuple[str, ...]] = {
    "lateral": ("侧位", "側位", "側面", "侧面", "측면", "CROSS TABLE", "X TABLE", "SIDE VIEW"),
    "oblique": ("斜位",),
    "frontal": ("正位", "正面", "POSTERO ANTERIOR", "ANTERO POSTERIOR"),
}
# DICOM PS3.16 CID 4010, by SNOMED CT and by the codes that came before it.
_VIEW_CODES: dict[Projection, str] = {
    "frontal": "399033003 399348003 272479007 R-10202 R-10206 R-10214 R-40888",
    "lateral": "399067008 399173006 399198007 399352003 399260004 R-102CD R-10236 R-10232 R-10228 R-10224",
    "oblique": "399312000 399160007 399132005 260427002 399099002 399135007 399184004 399006002 260426006 399368009 "
    "399004004 399225005 399288005 399182000 399059000 399356000 399236003 399038007 399325008 R-10208 R-10204 "
    "R-10252 R-40783 R-10230 R-10220 R-10238 R-10212 R-40782 R-10226 R-10246 R-10250 R-10248 R-102C1 R-10216 "
    "R-40985 R-10234 R-10210 R-10254",
}
# One view has a few items of a hundred bytes.
_MAX_SEQUENCE_BYTES = 10_000


def header_text(dataset: "Dataset", keyword: str) -> str | None:
    """Return the first value of a text element as the file wrote it, or None where it is missing or empty."""
    # The raw bytes: pydicom's own conversion would put values it finds wrong into warnings.
    element = dataset.get_item(keyword)
    value = element.value if element is not None else None
    if value is None:
        return None
    text = _decoded(value, dataset) if isinstance(value, bytes) else str(value)
    return text.split("\\")[0].strip(" \0") or None


def _decoded(value: bytes, dataset: "Dataset") -> str:
    if value.isascii():
        return value.decode("ascii")
    from pydicom.charset import python_encoding

    declared = dataset.get_item("SpecificCharacterSet")
    named = declared.value if declared is not None else b""
    names = named.decode("ascii", "replace").split("\\") if isinstance(named, bytes) else [str(named)]
    known = [python_encoding[name] for each in names if (name := each.strip(" \0")) and name in python_encoding]
    for encoding in (*known[::-1], "utf-8", "gb18030"):
        try:
            return value.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return value.decode("ascii", "replace")


def age_years(dataset: "Dataset") -> float | None:
    """Return the age in years, from PatientAge or in whole months from birth to study; None if unknown."""
    stated = stated_age(header_text(dataset, "PatientAge") or "")
    if stated:
        return stated
    # Some write 000Y of every infant, and the dates know better.
    by_dates = _age_by_dates(dataset)
    return stated if by_dates is None else by_dates


def stated_age(text: str) -> float | None:
    """Return the years that an age such as ``003Y``, ``45 y``, ``6MO`` or ``3Y 6M`` says; a bare number is years."""
    plain = re.sub(r"\b(OLD|AGED?)\b|\.(?!\d)", " ", _folded(text[:LONGEST]).replace("/", "")).strip()
    if not _AGE.fullmatch(plain):
        return None
    parts = _AGE_PART.findall(plain)
    if len(parts) == 1 and not parts[0][1]:
        # Zero without a unit is what an empty field becomes.
        parts = [(parts[0][0], "Y")] if float(parts[0][0].replace(",", ".")) else []
    years = 0.0
    for number, unit in parts:
        share = next((share for share, names in _UNITS if re.fullmatch(names, unit)), None)
        if share is None:
            return None
        years += float(number.replace(",", ".")) * share
    return years if parts and years <= OLDEST else None


def _age_by_dates(dataset: "Dataset") -> float | None:
    birth, *others = (_date(header_text(dataset, keyword)) for keyword in AGE_DATES)
    if birth is None or birth in _NO_BIRTH_DATES:
        return None
    days = next((days for other in others if other and (days := (other - birth).days) >= 0), None)
    if days is None or days > OLDEST_BY_DATES * 365.25:
        return None
    return int(days / (365.25 / 12)) / 12


def _date(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(re.sub(r"[.-]", "", text or ""), "%Y%m%d")
    except ValueError:
        return None


def view_position(dataset: "Dataset") -> str | None:
    """Return what the header says of the view.

    That is ViewPosition as it is written, unless it names no view, or a frontal one against ViewCodeSequence; then the
    kind of view that the sequence names, or else, where it is not frontal, that which descriptions of the series name.
    """
    written = header_text(dataset, "ViewPosition")
    kind, coded = projection(written or ""), _coded_projection(dataset)
    if coded and (kind is None or (kind == "frontal" and coded != kind)):
        return coded.upper()
    if kind is None:
        described = {projection(header_text(dataset, keyword) or "") for keyword in DESCRIPTIONS} - {None}
        if len(described) == 1 and (named := described.pop()) and named != "frontal":
            return named.upper()
    return written


def projection(text: str) -> Projection | None:
    """Return the kind of view that words name; None where they name none, or both a frontal and a side view."""
    # CamelCase and A-P, as well as words with underscores between them.
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text[:LONGEST])
    plain = " ".join(re.findall(r"[^\W\d_]+", _folded(spaced)))
    plain = re.sub(r"\b(?:A P|P A)\b", lambda pair: pair[0].replace(" ", ""), plain)
    if _CODES.fullmatch(plain):
        return "lateral"
    words = plain.split()
    named = {
        kind
        for kind in ("oblique", "lateral", "decubitus", "lordotic", "frontal")
        if any(part in plain for part in _ANYWHERE.get(kind, ()))
        or any(
            re.match(_BEGINNINGS.get(kind, "(?!)"), word) or re.fullmatch(_WORDS.get(kind, "(?!)"), word)
            for word in words
        )
    }
    # In lateral decubitus the child lies on its side, and the view is frontal; not so in dorsal decubitus.
    if _DECUBITUS.search(plain) and _ON_A_SIDE.search(plain) and not _ON_BACK_OR_BELLY.search(plain):
        named = (named - {"lateral"}) | {"decubitus"}
    if {"frontal", "lateral"} <= named:
        return None
    return next((kind for kind in ("oblique", "lateral", "decubitus", "lordotic", "frontal") if kind in named), None)


def _coded_projection(dataset: "Dataset") -> Projection | None:
    element = dataset.get_item("ViewCodeSequence")
    if element is None or (isinstance(element.value, bytes) and len(element.value) > _MAX_SEQUENCE_BYTES):
        return None
    try:
        item = dataset["ViewCodeSequence"].value[0]
        code, meaning = (header_text(item, keyword) or "" for keyword in ("CodeValue", "CodeMeaning"))
    except Exception:  # pydicom raises as many kinds as a sequence can be damaged in, and the view is no part of it.
        return None
    known = next((kind for kind, codes in _VIEW_CODES.items() if code.upper() in codes.split()), None)
    return known or projection(meaning)


def _folded(text: str) -> str:
    """Return capital letters without accents, in one form where Unicode has several."""
    letters = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(each for each in letters if not unicodedata.combining(each))).upper()
