"""Fit the gate network's heads to films, and choose the gate's limits on validation films.

Frontal chest films are told by how they differ from others in the embedding (Lee et al. 2018, arXiv:1807.03888): no
other picture is needed, so nothing is learned of the pictures that the gate is measured with. The orientation heads
learn from the same films, turned, mirrored and inverted.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from pneumo import preprocessing
from pneumo.film_quality import Quality
from pneumo.gate import Limits, View
from pneumo.gate_network import Heads
from pneumo.lungs import LungMask
from pneumo.preprocessing import Augmentation

# Directions of the embedding that are measured one by one; the rest counts as one residual.
COMPONENTS = 24
# What another hospital, a photograph or a screenshot does to a film.
VIEWS = Augmentation(min_area=0.5, max_stretch=1.3, brightness=0.15, contrast=0.3, gamma=0.4, flip=0.0)
# Films of other hospitals, where there are any, have this weight in the moments: children of one hospital are a narrow
# idea of a chest film.
OTHERS_SHARE = 0.25
OTHERS_VIEWS = 4
_ORIENTATION_COMPONENTS, _ORIENTATION_PENALTY = 256, 0.03

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Report nothing."""


def views(squares: np.ndarray, seed: int, count: int = 1) -> Iterator[np.ndarray]:
    """Draw `count` random `VIEWS` of each film, (side, side) float32 in 0…1, without mirroring it."""
    rng = np.random.default_rng(seed)
    for square in squares:
        for _ in range(count):
            yield preprocessing.augmented_input(square / np.float32(255), square.shape[0], VIEWS, rng)[..., 0]


def embed(
    encoder: keras.Model, pictures: Iterator[np.ndarray], total: int, progress: Progress = silent, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Return the embedding (films, 320) and the grid (films, 2880) of pictures, float32."""
    size, parts, waiting = encoder.input_shape[1], [], []
    for index, picture in enumerate(pictures, start=1):
        waiting.append(preprocessing.model_input(picture, size))
        if len(waiting) == batch or index == total:
            parts.append(encoder.predict_on_batch(np.stack(waiting)))
            waiting = []
            progress(index, total)
    embeddings, grids = zip(*parts, strict=True)
    return np.concatenate(embeddings), np.concatenate(grids)


def fit_deviation(embeddings: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the linear map whose output's length is the novelty.

    The embedding is centred; its first `COMPONENTS` principal components are divided by their standard deviations, and
    what they leave over by its root mean square length (Mahalanobis distance, and its residual after Ren et al. 2021).

    Args:
        embeddings: (films, features) of frontal chest films.
        weights: (films,) how much each counts.

    Returns:
        Kernel (features, `COMPONENTS` + features) and bias.
    """
    mean = np.average(embeddings, axis=0, weights=weights)
    centred = (embeddings - mean) * np.sqrt(weights / weights.mean())[:, np.newaxis]
    axes = np.linalg.svd(centred, full_matrices=False)[2][:COMPONENTS]
    scales = (centred @ axes.T).std(axis=0)
    leave_over = np.eye(len(mean)) - axes.T @ axes
    length = np.sqrt(((centred @ leave_over) ** 2).sum(axis=1).mean())
    kernel = np.concatenate([axes.T / (scales * np.sqrt(COMPONENTS)), leave_over / length], axis=1)
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def orientations(square: np.ndarray) -> Iterator[tuple[np.ndarray, int, int, int]]:
    """Yield a picture in all sixteen orientations, with its quarter turns, whether mirrored, and whether inverted."""
    for mirrored in (0, 1):
        flipped = square[:, ::-1] if mirrored else square
        for turned in range(4):
            for inverted in (0, 1):
                picture = np.rot90(1 - flipped if inverted else flipped, turned)
                yield np.ascontiguousarray(picture), turned, mirrored, inverted


def fit_orientation(grids: np.ndarray, truth: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fit the heads for quarter turns, mirroring and inversion by logistic regression.

    Args:
        grids: (pictures, features).
        truth: (pictures, 3) quarter turns, mirrored, inverted.

    Returns:
        Three pairs of kernel and bias: four logits, one, one.
    """
    pca = PCA(min(_ORIENTATION_COMPONENTS, *grids.shape), whiten=True, random_state=0).fit(grids)
    reduced = pca.transform(grids)
    # Whitening, the rotation and the regression are one linear map.
    to_reduced = pca.components_.T / np.sqrt(pca.explained_variance_)
    heads = []
    for column in range(truth.shape[1]):
        fitted = LogisticRegression(C=_ORIENTATION_PENALTY, max_iter=500).fit(reduced, truth[:, column])
        kernel = to_reduced @ fitted.coef_.T
        bias = fitted.intercept_ - pca.mean_ @ kernel
        heads.append((kernel.astype(np.float32), bias.astype(np.float32)))
    return heads


def fit_heads(
    encoder: keras.Model,
    squares: np.ndarray,
    others: np.ndarray,
    *,
    oriented: int = 400,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Heads:
    """Fit all heads.

    Args:
        encoder: as `pneumo.gate_network.encoder` returns it.
        squares: (films, side, side) uint8, upright frontal chest films.
        others: the same of other hospitals; may be empty.
        oriented: how many of the films the orientation heads learn from; sixteen pictures each.
        seed: of the random views.
        progress: called with what is done, how far, and of how many.
    """

    def both(films: np.ndarray, count: int, seed: int) -> Iterator[np.ndarray]:
        yield from (square / np.float32(255) for square in films)
        yield from views(films, seed, count)

    home, _ = embed(encoder, both(squares, 1, seed), 2 * len(squares), _told(progress, "looking at films"))
    embeddings, weights = home, np.ones(len(home))
    if len(others):
        away, _ = embed(encoder, both(others, OTHERS_VIEWS, seed + 1), (1 + OTHERS_VIEWS) * len(others))
        share = OTHERS_SHARE / (1 - OTHERS_SHARE) * len(home) / len(away)
        embeddings, weights = np.concatenate([home, away]), np.concatenate([weights, np.full(len(away), share)])

    rng = np.random.default_rng(seed)
    chosen = squares[rng.permutation(len(squares))[:oriented]]
    shown = np.concatenate([chosen, others]) if len(others) else chosen
    truth: list[tuple[int, int, int]] = []

    def turned_pictures() -> Iterator[np.ndarray]:
        for view in views(shown, seed + 2):
            for picture, *orientation in orientations(view):
                truth.append((orientation[0], orientation[1], orientation[2]))
                yield picture

    _, grids = embed(encoder, turned_pictures(), 16 * len(shown), _told(progress, "turning films"))
    return Heads(fit_deviation(embeddings, weights), *fit_orientation(grids, np.array(truth)))


def choose_limits(
    seen: list[tuple[View, LungMask]], shifted: list[tuple[View, LungMask]], qualities: list[Quality]
) -> Limits:
    """Choose the gate's limits on validation films.

    Args:
        seen: what both networks make of each film.
        shifted: the same of a random view of each film.
        qualities: of each film.
    """
    all_seen = [*seen, *shifted]
    brightness, contrast, sharpness = (
        np.array([getattr(quality, name) for quality in qualities]) for name in ("brightness", "contrast", "sharpness")
    )
    edges = np.array([lungs.edge_shares for _, lungs in seen])
    edge_limits = [_rounded(max(0.05, share)) for share in np.quantile(edges, 0.995, axis=0)]
    return Limits(
        novelty=_rounded(max(view.novelty for view, _ in all_seen)),
        uncertainty=_rounded(1.5 * max(lungs.uncertainty for _, lungs in all_seen)),
        turned=_rounded(max(0.5, *(1 - view.turned[0] for view, _ in seen))),
        inverted=_rounded(max(0.5, *(view.inverted for view, _ in seen))),
        mirrored=_rounded(max(0.5, float(np.quantile([view.mirrored for view, _ in seen], 0.997)))),
        dark=_below(brightness.min()),
        bright=(_rounded(1 - 0.9 * (1 - brightness.max())), _rounded(1 - 0.5 * (1 - brightness.max()))),
        flat=_below(contrast.min()),
        blurred=_below(sharpness.min()),
        cut_off=(edge_limits[0], edge_limits[1], edge_limits[2], edge_limits[3]),
    )


# How `choose_limits` chooses, for the card.
CHOSEN_ON = {
    "novelty": "the highest of the validation films and of one random view of each",
    "uncertainty": "1.5 times the highest of the validation films and of one random view of each",
    "turned": "the highest of the validation films, 0.5 or more",
    "inverted": "the highest of the validation films, 0.5 or more",
    "mirrored": "the 99.7th percentile of the validation films, 0.5 or more",
    "dark, flat, blurred": "0.9 (to warn) and 0.5 (to refuse) times the lowest of the validation films",
    "bright": "0.9 and 0.5 times the distance from white of the brightest validation film",
    "cut_off": "the 99.5th percentile of the validation films, 0.05 or more",
}


def _told(progress: Callable[[str, int, int], None], what: str) -> Progress:
    return lambda done, total: progress(what, done, total)


def _below(lowest: float) -> tuple[float, float]:
    return _rounded(0.9 * lowest), _rounded(0.5 * lowest)


def _rounded(limit: float) -> float:
    return round(float(limit), 4)
