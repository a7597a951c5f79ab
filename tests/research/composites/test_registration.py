from pathlib import Path

import cv2
import numpy as np
import pytest

from pneumo.errors import DatasetError
from research.composites.registration import (
    ABOVE,
    BELOW,
    HEIGHT,
    SIDE,
    WIDTH,
    Film,
    average,
    fills_frame,
    into_frame,
    lung_box,
    read_grey,
    stretch,
)

BOX = (0.2, 0.25, 0.8, 0.75)


def ribs(shift: float) -> np.ndarray:
    rows, columns = np.mgrid[:224, :224].astype(float)
    return (127 + 100 * np.sin((rows + shift + 8 * ((columns - 112) / 112) ** 2) / 224 * 2 * np.pi * 9)).astype(
        np.uint8
    )


def saved(folder: Path, number: int, pixels: np.ndarray) -> Film:
    path = folder / f"{number}.png"
    cv2.imwrite(str(path), pixels)
    return Film(path, f"person{number}", path, BOX)


def sharpness(picture: np.ndarray) -> float:
    down, across = np.gradient(picture[50:-50, 50:-50])
    return float((down**2 + across**2).mean())


def test_registration_sharpens_the_mean(tmp_path):
    films = [saved(tmp_path, n, ribs(shift)) for n, shift in enumerate(np.linspace(-6, 6, 8))]

    assert sharpness(average(films)) > 3 * sharpness(average(films, stiffness=()))


def test_the_shape_is_the_mean_of_the_shapes(tmp_path):
    films = [saved(tmp_path, n, ribs(shift)) for n, shift in enumerate((-6, -4, -2, 0, 2))]
    middle = stretch(into_frame(ribs(-2).astype(np.float32), BOX))

    likeness = np.corrcoef(average(films)[50:-50, 50:-50].ravel(), middle[50:-50, 50:-50].ravel())[0, 1]

    assert likeness > 0.9


def test_a_letter_in_one_of_ten_films_leaves_no_trace(tmp_path):
    plain = [saved(tmp_path, n, ribs(0)) for n in range(10)]
    marked = ribs(0)
    marked[100:110, 100:110] = 255
    clean = average(plain, stiffness=())

    with_letter = average([*plain[:9], saved(tmp_path, 10, marked)], stiffness=())

    # The letter moves the film's own contrast by a grey value or so; averaged in, it would add about ten.
    assert np.abs(with_letter - clean).max() < 3


def test_the_lung_box_meets_the_frame_at_its_margins():
    picture = np.zeros((300, 400), np.float32)
    picture[75:225, 80:320] = 255

    lit = into_frame(picture, lung_box(picture)) > 127

    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    assert columns[0] == pytest.approx(WIDTH * SIDE / (1 + 2 * SIDE), abs=1)
    assert rows[0] == pytest.approx(HEIGHT * ABOVE / (1 + ABOVE + BELOW), abs=1)
    assert HEIGHT - 1 - rows[-1] == pytest.approx(HEIGHT * BELOW / (1 + ABOVE + BELOW), abs=1)


def test_a_shift_moves_the_picture_the_other_way():
    picture = np.zeros((224, 224), np.float32)
    picture[:, 112:] = 255
    shift = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    shift[..., 0] = 20

    edges = [np.flatnonzero(into_frame(picture, BOX, each)[200] > 127)[0] for each in (None, shift)]

    assert edges[0] - edges[1] == 20


def test_the_lung_box_is_a_share_of_the_mask():
    mask = np.zeros((100, 200), np.float32)
    mask[10:60, 40:160] = 255

    assert lung_box(mask) == pytest.approx((0.2, 0.1, 0.8, 0.6))
    assert lung_box(np.zeros((4, 4), np.float32)) is None


@pytest.mark.parametrize(
    ("box", "filled"),
    [
        (BOX, True),
        ((0.0, 0.25, 0.8, 0.75), False),
        ((0.2, 0.25, 0.99, 0.75), False),
        ((0.2, 0.0, 0.8, 0.75), False),
        ((0.2, 0.25, 0.8, 1.0), False),
    ],
)
def test_a_film_that_ends_inside_the_frame_does_not_fill_it(box, filled):
    assert fills_frame(box) is filled


def test_exposure_is_taken_off():
    frame = np.linspace(40, 90, 1000, dtype=np.float32).reshape(20, 50)

    assert stretch(frame) == pytest.approx(stretch(frame * 2 + 10), abs=1e-2)


def test_a_composite_is_as_bright_as_its_films(tmp_path):
    film = saved(tmp_path, 0, (ribs(0) // 2 + 20).astype(np.uint8))

    composite = average([film] * 8, stiffness=())

    assert composite == pytest.approx(into_frame(read_grey(film.path), BOX), abs=2)


def test_large_originals_are_shrunk(tmp_path):
    cv2.imwrite(str(tmp_path / "large.png"), np.full((1100, 2048), 90, np.uint8))

    picture = read_grey(tmp_path / "large.png")

    assert picture.shape == (550, 1024)
    assert picture.dtype == np.float32


def test_an_unreadable_film_is_named(tmp_path):
    (tmp_path / "broken.jpeg").write_bytes(b"no picture")

    with pytest.raises(DatasetError, match=r"broken\.jpeg"):
        read_grey(tmp_path / "broken.jpeg")
