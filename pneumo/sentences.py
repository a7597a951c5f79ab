"""Sentences for people: English text that remembers how it was made, so that it can be told in another language.

A `Sentence` is a string and stands in JSON, CSV and logs as English. What was found is kept for longer than the
language of a page, so a sentence is made once, by `say`, and told whenever it is drawn, by `pneumo.language`.

The first argument of `say` is a literal, never an f-string: the tests look for the literals in the code and compare
them with the catalogues in ``pneumo/locale``.
"""

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

# Control characters, line and paragraph separators, and what turns the direction of writing.
BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return a text with a visible escape, such as ``\\n``, for each sign that breaks or turns a line."""
    return BREAKING.sub(lambda sign: sign[0].encode("unicode_escape").decode(), text)


class Sentence(str):
    """An English text with the template and the values that it was made of.

    Attributes:
        template: with a field of `str.format` for each value, such as ``"{films} films"``.
        values: what fills the fields: numbers, texts that are the same in all languages, or sentences.
        plural: the template for another number than one; None where there is one template.
        number: that chooses between the two.
    """

    template: str
    values: Mapping[str, Any]
    plural: str | None
    number: int

    def __str__(self) -> "Sentence":
        """Return the sentence itself: an exception's or a dataclass's text keeps its template."""
        return self


def say(template: str, **values: Any) -> Sentence:
    """Make a sentence.

    Args:
        template: in English; it is filled only where there are values, so that a text from elsewhere may hold braces.
        values: of its fields; names that strangers gave are made `visible`.
    """
    if isinstance(template, Sentence) and not values:
        return template
    values = {name: _shown(value) for name, value in values.items()}
    return _made(template, _filled(template, values) if values else template, values)


def say_many(one: str, other: str, number: int, **values: Any) -> Sentence:
    """Make a sentence that depends on a number.

    Args:
        one: the template for a number of one; its field ``{number}`` is the number.
        other: the template for any other number.
        number: zero or more.
        values: of further fields.
    """
    values = {"number": number, **{name: _shown(value) for name, value in values.items()}}
    return _made(one, _filled(one if number == 1 else other, values), values, other, number)


class _Formatter(string.Formatter):
    """Writes a share with a space before the sign, as in ``95 %``."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return f"{text[:-1]} %" if format_spec.endswith("%") else text


def _filled(template: str, values: Mapping[str, Any]) -> str:
    return _Formatter().vformat(template, (), values)


def say_list(texts: Iterable[str]) -> Sentence:
    """Make a sentence that lists texts, as in ``A, B``; empty where there are none."""
    return _joined(list(texts), lambda first, rest: say("{first}, {rest}", first=first, rest=rest))


def say_names(names: Iterable[str]) -> Sentence:
    """Make a sentence that lists names within another one, as in ``A, B and C``; empty where there are none."""
    *first, last = list(names) or [""]
    return say("{others} and {last}", others=say_list(first), last=last) if first else of_table(visible(last))


def say_all(sentences: Iterable[str]) -> Sentence:
    """Make one sentence of several, one after the other; empty where there are none."""
    return _joined(list(sentences), lambda first, rest: say("{first} {rest}", first=first, rest=rest))


def say_lines(lines: Iterable[str]) -> Sentence:
    """Make one sentence of several, each on a line of its own; empty where there are none."""
    return _joined(list(lines), lambda first, rest: say("{first}\n{rest}", first=first, rest=rest))


def say_together(parts: Iterable[str]) -> Sentence:
    """Make one sentence of its parts, one right behind the other; empty where there are none."""
    return _joined(list(parts), lambda first, rest: say("{first}{rest}", first=first, rest=rest))


def of_table(text: str) -> Sentence:
    """Make a sentence of a text of a table, which keeps the English of a sentence and no more."""
    return text if isinstance(text, Sentence) else _made(text, text, {})


def _joined(texts: Sequence[str], join: Callable[[str, str], Sentence]) -> Sentence:
    if len(texts) < 2:
        return of_table(texts[0] if texts else "")
    # By halves, so that a long list is nested no deeper than a short one.
    half = len(texts) // 2
    return join(_joined(texts[:half], join), _joined(texts[half:], join))


def _shown(value: Any) -> Any:
    if isinstance(value, Exception):
        value = str(value)
    is_name = isinstance(value, str | PurePath) and not isinstance(value, Sentence)
    return visible(str(value)) if is_name else value


def _made(template: str, text: str, values: Mapping[str, Any], plural: str | None = None, number: int = 1) -> Sentence:
    sentence = Sentence(text)
    sentence.template, sentence.values, sentence.plural, sentence.number = template, values, plural, number
    return sentence
