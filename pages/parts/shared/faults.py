"""What is said of an error that nobody foresaw: a sentence on the page, and where it happened in the log."""

import errno
import logging
import secrets
import traceback

import streamlit as st

from pages.parts.shared.language import _

_log = logging.getLogger(__name__)


def tell(error: Exception) -> bool:
    """Tell the user of an error by a number, by which the log knows it.

    Returns:
        True, so that Streamlit says nothing of its own.
    """
    number = secrets.token_hex(4)
    _log.error("Error %s on a page, without what it said of any film:\n%s", number, trace(error))
    if isinstance(error, MemoryError):
        what = _("The server has too little memory left for this. Wait a minute, then load the page again.")
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        what = _("The disk of the server is full. Free some space, then load the page again.")
    else:
        what = _("Something went wrong here. Load the page again.")
    st.error(f"{what} {_('If it stays so, tell whoever runs this server the number {number}.', number=number)}")
    return True


def trace(error: BaseException) -> str:
    """Return the kind of an error and the lines that led to it, and the same of what caused it.

    What an error says is left out: it may name a file, and so a patient.
    """
    told = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = [
            f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(at.__traceback__)
        ]
        told.append("\n".join([type(at).__qualname__, *frames]))
        at = at.__cause__ or at.__context__
    return "\nafter ".join(told)
