"""The leaderboard's table as HTML: each figure with its 95 % interval as a bar; cards instead of rows on a telephone.

Streamlit's own table draws no interval into a cell, and cannot be read on a telephone.
"""

import html
from typing import Any

import pandas as pd

from pages.parts.charts.style import PALETTE
from pneumo.results import model_facts
from pneumo.results.leaderboard import COLUMNS, PUBLISHED

NOT_KNOWN = "–"
NOT_MEASURED = "not measured here"
STYLE = f"""<style>
.board {{overflow-x: auto; font-size: 0.85rem; line-height: 1.25}}
.board table {{border-collapse: collapse; width: 100%}}
.board th, .board td {{padding: 0.35rem 0.5rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid rgba(128, 128, 128, 0.3); font-weight: normal}}
.board thead th {{vertical-align: bottom; font-weight: 600}}
.board tbody th {{min-width: 8.5rem; font-weight: 600}}
.board small {{display: block; font-size: 0.72rem; font-weight: normal; opacity: 0.75; white-space: nowrap}}
.board th small {{white-space: normal}}
.board .mark {{display: inline; border: 1px solid; border-radius: 0.5rem; padding: 0 0.3rem}}
.board .bar {{position: relative; height: 7px; min-width: 4.4rem; margin-top: 3px; border-radius: 2px;
  background: rgba(128, 128, 128, 0.22)}}
.board .bar i {{position: absolute; top: 1px; bottom: 1px; background: {PALETTE[0]}; opacity: 0.75}}
.board .bar b {{position: absolute; top: -1px; bottom: -1px; width: 3px; margin-left: -1.5px; background: {PALETTE[1]}}}
@media (max-width: 640px) {{
  .board table, .board tbody, .board tr, .board tbody th {{display: block}}
  .board thead {{display: none}}
  .board tr {{display: grid; grid-template-columns: 1fr 1fr; padding: 0.6rem 0;
    border-bottom: 2px solid rgba(128, 128, 128, 0.5)}}
  .board tbody th {{grid-column: 1 / -1; font-size: 1rem; border: none}}
  .board td {{border: none; padding: 0.25rem 0.5rem}}
  .board td.unknown {{display: none}}
  .board td::before {{content: attr(data-label); display: block; font-size: 0.72rem; opacity: 0.75}}
}}
</style>"""


def table(rows: pd.DataFrame, columns: list[str]) -> str:
    """Return the rows as an HTML table.

    Args:
        rows: as `leaderboard.rows` returns them, from top to bottom.
        columns: keys of `leaderboard.COLUMNS`, from left to right.
    """
    extents = {key: _extent(rows, key) for key in columns}
    heads = "".join(_head(key, extents[key]) for key in columns)
    body = "".join(
        f"<tr>{_name(row)}{''.join(_cell(row, key, extents[key]) for key in columns)}</tr>"
        for row in rows.to_dict("records")
    )
    return (
        f'{STYLE}<div class="board" role="region" aria-label="Leaderboard" tabindex="0">'
        f'<table><thead><tr><th scope="col">Model</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _extent(rows: pd.DataFrame, key: str) -> tuple[float, float] | None:
    """Return the lowest and the highest limit of a column, which its bars go from and to."""
    if not COLUMNS[key].has_interval:
        return None
    limits = pd.concat([rows[column].astype(float) for column in (key, f"{key}_low", f"{key}_high")]).dropna()
    return (float(limits.min()), float(limits.max())) if len(limits) and limits.min() < limits.max() else None


def _head(key: str, extent: tuple[float, float] | None) -> str:
    column = COLUMNS[key]
    scale = f"<small>{extent[0]:.2f} to {extent[1]:.2f}</small>" if extent else ""
    return f'<th scope="col" title="{html.escape(column.meaning)}">{html.escape(column.title)}{scale}</th>'


def _name(row: dict[Any, Any]) -> str:
    source = ""
    if row["kind"] == PUBLISHED:
        source = f'<small><span class="mark">published</span> {html.escape(str(row["source"]))}</small>'
    return f'<th scope="row">{html.escape(str(row["system"]))}{source}</th>'


def _cell(row: dict[Any, Any], key: str, extent: tuple[float, float] | None) -> str:
    title, value = html.escape(COLUMNS[key].title), row[key]
    if pd.isna(value) or value == "":
        missing = NOT_MEASURED if key in ("p50", "p95") and row["kind"] != PUBLISHED else NOT_KNOWN
        return f'<td data-label="{title}" class="unknown">{missing}</td>'
    return f'<td data-label="{title}">{_content(row, key, extent)}</td>'


def _content(row: dict[Any, Any], key: str, extent: tuple[float, float] | None) -> str:
    value = row[key]
    if COLUMNS[key].has_interval:
        low, high = row[f"{key}_low"], row[f"{key}_high"]
        limits = "" if pd.isna(low) else f"<small>{low:.3f}–{high:.3f}</small>"
        return f"{value:.3f}{limits}{_bar(value, low, high, extent)}"
    if key == "seed_system":
        return html.escape(value)
    if key == "test_openings":
        return model_facts.times(int(value))
    if key in ("p50", "p95"):
        return f"{value:.0f} ms<small>{html.escape(str(row['machine']))}</small>"
    return f"{value:.1f} MB" if key == "size_mb" else f"{value:,.0f}"


def _bar(value: float, low: float, high: float, extent: tuple[float, float] | None) -> str:
    if extent is None:
        return ""
    start, width = extent[0], extent[1] - extent[0]
    dot = f'<b style="left: {100 * (value - start) / width:.1f}%"></b>'
    if pd.isna(low):
        return f'<div class="bar">{dot}</div>'
    span = f"left: {100 * (low - start) / width:.1f}%; width: {100 * (high - low) / width:.1f}%"
    return f'<div class="bar"><i style="{span}"></i>{dot}</div>'
