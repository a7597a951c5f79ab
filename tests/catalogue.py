"""What the code says to people, and the catalogues of it.

``python tests/catalogue.py`` brings the catalogues in line with the code: it adds what is new with an empty
translation, which the tests then ask for, and drops what nothing says any more.
"""

import ast
import io
from collections.abc import Collection
from pathlib import Path

from babel.messages import Catalog, pofile

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "pneumo" / "locale"
CODES = ("zh", "es", "fr")


def _files(*patterns: str) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)))


# What the predict page is made of: here no text is left in English.
PAGE = _files("streamlit_app.py", "pages/predict.py", "pages/parts/predict/*.py", "pages/parts/shared/language.py")
# The modules whose sentences the page or its PDF tells.
LIBRARY = _files(
    *("pneumo/__init__.py", "pneumo/errors.py", "pneumo/labels.py", "pneumo/evaluation/calibration.py"),
    "pneumo/results/elsewhere.py",
    *("pneumo/radiograph/*.py", "pneumo/inference/*.py", "pneumo/explanation/*.py", "pneumo/reports/[!d]*.py"),
    *("pages/parts/charts/probability_scale.py", "pneumo/serving/queue.py", "pneumo/serving/audit.py"),
)
ERRORS = (
    "UnreadableImageError",
    "UnsupportedImageError",
    "ImageSizeError",
    "ExplanationError",
    "BusyError",
    "AuditError",
)
PLURAL_WORDS = ("say_many", "many")
# What a template is given to, first of all arguments.
WORDS = ("say", "_", *PLURAL_WORDS, *ERRORS)

Message = str | tuple[str, str]


def said(files: tuple[str, ...] = PAGE + LIBRARY) -> dict[Message, list[str]]:
    """Return every template in the code with the files that hold it; a pair is one of singular and plural."""
    found: dict[Message, list[str]] = {}
    for file in files:
        for call in calls(file, WORDS):
            texts = tuple(each.value for each in call.args if isinstance(each, ast.Constant))
            plural = name_of(call) in PLURAL_WORDS
            if texts and isinstance(texts[0], str):
                found.setdefault(texts[:2] if plural else texts[0], []).append(file)
    return found


def calls(file: str, names: Collection[str]) -> list[ast.Call]:
    """Return the calls of some functions in a file, in its order; those within f-strings, too."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node) in names]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def name_of(call: ast.Call) -> str:
    """Return the last part of the name of the function that is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def read(code: str) -> Catalog:
    """Read the catalogue of a language."""
    with (LOCALE / f"{code}.po").open("rb") as file:
        return pofile.read_po(file, locale=code)


def write(code: str, catalogue: Catalog) -> None:
    """Write the catalogue of a language, with no dates that would change it at each run."""
    text = io.BytesIO()
    pofile.write_po(text, catalogue, omit_header=True, width=116, sort_by_file=False)
    language = f"Language: {code}\\n"
    plural = f"Plural-Forms: {catalogue.plural_forms}\\n"
    head = f'msgid ""\nmsgstr ""\n"{language}"\n"Content-Type: text/plain; charset=utf-8\\n"\n"{plural}"\n\n'
    (LOCALE / f"{code}.po").write_text(head + text.getvalue().decode(), "utf-8")


def update(code: str) -> list[Message]:
    """Bring a catalogue in line with the code, and return what it does not translate yet."""
    known = read(code) if (LOCALE / f"{code}.po").exists() else Catalog(code)
    new, missing = Catalog(code), []
    for message, files in said().items():
        key = message if isinstance(message, str) else message[0]
        old = known.get(key)
        new.add(message, old.string if old else None, locations=[(file, None) for file in dict.fromkeys(files)])
        if not old or not (old.string if isinstance(old.string, str) else all(old.string)):
            missing.append(message)
    write(code, new)
    return missing


if __name__ == "__main__":
    for each in CODES:
        print(each, *update(each), sep="\n  ")
