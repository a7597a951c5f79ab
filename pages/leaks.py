"""Show what tells the label of a film without its lungs, and how the test films differ from the training films."""

from pathlib import Path

import streamlit as st

from pages.parts.charts import dataset
from pages.parts.charts.shortcuts import baseline_plot, embedding_plot, shift_plot, trait_plot
from pages.parts.data import catalogue, data_folder
from pages.parts.data.catalogue import Catalogue
from pages.parts.data.own_films import progress_bar
from pages.parts.shared import address, chart_with_table, sections, source
from pages.parts.shared.language import _, head, told, warn_of
from pages.parts.shared.plain import plain
from pneumo.datasets import kaggle, samples, shortcuts
from pneumo.datasets import summary as data_summary
from pneumo.datasets.shortcuts import PARTS, Shortcuts
from pneumo.datasets.summary import SIZES, Summary
from pneumo.errors import DatasetError, ImageError, ModelError, PackageError
from pneumo.evaluation import metrics
from pneumo.evaluation.intervals import Estimate
from pneumo.labels import KINDS, OFFICIAL_SPLITS
from pneumo.model_store import store
from pneumo.results import leaderboard
from pneumo.sentences import say

# What the map of the films is coloured by.
COLOURS = {"split": say("Split"), "kind": say("Kind")}


@st.cache_data(show_spinner=False, max_entries=20)
def measured(name: str, folder: Path, state: str) -> Estimate:
    """Keep a model's AUROC on validation for as long as ``state``, the model and its predictions, is the same."""
    predictions = store.read_predictions(name, "val", folder)
    return metrics.evaluate_table(predictions, store.read_card(name, folder).as_thresholds().decision).auroc


def best_model() -> tuple[str, Estimate] | None:
    """Return the best model's title and AUROC on validation; None where there is none that was measured on it."""
    folder = store.models_folder()
    try:
        card = store.read_card(store.default_name(folder), folder)
        return card.title, measured(card.name, folder, leaderboard.state(card, "val", folder))
    except (ModelError, ValueError):
        return None


def measured_here(data: Catalogue | None) -> Shortcuts | None:
    """Return what was measured of a dataset in this session; None where it was not, or films came or went since."""
    place, leaks = st.session_state.get("leaks.of_folder", (None, None))
    return leaks if data and place == (data.root, catalogue.state(data.root)) else None


def measure(data: Catalogue) -> None:
    """Measure every film of a dataset, and keep the figures for this session."""
    bar, tell = progress_bar(_("Measuring the films…"))
    try:
        found = shortcuts.measure(data.root, progress=tell)
        st.session_state["leaks.of_folder"] = (data.root, catalogue.state(data.root)), found
    except (DatasetError, ImageError, PackageError, OSError, ValueError) as error:
        st.error(_("These films cannot be measured: {error}", error=plain(told(str(error)))), icon=":material/error:")
    bar.empty()


def choose(data: Catalogue | None) -> tuple[Shortcuts, bool]:
    """Return the figures to show, and whether they are of the folder that the reader named; ask before measuring."""
    shipped = None
    try:
        shipped = shortcuts.load(samples.FOLDER)
    except DatasetError as error:
        warn_of(error)
    if data is None:
        own = data_folder.invitation(_("Name a folder to measure your own."))
        st.caption(f"{_('The figures come with pneumo, computed from the whole dataset.')} {own}")
    elif shipped and shipped.fingerprint == kaggle.fingerprint(data.films):
        st.caption(
            _(
                "The figures come with pneumo, and were computed from the {films:,} films in this folder.",
                films=len(data.films),
            )
        )
    else:
        name, films = plain(data.root.name), len(data.films)
        if measured_here(data) is None and st.button(
            _("Measure the {films:,} films in {name}", films=films, name=name),
            icon=":material/straighten:",
            type="primary",
            key="leaks.measure",
        ):
            measure(data)
        if leaks := measured_here(data):
            st.caption(_("All figures are of the {films:,} films in {root}.", films=films, root=plain(data.root)))
            return leaks, True
        st.caption(_("Every film is read once: about a minute for 6,000 small ones, longer where they are large."))
        if shipped:
            st.caption(_("Until then the figures are those that come with pneumo, and not of this folder."))
    if shipped is None:
        st.stop()
    return shipped, False


def show_floors(leaks: Shortcuts, model: tuple[str, Estimate] | None) -> None:
    """Show what a regression without the lungs reaches, beside a model that sees the same films."""
    st.subheader(_("What any model must beat by far"))
    st.write(told(shortcuts.baselines_text(leaks)))
    floors = shortcuts.baselines(leaks, model)
    chart_with_table.show(
        baseline_plot(floors),
        floors,
        key="leaks.baselines",
        alt_text=_("AUROC of each set of traits with its 95 % interval."),
    )
    st.caption(told(shortcuts.measured_on(leaks)))
    st.caption(
        _(
            "An AUROC near 1 on this validation therefore does not prove that a model reads lungs. "
            "Films on which these traits are broken prove more: those cropped and exposed anew, "
            "those with the lungs hidden, those of another hospital; the Leaderboard has them."
        )
    )


def show_traits(leaks: Shortcuts) -> None:
    """Show the trait that the reader chooses, by class and part of the dataset."""
    titles = shortcuts.trait_titles(leaks)
    trait = address.choose_one(st.selectbox, _("Trait"), titles, key="leaks.trait", width=320)
    rows = shortcuts.trait_rows(leaks, trait)
    chart_with_table.show(
        trait_plot(rows, told(titles[trait])),
        rows,
        key="leaks.traits",
        alt_text=_("{trait} of each class and part.", trait=titles[trait]),
    )
    st.caption(
        _(
            "{trait}. The bar spans the middle half of the films, the mark is the mean.",
            trait=shortcuts.trait_text(leaks, trait),
        )
    )


def show_embedding(leaks: Shortcuts) -> None:
    """Show where the films of each part or kind lie among the others."""
    by = address.choose_one(st.segmented_control, _("Colour by"), COLOURS, required=True, key="leaks.by")
    column, groups = ("part", PARTS) if by == "split" else ("kind", tuple(KINDS.values()))
    chart_with_table.show(
        embedding_plot(leaks.points, column, groups),
        leaks.points,
        key="leaks.embedding",
        alt_text=_("Films as points on two principal components, coloured by split or kind."),
    )
    first, second = leaks.variance
    st.caption(
        _(
            "Each point is a film, made small and laid on the two directions in which the training "
            "films differ most ({first:.0f} % and {second:.0f} % of what differs). Click a name in "
            "the legend to see it alone; hold Ctrl and scroll to zoom. At most {films} films of each split and "
            "kind are drawn; no point tells its patient.",
            first=100 * first,
            second=100 * second,
            films=shortcuts.POINTS,
        )
    )


def show_sizes(summary: Summary | None) -> None:
    """Show how large and how bright the films of each class and split are."""
    if summary is None:
        return
    for place, (quantity, title) in zip(st.columns(len(SIZES)), SIZES.items(), strict=True):
        shares = data_summary.size_shares(summary.sizes, quantity)
        chart_with_table.show(
            dataset.size_histogram(shares, told(title)),
            shares,
            key=f"leaks.size_{quantity}",
            alt_text=_("{title} by class.", title=title),
            place=place,
        )
    st.caption(told(data_summary.size_leak(summary.size_quartiles, summary.sizes_from)))
    shares = data_summary.intensity_shares(summary.intensity)
    chart_with_table.show(
        dataset.intensity_lines(shares, list(OFFICIAL_SPLITS.values())),
        shares,
        key="leaks.intensity",
        alt_text=_("Grey values by class."),
    )
    st.caption(_("Where the lines of a class differ between splits, films were exposed or exported differently."))


def show_shifts(leaks: Shortcuts) -> None:
    """Show how the test films differ from the training films."""
    shifts = shortcuts.shift_rows(leaks)
    if not shifts.empty:
        chart_with_table.show(
            shift_plot(shifts),
            shifts,
            key="leaks.shifts",
            alt_text=_("How far each trait of the test films lies from the training films."),
        )
    st.caption(
        _(
            "{shift} A model that learned a trait by heart fails where the trait moves, and a "
            "random validation split does not see it. The test films are described here; nothing was "
            "fitted to them.",
            shift=shortcuts.shift_text(leaks),
        )
    )


head(_("Shortcuts in the data"))
st.write(
    _(
        "A model can be right for the wrong reason. Here is what tells the label of a film "
        "without its lungs, and how the test films differ from those that models learn from."
    )
)
data = data_folder.ask()
leaks, own = choose(data)
# The model's validation films are those of the shipped figures: beside other films its AUROC would compare nothing.
show_floors(leaks, None if own else best_model())

summary = data_folder.figures(data) if own else data_folder.shipped()
sections.show(
    {
        say("Traits by class"): lambda: show_traits(leaks),
        say("Sizes and grey values"): lambda: show_sizes(summary),
        say("From training to test"): lambda: show_shifts(leaks),
        say("Map of the films"): lambda: show_embedding(leaks),
    },
    key="leaks.section",
)
source.show("leaks")
