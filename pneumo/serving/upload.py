"""A film in the body of an HTTP request, held in memory alone: nothing of it is spooled to disk."""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pneumo.radiograph.decoder_limits import MAX_BYTES

FORM, FIELD = "multipart/form-data", "file"
# Bodies that are a film as they stand.
BARE = re.compile(r"image/[\w.+-]+|application/(dicom|octet-stream|pdf)")
BARE_NAME = "film"
# What a form has beside the film.
MOST_FIELDS, LONGEST_FIELD, MOST_OVERHEAD = 16, 1024, 64 * 1024
LONGEST_NAME = 255
SECONDS = 120
ASK = "Send one film, as multipart/form-data in the field “file”, or as the body with the type of its picture."


@dataclass(frozen=True)
class Upload:
    """A film that was sent.

    Attributes:
        data: the bytes of its file.
        name: what its sender calls it.
        fields: the other fields of the form.
    """

    data: bytes
    name: str
    fields: dict[str, str]


class _InMemory(MultiPartParser):
    spool_max_size = MAX_BYTES + MOST_OVERHEAD


async def receive(request: Request) -> Upload:
    """Receive the film of a request.

    Raises:
        HTTPException: 408 if it takes longer than `SECONDS`; 413 if it is too large; 415 if the body is of another
            type; 422 if there is no film in it, or more than one.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != FORM and not BARE.fullmatch(kind):
        raise HTTPException(415, ASK)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BYTES + MOST_OVERHEAD:
        raise _too_large()
    try:
        async with asyncio.timeout(SECONDS):
            if kind == FORM:
                return await _of_form(request)
            data = b"".join([chunk async for chunk in _bounded(request)])
    except TimeoutError:
        raise HTTPException(408, f"The film did not arrive within {SECONDS} seconds. Send it again.") from None
    if not data:
        raise HTTPException(422, f"The request holds no film. {ASK}")
    return Upload(data, BARE_NAME, {})


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > MAX_BYTES + MOST_OVERHEAD:
            raise _too_large()
        yield chunk


async def _of_form(request: Request) -> Upload:
    parser = _InMemory(
        request.headers, _bounded(request), max_files=1, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD
    )
    try:
        form = await parser.parse()
    except MultiPartException:
        raise HTTPException(422, f"The form is damaged, or holds more than one film. {ASK}") from None
    try:
        return await _film_of(form)
    finally:
        await form.close()


async def _film_of(form: FormData) -> Upload:
    film = form.get(FIELD)
    if not isinstance(film, UploadFile):
        raise HTTPException(422, f"The form holds no film. {ASK}")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return Upload(await film.read(), (film.filename or BARE_NAME)[:LONGEST_NAME], fields)


def _too_large() -> HTTPException:
    return HTTPException(413, f"The film is larger than {MAX_BYTES // 1024**2} MiB. Export the film in a smaller size.")
