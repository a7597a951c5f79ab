"""Text of strangers, such as the names of their files, in places that Streamlit reads as Markdown."""

import re

from pneumo.sentences import Sentence, say, say_many

# Between backticks Markdown reads nothing: pneumo's own sentences put commands and their words there.
_CODE = re.compile(r"(`(?:python|pneumo|pip|git|imagenet|none)\b[^`\n]*`)")
# At the start of a line a dash, a plus and a number make a list, and an equals sign a heading of what is above.
_SIGNS = re.compile(r"([\\*_\[\]<>$~:#!|`&]|^\s*[-+=]|^\s*\d+[.)])", re.MULTILINE)


def plain(text: object) -> str:
    """Return Markdown that shows a text as it is, but for commands between backticks."""
    parts = _CODE.split(str(text))
    return "".join(part if place % 2 else _SIGNS.sub(_escaped, part) for place, part in enumerate(parts))


def plain_values(text: str) -> str:
    """Return a sentence whose values that strangers gave, such as names, are `plain`; its own words stay Markdown."""
    if not isinstance(text, Sentence) or not text.values:
        return text
    values = {name: _plain_value(value) for name, value in text.values.items()}
    if text.plural is not None:
        del values["number"]
        return say_many(text.template, text.plural, text.number, **values)
    return say(text.template, **values)


def _plain_value(value: object) -> object:
    if isinstance(value, Sentence):
        return plain_values(value)
    # Within a word an underscore is no sign.
    is_harmless = not isinstance(value, str) or not _SIGNS.search(re.sub(r"(?<=[^\W_])_(?=[^\W_])", "", value))
    return value if is_harmless else plain(value)


def _escaped(sign: re.Match[str]) -> str:
    return f"{sign[0][:-1]}\\{sign[0][-1]}"
