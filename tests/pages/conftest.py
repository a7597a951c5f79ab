import shutil

import pandas as pd
import pytest
import synthetic

from pneumo import dataset, dataset_summary, model_store, samples


@pytest.fixture
def no_data_set(monkeypatch):
    monkeypatch.delenv("PNEUMO_DATA", raising=False)


@pytest.fixture
def shipped(tmp_path, toy_data, monkeypatch, no_data_set):
    """A folder of shipped figures and one composite, whatever the repository holds."""
    folder = tmp_path / "data_samples"
    dataset_summary.write(dataset_summary.summarise(toy_data), folder)
    shutil.copy(toy_data / "train" / "NORMAL" / "IM-0115-0001.jpeg", folder / "normal_1.png")
    sample = samples.Sample(folder / "normal_1.png", "NORMAL", "", 12, "Normal 1", "Drawn.")
    samples.save_index([sample], folder)
    monkeypatch.setattr(samples, "FOLDER", folder)
    return folder


@pytest.fixture
def called_models(tmp_path, toy_data, monkeypatch):
    """A folder with one model that calls every film of the toy test split pneumonia."""
    folder = tmp_path / "models"
    (folder / "toy").mkdir(parents=True)
    augmentation = {"min_area": 0.7, "max_stretch": 1.2, "brightness": 0.1, "contrast": 0.2, "gamma": 0.0, "flip": 0.0}
    model_store.write_card(synthetic.card(training={"fold": 0, "recipe": {"augmentation": augmentation}}), folder)
    films = dataset.scan(toy_data)
    test = films[films["split"] == "test"].assign(probability=0.9)
    model_store.write_predictions(pd.DataFrame(test), "toy", "test", folder)
    monkeypatch.setenv("PNEUMO_MODELS", str(folder))
    return folder
