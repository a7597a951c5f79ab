"""An archive that is reached by DICOM's own protocol (DIMSE, DICOM PS3.7): answers go there with C-STORE."""

import io
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom import dcmread
from pydicom.uid import (
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from pneumo.errors import ArchiveError

if TYPE_CHECKING:
    from pynetdicom.association import Association

_NODE = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[^\]]+\]|[^:@]+):(?P<port>\d{1,5})", re.ASCII)
# Seconds for a connection, and for the answer to a message.
CONNECTION_SECONDS, MESSAGE_SECONDS = 10, 60
# C-STORE (DICOM PS3.4 B.2.3): stored, or stored with a change.
_STORED = (0x0000, 0xB000, 0xB006, 0xB007)
_OUT_OF_RESOURCES = range(0xA700, 0xA800)


@dataclass(frozen=True)
class Node:
    """Where an application entity listens.

    Attributes:
        title: its AE title, 1 to 16 letters.
        host: its name or address.
        port: its port.
    """

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Node":
        """Return the node that is written as ``TITLE@host:port``.

        Raises:
            ValueError: if it is none.
        """
        found = _NODE.fullmatch(text.strip())
        if not found or not 0 < int(found["port"]) < 65536:
            raise ValueError(f"{text!r} is no DICOM node. Write it as TITLE@host:port, such as ORTHANC@10.0.0.5:4242.")
        return cls(ae_title(found["title"]), found["host"].strip("[]"), int(found["port"]))

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


def ae_title(text: str) -> str:
    """Return an AE title as it is compared (DICOM PS3.5, 6.2).

    Raises:
        ValueError: if it is none.
    """
    title = text.strip(" ")
    if not 0 < len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ValueError(f"{text!r} is no AE title: it has 1 to 16 letters, digits and signs, and no backslash.")
    return title


class DicomArchive:
    """An archive that takes answers by C-STORE; one object serves many threads.

    Args:
        title: AE title that pneumo calls itself by.
        node: where the archive listens.
        tls: with which the connection is secured; None for a plain one.
    """

    def __init__(self, title: str, node: Node, tls: ssl.SSLContext | None = None) -> None:
        from pynetdicom import AE

        self._node = node
        # With a certificate the archive's name is checked, too.
        self._security: dict[str, Any] = {"tls_args": (tls, node.host)} if tls else {}
        self._entity = AE(ae_title=title)
        self._entity.connection_timeout = CONNECTION_SECONDS
        self._entity.acse_timeout = self._entity.dimse_timeout = self._entity.network_timeout = MESSAGE_SECONDS
        for kind in (SecondaryCaptureImageStorage, ComprehensiveSRStorage):
            self._entity.add_requested_context(kind, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])

    def store(self, objects: Iterator[bytes]) -> Iterator[str]:
        """Store DICOM files in one association, and yield for each why it is not taken; empty where it is there.

        Raises:
            ArchiveError: if the archive cannot be reached, or no longer.
        """
        association = self._entity.associate(
            self._node.host, self._node.port, ae_title=self._node.title, **self._security
        )
        try:
            if not association.is_established:
                raise ArchiveError(
                    "{node} {does}.",
                    node=str(self._node),
                    does="does not know pneumo's or its own AE title" if association.is_rejected else "is away",
                )
            for data in objects:
                yield self._stored(association, data)
        finally:
            if association.is_established:
                association.release()

    def _stored(self, association: "Association", data: bytes) -> str:
        instance = dcmread(io.BytesIO(data))
        taken = {context.abstract_syntax for context in association.accepted_contexts}
        if instance.SOPClassUID not in taken:
            return f"no {instance.SOPClassUID.name}"
        try:
            status = association.send_c_store(instance).get("Status")
        except RuntimeError:  # The association has ended.
            status = None
        if status is None:
            raise ArchiveError("{node} has gone away.", node=str(self._node))
        if status in _OUT_OF_RESOURCES:
            raise ArchiveError("{node} has no room.", node=str(self._node))
        return "" if status in _STORED else f"status 0x{status:04X}"
