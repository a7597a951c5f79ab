"""Tables and lists in Markdown, as the documents and the cards of models have them."""

import re
from collections.abc import Iterable, Mapping

import pandas as pd


def table(shown: pd.DataFrame) -> str:
    """Return a table of texts and numbers."""
    lines = [list(shown.columns), ["---"] * len(shown.columns), *shown.to_numpy(str).tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(points: Iterable[str]) -> str:
    """Return a list of points."""
    return "\n".join(f"- {point}" for point in points)


def named(facts: Mapping[str, str]) -> str:
    """Return a list of facts with their names in bold; empty ones are left out."""
    return bullets(f"**{name}**: {text}" for name, text in facts.items() if text)


def unbroken(text: str) -> str:
    """Return a text whose intervals no browser breaks in two: a narrow column is no place to end a line."""
    return re.sub(r"(?<=\d)–(?=\d)", "\u2060–\u2060", text)
