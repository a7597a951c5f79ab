"""What a data set holds, in figures that may be shared: counts, sizes, grey values, mean pictures; no film.

`summarise` reads every film once; `write` and `load` keep the result as one JSON file and a few small PNGs,
so that the Dataset page has its figures on a machine without the data set.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pneumo import dataset, framing
from pneumo.errors import DatasetError
from pneumo.film_statistics import LEVELS_A_BIN, measure

INDEX = "dataset_summary.json"
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


@dataclass(frozen=True, eq=False)
class Summary:
    """Figures of a data set; every table is in long form, one row a figure.

    Attributes:
        counts: ``split, label, pathogen, films, patients``.
        identical: `dataset.identical_groups`.
        films_per_patient: ``label, films, patients``: so many patients have so many films.
        development: ``part`` (train, validation), ``label, pathogen, films, patients`` of
            `dataset.development_split`, fold 0; empty where the data set is too small to be divided.
        sizes: ``label, quantity`` (width, height, aspect_ratio), ``low, high, films``: a histogram of
            sizes in pixels; a film counts where low ≤ size < high.
        size_quartiles: ``label, quantity, films, q1, median, q3``.
        intensity: ``split, label, low, high, share``: share of pixels with low ≤ grey value ≤ high, 64 bins.
        identical_groups: groups of two or more films with identical bytes.
        identical_films: films in these groups.
        sizes_from: ``"originals"`` where a table told the original sizes, else ``"files"``.
        fingerprint: `dataset.fingerprint`.
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
    """Read every film of a data set and count, measure and average.

    Args:
        data: a data set in the Kaggle layout; films of other sizes are shrunk to 224 × 224.
        masks_table: the ``labels.csv`` of the lung masks, which tells the original sizes of squashed films;
            without it the files' own sizes are measured.
        progress: is told how far the reading is.

    Raises:
        DatasetError: if data or table are missing, or a film cannot be read.
    """
    table = dataset.scan(data)
    groups = dataset.duplicate_groups(table)
    films = measure(table, dataset.find_root(data), progress)
    if masks_table:
        sizes = _original_sizes(table, masks_table)
    else:
        sizes = pd.DataFrame({"label": table["label"], "width": films.width, "height": films.height})
    return Summary(
        counts=dataset.counts(table),
        identical=dataset.identical_groups(table),
        films_per_patient=_films_per_patient(table),
        development=_development(table),
        sizes=_size_histogram(sizes),
        size_quartiles=_size_quartiles(sizes),
        intensity=_intensity(table, films.histograms),
        identical_groups=len(groups),
        identical_films=sum(len(group) for group in groups),
        sizes_from="originals" if masks_table else "files",
        fingerprint=dataset.fingerprint(table),
        source=dict(SOURCE),
        pictures=films.pictures,
    )


def _original_sizes(table: pd.DataFrame, masks_table: Path) -> pd.DataFrame:
    names = pd.DataFrame({"label": table["label"], "name": table["file"].str.rsplit("/", n=1).str[-1]})
    return names.merge(framing.original_sizes(masks_table), on="name")


def _films_per_patient(table: pd.DataFrame) -> pd.DataFrame:
    films = table.groupby(["label", "patient"]).size().rename("films").reset_index()
    return films.groupby(["label", "films"]).size().rename("patients").reset_index()


def _development(table: pd.DataFrame) -> pd.DataFrame:
    try:
        parts = dataset.development_split(table, fold=0)
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


def _intensity(table: pd.DataFrame, histograms: npt.NDArray[np.int64]) -> pd.DataFrame:
    low = np.arange(0, 256, LEVELS_A_BIN)
    parts = []
    for split in dataset.SPLITS:
        for label in dataset.LABELS:
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
    """Write ``dataset_summary.json`` and the mean and standard-deviation pictures; return the JSON's path."""
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
        "tables": {name: json.loads(_table_json(getattr(summary, name))) for name in TABLES},
    }
    path = out / INDEX
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return path


def _table_json(table: pd.DataFrame) -> str:
    return str(table.to_json(orient="split", index=False, double_precision=6))


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
            f"The summary of the data set in {folder} is missing or damaged ({error!r}). "
            "Run `python -m pneumo samples --help` to see how it is made anew."
        ) from error
