"""Group films that look alike and whose opacity lies in the same place, so that it survives averaging."""

import cv2
import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from research.composites.registration import HEIGHT, WIDTH, Film, Grey, into_frame, read_grey, stretch

# The columns of a thumbnail that show the spine, once the lungs fill the frame.
SPINE = slice(31, 39)
# Chosen by eye: with less, opacities average out; with more, films of unlike chests come together.
WEIGHT_OF_OPACITY_PLACE = 3.0
WEIGHT_OF_OPACITY_AMOUNT = 2.0
WEIGHT_OF_VARIETY = 0.6
# The fifth of the films with the most distant neighbours is rotated, whited out, or full of tubes.
LONELY = 0.8


def thumbnail(film: Film) -> Grey:
    """Return grey values and lung mask of a film in the frame, smoothed, both 0…1, shape (2, 52, 70).

    Raises:
        ImageError: if film or mask cannot be read.
    """
    layers = (stretch(into_frame(read_grey(film.path), film.box)), into_frame(read_grey(film.mask), film.box))
    size = (WIDTH // 8, HEIGHT // 8)
    small = [cv2.resize(layer / 255, size, interpolation=cv2.INTER_AREA) for layer in layers]
    return np.stack([np.asarray(cv2.GaussianBlur(layer, (0, 0), 1.5), np.float32) for layer in small])


def opacity(thumbnails: Grey, healthy: Grey) -> Grey:
    """Measure how much brighter than a healthy chest each place of the lungs is.

    Brightness runs from the darkest lung (0) to the spine (1), which exposure does not move. Where a healthy
    lung is bright as well (behind heart and diaphragm) the excess counts for less.

    Args:
        thumbnails: as `thumbnail` returns them, shape (n, 2, height, width).
        healthy: the mean of normal thumbnails, shape (2, height, width).

    Returns:
        Shape (n, places inside the healthy lung mask), about −1…1.2.
    """
    lung = healthy[1] > 0.7

    def level(layers: Grey) -> Grey:
        dark = np.percentile(layers[:, lung], 5, axis=1)[:, None, None]
        spine = layers[:, :, SPINE].mean(axis=(1, 2))[:, None, None]
        return np.clip((layers - dark) / np.maximum(spine - dark, 0.1), 0, 1.2)

    usual = level(healthy[None, 0])[0]
    return np.asarray(((level(thumbnails[:, 0]) - usual) * (1 - np.clip(usual, 0, 1)))[:, lung], np.float32)


def group_by_opacity(thumbnails: Grey, healthy: Grey, films: int, groups: int, *, seek: bool) -> list[list[int]]:
    """Choose groups of films that look alike and whose opacity lies in the same place.

    Args:
        thumbnails: as `thumbnail` returns them, shape (n, 2, height, width), n ≥ films × groups.
        healthy: the mean of normal thumbnails, shape (2, height, width).
        films: films in a group.
        groups: how many groups; no film stands in two.
        seek: prefer groups with much opacity (pneumonia) or with little (normal).

    Returns:
        The indices of each group, the film nearest to its others' place and look first.
    """
    places = opacity(thumbnails, healthy)
    looks = thumbnails.reshape(len(thumbnails), -1)
    features = np.hstack([WEIGHT_OF_OPACITY_PLACE * places, looks]).astype(np.float64)
    distance = cdist(features, features)
    free = np.ones(len(features), bool)
    chosen: list[list[int]] = []
    for _ in range(groups):
        nearest = np.argsort(np.where(free, distance, np.inf), axis=1, kind="stable")[:, :films]
        spread = np.take_along_axis(distance, nearest, axis=1).mean(axis=1)
        shared = places[nearest].mean(axis=1)
        amount = rankdata(np.maximum(shared, 0).mean(axis=1)) / len(features)
        score = (WEIGHT_OF_OPACITY_AMOUNT * amount if seek else -amount) - rankdata(spread) / len(features)
        if chosen:
            others = np.stack([places[group].mean(axis=0) for group in chosen])
            score += WEIGHT_OF_VARIETY * rankdata(cdist(shared, others).min(axis=1)) / len(features)
        score[~free | (spread > np.quantile(spread[free], LONELY))] = -np.inf
        group = nearest[int(np.argmax(score))]
        free[group] = False
        chosen.append(group.tolist())
    return chosen
