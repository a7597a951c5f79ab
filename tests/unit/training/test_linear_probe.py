import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from toy import synthetic

from pneumo.preprocessing import augmentation, network_input
from pneumo.training import linear_probe, loop
from pneumo.training.films import Films
from pneumo.training.linear_probe import Probe


def films(count, seed, sick=0.5):
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) < sick * count).astype(np.float32)
    squares = np.stack([synthetic.film(rng, bool(label), 64, 64) for label in labels])
    return Films(squares, labels, tuple(f"{seed}-{number}.png" for number in range(count)))


@pytest.fixture(scope="module")
def fitted():
    model = synthetic.small_model(seed=4)
    before = [weights.copy() for weights in model.get_weights()]
    reported = []
    history = linear_probe.fit(
        model,
        films(50, 0, 0.7),
        films(20, 1),
        Probe(views=1, strengths=(1e-3, 1.0)),
        lambda stage: reported.append((stage.done, stage.total)),
    )
    return model, before, history, reported


def test_only_the_last_unit_is_fitted(fitted):
    model, before, _, reported = fitted

    after = model.get_weights()

    for old, new in zip(before[:-2], after[:-2], strict=True):
        np.testing.assert_array_equal(new, old)
    assert np.abs(after[-2] - before[-2]).max() > 0
    assert reported[-1] == (100, 100)


def test_the_last_unit_is_the_regression_fitted_by_hand(fitted):
    model, _, history, _ = fitted
    train = films(50, 0, 0.7)
    body = keras.Model(model.input, model.layers[-1].input)
    pictures = [network_input.model_input(square / np.float32(255), 32) for square in train.squares]
    rng = np.random.default_rng(0)
    pictures += [
        augmentation.augmented_input(square / np.float32(255), 32, Probe().augmentation, rng)
        for square in train.squares
    ]
    seen = body.predict(np.stack(pictures), verbose=0)
    scaler = StandardScaler().fit(seen)
    labels = np.tile(train.labels, 2)

    regression = LogisticRegression(C=history[0]["strength"], class_weight="balanced", max_iter=500)
    regression.fit(scaler.transform(seen), labels)

    by_hand = regression.predict_proba(scaler.transform(seen))[:50, 1]
    np.testing.assert_allclose(loop.predict(model, train), by_hand, atol=1e-3)


def test_the_row_tells_how_the_kept_weights_do(fitted):
    model, _, history, _ = fitted

    (row,) = history

    expected = loop.validate(model, films(20, 1))
    assert {key: row[key] for key in expected} == pytest.approx(expected)
    assert set(row) >= {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "shifted_auroc", "seconds"}
    assert row["strength"] in (1e-3, 1.0)
