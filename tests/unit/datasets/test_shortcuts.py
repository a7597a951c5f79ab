import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toy import synthetic
from typer.testing import CliRunner

from pneumo.cli import app
from pneumo.datasets import kaggle, shortcuts
from pneumo.datasets.samples import FOLDER
from pneumo.datasets.shortcuts import (
    BASELINES,
    FRAMING,
    INDEX,
    PARTS,
    SIDE,
    TEST,
    TRAIN,
    TRAITS,
    VALIDATION,
    Shortcuts,
    load,
    measure,
    write,
)
from pneumo.errors import DatasetError, ImageError
from pneumo.evaluation.intervals import Estimate
from pneumo.model_store import store
from pneumo.preprocessing.network_input import SQUARE
from pneumo.results import leaderboard


def body(grey=0.5):
    return np.full((SQUARE, SQUARE), grey, np.float32)


def test_brightness_and_contrast_are_those_of_the_grey_values():
    half = body(0.2)
    half[: SQUARE // 2] = 0.8

    traits = shortcuts.of_square(half)

    assert traits["brightness"] == pytest.approx(0.5)
    assert traits["contrast"] == pytest.approx(0.3)


def test_dark_borders_are_counted_at_the_sides_and_at_the_ends():
    left = body()
    left[:, :20] = 0

    traits = shortcuts.of_square(left)

    assert traits["dark_sides"] == pytest.approx(0.5)
    assert traits["dark_ends"] == pytest.approx(20 / SQUARE)
    assert shortcuts.of_square(body())["dark_sides"] == 0


def letter(row, column, grey=1.0):
    square = np.full((SQUARE, SQUARE), 76, np.uint8)
    cv2.putText(square, "R", (column, row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, round(255 * grey), 1)
    return square / np.float32(255)


def test_letters_are_found_in_the_corners_and_beside_the_child():
    assert shortcuts.marks(letter(20, 10)) == (1, 0)
    assert shortcuts.marks(letter(20, SQUARE - 20)) == (1, 0)
    assert shortcuts.marks(letter(100, 6)) == (0, 1)


def test_what_is_no_letter_is_not_counted():
    assert shortcuts.marks(body()) == (0, 0)
    assert shortcuts.marks(letter(100, 110)) == (0, 0)
    assert shortcuts.marks(letter(100, 6, grey=0.4)) == (0, 0)
    bone = body(0.3)
    bone[90:150, 2:10] = 1.0
    assert shortcuts.marks(bone) == (0, 0)


@pytest.fixture
def masks(toy_data, tmp_path):
    synthetic.write_lung_masks(toy_data, tmp_path)
    path = tmp_path / "labels.csv"
    table = pd.read_csv(path).assign(orig_width=1200, orig_height=800)
    table[table["kermany_file"] != "IM-0115-0001.jpeg"].to_csv(path, index=False)
    return tmp_path


def test_sizes_and_framing_come_with_the_masks(toy_data, masks):
    table = kaggle.scan(toy_data).iloc[10:40]
    told = []

    traits, small = shortcuts.image_properties(table, toy_data, masks, lambda *now: told.append(now))

    assert list(traits) == list(TRAITS)
    assert list(traits.index) == list(table.index)
    assert small.shape == (30, SIDE * SIDE)
    known = traits[traits["width"].notna()]
    assert set(known["width"]) == {1200}
    assert set(known["aspect_ratio"]) == {1.5}
    # The drawn lungs reach from 0.15 to 0.85 of the width and from 0.17 to 0.83 of the height.
    assert known["lung_width"].to_numpy() == pytest.approx(0.7, abs=0.02)
    assert known["lung_height"].to_numpy() == pytest.approx(0.66, abs=0.02)
    assert table.loc[traits["width"].isna(), "file"].to_list() == ["train/NORMAL/IM-0115-0001.jpeg"]
    assert told == [(0, 30), (25, 30), (30, 30)]


def test_without_masks_the_files_own_sizes_are_taken(toy_data):
    traits, _ = shortcuts.image_properties(kaggle.scan(toy_data).head(2), toy_data)

    assert traits[["width", "height"]].to_numpy().tolist() == [[synthetic.WIDTH, synthetic.HEIGHT]] * 2
    assert traits[list(FRAMING)].isna().all(axis=None)


def test_an_empty_or_missing_mask_leaves_the_framing_out(toy_data, masks):
    files = kaggle.scan(toy_data).query("file.str.contains('IM-0116|IM-0117')")
    cv2.imwrite(str(masks / "masks224" / "IM-0116-0001.png"), np.zeros((224, 224), np.uint8))
    (masks / "masks224" / "IM-0117-0001.png").unlink()

    traits, _ = shortcuts.image_properties(files[files["file"].str.endswith("-0001.jpeg")].head(2), toy_data, masks)

    assert traits[list(FRAMING)].isna().all(axis=None)
    assert set(traits["height"]) == {800}


def test_a_table_of_another_kind_is_refused(toy_data, tmp_path):
    (tmp_path / "labels.csv").write_text("a,b\n1,2\n")

    with pytest.raises(DatasetError, match="no table of lung masks"):
        shortcuts.image_properties(kaggle.scan(toy_data).head(1), toy_data, tmp_path)


def test_a_damaged_film_is_named(tmp_path):
    (tmp_path / "a.jpeg").write_bytes(b"no picture")

    with pytest.raises(ImageError, match=r"a\.jpeg"):
        shortcuts.image_properties(pd.DataFrame({"file": ["a.jpeg"]}), tmp_path)


SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="module")
def measured(toy_data):
    return measure(toy_data)


def films(part, labels, trait):
    rows = [
        (part, label, f"{part}{number}", value) for number, (label, value) in enumerate(zip(labels, trait, strict=True))
    ]
    return pd.DataFrame(rows, columns=["part", "label", "patient", "width"])


def test_the_baseline_is_the_auroc_on_validation_of_what_was_fitted_on_training():
    rng = np.random.default_rng(0)
    train = films(TRAIN, ["NORMAL", "PNEUMONIA"] * 50, np.tile([1.0, 2.0], 50) + rng.normal(0, 0.3, 100))
    labels = ["NORMAL", "PNEUMONIA"] * 20
    values = np.tile([1.0, 1.5], 20) + rng.normal(0, 0.5, 40)
    # Test films that say the opposite must not matter.
    test = films(TEST, ["NORMAL", "PNEUMONIA"] * 50, np.tile([9.0, 0.0], 50))

    row = shortcuts.baseline(pd.concat([train, films(VALIDATION, labels, values), test]), ["width"])

    expected = roc_auc_score([label == "PNEUMONIA" for label in labels], values)
    assert row["value"] == pytest.approx(expected, abs=1e-4)
    assert row["low"] < row["value"] < row["high"]
    assert (row["train_films"], row["films"], row["patients"]) == (100, 40, 40)


def test_what_the_toy_films_give_away_is_found(measured, toy_data):
    baselines = measured.baselines.set_index("traits")

    # Drawn films with pneumonia have a white patch, and all are of one size.
    assert baselines.loc["Brightness", "value"] > 0.9
    assert baselines.loc["Size", "value"] == 0.5
    assert list(baselines.index) == [name for name in BASELINES if name != "Framing of the lungs"]
    parts = kaggle.development_split(kaggle.scan(toy_data))
    assert set(baselines["train_films"]) == {len(parts.train)}
    assert set(baselines["films"]) == {len(parts.validation)}
    assert measured.left_out == 0


def test_traits_are_described_by_part_and_class(measured):
    rows = measured.traits.query("trait == 'width'").set_index(["part", "label"])

    assert len(rows) == 6
    assert set(rows["median"]) == {200}
    assert rows["films"].sum() == len(measured.points)


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


def test_points_tell_no_film_and_no_patient(measured):
    assert list(measured.points) == ["part", "kind", "x", "y"]
    assert not measured.points["part"].is_monotonic_increasing
    assert not measured.points["part"].is_monotonic_decreasing


def test_what_is_written_is_what_is_loaded(measured, tmp_path):
    loaded = load(write(measured, tmp_path).parent)

    for name in ("baselines", "traits", "shifts", "points"):
        pd.testing.assert_frame_equal(getattr(loaded, name), getattr(measured, name), check_dtype=False)
    assert (loaded.variance, loaded.left_out, loaded.fingerprint) == (measured.variance, 0, measured.fingerprint)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"tables": {}}'])
def test_a_damaged_file_is_refused_with_the_remedy(tmp_path, content):
    (tmp_path / INDEX).write_text(content)

    with pytest.raises(DatasetError, match="data leaks"):
        load(tmp_path)


def test_the_command_measures_and_writes(measured, toy_data, tmp_path, monkeypatch):
    monkeypatch.setattr(shortcuts, "measure", lambda data, masks, progress: measured)

    result = CliRunner().invoke(app.app, ["data", "leaks", "--data", str(toy_data), "--out", str(tmp_path)])

    assert result.exit_code == 0
    assert "Size and brightness" in result.stdout
    assert load(tmp_path).fingerprint == kaggle.fingerprint(kaggle.scan(toy_data))


def test_the_shipped_figures_are_of_the_official_films_and_name_none():
    shipped = load(FOLDER)
    text = (FOLDER / INDEX).read_text()

    assert list(shipped.baselines["traits"]) == list(BASELINES)
    assert shipped.traits.query("trait == 'width'")["films"].sum() + shipped.left_out == 5856
    assert "person" not in text
    assert "IM-" not in text
    assert json.loads(text)["fingerprint"] == shipped.fingerprint
    assert (FOLDER / INDEX).stat().st_size < 200_000


def test_the_models_beat_what_size_and_brightness_reach():
    baseline = load(FOLDER).baselines.set_index("traits").loc["Size and brightness"]
    card = store.read_card(store.default_name(store.SHIPPED), store.SHIPPED)

    best = leaderboard.measure(card, "val", folder=store.SHIPPED).metrics

    assert best.auroc.low > baseline["high"]
    assert best.films == baseline["films"]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_the_shipped_figures_have_the_fingerprint_of_the_official_films():
    assert load(FOLDER).fingerprint == kaggle.fingerprint(kaggle.scan(SHARED / "chest_xray"))


@pytest.fixture(scope="module")
def drawn() -> Shortcuts:
    baselines = [("Size", 0.9, 0.88, 0.92, 100, 20, 15), ("Size and brightness", 0.925, 0.904, 0.944, 100, 20, 15)]
    shifts = [("NORMAL", "width", 0.5), ("PNEUMONIA", "width", -0.2), ("NORMAL", "lung_height", -1.7)]
    traits = [
        (part, label, "width", 9, 10.0, 1.0, 9.0, 10.0, 11.0)
        for part in sorted(PARTS)
        for label in ("PNEUMONIA", "NORMAL")
    ]
    return Shortcuts(
        baselines=pd.DataFrame(
            baselines, columns=["traits", "value", "low", "high", "train_films", "films", "patients"]
        ),
        traits=pd.DataFrame(traits, columns=["part", "label", "trait", "films", "mean", "sd", "q1", "median", "q3"]),
        shifts=pd.DataFrame(shifts, columns=["label", "trait", "shift"]),
        points=pd.DataFrame({"part": ["Test", "Training"], "kind": ["Normal", "Normal"], "x": [0, 1], "y": [1, 0]}),
        variance=[0.2, 0.1],
        left_out=5,
        fingerprint="",
    )


def test_baselines_carry_their_interval_and_what_they_see(drawn):
    table = shortcuts.baselines(drawn)

    assert table["text"].to_list() == ["0.900 (0.880–0.920)", "0.925 (0.904–0.944)"]
    assert table["sees"].to_list() == ["Width (pixels)", "Width (pixels)"]
    assert shortcuts.baseline_text(drawn) == "0.925 (0.904–0.944)"
    with pytest.raises(KeyError):
        shortcuts.baseline_text(drawn, "Taste")


def test_a_model_stands_below_the_baselines(drawn):
    last = shortcuts.baselines(drawn, ("Toy model", Estimate(0.99, 0.98, 1.0))).iloc[-1]

    assert (last["name"], last["value"], last["text"]) == ("Toy model", 0.99, "0.990 (0.980–1.000)")


def test_the_films_behind_the_baselines_are_told(drawn):
    text = shortcuts.measured_on(drawn)

    assert "100 training films" in text
    assert "20 validation films of 15 other patients" in text
    assert "5 films whose original size" in text


def test_films_without_masks_are_told_by_their_files_alone(drawn):
    assert (
        shortcuts.trait_text(drawn, "width")
        == "Width (pixels): of the file in this folder, which may have been resized"
    )
    assert shortcuts.trait_text(drawn, "contrast").startswith("Contrast: the standard deviation")
    masked = replace(drawn, traits=drawn.traits.assign(trait="lung_width"))
    assert shortcuts.trait_text(masked, "width") == "Width (pixels): of the original film"
    all_known = drawn.baselines.assign(traits=["Size and brightness", "All of these"])
    assert "With borders and letters as well" in shortcuts.baselines_text(replace(drawn, baselines=all_known))
    assert "the framing of the lungs as well" in shortcuts.baselines_text(replace(masked, baselines=all_known))


def test_films_that_are_all_known_need_no_sentence_on_those_left_out(drawn):
    assert "left out" not in shortcuts.measured_on(replace(drawn, left_out=0))


def test_without_test_films_nothing_has_moved(drawn):
    nothing = replace(drawn, shifts=drawn.shifts.head(0))

    assert shortcuts.shift_rows(nothing).empty
    assert shortcuts.shift_text(nothing).startswith("There are no test films")


def test_a_trait_is_read_by_part_and_class_in_order(drawn):
    rows = shortcuts.trait_rows(drawn, "width")

    assert rows["part"].drop_duplicates().to_list() == list(PARTS)
    assert rows["class"].to_list() == ["Normal", "Pneumonia"] * 3
    assert shortcuts.trait_titles(drawn) == {"width": "Width (pixels)"}


def test_the_furthest_shift_stands_first_and_is_told(drawn):
    rows = shortcuts.shift_rows(drawn)

    assert rows.to_dict("list") == {
        "trait": ["Height of the lungs", "Width (pixels)", "Width (pixels)"],
        "class": ["Normal", "Normal", "Pneumonia"],
        "shift": [-1.7, 0.5, -0.2],
    }
    assert shortcuts.shift_text(drawn) == (
        "Height of the lungs moved furthest: on normal test films it lies 1.70 standard deviations below the training "
        "films of the same class."
    )


def test_the_shipped_figures_can_be_told():
    shipped = load(FOLDER)

    assert shortcuts.shift_text(shipped).startswith("Height of the lungs moved furthest: on normal test films")
