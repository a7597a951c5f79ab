import dataclasses
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pneumo import radiograph
from pneumo.datasets import kaggle
from pneumo.training.recipes import RECIPES
from research.bench import films, rows, training
from research.bench.rows import Rates, Row
from research.bench.training import Pipeline, Race

RATES = Rates(multiplications=1e9, copies=1e6)
SIDE = 32
# Of the network `dense`, but its batches are small enough for the toy data.
RECIPE = dataclasses.replace(RECIPES["dense"], batch=8)


def test_a_row_tells_how_many_times_the_limit_it_takes():
    by_arithmetic = rows.line(Row("model", [4.0, 5.0, 6.0], operations=1e6), RATES).split()
    by_bytes = rows.line(Row("read", [4.0, 5.0, 6.0], bytes=2e3), RATES).split()
    unlimited = rows.line(Row("page", [5.0]), RATES).split()

    assert by_arithmetic == ["model", "5.00", "4.20", "5.80", "3", "1.00", "5.0", "1", "MFLOP"]
    assert by_bytes[5:] == ["2.00", "2.5", "0.0", "MB"]
    assert unlimited == ["page", "5.00", "5.00", "5.00", "1"]


def test_the_operations_of_a_network_are_counted_by_hand():
    film = keras.Input((10, 10, 2))
    x = layers.Conv2D(3, 3, use_bias=False)(film)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    model = keras.Model(film, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))

    assert rows.operations(model) == 2 * (8 * 8 * 3 * 3 * 2 * 3) + 2 * (8 * 8 * 3 * 3 * 3) + 2 * 3 * 4


def test_the_first_runs_do_not_count():
    found = rows.timed(lambda: time.sleep(0.001), runs=4)

    assert len(found) == 4
    assert min(found) == pytest.approx(1, abs=0.5) or min(found) > 1


def test_films_of_a_measurement_are_read_and_differ():
    film, other = films.large_film(0), films.large_film(1)

    read = radiograph.read(films.dicom_of(film), "film.dcm")

    assert read.pixels.shape == (films.HEIGHT, films.WIDTH)
    assert np.corrcoef(read.pixels.ravel()[::97], film.ravel()[::97])[0, 1] > 0.999
    assert (film != other).any()


def test_an_archive_of_noisy_copies_has_no_film_twice(tmp_path):
    films.write_noisy_copies(tmp_path / "archive", 12)

    found = [path.read_bytes() for path in sorted((tmp_path / "archive").glob("*.jpg"))]

    assert len(set(found)) == 12
    assert radiograph.read(found[-1], "film.jpg").pixels.shape == (416, 560)


@pytest.fixture(scope="module")
def ways(toy_data):
    """Our pipeline and that of tutorials, open on the toy data, and the films that they share."""
    root = kaggle.find_root(toy_data)
    parts = kaggle.development_split(kaggle.scan(root))
    with training.pipelines(root, parts, RECIPE, SIDE) as opened:
        yield [each() for each in opened], parts


def test_both_pipelines_show_batches_of_one_size_of_pictures_in_0_to_1(ways):
    for pipeline in ways[0]:
        for pictures, labels in pipeline.batches.take(12).as_numpy_iterator():
            assert pictures.shape == (RECIPE.batch, SIDE, SIDE, 1)
            assert labels.shape == (RECIPE.batch, 1)
            assert set(labels.ravel()) <= {0.0, 1.0}
            assert -0.3 < pictures.min() < pictures.max() < 1.3


def test_both_pipelines_validate_on_the_films_of_the_projects_own_split(ways):
    pipelines, parts = ways
    (ours, our_labels), (usual, usual_labels) = (pipeline.validation() for pipeline in pipelines)

    assert ours.shape == usual.shape == (len(parts.validation), SIDE, SIDE, 1)
    assert our_labels.sum() == usual_labels.sum() == (parts.validation["label"] == "PNEUMONIA").sum()
    # Sorted alike: by class, then by name.
    alike = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in zip(ours, usual, strict=True)]
    assert min(alike) > 0.9, alike


def test_the_folder_for_tutorials_links_to_the_films_of_a_table_by_class(toy_data, tmp_path):
    root = kaggle.find_root(toy_data)
    train = kaggle.development_split(kaggle.scan(root)).train

    training.link(root, train, tmp_path)

    found = {path.resolve(): path.parent.name for path in tmp_path.glob("*/*")}
    assert found == {(root / film.file).resolve(): film.label for film in train.itertuples()}


@pytest.fixture
def separable():
    """A pipeline of one picture of each class, which a network tells apart at once."""
    pictures = np.stack([np.zeros((4, 4, 1), np.float32), np.ones((4, 4, 1), np.float32)])
    labels = np.array([[0.0], [1.0]], np.float32)
    batches = tf.data.Dataset.from_tensors((pictures, labels)).repeat()
    return Pipeline("drawn", batches, lambda: (pictures, labels[:, 0]))


def network(weight):
    picture = keras.Input((4, 4, 1))
    dense = layers.Dense(1, activation="sigmoid", kernel_initializer=keras.initializers.Constant(weight))
    model = keras.Model(picture, dense(layers.Flatten()(picture)))
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    return model


def test_a_race_ends_at_the_first_look_that_finds_the_target_reached(separable):
    found = training.race(separable, network(1.0), 0.97, budget=10_000, opening=100.0)

    [(images, seconds, auroc)] = found.curve
    assert (found.is_won, images, auroc) == (True, 2 * training.CHECK_EVERY, 1.0)
    assert 100 < seconds < 160
    assert str(found).startswith(f"drawn: {seconds:.1f} s; 64 images, ")


def test_a_race_that_is_lost_says_so_in_place_of_a_time(separable):
    found = training.race(separable, network(-1.0), 0.97, budget=100)

    assert [images for images, _, _ in found.curve] == [64, 128]
    assert not found.is_won
    assert "not reached" in str(found)
    assert "at best 0.000; 128 images" in str(found)


def test_a_race_lists_its_curve():
    told = str(Race("drawn", 0.9, [(1000, 1.0, 0.5), (2000, 2.5, 0.91)]))

    assert told == "drawn: 2.5 s; 2,000 images, 1.25 ms each\n  0.500 0.910"
