import shutil
from functools import cache

import numpy as np
import pandas as pd
import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from toy import synthetic

from pages.parts.shared import streamlit_internals
from pneumo.datasets import kaggle, samples, summary
from pneumo.model_store import store

HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy,val_auroc,shifted_loss,shifted_accuracy,shifted_auroc,seconds\n"


@pytest.fixture(scope="session", autouse=True)
def scanned_once():
    """Streamlit looks through all installed packages for components with each new `AppTest`: 0.1 s every time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def as_the_server(monkeypatch):
    """What the server was told once, and what each run of an `AppTest` forgets: how pages run, and to spare Keras."""
    make = PagesManager.__init__

    def made(self, *args, **options):
        make(self, *args, **options)
        streamlit_internals.keep_pages_folder()

    monkeypatch.setattr(PagesManager, "__init__", made)
    streamlit_internals.keep_keras()


@pytest.fixture
def write_model():
    """Writes a model's folder without a model; returns its card."""

    def write(folder, name, splits=("test", "val", "val_shifted"), noise=1.0, one_class=False, films=40, **changes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for place, split in enumerate(splits):
            rng = np.random.default_rng([len(name), place])
            sick = np.zeros(films, int) if one_class else np.arange(films) % 2
            probability = 1 / (1 + np.exp(-4 * (sick - 0.5) - rng.normal(0, noise, films)))
            table = pd.DataFrame({"label": np.where(sick, "PNEUMONIA", "NORMAL"), "probability": probability})
            table["pathogen"] = np.where(sick, np.where(np.arange(films) % 4 == 1, "bacteria", "virus"), "")
            table["file"] = [f"{split}/{label}/{row:03}.jpeg" for row, label in enumerate(table["label"])]
            table["patient"] = [f"P{row // 2}" for row in range(films)]
            store.write_predictions(table, name, split, folder)
        history = "1,.7,.6,.6,.7,.8,.6,.6,.7,9\n2,.5,.7,.6,.7,.8,.6,.7,.8,9\n"
        (folder / name / "history.csv").write_text(HISTORY + history)
        card = synthetic.card(name=name, **({"title": name.upper(), "sha256": name.rjust(64, "0")} | changes))
        store.write_card(card, folder)
        return card

    return write


@pytest.fixture
def models(tmp_path, monkeypatch, write_model):
    """Three models, the last of which did not open the test split."""
    folder = tmp_path / "models"
    write_model(folder, "good", noise=0.5, test_openings=[{"date": "2026-11-21", "sha256": "0"}])
    write_model(folder, "middling", noise=3.0, test_openings=[{"date": "2026-11-21", "sha256": "0"}])
    write_model(folder, "poor", splits=("val", "val_shifted"), noise=6.0)
    monkeypatch.setenv("PNEUMO_MODELS", str(folder))
    return folder


@pytest.fixture
def no_data_set(monkeypatch):
    monkeypatch.delenv("PNEUMO_DATA", raising=False)


@pytest.fixture(scope="session")
def figures(tmp_path_factory, toy_data):
    """A folder of shipped figures and one composite; never change it."""
    folder = tmp_path_factory.mktemp("figures")
    summary.write(summary.summarise(toy_data), folder)
    shutil.copy(toy_data / "train" / "NORMAL" / "IM-0115-0001.jpeg", folder / "normal_1.png")
    sample = samples.Sample(folder / "normal_1.png", "NORMAL", "", 12, "Normal 1", "Drawn.")
    samples.save_index([sample], folder)
    return folder


@pytest.fixture
def shipped(tmp_path, figures, monkeypatch, no_data_set):
    """A copy of `figures`, whatever the repository holds."""
    folder = shutil.copytree(figures, tmp_path / "data_samples")
    monkeypatch.setattr(samples, "FOLDER", folder)
    return folder


@pytest.fixture
def called_models(tmp_path, toy_data, monkeypatch):
    """A folder with one model that calls every film of the toy test split pneumonia."""
    folder = tmp_path / "models"
    (folder / "toy").mkdir(parents=True)
    augmentation = {"min_area": 0.7, "max_stretch": 1.2, "brightness": 0.1, "contrast": 0.2, "gamma": 0.0, "flip": 0.0}
    store.write_card(synthetic.card(training={"fold": 0, "recipe": {"augmentation": augmentation}}), folder)
    films = kaggle.scan(toy_data)
    test = films[films["split"] == "test"].assign(probability=0.9)
    store.write_predictions(pd.DataFrame(test), "toy", "test", folder)
    monkeypatch.setenv("PNEUMO_MODELS", str(folder))
    return folder
