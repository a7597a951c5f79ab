"""An archive that is reached by DICOMweb (DICOM PS3.18): it is searched by QIDO-RS, read by WADO-RS, fed by STOW-RS."""

import base64
import io
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pydicom import dcmread

from pneumo.errors import ArchiveError, ImageError, PneumoError
from pneumo.inference import Models
from pneumo.reports.dicom import report_uids
from pneumo.serving.dicom_answers import FILMS, AtOnce, is_own, log_id

if TYPE_CHECKING:
    from requests import Session

_SECONDS = 60
_USER, _PASSWORD, _TOKEN = "PNEUMO_DICOMWEB_USER", "PNEUMO_DICOMWEB_PASSWORD", "PNEUMO_DICOMWEB_TOKEN"
# Studies in one answer to a search.
_PAGE = 500
# Answers of a server that is there and will not take what it was sent (RFC 9110): at all others it is away.
_NOT_TAKEN = (400, 409, 413, 415, 422)
# Films in a row that cannot be fetched or answered before the archive is left alone until the next look.
_MOST_FAILURES = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """The UIDs of a film and of the series and the study that it lies in."""

    study: str
    series: str
    film: str


class WebArchive:
    """An archive that is reached by DICOMweb; one object serves many threads.

    Args:
        url: of the service, such as ``https://pacs.example/dicom-web``.
        headers: that each request bears, such as ``Authorization``.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        from dicomweb_client import DICOMwebClient

        self._client = DICOMwebClient(url, session=_session(), headers=dict(headers or {}), timeout=_SECONDS)
        # Who calls tries again, and more patiently.
        self._client.set_http_retry_params(retry=False)

    def store(self, objects: Iterator[bytes]) -> Iterator[str]:
        """Store DICOM files one by one, and yield for each why it is not taken; empty where it is there.

        Raises:
            ArchiveError: if the archive cannot be reached, or no longer.
        """
        for data in objects:
            yield self._stored(data)

    def _stored(self, data: bytes) -> str:
        try:
            reply = self._asked(self._client.store_instances, datasets=[dcmread(io.BytesIO(data))])
        except ArchiveError as error:
            if (status := http_status(error.__cause__)) in _NOT_TAKEN:
                return f"HTTP {status}"
            raise
        failed = reply.get("FailedSOPSequence")
        return f"reason 0x{failed[0].get('FailureReason', 0):04X}" if failed else ""

    def studies(self, first: date, last: date) -> dict[str, int]:
        """Return the studies of some days, and how many instances each has.

        Raises:
            ArchiveError: if the archive cannot be reached.
        """
        found = self._asked(
            self._client.search_for_studies,
            search_filters={"StudyDate": f"{first:%Y%m%d}-{last:%Y%m%d}"},
            fields=["NumberOfStudyRelatedInstances"],
        )
        return {_value(study, "0020000D"): int(_value(study, "00201208") or 0) for study in found}

    def all_studies(self, filters: Mapping[str, str]) -> Iterator[str]:
        """Yield the studies that match, page by page.

        Args:
            filters: matching keys (DICOM PS3.18, 8.3.4.1) by their keywords, such as ``{"StudyDate": "20260101-"}``.

        Raises:
            ArchiveError: if the archive cannot be reached.
        """
        offset, first = 0, ""
        while page := self._asked(
            self._client.search_for_studies, search_filters=dict(filters), limit=_PAGE, offset=offset
        ):
            studies = [_value(study, "0020000D") for study in page]
            if studies[0] == first:
                # A service that knows no pages gives all studies each time.
                return
            yield from studies
            offset, first = offset + len(page), studies[0]

    def films(self, study: str) -> tuple[list[Place], set[str]]:
        """Return the films of a study, and the UIDs of all that is in it.

        Raises:
            ArchiveError: if the archive cannot be reached.
        """
        found = self._asked(self._client.search_for_instances, study_instance_uid=study, fields=["SOPClassUID"])
        films = [
            Place(study, _value(instance, "0020000E"), _value(instance, "00080018"))
            for instance in found
            if _value(instance, "00080016") in FILMS
        ]
        return films, {_value(instance, "00080018") for instance in found}

    def fetch(self, place: Place) -> bytes:
        """Return the file of a film.

        Raises:
            ArchiveError: if the archive cannot be reached.
        """
        instance = self._asked(
            self._client.retrieve_instance,
            study_instance_uid=place.study,
            series_instance_uid=place.series,
            sop_instance_uid=place.film,
        )
        stream = io.BytesIO()
        instance.save_as(stream, enforce_file_format=True)
        return stream.getvalue()

    def _asked(self, call: Any, **arguments: Any) -> Any:
        from requests import HTTPError, RequestException

        try:
            return call(**arguments)
        except HTTPError as error:
            if (status := http_status(error)) in (401, 403):
                raise ArchiveError(
                    "The archive does not let pneumo in (HTTP {status}): set PNEUMO_DICOMWEB_USER and "
                    "PNEUMO_DICOMWEB_PASSWORD, or PNEUMO_DICOMWEB_TOKEN.",
                    status=status,
                ) from error
            raise ArchiveError("The archive answers HTTP {status}.", status=status) from error
        except (RequestException, ValueError) as error:
            # What is said beside the kind of error may hold addresses, and these UIDs.
            raise ArchiveError("The archive is away ({kind}).", kind=type(error).__name__) from error


def authorization(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the header by which a DICOMweb service knows pneumo; none where the environment names nothing."""
    if token := environment.get(_TOKEN):
        return {"Authorization": f"Bearer {token}"}
    if user := environment.get(_USER):
        pair = f"{user}:{environment.get(_PASSWORD, '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def http_status(error: BaseException | None) -> int | None:
    """Return the status of an answer that an error was raised for; None where there was none."""
    response = getattr(error, "response", None)
    return None if response is None else response.status_code


def _session() -> "Session":
    from requests import Session

    session = Session()
    # A proxy or a password file that the environment names is not meant for the archive.
    session.trust_env = False
    return session


def _value(instance: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an element in DICOM JSON (DICOM PS3.18 F.2); empty where there is none."""
    return str((instance.get(tag, {}).get("Value") or [""])[0])


class Poll:
    """Looks again and again for films without a report of these models, and answers them.

    What was answered is seen in the archive itself, by the UIDs of reports, so nothing needs to be kept here.

    Args:
        archive: where films are found and answers go.
        models: that read films.
        answers: what answers them.
        seconds: between two looks.
        days: before today of which studies are looked at.
    """

    def __init__(self, archive: WebArchive, models: Models, answers: AtOnce, seconds: float, days: int) -> None:
        self._archive, self._models, self._answers = archive, models, answers
        self._seconds, self._days = seconds, days
        self._stopped = threading.Event()
        # How many instances a study had when nothing was left to do in it, and films that have no answer.
        self._done: dict[str, int] = {}
        self._without: set[str] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Look in a thread of its own until it is stopped."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the film at hand."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except PneumoError as error:
                _log.error("%s Next look in %.0f s", error, self._seconds)
            self._stopped.wait(self._seconds)

    def look(self) -> None:
        """Answer every film that has no report.

        Raises:
            ArchiveError: if the archive cannot be reached.
        """
        # The archive's days are those of the place.
        today = date.today()
        studies = self._archive.studies(today - timedelta(days=self._days), today)
        self._done = {study: count for study, count in self._done.items() if study in studies}
        failures = 0
        for study, count in studies.items():
            if self._done.get(study) == count:
                continue
            films, there = self._archive.films(study)
            missing = [
                place
                for place in films
                if place.film not in self._without and there.isdisjoint(report_uids(place.film, self._models))
            ]
            for place in missing:
                if self._stopped.is_set():
                    return
                failures = 0 if self._answer(place) else failures + 1
                if failures == _MOST_FAILURES:
                    raise ArchiveError("{films} films in a row got no answer.", films=failures)
            if not missing:
                self._done[study] = count

    def _answer(self, place: Place) -> bool:
        """Answer a film, and return whether all is done that can be done about it."""
        film = b""
        try:
            film = self._archive.fetch(place)
            if is_own(film):
                self._without.add(place.film)
            else:
                self._answers.take(film, place.study)
        except ImageError:
            self._without.add(place.film)
            _log.error("film %s: its header allows no report, so it gets no answer", log_id(film))
        except PneumoError as error:
            _log.error("film %s: %s", log_id(film), error)
            return False
        return True
