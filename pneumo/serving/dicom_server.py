"""A DICOM node that takes films by C-STORE and answers C-ECHO (DICOM PS3.4 A and B, PS3.7)."""

import logging
import ssl
import textwrap
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from pydicom import uid
from pydicom.dataset import Dataset

from pneumo.errors import ArchiveError, AuditError, BusyError, ImageError, SpoolError
from pneumo.radiograph import decoder_limits
from pneumo.reports import dicom
from pneumo.sentences import visible
from pneumo.serving.dicom_answers import FILMS, NAME, is_own

_VERIFICATION = "1.2.840.10008.1.1"
# What `radiograph` decodes; of JPEG Extended it reads no film of 12 bits, so senders turn those into something else.
SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
)
# A film that `radiograph` finds too large gets a report that says so, up to this size.
MOST_BYTES = 2 * decoder_limits.MAX_BYTES
# pneumo asks for pieces (PDUs) of 16 KiB; what is said before a film is not much longer.
MOST_PIECE_BYTES = 1024**2
# With a film of that size in each they take a gigabyte.
MOST_ASSOCIATIONS = 10
# Seconds that a sender may be silent.
SILENCE_SECONDS = 60
# Of C-STORE (DICOM PS3.4 B.2.3); the comment tells more (PS3.7 C), in 64 letters.
SUCCESS, OUT_OF_RESOURCES, NOT_SUPPORTED, MISMATCH, NOT_UNDERSTOOD = 0x0000, 0xA700, 0x0122, 0xA900, 0xC000
_LONGEST_COMMENT = 64

_log = logging.getLogger(__name__)


class Taker(Protocol):
    """What is done with a film that comes; see `dicom_answers`."""

    def take(self, film: bytes, sender: str) -> None:
        """Take a film over: when this returns, it is no longer the sender's to keep."""
        ...


class DicomServer:
    """Listens for films; made it listens, until it is stopped.

    Args:
        taker: takes the films.
        title: AE title by which senders must call.
        address: host and port to listen at.
        callers: AE titles of who may send; everybody where empty.
        tls: with which connections are secured; None for plain ones.

    Attributes:
        port: that it listens at.

    Raises:
        OSError: if it cannot listen there.
    """

    def __init__(
        self,
        taker: Taker,
        title: str,
        address: tuple[str, int],
        callers: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        from pynetdicom import AE, evt

        self._taker = taker
        entity = AE(ae_title=title)
        entity.require_called_aet, entity.require_calling_aet = True, list(callers)
        entity.maximum_associations = MOST_ASSOCIATIONS
        entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = SILENCE_SECONDS
        entity.add_supported_context(_VERIFICATION)
        # Reports are not read, but a study that is sent again holds those that pneumo made.
        for kind in (*FILMS, uid.ComprehensiveSRStorage):
            entity.add_supported_context(kind, list(SYNTAXES))
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, _bound_pieces),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DATA_RECV, self._count),
            (evt.EVT_DIMSE_RECV, self._count_anew),
            (evt.EVT_REJECTED, self._tell_rejected),
        ]
        # Bytes of the message that an association is receiving, by its id.
        self._received: dict[int, int] = {}
        server: Any = entity.start_server(address, block=False, ssl_context=tls, evt_handlers=handlers)
        self._server = server
        self.port: int = server.socket.getsockname()[1]

    def stop(self) -> None:
        """Take no more films; those that are being sent get no answer, so their senders keep them."""
        self._server.shutdown()

    def _store(self, event: Any) -> Dataset:
        request, sender = event.request, visible(event.assoc.requestor.ae_title)
        try:
            film = event.encoded_dataset()
            if is_own(film):
                return _status(SUCCESS)
            if request.AffectedSOPClassUID not in FILMS:
                return _status(NOT_SUPPORTED, "pneumo takes films (CR, DX, SC), and no other reports")
            identity = dicom.identity(film, NAME)
            named = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
            if named != (identity.SOPClassUID, identity.SOPInstanceUID):
                return _status(MISMATCH, "The film is another than the message says")
            self._taker.take(film, sender)
        except (BusyError, SpoolError, ArchiveError, AuditError, MemoryError) as error:
            _log.error("a film of %s is not taken: %s", sender, error)
            return _status(OUT_OF_RESOURCES, str(error) or "There is not memory enough")
        except ImageError as error:
            _log.error("a film of %s is not taken: its header allows no report", sender)
            return _status(NOT_UNDERSTOOD, str(error))
        except Exception as error:
            # What libraries say of a film may quote its header.
            _log.error("a film of %s is not taken (%s)", sender, type(error).__name__)
            return _status(NOT_UNDERSTOOD, "The film cannot be understood")
        return _status(SUCCESS)

    def _count(self, event: Any) -> None:
        """End an association whose message is larger than any film, before it fills the memory."""
        key = id(event.assoc)
        self._received[key] = self._received.get(key, 0) + len(event.data)
        if self._received[key] > MOST_BYTES:
            del self._received[key]
            sender = visible(event.assoc.requestor.ae_title)
            _log.error("a film of %s is not taken: it is larger than %d MiB", sender, MOST_BYTES // 1024**2)
            event.assoc.abort()

    def _count_anew(self, event: Any) -> None:
        self._received.pop(id(event.assoc), None)

    def _tell_rejected(self, event: Any) -> None:
        requestor = event.assoc.requestor
        _log.error("%s calls %s: rejected", visible(requestor.ae_title), visible(requestor.primitive.called_ae_title))


def _bound_pieces(event: Any) -> None:
    """Have a connection end at a piece that announces more than `MOST_PIECE_BYTES`: pynetdicom would take it all in."""
    connection = event.assoc.dul.socket
    receive = connection.recv

    def bounded(length: int) -> bytearray:
        if length > MOST_PIECE_BYTES:
            raise OSError(f"a PDU of {length} bytes")
        return receive(length)

    connection.recv = bounded


def _status(code: int, comment: str = "") -> Dataset:
    status = Dataset()
    status.Status = code
    if comment:
        # In the letters of every message, ASCII (PS3.7, 6.3.1).
        plain = comment.encode("ascii", "replace").decode()
        status.ErrorComment = textwrap.shorten(plain, _LONGEST_COMMENT, placeholder=" ...")
    return status


def tls_contexts(certificate: Path, key: Path, authority: Path | None = None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return how connections are secured that come in, and those that go out (DICOM PS3.15 B.12).

    Args:
        certificate: pneumo's own, PEM.
        key: of the certificate, PEM.
        authority: certificate, PEM, by which others are known; they must then show one. The system's where None, and
            nobody who calls must show one.

    Raises:
        OSError: if a file is missing or no certificate or key.
    """
    comes_in = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    goes_out = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)
    for context in (comes_in, goes_out):
        context.load_cert_chain(certificate, key)
    if authority:
        comes_in.verify_mode = ssl.CERT_REQUIRED
    return comes_in, goes_out
