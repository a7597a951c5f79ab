"""Pages as `AppTest` opens them, one at a time and without a server."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


def app() -> AppTest:
    """Return the whole app, which opens Predict unless it is told another page; tests on its films take their time."""
    return AppTest.from_file(ROOT / "streamlit_app.py", default_timeout=120)


def page(name: str, state: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **query: Any) -> AppTest:
    """Open a page by its name and the query of its address, in a session that holds `state`.

    It is a page of the whole app: links to other pages need those that the app names.
    """
    opened = app()
    opened.switch_page(f"pages/{name}.py")
    return visit(opened, state, **query)


def visit(app: AppTest, state: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **query: Any) -> AppTest:
    """Run an app by an address with this query."""
    for key, value in query.items():
        app.query_params[key] = value
    for key, value in dict(state).items():
        app.session_state[key] = value
    return app.run()


def text(app: AppTest) -> str:
    """Return what the reader sees, without the backslashes that keep names from being Markdown."""
    said = "\n".join(str(element.value) for kind in (app.markdown, app.caption) for element in kind)
    return said.replace("\\", "")
