"""What `radiograph.read` owes to whoever gives it anything at all: a sound film, or a sentence for a user."""

import numpy as np

from pneumo.errors import ImageError
from pneumo.radiograph import FORMATS, MAX_PIXELS, MIN_SIDE, Radiograph


def assert_sound(film: Radiograph) -> None:
    pixels = film.pixels
    assert pixels.dtype == np.float32
    assert pixels.shape == (film.height, film.width)
    assert pixels.flags.c_contiguous
    assert min(pixels.shape) >= MIN_SIDE
    assert pixels.size <= MAX_PIXELS
    assert not pixels.flags.writeable
    # NaN fails both comparisons.
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert film.format in FORMATS
    assert 1 <= film.bits <= 64, f"{film.bits} bits"
    assert film.age_years is None or 0 <= film.age_years < 1000
    assert all(note.endswith(".") for note in film.notes)


def assert_tells_a_user(refusal: ImageError, name: str) -> None:
    told = str(refusal)
    assert name in told, "it does not name the file"
    assert told.endswith("."), "it does not end in a full stop"
    # What was wrong and what to do are two sentences.
    assert told.replace(name, "", 1).count(". ") + 1 >= 2, "it does not say what to do"
    for word in ("Error", "Traceback", "0x", "object at", "None", "nan"):
        assert word not in told.replace(name, "", 1), f"it says {word}"
