import pytest
from toy import opened

from pneumo.model_store import store


def on(page, session=None, **query):
    """Open a page by a link; in a session where one is given."""
    session = session or opened.app()
    session.switch_page(f"pages/{page}.py")
    session.query_params.clear()
    return opened.visit(session, **query)


@pytest.mark.parametrize(
    ("named", "split"),
    [(["poor", "good"], "val"), (["POOR", "GOOD"], "Validation"), (["poor", "GOOD"], "Validation")],
)
def test_models_and_films_are_known_by_name_or_title_and_written_by_name(named, split):
    app = on("compare", models=named, split=split)

    assert not app.exception
    assert app.multiselect(key="shared.models").value == ["poor", "good"]
    assert app.selectbox(key="shared.split").value == "val"
    assert app.query_params["models"] == ["poor", "good"]
    assert app.query_params["split"] == "val"


@pytest.mark.parametrize(
    ("page", "model"),
    [("clinic", "middling"), ("clinic", "MIDDLING"), ("failures", "MIDDLING"), ("model_card", "middling")],
)
def test_one_model_is_known_by_name_or_title(page, model):
    app = on(page, model=model)

    assert not app.exception
    assert app.selectbox(key="shared.model").value == "middling"
    assert app.query_params["model"] == "middling"


def test_what_the_address_does_not_know_is_left_out_of_it():
    app = on("compare", models=["nobody"], split="tset", section="Nothing")

    assert not app.exception
    assert app.multiselect(key="shared.models").value == ["good", "middling"]
    assert dict(app.query_params) == {}


def test_a_choice_goes_into_the_address_and_the_default_out_of_it():
    app = on("clinic")

    app.selectbox(key="shared.model").set_value("middling").run()
    assert app.query_params["model"] == "middling"
    app.selectbox(key="shared.model").set_value("good").run()

    assert "model" not in app.query_params


def test_a_model_goes_with_the_reader_from_page_to_page_and_a_link_wins():
    app = on("clinic", model="middling")

    assert on("failures", app).selectbox(key="shared.model").value == "middling"
    assert on("model_card", app, model="poor").selectbox(key="shared.model").value == "poor"


def test_the_sections_and_films_of_one_page_are_not_those_of_another(toy_data, monkeypatch):
    monkeypatch.setenv("PNEUMO_DATA", str(toy_data))
    app = on("failures", section="Groups of films", split="Validation", model="MIDDLING")

    compared = on("compare", app)
    assert not compared.exception
    assert len(compared.get("vega_lite_chart")) == 2
    gallery = on("gallery", app)

    assert not gallery.exception
    assert gallery.segmented_control(key="gallery.split").value == "All"
    assert gallery.selectbox(key="gallery.model").value == ""
    assert on("failures", app).query_params["section"] == "Groups of films"


@pytest.fixture(autouse=True)
def measured(models, shipped):
    assert [card.name for card in store.catalogue(models).cards] == ["good", "middling", "poor"]
