"""Normal, bacterial or viral: how well a classifier and the network for pathogens tell the three classes apart."""

from pathlib import Path

import numpy as np
import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate, wilson
from pneumo.inference.pathogen import NAME
from pneumo.labels import KINDS
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.sentences import Sentence, say

NORMAL, BACTERIAL, VIRAL = (KINDS[pair] for pair in (("NORMAL", ""), ("PNEUMONIA", "bacteria"), ("PNEUMONIA", "virus")))
# The same within a sentence, and as headings.
WORDS = {"Normal": say("normal"), "Bacterial": say("bacterial"), "Viral": say("viral")}
CALLED = {"Normal": say("Called normal"), "Bacterial": say("Called bacterial"), "Viral": say("Called viral")}
# Short enough to stand beside a chart on a telephone.
SHORT = {NORMAL: say("Normal"), BACTERIAL: say("Bacterial"), VIRAL: say("Viral")}


def calls(card: ModelCard, split: str, folder: Path | None = None) -> pd.DataFrame:
    """Return what both networks call the films of a split.

    Args:
        card: of the classifier; it calls a film pneumonia at its decision threshold.
        split: that both were measured on.
        folder: the folder of model folders.

    Returns:
        ``file, patient, truth, call``, the last two keys of `SHORT`; films whose pathogen no file name states are left
        out.

    Raises:
        ModelError: if one of the two was not measured on the split.
    """
    films = store.read_predictions(card.name, split, folder)
    leaning = store.read_predictions(NAME, split, folder).set_index("file")["probability"]
    if missing := set(films["file"]) - set(leaning.index):
        raise ModelError(
            "{name} was not measured on {missing} films of {split}; measure it again.",
            name=NAME,
            missing=len(missing),
            split=split,
        )
    bacterial = films["file"].map(leaning) >= store.read_card(NAME, folder).thresholds["decision"]
    called = films["probability"] >= card.thresholds["decision"]
    films["truth"] = [KINDS[pair] for pair in zip(films["label"], films["pathogen"], strict=True)]
    films["call"] = np.where(~called, NORMAL, np.where(bacterial, BACTERIAL, VIRAL))
    return films.loc[films["truth"].isin(list(SHORT)), ["file", "patient", "truth", "call"]].reset_index(drop=True)


def matrix(called: pd.DataFrame) -> pd.DataFrame:
    """Count `calls`: one row a truth, one column a call, both in the order of `SHORT`."""
    return pd.crosstab(called["truth"], called["call"]).reindex(index=[*SHORT], columns=[*SHORT], fill_value=0)


def accuracy(called: pd.DataFrame) -> Estimate:
    """Return the share of films of `calls` that are called right, with Wilson's 95 % interval."""
    return wilson(int((called["truth"] == called["call"]).sum()), len(called))


def cells(called: pd.DataFrame) -> pd.DataFrame:
    """Count the films of each label by call.

    Args:
        called: as `calls` returns it.

    Returns:
        ``truth, call`` (values of `SHORT`), ``films``, ``share`` of the films with that label, ``low, high``: Wilson's
        95 % interval of the share. A label that no film has is left out.
    """
    rows = []
    for truth, counted in zip(SHORT.values(), matrix(called).to_numpy(int), strict=True):
        for call, films in zip(SHORT.values(), counted, strict=True):
            if counted.sum():
                share = wilson(int(films), int(counted.sum()))
                rows.append((truth, call, int(films), share.value, share.low, share.high))
    return pd.DataFrame(rows, columns=["truth", "call", "films", "share", "low", "high"])


def readable(called: pd.DataFrame) -> pd.DataFrame:
    """Return `cells` for reading: one row a label, ``Labelled, Films``, and a share with its interval for each call."""
    counted = cells(called)
    figures = counted[["share", "low", "high"]].itertuples(index=False)
    counted["text"] = pd.Series([Estimate(*each).percent for each in figures], dtype=object)
    wide = counted.pivot_table(index="truth", columns="call", values="text", aggfunc="first")
    wide = wide.reindex(index=[name for name in SHORT.values() if name in wide.index], columns=list(SHORT.values()))
    films = counted.groupby("truth")["films"].sum()[wide.index].tolist()
    table = pd.DataFrame({say("Labelled"): wide.index, say("Films"): films})
    for name in SHORT.values():
        table[CALLED[name]] = pd.Series(wide[name].tolist(), dtype=object)
    return table


def sentence(called: pd.DataFrame) -> Sentence:
    """Say how many films are called right, and which class is most often called another one."""
    said = say("Of {films:,} films {share} are called right.", films=len(called), share=accuracy(called).percent)
    counted = cells(called)
    wrong = counted[(counted["truth"] != counted["call"]) & (counted["films"] > 0)]
    if wrong.empty:
        return said
    worst = wrong.nlargest(1, "share").to_dict("records")[0]
    films = counted.loc[counted["truth"] == worst["truth"], "films"].sum()
    return say(
        "{said} The commonest confusion is {truth} called {call}: {wrong:,} of {films:,} films, {share}.",
        said=said,
        truth=WORDS[worst["truth"]],
        call=WORDS[worst["call"]],
        wrong=worst["films"],
        films=films,
        share=Estimate(worst["share"], worst["low"], worst["high"]).percent,
    )
