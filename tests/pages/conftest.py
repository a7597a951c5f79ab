import numpy as np
import pandas as pd
import pytest
import synthetic

from pneumo import model_store

HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy,val_auroc,shifted_loss,shifted_accuracy,shifted_auroc,seconds\n"


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
            model_store.write_predictions(table, name, split, folder)
        history = "1,.7,.6,.6,.7,.8,.6,.6,.7,9\n2,.5,.7,.6,.7,.8,.6,.7,.8,9\n"
        (folder / name / "history.csv").write_text(HISTORY + history)
        card = synthetic.card(name=name, **({"title": name.upper(), "sha256": name.rjust(64, "0")} | changes))
        model_store.write_card(card, folder)
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
