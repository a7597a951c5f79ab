import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


MODELS = ("leaderboard", "compare", "clinic", "failures", "model_card")
SLOW = {"tensorflow", "keras", "fpdf", "highdicom"}
DATA_SET = ("dataset", "gallery", "augmentation", "leaks", "own_data")
OPERATION = ("drift",)
# What requirements-serve.txt leaves out, besides.
LEFT_OUT = ("scipy", "sklearn", "matplotlib", "onnx", "pooch", "kagglehub")
# Loads what a server loads at its start, shows page after page, and ends with the first that imported what takes long:
# what the next would import is not known.
SCRIPT = f"""
import json, sys
from pathlib import Path
sys.modules.update(dict.fromkeys({LEFT_OUT}))
import streamlit_app
from streamlit.testing.v1 import AppTest
root, out, *pages = sys.argv[1:]
streamlit_app.load_libraries()
assert set(streamlit_app.LIBRARIES) <= set(sys.modules)
assert not {SLOW!r} & set(sys.modules)
for page in pages:
    app = AppTest.from_file(f"{{root}}/streamlit_app.py", default_timeout=60)
    app.switch_page(f"pages/{{page}}.py")
    app.run()
    imported = sorted({SLOW!r} & set(sys.modules))
    with Path(out).open("a") as shown:
        print(json.dumps([page, bool(app.title), [error.message for error in app.exception], imported]), file=shown)
    if imported:
        break
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What became of each page in a process that began without it: title or none, errors, slow imports."""
    out, left, found = tmp_path_factory.mktemp("light") / "shown.txt", [*MODELS, *DATA_SET, *OPERATION], {}
    while left:
        command = [sys.executable, "-c", SCRIPT, ROOT, out, *left]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
        found = {page: rest for page, *rest in map(json.loads, out.read_text().splitlines())}
        left = [page for page in left if page not in found]
    return found


@pytest.mark.parametrize("page", [*MODELS, *DATA_SET, *OPERATION])
def test_pages_that_do_not_predict_open_without_what_takes_long_to_import_or_is_left_out_of_a_small_install(
    shown, page
):
    assert shown[page] == [True, [], []]
