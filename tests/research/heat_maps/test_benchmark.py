import dataclasses
import json
import shutil

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from toy import synthetic
from typer.testing import CliRunner

from pneumo import radiograph
from pneumo.errors import DatasetError, ExplanationError
from pneumo.evaluation.intervals import Estimate
from pneumo.explanation import agreement, cam
from pneumo.explanation.explainer import Explainer
from pneumo.inference.classifier import Classifier
from pneumo.model_store import store, weights
from pneumo.networks import ensemble
from pneumo.networks.ensemble import Member
from pneumo.preprocessing import network_input
from research.heat_maps import measures
from research.heat_maps.__main__ import app
from research.heat_maps.benchmark import FIGURES, PARTS, markdown, run, write
from research.heat_maps.films import answered

METHODS = ("gradcam", "smoothgrad")


def bright_model():
    """A model whose one feature map is the picture, and which calls bright films pneumonia."""
    film = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(1, 1, kernel_initializer="ones", activation="relu", name="conv")(film)
    x = keras.layers.GlobalAveragePooling2D()(x)
    unit = keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.Constant(20.0))
    model = keras.Model(film, unit(x))
    unit.set_weights([unit.get_weights()[0], np.array([-12.0])])
    return model


@pytest.fixture(scope="module")
def place(toy_data, tmp_path_factory):
    """All that the benchmark reads: data, masks, boxes, opacities, and the model `toy` with its answers."""
    place = tmp_path_factory.mktemp("benchmark")
    shutil.copytree(toy_data, place / "chest_xray")
    synthetic.write_lung_masks(toy_data, place / "lung_masks")
    sick = sorted((toy_data / "test/PNEUMONIA").glob("*.jpeg"))[:4]
    for folder in ("external_nih/images", "opacity_masks/images", "opacity_masks/lung", "opacity_masks/opacity"):
        (place / folder).mkdir(parents=True)
    boxes, labels, opacities = ["file,finding,x,y,w,h"], ["file,patient_id"], []
    for number, path in enumerate(sick):
        shutil.copy(path, place / f"external_nih/images/{number}.jpg")
        shutil.copy(path, place / f"opacity_masks/images/{number}.jpg")
        boxes.append(f"images/{number}.jpg,Pneumonia,0.1,0.1,0.8,0.8")
        labels.append(f"images/{number}.jpg,{number}")
        lung = 255 * synthetic.lung_mask().astype(np.uint8)
        opacity = lung.copy()
        opacity[: 40 + 20 * number] = 0
        cv2.imwrite(str(place / f"opacity_masks/lung/{number}.png"), lung)
        cv2.imwrite(str(place / f"opacity_masks/opacity/{number}.png"), opacity)
        opacities.append(f"images/{number}.jpg,lung/{number}.png,opacity/{number}.png,1.0")
    (place / "external_nih/boxes.csv").write_text("\n".join(boxes) + "\n")
    (place / "external_nih/labels.csv").write_text("\n".join(labels) + "\n")
    header = "file,lung_mask,opacity_mask,opacity_inside_lung"
    (place / "opacity_masks/labels.csv").write_text("\n".join([header, *opacities]) + "\n")
    put_model(bright_model(), synthetic.card(), place)
    synthetic.write_screening_models(place / "models")
    return place


def put_model(model, card, place):
    path = place / "models" / card.name / "model.keras"
    path.parent.mkdir(parents=True)
    weights.save(model, path)
    store.write_card(dataclasses.replace(card, sha256=weights.sha256(path)), place / "models")
    films = [f"train/{label}/{path.name}" for label in ("NORMAL", "PNEUMONIA") for path in train_films(place, label)]
    likely = [file.startswith("train/PNEUMONIA") for file in films]
    answers = pd.DataFrame({"file": films, "patient": films, "label": "hidden", "pathogen": "hidden"})
    store.write_predictions(answers.assign(probability=np.where(likely, 0.9, 0.1)), card.name, "val", place / "models")


def train_films(place, label):
    return sorted((place / "chest_xray/train" / label).glob("[!.]*.jpeg"))[:4]


@pytest.fixture(scope="module")
def benchmark(place):
    return run("toy", place / "chest_xray", place / "models", films=3, methods=METHODS)


def figure(benchmark, part, method, name):
    table = benchmark.table
    [row] = table[(table["part"] == part) & (table["method"] == method) & (table["figure"] == name)].to_dict("records")
    return row


def test_every_part_and_figure_is_measured_and_has_a_name(benchmark):
    assert benchmark.left_out == ()
    assert set(benchmark.table["part"]) == set(PARTS)
    pairs = {figure for figure in FIGURES if figure.startswith(("agreement_", "overlap_"))}
    assert pairs == {f"{kind}_{method}" for kind in ("agreement", "overlap") for method in cam.METHODS}
    measured = set(FIGURES) - pairs | {"agreement_smoothgrad", "overlap_smoothgrad"}
    assert set(benchmark.table["figure"]) == measured
    assert set(benchmark.table["method"]) == {*METHODS, "random", "centre"}
    known = benchmark.table.dropna()
    assert (known["low"] <= known["value"] + 1e-9).all()
    assert (known["value"] <= known["high"] + 1e-9).all()
    assert (known["films"].between(1, 3)).all()


def test_the_reference_is_the_median_peak_of_the_films_answered_likely(benchmark, place):
    classifier = Classifier.open("toy", place / "models")
    explainer = Explainer(classifier)
    assert len(train_films(place, "PNEUMONIA")) == 4

    whole = run("toy", place / "chest_xray", place / "models", films=9, methods=["gradcam"], measures=["likely"])

    peaks = [
        explainer.heat_map(classifier.assess(radiograph.read(path)), shape=(224, 224)).density.max()
        for path in train_films(place, "PNEUMONIA")
    ]
    assert whole.card.heat == {
        "references": {"gradcam": pytest.approx(np.median(peaks), abs=1e-6)},
        "measured_on": "val",
        "films": 4,
    }
    assert figure(whole, "scale", "gradcam", "reference")["value"] == pytest.approx(np.median(peaks))
    assert benchmark.card.heat["films"] == 3


def test_the_agreement_is_the_mean_of_each_film_by_itself(place):
    whole = run("toy", place / "chest_xray", place / "models", films=9, methods=METHODS, references_only=True)

    classifier = Classifier.open("toy", place / "models")
    explainer = Explainer(classifier)
    found = []
    for path in train_films(place, "PNEUMONIA"):
        assessment = classifier.assess(radiograph.read(path))
        maps = [explainer.heat_map(assessment, method, (224, 224)).density for method in METHODS]
        found.append(agreement.compare(*maps))
    usual = agreement.usual(whole.card, *METHODS)
    assert usual.correlation.value == pytest.approx(np.mean([each.correlation for each in found]), abs=5e-3)
    assert usual.overlap.value == pytest.approx(np.mean([each.overlap for each in found]), abs=1e-2)
    assert figure(whole, "agreement", "gradcam", "agreement_smoothgrad")["value"] == pytest.approx(
        usual.correlation.value, abs=1e-6
    )


def test_the_references_alone_are_those_of_the_whole_benchmark(benchmark, place):
    alone = run("toy", place / "chest_xray", place / "models", films=3, methods=METHODS, references_only=True)

    assert alone.card == benchmark.card
    assert set(alone.table["part"]) == {"scale", "agreement"}
    assert "references" in alone.card.heat
    assert set(alone.card.heat["agreement"]) == {"gradcam"}


def test_heat_in_drawn_lungs_is_measured_as_on_each_film_by_itself(benchmark, place):
    classifier = Classifier.open("toy", place / "models")
    explainer = Explainer(classifier)
    whole = run("toy", place / "chest_xray", place / "models", films=99, methods=["gradcam"], measures=["lungs"])

    lung, shares = synthetic.lung_mask(224, 224), []
    for path in sorted((place / "chest_xray/test").rglob("[!.]*.jpeg")):
        heat = explainer.heat_map(classifier.assess(radiograph.read(path)), shape=(224, 224)).density
        shares.append(heat[lung].sum() / heat.sum())
    measured = figure(whole, "lungs", "gradcam", "energy")
    assert measured["value"] == pytest.approx(np.mean(shares), abs=1e-4)
    assert measured["films"] == len(shares)


def test_no_label_is_read(place, benchmark, monkeypatch):
    # The labels of the predictions say "hidden", and the folders of the test split are exchanged.
    test = place / "chest_xray/test"
    normal, sick = test / "NORMAL", test / "PNEUMONIA"
    normal.rename(test / "other")
    sick.rename(normal)
    (test / "other").rename(sick)
    try:
        exchanged = run(
            "toy", place / "chest_xray", place / "models", films=99, methods=["gradcam"], measures=["lungs"]
        )
    finally:
        normal.rename(test / "other")
        sick.rename(normal)
        (test / "other").rename(sick)
    straight = run("toy", place / "chest_xray", place / "models", films=99, methods=["gradcam"], measures=["lungs"])

    ours, theirs = (figure(each, "lungs", "gradcam", "energy")["value"] for each in (exchanged, straight))
    assert ours == pytest.approx(theirs)


def test_deletion_and_insertion_are_those_of_each_film_by_itself(place):
    models = place / "models"
    whole = run("toy", place / "chest_xray", models, films=9, methods=["gradcam"], measures=["likely"])

    classifier = Classifier.open("toy", models)
    explainer = Explainer(classifier)
    likely, unlikely = (
        answered(place / "chest_xray", classifier.card, models, answer, 9) for answer in ("likely", "unlikely")
    )
    deletion, insertion = [], []
    for film, healthy in zip(likely, unlikely, strict=True):
        assessment = classifier.assess(radiograph.read(film.path))
        hottest = np.argsort(-explainer.heat_map(assessment, shape=(224, 224)).density, axis=None, kind="stable")
        pictures = [network_input.film_square(radiograph.read(each.path).pixels) for each in (film, healthy)]
        for areas, (kept, taken) in ((deletion, pictures), (insertion, pictures[::-1])):
            curve = []
            for step in range(11):
                mixed = kept.ravel().copy()
                gone = hottest[: round(step / 10 * mixed.size)]
                mixed[gone] = taken.ravel()[gone]
                given = network_input.model_input(mixed.reshape(224, 224), 32)[None]
                curve.append(float(classifier.model(given)[0, 0]))
            areas.append(sum(curve) / 10 - (curve[0] + curve[-1]) / 20)
    for name, areas in (("deletion", deletion), ("insertion", insertion)):
        measured = figure(whole, "faithfulness", "gradcam", name)
        assert measured["value"] == pytest.approx(np.mean(areas), abs=2e-3)
        assert measured["films"] == 4


def test_parts_without_data_are_left_out_with_a_sentence(place, tmp_path):
    shutil.copytree(place / "opacity_masks", tmp_path / "opacity_masks")

    partial = run("toy", tmp_path, place / "models", films=2, methods=["gradcam"])

    assert set(partial.table["part"]) == {"opacities"}
    assert [sentence.split(".")[0] for sentence in partial.left_out] == [
        "Not measured: films answered “likely”",
        "Not measured: films answered “unlikely”",
        "Not measured: lungs on the official test films",
        "Not measured: boxes around pneumonia",
    ]
    assert partial.card.heat == {}
    # Without a reference nothing is hot on the absolute scale.
    assert "extent_correlation" not in set(partial.table["figure"])


def test_films_that_a_model_learned_from_measure_nothing(place, tmp_path):
    shutil.copytree(place / "models", tmp_path / "models")
    card = store.read_card("toy", tmp_path / "models")
    learned = {"learned_places_from": {"external_nih": 2, "opacity_masks": 3}}
    store.write_card(dataclasses.replace(card, training={**card.training, **learned}), tmp_path / "models")

    found = run(
        "toy",
        place / "chest_xray",
        tmp_path / "models",
        films=1,
        methods=["gradcam"],
        measures=["lungs", "boxes", "opacities"],
    )

    assert set(found.table["part"]) == {"lungs"}
    assert [sentence.split(". ")[1] for sentence in found.left_out] == [
        f"{card.title} learned the places of these films."
    ] * 2


def test_without_any_film_there_is_nothing_to_measure(place, tmp_path):
    with pytest.raises(DatasetError, match="nothing to measure heat maps on"):
        run("toy", tmp_path, place / "models", films=2, methods=["gradcam"])


def test_a_model_without_feature_maps_is_refused(place, tmp_path):
    shutil.copytree(place / "models", tmp_path / "models")
    card = store.read_card("toy", tmp_path / "models")
    store.write_card(dataclasses.replace(card, cam_layer=None), tmp_path / "models")

    with pytest.raises(ExplanationError, match="no feature maps"):
        run("toy", place / "chest_xray", tmp_path / "models")


def test_what_is_written_is_read_again_and_goes_with_the_weights(benchmark, place, tmp_path):
    shutil.copytree(place / "models", tmp_path / "models")

    path = write(benchmark, tmp_path / "models")

    written = pd.read_csv(path)
    assert path == tmp_path / "models/toy/explanation.csv"
    pd.testing.assert_frame_equal(written, benchmark.table, atol=1e-6)
    assert Explainer(Classifier.open("toy", tmp_path / "models"))._references == benchmark.card.heat["references"]
    with store.rewritten("toy", tmp_path / "models"):
        pass
    assert not path.exists()


def test_what_is_measured_anew_takes_its_own_place_only(benchmark, place, tmp_path):
    shutil.copytree(place / "models", tmp_path / "models")
    write(benchmark, tmp_path / "models")
    anew = run("toy", place / "chest_xray", place / "models", films=2, methods=["gradcam"], measures=["lungs"])

    written = pd.read_csv(write(anew, tmp_path / "models"))

    keys = ["part", "method", "figure"]
    assert set(anew.table["part"]) == {"lungs"}
    assert written[keys].equals(benchmark.table[keys])
    films = written.set_index(keys)["films"]
    assert films["lungs", "gradcam", "energy"] == 2
    assert films["lungs", "smoothgrad", "energy"] == 3
    assert films["boxes", "gradcam", "energy"] == 3


def test_the_markdown_table_has_a_column_for_each_method(benchmark):
    lines = markdown(benchmark.table).splitlines()

    assert lines[0] == "| Films | Figure | Grad-CAM | SmoothGrad | Random map | Centre of the film |"
    assert len(lines) == 2 + len(benchmark.table.groupby(["part", "figure"]))
    iou = figure(benchmark, "boxes", "gradcam", "iou")
    cell = str(Estimate(iou["value"], iou["low"], iou["high"]))
    assert any(cell in line and "IoU" in line and "boxes drawn (3)" in line for line in lines)


def benchmarked(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_prints_json_and_writes_where_asked(place, tmp_path):
    shutil.copytree(place / "models", tmp_path / "models")
    options = ["--model", "toy", "--models", tmp_path / "models", "--films", 2, "--methods", "layercam"]

    result = benchmarked("--data", place / "chest_xray", *options, "--json", "--write")

    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["model"] == "toy"
    assert set(record["heat"]["references"]) == {"layercam"}
    assert len(record["figures"]) == len(pd.read_csv(tmp_path / "models/toy/explanation.csv"))
    assert store.read_card("toy", tmp_path / "models").heat == record["heat"]
    assert "explanation.csv" in result.stderr


def test_the_references_alone_change_nothing_but_the_heat_of_the_card(place, tmp_path):
    shutil.copytree(place / "models", tmp_path / "models")
    before = store.read_card("toy", tmp_path / "models")
    options = ["--model", "toy", "--models", tmp_path / "models", "--films", 2, "--methods", "layercam"]

    result = benchmarked("--data", place / "chest_xray", *options, "--references-only", "--write")

    assert result.exit_code == 0, result.stderr
    after = store.read_card("toy", tmp_path / "models")
    assert set(after.heat["references"]) == {"layercam"}
    assert dataclasses.replace(after, heat=before.heat) == before
    assert not (tmp_path / "models/toy/explanation.csv").exists()
    assert "the card of toy" in " ".join(result.stderr.split())


@pytest.mark.parametrize(("option", "shown"), [((), "LayerCAM"), (("--markdown",), "| Films | Figure | LayerCAM |")])
def test_the_command_prints_a_table(place, option, shown):
    options = ["--model", "toy", "--models", place / "models", "--films", 2, "--methods", "layercam"]

    result = benchmarked("--data", place / "opacity_masks/..", *options, *option)

    assert result.exit_code == 0, result.stderr
    assert shown in result.stdout
    assert store.read_card("toy", place / "models").heat == {}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "--data"),
        (["--data", "DATA", "--methods", "gradcam,gradcan"], "'gradcan'. Choose among: gradcam, gradcam++"),
        (["--data", "DATA", "--measures", "lung"], "'lung'. Choose among: likely, unlikely, lungs"),
        (["--data", "DATA", "--films", "1"], "films"),
        (["--data", "DATA", "--model", "nobody"], "no model 'nobody'"),
    ],
)
def test_the_command_says_why_it_cannot_run(place, arguments, complaint, monkeypatch):
    monkeypatch.delenv("PNEUMO_DATA", raising=False)
    given = [place / "chest_xray" if argument == "DATA" else argument for argument in arguments]

    result = benchmarked(*given, "--models", place / "models")

    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


def test_randomising_shuffles_from_the_top():
    model = synthetic.small_model(seed=1)
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0], np.array([3.0])])
    before = model.get_weights()

    measures.randomise(model, synthetic.card(), 0.0)

    kernel, _, top, _ = model.get_weights()
    np.testing.assert_array_equal(kernel, before[0])
    assert not np.array_equal(top, before[2])
    np.testing.assert_array_equal(np.sort(top, axis=None), np.sort(before[2], axis=None))
    measures.randomise(model, synthetic.card(), 1.0)
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_the_members_of_an_ensemble_are_randomised_each():
    cards = [synthetic.card(name=name) for name in "ab"]
    joined = ensemble.build(
        [Member.of(card, synthetic.small_model(seed=seed)) for seed, card in enumerate(cards, start=1)]
    )
    members = [{"name": name} for name in "ab"]
    before = {name: joined.get_layer(name).get_weights() for name in "ab"}

    measures.randomise(joined, synthetic.card(members=members), 0.0)

    for name in "ab":
        after = joined.get_layer(name).get_weights()
        np.testing.assert_array_equal(after[0], before[name][0])
        assert not np.array_equal(after[2], before[name][2])
