"""The HTTP API: a film in, the object that ``pneumo predict --json`` prints out.

Films stay in memory. Neither they nor their names are written or logged.
"""

import dataclasses
import hmac
import logging
import os
import threading
import traceback
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pneumo import DISCLAIMER, __version__
from pneumo.errors import (
    AuditError,
    BusyError,
    GateError,
    ImageSizeError,
    ModelError,
    PneumoError,
    UnsupportedImageError,
)
from pneumo.inference import Models, Reading, open_models, read_film
from pneumo.model_store import site as sites
from pneumo.model_store import store
from pneumo.model_store.card import CLASSIFICATION
from pneumo.reports.records import record, to_json
from pneumo.serving import api_page, audit, queue, upload
from pneumo.serving.queue import Queue, Ticket

TOKEN = "PNEUMO_API_TOKEN"  # noqa: S105  # the name of the variable
MOST_MODELS = 4
# What a client is told to wait where pneumo is busy, in seconds.
RETRY_AFTER = 60
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger(__name__)


class Options(BaseModel):
    """What a client asks for; in the query or as fields of the form."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[
        str | None, Field(description="Name of a model; if left out that of PNEUMO_SITE, else the best on validation.")
    ] = None
    prevalence: Annotated[
        float | None,
        Field(gt=0, lt=1, description="The share of children with pneumonia where you work, above 0 and below 1."),
    ] = None
    correct: Annotated[
        bool,
        Field(
            description="Turn or invert the film, or cut it out of its picture, where the check finds that it needs it."
        ),
    ] = False
    film: Annotated[
        int, Field(ge=1, le=100, description="With `correct`: which of several films in one picture, from 1.")
    ] = 1
    force: Annotated[bool, Field(description="Assess what the check refuses, too.")] = False
    unchecked: Annotated[
        bool, Field(description="Assess the film without the check; works where its networks are missing.")
    ] = False


class Problem(BaseModel):
    """Why there is no answer."""

    detail: Annotated[str, Field(description="What is wrong and what to do, in a sentence.")]


class State(BaseModel):
    """How the server is."""

    status: str


class LoadedModels:
    """Models that are loaded once, and anew where a card was rewritten; one object serves many threads.

    Attributes:
        folder: of model folders; see `store.models_folder` where None.
        default: the model that answers where none is named.
        is_ready: whether the default one has answered once.
    """

    def __init__(self, folder: Path | None = None) -> None:
        site = sites.configured()
        self.default = site.model if site else store.default_name(folder)
        self.is_ready = False
        self.folder = folder
        self._opened: dict[tuple[str, str, bool], Models] = {}
        self._lock = threading.Lock()
        self._preparing: threading.Thread | None = None

    def open(self, name: str | None, *, unchecked: bool = False) -> Models:
        """Return a model by name, the default one where None.

        Raises:
            KeyError: if there is no such model; its text says which there are.
            ModelError: if the model or the gate is damaged.
        """
        if name is not None and name not in (known := store.names(self.folder, CLASSIFICATION)):
            raise KeyError(f"There is no such model. Choose one of: {', '.join(known)}.")
        name = name or self.default
        key = name, store.card_key(name, self.folder), unchecked
        with self._lock:
            if key not in self._opened:
                opened = open_models(name, self.folder, unchecked=unchecked)
                opened.warm_up()
                while len(self._opened) >= MOST_MODELS:
                    self._opened.pop(next(iter(self._opened)))
                self._opened[key] = opened
                self.is_ready = self.is_ready or (name == self.default and not unchecked)
            return self._opened[key]

    def prepare(self) -> None:
        """Let the default model answer once, in a thread of its own, unless one is at it; what fails is logged."""
        if self.is_ready or (self._preparing and self._preparing.is_alive()):
            return
        self._preparing = threading.Thread(target=self._answer_once, daemon=True)
        self._preparing.start()

    def _answer_once(self) -> None:
        try:
            self.open(None)
        except PneumoError as error:
            log.error("The model could not be loaded: %s", error)


def token_of_environment() -> str | None:
    """Return what clients must show, ``PNEUMO_API_TOKEN``; None where it is not set."""
    return os.environ.get(TOKEN, "").strip() or None


def create_app(models: LoadedModels, films: Queue | None = None, token: str | None = None) -> FastAPI:
    """Make the application.

    Args:
        models: that answer; the default one is loaded at start.
        films: the queue before them; that of the process where None.
        token: what clients must show; None where all may ask.
    """
    films = films or queue.of_process()
    threads = anyio.CapacityLimiter(films.most)

    @asynccontextmanager
    async def start(_app: FastAPI) -> AsyncIterator[None]:
        models.prepare()
        yield

    def authorised(request: Request) -> None:
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if token is None or (kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())):
            return
        raise HTTPException(
            401, "Show the token of this server: “Authorization: Bearer TOKEN”.", {"WWW-Authenticate": "Bearer"}
        )

    app = FastAPI(
        title="pneumo",
        version=__version__,
        description=f"Reads children's chest radiographs. {DISCLAIMER}",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=start,
    )
    app.exception_handler(RequestValidationError)(_invalid)

    @app.middleware("http")
    async def add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        response.headers.update(HEADERS)
        return response

    @app.get("/api/health", summary="Whether the server runs")
    async def health() -> State:
        return State(status="ok")

    @app.get("/api/ready", summary="Whether the model has answered once", responses={503: {"model": Problem}})
    async def ready() -> State:
        if not models.is_ready:
            # A model that was missing or damaged may be there by now.
            models.prepare()
            raise HTTPException(503, "The model is being loaded, or could not be. Ask again in a few seconds.")
        return State(status="ready")

    @app.get("/api", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(api_page.page(app.openapi()))

    @app.get(
        "/api/models",
        summary="The models with their figures, best first",
        dependencies=[Depends(authorised)],
        responses={401: {"model": Problem}},
    )
    def list_models() -> list[dict[str, Any]]:
        return [dataclasses.asdict(card) for card in store.catalogue(models.folder).cards]

    @app.post(
        "/api/predict",
        summary="Read a film",
        dependencies=[Depends(authorised)],
        responses=api_page.answers(Problem),
        openapi_extra={"requestBody": api_page.request_body(Options.model_json_schema()["properties"])},
        response_class=JSONResponse,
    )
    async def predict(request: Request, asked: Annotated[Options, Query()]) -> Response:
        try:
            ticket = films.enter(request.client.host if request.client else "")
        except BusyError as error:
            raise HTTPException(429, str(error), {"Retry-After": str(RETRY_AFTER)}) from None
        with ticket:
            film = await upload.receive(request)
            options = _with_fields(asked, film.fields)
            return await anyio.to_thread.run_sync(_answer, film, options, models, ticket, limiter=threads)

    return app


def _with_fields(asked: Options, fields: dict[str, str]) -> Options:
    try:
        return Options.model_validate({**asked.model_dump(exclude_unset=True), **fields})
    except ValidationError as error:
        raise HTTPException(422, _complaint(error.errors())) from None


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return JSONResponse({"detail": _complaint(error.errors())}, 422)


def _complaint(errors: Any) -> str:
    """Say what is wrong with options; what the client sent is not told again, for it may name a person."""
    known = Options.model_fields
    named = ((error["loc"][-1] if error["loc"][-1] in known else "an option", error["msg"]) for error in errors)
    return f"{'; '.join(f'{name}: {message}' for name, message in named)}. The options are: {', '.join(known)}."


def _answer(film: upload.Upload, options: Options, models: LoadedModels, ticket: Ticket) -> Response:
    """Read a film in its turn and return its record."""
    ticket.wait()
    try:
        opened = models.open(options.model, unchecked=options.unchecked)
        reading = audit.noted(_reading(film, options, opened), "api")
        answer = record(reading, options.prevalence)
    except KeyError as error:
        raise HTTPException(422, error.args[0]) from None
    except GateError as error:
        raise HTTPException(503, f"{error} To assess films without the check, send unchecked=true.") from None
    except ModelError as error:
        raise HTTPException(503, str(error)) from None
    except Exception as error:
        raise _failure(error) from None
    return Response(to_json(answer), _status(reading), media_type="application/json")


def _reading(film: upload.Upload, options: Options, models: Models) -> Reading:
    reading = read_film(film.data, film.name, models, force=options.force)
    offered = reading.gate.corrections if options.correct and reading.gate else ()
    if offered:
        chosen = offered[min(options.film, len(offered)) - 1]
        return read_film(film.data, film.name, models, correct=chosen, force=options.force)
    return reading if options.force else reading.with_hint("Send it again with correct=true.")


def _status(reading: Reading) -> int:
    """Return the status of HTTP for what became of a film."""
    if reading.error is None:
        return 200
    if isinstance(reading.error, ImageSizeError):
        return 413
    if isinstance(reading.error, AuditError):
        return 503
    return 415 if isinstance(reading.error, UnsupportedImageError) else 422


def _failure(error: Exception) -> HTTPException:
    """Log a failure that nobody foresaw without its message, which may quote the film's file, and tell its number."""
    number = uuid.uuid4().hex[:8]
    log.error("Failure %s: %s\n%s", number, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return HTTPException(
        500, f"pneumo failed on this film. Tell who runs this server the number {number}; its log says more."
    )
