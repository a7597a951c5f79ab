"""The figures of `shortcuts.Leaks` in words, for reading and for charts."""

import pandas as pd

from pneumo.datasets.image_properties import FRAMING, SIZE, TRAITS
from pneumo.datasets.shortcuts import FLOORS, PARTS, Leaks
from pneumo.evaluation.intervals import Estimate
from pneumo.labels import CLASSES

FLOOR = "Size and brightness"


def floors(leaks: Leaks, model: tuple[str, Estimate] | None = None) -> pd.DataFrame:
    """Return what each set of traits reaches alone, and a model for comparison.

    Args:
        leaks: of the data set.
        model: title and AUROC of a model on the same validation films; its row is the last.

    Returns:
        ``name, sees, value, low, high, text``: AUROC with its 95 % interval, as numbers and as text.
    """
    known = traits(leaks)
    rows = [
        (name, ", ".join(known[trait].lower() for trait in FLOORS.get(name, ()) if trait in known), *estimate)
        for name, *estimate in leaks.floors[["traits", "value", "low", "high"]].itertuples(index=False)
    ]
    if model:
        title, auroc = model
        rows.append((title, "the film itself", auroc.value, auroc.low, auroc.high))
    table = pd.DataFrame(rows, columns=["name", "sees", "value", "low", "high"])
    estimates = table[["value", "low", "high"]].itertuples(index=False)
    return table.assign(text=[str(Estimate(*figures)) for figures in estimates])


def floor_text(leaks: Leaks, traits: str = FLOOR) -> str:
    """Return the AUROC of one set of traits with its interval, as text.

    Raises:
        KeyError: if there is no such set.
    """
    texts = floors(leaks).set_index("name")["text"]
    return str(texts[traits])


def floors_text(leaks: Leaks) -> str:
    """Return what a regression on size and brightness reaches, and what on all traits, as two sentences."""
    more = "borders, letters and the framing of the lungs" if _has_masks(leaks) else "borders and letters"
    return (
        "A logistic regression that knows only a film's **size and brightness** tells pneumonia from normal with an "
        f"AUROC of **{floor_text(leaks)}**. With {more} as well it reaches **{floor_text(leaks, 'All of these')}** "
        "without seeing what is inside a lung."
    )


def measured_on(leaks: Leaks) -> str:
    """Return which films the figures of `floors` were fitted and measured on, as a sentence."""
    row = leaks.floors.iloc[0]
    left_out = f" {leaks.left_out} films whose original size is not known are left out." if leaks.left_out else ""
    return (
        f"Fitted on {row['train_films']:,} training films and measured on {row['films']:,} validation films of "
        f"{row['patients']:,} other patients; the official test films are not used. In brackets the 95 % interval "
        f"over patients.{left_out}"
    )


def traits(leaks: Leaks) -> dict[str, str]:
    """Return the traits that were measured, key → title."""
    known = set(leaks.traits["trait"])
    return {key: trait.title for key, trait in TRAITS.items() if key in known}


def trait_text(leaks: Leaks, trait: str) -> str:
    """Return what a trait is, as ``Width (pixels): of the original film``."""
    own_size = trait in SIZE and not _has_masks(leaks)
    meaning = "of the file in this folder, which may have been resized" if own_size else TRAITS[trait].meaning
    return f"{TRAITS[trait].title}: {meaning}"


def trait_rows(leaks: Leaks, trait: str) -> pd.DataFrame:
    """Return ``part, class, films, mean, sd, q1, median, q3`` of a trait, in the order of the parts and classes."""
    rows = leaks.traits[leaks.traits["trait"] == trait]
    rows = rows.assign(place=rows["part"].map(PARTS.index)).sort_values(["place", "label"])
    rows["class"] = rows["label"].map(CLASSES)
    return rows[["part", "class", "films", "mean", "sd", "q1", "median", "q3"]].reset_index(drop=True)


def shift_rows(leaks: Leaks) -> pd.DataFrame:
    """Return ``trait`` (its title), ``class, shift`` of `Leaks.shifts`, the furthest moved trait first."""
    rows = leaks.shifts.assign(size=leaks.shifts["shift"].abs())
    furthest = rows.groupby("trait")["size"].max()
    rows = rows.assign(furthest=rows["trait"].map(furthest))
    rows = rows.sort_values(["furthest", "trait", "label"], ascending=[False, True, True])
    return pd.DataFrame(
        {
            "trait": [TRAITS[trait].title for trait in rows["trait"]],
            "class": rows["label"].map(CLASSES).to_list(),
            "shift": rows["shift"].to_list(),
        }
    )


def shift_text(leaks: Leaks) -> str:
    """Return which trait moved furthest from training to test, as a sentence."""
    if leaks.shifts.empty:
        return "There are no test films, or no trait differs among the training films."
    row = shift_rows(leaks).set_index("shift")
    furthest = max(row.index, key=abs)
    trait, kind = row.loc[[furthest]].iloc[0][["trait", "class"]]
    way = "above" if furthest > 0 else "below"
    return (
        f"{trait} moved furthest: on {kind.lower()} test films it lies {abs(furthest):.2f} standard deviations {way} "
        "the training films of the same class."
    )


def _has_masks(leaks: Leaks) -> bool:
    """Whether lung masks told the films' original sizes and the framing of the lungs."""
    return not set(FRAMING).isdisjoint(leaks.traits["trait"])
