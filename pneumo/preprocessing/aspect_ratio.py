"""Aspect ratios (width:height) of crops that do not depend on that of the film.

The aspect ratio of the films tells the label of the training films, and it stays in a film that is squashed to a square
(`pneumo.datasets.lung_masks`).
"""

import numpy as np

# Between these lie nearly all of the data set's films: views that are drawn from here tell nothing of the label.
RANDOMISED = (1.0, 2.0)


def crop_range(ratio: float, wanted: tuple[float, float] = RANDOMISED) -> tuple[float, float] | None:
    """Return the aspect ratios that crops of a squashed film may have, for its views to have one that is wanted.

    Args:
        ratio: the film's own width:height, NaN where that is not known.
        wanted: the least and the greatest width:height of a view.

    Returns:
        See `augmentation.augmented_input`; None where the ratio is not known.
    """
    return None if np.isnan(ratio) else (wanted[0] / ratio, wanted[1] / ratio)
