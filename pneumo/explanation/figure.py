"""A film and its heat map as a figure, for a notebook or a paper."""

import io

from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pneumo import DISCLAIMER
from pneumo.explanation import drawing
from pneumo.explanation.explainer import MAPS, OPACITY, explain
from pneumo.inference.reading import Reading

# Lets the film be seen through its hottest place.
SHADE = 0.6


class HeatMapFigure(Figure):
    """A figure that a notebook shows, whether or not pyplot was imported there."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def heat_map_figure(reading: Reading, method: str | None = None) -> HeatMapFigure:
    """Draw a film beside the same film under its heat map, with the scale of the heat.

    Args:
        reading: of a film that was assessed.
        method: key of `explainer.MAPS`, such as ``"gradcam"``; the first of `explainer.maps_of` where None.

    Returns:
        A matplotlib figure, 10 inches wide, with axes in pixels of the film; heat is 0…1, 1 at the hottest place.

    Raises:
        ExplanationError: if the model has no feature maps, or there is no network of opacities.
        ValueError: if the film was not assessed, or there is no such method.
    """
    heat = explain(reading, method)
    assert reading.radiograph is not None
    pixels = reading.radiograph.pixels
    height, width = pixels.shape
    # Each picture is some four inches wide; title, axis labels and the last line take an inch and a half.
    figure = HeatMapFigure(figsize=(10, 4 * min(height / width, 3) + 1.5), layout="constrained")
    # A dollar sign in the name of a file begins no formula.
    figure.suptitle(f"{reading.name}: {reading}", parse_math=False)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, picture, title in (
        (left, drawing.film_picture(pixels), "Film"),
        (right, drawing.overlay(pixels, heat.values, SHADE), MAPS[heat.method]),
    ):
        axes.imshow(picture)
        axes.set(title=title, xlabel="Column (pixels)", ylabel="Row (pixels)")
    colours = ListedColormap(drawing.colour_table() / 255)
    hot = "Heat (1 at the hottest place on this film)"
    label = "Probability that a place is opaque" if heat.method == OPACITY else hot
    figure.colorbar(ScalarMappable(cmap=colours), ax=right, label=label)
    figure.supxlabel(DISCLAIMER, fontsize="small")
    return figure
