"""The figures of a `summary.Summary` as tables and sentences for reading and for charts."""

from pathlib import Path

import pandas as pd

from pneumo.datasets import kaggle
from pneumo.labels import CLASSES, KINDS, OFFICIAL_SPLITS

SIZES = {"width": "Width (pixels)", "height": "Height (pixels)", "aspect_ratio": "Width : height"}
# Few children have more films than this; their bars would be too low to see.
MANY_FILMS = 8
_EXAMPLES = (
    "person109_bacteria_12.jpeg",
    "person109_bacteria_14.jpeg",
    "person109_virus_203.jpeg",
    "IM-0115-0001.jpeg",
    "NORMAL2-IM-0115-0001.jpeg",
)


_SOURCES = (
    (
        "Normal or pneumonia",
        "Two physicians graded each film that had passed a check of its quality; a third checked the test films "
        "(Kermany et al. 2018). The label is the folder's name.",
    ),
    (
        "Bacterial or viral",
        "The file's name, as published with the data set. No laboratory result comes with the films.",
    ),
    ("Patient", "The file's name, by the rule above; films with identical bytes make their children one."),
    ("Split", "Training, validation and test folders as on Kaggle; pneumo divides the first two anew."),
    ("Age, sex, other diseases", "Not known film by film: the children were one to five years old."),
)


def class_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return ``split, kind, films, patients, share`` (of the split's films) from `Summary.counts`."""
    counted = pd.DataFrame(
        {
            "split": counts["split"].map(OFFICIAL_SPLITS),
            "kind": kinds(counts),
            "films": counts["films"],
            "patients": counts["patients"],
        }
    )
    counted["share"] = counted["films"] / counted.groupby("split")["films"].transform("sum")
    return counted


def readable_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the films of each split by kind, all films, and the share of pneumonia, a split a row."""
    wide = _by_kind(counts.assign(group=counts["split"].map(OFFICIAL_SPLITS)), list(OFFICIAL_SPLITS.values()))
    return wide.rename(columns={"group": "Split"})


def readable_development(development: pd.DataFrame) -> pd.DataFrame:
    """Return `Summary.development` as `readable_counts` returns the official splits."""
    titles = {"train": "Training", "validation": "Held out for validation"}
    wide = _by_kind(development.assign(group=development["part"].map(titles)), list(titles.values()))
    return wide.rename(columns={"group": "Part"})


def films_per_patient(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``class, films, patients, share`` (of the class's patients) from `Summary.films_per_patient`.

    ``films`` is text; patients with `MANY_FILMS` or more are one row.
    """
    capped = table.assign(films=table["films"].clip(upper=MANY_FILMS))
    rows = capped.groupby(["label", "films"])["patients"].sum().reset_index()
    rows["share"] = rows["patients"] / rows.groupby("label")["patients"].transform("sum")
    rows = rows.sort_values(["films", "label"], ignore_index=True)
    rows["films"] = [f"{each} or more" if each == MANY_FILMS else str(each) for each in rows["films"]]
    return rows.assign(**{"class": rows["label"].map(CLASSES)})[["class", "films", "patients", "share"]]


def size_shares(sizes: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Return ``class, low, high, films, share`` (of the class's films) of one quantity of `Summary.sizes`."""
    rows = sizes[sizes["quantity"] == quantity].reset_index(drop=True)
    share = rows["films"] / rows.groupby("label")["films"].transform("sum")
    return rows.assign(share=share, **{"class": rows["label"].map(CLASSES)})[["class", "low", "high", "films", "share"]]


def intensity_shares(intensity: pd.DataFrame) -> pd.DataFrame:
    """Return `Summary.intensity` with ``split`` and ``class`` in words."""
    rows = intensity.assign(
        **{"split": intensity["split"].map(OFFICIAL_SPLITS), "class": intensity["label"].map(CLASSES)}
    )
    return rows[["split", "class", "low", "high", "share"]]


def size_leak(quartiles: pd.DataFrame, sizes_from: str) -> str:
    """Return a sentence on how the medians of `Summary.size_quartiles` differ between the classes.

    Args:
        quartiles: ``label, quantity, median``, among others.
        sizes_from: `Summary.sizes_from`.
    """
    medians = quartiles.set_index(["label", "quantity"])["median"].to_dict()
    if sizes_from == "files":
        whose = "These are the sizes of the files in this folder, which may have been resized."
    else:
        whose = "These are the sizes of the original films."
    if any((label, quantity) not in medians for label in CLASSES for quantity in SIZES):
        return whose
    normal, sick = (
        f"{medians[label, 'width']:,.0f} pixels wide and {medians[label, 'height']:,.0f} high, "
        f"at a width : height of {medians[label, 'aspect_ratio']:.2f}"
        for label in CLASSES
    )
    return (
        f"{whose} The median normal film is {normal}; the median film with pneumonia is {sick}. Where they differ, "
        "size and aspect ratio leak the label: a model could answer from the frame without looking at the lungs."
    )


def readable_identical(identical: pd.DataFrame) -> pd.DataFrame:
    """Return `Summary.identical` with headings for people."""
    return pd.DataFrame(
        {
            "Split": [_joined(split, OFFICIAL_SPLITS) for split in identical["split"]],
            "Class": [_joined(label, CLASSES) for label in identical["label"]],
            "Files in a group": identical["files"],
            "Children that their names tell": identical["children"],
            "Groups": identical["groups"],
        }
    )


def identical_files(films: pd.DataFrame) -> pd.DataFrame:
    """Return ``Group, File, Patient after merging`` of every identical film of a `kaggle.scan`."""
    groups = sorted(kaggle.duplicate_groups(films))
    patients = films.set_index("file")["patient"]
    rows = [(number, file, patients[file]) for number, group in enumerate(groups, start=1) for file in group]
    return pd.DataFrame(rows, columns=["Group", "File", "Patient after merging"])


def unnamed_patients(films: pd.DataFrame) -> pd.Series:
    """Return which films of a `kaggle.scan` count as a patient of their own, for their names tell none."""
    return films["patient"] == films["file"].map(lambda file: Path(file).stem)


def unnamed_text(films: pd.DataFrame) -> str:
    """Return a sentence on the films whose names tell no patient; empty where there is none."""
    unnamed = int(unnamed_patients(films).sum())
    if not unnamed:
        return ""
    return (
        f"The names of {unnamed:,} of the {len(films):,} films tell no patient, so each counts as a patient of its "
        "own. The children may be fewer, and one may stand on both sides of a split."
    )


def label_sources() -> pd.DataFrame:
    """Return where each thing that is known of a film comes from."""
    return pd.DataFrame(_SOURCES, columns=["What", "Where it comes from"])


def key_examples() -> pd.DataFrame:
    """Return what `kaggle.patient_key` and `kaggle.pathogen_of` tell of a few file names."""
    return pd.DataFrame(
        {
            "File name": _EXAMPLES,
            "Patient": [kaggle.patient_key(file) for file in _EXAMPLES],
            "Cause": [kaggle.pathogen_of(file) or "none: normal film" for file in _EXAMPLES],
        }
    )


def kinds(rows: pd.DataFrame) -> list[str]:
    """Return the value of `KINDS` of each row's ``label`` and ``pathogen``."""
    return [KINDS[pair] for pair in zip(rows["label"], rows["pathogen"], strict=True)]


def _by_kind(rows: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Pivot ``group, label, pathogen, films`` to one row a group that occurs, in the order given."""
    wide = rows.assign(kind=kinds(rows)).pivot_table(
        index="group", columns="kind", values="films", aggfunc="sum", fill_value=0
    )
    wide = wide.reindex([group for group in groups if group in wide.index])
    wide = wide[[kind for kind in KINDS.values() if kind in wide]].astype(int)
    films = wide.sum(axis=1)
    sick = films - wide["Normal"] if "Normal" in wide else films
    shares = [f"{each:.1%}" for each in sick / films]
    wide["All films"] = films
    wide["Share of pneumonia"] = shares
    return wide.reset_index()


def _joined(names: str, titles: dict[str, str]) -> str:
    return " and ".join(titles[name] for name in names.split(" + "))
