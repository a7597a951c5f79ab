"""Summary of a dataset in figures that may be shared: counts, sizes, grey values, mean pictures; no film.

`summarise` reads every film once; `write` and `load` keep the result as one JSON file and a few small PNGs, so that the
Dataset page has its figures on a machine without the dataset. Below them stand the same figures as tables and
sentences for reading and for charts.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pneumo import radiograph
from pneumo.datasets import kaggle, lung_masks
from pneumo.errors import DatasetError
from pneumo.labels import CLASSES, KINDS, OFFICIAL_SPLITS
from pneumo.sentences import Sentence, say, say_list

INDEX = "dataset_summary.json"
SIDE = 224
# Fewer grey values than this behind a pixel would let one child show through.
FEWEST = 8
LEVELS_A_BIN = 4
BINS = 256 // LEVELS_A_BIN
ABOVE, BELOW = (179, 88, 6), (33, 102, 172)
PICTURES = {
    "normal": ("NORMAL", None),
    "bacterial": ("PNEUMONIA", "bacteria"),
    "viral": ("PNEUMONIA", "virus"),
    "pneumonia": ("PNEUMONIA", None),
}
# Wide enough for a smooth histogram of 1,500 normal films.
BIN_WIDTHS = {"width": 100.0, "height": 100.0, "aspect_ratio": 0.1}
SOURCE = {
    "title": "Chest X-ray images (pneumonia) of children aged one to five, Guangzhou Women and Children's "
    "Medical Center",
    "citation": "Kermany DS, Goldbaum M, Cai W, et al. Identifying medical diagnoses and treatable diseases "
    "by image-based deep learning. Cell 2018;172(5):1122-1131",
    "doi": "10.17632/rscbjbr9sj",
    "licence": "CC BY 4.0",
}
SIZES = {"width": say("Width (pixels)"), "height": say("Height (pixels)"), "aspect_ratio": say("Width : height")}
# Few children have more films than this; their bars would be too low to see.
MANY_FILMS = 8
# Of each class; enough to show where the films lie, few enough to tell them apart.
FRAMES = 800
_EXAMPLES = (
    "person109_bacteria_12.jpeg",
    "person109_bacteria_14.jpeg",
    "person109_virus_203.jpeg",
    "IM-0115-0001.jpeg",
    "NORMAL2-IM-0115-0001.jpeg",
)
_SOURCES = (
    (
        say("Normal or pneumonia"),
        say(
            "Two physicians graded each film that had passed a check of its quality; a third checked "
            "the test films (Kermany et al. 2018). The label is the folder's name."
        ),
    ),
    (
        say("Bacterial or viral"),
        say("The file's name, as published with the dataset. No laboratory result comes with the films."),
    ),
    (say("Patient"), say("The file's name, by the rule above; films with identical bytes make their children one.")),
    (say("Split"), say("Training, validation and test folders as on Kaggle; pneumo divides the first two anew.")),
    (say("Age, sex, other diseases"), say("Not known film by film: the children were one to five years old.")),
)


@dataclass(frozen=True, eq=False)
class FilmStatistics:
    """What `measure` found in n films.

    Attributes:
        histograms: pixels in each of 64 bins of 4 grey values, shape (n, 64).
        brightness: mean grey value, shape (n,), 0…255.
        width: of the file as it is, in pixels, shape (n,).
        height: likewise.
        pictures: ``mean_<kind>`` and ``std_<kind>`` over the train films of each kind in `PICTURES`, uint8,
            shape (224, 224), in grey values; none of a kind with fewer than 8 films.
    """

    histograms: npt.NDArray[np.int64]
    brightness: npt.NDArray[np.float64]
    width: npt.NDArray[np.int64]
    height: npt.NDArray[np.int64]
    pictures: dict[str, npt.NDArray[np.uint8]]


def measure(table: pd.DataFrame, root: Path, progress: Callable[[str], None] = lambda _: None) -> FilmStatistics:
    """Read each film once, squash it to 224 × 224, and gather its statistics.

    Args:
        table: as `pneumo.datasets.kaggle.scan` returns it.
        root: the folder that the table's ``file`` is relative to.
        progress: is told how far the reading is.

    Raises:
        ImageError: if a film cannot be read.
    """
    histograms = np.zeros((len(table), BINS), np.int64)
    sizes = np.zeros((len(table), 2), np.int64)
    brightness = np.zeros(len(table))
    sums = {kind: np.zeros((2, SIDE, SIDE)) for kind in PICTURES}
    films = dict.fromkeys(PICTURES, 0)
    rows = zip(table["file"], table["split"], table["label"], table["pathogen"], strict=True)
    for number, (file, split, label, pathogen) in enumerate(rows):
        if number % 500 == 0:
            progress(f"{number:,} of {len(table):,} films read")
        picture = radiograph.grey_levels(root / file)
        sizes[number] = picture.shape
        if picture.shape != (SIDE, SIDE):
            picture = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        value = np.asarray(picture, np.float64)
        brightness[number] = value.mean()
        histograms[number] = np.bincount(value.astype(np.int64).ravel() // LEVELS_A_BIN, minlength=BINS)
        for kind, (wanted, germ) in PICTURES.items():
            if split == "train" and label == wanted and germ in (None, pathogen):
                sums[kind] += value, value**2
                films[kind] += 1
    progress(f"{len(table):,} of {len(table):,} films read")
    # The mean of a handful would show a child.
    pictures = {kind: _mean_and_deviation(sums[kind] / films[kind]) for kind in PICTURES if films[kind] >= FEWEST}
    return FilmStatistics(
        histograms=histograms,
        brightness=brightness,
        width=sizes[:, 1],
        height=sizes[:, 0],
        pictures={
            f"{figure}_{kind}": picture
            for kind, pair in pictures.items()
            for figure, picture in zip(("mean", "std"), pair, strict=True)
        },
    )


def _mean_and_deviation(
    moments: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    mean, square = moments
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return mean.round().astype(np.uint8), deviation.round().astype(np.uint8)


def full_contrast(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Stretch a picture to 0 … 255 for display: a standard deviation is dark without it."""
    low, high = int(picture.min()), int(picture.max())
    return ((picture.astype(np.float64) - low) / max(high - low, 1) * 255).round().astype(np.uint8)


def class_difference(
    pictures: dict[str, npt.NDArray[np.uint8]], first: str = "pneumonia", second: str = "normal"
) -> npt.NDArray[np.int16] | None:
    """Return how much brighter one kind's mean is than another's, in grey values; None where a mean is missing.

    Args:
        pictures: as `measure` returns them.
        first: key of `PICTURES`; where its mean is brighter the difference is positive.
        second: key of `PICTURES`.

    Returns:
        (224, 224) int16, −255…255.
    """
    means = [pictures.get(f"mean_{kind}") for kind in (first, second)]
    if means[0] is None or means[1] is None:
        return None
    return means[0].astype(np.int16) - means[1].astype(np.int16)


def signed_picture(difference: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Colour a signed picture: orange above zero, white at it, blue below it, fullest at the greatest magnitude.

    Returns:
        (height, width, 3) uint8, RGB; the colours are ends of ColorBrewer's PuOr and RdBu, which the colour-blind tell
        apart.
    """
    share = difference / max(int(np.abs(difference).max()), 1)
    ends = np.where(share[..., np.newaxis] > 0, np.array(ABOVE), np.array(BELOW))
    strength = np.abs(share)[..., np.newaxis]
    return np.rint(255 + (ends - 255.0) * strength).astype(np.uint8)


def difference_text(name: str, difference: npt.NDArray[np.int16]) -> Sentence:
    """Return how far a `class_difference` reaches, as a sentence; `name` says which means were compared."""
    low, high = f"{difference.min():+d}".replace("-", "−"), f"{difference.max():+d}".replace("-", "−")
    return say("{kinds}: from {low} to {high} grey values of 255.", kinds=name, low=low, high=high)


@dataclass(frozen=True, eq=False)
class Summary:
    """Figures of a dataset; every table is in long form, one row a figure.

    Attributes:
        counts: ``split, label, pathogen, films, patients``.
        identical: `kaggle.identical_groups`.
        films_per_patient: ``label, films, patients``: so many patients have so many films.
        development: ``part`` (train, validation), ``label, pathogen, films, patients`` of
            `kaggle.development_split`, fold 0; empty where the dataset is too small to be divided.
        sizes: ``label, quantity`` (width, height, aspect_ratio), ``low, high, films``: a histogram of
            sizes in pixels; a film counts where low ≤ size < high.
        size_quartiles: ``label, quantity, films, q1, median, q3``.
        frames: ``label, width, height`` in pixels of at most `FRAMES` films of each class, drawn at random.
        intensity: ``split, label, low, high, share``: share of pixels with low ≤ grey value ≤ high, 64 bins.
        identical_groups: groups of two or more films with identical bytes.
        identical_films: films in these groups.
        sizes_from: ``"originals"`` where a table told the original sizes, else ``"files"``.
        fingerprint: `kaggle.fingerprint`.
        source: title, citation, doi, licence.
        pictures: ``mean_normal``, ``std_normal``, … of the train split: uint8, shape (224, 224), grey
            values; a kind with fewer than 8 films has none.
    """

    counts: pd.DataFrame
    identical: pd.DataFrame
    films_per_patient: pd.DataFrame
    development: pd.DataFrame
    sizes: pd.DataFrame
    size_quartiles: pd.DataFrame
    frames: pd.DataFrame
    intensity: pd.DataFrame
    identical_groups: int
    identical_films: int
    sizes_from: str
    fingerprint: str
    source: dict[str, str]
    pictures: dict[str, npt.NDArray[np.uint8]] = field(repr=False)


TABLES = tuple(each.name for each in fields(Summary) if each.type is pd.DataFrame)


def summarise(
    data: Path,
    masks_table: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Read every film of a dataset and count, measure and average.

    Args:
        data: a dataset in the Kaggle layout; films of other sizes are shrunk to 224 × 224.
        masks_table: the ``labels.csv`` of the lung masks, which tells the original sizes of squashed films;
            without it the files' own sizes are measured.
        progress: is told how far the reading is.

    Raises:
        DatasetError: if data or table are missing.
        ImageError: if a film cannot be read.
    """
    table = kaggle.scan(data)
    groups = kaggle.duplicate_groups(table)
    films = measure(table, kaggle.find_root(data), progress)
    if masks_table:
        sizes = _original_sizes(table, masks_table)
    else:
        sizes = pd.DataFrame({"label": table["label"], "width": films.width, "height": films.height})
    return Summary(
        counts=kaggle.counts(table),
        identical=kaggle.identical_groups(table),
        films_per_patient=_films_per_patient(table),
        development=_development(table),
        sizes=_size_histogram(sizes),
        size_quartiles=_size_quartiles(sizes),
        frames=_frames(sizes),
        intensity=_intensity(table, films.histograms),
        identical_groups=len(groups),
        identical_films=sum(len(group) for group in groups),
        sizes_from="originals" if masks_table else "files",
        fingerprint=kaggle.fingerprint(table),
        source=dict(SOURCE),
        pictures=films.pictures,
    )


def _original_sizes(table: pd.DataFrame, masks_table: Path) -> pd.DataFrame:
    names = pd.DataFrame({"label": table["label"], "name": table["file"].str.rsplit("/", n=1).str[-1]})
    return names.merge(lung_masks.read_table(masks_table), on="name")


def _films_per_patient(table: pd.DataFrame) -> pd.DataFrame:
    films = table.groupby(["label", "patient"]).size().rename("films").reset_index()
    return films.groupby(["label", "films"]).size().rename("patients").reset_index()


def _development(table: pd.DataFrame) -> pd.DataFrame:
    try:
        parts = kaggle.development_split(table, fold=0)
    except DatasetError:
        return pd.DataFrame(columns=["part", "label", "pathogen", "films", "patients"])
    counted = [
        part.groupby(["label", "pathogen"])
        .agg(films=("file", "size"), patients=("patient", "nunique"))
        .reset_index()
        .assign(part=name)
        for name, part in zip(parts._fields, parts, strict=True)
    ]
    return pd.concat(counted, ignore_index=True)[["part", "label", "pathogen", "films", "patients"]]


def _long_sizes(sizes: pd.DataFrame) -> pd.DataFrame:
    every = sizes.assign(aspect_ratio=sizes["width"] / sizes["height"])
    return every.melt(id_vars="label", value_vars=list(BIN_WIDTHS), var_name="quantity", value_name="size")


def _size_histogram(sizes: pd.DataFrame) -> pd.DataFrame:
    long = _long_sizes(sizes)
    width = long["quantity"].map(BIN_WIDTHS)
    # A size on the edge of two bins must not fall below it by the rounding of a division by 0.1.
    long["bin"] = np.floor(long["size"] / width + 1e-9).astype(int)
    films = long.groupby(["label", "quantity", "bin"]).size().rename("films").reset_index()
    width = films["quantity"].map(BIN_WIDTHS)
    films["low"], films["high"] = (films["bin"] * width).round(6), ((films["bin"] + 1) * width).round(6)
    return films[["label", "quantity", "low", "high", "films"]]


def _size_quartiles(sizes: pd.DataFrame) -> pd.DataFrame:
    grouped = _long_sizes(sizes).groupby(["label", "quantity"])["size"]
    quartiles = {"films": grouped.size(), "q1": grouped.quantile(0.25)}
    quartiles |= {"median": grouped.median(), "q3": grouped.quantile(0.75)}
    return pd.DataFrame(quartiles).reset_index()


def _frames(sizes: pd.DataFrame) -> pd.DataFrame:
    parts = [films.sample(min(FRAMES, len(films)), random_state=0) for _, films in sizes.groupby("label")]
    # In an order by size neither class is drawn over the other.
    return pd.concat(parts)[["label", "width", "height"]].sort_values(["width", "height", "label"], ignore_index=True)


def _intensity(table: pd.DataFrame, histograms: npt.NDArray[np.int64]) -> pd.DataFrame:
    low = np.arange(0, 256, LEVELS_A_BIN)
    parts = []
    for split in kaggle.SPLITS:
        for label in kaggle.LABELS:
            pixels = histograms[((table["split"] == split) & (table["label"] == label)).to_numpy()].sum(axis=0)
            if pixels.any():
                shares = {
                    "low": low,
                    "high": low + LEVELS_A_BIN - 1,
                    "share": (pixels / pixels.sum()).round(6),
                }
                parts.append(pd.DataFrame({"split": split, "label": label, **shares}))
    return pd.concat(parts, ignore_index=True)


def write(summary: Summary, out: Path) -> Path:
    """Write `INDEX` and the mean and standard-deviation pictures; return the JSON's path."""
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in summary.pictures.items():
        text = PngInfo()
        figure, kind = name.split("_")
        text.add_text("Description", f"{figure} of all {kind} films of the train split, grey values")
        text.add_text("Source", f"doi:{summary.source['doi']}, {summary.source['licence']}")
        Image.fromarray(picture).save(out / f"{name}.png", format="PNG", optimize=True, pnginfo=text)
    content = {
        "source": summary.source,
        "fingerprint": summary.fingerprint,
        "identical_groups": summary.identical_groups,
        "identical_films": summary.identical_films,
        "sizes_from": summary.sizes_from,
        "pictures": sorted(summary.pictures),
        "tables": {
            name: json.loads(getattr(summary, name).to_json(orient="split", index=False, double_precision=6))
            for name in TABLES
        },
    }
    path = out / INDEX
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def load(folder: Path) -> Summary:
    """Read what `write` wrote.

    Raises:
        DatasetError: if a file is missing or damaged.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pictures = {name: np.array(Image.open(folder / f"{name}.png")) for name in content["pictures"]}
        tables = {name: pd.DataFrame(**content["tables"][name]) for name in TABLES}
        return Summary(
            **tables,
            identical_groups=content["identical_groups"],
            identical_films=content["identical_films"],
            sizes_from=content["sizes_from"],
            fingerprint=content["fingerprint"],
            source=content["source"],
            pictures=pictures,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            "The summary of the dataset in {folder} is missing or damaged ({error}). Run `python -m "
            "research.composites --help` to see how it is made anew.",
            folder=folder,
            error=repr(error),
        ) from error


def class_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return ``split, kind, films, patients, share`` (of the split's films) from `Summary.counts`."""
    counted = pd.DataFrame(
        {
            "split": counts["split"].map(OFFICIAL_SPLITS),
            "kind": kaggle.kinds(counts),
            "films": counts["films"],
            "patients": counts["patients"],
        }
    )
    counted["share"] = counted["films"] / counted.groupby("split")["films"].transform("sum")
    return counted


def readable_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the films of each split by kind, all films, and the share of pneumonia, a split a row."""
    wide = _by_kind(counts.assign(group=counts["split"].map(OFFICIAL_SPLITS)), list(OFFICIAL_SPLITS.values()))
    return wide.rename(columns={"group": say("Split")})


def readable_development(development: pd.DataFrame) -> pd.DataFrame:
    """Return `Summary.development` as `readable_counts` returns the official splits."""
    titles = {"train": say("Training"), "validation": say("Held out for validation")}
    wide = _by_kind(development.assign(group=development["part"].map(titles)), list(titles.values()))
    return wide.rename(columns={"group": say("Part")})


def films_per_patient(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``class, films, patients, share`` (of the class's patients) from `Summary.films_per_patient`.

    ``films`` is text; patients with `MANY_FILMS` or more are one row.
    """
    capped = table.assign(films=table["films"].clip(upper=MANY_FILMS))
    rows = capped.groupby(["label", "films"])["patients"].sum().reset_index()
    rows["share"] = rows["patients"] / rows.groupby("label")["patients"].transform("sum")
    rows = rows.sort_values(["films", "label"], ignore_index=True)
    texts = [say("{films} or more", films=each) if each == MANY_FILMS else str(each) for each in rows["films"]]
    rows["films"] = pd.Series(texts, dtype=object)
    return rows.assign(**{"class": rows["label"].map(CLASSES)})[["class", "films", "patients", "share"]]


def size_shares(sizes: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Return ``class, low, high, films, share`` (of the class's films) of one quantity of `Summary.sizes`."""
    rows = sizes[sizes["quantity"] == quantity].reset_index(drop=True)
    share = rows["films"] / rows.groupby("label")["films"].transform("sum")
    return rows.assign(share=share, **{"class": rows["label"].map(CLASSES)})[["class", "low", "high", "films", "share"]]


def frame_points(frames: pd.DataFrame) -> pd.DataFrame:
    """Return ``class, width, height`` of the films of `Summary.frames`."""
    return frames.assign(**{"class": frames["label"].map(CLASSES)})[["class", "width", "height"]]


def frame_text(quartiles: pd.DataFrame) -> Sentence:
    """Say in a sentence how the frames of the classes differ, from `Summary.size_quartiles`; empty for one class."""
    medians = quartiles.set_index(["label", "quantity"])["median"].to_dict()
    if any((label, "aspect_ratio") not in medians for label in CLASSES):
        return say("")
    normal, sick = (medians[label, "aspect_ratio"] for label in CLASSES)
    shown = {"normal": say("{ratio:.2f}", ratio=normal), "sick": say("{ratio:.2f}", ratio=sick)}
    if shown["normal"] == shown["sick"]:
        return say("Median width : height is {normal} in both classes.", normal=shown["normal"])
    return say(
        "Median width : height is {normal} of normal films and {sick} of films with pneumonia: the frame alone tells "
        "something of the label.",
        **shown,
    )


def intensity_shares(intensity: pd.DataFrame) -> pd.DataFrame:
    """Return `Summary.intensity` with ``split`` and ``class`` in words."""
    rows = intensity.assign(
        **{"split": intensity["split"].map(OFFICIAL_SPLITS), "class": intensity["label"].map(CLASSES)}
    )
    return rows[["split", "class", "low", "high", "share"]]


def size_leak(quartiles: pd.DataFrame, sizes_from: str) -> Sentence:
    """Return a sentence on how the medians of `Summary.size_quartiles` differ between the classes.

    Args:
        quartiles: ``label, quantity, median``, among others.
        sizes_from: `Summary.sizes_from`.
    """
    medians = quartiles.set_index(["label", "quantity"])["median"].to_dict()
    if sizes_from == "files":
        whose = say("These are the sizes of the files in this folder, which may have been resized.")
    else:
        whose = say("These are the sizes of the original films.")
    if any((label, quantity) not in medians for label in CLASSES for quantity in SIZES):
        return whose
    normal, sick = (
        say(
            "{width:,.0f} pixels wide and {height:,.0f} high, at a width : height of {aspect_ratio:.2f}",
            **{quantity: medians[label, quantity] for quantity in SIZES},
        )
        for label in CLASSES
    )
    return say(
        "{whose} The median normal film is {normal}; the median film with pneumonia is {sick}. "
        "Where they differ, size and aspect ratio leak the label: a model could answer from the "
        "frame without looking at the lungs.",
        whose=whose,
        normal=normal,
        sick=sick,
    )


def readable_identical(identical: pd.DataFrame) -> pd.DataFrame:
    """Return `Summary.identical` with headings for people."""
    return pd.DataFrame(
        {
            say("Split"): [_joined(split, OFFICIAL_SPLITS) for split in identical["split"]],
            say("Class"): [_joined(label, CLASSES) for label in identical["label"]],
            say("Files in a group"): identical["files"],
            say("Children that their names tell"): identical["children"],
            say("Groups"): identical["groups"],
        },
        dtype=object,
    )


def identical_files(films: pd.DataFrame) -> pd.DataFrame:
    """Return ``Group, File, Patient after merging`` of every identical film of a `kaggle.scan`."""
    groups = sorted(kaggle.duplicate_groups(films))
    patients = films.set_index("file")["patient"]
    rows = [(number, file, patients[file]) for number, group in enumerate(groups, start=1) for file in group]
    return pd.DataFrame(rows, columns=[say("Group"), say("File"), say("Patient after merging")])


def unnamed_patients(films: pd.DataFrame) -> pd.Series:
    """Return which films of a `kaggle.scan` count as a patient of their own, for their names tell none."""
    return films["patient"] == films["file"].map(lambda file: Path(file).stem)


def unnamed_text(films: pd.DataFrame) -> Sentence:
    """Return a sentence on the films whose names tell no patient; empty where there is none."""
    unnamed = int(unnamed_patients(films).sum())
    if not unnamed:
        return say("")
    return say(
        "The names of {unnamed:,} of the {films:,} films tell no patient, so each counts as a "
        "patient of its own. The children may be fewer, and one may stand on both sides of a "
        "split.",
        unnamed=unnamed,
        films=len(films),
    )


def label_sources() -> pd.DataFrame:
    """Return where each thing that is known of a film comes from."""
    return pd.DataFrame(_SOURCES, columns=[say("What"), say("Where it comes from")])


def key_examples() -> pd.DataFrame:
    """Return what `kaggle.patient_key` and `kaggle.pathogen_of` tell of a few file names."""
    return pd.DataFrame(
        {
            say("File name"): _EXAMPLES,
            say("Patient"): [kaggle.patient_key(file) for file in _EXAMPLES],
            say("Cause"): [kaggle.pathogen_of(file) or say("none: normal film") for file in _EXAMPLES],
        }
    )


def _by_kind(rows: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Pivot ``group, label, pathogen, films`` to one row a group that occurs, in the order given."""
    wide = rows.assign(kind=kaggle.kinds(rows)).pivot_table(
        index="group", columns="kind", values="films", aggfunc="sum", fill_value=0
    )
    wide = wide.reindex([group for group in groups if group in wide.index])
    wide = wide[[kind for kind in KINDS.values() if kind in wide]].astype(int)
    films = wide.sum(axis=1)
    sick = films - wide["Normal"] if "Normal" in wide else films
    wide[say("All films")] = films
    shares = [say("{share:.1f} %", share=100 * each) for each in sick / films]
    wide[say("Share of pneumonia")] = pd.Series(shares, wide.index, dtype=object)
    return wide.reset_index()


def _joined(names: str, titles: dict[str, str]) -> Sentence:
    return say_list(titles[name] for name in names.split(" + "))
