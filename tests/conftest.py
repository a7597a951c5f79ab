from pathlib import Path

import pytest
from hypothesis import settings
from toy import synthetic

settings.register_profile("pneumo", deadline=None, max_examples=40)
settings.load_profile("pneumo")


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory) -> Path:
    """A small data set of drawn films in the Kaggle layout; never change it."""
    root = tmp_path_factory.mktemp("toy") / "chest_xray"
    synthetic.write_data_set(root)
    return root


@pytest.fixture(scope="session")
def toy_models(toy_data, tmp_path_factory) -> Path:
    """A folder with `cnn` and `dense`, really trained, and `lungs` and `gate`, written by hand; never change it."""
    from pneumo.training import classifier

    out = tmp_path_factory.mktemp("models")
    for name in ("cnn", "dense"):
        classifier.train(name, toy_data, out, epochs=2, checkpoints=tmp_path_factory.mktemp("runs"))
        classifier.evaluate(name, toy_data, "test", out)
    synthetic.write_screening_models(out)
    return out


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real films beside the project."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data is not beside the project")
    return folder
