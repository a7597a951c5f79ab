"""What a model would mean at the reader's own clinic: predictive values, missed cases, false alarms, cost, benefit."""

import streamlit as st

import pneumo
from pages.parts.charts.clinic import cost_plot, decision_plot, predictive_plot
from pages.parts.models import measured_models
from pages.parts.shared import chart, sections, source
from pages.parts.shared.language import _, head, told, told_table
from pages.parts.shared.plain import plain
from pneumo.errors import ModelError
from pneumo.evaluation import clinic
from pneumo.evaluation.clinic import (
    LEAST_SHARE,
    MOST_SHARE,
    PRESETS,
    ClassScores,
    Clinic,
    Outcome,
    outcome,
    predictive_values,
)
from pneumo.evaluation.intervals import Estimate
from pneumo.labels import split_of
from pneumo.model_store import store
from pneumo.model_store.card import ModelCard
from pneumo.model_store.store import SELECTION_SPLIT
from pneumo.results import curves
from pneumo.sentences import say

# In pixels; both fit beside each other on a desktop, and one on a telephone, with two figures each.
POLICY_WIDTH, FIGURE_WIDTH = 355, 150
START = PRESETS["triage"].values


def set_out(values: dict[str, int]) -> None:
    """Move all sliders to a preset's values."""
    st.session_state.update(values)


def choose_clinic() -> Clinic:
    """Show the sliders; the address holds where they stand."""
    presets = st.container(horizontal=True)
    left, right = st.columns(2)
    values = {
        "share": left.slider(
            _("Children with pneumonia (%)"),
            LEAST_SHARE,
            MOST_SHARE,
            START["share"],
            key="share",
            bind="query-params",
        ),
        "films": left.slider(_("Films a year"), 100, 50_000, START["films"], 100, key="films", bind="query-params"),
        "read": left.slider(
            _("Films that a doctor reads anyway (%)"),
            0,
            100,
            START["read"],
            key="read",
            bind="query-params",
            help=_("Whatever the model says. There the doctor's word counts, and is taken to be right."),
        ),
        "miss_cost": right.slider(
            _("Cost of a missed pneumonia"),
            1,
            500,
            START["miss_cost"],
            key="miss_cost",
            bind="query-params",
            help=_("In any unit: money, days in hospital. Only its ratio to the other cost moves the best threshold."),
        ),
        "alarm_cost": right.slider(
            _("Cost of a false alarm, in the same unit"),
            1,
            500,
            START["alarm_cost"],
            key="alarm_cost",
            bind="query-params",
        ),
    }
    for name, preset in PRESETS.items():
        presets.button(
            told(preset.title),
            key=f"clinic.{name}",
            type="primary" if preset.values == values else "secondary",
            on_click=set_out,
            args=(preset.values,),
            help=told(preset.description),
        )
    descriptions = [preset.description for preset in PRESETS.values() if preset.values == values]
    st.caption(
        _(
            "{description} These values are an example and no measurement: move them to your clinic's.",
            description=descriptions[0],
        )
        if descriptions
        else _("Your own values. The address of this page holds them, so that it can be sent as a link.")
    )
    return Clinic.of(values)


def cheapest(card: ModelCard, place: Clinic) -> float | None:
    """Return the threshold with the lowest cost on validation films, or say why there is none."""
    try:
        return clinic.cheapest_threshold(curves.class_scores(card, SELECTION_SPLIT), place)
    except (ModelError, ValueError) as error:
        st.caption(
            _(
                "There is no cheapest threshold, as it is chosen on validation films: {error}",
                error=plain(told(str(error))),
            )
        )
        return None


def show_children(expected: Outcome, place: Clinic) -> None:
    """Show in large print how many children a year are missed and alarmed for, with the model and without it."""
    missed, _cost = clinic.without_model(place)
    policies = {
        say("With the model"): (expected.missed, expected.alarms),
        say("Without it"): (Estimate(missed, missed, missed), Estimate(0, 0, 0)),
    }
    with st.container(horizontal=True):
        for policy, (misses, alarms) in policies.items():
            with st.container(border=True, width=POLICY_WIDTH):
                st.markdown(f"**{told(policy)}**")
                with st.container(horizontal=True):
                    for title, shown in ((_("Missed a year"), misses), (_("False alarms a year"), alarms)):
                        with st.container(width=FIGURE_WIDTH):
                            st.metric(title, _("{number:,.0f}", number=shown.value))
                            if shown.low < shown.high:
                                st.caption(_("95 % interval {low:,.0f}–{high:,.0f}", low=shown.low, high=shown.high))
    st.caption(_("Without the model, films that no doctor reads anyway are read by nobody."))


def show_predictive(card: ModelCard, measured: ClassScores, place: Clinic) -> None:
    """Show how the predictive values hang on the share of pneumonia."""
    values = predictive_values(measured.confusion(card.as_thresholds().decision))
    chart.draw(predictive_plot(values, place.prevalence), key="clinic.predictive", alt=_("Predictive values."))
    st.caption(
        _(
            "The rarer pneumonia is, the more of the alarms are false (PPV falls) and the safer is "
            "an all-clear (NPV rises); the dashed upright line is your clinic."
        )
    )


def show_cost(card: ModelCard, measured: ClassScores, place: Clinic, best: float | None) -> None:
    """Show how the cost of a year hangs on the threshold."""
    costs = clinic.cost_curve(measured, place)
    plot = cost_plot(costs, card.as_thresholds().decision, best)
    chart.draw(plot, key="clinic.cost", alt=_("The cost of a year by threshold."))
    st.caption(
        _(
            "A low threshold costs false alarms, a high one missed pneumonias; the cheapest "
            "threshold was chosen on the shifted validation films, so on these films it need not "
            "stand at the very bottom."
        )
    )


def show_benefit(card: ModelCard, measured: ClassScores, place: Clinic) -> None:
    """Show what asking the model is worth against treating all children or none."""
    benefits = clinic.decision_curve(measured, place, card.as_calibration().prevalence)
    policies = [clinic.MODEL, clinic.ALL, clinic.NONE]
    plot = decision_plot(benefits, policies, place.balance)
    chart.draw(plot, key="clinic.benefit", alt=_("Decision curves."))
    st.caption(
        _(
            "Whoever treats a child from some probability of pneumonia (right) does best with the "
            "highest curve: where the model's lies above both others, it is worth asking. The dashed "
            "upright line is where your two costs balance; the model's probability is corrected to "
            "your share of pneumonia."
        )
    )


head(_("At your clinic"))
st.write(
    _("How many children a model would miss at your clinic, how many false alarms it would raise, and at what cost.")
)
st.caption(told(pneumo.DISCLAIMER))

cards = measured_models.measured_cards()
split = measured_models.choose_films(cards)
st.caption(
    _(
        "Measured on these films: {title}. {description}",
        title=split_of(split).title,
        description=split_of(split).description,
    )
)
card = measured_models.choose_model(measured_models.measured_on(cards, split))
measured_models.warn(card)

st.subheader(_("Your clinic"))
place = choose_clinic()

st.subheader(_("What to expect"))
try:
    measured = curves.class_scores(card, split, store.models_folder())
except ModelError as error:
    st.write(plain(told(str(error))))
    st.stop()
except ValueError:
    st.write(
        _("These films show one class only, so sensitivity and specificity are not both known. Choose other films.")
    )
    st.stop()
own = card.as_thresholds().decision
best = cheapest(card, place)
expected = outcome(measured.confusion(own), place)
results = {_("At the model's threshold, {threshold:.3f}", threshold=own): expected}
show_children(expected, place)
for harm in clinic.harms(measured.confusion(own), place):
    st.error(_("**Harm.** {harm}", harm=harm), icon=":material/dangerous:")
st.write(told(clinic.sentence(expected, place)))
if best is not None:
    results[_("Cheapest on validation films, {threshold:.3f}", threshold=best)] = chosen = outcome(
        measured.confusion(best), place
    )
st.table(told_table(clinic.readable(results)), border="horizontal")
if best is not None and chosen.cost.value > expected.cost.value:
    st.caption(_("The threshold that is cheapest on validation films is not the cheaper one on these films."))
st.caption(
    _(
        "In brackets the 95 % interval that the number of measured films allows. It does not "
        "tell how far your children, your machine and your doctors differ from those of the "
        "measurement, and that may well be more: compare the films of another hospital, above."
    )
)

st.subheader(_("Curves"))
sections.show(
    {
        say("Predictive values"): lambda: show_predictive(card, measured, place),
        say("Cost of a year"): lambda: show_cost(card, measured, place, best),
        say("Net benefit"): lambda: show_benefit(card, measured, place),
    },
    key="clinic.curve",
)
source.show("clinic")
