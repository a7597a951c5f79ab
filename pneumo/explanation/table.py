"""What was measured of a model's heat maps, as ``models/<name>/explanation.csv`` states it."""

from pathlib import Path

import pandas as pd

from pneumo.errors import ModelError
from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store


def read(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read the figures: ``part, method, figure, value, low, high, films``.

    Raises:
        ModelError: if the heat maps were not measured, or the file is damaged.
    """
    path = (folder or store.models_folder()) / name / store.EXPLANATION
    try:
        table = pd.read_csv(path)
        return table.astype({"value": float, "low": float, "high": float, "films": int})
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"The heat maps of {name} were not measured. Run `python -m research.heat_maps --model {name} --write`."
        ) from error


def figure(name: str, part: str, method: str, wanted: str, folder: Path | None = None) -> Estimate | None:
    """Return one figure of a model's heat maps; None where it was not measured.

    Args:
        name: of the model folder.
        part: such as ``lungs``, a key of `benchmark.PARTS`.
        method: key of `cam.METHODS`.
        wanted: such as ``energy``, a key of `benchmark.FIGURES`.
        folder: the folder of model folders.
    """
    try:
        table = read(name, folder)
    except ModelError:
        return None
    rows = table[(table["part"] == part) & (table["method"] == method) & (table["figure"] == wanted)]
    if rows.empty or rows["value"].isna().any():
        return None
    return Estimate(*rows[["value", "low", "high"]].to_numpy(float)[0].tolist())
