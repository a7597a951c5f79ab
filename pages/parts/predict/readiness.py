"""A probe for whoever runs the server: whether the default model has answered yet."""

import logging
import threading

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pneumo.errors import PneumoError

PATH = "/ready"

_log = logging.getLogger(__name__)


class Readiness:
    """Whether the models that Predict answers with have read a film in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered: tuple[str, ...] = ()
        self._trial: threading.Thread | None = None

    def answer(self, _request: Request) -> PlainTextResponse:
        """Answer 200 once the default model has read a sample, else 503; the first call begins to read it.

        Models that are replaced have to read it anew. Why one cannot is for the log, and not for visitors.
        """
        with self._lock:
            if self._is_answered():
                return PlainTextResponse("ready\n")
            if self._trial is None or not self._trial.is_alive():
                self._trial = threading.Thread(target=self._try, daemon=True)
                self._trial.start()
        return PlainTextResponse("not ready: the model has not answered yet\n", 503)

    def _is_answered(self) -> bool:
        # What takes long to import is so only once somebody asks: the server starts without it.
        from pages.parts.predict import loaded_models

        try:
            return loaded_models.default_keys() == self._answered
        except PneumoError:
            return False

    def _try(self) -> None:
        from pages.parts.predict import loaded_models
        from pneumo.datasets import samples
        from pneumo.inference.reading import read_film

        try:
            keys = loaded_models.default_keys()
            film = samples.load_samples()[0].path
            reading = read_film(film, film.name, loaded_models.load_default())
        except PneumoError as error:
            _log.error("pneumo is not ready. %s", error)
            return
        if reading.assessment is None:
            _log.error("pneumo is not ready: the model gives %s no answer. %s", film.name, " ".join(reading.reasons))
            return
        self._answered = keys


route = Route(PATH, Readiness().answer)
