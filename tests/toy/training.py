"""What stands in for the training of a network where the work around it is tested."""

import numpy as np

from pneumo.training.films import Films, Stage

FIGURES = [f"{films}{figure}" for films in ("val_", "shifted_") for figure in ("loss", "accuracy", "auroc")]


def untrained(model, train, validation, recipe, folder, *, resume=False, progress=lambda stage: None, team=None):
    """Stand in for `loop.fit`: leave the weights as they are, with figures that the recipe alone decides on."""
    rng, history = np.random.default_rng(int(recipe.learning_rate * 1e9)), []
    for epoch in range(1, recipe.epochs + 1):
        what = f"epoch {epoch} of {recipe.epochs}"
        progress(Stage(what, epoch, recipe.epochs))
        figures = {name: float(rng.random()) for name in ("loss", "accuracy", *FIGURES)}
        history.append({"epoch": epoch, **figures, "seconds": 0.5})
        progress(Stage(what, epoch, recipe.epochs, history[-1]))
    return history


def toy_films(count, seed, share=0.5, noise=30.0):
    """Films that are bright above where the child is well, and bright below where it is sick."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) < round(share * count)).astype(np.float32)
    squares = rng.normal(100, noise, (count, 24, 24))
    for square, label in zip(squares, labels, strict=True):
        square[slice(12, 24) if label else slice(0, 12)] += 60
    return Films(squares.clip(0, 255).astype(np.uint8), labels, tuple(f"{seed}-{n}.jpeg" for n in range(count)))
