"""The pages in another language than English: nothing of what they say in English is left on them."""

import pytest
from toy import opened
from toy.english import english_left, shown

from pneumo.language import LANGUAGES

TITLES = {
    "leaderboard": "Classement",
    "compare": "Comparer",
    "clinic": "Dans votre établissement",
    "failures": "Erreurs",
    "own_data": "Vérifier vos données",
    "dataset": "Les données",
    "leaks": "Raccourcis dans les données",
    "gallery": "Galerie",
    "augmentation": "Augmentation",
    "model_card": "Fiche du modèle",
}
# What a page shows at first is not all that it shows.
VIEWS = [
    ("leaderboard", {"all": "true", "published": "true"}),
    ("leaderboard", {"split": "val_shifted"}),
    ("compare", {}),
    ("compare", {"section": "Reliability and risk", "split": "val"}),
    ("compare", {"section": "Scores"}),
    ("compare", {"section": "Calls", "thresholds": "One for all"}),
    ("compare", {"section": "Training"}),
    ("clinic", {}),
    ("clinic", {"curve": "Cost of a year", "share": "1", "miss_cost": "1", "alarm_cost": "500"}),
    ("clinic", {"curve": "Net benefit", "model": "middling"}),
    ("failures", {"model": "middling"}),
    ("failures", {"section": "Groups of films"}),
    ("failures", {"section": "Three answers"}),
    ("own_data", {}),
    ("dataset", {}),
    ("leaks", {"trait": "dark_sides"}),
    ("leaks", {"section": "Sizes and grey values"}),
    ("leaks", {"section": "From training to test"}),
    ("leaks", {"section": "Map of the films", "by": "kind"}),
    ("augmentation", {}),
    ("model_card", {}),
    ("gallery", {}),
    ("gallery", {"film": "normal_1.png"}),
]


@pytest.mark.parametrize(("page", "query"), VIEWS)
def test_no_english_is_left_on_a_page(page, query, models, no_data_set):
    # Each of the languages has some of the views: a page of many charts takes half a second.
    code = ("fr", "es", "zh")[VIEWS.index((page, query)) % 3]

    app = opened.page(page, lang=code, **query)

    assert not app.exception
    assert english_left(app, code) == []


def test_a_language_stays_from_page_to_page_and_is_in_the_address(models, no_data_set):
    app = opened.app()
    app.query_params["lang"] = "fr"

    for page, title in TITLES.items():
        app.switch_page(f"pages/{page}.py").run()
        app.query_params.clear()
        app.run()

        assert not app.exception
        assert app.title[0].value == title
        assert app.query_params["lang"] in ("fr", ["fr"])


def test_a_view_is_the_same_after_another_language_is_chosen(models):
    app = opened.page("compare", section="Calls", models=["poor", "good"], split="val")

    app.selectbox(key="shared.language_choice").select("zh").run()

    assert not app.exception
    assert app.multiselect(key="shared.models").value == ["poor", "good"]
    assert app.selectbox(key="shared.split").value == "val"
    assert app.query_params["section"] in ("Calls", ["Calls"])
    assert LANGUAGES["zh"].word("Validation") in "\n".join(shown(app))
