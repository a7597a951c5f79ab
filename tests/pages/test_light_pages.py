import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


MODELS = ("leaderboard", "compare", "clinic", "failures", "model_card")
SLOW = {"tensorflow", "keras", "fpdf", "highdicom"}
DATA_SET = ("dataset", "gallery", "augmentation", "leaks", "own_data")


@pytest.mark.parametrize("page", [*MODELS, *DATA_SET])
def test_pages_that_do_not_predict_do_not_import_what_takes_long(page):
    script = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(ROOT / 'pages' / f'{page}.py')!r}, default_timeout=60).run()\n"
        "assert not app.exception and app.title\n"
        f"assert not {SLOW!r} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, timeout=100)


def test_the_server_loads_at_its_start_what_pages_need_and_nothing_that_takes_long():
    script = (
        "import sys, streamlit_app\n"
        "streamlit_app.load_libraries()\n"
        "assert set(streamlit_app.LIBRARIES) <= set(sys.modules)\n"
        f"assert not {SLOW!r} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, timeout=100)
