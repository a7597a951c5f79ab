import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from pneumo.cli import app
from pneumo.datasets import kaggle, shortcuts
from pneumo.datasets.samples import FOLDER
from pneumo.datasets.shortcuts import FLOORS, INDEX, TEST, TRAIN, VALIDATION, load, measure, write
from pneumo.errors import DatasetError
from pneumo.model_store import store
from pneumo.results import leaderboard

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def leaks(toy_data):
    return measure(toy_data)


def films(part, labels, trait):
    rows = [
        (part, label, f"{part}{number}", value) for number, (label, value) in enumerate(zip(labels, trait, strict=True))
    ]
    return pd.DataFrame(rows, columns=["part", "label", "patient", "width"])


def test_the_floor_is_the_auroc_on_validation_of_what_was_fitted_on_training():
    rng = np.random.default_rng(0)
    train = films(TRAIN, ["NORMAL", "PNEUMONIA"] * 50, np.tile([1.0, 2.0], 50) + rng.normal(0, 0.3, 100))
    labels = ["NORMAL", "PNEUMONIA"] * 20
    values = np.tile([1.0, 1.5], 20) + rng.normal(0, 0.5, 40)
    # Test films that say the opposite must not matter.
    test = films(TEST, ["NORMAL", "PNEUMONIA"] * 50, np.tile([9.0, 0.0], 50))

    row = shortcuts.floor(pd.concat([train, films(VALIDATION, labels, values), test]), ["width"])

    expected = roc_auc_score([label == "PNEUMONIA" for label in labels], values)
    assert row["value"] == pytest.approx(expected, abs=1e-4)
    assert row["low"] < row["value"] < row["high"]
    assert (row["train_films"], row["films"], row["patients"]) == (100, 40, 40)


def test_what_the_toy_films_give_away_is_found(leaks, toy_data):
    floors = leaks.floors.set_index("traits")

    # Drawn films with pneumonia have a white patch, and all are of one size.
    assert floors.loc["Brightness", "value"] > 0.9
    assert floors.loc["Size", "value"] == 0.5
    assert list(floors.index) == [name for name in FLOORS if name != "Framing of the lungs"]
    parts = kaggle.development_split(kaggle.scan(toy_data))
    assert set(floors["train_films"]) == {len(parts.train)}
    assert set(floors["films"]) == {len(parts.validation)}
    assert leaks.left_out == 0


def test_traits_are_described_by_part_and_class(leaks):
    rows = leaks.traits.query("trait == 'width'").set_index(["part", "label"])

    assert len(rows) == 6
    assert set(rows["median"]) == {200}
    assert rows["films"].sum() == len(leaks.points)


def test_shifts_are_in_standard_deviations_of_the_training_films():
    rows = [
        (TRAIN, "NORMAL", "width", 10.0, 2.0),
        (TEST, "NORMAL", "width", 7.0, 9.0),
        (TRAIN, "NORMAL", "marks", 1, 0),
    ]
    rows.append((TEST, "NORMAL", "marks", 2.0, 1.0))
    table = pd.DataFrame(rows, columns=["part", "label", "trait", "mean", "sd"])

    assert shortcuts.shifts(table).to_dict("records") == [{"label": "NORMAL", "trait": "width", "shift": -1.5}]


def test_principal_components_are_those_of_the_films_they_are_fitted_on():
    rng = np.random.default_rng(1)
    along = rng.normal(0, 1, (200, 2)) * [5.0, 2.0]
    small = np.zeros((200, 4), np.float32)
    small[:, 1], small[:, 3] = along[:, 0], along[:, 1]
    fitted = np.arange(200) < 150

    places, shares = shortcuts.principal_components(small, fitted)

    assert places[fitted].std(axis=0, ddof=1) == pytest.approx([1, 1])
    assert abs(np.corrcoef(places[:, 0], along[:, 0])[0, 1]) > 0.99
    assert shares[0] > 0.75
    assert sum(shares) == pytest.approx(1)


def test_points_tell_no_film_and_no_patient(leaks):
    assert list(leaks.points) == ["part", "kind", "x", "y"]
    assert not leaks.points["part"].is_monotonic_increasing
    assert not leaks.points["part"].is_monotonic_decreasing


def test_what_is_written_is_what_is_loaded(leaks, tmp_path):
    loaded = load(write(leaks, tmp_path).parent)

    for name in ("floors", "traits", "shifts", "points"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(leaks, name), check_dtype=False)
    assert (loaded.variance, loaded.left_out, loaded.fingerprint) == (leaks.variance, 0, leaks.fingerprint)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"tables": {}}'])
def test_a_damaged_file_is_refused_with_the_remedy(tmp_path, content):
    (tmp_path / INDEX).write_text(content)

    with pytest.raises(DatasetError, match="data leaks"):
        load(tmp_path)


def test_the_command_measures_and_writes(toy_data, tmp_path):
    result = CliRunner().invoke(app.app, ["data", "leaks", "--data", str(toy_data), "--out", str(tmp_path)])

    assert result.exit_code == 0
    assert "Size and brightness" in result.stdout
    assert load(tmp_path).fingerprint == kaggle.fingerprint(kaggle.scan(toy_data))


def test_the_shipped_figures_are_of_the_official_films_and_name_none():
    shipped = load(FOLDER)
    text = (FOLDER / INDEX).read_text()

    assert list(shipped.floors["traits"]) == list(FLOORS)
    assert shipped.traits.query("trait == 'width'")["films"].sum() + shipped.left_out == 5856
    assert "person" not in text
    assert "IM-" not in text
    assert json.loads(text)["fingerprint"] == shipped.fingerprint
    assert (FOLDER / INDEX).stat().st_size < 200_000


def test_the_models_beat_what_size_and_brightness_reach():
    floor = load(FOLDER).floors.set_index("traits").loc["Size and brightness"]
    card = store.read_card(store.default_name(store.SHIPPED), store.SHIPPED)

    best = leaderboard.measure(card, "val", folder=store.SHIPPED).metrics

    assert best.auroc.low > floor["high"]
    assert best.films == floor["films"]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_shipped_figures_have_the_fingerprint_of_the_official_films():
    assert load(FOLDER).fingerprint == kaggle.fingerprint(kaggle.scan(SHARED / "chest_xray"))
