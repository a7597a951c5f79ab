"""Hospitals as data: the films of any number of hospitals in one table, with who read each film.

A hospital is a folder with a table ``labels.csv``; a folder may hold several hospitals. Needed are the columns ``file``
(path below the folder), ``opacity`` (1 where the film shows an airspace opacity, 0 where it shows none, empty where
nobody knows) and ``read_by`` (who read the film, such as ``radiologist``; ``software`` for labels that a program took
from reports, ``folder`` for labels of a whole folder). It may have ``hospital`` (the folder's name where missing),
``patient``, ``age`` (years) and ``finding``. The tables of NIH ChestX-ray14 with RSNA's readings and of Shenzhen, JSRT
and Hannover call some columns otherwise, and are read as they are.

Never pixels.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pneumo.datasets import kaggle
from pneumo.datasets.external import TABLE, read_table
from pneumo.errors import DatasetError
from pneumo.labels import hospital_of, hospital_split

# What `read_by` says where no person read the film.
SOFTWARE, FOLDER = "software", "folder"
NOT_READ = frozenset({"", SOFTWARE, FOLDER})
# What the films of the data set in the Kaggle layout count as.
HOME = "guangzhou"
# What `finding` says of a film that shows no disease.
_NOTHING = ("normal", "no finding")
_OTHER_NAMES = {"patient_id": "patient", "age_years": "age", "nih_findings": "finding", "label_quality": "read_by"}


@dataclass(frozen=True, eq=False)
class Hospitals:
    """The films of several hospitals, each film once.

    Attributes:
        films: one row a film, sorted by hospital and file: ``file`` (as its table has it), ``folder``, ``hospital``,
            ``patient`` (``hospital/patient``, merged over identical films), ``age`` in years (NaN where unknown),
            ``finding`` (as the table words it), ``opacity`` (1, 0, or NaN where unknown), ``read_by``, ``sha256``.
    """

    films: pd.DataFrame

    @property
    def names(self) -> list[str]:
        """The hospitals."""
        return sorted(set(self.films["hospital"]))

    def evidence(self, hospital: str) -> pd.DataFrame:
        """Return the films of a hospital that a person read, as a table like `kaggle.scan`'s.

        Raises:
            DatasetError: if there is no such hospital, or nobody read a film there.
        """
        films = self.films[self._of(hospital) & _is_read(self.films) & self.films["opacity"].notna()]
        if films.empty:
            raise DatasetError(
                "Nobody read the films of {hospital}, so nothing can be measured there. Let a "
                "radiologist read some and write who did into the column read_by.",
                hospital=hospital,
            )
        return _as_scanned(films)

    def of_both_classes(self, hospital: str) -> pd.DataFrame:
        """Return `evidence`, which must have films with and without an opacity.

        Raises:
            DatasetError: if it has not, see also `evidence`.
        """
        films = self.evidence(hospital)
        for label, kind in (("PNEUMONIA", "with an opacity"), ("NORMAL", "without an opacity")):
            if label not in set(films["label"]):
                raise DatasetError(
                    "{hospital} has no film {kind} that a person read, so nobody can measure how well films "
                    "with and without one are told apart there. Choose a hospital that has films of both "
                    "kinds.",
                    hospital=hospital,
                    kind=kind,
                )
        return films

    def to_learn_from(self, left_out: Sequence[str] = ()) -> pd.DataFrame:
        """Return the films to train on: what persons read, and the films that software calls normal.

        Software's "pneumonia" is wrong for every second film of NIH ChestX-ray14 (radiologists read 147 of them and saw
        an opacity on 53), its "no finding" seldom. A hospital with films of one class only would teach the hospital and
        is left out.

        Args:
            left_out: hospitals whose patients are not to be learned from.

        Returns:
            A table like `kaggle.scan`'s with a column ``hospital``.

        Raises:
            DatasetError: if a hospital that is left out is not there, or no hospital remains.
        """
        for name in left_out:
            self._of(name)
        films = self.films
        known = (_is_read(films) & films["opacity"].notna()) | (
            (films["read_by"] == SOFTWARE) & (films["opacity"] == 0)
        )
        elsewhere = films["patient"].isin(films.loc[films["hospital"].isin(left_out), "patient"])
        films = films[known & ~elsewhere]
        both = films.groupby("hospital")["opacity"].nunique() == 2
        films = films[films["hospital"].map(both).astype(bool)]
        if films.empty:
            raise DatasetError(
                "No hospital is left to learn from: one with films both with and without an opacity is "
                "needed beside those left out ({names}).",
                names=", ".join(left_out) or "none",
            )
        return _as_scanned(films)

    def counts(self) -> pd.DataFrame:
        """Count films and patients by hospital and by who read them: persons first, software's labels apart.

        Returns:
            Columns ``hospital, read_by, films, patients, with_opacity, without_opacity``.
        """
        films = self.films.assign(person=_is_read(self.films))
        return (
            films.groupby(["person", "hospital", "read_by"])
            .agg(
                films=("file", "size"),
                patients=("patient", "nunique"),
                with_opacity=("opacity", lambda opacity: int((opacity == 1).sum())),
                without_opacity=("opacity", lambda opacity: int((opacity == 0).sum())),
            )
            .reset_index()
            .sort_values(["person", "hospital", "read_by"], ascending=[False, True, True], ignore_index=True)
            .drop(columns="person")
        )

    def _of(self, hospital: str) -> pd.Series:
        if hospital not in self.names:
            raise DatasetError(
                "There is no hospital '{hospital}'. Choose one of: {names}.",
                hospital=hospital,
                names=", ".join(self.names),
            )
        return self.films["hospital"] == hospital


def read(folders: Sequence[Path], home: pd.DataFrame | None = None) -> Hospitals:
    """Read the tables of hospitals; films that are identical count once, and their patients as one.

    Of identical films one that a person read is kept. Films of `home` are dropped, and so are those of patients who
    share one with it.

    Args:
        folders: each with a ``labels.csv``.
        home: as `kaggle.scan` returns it.

    Raises:
        DatasetError: if a table is missing, lacks a column, says something else than it may, or lists films that are
            not there; or if readers of identical films disagree.
    """
    films = pd.concat([_table(Path(folder)) for folder in folders], ignore_index=True)
    films["patient"] = kaggle.merge_identical(films["hospital"] + "/" + films["patient"], films["sha256"])
    if home is not None:
        known = films["sha256"].isin(home["sha256"])
        films = films[~films["patient"].isin(films.loc[known, "patient"])]
    read_films = films[_is_read(films)]
    readings = read_films.groupby("sha256")["opacity"].nunique()
    if disputed := sorted(read_films.loc[read_films["sha256"].map(readings) > 1, "file"]):
        raise DatasetError(
            "{films} identical films were read differently, such as {names}. Correct the column "
            "opacity, or leave it empty.",
            films=len(disputed),
            names=", ".join(disputed[:2]),
        )
    order = films.assign(nobody=~_is_read(films)).sort_values(["nobody", "hospital", "file"])
    once = order.drop_duplicates("sha256").drop(columns="nobody")
    return Hospitals(once.sort_values(["hospital", "file"], ignore_index=True))


def shows_no_other_disease(films: pd.DataFrame) -> np.ndarray:
    """Tell which films show an opacity or nothing at all, (films,) bool, as far as their finding is worded so.

    Args:
        films: as `Hospitals.evidence` returns them.
    """
    return (films["label"].eq("PNEUMONIA") | films["finding"].str.lower().isin(_NOTHING)).to_numpy()


def local_films(folder: Path, hospital: str | None = None) -> pd.DataFrame:
    """List the films of one hospital whose kind is known.

    Args:
        folder: with a ``labels.csv``, of which films count that a person read, and without an opacity only those whose
            finding is normal or untold; or with a folder ``NORMAL`` and, where there are such films, a folder
            ``PNEUMONIA``, into which a person sorted them.
        hospital: which one, where the table names several.

    Returns:
        One row a film, sorted by file: ``file`` (its path), ``label``, ``patient``, ``age`` in years (NaN where
        unknown); identical films count once.

    Raises:
        DatasetError: if the folder has neither, lists films of several hospitals of which none was chosen, or holds
            identical films under both labels; see also `read`.
    """
    kaggle.refuse_missing(folder)
    if not (folder / TABLE).is_file():
        return _sorted_by_hand(folder)
    listed = read([folder])
    if hospital is None and len(listed.names) > 1:
        raise DatasetError(
            "{folder} holds films of several hospitals ({names}), and each is calibrated by itself. Choose one with "
            "--hospital, or give each a folder of its own.",
            folder=str(folder),
            names=", ".join(listed.names),
        )
    films = listed.evidence(hospital or listed.names[0])
    films = films[shows_no_other_disease(films) | films["finding"].eq("")].reset_index(drop=True)
    ages = dict(zip(listed.films["folder"] + "/" + listed.films["file"], listed.films["age"], strict=True))
    return films[["file", "label", "patient"]].assign(age=films["file"].map(ages))


def _sorted_by_hand(folder: Path) -> pd.DataFrame:
    found = {
        label: sorted(
            path
            for path in (folder / label).rglob("*")
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        )
        for label in kaggle.LABELS
    }
    if not found["NORMAL"]:
        raise DatasetError(
            "{folder} has neither a folder NORMAL with films nor a table labels.csv. Put the films that a radiologist "
            "called normal into {folder}/NORMAL, and those with pneumonia, if there are some, into {folder}/PNEUMONIA.",
            folder=str(folder),
        )
    films = pd.DataFrame(
        {
            "file": [str(path) for paths in found.values() for path in paths],
            "label": [label for label, paths in found.items() for _ in paths],
            "age": np.nan,
        }
    )
    # Programs that export films name them alike in each folder.
    films["patient"] = [f"{Path(file).parent}/{kaggle.patient_key(file)}" for file in films["file"]]
    films["sha256"] = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in films["file"]]
    labels = films.groupby("sha256")["label"].nunique()
    if disputed := sorted(films.loc[films["sha256"].map(labels) > 1, "file"]):
        raise DatasetError(
            "The same film lies in NORMAL and in PNEUMONIA: {files}. Look at it again, and leave it in one of them.",
            files=", ".join(Path(file).name for file in disputed[:2]),
        )
    once = films.drop_duplicates("sha256").sort_values("file", ignore_index=True)
    return once[["file", "label", "patient", "age"]]


def fingerprint(films: pd.DataFrame) -> str:
    """Return the `kaggle.fingerprint` of the films of other hospitals, wherever they lie.

    Args:
        films: as `Hospitals.to_learn_from` returns them; films without ``listed_as`` do not count.
    """
    away = films[films["listed_as"].notna()]
    return kaggle.fingerprint(away.assign(file=away["listed_as"]))


def _table(folder: Path) -> pd.DataFrame:
    path = folder / TABLE
    table = read_table(folder).rename(columns=_OTHER_NAMES)
    if {"label", "radiologist_opacity"} <= set(table):
        table = _nih(table)
    if missing := [column for column in ("opacity", "read_by") if column not in table]:
        raise DatasetError(
            "{path} lacks {columns}. opacity is 1 where the film shows an opacity and 0 where it does "
            "not; read_by is who read it, such as radiologist, or software, or folder.",
            path=path,
            columns=", ".join(missing),
        )
    opacity = table["opacity"].astype(str).str.strip()
    if not opacity.isin(["", "0", "1"]).all():
        raise DatasetError(
            "{path} says '{said}' in opacity; write 1, 0 or nothing.",
            path=path,
            said=opacity[~opacity.isin(["", "0", "1"])].iloc[0],
        )
    if gone := [file for file in table["file"] if not (folder / file).is_file()]:
        raise DatasetError(
            "{path} lists {films} films that are not there, such as {first}.", path=path, films=len(gone), first=gone[0]
        )
    unnamed = table["file"].map(kaggle.patient_key)
    text = {column: table[column].astype(str).str.strip() for column in table}
    hospital = text.get("hospital", pd.Series(folder.resolve().name, table.index))
    if reserved := [name for name in hospital.unique() if hospital_of(hospital_split(name)) != name]:
        raise DatasetError(
            "No hospital can be called '{name}'. Call it otherwise in {path}, or its folder.",
            name=reserved[0],
            path=path,
        )
    patient = text.get("patient", unnamed)
    return pd.DataFrame(
        {
            "file": table["file"],
            "folder": str(folder.resolve()),
            "hospital": hospital,
            "patient": patient.where(patient != "", unnamed),
            "age": pd.to_numeric(text.get("age", pd.Series("", table.index)), errors="coerce"),
            "finding": text.get("finding", pd.Series("", table.index)),
            "opacity": pd.to_numeric(opacity, errors="coerce"),
            "read_by": text["read_by"].str.lower(),
            "sha256": [hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in table["file"]],
        }
    )


def _nih(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of NIH ChestX-ray14 in the common columns: what radiologists read, else software's label."""
    reading = table["radiologist_opacity"].astype(str)
    is_read = reading != ""
    software = np.where(table["label"] == "PNEUMONIA", "1", "0")
    if "label_contradicted" in table:
        software = np.where(table["label_contradicted"].astype(str) == "1", "", software)
    rsna = table.get("rsna_class", pd.Series("", table.index))
    return table.assign(
        opacity=np.where(is_read, reading, software),
        read_by=np.where(is_read, "radiologist", SOFTWARE),
        finding=np.where(rsna != "", rsna, table.get("finding", "")),
    )


def _is_read(films: pd.DataFrame) -> pd.Series:
    return ~films["read_by"].isin(NOT_READ)


def _as_scanned(films: pd.DataFrame) -> pd.DataFrame:
    """Return films as `kaggle.scan` lists them: an opacity counts as pneumonia.

    ``file`` is the whole path, ``listed_as`` the file as its table has it; besides there are ``hospital`` and
    ``finding``.
    """
    return pd.DataFrame(
        {
            "file": films["folder"] + "/" + films["file"],
            "split": "external",
            "label": np.where(films["opacity"] == 1, "PNEUMONIA", "NORMAL"),
            "pathogen": "",
            "patient": films["patient"],
            "sha256": films["sha256"],
            "hospital": films["hospital"],
            "finding": films["finding"],
            "listed_as": films["file"],
        }
    ).reset_index(drop=True)
