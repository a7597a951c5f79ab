"""Where a model fails: its mistakes, the surest first, and the groups of films in which it makes most of them."""

from pathlib import Path

import pandas as pd
import streamlit as st

import pneumo
from pages.parts.charts import style
from pages.parts.data import catalogue, data_folder, film_tiles
from pages.parts.models import measured_models
from pages.parts.shared import chart, chart_with_table, sections, source, spreadsheet
from pages.parts.shared.language import _
from pages.parts.shared.plain import plain
from pneumo.errors import DatasetError, ImageError, ModelError
from pneumo.inference import pathogen
from pneumo.labels import FALSE_ALARM, MISSED, in_groups, split_of
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import failures, leaderboard, three_classes

# In pixels; three charts fit beside each other on a desktop, one on a telephone.
SMALL = 340
MATRIX = 480
# In pixels; six films fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
FILMS_SHOWN = 12
ERRORS = {"All": None, f"{MISSED}s": MISSED, f"{FALSE_ALARM}s": FALSE_ALARM}


@st.cache_data(show_spinner="Reading the films once…", max_entries=20)
def film_facts(root: Path, state: str, split: str, predictions: str, _films: pd.DataFrame) -> pd.DataFrame:
    """Keep what was read of the films until films or predictions change, which changes their states."""
    return failures.film_facts(_films, root)


def show_films(mistakes: pd.DataFrame, root: Path, card: ModelCard) -> None:
    """Show the films of the surest mistakes."""
    film_tiles.style()
    with st.container(horizontal=True):
        for row in mistakes.head(FILMS_SHOWN).to_dict("records"):
            with st.container(width=film_tiles.PICTURE_WIDTH, gap="xsmall"):
                path = root / row["file"]
                film_tiles.show(path, row["file"], call=row["call"], probability=row["probability"], model=card.name)
                st.caption(plain(path.stem))


def show_three_classes(card: ModelCard, split: str) -> None:
    """Show how well the model and the network for pathogens tell normal, bacterial and viral films apart."""
    known = [split_of(each).title for each in in_groups(store.measured_splits(pathogen.NAME))]
    if split_of(split).title not in known:
        chosen = (
            f"choose {' or '.join(known)} at the top" if known else "train it with `python -m pneumo train pathogen`"
        )
        st.caption(f"The network that tells bacterial from viral was not measured on these films; {chosen}.")
        return
    try:
        called = three_classes.calls(card, split)
    except ModelError as error:
        st.caption(f":material/warning: {plain(error)}")
        return
    if called.empty:
        st.caption("No name of these films tells a cause.")
        return
    st.write(three_classes.sentence(called))
    cells = three_classes.cells(called)
    with st.container(width=MATRIX):
        chart_with_table.show(
            style.confusion_plot(cells, "Films by label and call"),
            cells,
            key="failures.three_classes",
            alt_text="Films labelled normal, bacterial and viral, by what they are called; the table has the figures.",
        )
    st.table(three_classes.readable(called), border="horizontal", hide_index=True)
    st.caption(
        "Shares of the films with each label, with Wilson's 95 % interval. The model calls pneumonia at its decision "
        "threshold; a second network then tells bacterial from viral. The label is the file's name, without a "
        "laboratory result: a research figure that no treatment may rest on."
    )


def show_mistakes(card: ModelCard, split: str, films: pd.DataFrame, root: Path | None) -> None:
    """Show the films that the model calls wrong, the surest first."""
    mistakes = failures.errors(films)
    counts = mistakes["call"].value_counts()
    st.write(
        f"{len(mistakes):,} of {len(films):,} films are called wrong at the threshold "
        f"{card.as_thresholds().decision:.3f}: {counts.get(MISSED, 0):,} missed pneumonias and "
        f"{counts.get(FALSE_ALARM, 0):,} false alarms."
    )
    if films["others"].max() > 0:
        st.caption(f"{failures.by_everyone(films):,} of them are called wrong by every model that saw these films.")
    chosen = st.segmented_control("Show", list(ERRORS), default="All", required=True, key="errors", bind="query-params")
    mistakes = failures.errors(films, ERRORS[chosen])
    if mistakes.empty:
        st.write("There is no such mistake.")
        return
    if root is not None:
        show_films(mistakes, root, card)
        st.caption(_("Click on a film to open it in Predict. Films are shown as they lie in the dataset."))
    shown = failures.readable(mistakes)
    st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "Probability": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
        },
        key="failures.mistakes",
    )
    st.caption(
        "The surest mistakes come first. *Also wrong* counts the other models that call the same film wrong: where "
        "all do, the film is hard or its label is."
    )
    st.download_button(
        "Download the mistakes (CSV)",
        spreadsheet.as_csv(shown),
        file_name=f"mistakes_{card.name}_{split}.csv",
        mime="text/csv",
        icon=":material/download:",
        key="failures.download",
        on_click="ignore",
    )


def show_groups(films: pd.DataFrame, facts: pd.DataFrame | None) -> None:
    """Show in which groups of films the model is wrong most often."""
    rates = failures.rates(films, facts)
    with st.container(horizontal=True):
        for grouping, group in rates.groupby("grouping", sort=False):
            chart.draw(style.rate_plot(group, str(grouping)), width=SMALL, key=f"failures.rates_{grouping}")
    st.dataframe(failures.readable_rates(rates), hide_index=True, key="failures.rates")
    st.caption(
        "With Wilson's 95 % interval. Groups differ in more than their name: the bright films may hold more normal "
        "ones, and on those a model is wrong in another way."
    )
    if facts is None:
        name_it = data_folder.invitation(": name the folder of the dataset above")
        st.caption(f"Size and brightness need the films{name_it}.")
    elif failures.BY_SIZE not in set(rates["grouping"]):
        st.caption("All these films have one size, so they are not grouped by it.")


def show_answers(card: ModelCard, split: str) -> None:
    """Show what the Predict page would answer."""
    st.table(leaderboard.answers(card, split), border="horizontal", hide_index=True)
    st.caption("What the Predict page would answer: it says “cannot say” where the model is not sure enough.")


st.title("Mistakes")
st.write("Which films a model calls wrong, how sure it was, and in which groups of films it is wrong most often.")
st.caption(pneumo.DISCLAIMER)

cards = measured_models.measured_cards()
split = measured_models.choose_films(cards)
st.caption(split_of(split).description)
available = measured_models.measured_on(cards, split)
card = measured_models.choose_model(available)
try:
    films = failures.calls(card, split, available)
except ModelError as error:
    st.write(plain(error))
    st.stop()
root = data_folder.locate("Dataset folder, to see the films")
facts = None
if root is not None:
    try:
        state = leaderboard.state(card, split)
        facts = film_facts(root, catalogue.state(root), split, state, films)
    except (DatasetError, ImageError) as error:
        st.caption(f":material/warning: {plain(error)}")

sections.show(
    {
        "Mistakes": lambda: show_mistakes(card, split, films, root if facts is not None else None),
        "Groups of films": lambda: show_groups(films, facts),
        "Normal, bacterial or viral": lambda: show_three_classes(card, split),
        "Three answers": lambda: show_answers(card, split),
    },
    key="failures.section",
)
source.show("failures")
