"""The three classes that `pathogen.classes` tells apart, counted for a chart, for a table, and in a sentence."""

import pandas as pd

from pneumo.evaluation import intervals
from pneumo.evaluation.intervals import Estimate
from pneumo.inference import pathogen
from pneumo.inference.pathogen import CLASSES

# Short enough to stand beside a chart on a telephone.
SHORT = dict(zip(CLASSES, ("Normal", "Bacterial", "Viral"), strict=True))


def cells(told: pd.DataFrame) -> pd.DataFrame:
    """Count the films of each label that are told as each class.

    Args:
        told: as `pathogen.classes` returns it.

    Returns:
        ``truth, call`` (values of `SHORT`), ``films``, ``share`` of the films with that label, ``low, high``: Wilson's
        95 % interval of the share. A label that no film has is left out.
    """
    rows = []
    for truth, counted in zip(CLASSES, pathogen.matrix(told).to_numpy(int), strict=True):
        for call, films in zip(CLASSES, counted, strict=True):
            if counted.sum():
                share = intervals.wilson(int(films), int(counted.sum()))
                rows.append((SHORT[truth], SHORT[call], int(films), share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["truth", "call", "films", "share", "low", "high"])


def readable(told: pd.DataFrame) -> pd.DataFrame:
    """Return `cells` for reading: one row a label, ``Labelled, Films``, and a share with its interval for each call."""
    counted = cells(told)
    counted["text"] = [
        _percent(Estimate(*figures)) for figures in counted[["share", "low", "high"]].itertuples(index=False)
    ]
    wide = counted.pivot_table(index="truth", columns="call", values="text", aggfunc="first")
    wide = wide.reindex(index=[name for name in SHORT.values() if name in wide.index], columns=list(SHORT.values()))
    table = pd.DataFrame(
        {"Labelled": wide.index, "Films": counted.groupby("truth")["films"].sum()[wide.index].tolist()}
    )
    for name in SHORT.values():
        table[f"Called {name.lower()}"] = wide[name].tolist()
    return table


def reading(told: pd.DataFrame) -> str:
    """Say how many films are called right, and which class is most often taken for which other one."""
    said = f"Of {len(told):,} films {_percent(pathogen.accuracy(told))} are called right."
    counted = cells(told)
    wrong = counted[(counted["truth"] != counted["call"]) & (counted["films"] > 0)]
    if wrong.empty:
        return said
    worst = wrong.nlargest(1, "share").to_dict("records")[0]
    films = counted.loc[counted["truth"] == worst["truth"], "films"].sum()
    share = _percent(Estimate(worst["share"], worst["low"], worst["high"]))
    return (
        f"{said} The commonest confusion is {worst['truth'].lower()} called {worst['call'].lower()}: "
        f"{worst['films']:,} of {films:,} films, {share}."
    )


def _percent(share: Estimate) -> str:
    # Word joiners keep the interval on one line in the narrow columns of a telephone.
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f}\u2060–\u2060{100 * share.high:.1f})"
