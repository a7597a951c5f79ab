"""Hospitals that models are calibrated for in tests."""

from pathlib import Path

import numpy as np
from scipy import special

from pneumo.evaluation import site_calibration
from pneumo.model_store.card import ModelCard
from pneumo.model_store.site import Site, site_of
from toy import synthetic


def site(card: ModelCard, name: str = "St Mary", sick: int = 0, middle: float = 0.0) -> Site:
    """Return a hospital whose 40 normal films score around a logit, and those with pneumonia three above."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [40, sick])
    own = special.expit(np.concatenate([rng.normal(middle, 1, 40), rng.normal(middle + 3, 1, sick)]))
    return site_of(card, name, site_calibration.calibrate(labels, own, card.as_thresholds().low))


def write_films(folder: Path, normal: int = 32, sick: int = 0) -> None:
    """Write films of a hospital, sorted by hand."""
    rng = np.random.default_rng(1)
    for label, count in (("NORMAL", normal), ("PNEUMONIA", sick)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = synthetic.film(rng, sick=label == "PNEUMONIA", height=240, width=300)
            (folder / label / f"{label.lower()} {number}.png").write_bytes(synthetic.png(picture))
