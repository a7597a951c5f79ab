"""The leaderboard: every figure is computed here and now from the predictions that lie beside each model."""

import streamlit as st

import pneumo
from pages.parts.charts import leaderboard_table
from pages.parts.charts.published import rebuilt_plot
from pages.parts.models import measured_models
from pages.parts.shared import address, chart_with_table, public, source, spreadsheet
from pages.parts.shared.language import _, head, told, warn_of
from pages.parts.shared.plain import plain
from pneumo.errors import PneumoError
from pneumo.labels import EXTERNAL_SPLIT, split_of
from pneumo.results import leaderboard, model_facts, published
from pneumo.results.leaderboard import Latency, Measurement

FEWEST, MOST = 2, 5
OFFICIAL = "test"


def latencies() -> dict[str, Latency]:
    """Return what was measured in this session, by the SHA-256 of the model's file."""
    return st.session_state.setdefault("leaderboard.latencies", {})


def measure_latency(measurements: list[Measurement]) -> None:
    """Load each model and time it."""
    from pneumo.results import latency

    bar = st.progress(0.0, _("Loading the model …"))
    for place, each in enumerate(measurements):
        bar.progress(place / len(measurements), _("Timing {model}…", model=plain(each.label)))
        try:
            latencies()[each.card.sha256] = latency.measure(each.card.name)
        except PneumoError as error:
            warn_of(error)
    bar.empty()


def show_rebuilt(measured: list[Measurement]) -> None:
    """Show published systems beside the models that stand for them, and say where those are not higher."""
    figures = published.rebuilt(published.load(), measured)
    if figures.empty:
        return
    st.subheader(_("Published and rebuilt"))
    for sentence in published.rebuilt_text(figures):
        st.write(plain(told(sentence)))
    every = measured[0].metrics.confusion.prevalence
    chart_with_table.show(
        rebuilt_plot(figures, every),
        figures,
        key="leaderboard.rebuilt",
        alt_text=_("Accuracy of each published system beside the rebuilt one; the table has the figures."),
    )
    st.caption(
        _(
            "A bar is the 95 % interval of a rebuilt model. Hollow: measured on validation films, or "
            "on films that the source does not name. The dashed line, {every:.1f} %, is what calling "
            "every film pneumonia gets.",
            every=100 * every,
        )
    )


head(_("Leaderboard"))
cards = measured_models.measured_cards()
labels = model_facts.labels(cards)
measured_models.recommend(cards)
st.caption(told(pneumo.DISCLAIMER))

st.subheader(_("All models"))
split = measured_models.choose_films(cards)
measurements = measured_models.measure(measured_models.measured_on(cards, split), split, labels)
kind = split_of(split)
about = told(kind.description)
if split == OFFICIAL:
    about = f"{about} {told(model_facts.openings([each.card for each in measurements]))}"
st.caption(about)
if not measurements:
    st.stop()

known = leaderboard.columns(split)
# A choice of columns for one kind of test is none for the other.
suffix = "" if kind.higher_is_better else "_to_lose"
titles = {key: column.title for key, column in known.items()}
controls = st.columns([3, 1], vertical_alignment="bottom")
chosen = address.choose_many(
    controls[0].multiselect,
    _("Models"),
    {each.card.name: labels[each.card.name] for each in measurements},
    key="shared.models",
    placeholder=_("All of them"),
)
order = address.choose_one(controls[1].selectbox, _("Sort by"), titles, key=f"leaderboard.sort{suffix}")
actions = st.container(horizontal=True, vertical_alignment="center")
everything = actions.toggle(_("All figures"), key="all", bind="query-params")
with_published = split == OFFICIAL and actions.toggle(
    _("Show what others published"), key="published", bind="query-params"
)
with actions.popover(_("Search and columns"), icon=":material/view_column:"):
    search = st.text_input(
        _("Search"), key="search", placeholder=_("Name or source"), max_chars=100, bind="query-params"
    )
    picked = address.choose_many(
        st.multiselect, _("Columns"), titles, leaderboard.shown_first(split), key=f"leaderboard.columns{suffix}"
    )
columns = {key: column for key, column in known.items() if everything or key in picked}

external = [card for card in cards if EXTERNAL_SPLIT in leaderboard.splits([card])]
shown = [each for each in measurements if not chosen or each.card.name in chosen]
if not public.is_public() and actions.button(
    _("Measure speed here"),
    icon=":material/timer:",
    key="leaderboard.latency",
    help=_("Loads each model shown and times it on a sample film; takes some seconds a model."),
):
    measure_latency(shown)

table = leaderboard.rows(
    shown,
    measured_models.measure(external, EXTERNAL_SPLIT, labels),
    latencies(),
    published.load() if with_published else [],
    measured_models.calls_elsewhere([each.card for each in shown]),
)
table = leaderboard.in_order(
    leaderboard.matching(table, search or ""), order, higher_is_better=known[order].higher_is_better
)
with actions:
    st.download_button(
        _("Download (CSV)"),
        spreadsheet.as_csv(table),
        file_name=f"leaderboard_{split}.csv",
        mime="text/csv",
        icon=":material/download:",
        key="leaderboard.download",
        on_click="ignore",
    )
if FEWEST <= len(chosen) <= MOST:
    actions.page_link(
        "pages/compare.py",
        label=_("Compare these"),
        icon=":material/compare_arrows:",
        query_params={"models": chosen, "split": split},
    )
else:
    st.caption(_("Choose {fewest} to {most} models above to compare them.", fewest=FEWEST, most=MOST))
if not kind.higher_is_better:
    st.markdown(
        _("**A test to lose: lower is better.** A model that reads the lungs alone has an AUROC of 0.5 here, chance.")
    )
if table.empty:
    st.write(_("No row holds this text. Clear the search."))
else:
    st.html(leaderboard_table.table(table, columns, cards[0].name))
st.caption(_("Sorted by {title}: {meaning}.", title=known[order].title, meaning=known[order].meaning))
st.caption(
    "\n".join(_("- **{title}**: {meaning}.", title=each.title, meaning=each.meaning) for each in columns.values())
)
st.caption(
    _(
        "On {extent}. Under a figure stands its 95 % interval, and the bar draws it, from the "
        "lowest to the highest limit of the column: were the study repeated on other children, "
        "intervals drawn in this way would hold the true figure 95 times in 100. Shares of films "
        "(accuracy, sensitivity, specificity, precision) have Wilson's interval; the others a "
        "bootstrap that redraws whole patients, because films of one child resemble each other. "
        "Calls are made at each model's decision threshold.",
        extent=leaderboard.extent(measurements),
    )
)
if with_published:
    st.caption(_("Rows marked *published*: {how}", how=published.HOW_TO_READ))
if split == OFFICIAL:
    show_rebuilt(measurements)
source.show("leaderboard")
