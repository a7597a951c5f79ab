"""Where a model fails: its mistakes, the surest first, and the groups of films in which it makes most of them."""

from pathlib import Path

import pandas as pd
import streamlit as st

import pneumo
from pages.parts.charts import style
from pages.parts.data import catalogue, data_folder, film_tiles
from pages.parts.models import measured_models
from pages.parts.shared import address, chart, chart_with_table, sections, source, spreadsheet
from pages.parts.shared.language import _, head, told, told_table, warn_of, word
from pages.parts.shared.plain import plain
from pneumo.errors import DatasetError, ImageError, ModelError
from pneumo.inference import pathogen
from pneumo.labels import FALSE_ALARM, MISSED, in_groups, split_of
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.results import failures, leaderboard, markdown_tables, three_classes
from pneumo.sentences import say, say_list

# In pixels; three charts fit beside each other on a desktop, one on a telephone.
SMALL = 340
MATRIX = 480
# In pixels; six films fit beside each other on a desktop, two on a telephone.
PICTURE_WIDTH = 165
FILMS_SHOWN = 12
ERRORS = {"all": say("All"), "missed": say("Missed pneumonias"), "alarms": say("False alarms")}
CALLS = {"missed": MISSED, "alarms": FALSE_ALARM}


@st.cache_data(show_spinner=False, max_entries=20)
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


def unbroken(cell: object) -> object:
    """Keep an interval on one line: the columns of a telephone are narrow."""
    return markdown_tables.unbroken(cell) if isinstance(cell, str) else cell


def show_three_classes(card: ModelCard, split: str) -> None:
    """Show how well the model and the network for pathogens tell normal, bacterial and viral films apart."""
    known = [split_of(each).title for each in in_groups(store.measured_splits(pathogen.NAME))]
    if split_of(split).title not in known:
        instead = (
            _("choose one of these at the top: {films}", films=say_list(known))
            if known
            else _("train it with `python -m pneumo train pathogen`")
        )
        st.caption(
            _(
                "The network that tells bacterial from viral was not measured on these films; {instead}.",
                instead=instead,
            )
        )
        return
    try:
        called = three_classes.calls(card, split)
    except ModelError as error:
        warn_of(error)
        return
    if called.empty:
        st.caption(_("No name of these films tells a cause."))
        return
    st.write(told(three_classes.sentence(called)))
    cells = three_classes.cells(called)
    with st.container(width=MATRIX):
        chart_with_table.show(
            style.confusion_plot(cells, _("Films by label and call")),
            cells,
            key="failures.three_classes",
            alt_text=_(
                "Films labelled normal, bacterial and viral, by what they are called; the table has the figures."
            ),
        )
    st.table(told_table(three_classes.readable(called)).map(unbroken), border="horizontal", hide_index=True)
    st.caption(
        _(
            "Shares of the films with each label, with Wilson's 95 % interval. The model calls "
            "pneumonia at its decision threshold; a second network then tells bacterial from viral. "
            "The label is the file's name, without a laboratory result: a research figure that no "
            "treatment may rest on."
        )
    )


def show_mistakes(card: ModelCard, split: str, films: pd.DataFrame, root: Path | None) -> None:
    """Show the films that the model calls wrong, the surest first."""
    mistakes = failures.errors(films)
    counts = mistakes["call"].value_counts()
    st.write(
        _(
            "{mistakes:,} of {films:,} films are called wrong at the threshold {decision:.3f}: "
            "{missed:,} missed pneumonias and {alarms:,} false alarms.",
            mistakes=len(mistakes),
            films=len(films),
            decision=card.as_thresholds().decision,
            missed=counts.get(MISSED, 0),
            alarms=counts.get(FALSE_ALARM, 0),
        )
    )
    if films["others"].max() > 0:
        st.caption(
            _(
                "{films:,} of them are called wrong by every model that saw these films.",
                films=failures.by_everyone(films),
            )
        )
    chosen = address.choose_one(st.segmented_control, _("Show"), ERRORS, required=True, key="failures.errors")
    mistakes = failures.errors(films, CALLS.get(chosen))
    if mistakes.empty:
        st.write(_("There is no such mistake."))
        return
    if root is not None:
        show_films(mistakes, root, card)
        st.caption(_("Click on a film to open it in Predict. Films are shown as they lie in the dataset."))
    shown = failures.readable(mistakes)
    st.dataframe(
        told_table(shown),
        hide_index=True,
        column_config={
            _("Probability"): st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1),
        },
        key="failures.mistakes",
    )
    st.caption(
        _(
            "The surest mistakes come first. *Also wrong* counts the other models that call the same "
            "film wrong: where all do, the film is hard or its label is."
        )
    )
    st.download_button(
        _("Download the mistakes (CSV)"),
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
    row = chart.Row("failures.charts_groups", SMALL)
    for grouping, group in rates.groupby("grouping", sort=False):
        chart.draw(style.rate_plot(group, word(str(grouping))), row.place(), key=f"failures.rates_{grouping}")
    st.dataframe(told_table(failures.readable_rates(rates)), hide_index=True, key="failures.rates")
    st.caption(
        _(
            "With Wilson's 95 % interval. Groups differ in more than their name: the bright films "
            "may hold more normal ones, and on those a model is wrong in another way."
        )
    )
    if facts is None:
        name_it = data_folder.invitation(_("Name the folder of the dataset above."))
        st.caption(f"{_('Size and brightness need the films.')} {name_it}")
    elif failures.BY_SIZE not in set(rates["grouping"]):
        st.caption(_("All these films have one size, so they are not grouped by it."))


def show_answers(card: ModelCard, split: str) -> None:
    """Show what the Predict page would answer."""
    st.table(told_table(leaderboard.answers(card, split)), border="horizontal", hide_index=True)
    st.caption(_("What the Predict page would answer: it says “cannot say” where the model is not sure enough."))


head(_("Mistakes"))
st.write(_("Which films a model calls wrong, how sure it was, and in which groups of films it is wrong most often."))
st.caption(told(pneumo.DISCLAIMER))

cards = measured_models.measured_cards()
split = measured_models.choose_films(cards)
st.caption(told(split_of(split).description))
available = measured_models.measured_on(cards, split)
card = measured_models.choose_model(available)
try:
    films = failures.calls(card, split, available)
except ModelError as error:
    st.write(plain(told(str(error))))
    st.stop()
root = data_folder.locate(say("Dataset folder, to see the films"))
facts = None
if root is not None:
    try:
        state = leaderboard.state(card, split)
        with st.spinner(_("Reading the films once…")):
            facts = film_facts(root, catalogue.state(root), split, state, films)
    except (DatasetError, ImageError) as error:
        warn_of(error)

sections.show(
    {
        say("Mistakes"): lambda: show_mistakes(card, split, films, root if facts is not None else None),
        say("Groups of films"): lambda: show_groups(films, facts),
        say("Normal, bacterial or viral"): lambda: show_three_classes(card, split),
        say("Three answers"): lambda: show_answers(card, split),
    },
    key="failures.section",
)
source.show("failures")
