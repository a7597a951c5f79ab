"""Compare the models: every figure is computed here and now from the predictions that lie beside each model."""

from pathlib import Path

import streamlit as st

import pneumo
from pneumo import charts, leaderboard, model_facts, model_store, published
from pneumo.errors import ModelError
from pneumo.figures import FIGURES, SPLITS
from pneumo.leaderboard import Measurement
from pneumo.model_store import ModelCard


@st.cache_data(show_spinner="Measuring the models…", max_entries=100)
def measured(name: str, split: str, label: str, folder: Path, state: str, _card: ModelCard) -> Measurement:
    """Keep a measurement for as long as ``state``, the model, its thresholds and its predictions, is the same."""
    return leaderboard.measure(_card, split, label, folder)


@st.fragment
def one_model(cards: list[ModelCard], split: str, folder: Path) -> None:
    """Show what the model that the reader chooses answered on the split, and how it was trained."""
    titles = model_facts.labels(cards)
    by_name = {card.name: card for card in cards}
    name = st.selectbox("Model", list(by_name), format_func=lambda each: titles[each], key="model")
    card = by_name[name]
    if split in model_store.measured_splits(name, folder):
        try:
            st.dataframe(leaderboard.answers(card, split, folder), hide_index=True, key="answers")
            st.caption(f"The three answers that the Predict page would give on: {SPLITS[split].title.lower()}.")
        except ModelError as error:
            st.write(str(error))
    try:
        history = model_facts.read_curves(card, folder)
        facts = model_facts.card_facts(card)
    except ModelError as error:
        st.write(str(error))
        return
    if history["epoch"].nunique() < 2:
        st.caption("This model was not trained in epochs, so there are no curves.")
    else:
        for place, (key, title) in zip(st.columns(len(model_facts.CURVES)), model_facts.CURVES.items(), strict=True):
            plot = charts.training_plot(history[history["figure"] == key], title, card.training.get("epoch_kept"))
            place.altair_chart(plot, key=f"training_{key}")
        st.caption(
            "Where training improves and validation does not, the model learns its films by heart; the dashed "
            "upright line marks the epoch that was kept."
        )
    with st.expander("How this model was made", icon=":material/description:"):
        st.markdown("\n".join(f"- **{name}**: {text}" for name, text in facts.items()))


# The first visit to a fresh server may be a link to this page: Streamlit then runs it without streamlit_app.py, as a
# page of the old kind, until it meets st.navigation.
if "navigated" not in st.session_state:
    st.session_state.navigated = True
    st.navigation([st.Page(Path(__file__).with_name("predict.py"), default=True), st.Page(__file__)])
    st.rerun()

st.title("Leaderboard")
st.write("How well each model tells pneumonia from normal films, on films that it was not trained on.")
st.caption(pneumo.DISCLAIMER)

folder = model_store.models_folder()
catalogue = model_store.catalogue(folder)
for problem in catalogue.problems.values():
    st.caption(f":material/warning: {problem}")
splits = leaderboard.splits(catalogue.cards, folder)
if not catalogue.cards:
    st.write(
        "There is no model yet. Train one with `python -m pneumo train mobilenetv2 --data DIR`, "
        "where DIR is a data set in the Kaggle layout; it appears here when it is done."
    )
    st.stop()
if not splits:
    st.write("No model has been measured yet. Run `python -m pneumo evaluate NAME --data DIR`.")
    st.stop()

controls = st.container(horizontal=True, vertical_alignment="bottom")
split = controls.segmented_control(
    "Films",
    splits,
    default=splits[0],
    required=True,
    format_func=lambda each: SPLITS[each].title,
    key="split",
    bind="query-params",
)
figure = controls.selectbox(
    "Figure", list(FIGURES), format_func=lambda each: FIGURES[each].title, key="figure", bind="query-params", width=180
)

labels = model_facts.labels(catalogue.cards)
measurements: list[Measurement] = []
unmeasured: list[str] = []
for card in catalogue.cards:
    if split not in model_store.measured_splits(card.name, folder):
        unmeasured.append(labels[card.name])
        continue
    try:
        state = leaderboard.state(card, split, folder)
        measurements.append(measured(card.name, split, labels[card.name], folder, state, card))
    except ModelError as error:
        st.caption(f":material/warning: {error}")
about = SPLITS[split].description
if split == "test":
    about = f"{about} {model_facts.openings([each.card for each in measurements])}"
st.caption(about)
if unmeasured:
    st.caption(f"Not measured on these films: {', '.join(unmeasured)}.")
if not measurements:
    st.stop()

numbers = leaderboard.table(measurements, figure)
intervals = leaderboard.intervals(numbers, figure)
if intervals.empty:
    st.write(f"These films cannot tell the {FIGURES[figure].title}: they show one class only.")
else:
    st.altair_chart(
        charts.interval_plot(intervals, FIGURES[figure].title),
        key="intervals",
        alt=f"{FIGURES[figure].title} of each model with its 95 % interval; the table below has the same figures.",
    )
st.caption(f"{FIGURES[figure].title}: {FIGURES[figure].meaning}.")

st.subheader("All figures")
st.dataframe(
    leaderboard.readable(numbers),
    hide_index=True,
    column_config={"Model": st.column_config.TextColumn(pinned=True)},
    key="figures",
)
st.caption(
    f"On {leaderboard.extent(measurements)}. In brackets stands the 95 % interval: were the study repeated on other "
    "children, intervals drawn in this way would hold the true figure 95 times in 100. Shares of films (accuracy, "
    "sensitivity, specificity, precision) have Wilson's interval; the others a bootstrap that redraws whole patients, "
    "because films of one child resemble each other. Calls are made at each model's decision threshold."
)
st.download_button(
    "Download the figures (CSV)",
    numbers.to_csv(index=False),
    file_name=f"leaderboard_{split}.csv",
    mime="text/csv",
    icon=":material/download:",
    key="download",
    on_click="ignore",
)

st.subheader("Published results")
st.write("What others reported of such systems and of this data set: reference rows, marked *published*.")
st.dataframe(
    published.readable(published.load()),
    height="content",
    hide_index=True,
    column_config={"System": st.column_config.TextColumn(pinned=True)},
    key="published",
)
st.caption(published.HOW_TO_READ)

st.subheader("One model in detail")
one_model(catalogue.cards, split, folder)
