"""Films, data sets, cards and models that tests make up."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pneumo.model_store import ModelCard

if TYPE_CHECKING:
    import keras

HEIGHT, WIDTH = 160, 200


def film(rng: np.random.Generator, sick: bool, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draw two dark lungs on a bright body, and a white patch in one of them where the child is sick; uint8."""
    row, column = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    lungs = sum(((row - 0.5) / 0.33) ** 2 + ((column - middle) / 0.15) ** 2 < 1 for middle in (0.3, 0.7))
    picture = np.where(lungs, 0.2, 0.65) + rng.normal(0, 0.02, (height, width)) + rng.uniform(-0.05, 0.05)
    if sick:
        centre_row, centre_column = rng.uniform(0.45, 0.65), rng.choice([0.3, 0.7])
        picture = picture + 0.6 * np.exp(-(((row - centre_row) ** 2 + (column - centre_column) ** 2) / 0.02))
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpeg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def film_names() -> Iterator[tuple[str, str]]:
    """Yield (folder, file name) as Kaggle names them; odd patients have two films."""
    for number in range(115, 127):
        yield "train/NORMAL", f"IM-{number:04}-0001.jpeg"
        if number % 4 == 1:
            yield "train/NORMAL", f"IM-{number:04}-0001-0002.jpeg"
    for number in range(501, 513):
        yield "train/NORMAL", f"NORMAL2-IM-{number:04}-0001.jpeg"
    for pathogen, first in (("bacteria", 101), ("virus", 201)):
        for number in range(first, first + 12):
            yield "train/PNEUMONIA", f"person{number}_{pathogen}_{10 * number}.jpeg"
            if number % 2:
                yield "train/PNEUMONIA", f"person{number}_{pathogen}_{10 * number + 1}.jpeg"
    for number in (1427, 1430):
        yield "val/NORMAL", f"NORMAL2-IM-{number}-0001.jpeg"
    for number in (1946, 1954):
        yield "val/PNEUMONIA", f"person{number}_bacteria_{number + 2928}.jpeg"
    for number in range(1, 5):
        yield "test/NORMAL", f"IM-{number:04}-0001.jpeg"
        yield "test/NORMAL", f"NORMAL2-IM-{number + 4:04}-0001.jpeg"
        # Children 109 to 112 with a virus are others than children 109 to 112 with bacteria.
        yield "test/PNEUMONIA", f"person{number + 108}_virus_{number + 203}.jpeg"
        yield "test/PNEUMONIA", f"person{number + 108}_virus_{number + 303}.jpeg"
        yield "test/PNEUMONIA", f"person{number + 300}_bacteria_{number + 403}.jpeg"


IDENTICAL = ("train/NORMAL/IM-0119-0001.jpeg", "train/NORMAL/IM-0120-0001.jpeg")


def write_data_set(root: Path) -> None:
    """Write a data set in the Kaggle layout, with what macOS leaves behind in such archives."""
    rng = np.random.default_rng(7)
    for folder, name in film_names():
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(film(rng, sick="PNEUMONIA" in folder)))
    original, copy = (root / file for file in IDENTICAL)
    copy.write_bytes(original.read_bytes())
    (root / "train" / ".DS_Store").write_bytes(b"Bud1")
    (root / "train" / "NORMAL" / "._IM-0115-0001.jpeg").write_bytes(b"\0\5\x16\7")


def card(**changes: Any) -> ModelCard:
    """Return the card of `small_model`."""
    values: dict[str, Any] = {
        "name": "toy",
        "title": "Toy model",
        "family": "cnn",
        "seed_system": None,
        "architecture": "cnn",
        "initial_weights": "random",
        "input": {"size": 32, "channels": 1, "crop": "whole film", "scaling": "percentiles"},
        "cam_layer": "conv",
        "labels": ["NORMAL", "PNEUMONIA"],
        "training": {"fold": 0},
        "calibration": {"slope": 1.0, "intercept": 0.0, "prevalence": 0.5, "fitted_on": "val_shifted"},
        "thresholds": {
            "decision": 0.5,
            "low": 0.2,
            "high": 0.8,
            "chosen_on": {"decision": "half", "low": "sensitivity", "high": "specificity"},
            "evidence": {
                "pneumonia_films": 601,
                "pneumonia_below_low": 7,
                "normal_films": 203,
                "normal_at_or_above_high": 3,
            },
        },
        "parameters": 45,
        "size_bytes": 1,
        "sha256": "0" * 64,
    }
    return ModelCard(**(values | changes))


def small_model(seed: int = 0, bias: float = 0.0) -> "keras.Model":
    """Return a three-layer model of (32, 32, 1) pictures that stands in for a trained one."""
    import keras

    keras.utils.set_random_seed(seed)
    picture = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(picture)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(bias), name="pneumonia")(x)
    return keras.Model(picture, x)
