"""The leaderboard's table as HTML: each figure with its 95 % interval as a bar; cards instead of rows on a telephone.

Streamlit's own table draws no interval into a cell, and cannot be read on a telephone.
"""

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pages.parts.charts.style import PALETTE
from pages.parts.shared.language import _, current, told
from pneumo.results import model_facts
from pneumo.results.leaderboard import ELSEWHERE, PUBLISHED, Column
from pneumo.sentences import Sentence, say

NOT_KNOWN = "–"
NOT_MEASURED = say("not measured here")
LOWER = say("lower is better")
# With more columns than these the rows are cards on every screen, so that none is cut off.
MOST_COLUMNS = 6
_CARDS = """
  .board{0} table, .board{0} tbody, .board{0} tr, .board{0} tbody th {{display: block}}
  .board{0} thead {{display: none}}
  .board{0} tr {{display: grid; grid-template-columns: {1}; padding: 0.6rem 0;
    border-bottom: 2px solid rgba(128, 128, 128, 0.5)}}
  .board{0} tbody th {{grid-column: 1 / -1; font-size: 1rem; border: none}}
  .board{0} td {{border: none; padding: 0.25rem 0.5rem}}
  .board{0} td::before {{content: attr(data-label); display: block; font-size: 0.75rem; opacity: 0.8}}"""
STYLE = f"""<style>
.board {{font-size: 0.85rem; line-height: 1.25}}
.board table {{border-collapse: separate; border-spacing: 0; width: 100%}}
.board th, .board td {{padding: 0.35rem 0.5rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid rgba(128, 128, 128, 0.3); font-weight: normal}}
.board thead th {{vertical-align: bottom; font-weight: 600; position: sticky; top: 3.75rem; z-index: 2;
  background: light-dark(#ffffff, #171614)}}
.board tbody th {{min-width: 8.5rem; font-weight: 600}}
.board small {{display: block; font-size: 0.75rem; font-weight: normal; opacity: 0.8}}
.board .mark {{display: inline; border: 1px solid; border-radius: 0.5rem; padding: 0 0.3rem; line-height: 2;
  white-space: nowrap}}
.board .bar {{position: relative; height: 7px; min-width: 4.4rem; margin-top: 3px; border-radius: 2px;
  background: rgba(128, 128, 128, 0.22)}}
.board .bar i {{position: absolute; top: 1px; bottom: 1px; background: {PALETTE[0]}; opacity: 0.75}}
.board .bar b {{position: absolute; top: -1px; bottom: -1px; width: 3px; margin-left: -1.5px; background: {PALETTE[1]}}}
{_CARDS.format(".cards", "repeat(auto-fill, minmax(8.5rem, 1fr))")}
@media (max-width: 640px) {{{_CARDS.format("", "1fr 1fr")}
  .board td.unknown {{display: none}}
}}
</style>"""


def table(rows: pd.DataFrame, columns: Mapping[str, Column], recommended: str = "") -> str:
    """Return the rows as an HTML table.

    Args:
        rows: as `leaderboard.rows` returns them, from top to bottom.
        columns: of `leaderboard.columns`, from left to right.
        recommended: name of the model that is marked as the one to use.
    """
    extents = {key: _extent(rows, key, column) for key, column in columns.items()}
    heads = "".join(_head(column, extents[key]) for key, column in columns.items())
    body = ""
    for row in rows.to_dict("records"):
        cells = (_cell(row, key, column, extents[key]) for key, column in columns.items())
        body += f"<tr>{_name(row, recommended)}{''.join(cells)}</tr>"
    kind = "board cards" if len(columns) > MOST_COLUMNS else "board"
    return (
        f'{STYLE}<div class="{kind}" role="region" aria-label="{_("Leaderboard")}" tabindex="0">'
        f'<table><thead><tr><th scope="col">{_("Model")}</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _extent(rows: pd.DataFrame, key: str, column: Column) -> tuple[float, float] | None:
    """Return the lowest and the highest limit of a column, which its bars go from and to."""
    if not column.has_interval:
        return None
    limits = pd.concat([rows[each].astype(float) for each in (key, f"{key}_low", f"{key}_high")]).dropna()
    return (float(limits.min()), float(limits.max())) if len(limits) and limits.min() < limits.max() else None


def _head(column: Column, extent: tuple[float, float] | None) -> str:
    ends = {"low": _figure(extent[0], column), "high": _figure(extent[1], column)} if extent else {}
    scale = f"<small>{_('bar: {low} to {high}', **ends)}</small>" if extent else ""
    lower = f"<small>{told(LOWER)}</small>" if column.is_ranked and not column.higher_is_better else ""
    title, meaning = html.escape(told(column.title)), html.escape(told(column.meaning))
    return f'<th scope="col" title="{meaning}">{title}{lower}{scale}</th>'


def _name(row: dict[Any, Any], recommended: str) -> str:
    source = (
        f'<small><span class="mark">{_("recommended")}</span></small>'
        if recommended and row["name"] == recommended
        else ""
    )
    if row["kind"] == PUBLISHED:
        source = f'<small><span class="mark">{_("published")}</span> {html.escape(str(row["source"]))}</small>'
    return f'<th scope="row">{html.escape(str(row["system"]))}{source}</th>'


def _cell(row: dict[Any, Any], key: str, column: Column, extent: tuple[float, float] | None) -> str:
    lower = f" ({told(LOWER)})" if column.is_ranked and not column.higher_is_better else ""
    title, value = html.escape(f"{told(column.title)}{lower}"), row[key]
    if pd.isna(value) or value == "":
        missing = told(NOT_MEASURED) if key in ("p50", "p95") and row["kind"] != PUBLISHED else NOT_KNOWN
        return f'<td data-label="{title}" class="unknown">{missing}</td>'
    return f'<td data-label="{title}">{_content(row, key, column, extent)}</td>'


def _content(row: dict[Any, Any], key: str, column: Column, extent: tuple[float, float] | None) -> str:
    value = row[key]
    if column.has_interval:
        low, high = row[f"{key}_low"], row[f"{key}_high"]
        limits = "" if pd.isna(low) else f"<small>{told(_figure(low, column))}–{told(_figure(high, column))}</small>"
        calls = f"<small>{html.escape(told(row['elsewhere_calls']))}</small>" if key == ELSEWHERE else ""
        unit = current().marks[2] if column.unit else ""
        return f"{told(_figure(value, column))}{unit}{limits}{_bar(value, low, high, extent)}{calls}"
    if key == "seed_system":
        return html.escape(value)
    if key == "test_openings":
        return told(model_facts.times(int(value)))
    if key in ("p50", "p95"):
        return f"{value:.0f} ms<small>{html.escape(told(row['machine']))}</small>"
    return _("{size:.1f} MB", size=value) if key == "size_mb" else _("{number:,.0f}", number=value)


def _figure(value: float, column: Column) -> Sentence:
    return say("{figure:.1f}", figure=100 * value) if column.is_share else say("{figure:.3f}", figure=value)


def _bar(value: float, low: float, high: float, extent: tuple[float, float] | None) -> str:
    if extent is None:
        return ""
    start, width = extent[0], extent[1] - extent[0]
    dot = f'<b style="left: {100 * (value - start) / width:.1f}%"></b>'
    if pd.isna(low):
        return f'<div class="bar">{dot}</div>'
    span = f"left: {100 * (low - start) / width:.1f}%; width: {100 * (high - low) / width:.1f}%"
    return f'<div class="bar"><i style="{span}"></i>{dot}</div>'
