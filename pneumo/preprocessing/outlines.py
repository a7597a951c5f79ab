"""Outlines that a film may have in a picture: its uniform border, and quadrilaterals of long straight edges.

A screenshot, a report page, a photograph and several films in one picture have what a film alone seldom has: long
straight edges that meet in corners. Lines are found by voting (Hough 1962), each side of a quadrilateral is measured by
how much of it lies on an edge.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from pneumo.preprocessing.crops import WHOLE, Box

# Corners of a quadrilateral, clockwise from its upper left; x and y as shares of the picture's width and height.
Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

# Lines of a border differ by no more than JPEG makes of a uniform grey.
BORDER_TOLERANCE = 6 / 255
_SPREAD = 20 / 255
# Borders below this grey are what unexposed film looks like.
DARK = 0.15

# Of a square whose grey values reach from 0 to 1: a step of this size between two pixels is an edge.
_STEP = 0.06
# Fine detail below this is none.
_SMOOTH = 0.006
# Lines lean by no more than this.
_LEAN = np.tan(np.deg2rad(32))
# Of each direction, beside the two edges of the picture.
_LINES = 12
# Of the lines of each direction the first are the two edges of the picture.
_PICTURE_EDGES = 2
# Steps this many times as sharp as those nearby are where two films touch; so many such columns are looked at.
_SHARP, _SEAMS = 2.5, 2
# A line has edges on this share of the picture's side.
_LEAST_LINE = 0.2
_LEAST_WIDTH, _LEAST_HEIGHT = 0.12, 0.12
# Outlines of less of the picture than this may be those of a film with something around it; so many are measured.
_FRAMED_AREA, _FRAMES = 0.75, 60
# A uniform ground takes this share of the picture's edge.
_GROUND = 0.75
# Least and largest area of an island that a film alone does not have.
_APART = (0.1, 0.6)
# Two films in one picture take this share of it each, or more.
_LEAST_PART = 0.15
# Two outlines that share this much (intersection over union) are one.
_SAME = 0.85
# How much better drawn a slanting outline has to be than an upright one, and one around another than that.
_UPRIGHT, _AROUND = 0.15, 0.15
# What lies apart on a uniform ground counts as an outline of this support.
_ISLAND = (0.85, 0.85, 0.85, 0.85)


@dataclass(frozen=True)
class Outline:
    """A quadrilateral of straight edges.

    Attributes:
        corners: of it.
        support: share of its left, top, right and bottom side that lies on an edge, each 0…1; 1 on the edge of the
            picture.
        inner: how many of its sides do not lie on the edge of the picture.
        area: share of the picture, 0…1.
    """

    corners: Corners
    support: tuple[float, float, float, float]
    inner: int
    area: float

    @property
    def score(self) -> float:
        """How well it is drawn, 0…1: the mean of its weakest side and of all of them."""
        return (min(self.support) + sum(self.support) / 4) / 2

    @property
    def rank(self) -> float:
        """How likely it is a film's: its score, and more where it is upright."""
        return self.score + (_UPRIGHT if is_box(self.corners) else 0.0)


def uniform_border(pixels: np.ndarray, dark: float, both_dark: float, light: float) -> Box:
    """Return the box inside a uniform border; the whole picture where there is none.

    A side is taken off where its border is wider than a film's own.

    Args:
        pixels: (height, width) float32 in 0…1.
        dark: the widest border below `DARK` that stays, as a share of the picture.
        both_dark: the widest that stay on two opposite sides together.
        light: the widest border of any other grey that stays.
    """
    left, right = _border(pixels.T, dark, both_dark, light)
    inside = pixels[:, left : pixels.shape[1] - right]
    top, bottom = _border(inside, dark, both_dark, light)
    height, width = pixels.shape
    if not any((left, right, top, bottom)):
        return WHOLE
    return left / width, top / height, 1 - right / width, 1 - bottom / height


def border_widths(pixels: np.ndarray) -> np.ndarray:
    """Return how wide the uniform borders of a picture are.

    Args:
        pixels: (height, width) float32 in 0…1.

    Returns:
        (4, 2) shares of the width or height: the left, right, top and bottom border; of a dark one, and of another.
    """
    widths = np.zeros((4, 2))
    for side, lines in enumerate((pixels.T, pixels.T[::-1], pixels, pixels[::-1])):
        count, is_dark = _uniform(lines)
        widths[side, 0 if is_dark else 1] = count / len(lines)
    return widths


def _border(lines: np.ndarray, dark: float, both_dark: float, light: float) -> tuple[int, int]:
    """Return how many lines to take off at the beginning and at the end."""
    count = len(lines)
    (first, first_dark), (last, last_dark) = _uniform(lines), _uniform(lines[::-1])
    if first + last >= count:
        return 0, 0
    both = first_dark and last_dark and first + last > both_dark * count
    is_wide = [
        width > (dark if is_dark else light) * count or (both and min(first, last) > 0)
        for width, is_dark in ((first, first_dark), (last, last_dark))
    ]
    begin = _with_spread(lines, first) if is_wide[0] else 0
    end = _with_spread(lines[::-1], last) if is_wide[1] else 0
    return (begin, end) if begin + end < count else (0, 0)


def _uniform(lines: np.ndarray) -> tuple[int, bool]:
    """Return how many lines are of one grey from the first on, and whether that is dark."""
    grey = float(np.median(lines[0]))
    is_border = (np.abs(line - grey).max() <= BORDER_TOLERANCE for line in lines)
    count = next((number for number, uniform in enumerate(is_border) if not uniform), len(lines))
    return count, grey < DARK


def _with_spread(lines: np.ndarray, count: int) -> int:
    """Return where a border of so many lines ends: JPEG spreads the film's edge over the block of 8 that it lies in."""
    near = np.median(np.abs(lines[count : count + 8] - np.median(lines[0])), axis=1) <= _SPREAD
    return count + (len(near) if near.all() else int(np.argmin(near)))


def quadrilaterals(square: np.ndarray, least_support: float, least_area: float, most_area: float) -> list[Outline]:
    """Find the outlines in a picture, the best drawn first.

    Args:
        square: (side, side) float32, the picture squashed to a square, its grey values from 0 to 1.
        least_support: of every side of an outline.
        least_area: of an outline.
        most_area: of an outline.
    """
    side = len(square)
    across, down = _slopes(square)
    columns, rows = _edges(across, down), _edges(down.T.copy(), across.T.copy())
    upright, level = _lines(columns, square), _lines(rows, square.T)
    upright_cover, level_cover = _cover(columns, upright), _cover(rows, level)
    # Where an upright line x = a + b y and a level one y = c + d x meet.
    a, b = upright[:, :1], (upright[:, 1:] - upright[:, :1]) / side
    c, d = level[:, 0], (level[:, 1] - level[:, 0]) / side
    meet_y = (c + d * a) / (1 - b * d)
    meet_x = a + b * meet_y
    is_inside = (np.minimum(meet_x, meet_y) > -3) & (np.maximum(meet_x, meet_y) < side + 2)
    # Of two upright lines whether they lie far enough apart on a level one, both inside; and the other way round.
    apart = meet_x[np.newaxis] - meet_x[:, np.newaxis] > _LEAST_WIDTH * side
    apart &= is_inside[np.newaxis] & is_inside[:, np.newaxis]
    below = meet_y[:, np.newaxis] - meet_y[:, :, np.newaxis] > _LEAST_HEIGHT * side
    fits = apart[:, :, :, np.newaxis] & apart[:, :, np.newaxis] & below[:, np.newaxis] & below[np.newaxis]
    left, right, top, bottom = np.nonzero(fits)
    x = np.stack([meet_x[left, top], meet_x[right, top], meet_x[right, bottom], meet_x[left, bottom]])
    y = np.stack([meet_y[left, top], meet_y[right, top], meet_y[right, bottom], meet_y[left, bottom]])
    area = np.abs((x * np.roll(y, -1, axis=0) - np.roll(x, -1, axis=0) * y).sum(axis=0)) / 2 / side**2
    wanted = (area >= least_area) & (area <= most_area)
    left, right, top, bottom, area = (each[wanted] for each in (left, right, top, bottom, area))
    x, y = x[:, wanted], y[:, wanted]
    support = np.stack(
        [
            _share(upright_cover, left, y[0], y[3]),
            _share(level_cover, top, x[0], x[1]),
            _share(upright_cover, right, y[1], y[2]),
            _share(level_cover, bottom, x[3], x[2]),
        ]
    )
    inner = (np.stack([left, top, right, bottom]) >= _PICTURE_EDGES).sum(axis=0)
    found = []
    for index in np.flatnonzero(support.min(axis=0) >= least_support):
        first, second, third, fourth = (
            (_within(x[k, index] / (side - 1)), _within(y[k, index] / (side - 1))) for k in range(4)
        )
        corners = (first, second, third, fourth)
        # A photograph may slant, but then the picture's edge is no edge of the film.
        if inner[index] == 4 or is_box(corners):
            of_left, of_top, of_right, of_bottom = (float(share) for share in support[:, index])
            sides = (of_left, of_top, of_right, of_bottom)
            found.append(Outline(corners, sides, int(inner[index]), float(area[index])))
    return sorted(found, key=lambda outline: -outline.rank)


@dataclass(frozen=True)
class Layout:
    """What the outlines in a picture say of it.

    Attributes:
        framing: how much it looks like a film with something around it, 0…1: the best support of all sides of an
            outline of less than `_FRAMED_AREA` of the picture, times the share of smooth pixels outside of it. Screens,
            pages, walls and the dark are smoother than a body.
        seam: how much of an upright line from edge to edge lies on an edge, 0…1: that of the best one that leaves
            `_LEAST_PART` of the picture on either side.
        apart: the boxes of its islands (see `islands`) that are as large as a film may be and smaller than the picture.
    """

    framing: float
    seam: float
    apart: tuple[Box, ...] = ()


def layout(square: np.ndarray) -> Layout:
    """Measure a picture's `network_input.film_square`."""
    drawn = quadrilaterals(square, 0.5, 0.05, 1 - _LEAST_PART)
    halves = [outline for outline in drawn if outline.inner == 1 and outline.area >= _LEAST_PART]
    seam = max((min(outline.support) for outline in halves if is_box(outline.corners)), default=0.0)
    smooth = _smoothness(square)
    frames = [outline for outline in drawn if outline.area < _FRAMED_AREA][:_FRAMES]
    framing = max((min(each.support) * _share_outside(smooth, each.corners) for each in frames), default=0.0)
    return Layout(framing, seam, tuple(bounds(island.corners) for island in islands(square, *_APART)))


def _smoothness(square: np.ndarray) -> np.ndarray:
    """Return where a picture has no fine detail, (side, side) bool."""
    detail = np.abs(square - cv2.GaussianBlur(square, (0, 0), 2.0))
    return cv2.GaussianBlur(detail, (0, 0), 1.0) < _SMOOTH


def _share_outside(mask: np.ndarray, corners: Corners) -> float:
    """Return which share of what lies outside of an outline, and not close to it, a mask holds."""
    points = np.rint(np.array(corners) * (len(mask) - 1)).astype(np.int32)
    inside = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), points, 1)
    outside = cv2.dilate(inside, np.ones((5, 5), np.uint8)) == 0
    return float(mask[outside].mean()) if outside.any() else 0.0


def _slopes(square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how the grey values change from column to column and from row to row."""
    smooth = cv2.GaussianBlur(square, (0, 0), 0.7)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) / 4 for order in ((1, 0), (0, 1)))
    return across, down


def _edges(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return where the grey values step from column to column, one pixel to either side included, (side, side) uint8.

    Args:
        along: the slope from column to column.
        across: the slope from row to row.
    """
    steps = np.abs(along)
    is_crest = steps >= cv2.dilate(steps, np.ones((1, 5), np.uint8)) - 1e-6
    crest = is_crest & (steps >= _STEP) & (np.abs(across) <= 0.75 * steps)
    return cv2.dilate(crest.astype(np.uint8), np.ones((1, 3), np.uint8))


def _seams(square: np.ndarray) -> list[int]:
    """Return the columns at which the grey values step more sharply than nearby, though by little, the sharpest first.

    Where two films touch, both are often dark: there is no edge, but no other column has all its steps in one place.
    """
    steps = np.minimum(np.abs(np.diff(square, axis=1)), 0.1).mean(axis=0)
    window = round(13 * len(square) / 224)
    nearby = cv2.blur(steps.reshape(1, -1), (window, 1))[0]
    sharpness = steps / (nearby + 1e-3)
    margin = round(_LEAST_PART * len(square))
    sharpness[:margin] = sharpness[-margin:] = 0
    return [int(column) + 1 for column in np.argsort(-sharpness)[:_SEAMS] if sharpness[column] >= _SHARP]


def _lines(edges: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Return upright lines, (lines, 2): their column in the first and in the last row; the picture's edges first."""
    side = len(edges)
    rows, columns = np.nonzero(edges)
    leans = np.linspace(-_LEAN * side, _LEAN * side, 2 * int(_LEAN * side / 3) + 1)
    middle = np.arange(side)
    # How far each row of each lean lies beside its middle; votes beyond the picture are cast on a margin.
    beside = np.rint(leans[:, np.newaxis] * ((middle + 0.5) / side - 0.5)).astype(int)
    margin = int(beside.max())
    width = side + 2 * margin
    starts = margin + width * np.arange(len(leans))[:, np.newaxis] - beside
    places = starts.take(rows, axis=1) + columns
    votes = np.bincount(places.ravel(), minlength=len(leans) * width).reshape(-1, width)[:, margin : margin + side]
    # The ends of every line, and those of the lines that were taken.
    first, last = middle - leans[:, np.newaxis] / 2, middle + leans[:, np.newaxis] / 2
    lines = [(0.0, 0.0), (side - 1.0, side - 1.0)]
    near = 4 * side / 224
    for column in _seams(square):
        lines.append((float(column), float(column)))
        votes[(np.abs(first - column) < near) & (np.abs(last - column) < near)] = 0
    for _ in range(_LINES):
        best = np.unravel_index(np.argmax(votes), votes.shape)
        if votes[best] < _LEAST_LINE * side:
            break
        line = float(first[best]), float(last[best])
        lines.append(line)
        votes[(np.abs(first - line[0]) < near) & (np.abs(last - line[1]) < near)] = 0
    return np.array(lines)


def _cover(edges: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return (lines, side + 1): how many rows up to each have an edge on the line; all have on the picture's edges."""
    side = len(edges)
    rows = np.arange(side)
    cover = np.zeros((len(lines), side + 1))
    for number, (first, last) in enumerate(lines):
        at = np.rint(first + (last - first) * (rows + 0.5) / side).astype(int)
        inside = (at >= 0) & (at < side)
        on_edge = inside & (edges[rows, at.clip(0, side - 1)] > 0) if number >= _PICTURE_EDGES else np.ones(side)
        cover[number, 1:] = np.cumsum(on_edge)
    return cover


def _share(cover: np.ndarray, lines: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    side = cover.shape[1] - 1
    start, end = (np.rint(each).clip(0, side).astype(int) for each in (start, end))
    return (cover[lines, end] - cover[lines, start]) / np.maximum(end - start, 1)


def _within(share: float) -> float:
    return min(max(round(float(share), 5), 0.0), 1.0)


def box_corners(box: Box) -> Corners:
    """Return the corners of a box."""
    left, top, right, bottom = box
    return (left, top), (right, top), (right, bottom), (left, bottom)


def bounds(corners: Corners) -> Box:
    """Return the box around a quadrilateral."""
    across, down = zip(*corners, strict=True)
    return min(across), min(down), max(across), max(down)


def is_box(corners: Corners) -> bool:
    """Return whether a quadrilateral is upright but for a hundredth of the picture, so that it can be cut out."""
    return all(
        abs(x - box_x) < 0.01 and abs(y - box_y) < 0.01
        for (x, y), (box_x, box_y) in zip(corners, box_corners(bounds(corners)), strict=True)
    )


def holds(box: Box, part: Box) -> bool:
    """Return whether a part of a picture lies in a box, give or take a hundredth of the picture."""
    return all(sign * (edge - of_box) >= -0.01 for edge, of_box, sign in zip(part, box, (1, 1, -1, -1), strict=True))


def drawn_in(corners: Corners, margin: float) -> Corners:
    """Return corners a margin farther inside, but for those on the edge of the picture.

    Args:
        corners: of an outline.
        margin: share of the picture's width and height.
    """
    middle_x, middle_y = (sum(each) / 4 for each in zip(*corners, strict=True))
    first, second, third, fourth = ((_toward(x, middle_x, margin), _toward(y, middle_y, margin)) for x, y in corners)
    return first, second, third, fourth


def _toward(place: float, middle: float, margin: float) -> float:
    if min(place, 1 - place) < margin:
        return round(place)
    return place + margin if place < middle else place - margin


def overlap(one: Corners, other: Corners) -> tuple[float, float]:
    """Return how much two convex quadrilaterals share: of their union, and of the smaller one, each 0…1."""
    first, second = (np.array(corners, np.float32) * 1000 for corners in (one, other))
    shared = cv2.intersectConvexConvex(first, second)[0]
    areas = cv2.contourArea(first), cv2.contourArea(second)
    return shared / max(sum(areas) - shared, 1e-6), shared / max(min(areas), 1e-6)


def distinct(outlines: list[Outline], most: int) -> list[Outline]:
    """Return the first of each group of outlines that are nearly the same, `most` at the most."""
    kept: list[Outline] = []
    for outline in outlines:
        if len(kept) == most:
            break
        if all(overlap(outline.corners, other.corners)[0] < _SAME for other in kept):
            kept.append(outline)
    return kept


def islands(pixels: np.ndarray, least_area: float, most_area: float) -> list[Outline]:
    """Return the boxes of what lies apart on a uniform ground, the largest first; none where there is no such ground.

    Args:
        pixels: (height, width) float32 in 0…1.
        least_area: of a box, as a share of the picture.
        most_area: of a box.
    """
    height, width = pixels.shape
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    grey = np.median(edge)
    if (np.abs(edge - grey) <= BORDER_TOLERANCE).mean() < _GROUND:
        return []
    lies_apart = (np.abs(pixels - grey) > BORDER_TOLERANCE).astype(np.uint8)
    opened = cv2.morphologyEx(lies_apart, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(opened)
    found = []
    for left, top, wide, high, _ in boxes[1:].tolist():
        area = wide * high / (width * height)
        if least_area <= area <= most_area:
            box = (left / width, top / height, (left + wide) / width, (top + high) / height)
            found.append(Outline(box_corners(box), _ISLAND, 4, area))
    return sorted(found, key=lambda outline: -outline.area)


def tightest_first(outlines: list[Outline]) -> list[Outline]:
    """Return outlines, the best drawn first, but each after those inside of it that are drawn nearly as well."""
    waiting = sorted(outlines, key=lambda outline: -outline.rank)
    ordered = []
    while waiting:
        best = waiting[0]
        inside = [
            other
            for other in waiting
            if other.score >= best.score - _AROUND and overlap(other.corners, best.corners)[1] > 0.95
        ]
        tightest = min(inside, key=lambda outline: outline.area)
        ordered.append(tightest)
        waiting.remove(tightest)
    return ordered


def cut_out(pixels: np.ndarray, corners: Corners) -> np.ndarray:
    """Cut a box out of a picture, or straighten a quadrilateral to a rectangle.

    Args:
        pixels: (height, width) float32.
        corners: of what is wanted.

    Returns:
        (height, width) float32, at least one pixel in size.
    """
    height, width = pixels.shape
    if is_box(corners):
        left, top, right, bottom = bounds(corners)
        columns, rows = _from_to(left, right, width), _from_to(top, bottom, height)
        return np.ascontiguousarray(pixels[rows, columns])
    points = np.array(corners, np.float32) * np.array([width - 1, height - 1], np.float32)
    lengths = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    wide, high = round(max(lengths[0], lengths[2])) + 1, round(max(lengths[1], lengths[3])) + 1
    target = np.array([[0, 0], [wide - 1, 0], [wide - 1, high - 1], [0, high - 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(points, target)
    return cv2.warpPerspective(pixels, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _from_to(start: float, end: float, length: int) -> slice:
    first = min(round(start * length), length - 1)
    return slice(first, max(round(end * length), first + 1))


def on_picture(part: Corners, corners: Corners) -> Corners:
    """Return the corners, on a picture, of a part of what `cut_out` makes of a quadrilateral of it.

    Args:
        part: on what was cut out.
        corners: of that on the picture.
    """
    square = np.array(box_corners(WHOLE), np.float32)
    matrix = cv2.getPerspectiveTransform(square, np.array(corners, np.float32))
    points = cv2.perspectiveTransform(np.array([part], np.float32), matrix)[0]
    found = [(_within(x), _within(y)) for x, y in points]
    return found[0], found[1], found[2], found[3]
