import resource
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from toy import models, synthetic

settings.register_profile("pneumo", deadline=None, max_examples=40)
settings.load_profile("pneumo")

TESTS = Path(__file__).parent
# Folders and files whose tests import Keras, and so TensorFlow; elsewhere, tests that use one of `KERAS_FIXTURES`.
KERAS = (
    "load",
    "pages/test_own_data_page.py",
    "pages/test_predict_languages.py",
    "pages/test_predict_page.py",
    "pages/test_similar_films.py",
    "pacs",
    "research",
    "shipped",
    "unit/cli",
    "unit/explanation/test_explainer.py",
    "unit/inference/test_classifier.py",
    "unit/inference/test_embedding.py",
    "unit/inference/test_foreign.py",
    "unit/inference/test_lungs.py",
    "unit/inference/test_pathogen.py",
    "unit/inference/test_reading.py",
    "unit/inference/test_screening.py",
    "unit/model_store/test_runtime.py",
    "unit/model_store/test_weights.py",
    "unit/networks",
    "unit/results/test_latency.py",
    "unit/results/test_own_films.py",
    "unit/results/test_published.py",
    "unit/training",
)
KERAS_FIXTURES = {"toy_models", "saved"}
# What a maintainer runs: studies, and how networks are built and trained. That the commands train, evaluate and ship a
# model is tested in unit/cli and unit/training/test_classifier.py, which stay with the others.
SLOW = (
    "load",
    "research",
    "unit/networks",
    "unit/serving/test_ray_cluster.py",
    "unit/training/test_ensemble.py",
    "unit/training/test_everywhere_training.py",
    "unit/training/test_gate_training.py",
    "unit/training/test_loop.py",
    "unit/training/test_lung_experiment.py",
    "unit/training/test_lung_training.py",
    "unit/training/test_opacity_training.py",
    "unit/training/test_search.py",
    "unit/training/test_search_experiment.py",
    "unit/training/test_search_space.py",
    "unit/training/test_workers.py",
)
# Where lines of the library are counted: what guards a line of it lies here, and counting doubles the time of a test.
COUNTED = ("unit", "corpus")
# What takes longest to start or to run comes first, so that no worker is left alone with it in the end.
ORDER = ("load", "browser", "pacs", "shipped", "pages", "corpus", "unit", "deploy", "research")
# One server and one Chromium serve all tests in the browser, and a shipped model is loaded once.
TOGETHER = ("tests/browser/", "tests/shipped/test_shipped")
# In seconds of a processor.
SPENT, BUDGET = "processor seconds", 10
KERAS_IS_IMPORTED = pytest.StashKey[bool]()


@cache
def lies_in(path: Path, places: tuple[str, ...]) -> bool:
    """Whether a file is one of some files and folders of tests."""
    return path.is_relative_to(TESTS) and any(path.relative_to(TESTS).is_relative_to(place) for place in places)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Keep a process that runs no test with Keras from importing it to find them."""
    return True if "not keras" in config.option.markexpr and lies_in(collection_path, KERAS) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, and those of all files that share a server or loaded models.

    The groups of pytest-xdist 3.8 (``--dist loadgroup``) do not work with pytest 9.2, which keeps node ids elsewhere.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return next((group for group in TOGETHER if file.startswith(group)), file)

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the place they lie in, and let the longest begin."""
    for item in items:
        if lies_in(item.path, KERAS) or KERAS_FIXTURES & {*getattr(item, "fixturenames", ())}:
            item.add_marker("keras")
        is_narrow = item.get_closest_marker("browser") and "phone" in item.name
        if not lies_in(item.path, COUNTED):
            item.add_marker("no_cover")
        if lies_in(item.path, SLOW) or (is_narrow and not item.get_closest_marker("phone")):
            item.add_marker("slow")
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(TESTS).parts[0]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.session.stash[KERAS_IS_IMPORTED] = "tensorflow" in sys.modules


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Fail a test that imports TensorFlow and is not marked so: `make check` runs without it."""
    was_imported = item.session.stash[KERAS_IS_IMPORTED]
    if "tensorflow" in sys.modules and not was_imported and not item.get_closest_marker("keras"):
        pytest.fail("this test imports TensorFlow; mark it `keras`, or name its file in KERAS of tests/conftest.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = processor_seconds()
    try:
        return (yield)
    finally:
        item.user_properties.append((SPENT, processor_seconds() - before))


def processor_seconds() -> float:
    """Return what this process and its children took of a processor, which a busy machine does not change."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests take more of a processor than a test of `make test` should."""
    for report in terminalreporter.stats.get("passed", ()):
        spent = dict(report.user_properties).get(SPENT, 0)
        if spent > BUDGET and "slow" not in report.keywords:
            terminalreporter.line(f"{report.nodeid} took {spent:.0f} s of a processor: quicken it, or mark it `slow`")


def pytest_collection_finish(session: pytest.Session) -> None:
    if "not keras" not in session.config.option.markexpr:
        return
    if missing := [place for place in KERAS if not (TESTS / place).exists()]:
        raise pytest.UsageError(f"KERAS of tests/conftest.py names what is not there: {', '.join(missing)}")
    if "tensorflow" in sys.modules:
        raise pytest.UsageError("a file of tests without Keras imports it; name it in KERAS of tests/conftest.py")


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory) -> Path:
    """A small data set of drawn films in the Kaggle layout; never change it."""
    root = tmp_path_factory.mktemp("toy") / "chest_xray"
    synthetic.write_data_set(root)
    return root


@pytest.fixture(scope="session")
def toy_models(toy_data, pytestconfig) -> Iterator[Path]:
    """A folder with `cnn` and `dense`, really trained, and `lungs` and `gate`, written by hand; never change it."""
    yield from models.kept(pytestconfig.cache.mkdir("toy_models"), toy_data)


@pytest.fixture(scope="session")
def cnn(toy_models):
    """`cnn` of the toy models and their gate, loaded."""
    from pneumo.inference.reading import open_models

    return open_models("cnn", toy_models)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real films beside the project."""
    folder = TESTS.parents[1] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data is not beside the project")
    return folder
