"""A visitor of the Predict page without a browser, by Streamlit's own protocol as of 1.67: protobuf over a websocket,
films by its upload endpoint.
"""

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx2
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

XSRF = "_streamlit_xsrf"
SECONDS = 180
LARGEST_MESSAGE = 64 * 1024**2


@dataclass
class Shown:
    """What a run of the page showed.

    Attributes:
        elements: in the order in which they came.
        at: when each came, by `time.monotonic`.
        errors: what a visitor would see as one.
    """

    elements: list[Element] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add(self, element: Element) -> None:
        """Note an element."""
        self.elements.append(element)
        self.at.append(time.monotonic())
        if element.HasField("exception"):
            self.errors.append(f"{element.exception.type}: {element.exception.message}")
        if element.HasField("alert") and element.alert.format == element.alert.ERROR:
            self.errors.append(element.alert.body)

    def download(self, label: str) -> tuple[str, float] | None:
        """Return the address of the last file that is offered under a label, and when it was; None if none is."""
        found = [
            (element.download_button.url, at)
            for element, at in zip(self.elements, self.at, strict=True)
            if element.HasField("download_button") and element.download_button.label == label
        ]
        return found[-1] if found else None

    @property
    def text(self) -> str:
        """All that is Markdown, or a warning."""
        parts = (
            element.markdown.body if element.HasField("markdown") else element.alert.body for element in self.elements
        )
        return "\n".join(parts)


@dataclass
class Answer:
    """What came of one film.

    Attributes:
        record: the JSON that the page offers; None where it offers none.
        seconds: from the first request for an upload to the answer.
        shown: all that the page showed meanwhile.
    """

    record: dict[str, Any] | None
    seconds: float
    shown: Shown


class StreamlitSession:
    """One visitor; as an asynchronous context manager, from arriving to leaving."""

    def __init__(self, url: str) -> None:
        self._url = url
        # A connection that the server has just closed as idle would be an error, where browsers ask again themselves.
        alone = httpx2.Limits(max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(base_url=url, timeout=SECONDS, limits=alone)
        self._uploader = self._session_id = self._page = ""
        self._before: str | None = None

    async def __aenter__(self) -> Self:
        await self._http.get("/_stcore/health")
        self._token = self._http.cookies[XSRF]
        self._socket = await websockets.connect(
            f"{self._url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit"), websockets.Subprotocol(self._token)],
            additional_headers={"Cookie": f"{XSRF}={self._token}"},
            max_size=LARGEST_MESSAGE,
            ping_interval=None,
        )
        await self._run(ClientState())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._socket.close()
        await self._http.aclose()

    async def read(self, name: str, film: bytes) -> Answer:
        """Put a film in the place of the one before, as a visitor does, and return what the page says of it."""
        started = time.monotonic()
        request = BackMsg()
        request.file_urls_request.request_id = name
        request.file_urls_request.file_names.append(name)
        request.file_urls_request.session_id = self._session_id
        await self._socket.send(request.SerializeToString())
        while not (message := await self._receive()).HasField("file_urls_response"):
            pass
        [urls] = message.file_urls_response.file_urls
        headers = {"X-Xsrftoken": self._token}
        sent = await self._http.put(urls.upload_url, files={"file": (name, film)}, headers=headers)
        sent.raise_for_status()
        state = ClientState(page_script_hash=self._page)
        widget = state.widget_states.widgets.add(id=self._uploader)
        uploaded = widget.file_uploader_state_value.uploaded_file_info.add(name=name, size=len(film))
        uploaded.file_id = urls.file_id
        uploaded.file_urls.CopyFrom(urls)
        shown = await self._run(state)
        if self._before:
            await self._http.delete(self._before, headers=headers)
        self._before = urls.delete_url
        offered = shown.download("JSON")
        if offered is None:
            return Answer(None, time.monotonic() - started, shown)
        record = (await self._http.get(offered[0])).json()
        return Answer(record, offered[1] - started, shown)

    async def _run(self, state: ClientState) -> Shown:
        """Run the page, and return what it showed."""
        request = BackMsg()
        request.rerun_script.CopyFrom(state)
        await self._socket.send(request.SerializeToString())
        shown = Shown()
        while not (message := await self._receive()).HasField("script_finished"):
            if message.HasField("new_session"):
                self._page = message.new_session.page_script_hash
                self._session_id = message.new_session.initialize.session_id or self._session_id
            if message.HasField("delta") and message.delta.HasField("new_element"):
                element = message.delta.new_element
                shown.add(element)
                if element.HasField("file_uploader"):
                    self._uploader = element.file_uploader.id
        if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            shown.errors.append("the page did not compile")
        return shown

    async def _receive(self) -> ForwardMsg:
        message = ForwardMsg()
        message.ParseFromString(await self._socket.recv())
        return message
