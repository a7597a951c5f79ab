"""Tables and lists in Markdown, as the documents and the cards of models have them."""

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from pneumo.sentences import Sentence, of_table, say, say_lines


def table(shown: pd.DataFrame) -> Sentence:
    """Return a table of texts and numbers."""
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.to_numpy(object).tolist()]
    return say_lines(say("| {cells} |", cells=_cells([str(cell) for cell in line])) for line in lines)


def _cells(line: list[str]) -> Sentence:
    return say("{first} | {rest}", first=of_table(line[0]), rest=_cells(line[1:])) if line[1:] else of_table(line[0])


def bullets(points: Iterable[str]) -> Sentence:
    """Return a list of points."""
    return say_lines(say("- {point}", point=point) for point in points)


def named(facts: Mapping[str, str]) -> Sentence:
    """Return a list of facts with their names in bold; empty ones are left out."""
    return bullets(say("**{name}**: {text}", name=name, text=text) for name, text in facts.items() if text)


def unbroken(text: str) -> str:
    """Return a text whose intervals no browser breaks in two: a narrow column is no place to end a line."""
    return re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", text)
