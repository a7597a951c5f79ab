import pytest
from toy.opened import app, text, visit

SPLIT = "hospital_shenzhen"


@pytest.mark.parametrize("name", ["leaderboard", "compare", "clinic", "failures", "model_card"])
def test_the_films_of_another_hospital_are_films_like_any_other(models, write_model, name):
    for model in ("good", "middling"):
        write_model(models, model, splits=(SPLIT, f"{SPLIT}_normal"), noise=3.0)
    opened = app()
    opened.switch_page(f"pages/{name}.py")

    visit(opened, split=SPLIT)

    assert not opened.exception
    if name == "model_card":
        assert "Shenzhen, read by a person" in text(opened)
    else:
        assert opened.segmented_control(key="shared.films").value == "Other hospitals"
        assert list(opened.selectbox(key="shared.split").options) == [
            "Shenzhen, read by a person",
            "Shenzhen, opacity or normal",
        ]
