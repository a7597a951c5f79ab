"""Films on which people drew lungs and opacities, and what networks that learn from them start from."""

import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
from keras import layers

from pneumo.datasets import external
from toy import synthetic
from toy.synthetic import HEIGHT, WIDTH

SIZE = 64
SOURCES = ("kjr", "lancet", "ryct", "gr1", "SARS")


def classifier() -> keras.Model:
    """Return a network with the three layers that the trunk is made of; it stands in for MobileNetV2."""
    keras.utils.set_random_seed(0)
    film = keras.Input((32, 32, 1))
    x = layers.AveragePooling2D(8, padding="same")(film)
    x = fine = layers.Conv2D(4, 1, activation="relu", name="block_5_add")(x)
    x = layers.Conv2D(4, 2, 2, padding="same", activation="relu", name="block_12_add")(fine)
    x = layers.Conv2D(4, 2, 2, padding="same", activation="relu", name="block_14_add")(x)
    return keras.Model(film, layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling2D()(x)))


def _write_drawn(folder: Path, films: int = 10) -> None:
    """Write films of sick children with their lungs and opacities, two of each publication."""
    (folder / "images").mkdir(parents=True)
    rng, rows = np.random.default_rng(3), []
    lung = 255 * synthetic.lung_mask().astype(np.uint8)
    (folder / "lung.png").write_bytes(synthetic.png(lung))
    for number in range(films):
        picture = synthetic.film(rng, sick=True)
        (folder / f"images/{number}.png").write_bytes(synthetic.png(picture))
        opaque = (cv2.GaussianBlur(picture, (0, 0), 3) > 110) & (lung > 0)
        (folder / f"{number}.png").write_bytes(synthetic.png(255 * opaque.astype(np.uint8)))
        name = f"{SOURCES[number % len(SOURCES)]}-{number}.png"
        rows.append((f"images/{number}.png", "PNEUMONIA", name, "lung.png", f"{number}.png", 1.0))
    columns = ["file", "label", "orig_name", "lung_mask", "opacity_mask", "opacity_inside_lung"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "labels.csv", index=False)


def write_data(work: Path, toy_data: Path) -> None:
    """Write ``chest_xray``, the lungs and opacities that people drew beside it, and ``models`` that find lungs."""
    shutil.copytree(toy_data, work / "chest_xray")
    synthetic.write_lung_masks(toy_data, work / "lung_masks")
    table = pd.read_csv(work / "lung_masks/labels.csv").assign(orig_width=WIDTH, orig_height=HEIGHT)
    table.to_csv(work / "lung_masks/labels.csv", index=False)
    synthetic.write_screening_models(work / "models")
    _write_drawn(work / external.DRAWN_FOLDER)
