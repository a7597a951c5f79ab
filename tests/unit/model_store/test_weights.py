import hashlib
import zipfile
import zlib

import keras
import numpy as np
import pytest

from pneumo.errors import ModelError
from pneumo.model_store import weights as model_file


def outputs_of(model, films):
    return keras.ops.convert_to_numpy(model(films, training=False))


@pytest.fixture(scope="module")
def model():
    picture = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(16, 3, activation="relu", name="conv")(picture)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(32, activation="relu")(x)
    model = keras.Model(picture, keras.layers.Dense(1, "sigmoid", name="pneumonia")(x))
    # Outside float16's range, as the variances of real batch normalisations are.
    model.get_layer("norm").moving_variance.assign(np.full(16, 1e6, np.float32))
    model.compile("adam", "binary_crossentropy")
    return model


@pytest.fixture(scope="module")
def films():
    return np.random.default_rng(0).random((8, 32, 32, 1), np.float32)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "new" / "model.keras"
    model_file.save(model, path)
    return path


def test_a_saved_model_answers_like_the_original_within_float16(model, saved, films):
    loaded = model_file.load(saved)

    ours, theirs = outputs_of(loaded, films), outputs_of(model, films)

    assert loaded.dtype_policy.name == "float32"
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    np.testing.assert_array_equal(loaded.get_layer("norm").moving_variance, np.full(16, 1e6, np.float32))


def test_the_kernels_of_a_saved_model_are_rounded_to_float16(model, saved):
    for original, stored in zip(model.get_weights(), model_file.load(saved).get_weights(), strict=True):
        expected = original.astype(np.float16).astype(np.float32) if original.ndim > 1 else original
        np.testing.assert_array_equal(stored, expected)


def test_a_saved_model_is_smaller_than_keras_own_file(model, saved, tmp_path):
    model.save(tmp_path / "plain.keras")

    assert saved.stat().st_size < 0.6 * (tmp_path / "plain.keras").stat().st_size
    assert {item.compress_type for item in zipfile.ZipFile(saved).infolist()} == {zipfile.ZIP_DEFLATED}


def test_a_saved_model_loads_in_safe_mode_by_keras_alone(saved, films):
    loaded = keras.saving.load_model(saved, safe_mode=True)

    np.testing.assert_array_equal(outputs_of(loaded, films), outputs_of(model_file.load(saved), films))


def test_saving_leaves_the_model_as_it_is(model, films, tmp_path):
    weights, outputs = model.get_weights(), outputs_of(model, films)

    model_file.save(model, tmp_path / "model.keras")

    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(outputs_of(model, films), outputs)


def own_loss(truth, drawn):
    return keras.ops.mean(keras.ops.abs(truth - drawn))


def test_a_model_trained_with_a_loss_of_ours_is_loaded_by_whoever_does_not_know_it(model, films, tmp_path):
    trained = keras.models.clone_model(model)
    trained.compile("adam", own_loss)

    model_file.save(trained, tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(outputs_of(loaded, films), outputs_of(trained, films), atol=2e-3)


def test_kernels_that_float16_cannot_hold_are_kept(tmp_path):
    picture = keras.Input((2,))
    model = keras.Model(picture, keras.layers.Dense(1)(picture))
    model.set_weights([np.array([[1e5], [0.1]], np.float32), np.zeros(1, np.float32)])

    model_file.save(model, tmp_path / "model.keras")

    np.testing.assert_array_equal(
        model_file.load(tmp_path / "model.keras").get_weights()[0], np.array([[1e5], [0.1]], np.float32)
    )


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_a_file_that_keras_cannot_read_is_reported(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)

    with pytest.raises(ModelError, match="cannot read"):
        model_file.load(path)


def test_a_model_that_carries_code_is_not_run(tmp_path):
    picture = keras.Input((2,))
    keras.Model(picture, keras.layers.Lambda(lambda x: x + 1)(picture)).save(tmp_path / "model.keras")

    with pytest.raises(ModelError, match="cannot read"):
        model_file.load(tmp_path / "model.keras")


def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "film").write_bytes(b"grey")

    assert model_file.sha256(tmp_path / "film") == hashlib.sha256(b"grey").hexdigest()


def test_the_kernels_of_a_model_that_is_too_large_keep_fewer_digits(tmp_path, monkeypatch):
    picture = keras.Input((64,))
    model = keras.Model(picture, keras.layers.Dense(64, name="wide")(picture))
    exact, bias = model.get_layer("wide").get_weights()
    model.get_layer("wide").set_weights([exact, bias + np.float32(1 / 3)])
    model_file.save(model, tmp_path / "whole.keras")
    monkeypatch.setattr(model_file, "LARGEST", 1)

    model_file.save(model, tmp_path / "less.keras")

    kernel, kept = model_file.load(tmp_path / "less.keras").get_layer("wide").get_weights()
    assert (tmp_path / "less.keras").stat().st_size < 0.9 * (tmp_path / "whole.keras").stat().st_size
    np.testing.assert_allclose(kernel, exact, rtol=2**-7.5, atol=1e-7)
    assert np.abs(kernel - exact).max() > 0
    np.testing.assert_array_equal(kept, np.float32(1 / 3) + np.zeros_like(kept))

    model_file.save(keras.Model(picture, [model.output, 2 * model.output]), tmp_path / "two.keras")

    kernel, _ = model_file.load(tmp_path / "two.keras").get_layer("wide").get_weights()
    np.testing.assert_array_equal(kernel, exact.astype(np.float16))


def test_large_arrays_are_stored_smaller_than_deflate_alone_makes_them(tmp_path):
    picture = keras.Input((256,))
    model = keras.Model(picture, keras.layers.Dense(256)(picture))

    model_file.save(model, tmp_path / "model.keras")

    (kernel, _) = model_file.load(tmp_path / "model.keras").get_weights()
    deflated = len(zlib.compress(np.ascontiguousarray(kernel).tobytes(), 6))
    assert (tmp_path / "model.keras").stat().st_size < 0.95 * deflated
