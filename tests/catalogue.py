"""What the code says to people, and the catalogues of it.

``python tests/catalogue.py`` brings the catalogues in line with the code: it adds what is new with an empty
translation, which the tests then ask for, and drops what nothing says any more. The messages stand in the order of
their English text and without the files that hold them, so that what moves in the code changes no catalogue.
"""

import ast
import csv
import io
import re
from collections.abc import Collection
from pathlib import Path

from babel.messages import Catalog, pofile

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "pneumo" / "locale"
CODES = ("zh", "es", "fr")
CHECKLIST = ROOT / "pneumo" / "results" / "checklist.csv"


def _files(*patterns: str) -> tuple[str, ...]:
    return tuple(sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)))


# What the pages are made of: here no text is left in English.
PAGE = _files(
    "streamlit_app.py",
    *(f"pages/{name}.py" for name in ("predict", "leaderboard", "compare", "clinic", "failures", "model_card")),
    *("pages/parts/predict/*.py", "pages/parts/shared/*.py", "pages/parts/models/*.py"),
    *(f"pages/{name}.py" for name in ("dataset", "leaks", "gallery", "augmentation", "own_data", "drift")),
    *("pages/parts/charts/*.py", "pages/parts/data/*.py"),
)
# The modules whose sentences the pages or the PDF tell.
LIBRARY = _files(
    *("pneumo/__init__.py", "pneumo/errors.py", "pneumo/sentences.py", "pneumo/labels.py"),
    *(f"pneumo/evaluation/{name}.py" for name in ("calibration", "clinic", "comparison", "intervals")),
    *(f"pneumo/datasets/{name}.py" for name in ("checks", "download", "hospitals", "kaggle", "medmnist", "samples")),
    *("pneumo/datasets/shortcuts.py", "pneumo/datasets/summary.py"),
    *(f"pneumo/model_store/{name}.py" for name in ("site", "store", "weights")),
    *("pneumo/results/*.py", "pneumo/preprocessing/augmentation.py"),
    *("pneumo/radiograph/*.py", "pneumo/inference/*.py", "pneumo/explanation/*.py", "pneumo/reports/[!d]*.py"),
    *("pneumo/serving/queue.py", "pneumo/serving/audit.py", "pneumo/serving/drift.py"),
)
ERRORS = (
    *("UnreadableImageError", "UnsupportedImageError", "ImageSizeError", "ExplanationError"),
    *("DatasetError", "ModelError", "PneumoError", "BusyError", "AuditError"),
)
PLURAL_WORDS = ("say_many", "many")
# What a template is given to, first of all arguments.
WORDS = ("say", "_", *PLURAL_WORDS, *ERRORS)

Message = str | tuple[str, str]
# What is the same in all languages: figures and the signs around them.
WORDLESS = re.compile(r"(\{\w*(:[^}]*)?\}|[\s\d():–−·.|\-])*")


def said(files: tuple[str, ...] = PAGE + LIBRARY) -> set[Message]:
    """Return every template in the code; a pair is one of singular and plural."""
    found: set[Message] = listed() if "pneumo/results/model_card.py" in files else set()
    for file in files:
        for call in calls(file, WORDS):
            texts = tuple(each.value for each in call.args if isinstance(each, ast.Constant))
            plural = name_of(call) in PLURAL_WORDS
            if texts and isinstance(texts[0], str) and not WORDLESS.fullmatch(texts[0]):
                found.add(texts[:2] if plural else texts[0])
    return found


def listed() -> set[Message]:
    """Return the sentences of the reporting guidelines, which stand in a table."""
    with CHECKLIST.open(encoding="utf-8", newline="") as file:
        return {row[column] for row in csv.DictReader(file) for column in ("asks", "reason")}


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
    pofile.write_po(text, catalogue, omit_header=True, width=116)
    language = f"Language: {code}\\n"
    plural = f"Plural-Forms: {catalogue.plural_forms}\\n"
    head = f'msgid ""\nmsgstr ""\n"{language}"\n"Content-Type: text/plain; charset=utf-8\\n"\n"{plural}"\n\n'
    (LOCALE / f"{code}.po").write_text(head + text.getvalue().decode(), "utf-8")


def update(code: str) -> list[Message]:
    """Bring a catalogue in line with the code, and return what it does not translate yet."""
    known = read(code) if (LOCALE / f"{code}.po").exists() else Catalog(code)
    new, missing = Catalog(code), []
    for message in sorted(said(), key=lambda each: each if isinstance(each, str) else each[0]):
        key = message if isinstance(message, str) else message[0]
        old = known.get(key)
        new.add(message, old.string if old else None).flags.clear()
        if not old or not (old.string if isinstance(old.string, str) else all(old.string)):
            missing.append(message)
    write(code, new)
    return missing


if __name__ == "__main__":
    for each in CODES:
        print(each, *update(each), sep="\n  ")
