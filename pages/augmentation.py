"""See what training does to a film: the random views that a model learns from, with every range as a slider."""

from pathlib import Path

import numpy as np
import streamlit as st

from pages.parts.data import called_now, data_folder, lungs_on_request
from pages.parts.models import measured_models
from pages.parts.shared import address, source
from pages.parts.shared.language import _, head, told, warn_of
from pages.parts.shared.plain import plain
from pneumo import radiograph
from pneumo.errors import ImageError, ModelError
from pneumo.explanation import drawing
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.preprocessing import augmentation, crops
from pneumo.preprocessing.augmentation import RANGES, Augmentation
from pneumo.preprocessing.network_input import model_input
from pneumo.results import model_facts

VIEWS = 12
# In pixels; six fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165


@st.cache_data(show_spinner=False, max_entries=50)
def training_square(path: Path, changed: int) -> np.ndarray:
    """Keep a film as training sees it until its file changes."""
    return augmentation.training_square(radiograph.read(path).pixels)


def recipes() -> dict[str, tuple[ModelCard, Augmentation]]:
    """Return the models whose cards tell how their films were augmented, by name, the best first."""
    found = {}
    for card in store.catalogue().cards:
        try:
            if recipe := model_facts.augmentation(card):
                found[card.name] = card, recipe
        except ModelError as error:
            warn_of(error)
    return found


def start_from(recipe: dict[str, float]) -> None:
    """Set every slider to what a model was trained with."""
    for name, value in recipe.items():
        st.session_state[name] = value


def show_views(path: Path, card: ModelCard, recipe: Augmentation) -> None:
    """Show the sliders and what they make of a film."""
    start = augmentation.on_sliders(recipe)
    settings, shown = st.columns([1, 3])
    with settings:
        chosen = {
            name: st.slider(
                told(limits.title),
                limits.low,
                limits.high,
                start[name],
                0.01,
                key=name,
                help=told(limits.meaning),
                bind="query-params",
            )
            for name, limits in RANGES.items()
        }
        seed = st.number_input(_("Seed"), 0, 999_999, 0, key="seed", bind="query-params", help=_("One seed, one draw."))
        st.button(
            _("Back to the recipe"),
            icon=":material/undo:",
            key="augmentation.reset",
            on_click=start_from,
            args=(start,),
        )
    with shown:
        square = training_square(path, path.stat().st_mtime_ns)
        sees_lungs = list(card.input["views"]) == [crops.LUNGS]
        is_cut = sees_lungs and st.toggle(
            _("Cut the film to its lungs first, as this model does"),
            key="augmentation.cut",
            help=_("Takes a few seconds at first."),
        )
        if is_cut:
            mask = lungs_on_request.lungs(path)
            square = augmentation.training_square(radiograph.read(path).pixels, mask.box if mask else None)
        size = card.input["size"]
        drawn = Augmentation(**chosen)
        pictures = augmentation.draws(square, size, drawn, VIEWS, int(seed))
        seen = [model_input(square, size)[..., 0], *pictures]
        # Of a film that is not cut, a model that sees the lungs alone says nothing that it would say in use.
        said = probabilities(card, np.stack(seen)[..., np.newaxis]) if is_cut == sees_lungs else None
        names = [_("As it is predicted"), *(_("Draw {number}", number=number) for number in range(1, VIEWS + 1))]
        with st.container(horizontal=True):
            for place, (picture, name) in enumerate(zip(seen, names, strict=True)):
                show_picture(picture, name if said is None else f"{name}: {said[place]:.3f}")
        if said is not None:
            st.caption(
                _(
                    "Below each picture stands the probability of pneumonia that the model gives it: over the draws "
                    "from {lowest:.3f} to {highest:.3f}. It calls pneumonia from {threshold:.3f} on.",
                    lowest=said[1:].min(),
                    highest=said[1:].max(),
                    threshold=card.as_thresholds().decision,
                )
            )
        changed = augmentation.differences(drawn, recipe)
        st.caption(
            _("{size} × {size} pixels, as the network sees them, drawn by the code that training uses.", size=size)
        )
        st.caption(
            _("Changed from the recipe: {changed}.", changed=changed)
            if changed
            else _("These are the ranges of {title}.", title=plain(card.title))
        )


def probabilities(card: ModelCard, pictures: np.ndarray) -> np.ndarray | None:
    """Return what the model gives each picture; None, with a sentence, where it cannot be loaded."""
    try:
        return called_now.load(card.name).probabilities(pictures)
    except ModelError as error:
        warn_of(error)
        return None


def show_picture(picture: np.ndarray, caption: str) -> None:
    """Show a view of a film."""
    st.image(
        drawing.data_url(drawing.film_picture(picture)),
        caption,
        width=PICTURE_WIDTH,
        alt=caption,
    )


head(_("Augmentation"))
st.write(
    _(
        "In training a model never sees the same picture twice: each film is cropped, stretched "
        "and exposed at random, so that framing and exposure, which differ between hospitals, "
        "tell it nothing."
    )
)
data = data_folder.ask() or data_folder.composites()
models = recipes()
if not models:
    st.write(_("No model here tells how its films were augmented. Train one with `python -m pneumo train`."))
    st.stop()
if data is None:
    st.stop()
films = data.films.loc[data.films["split"] != "test", "file"].to_list()
if not films:
    st.write(_("This dataset has test films only, and training never sees those. Name a folder with training films."))
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    film = st.selectbox(_("Film"), films, key="film", bind="query-params", width=380)
    titles = measured_models.titles(card for card, _recipe in models.values())
    name = address.choose_one(st.selectbox, _("Model"), titles, key="shared.model", width=380)
card, recipe = models[name]
# Another model brings its own ranges; the sliders would keep those of the one before.
if st.session_state.get("augmentation.recipe_of", name) != name:
    start_from(augmentation.on_sliders(recipe))
st.session_state["augmentation.recipe_of"] = name
try:
    show_views(data.root / film, card, recipe)
except (ImageError, OSError) as error:
    st.write(plain(told(str(error))))
source.show("augmentation")
