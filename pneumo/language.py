"""The languages that the pages and the PDF speak, and how a sentence, a number or a date is told in each.

English is what stands in the code. The others are gettext catalogues in ``pneumo/locale``, read through Babel and
compiled in memory; Babel's CLDR tables write numbers and dates.
"""

import functools
import gettext
import io
import string
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any

from babel import Locale, dates, numbers
from babel.messages import mofile, pofile

from pneumo.sentences import Sentence, of_table, say

FOLDER = Path(__file__).with_name("locale")


@dataclass(frozen=True)
class Language:
    """A language that pneumo speaks.

    Attributes:
        code: of ISO 639-1, as in an address: ``?lang=fr``.
        name: its own name for itself.
        locale: of CLDR, for numbers and dates.
    """

    code: str
    name: str
    locale: str

    def tell(self, text: str) -> str:
        """Tell a sentence in this language; a text that is no sentence, such as a file's name, stays as it is."""
        if not isinstance(text, Sentence):
            return text
        # The empty text of a catalogue is its head.
        if self.code == "en" or not text:
            return "".join(text)
        known = catalogue(self.code)
        if text.plural is None:
            template = known.gettext(text.template)
        else:
            template = known.ngettext(text.template, text.plural, text.number)
        return _Formatter(self).vformat(template, (), text.values) if text.values else template

    def word(self, text: str) -> str:
        """Tell a text of a table, which keeps the English of a sentence and no more; one of no catalogue stays."""
        return self.tell(of_table(text))

    @property
    def marks(self) -> tuple[str, str, str]:
        """What stands before decimals and between groups of three digits, and what is written behind per cent."""
        percent = self.tell(say("{percent:.1f} %", percent=0.5))
        return numbers.get_decimal_symbol(self.locale), numbers.get_group_symbol(self.locale), percent[3:]

    def moment(self, at: datetime) -> str:
        """Write a date with its time, as in ``21 nov. 2026, 17:54 UTC``; in English by ISO 8601, which all can read."""
        zone = f"{at:%Z}"
        if self.code == "en":
            return f"{at:%Y-%m-%d %H:%M} {zone}".strip()
        day = dates.format_date(at, "long", locale=self.locale)
        # The hours of the day run to 24 in all of these languages.
        return f"{day} {at:%H:%M} {zone}".strip()


LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "English", "en"),
        Language("zh", "简体中文", "zh_Hans_CN"),
        Language("es", "Español", "es"),
        Language("fr", "Français", "fr"),
    )
}
ENGLISH = LANGUAGES["en"]


def best_match(locales: Iterable[str | None]) -> Language:
    """Return the language that a reader wants most, English where pneumo speaks none of hers.

    Args:
        locales: as browsers name them, such as ``fr-CA``, the most wanted first; None is passed over.
    """
    for locale in locales:
        code = (locale or "").replace("_", "-").split("-")[0].lower()
        if code in LANGUAGES:
            return LANGUAGES[code]
    return ENGLISH


@functools.cache
def catalogue(code: str) -> gettext.GNUTranslations:
    """Read and compile the catalogue of a language.

    Raises:
        FileNotFoundError: if there is none.
    """
    with (FOLDER / f"{code}.po").open("rb") as file:
        read = pofile.read_po(file, locale=code)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, read)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class _Formatter(string.Formatter):
    """Fills a template: sentences are told, and numbers written, in a language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Sentence):
            return self._language.tell(value)
        text = format(value, format_spec.replace(",", ""))
        sign = "+" * text.startswith("+")
        figure = text.removeprefix("+").removesuffix("%")
        if not isinstance(value, Real) or not figure.replace(".", "").lstrip("-").isdigit():
            return text
        # Rounded by Python, so that all languages show the same digits.
        number = Decimal(figure)
        fraction = "0" * len(figure.partition(".")[2])
        decimals = f".{fraction}" if fraction else ""
        if text != figure:
            pattern = Locale.parse(self._language.locale).percent_formats[None].pattern
            return sign + numbers.format_percent(
                number / 100, pattern.replace("0", f"0{decimals}"), self._language.locale
            )
        whole = "#,##0" if "," in format_spec else "0"
        return sign + numbers.format_decimal(number, f"{whole}{decimals}", self._language.locale)
