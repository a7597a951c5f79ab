"""Processes that train toy networks together: `python workers.py FOLDER DIES RESUME NETWORK…`.

Each process writes its history, and the chief its weights, into FOLDER/NETWORK; a sentence that ends it is printed.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from toy.training import toy_films

CHECKOUT = Path(__file__).parents[2]


def start(folder: Path, *networks: str, dies: int = 0, resume: bool = False) -> list[subprocess.Popen[str]]:
    """Start two workers that train `networks` one after the other; worker 1 is killed at its report number `dies`."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]}
    return [
        subprocess.Popen(
            [sys.executable, __file__, str(folder), str(dies if number == 1 else 0), str(int(resume)), *networks],
            env=os.environ
            | {
                "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'tests'}",
                "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": number}}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in (0, 1)
    ]


def recipe():
    """Steps of two batches of eight films; the last of the four of an epoch has four films."""
    from pneumo.preprocessing.augmentation import Augmentation
    from pneumo.training.loop import Recipe

    mild = Augmentation(min_area=0.8, max_stretch=1.1, brightness=0.1, contrast=0.1, gamma=0.1)
    return Recipe(epochs=4, batch=8, learning_rate=0.01, average=0.8, label_smoothing=0.1, augmentation=mild, workers=2)


def build(network: str):
    """Return a network with a convolution and batch normalisation; ``dropout`` has that, too."""
    import keras

    keras.utils.set_random_seed(0)
    picture = keras.Input((12, 12, 1))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(picture)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.MaxPooling2D(2)(keras.layers.ReLU()(x))
    x = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(x))
    if network == "dropout":
        x = keras.layers.Dropout(0.3)(x)
    return keras.Model(picture, keras.layers.Dense(1, "sigmoid")(x))


def train(folder: Path, network: str, dies: int, resume: bool, team):
    """Train as `start` says; return the model and its history."""
    from pneumo.training import loop

    calls = itertools.count(1)

    def progress(stage):
        if next(calls) == dies:
            os.kill(os.getpid(), signal.SIGKILL)

    model = build(network)
    history = loop.fit(
        model,
        toy_films(51, seed=1),
        toy_films(24, seed=2),
        recipe(),
        folder / "checkpoints",
        resume=resume,
        progress=progress,
        team=team,
    )
    return model, history


def main(folder: Path, dies: int, resume: bool, networks: list[str]) -> None:
    """Train as one of the workers."""
    import numpy as np

    from pneumo.errors import WorkerError
    from pneumo.training.workers import Team

    team = Team()
    try:
        for network in networks:
            out = folder / network
            model, history = train(out, network, dies, resume, team)
            (out / f"history-{team.number}.json").write_text(json.dumps(history))
            team.from_chief(lambda: np.savez(out / "weights", *model.get_weights()))  # noqa: B023
    except WorkerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", sys.argv[4:])
