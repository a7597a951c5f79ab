"""Pictures with films in them: several films, screenshots, report pages, slides, letterboxes and phone photographs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# Corners of a film in a picture, (4, 2) float: x and y as shares of its width and height, clockwise from the film's
# upper left.
Corners = np.ndarray


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that was made of films.

    Attributes:
        kind: what it imitates.
        pixels: (height, width) uint8.
        corners: of each film that a reader would want to be read, in the order in which they were given.
    """

    kind: str
    pixels: np.ndarray
    corners: tuple[Corners, ...]


def _box_corners(left: float, top: float, width: float, height: float, canvas: np.ndarray) -> Corners:
    rows, columns = canvas.shape
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return np.array(corners, np.float64) / (columns, rows)


def _sized(film: np.ndarray, height: int | None = None, width: int | None = None) -> np.ndarray:
    rows, columns = film.shape
    scale = height / rows if height else (width or columns) / columns
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(film, (max(1, round(columns * scale)), max(1, round(rows * scale))), interpolation=interpolation)


def _paste(canvas: np.ndarray, film: np.ndarray, left: int, top: int) -> Corners:
    rows, columns = film.shape
    canvas[top : top + rows, left : left + columns] = film
    return _box_corners(left, top, columns, rows, canvas)


def _text(
    canvas: np.ndarray,
    left: int,
    top: int,
    lines: int,
    length: int,
    grey: int,
    rng: np.random.Generator,
    size: float = 0.45,
) -> None:
    letters = np.array(list("abcdefghijklmnoprstuvw    ABCDEFGHR0123456789.-/:"))
    for line in range(lines):
        words = "".join(rng.choice(letters, length))
        place = (left, top + round((line + 1) * 38 * size))
        cv2.putText(canvas, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, grey, 1, cv2.LINE_AA)


def compressed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a picture as a JPEG of random quality leaves it."""
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))


def several(films: Sequence[np.ndarray], rng: np.random.Generator) -> Picture:
    """Two films above or beside each other, or three or four in a grid, with or without a gap."""
    gap = int(rng.choice([0, 0, 4, 12, 30]))
    grey = int(rng.choice([0, 0, 30, 128, 255]))
    same_size = rng.random() < 0.7
    down = rng.random() < 0.5
    if len(films) == 2:
        sized = [_sized(film, width=600) if down else _sized(film, height=600) for film in films]
        if not same_size:
            sized[1] = _sized(sized[1], height=round(sized[1].shape[0] * rng.uniform(0.6, 0.95)))
        height = sum(film.shape[0] for film in sized) + gap if down else max(film.shape[0] for film in sized)
        width = max(film.shape[1] for film in sized) if down else sum(film.shape[1] for film in sized) + gap
        canvas = np.full((height, width), grey, np.uint8)
        corners, at = [], 0
        for film in sized:
            corners.append(_paste(canvas, film, 0 if down else at, at if down else 0))
            at += film.shape[0 if down else 1] + gap
        return Picture("two films", compressed(canvas, rng), tuple(corners))
    side = 400
    stretch = same_size and gap == 0
    columns = 2 if len(films) == 4 or rng.random() < 0.3 else 3
    rows = -(-len(films) // columns)
    canvas = np.full((rows * (side + gap) - gap, columns * (side + gap) - gap), grey, np.uint8)
    corners = []
    for number, film in enumerate(films):
        row, column = divmod(number, columns)
        fitted = cv2.resize(film, (side, side), interpolation=cv2.INTER_AREA) if stretch else _sized(film, width=side)
        if fitted.shape[0] > side:
            fitted = _sized(film, height=side)
        left, top = column * (side + gap), row * (side + gap)
        down, across = ((side - length) // 2 for length in fitted.shape)
        corners.append(_paste(canvas, fitted, left + across, top + down))
    return Picture(f"{len(films)} films", compressed(canvas, rng), tuple(corners))


def screenshot(film: np.ndarray, rng: np.random.Generator) -> Picture:
    """A viewer's window: tool bar, a strip of small pictures, text over the film, and empty screen around it."""
    grey = int(rng.choice([0, 18, 32, 60, 128, 240]))
    canvas = np.full((1080, 1920), grey, np.uint8) if rng.random() < 0.7 else np.full((900, 1200), grey, np.uint8)
    rows, columns = canvas.shape
    bar, ink = (grey + 30) % 256, 255 if grey < 128 else 0
    top, left, right, bottom = 0, 0, columns, rows
    if rng.random() < 0.8:
        top = int(rng.integers(40, 90))
        canvas[:top] = bar
        for at in range(10, columns - 60, 48):
            if rng.random() < 0.7:
                cv2.rectangle(canvas, (at, 10), (at + 32, top - 10), (ink + 128) % 256, 1)
    if rng.random() < 0.7:
        left = int(rng.integers(150, 260))
        canvas[top:, :left] = bar
        small = _sized(film, width=left - 40)
        for at in range(top + 20, rows - small.shape[0] - 10, small.shape[0] + 25):
            _paste(canvas, small, 20, at)
            if rng.random() < 0.4:
                break
    if rng.random() < 0.5:
        right = columns - int(rng.integers(150, 350))
        canvas[top:, right:] = bar
        _text(canvas, right + 10, top + 20, int(rng.integers(5, 20)), (columns - right) // 11, ink, rng)
    if rng.random() < 0.5:
        bottom = rows - int(rng.integers(20, 50))
        canvas[bottom:] = bar
        _text(canvas, 10, bottom, 1, 40, ink, rng)
    room_width, room_height = right - left, bottom - top
    shown = _sized(film, height=round(room_height * rng.uniform(0.6, 1.0)))
    if shown.shape[1] > room_width:
        shown = _sized(film, width=round(room_width * rng.uniform(0.7, 1.0)))
    if shown.shape[0] > room_height:
        shown = _sized(film, height=room_height)
    spare_width, spare_height = room_width - shown.shape[1], room_height - shown.shape[0]
    in_middle = rng.random() < 0.6
    left += spare_width // 2 if in_middle else int(rng.integers(0, spare_width + 1))
    top += spare_height // 2 if in_middle else int(rng.integers(0, spare_height + 1))
    corners = _paste(canvas, shown, left, top)
    if rng.random() < 0.8:
        _text(canvas, left + 8, top + 4, int(rng.integers(2, 7)), 14, 255, rng)
    if rng.random() < 0.4:
        _text(canvas, left + shown.shape[1] - 90, top + 4, 3, 9, 255, rng)
    return Picture("screenshot", compressed(canvas, rng), (corners,))


def report_page(film: np.ndarray, rng: np.random.Generator) -> Picture:
    """A white page with text and a film on it."""
    rows, columns = (1754, 1240) if rng.random() < 0.7 else (1240, 1754)
    canvas = np.full((rows, columns), int(rng.choice([255, 255, 250])), np.uint8)
    shown = _sized(film, width=round(columns * rng.uniform(0.4, 0.85)))
    if shown.shape[0] > 0.6 * rows:
        shown = _sized(film, height=round(0.6 * rows))
    left = int(rng.integers(60, columns - shown.shape[1] - 40))
    top = int(rng.integers(120, rows - shown.shape[0] - 60))
    _text(canvas, 80, 40, 2, 40, 0, rng, 0.8)
    above = (top - 130) // 20
    if above > 0:
        _text(canvas, 80, 110, above, (columns - 160) // 11, 30, rng)
    below = (rows - top - shown.shape[0] - 60) // 20
    if below > 0:
        _text(canvas, 80, top + shown.shape[0] + 10, below, (columns - 160) // 11, 30, rng)
    return _page(canvas, shown, left, top, "report page", rng)


def _page(canvas: np.ndarray, shown: np.ndarray, left: int, top: int, kind: str, rng: np.random.Generator) -> Picture:
    corners = _paste(canvas, shown, left, top)
    return Picture(kind, compressed(canvas, rng), (corners,))


def slide(film: np.ndarray, rng: np.random.Generator) -> Picture:
    """A slide with a title, bullet points and a film."""
    grey = int(rng.choice([255, 245, 0, 40]))
    ink = 0 if grey > 128 else 255
    canvas = np.full((720, 1280), grey, np.uint8)
    _text(canvas, 60, 20, 1, 30, ink, rng, 1.3)
    shown = _sized(film, height=int(rng.integers(380, 560)))
    if shown.shape[1] > 700:
        shown = _sized(film, width=700)
    on_left = rng.random() < 0.5
    left = 50 if on_left else 1280 - 50 - shown.shape[1]
    _text(canvas, 800 if on_left else 50, 160, 8, max(4, (1280 - shown.shape[1] - 200) // 24), ink, rng, 0.9)
    return _page(canvas, shown, left, 130, "slide", rng)


def letterbox(film: np.ndarray, share: float, sides: str, fill: str, rng: np.random.Generator) -> Picture:
    """A film with bars that take a share of the picture's width (or height).

    Args:
        film: (height, width) uint8.
        share: of the picture that the bars take together, 0…1.
        sides: ``across``, ``down``, ``both`` or ``one``.
        fill: ``black``, ``white``, ``grey`` or ``blurred``.
        rng: of the quality of the JPEG.
    """
    rows, columns = film.shape
    wide = round(columns / (1 - share)) if sides != "down" else columns
    high = round(rows / (1 - share)) if sides in ("down", "both") else rows
    if fill == "blurred":
        canvas = cv2.GaussianBlur(cv2.resize(film, (wide, high)), (0, 0), 0.04 * wide)
    else:
        canvas = np.full((high, wide), {"black": 0, "white": 255, "grey": 128}[fill], np.uint8)
    left = 0 if sides == "one" else (wide - columns) // 2
    return _page(canvas, film, left, (high - rows) // 2, f"letterbox {fill}", rng)


def photograph(film: np.ndarray, rng: np.random.Generator, degrees: float | None = None) -> Picture:
    """A phone's photograph of a film on a light box or a window, seen at an angle.

    The film and the light around it are turned in space by up to 25° about two axes and projected; light falls off
    towards the corners; there may be a glare, moiré stripes, and the shadow of a hand.
    """
    film = _sized(film, height=700).astype(np.float32) / 255
    rows, columns = film.shape
    rim = rng.uniform(0.03, 0.35, 4) * min(rows, columns)
    left, top, right, bottom = (int(each) for each in rim)
    # Film transmits light: its darkest grey is still brighter than the room, and the box is brighter than the film.
    light = rng.uniform(0.85, 1.0)
    board = np.full((rows + top + bottom, columns + left + right), light, np.float32)
    board[top : top + rows, left : left + columns] = light * (0.04 + 0.86 * film)
    if rng.random() < 0.3:
        cv2.rectangle(board, (0, 0), (board.shape[1] - 1, board.shape[0] - 1), 0.3, 12)
    height, width = (1200, 900) if rng.random() < 0.5 else (900, 1200)
    tilt = degrees if degrees is not None else rng.uniform(5, 25)
    direction = rng.uniform(0, 2 * np.pi)
    pitch, yaw = np.deg2rad(tilt) * np.array([np.sin(direction), np.cos(direction)])
    roll = np.deg2rad(rng.uniform(-8, 8))
    turn = cv2.Rodrigues(np.array([pitch, 0, 0]))[0] @ cv2.Rodrigues(np.array([0, yaw, 0]))[0]
    turn = turn @ cv2.Rodrigues(np.array([0, 0, roll]))[0]
    across, down = board.shape[1], board.shape[0]
    outline = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float64)
    of_film = np.array(
        [[left, top], [left + columns, top], [left + columns, top + rows], [left, top + rows]], np.float64
    )
    far = 2.2 * max(across, down)

    def project(points: np.ndarray) -> np.ndarray:
        centred = np.c_[points - (across / 2, down / 2), np.zeros(len(points))] @ turn.T
        return centred[:, :2] * (far / (far + centred[:, 2]))[:, np.newaxis]

    seen = project(outline)
    filled = rng.uniform(0.75, 1.15)
    scale = filled * min(width / np.ptp(seen[:, 0]), height / np.ptp(seen[:, 1]))
    film_seen = project(of_film)
    film_scale = 0.97 * min(width / np.ptp(film_seen[:, 0]), height / np.ptp(film_seen[:, 1]))
    scale = min(scale, film_scale)
    middle = (film_seen if scale == film_scale else seen).mean(axis=0)
    centre = np.array([width, height]) / 2
    target = ((seen - middle) * scale + centre).astype(np.float32)
    corners = (film_seen - middle) * scale + centre
    matrix = cv2.getPerspectiveTransform(outline.astype(np.float32), target)
    room = rng.uniform(0.02, 0.25)
    picture = np.asarray(
        cv2.warpPerspective(
            board, matrix, (width, height), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=room
        ),
        np.float64,
    )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    y, x = y / height - 0.5, x / width - 0.5
    picture *= 1 - rng.uniform(0, 0.5) * (x**2 + y**2) + rng.uniform(-0.15, 0.15) * x
    if rng.random() < 0.4:
        gx, gy = rng.uniform(-0.3, 0.3, 2)
        picture += rng.uniform(0.1, 0.4) * np.exp(-((x - gx) ** 2 + (y - gy) ** 2) / 0.005)
    if rng.random() < 0.3:
        angle = rng.uniform(0, np.pi)
        picture += 0.02 * np.sin(2 * np.pi * rng.uniform(60, 150) * (x * np.cos(angle) + y * np.sin(angle)))
    if rng.random() < 0.3:
        shadow = np.zeros((height, width), np.float32)
        start = (int(rng.uniform(0, width)), height)
        end = (int(start[0] + rng.uniform(-200, 200)), int(rng.uniform(0.6, 0.9) * height))
        cv2.line(shadow, start, end, 1.0, int(rng.uniform(60, 140)))
        picture *= 1 - 0.4 * cv2.GaussianBlur(shadow, (0, 0), 25)
    picture += rng.normal(0, 0.012, picture.shape)
    pixels = cv2.GaussianBlur((picture.clip(0, 1) * 255).astype(np.uint8), (0, 0), 0.8)
    return Picture("photograph", compressed(pixels, rng), (corners / (width, height),))


SINGLE: dict[str, Callable[[np.ndarray, np.random.Generator], Picture]] = {
    "screenshot": screenshot,
    "report page": report_page,
    "slide": slide,
    "photograph": photograph,
}
