"""Films, data sets, cards and models that tests make up."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pneumo.inference import similar_cases
from pneumo.inference.similar_cases import FilmIndex
from pneumo.model_store import store
from pneumo.model_store.card import SCREENING, SEGMENTATION, ModelCard
from pneumo.model_store.weights import save, sha256

if TYPE_CHECKING:
    import keras

HEIGHT, WIDTH = 160, 200


def film(rng: np.random.Generator, sick: bool, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draw two dark lungs on a bright body, and a white patch in one of them where the child is sick; uint8."""
    row, column = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    picture = (
        np.where(lung_mask(height, width), 0.2, 0.65) + rng.normal(0, 0.02, (height, width)) + rng.uniform(-0.05, 0.05)
    )
    if sick:
        centre_row, centre_column = rng.uniform(0.45, 0.65), rng.choice([0.3, 0.7])
        picture = picture + 0.6 * np.exp(-(((row - centre_row) ** 2 + (column - centre_column) ** 2) / 0.02))
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


def lung_mask(height: int = HEIGHT, width: int = WIDTH, middles: tuple[float, ...] = (0.3, 0.7)) -> np.ndarray:
    """Return where `film` draws its lungs, (height, width) bool; `middles` are the shares of the width they lie at."""
    row, column = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    lungs = [((row - 0.5) / 0.33) ** 2 + ((column - middle) / 0.15) ** 2 < 1 for middle in middles]
    return np.any([np.zeros((height, width), bool), *lungs], axis=0)


def pair(height: int = 240, width: int = 300) -> np.ndarray:
    """Draw the films of a well and a sick child beside each other, with a white gap between them; uint8."""
    rng = np.random.default_rng(0)
    gap = np.full((height, width // 10), 255, np.uint8)
    return np.hstack([film(rng, False, height, width), gap, film(rng, True, height, width)])


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpeg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def sound_film() -> np.ndarray:
    """Return a film of a healthy child, which `gate_model` accepts."""
    return film(np.random.default_rng(0), sick=False, height=240, width=300)


def noise() -> np.ndarray:
    """Return a picture that is no film, which `gate_model` refuses."""
    return np.random.default_rng(0).integers(0, 256, (240, 300), np.uint8)


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


def write_lung_masks(root: Path, folder: Path) -> None:
    """Write the lung mask of every film of a data set, and the table that names them."""
    (folder / "masks224").mkdir(parents=True)
    mask = cv2.imencode(".png", 255 * lung_mask(224, 224).astype(np.uint8))[1].tobytes()
    lines = ["kermany_file,mask,label"]
    for film_path in sorted(root.rglob("*.jpeg")):
        if not film_path.name.startswith("."):
            lines.append(f"{film_path.name},masks224/{film_path.stem}.png,{film_path.parent.name}")
            (folder / "masks224" / f"{film_path.stem}.png").write_bytes(mask)
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def card(**changes: Any) -> ModelCard:
    """Return the card of `small_model`."""
    values: dict[str, Any] = {
        "name": "toy",
        "title": "Toy model",
        "family": "cnn",
        "seed_system": None,
        "architecture": "cnn",
        "initial_weights": "random",
        "input": {"size": 32, "channels": 1, "views": ["film"], "crop": "whole film", "scaling": "percentiles"},
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


def index_of_films(films: int = 8, features: int = 5, **changes: Any) -> FilmIndex:
    """Return the index of `card`, a film a child, every second of them sick with a virus."""
    rng = np.random.default_rng(0)
    sick = np.arange(films) % 2 == 1
    values: dict[str, Any] = {
        "sha256": "0" * 64,
        "layer": "pool",
        "files": np.array([f"train/NORMAL/{film}.jpeg" for film in range(films)]),
        "patients": np.array([f"p{film}" for film in range(films)]),
        "labels": np.where(sick, "PNEUMONIA", "NORMAL"),
        "pathogens": np.where(sick, "virus", ""),
        "embedding": similar_cases.directions(rng.random((films, features))),
    }
    return FilmIndex(**(values | changes))


def small_model(seed: int = 0, bias: float = 0.0, size: int = 32) -> "keras.Model":
    """Return a three-layer model of (size, size, 1) pictures that stands in for a trained one."""
    import keras

    keras.utils.set_random_seed(seed)
    picture = keras.Input((size, size, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(picture)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(1, "sigmoid", bias_initializer=keras.initializers.Constant(bias), name="pneumonia")(x)
    return keras.Model(picture, x)


# Beyond these `write_screening_models` lets the gate make a finding. Drawn films lie well within.
LIMITS = {
    "novelty": 3.1,
    "uncertainty": 0.5,
    "turned": 0.5,
    "inverted": 0.5,
    "mirrored": 0.5,
    "dark": [0.2, 0.1],
    "bright": [0.85, 0.95],
    "flat": [0.2, 0.1],
    "blurred": [0.1, 0.05],
    "cut_off": [0.1, 0.1, 0.1, 0.1],
    "third_piece": 0.9,
    "lungs_area": 0.25,
    "framed": 0.6,
    "seam": 0.9,
    "border": [0.16, 0.27, 0.02],
}


def write_screening_models(folder: Path) -> None:
    """Write the model folders `lungs` and `gate`, which know the films that `film` draws."""
    networks = (
        ("lungs", SEGMENTATION, lung_model(), {"threshold": 0.5}),
        ("gate", SCREENING, gate_model(), LIMITS),
    )
    for name, task, network, thresholds in networks:
        path = folder / name / "model.keras"
        save(network, path)
        store.write_card(
            card(
                name=name,
                title=f"Toy {name}",
                family=name,
                architecture=name,
                cam_layer=None,
                task=task,
                calibration={},
                thresholds=thresholds,
                sha256=sha256(path),
                size_bytes=path.stat().st_size,
            ),
            folder,
        )


def lung_model() -> "keras.Model":
    """Return a model of (32, 32, 1) pictures that takes what is dark for lung."""
    import keras

    picture = keras.Input((32, 32, 1))
    layer = keras.layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Model(picture, layer(picture))
    layer.set_weights([np.full((1, 1, 1, 1), -40.0), np.array([24.0])])
    return model


def gate_model() -> "keras.Model":
    """Return a model of (32, 32, 1) pictures that tells drawn films from others by a few places on them.

    It compares the corners, where a film shows the body, with the places where lungs lie upright (`sides`) or on a film
    that was turned by a quarter (`ends`); of sick children it knows upright ones only. A dark upper left corner of the
    box of the lungs says that the film was mirrored.
    """
    import keras

    def at(*centres: tuple[float, float]) -> np.ndarray:
        """Return the weights of the mean over a few squares of 4 x 4 pixels."""
        weights = np.zeros((32, 32))
        for row, column in centres:
            top, left = (round(share * 32) - 2 for share in (row, column))
            weights[top : top + 4, left : left + 4] = 1
        return weights.ravel() / weights.sum()

    corners = at((0.07, 0.07), (0.07, 0.93), (0.93, 0.07), (0.93, 0.93))
    sides, ends = at((0.5, 0.3), (0.5, 0.7)), at((0.3, 0.5), (0.7, 0.5))
    contrast = sides + ends - 2 * corners
    kernel = np.stack([contrast, -contrast, sides - ends + corners, ends - sides - corners], axis=1)
    picture, lungs = keras.Input((32, 32, 1)), keras.Input((8, 8, 1))
    features = keras.layers.Dense(4, "relu")
    seen = features(keras.layers.Flatten()(picture))
    # Columns of `kernel`: inverted, upright grey values, a quarter turn, a quarter turn of an inverted film.
    heads = {
        "novelty": (seen, [[-4.0], [-4.0], [8.0], [8.0]], [4.0], None),
        "turned": (seen, [[0.0] * 4] * 2 + [[0.0, 100.0, 0.0, 0.0]] * 2, [0.0, -15.0, -30.0, -30.0], "softmax"),
        "mirrored": (keras.layers.Flatten()(lungs), [[-20.0], *[[0.0]] * 6, [20.0], *[[0.0]] * 56], [-5.0], "sigmoid"),
        "inverted": (seen, [[40.0], [0.0], [0.0], [0.0]], [-6.0], "sigmoid"),
    }
    layers = {name: keras.layers.Dense(len(bias), kind, name=name) for name, (_, _, bias, kind) in heads.items()}
    model = keras.Model([picture, lungs], [layer(heads[name][0]) for name, layer in layers.items()])
    features.set_weights([kernel, np.array([0.0, 0.0, -1.0, 0.0])])
    for name, (_, weights, bias, _) in heads.items():
        layers[name].set_weights([np.array(weights), np.array(bias)])
    return model


def arrays(side=28, **changes):
    """The arrays of a MedMNIST file of drawn films."""
    rng = np.random.default_rng(0)
    values = {}
    for split, films in (("train", 6), ("val", 4), ("test", 4)):
        labels = np.arange(films) % 2
        pictures = [film(rng, bool(label), side, side) for label in labels]
        values |= {f"{split}_images": np.stack(pictures), f"{split}_labels": labels[:, np.newaxis]}
    return values | changes
