from dataclasses import replace

import pandas as pd
import pytest

from pages.parts.charts.shortcuts import baseline_plot, embedding_plot, shift_plot, trait_plot
from pneumo.datasets import shortcut_tables
from pneumo.datasets.samples import FOLDER
from pneumo.datasets.shortcuts import PARTS, Leaks, load
from pneumo.evaluation.intervals import Estimate


@pytest.fixture(scope="module")
def leaks() -> Leaks:
    floors = [("Size", 0.9, 0.88, 0.92, 100, 20, 15), ("Size and brightness", 0.925, 0.904, 0.944, 100, 20, 15)]
    shifts = [("NORMAL", "width", 0.5), ("PNEUMONIA", "width", -0.2), ("NORMAL", "lung_height", -1.7)]
    traits = [
        (part, label, "width", 9, 10.0, 1.0, 9.0, 10.0, 11.0)
        for part in sorted(PARTS)
        for label in ("PNEUMONIA", "NORMAL")
    ]
    return Leaks(
        floors=pd.DataFrame(floors, columns=["traits", "value", "low", "high", "train_films", "films", "patients"]),
        traits=pd.DataFrame(traits, columns=["part", "label", "trait", "films", "mean", "sd", "q1", "median", "q3"]),
        shifts=pd.DataFrame(shifts, columns=["label", "trait", "shift"]),
        points=pd.DataFrame({"part": ["Test", "Training"], "kind": ["Normal", "Normal"], "x": [0, 1], "y": [1, 0]}),
        variance=[0.2, 0.1],
        left_out=5,
        fingerprint="",
    )


def test_floors_carry_their_interval_and_what_they_see(leaks):
    table = shortcut_tables.floors(leaks)

    assert table["text"].to_list() == ["0.900 (0.880–0.920)", "0.925 (0.904–0.944)"]
    assert table["sees"].to_list() == ["width (pixels)", "width (pixels)"]
    assert shortcut_tables.floor_text(leaks) == "0.925 (0.904–0.944)"
    with pytest.raises(KeyError):
        shortcut_tables.floor_text(leaks, "Taste")


def test_a_model_stands_below_the_floors(leaks):
    last = shortcut_tables.floors(leaks, ("Toy model", Estimate(0.99, 0.98, 1.0))).iloc[-1]

    assert (last["name"], last["value"], last["text"]) == ("Toy model", 0.99, "0.990 (0.980–1.000)")


def test_the_films_behind_the_floors_are_told(leaks):
    text = shortcut_tables.measured_on(leaks)

    assert "100 training films" in text
    assert "20 validation films of 15 other patients" in text
    assert "5 films whose original size" in text


def test_films_without_masks_are_told_by_their_files_alone(leaks):
    assert (
        shortcut_tables.trait_text(leaks, "width")
        == "Width (pixels): of the file in this folder, which may have been resized"
    )
    assert shortcut_tables.trait_text(leaks, "contrast").startswith("Contrast: the standard deviation")
    masked = replace(leaks, traits=leaks.traits.assign(trait="lung_width"))
    assert shortcut_tables.trait_text(masked, "width") == "Width (pixels): of the original film"
    all_known = leaks.floors.assign(traits=["Size and brightness", "All of these"])
    assert "With borders and letters as well" in shortcut_tables.floors_text(replace(leaks, floors=all_known))
    assert "the framing of the lungs as well" in shortcut_tables.floors_text(replace(masked, floors=all_known))


def test_films_that_are_all_known_need_no_sentence_on_those_left_out(leaks):
    assert "left out" not in shortcut_tables.measured_on(replace(leaks, left_out=0))


def test_without_test_films_nothing_has_moved(leaks):
    nothing = replace(leaks, shifts=leaks.shifts.head(0))

    assert shortcut_tables.shift_rows(nothing).empty
    assert shortcut_tables.shift_text(nothing).startswith("There are no test films")


def test_a_trait_is_read_by_part_and_class_in_order(leaks):
    rows = shortcut_tables.trait_rows(leaks, "width")

    assert rows["part"].drop_duplicates().to_list() == list(PARTS)
    assert rows["class"].to_list() == ["Normal", "Pneumonia"] * 3
    assert shortcut_tables.traits(leaks) == {"width": "Width (pixels)"}


def test_the_furthest_shift_stands_first_and_is_told(leaks):
    rows = shortcut_tables.shift_rows(leaks)

    assert rows.to_dict("list") == {
        "trait": ["Height of the lungs", "Width (pixels)", "Width (pixels)"],
        "class": ["Normal", "Normal", "Pneumonia"],
        "shift": [-1.7, 0.5, -0.2],
    }
    assert shortcut_tables.shift_text(leaks) == (
        "Height of the lungs moved furthest: on normal test films it lies 1.70 standard deviations below the training "
        "films of the same class."
    )


def test_charts_draw_the_figures_they_are_given(leaks):
    floors, rows = shortcut_tables.floors(leaks), shortcut_tables.trait_rows(leaks, "width")

    assert next(iter(baseline_plot(floors).to_dict()["datasets"].values())) == floors.to_dict("records")
    assert next(iter(trait_plot(rows, "Width").to_dict()["datasets"].values())) == rows.to_dict("records")
    drawn = shift_plot(shortcut_tables.shift_rows(leaks)).to_dict()["datasets"].values()
    assert sorted(len(each) for each in drawn) == [1, 3]


@pytest.mark.parametrize("by", ["part", "kind"])
def test_the_embedding_can_be_read_by_shape_and_colour(leaks, by):
    groups = list(dict.fromkeys(leaks.points[by]))

    encoding = embedding_plot(leaks.points, by, [*groups, "absent"]).to_dict()["encoding"]

    assert encoding["color"]["scale"]["domain"] == encoding["shape"]["scale"]["domain"] == groups
    assert len(set(encoding["shape"]["scale"]["range"])) == len(groups)


def test_the_shipped_figures_can_be_told():
    shipped = load(FOLDER)

    assert shortcut_tables.shift_text(shipped).startswith("Height of the lungs moved furthest: on normal test films")
