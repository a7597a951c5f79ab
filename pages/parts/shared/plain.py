"""Text of strangers, such as the names of their files, in places that Streamlit reads as Markdown."""

import re

# Between backticks Markdown reads nothing: pneumo's own sentences put commands there.
_CODE = re.compile(r"(`[^`\n]*`)")
_SIGNS = re.compile(r"([\\*_\[\]<>$~:#!|`])")


def plain(text: object) -> str:
    """Return Markdown that shows a text as it is, but for the code between backticks."""
    parts = _CODE.split(str(text))
    return "".join(part if place % 2 else _SIGNS.sub(r"\\\1", part) for place, part in enumerate(parts))
