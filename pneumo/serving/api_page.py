"""What the HTTP API says of itself: the schema of an answer, and a plain page that needs no network."""

from html import escape
from typing import Any

from pneumo.serving.upload import FIELD, FORM

_SENTENCES = {"type": "array", "items": {"type": "string"}}
_PERHAPS_SHARE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_CORNERS = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
# What `Record.as_values` returns; what does not apply to a film is left out, or null where it is required.
RECORD: dict[str, Any] = {
    "title": "Record",
    "type": "object",
    "required": [
        *("file", "status", "answer", "probability", "reasons", "findings", "forced", "checked", "model"),
        *("model_title", "model_sha256", "pneumo_version", "disclaimer"),
    ],
    "properties": {
        "file": {"type": "string", "description": "What the film is called."},
        "status": {"enum": ["ok", "refused", "error"]},
        "answer": {"enum": ["likely", "uncertain", "unlikely", None]},
        "probability": {**_PERHAPS_SHARE, "description": "Calibrated probability of pneumonia."},
        "uncertain_because": {"enum": ["foreign", "between_limits", "rare"]},
        "statement": {"type": "string", "description": "What the answer comes to, as a count of children."},
        "reasons": {**_SENTENCES, "description": "Why this answer, or why there is none."},
        "findings": {
            "type": ["array", "null"],
            "description": "Of the check, refusals first; null where it was not asked.",
            "items": {
                "type": "object",
                "required": ["code", "severity", "message"],
                "properties": {
                    "code": {"type": "string"},
                    "severity": {"enum": ["refuse", "warn"]},
                    "message": {"type": "string"},
                    "crops": {"type": "array", "items": _CORNERS},
                },
            },
        },
        "forced": {"type": "boolean"},
        "checked": {"type": "boolean"},
        "thresholds": {"type": "object", "additionalProperties": {"type": "number"}},
        "prevalence": _PERHAPS_SHARE,
        "clinic_prevalence": _PERHAPS_SHARE,
        "severity": {
            "type": "object",
            "description": "How much of the lungs is opaque.",
            "properties": {
                "share": _PERHAPS_SHARE,
                "right": _PERHAPS_SHARE,
                "left": _PERHAPS_SHARE,
                "grade": {"enum": ["mild", "moderate", "severe"]},
                "error": _PERHAPS_SHARE,
            },
        },
        "crop": _CORNERS,
        "image": {
            "type": "object",
            "properties": {
                "format": {"type": "string"},
                "width": {"type": "integer"},
                "height": {"type": "integer"},
            },
        },
        "image_sha256": {"type": "string"},
        "model": {"type": "string"},
        "model_title": {"type": "string"},
        "model_sha256": {"type": "string"},
        "site": {"type": "object"},
        "pneumo_version": {"type": "string"},
        "disclaimer": {"type": "string"},
    },
}
_FILM = {"type": "string", "format": "binary"}
_OF_FILM = {
    413: "Beyond the limits of size.",
    415: "Of a kind that is not read.",
    422: "Damaged, or no film.",
    503: "There is no model, it is damaged, or the audit log cannot be written.",
}
_OF_REQUEST = {
    401: "The token is missing or wrong.",
    408: "The film did not arrive in time.",
    429: "The queue is full; `Retry-After` says how many seconds to wait.",
    500: "pneumo failed; the log of the server says more.",
}


def request_body(options: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a request for OpenAPI: a form with a film and options, or a film alone.

    Args:
        options: their schemas by name.
    """
    form = {
        "type": "object",
        "required": [FIELD],
        "properties": {FIELD: _FILM, **options},
        "additionalProperties": False,
    }
    alone = ("image/*", "application/dicom", "application/octet-stream")
    return {
        "required": True,
        "description": "One film: JPEG, PNG, TIFF, BMP, WebP, HEIC, PDF or DICOM. The options may be fields of a form.",
        "content": {FORM: {"schema": form}, **{kind: {"schema": _FILM} for kind in alone}},
    }


def answers(problem: type) -> dict[int | str, dict[str, Any]]:
    """Return the answers to a film for OpenAPI: its record, or a sentence.

    Args:
        problem: the model of a sentence.
    """
    told = {"$ref": f"#/components/schemas/{problem.__name__}"}
    film = {"application/json": {"schema": RECORD}}
    either = {"application/json": {"schema": {"anyOf": [RECORD, told]}}}
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "The film was read: its answer, or why it is refused.", "content": film}
    }
    found |= {code: {"description": words, "content": either} for code, words in _OF_FILM.items()}
    return found | {code: {"description": words, "model": problem} for code, words in _OF_REQUEST.items()}


def page(schema: dict[str, Any]) -> str:
    """Return the API as a page for people, which loads nothing.

    Args:
        schema: of OpenAPI.
    """
    about = schema["info"]
    sections = [
        _section(method.upper(), path, said)
        for path, methods in schema["paths"].items()
        for method, said in methods.items()
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>pneumo API</title><style>{_STYLE}</style><h1>pneumo API {escape(about['version'])}</h1>"
        f"<p>{escape(about['description'])}</p><p>For programs: <a href='/api/openapi.json'>/api/openapi.json</a></p>"
        f"{''.join(sections)}</html>"
    )


_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}td,th{text-align:left;"
    "vertical-align:top;padding:.2rem 1rem .2rem 0}code{background:#eee;color:#111;padding:.1rem .3rem}"
)


def _section(method: str, path: str, said: dict[str, Any]) -> str:
    options = [(each["name"], each.get("description", "")) for each in said.get("parameters", ())]
    codes = [(code, each["description"]) for code, each in sorted(said["responses"].items())]
    body = f"<p>{escape(said['requestBody']['description'])}</p>" if "requestBody" in said else ""
    return (
        f"<h2><code>{method} {escape(path)}</code></h2><p>{escape(said['summary'])}.</p>{body}"
        f"{_table('Option', options)}{_table('Status', codes)}"
    )


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(words)}" for name, words in rows)
    return f"<table><tr><th>{head}<th>{cells}</table>"
