import numpy as np
import pytest
from toy import synthetic

from pneumo.errors import ModelError
from pneumo.inference import similar_cases
from pneumo.model_store import store


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "toy").mkdir()
    return tmp_path


def rewrite(folder, **changes):
    """Write a sound index, then the same file with other arrays; None leaves one out."""
    path = similar_cases.write(synthetic.index_of_films(), "toy", folder)
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})


def test_an_index_is_read_as_it_was_written(folder):
    written = synthetic.index_of_films()

    path = similar_cases.write(written, "toy", folder)
    read = similar_cases.read(synthetic.card(), folder)

    assert path == folder / "toy" / store.SIMILAR
    assert (read.sha256, read.layer) == (written.sha256, written.layer)
    for key in ("files", "patients", "labels", "pathogens"):
        np.testing.assert_array_equal(getattr(read, key), getattr(written, key))
    np.testing.assert_allclose(read.embedding, written.embedding, atol=5e-4)
    np.testing.assert_allclose(np.linalg.norm(read.embedding, axis=1), 1, atol=1e-6)


def test_directions_have_length_one_and_nothing_stays_nothing():
    np.testing.assert_allclose(similar_cases.directions(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])


def test_a_missing_index_is_told_of_with_the_command_that_makes_it(folder):
    with pytest.raises(ModelError, match=r"no index of the validation films of toy.*python -m pneumo similar toy"):
        similar_cases.read(synthetic.card(), folder)


def test_an_index_of_other_weights_is_refused(folder):
    similar_cases.write(synthetic.index_of_films(), "toy", folder)

    with pytest.raises(ModelError, match=r"of other weights than toy has now.*python -m pneumo similar toy"):
        similar_cases.read(synthetic.card(sha256="1" * 64), folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"embedding": None}, "embedding"),
        ({"layer": None}, "layer"),
        ({"embedding": np.ones(8)}, "damaged"),
        ({"embedding": np.full((8, 5), np.nan)}, "no table of numbers"),
        ({"embedding": np.ones((7, 5))}, "one text a film"),
        ({"patients": np.arange(8)}, "patients is not one text a film"),
        ({"files": np.array([{}] * 8)}, "damaged"),
        ({"labels": np.array(["FLU"] * 8)}, "unknown label"),
        ({"pathogens": np.array(["fungus"] * 8)}, "unknown label or pathogen"),
        ({"patients": np.array(["p", "q"] * 4)}, "no more than 6 children"),
    ],
)
def test_an_index_whose_parts_do_not_fit_is_refused(folder, changes, told):
    rewrite(folder, **changes)

    with pytest.raises(ModelError, match=told) as refused:
        similar_cases.read(synthetic.card(), folder)

    assert "python -m pneumo similar toy" in str(refused.value)


@pytest.mark.parametrize("damage", [b"", b"PK\3\4 and no more", b"\x93NUMPY", b"not an archive"])
def test_a_file_that_is_no_index_is_refused(folder, damage):
    similar_cases.path_of("toy", folder).write_bytes(damage)

    with pytest.raises(ModelError, match="is damaged"):
        similar_cases.read(synthetic.card(), folder)


def test_a_cut_file_is_refused(folder):
    path = similar_cases.write(synthetic.index_of_films(), "toy", folder)
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(ModelError, match="is damaged"):
        similar_cases.read(synthetic.card(), folder)


def test_a_byte_that_changed_is_noticed(folder):
    path = similar_cases.write(synthetic.index_of_films(300, 200), "toy", folder)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)

    with pytest.raises(ModelError, match="is damaged"):
        similar_cases.read(synthetic.card(), folder)


def test_new_weights_drop_the_index_of_the_old(folder):
    store.write_card(synthetic.card(), folder)
    path = similar_cases.write(synthetic.index_of_films(), "toy", folder)

    with store.rewritten("toy", folder):
        assert path.exists()

    assert not path.exists()
