"""What a page says, and what of it is left in English where another language is chosen."""

import re
import string
from functools import cache

import catalogue
from streamlit.testing.v1 import AppTest

# Shorter ones are parts of names, such as those of models.
SHORTEST = 12


def shown(page: AppTest) -> list[str]:
    """All that a page says: texts, labels, what stands in menus, tables and charts, and what the viewer is given."""
    texts = []
    for element in page.main:
        # The value of a choice is a key, and its label stands among the options.
        parts = ("label", "help", "placeholder") if hasattr(element, "options") else ("value", "label", "help")
        texts += [str(getattr(element, part, "")) for part in parts]
        texts += [str(option) for option in getattr(element, "options", ())]
        if element.type == "bidi_component":
            # The labels of the viewer have their English text for a key.
            texts.append(re.sub(r'"labels": ?\{.*?\}', "", element.proto.json))
        if element.type in ("arrow_data_frame", "arrow_table"):
            texts.append(element.value.to_csv())
        if element.type == "html":
            texts.append(element.proto.body)
        if element.type == "arrow_vega_lite_chart":
            texts += [element.proto.spec, element.proto.alt]
    for kind in ("expander", "popover", "tab", "download_button"):
        texts += [str(getattr(each, "label", "")) for each in page.get(kind)]
    return texts


@cache
def _parts(code: str) -> list[tuple[str, str]]:
    """The templates of a catalogue that are told in other words, each with its longest text without a field."""
    found = []
    for message in catalogue.read(code):
        if isinstance(message.id, str) and message.string != message.id:
            longest = max((text for text, *_ in string.Formatter().parse(message.id)), key=len, default="").strip()
            if len(longest) >= SHORTEST:
                found.append((message.id, longest))
    return found


def english_left(page: AppTest, code: str) -> list[str]:
    """The templates of which a page shows the English text."""
    told = "\n".join(shown(page))
    return [template for template, longest in _parts(code) if longest in told]
