import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from typer.testing import CliRunner

from pneumo import radiograph
from pneumo.cli import app
from pneumo.errors import ModelError
from pneumo.explanation.explainer import Explainer, explainer_of
from pneumo.inference import foreign, gate, lungs
from pneumo.inference.classifier import Classifier
from pneumo.inference.foreign import KnownHospitals
from pneumo.model_store import store, weights
from pneumo.networks import classifiers
from pneumo.preprocessing import crops
from pneumo.training import films, recipes
from pneumo.training import foreign as training_foreign
from pneumo.training.classifier import HIDDEN
from pneumo.training.films import load_films, silent
from pneumo.training.linear_probe import Probe
from pneumo.training.task import evaluate, train

JOINED = recipes.Joined("Joined", "ensemble", ("cnn",), ("cnn_lungs",))


def tell_foreign_films(name, data, out):
    """Let a model tell half of the test films for foreign."""
    card, model = store.load(name, out)
    shown = load_films(data, films.of_split("test", data, 0), silent, card.input["views"], gate.open_segmenter(out))
    features = training_foreign.features_of(training_foreign.features_network(model, "conv2"), shown, shifted=False)
    spread = np.diag(1 / features.std(axis=0).clip(1e-6)).astype(np.float32)
    known = KnownHospitals("conv2", ("guangzhou", "east"), features[[0, 3]], spread, np.inf)
    known = dataclasses.replace(known, limit=float(np.median(known.distance(features))))
    store.write_card(dataclasses.replace(card, foreign=foreign.write(known, name, out)), out)


@pytest.fixture(scope="module")
def models(toy_data, toy_models, tmp_path_factory):
    """A folder with `cnn`, with `cnn_lungs`, a probe that sees the lungs alone, and with the ensemble of both."""
    out = tmp_path_factory.mktemp("joined") / "models"
    for name in ("cnn", "lungs", "gate"):
        shutil.copytree(toy_models / name, out / name)
    with pytest.MonkeyPatch.context() as patch:
        of_lungs = dataclasses.replace(classifiers.REGISTRY["cnn"], name="cnn_lungs", view=crops.LUNGS)
        patch.setitem(classifiers.REGISTRY, "cnn_lungs", of_lungs)
        patch.setitem(recipes.RECIPES, "cnn_lungs", Probe(views=1, strengths=(1.0,)))
        patch.setitem(recipes.JOINED, "ensemble", JOINED)
        patch.setattr(foreign, "KEPT", 0.5)
        train("cnn_lungs", toy_data, out)
        evaluate("cnn_lungs", toy_data, "test", out)
        tell_foreign_films("cnn", toy_data, out)
        result = CliRunner().invoke(app.app, ["train", "ensemble", "--data", str(toy_data), "--out", str(out)])
        assert result.exit_code == 0, result.output
        evaluate("ensemble", toy_data, "test", out)
    return out


@pytest.mark.parametrize(("name", "seen"), [("cnn_lungs", ["lungs"]), ("ensemble", ["film", "lungs"])])
def test_a_film_gets_the_probability_that_was_measured(models, toy_data, name, seen):
    classifier = Classifier.open(name, models)
    rows = store.read_predictions(name, "test", models).iloc[::5]

    for row in rows.itertuples():
        assessment = classifier.assess(radiograph.read(toy_data / row.file))
        assert assessment.probability == pytest.approx(row.probability, abs=0.01)
        assert len(assessment.parts) == len(seen)
        assert crops.share(assessment.parts[-1]) < 1
    assert classifier.card.input["views"] == seen
    assert set(classifier.card.metrics) == {"val", "val_shifted", "test"}


def test_lungs_that_are_known_are_not_sought_again(models, toy_data, monkeypatch):
    classifier = Classifier.open("cnn_lungs", models)
    film = radiograph.read(toy_data / store.read_predictions("cnn_lungs", "test", models)["file"][0])
    found = classifier.assess(film)
    known = classifier._segmenter.segment(np.zeros((224, 224), np.float32) + np.eye(224, dtype=np.float32))
    monkeypatch.setattr(classifier._segmenter, "segment", None)

    again = classifier.assess(film, known)

    assert again.parts != found.parts


def test_a_film_without_lungs_is_seen_whole_and_says_so(models):
    film = radiograph.Radiograph(np.eye(120, dtype=np.float32), "line.png", "f" * 64, "PNG", 8)
    no_lungs = lungs.of_probability(np.zeros((224, 224), np.float32))

    assessment = Classifier.open("ensemble", models).assess(film, no_lungs)

    assert assessment.parts == (crops.WHOLE, crops.WHOLE)
    assert assessment.reasons[-1] == "No lungs were found on the film; the model saw all of it."


def test_a_member_that_was_not_trained_yet_is_named_with_what_to_do(toy_data, tmp_path, monkeypatch):
    joined = dataclasses.replace(JOINED, elsewhere=("cnn_of_tomorrow",))
    monkeypatch.setitem(recipes.JOINED, "ensemble", joined)

    with pytest.raises(ModelError, match="python -m pneumo train cnn_of_tomorrow"):
        train("ensemble", toy_data, tmp_path)


def test_the_members_at_home_are_calibrated_together_and_the_whole_needs_no_more(models):
    card = store.read_card("ensemble", models)
    of_cnn = store.read_card("cnn", models).calibration["slope"]

    assert (card.calibration["slope"], card.calibration["intercept"]) == (1.0, 0.0)
    assert card.calibration["fitted_on"] == "val_shifted"
    assert card.members[0]["weight"] != pytest.approx(of_cnn, rel=1e-3)
    assert card.members[1]["weight_elsewhere"] == pytest.approx(
        store.read_card("cnn_lungs", models).calibration["slope"], abs=1e-5
    )


def test_its_card_names_its_members(models):
    card = store.read_card("ensemble", models)
    members = [store.read_card(name, models) for name in ("cnn", "cnn_lungs")]

    assert [(each["name"], each["sha256"]) for each in card.members] == [(each.name, each.sha256) for each in members]
    assert [each["view"] for each in card.members] == card.input["views"] == ["film", "lungs"]
    assert card.training["data_fingerprint"] == members[0].training["data_fingerprint"]
    assert [each["weight"] > 0 for each in card.members] == [True, False]
    assert [each["weight_elsewhere"] > 0 for each in card.members] == [False, True]
    assert card.foreign == {"hospitals": ["guangzhou", "east"], "chosen_on": "95% of the films on val lie nearer"}


def test_films_of_known_hospitals_are_answered_by_the_one_member_and_foreign_ones_by_the_other(models, toy_data):
    joined, cnn, lungs_alone = (Classifier.open(name, models) for name in ("ensemble", "cnn", "cnn_lungs"))
    weights_of = {each["name"]: each for each in joined.card.members}
    means = joined.model.get_layer("means").get_weights()[1]
    told = []

    for row in store.read_predictions("ensemble", "test", models).iloc[::3].itertuples():
        film = radiograph.read(toy_data / row.file)
        found = joined.assess(film)
        asked, key = (lungs_alone, "weight_elsewhere") if found.foreign else (cnn, "weight")
        pictures = found.model_input[np.newaxis][..., [joined.card.input["views"].index(asked.card.input["views"][0])]]
        both_ways = logit([asked.look(each).raw[0] for each in (pictures, pictures[:, :, ::-1])]).mean()
        assert found.foreign == (found.elsewhere > 0.5)
        if abs(found.elsewhere - 0.5) > 0.499:
            told.append(found.foreign)
            expected = weights_of[asked.card.name][key] * both_ways + means[int(found.foreign)]
            assert found.probability == pytest.approx(expit(expected), abs=2e-3)
            used = [network for network in explainer_of(joined)._networks if network.weight_on(found) > 1e-2]
            assert [each.view for each in used] == [joined.card.input["views"].index(asked.card.input["views"][0])]
    assert {True, False} == set(told)


def test_the_embedding_is_that_of_the_first_member_at_home(models, toy_data):
    joined, cnn = (Classifier.open(name, models) for name in ("ensemble", "cnn"))
    found = joined.assess(radiograph.read(toy_data / store.read_predictions("cnn", "test", models)["file"][0]))

    np.testing.assert_allclose(found.embedding, cnn.embed(found.model_input[np.newaxis][..., :1])[0], atol=1e-4)


def test_what_tells_foreign_films_itself_is_not_described_anew(models, toy_data):
    with pytest.raises(ModelError, match="by one of its members"):
        training_foreign.add("ensemble", toy_data, [], models)


def left_out_run(models, folder, hospital, shift, **changes):
    """Write a run of the member for foreign films that left a hospital out, where its log-odds are shifted."""
    shutil.copytree(models / "cnn_lungs", folder / "cnn_lungs")
    known = {"hospitals": {"learned_from": {}, "left_out": [hospital]}}
    card = store.read_card("cnn_lungs", models)
    card = dataclasses.replace(card, training=card.training | known | changes)
    rng = np.random.default_rng(2)
    labels = np.repeat(["NORMAL", "PNEUMONIA"], 60)
    probability = expit(rng.normal(np.where(labels == "NORMAL", -1, 1) + shift))
    table = pd.DataFrame({"file": [f"{n}.png" for n in range(120)], "patient": range(120), "label": labels})
    table = table.assign(pathogen="", probability=probability)
    store.write_predictions(table, "cnn_lungs", f"hospital_{hospital}", folder)
    store.write_card(card, folder)
    return folder


def test_what_is_said_of_foreign_films_is_calibrated_by_hospitals_that_were_left_out(
    models, toy_data, tmp_path, monkeypatch
):
    monkeypatch.setitem(recipes.JOINED, "ensemble", JOINED)
    shutil.copytree(models, tmp_path / "models")
    east = left_out_run(models, tmp_path / "east", "east", shift=3.0)

    plain = train("ensemble", toy_data, tmp_path / "models")
    card = train("ensemble", toy_data, tmp_path / "models", left_out_runs=[east])

    assert card.training["foreign_films"]["calibrated_by_hospitals_left_out"] == {"cnn_lungs": ["east"]}
    assert plain.training["foreign_films"]["calibrated_by_hospitals_left_out"] == {}
    before, after = (
        weights.load(tmp_path / "models/ensemble/model.keras").get_layer("means").get_weights(),
        weights.load(models / "ensemble/model.keras").get_layer("means").get_weights(),
    )
    # What says three log-odds too much at a hospital that it does not know says that much less of foreign films.
    assert before[1][0] == pytest.approx(after[1][0], abs=1e-3)
    assert before[1][1] < after[1][1] - 2


def test_a_hospital_that_the_run_leaves_out_too_calibrates_nothing(models, toy_data, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.JOINED, "ensemble", JOINED)
    out = left_out_run(models, tmp_path / "models", "east", shift=0.0)
    for name in ("cnn", "lungs", "gate"):
        shutil.copytree(models / name, out / name)
    east = left_out_run(models, tmp_path / "east", "east", shift=3.0)

    card = train("ensemble", toy_data, out, left_out_runs=[east])

    assert card.training["foreign_films"]["calibrated_by_hospitals_left_out"] == {}


def test_runs_of_another_recipe_and_networks_that_join_nothing_are_refused(models, toy_data, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.JOINED, "ensemble", JOINED)
    other = left_out_run(models, tmp_path / "east", "east", shift=0.0, recipe={"epochs": 99})

    with pytest.raises(ModelError, match="another recipe"):
        train("ensemble", toy_data, models, left_out_runs=[other])
    with pytest.raises(ValueError, match="--left-out-run"):
        train("cnn", toy_data, tmp_path, left_out_runs=[other])


def test_a_member_that_does_not_tell_foreign_films_cannot_answer_them(models, toy_data, tmp_path, monkeypatch):
    shutil.copytree(models, tmp_path / "models")
    monkeypatch.setitem(
        recipes.JOINED, "ensemble", dataclasses.replace(JOINED, home=("cnn_lungs",), elsewhere=("cnn",))
    )

    with pytest.raises(ModelError, match="python -m pneumo foreign cnn"):
        train("ensemble", toy_data, tmp_path / "models")


def test_it_is_explained_and_predicts_from_the_command_line(models, toy_data, tmp_path):
    film = toy_data / store.read_predictions("cnn", "test", models)["file"].iloc[-1]
    classifier = Classifier.open("ensemble", models)

    heat = Explainer(classifier).heat_map(classifier.assess(radiograph.read(film)))
    result = CliRunner().invoke(
        app.app,
        ["predict", str(film), "--model", "ensemble", "--models", str(models), "--json", "--heatmap", str(tmp_path)],
    )

    assert heat.values.max() in (0, 1)  # noqa: PD011
    record = json.loads(result.stdout)
    assert record["status"] == "ok"
    assert (tmp_path / f"{film.stem}.png").is_file()


def test_members_of_another_split_are_not_joined(models, toy_data, monkeypatch):
    monkeypatch.setitem(recipes.JOINED, "ensemble", JOINED)

    with pytest.raises(ModelError, match="cnn was trained on another split"):
        train("ensemble", toy_data, models, fold=1)


@pytest.mark.parametrize("split", HIDDEN)
def test_models_are_measured_on_films_of_which_a_part_is_black(models, toy_data, tmp_path, split):
    shutil.copytree(models, tmp_path / "models")

    card = evaluate("cnn", toy_data, split, tmp_path / "models")

    seen, whole = (store.read_predictions("cnn", each, tmp_path / "models") for each in (split, "val"))
    assert seen["file"].tolist() == whole["file"].tolist()
    assert (seen["probability"] - whole["probability"]).abs().max() > 1e-4
    assert set(card.metrics) >= {"val", split}
    assert card.test_openings == store.read_card("cnn", models).test_openings
