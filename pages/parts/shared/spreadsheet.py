"""Tables that people open in a spreadsheet."""

import pandas as pd

from pneumo.reports.records import inert

# Their cells come from strangers; a figure that begins with a sign is to stay one.
NAMES = ("file", "film", "patient")
# Without it Excel takes UTF-8 for another encoding.
BYTE_ORDER_MARK = "\ufeff"


def as_csv(table: pd.DataFrame | str) -> str:
    """Return a table, or the CSV of one, as CSV that begins with a byte order mark."""
    if isinstance(table, str):
        return BYTE_ORDER_MARK + table
    shown = table.copy()
    for column in (each for each in table.columns if str(each).lower() in NAMES):
        shown[column] = shown[column].map(inert)
    return as_csv(shown.to_csv(index=False))
