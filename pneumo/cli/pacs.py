"""The command that answers a PACS: ``serve-dicom``."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo import DISCLAIMER
from pneumo.cli.output import LOCAL, ModelOption, ModelsOption, load_runtime, reports_errors, say
from pneumo.serving.memory import give_back_freed

if TYPE_CHECKING:
    import ssl

    from pneumo.serving.dicom_answers import Archive

HELP = "\n\n".join(
    (
        "Take films as a DICOM node, and send their answers into their studies.",
        "Each film comes back as a structured report (TID 1500) and, where it has an answer, as a Secondary Capture "
        "with the heat map; a film that is refused or cannot be read, as a report of the reasons. The same film twice "
        "makes the same two objects.",
        "Without --spool nothing is on disk. A sender hears “success” once the answers are in the archive, and “out of "
        "resources” (0xA700) while the archive is away or too many films wait: it keeps the film and sends it again.",
        "With --spool a sender hears “success” once the film is on the disk. It stays there until its answers are in "
        "the archive, through kills, restarts and days without the archive, and then goes; while the spool is full "
        "senders hear 0xA700. Films on the disk are not encrypted; only the user that pneumo runs as can read them.",
        "Lines on stderr count films and name none. Ctrl+C, or SIGTERM, finishes the film at hand and stops.",
    )
)


@reports_errors
def serve_dicom(
    answer_to: Annotated[
        str | None, typer.Option(help="Send answers by C-STORE to this node, TITLE@host:port.", show_default=False)
    ] = None,
    dicomweb: Annotated[
        str | None,
        typer.Option(
            help="Send answers by STOW-RS to this DICOMweb service, with the PNEUMO_DICOMWEB_USER and "
            "PNEUMO_DICOMWEB_PASSWORD, or the PNEUMO_DICOMWEB_TOKEN, of the environment if it is set.",
            show_default=False,
        ),
    ] = None,
    poll: Annotated[
        float | None,
        typer.Option(
            help="Also look at the DICOMweb service every so many seconds for films without a report, and answer them.",
            min=1,
            show_default=False,
        ),
    ] = None,
    days: Annotated[int, typer.Option(help="With --poll: days before today whose studies are looked at.", min=0)] = 1,
    aet: Annotated[str, typer.Option(help="AE title by which senders must call pneumo.")] = "PNEUMO",
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 11112,
    allow_aet: Annotated[
        list[str] | None,
        typer.Option(
            help="AE title of who may send; once for each. Needed where others than this machine can call.",
            show_default="everybody on this machine",
        ),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option(
            help="Keep films and answers on disk in this folder until they are delivered (see above).",
            show_default="nothing on disk",
        ),
    ] = None,
    spool_limit: Annotated[int, typer.Option(help="MiB that the spool may take.", min=1)] = 2048,
    model: ModelOption = None,
    models: ModelsOption = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(help="pneumo's certificate (PEM): DICOM connections in and out then use TLS.", show_default=False),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The key of the certificate (PEM).", show_default=False)] = None,
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            help="Certificate (PEM) by which others are known; senders must then show one of it.",
            show_default="the system's, and senders need none",
        ),
    ] = None,
) -> None:
    """Take films as a DICOM node, and send their answers into their studies."""
    _require_packages()
    from pneumo.serving.dicom_archive import DicomArchive, Node, ae_title
    from pneumo.serving.dicom_server import DicomServer, tls_contexts

    title, callers = ae_title(aet), [ae_title(each) for each in allow_aet or ()]
    if not (answer_to or dicomweb) or (answer_to and dicomweb):
        raise ValueError("Say where answers go: --answer-to TITLE@host:port, or --dicomweb URL.")
    if answer_to:
        Node.parse(answer_to)
    if poll and not dicomweb:
        raise ValueError("--poll looks at a DICOMweb service: name it with --dicomweb URL.")
    if host not in LOCAL and not callers:
        raise ValueError(f"At {host} others can send films: say who may with --allow-aet TITLE, once for each.")
    comes_in: ssl.SSLContext | None = None
    goes_out: ssl.SSLContext | None = None
    if tls_cert and tls_key:
        comes_in, goes_out = tls_contexts(tls_cert, tls_key, tls_ca)
    elif tls_cert or tls_key or tls_ca:
        raise ValueError("TLS needs both --tls-cert and --tls-key.")

    give_back_freed()
    load_runtime()
    from pneumo.inference import open_models
    from pneumo.serving.dicom_answers import AtOnce, Spooled
    from pneumo.serving.dicomweb import Poll, WebArchive, authorization
    from pneumo.serving.spool import Spool

    _log_quietly()
    web = WebArchive(dicomweb, authorization(os.environ)) if dicomweb else None
    archive: Archive = web or DicomArchive(title, Node.parse(str(answer_to)), goes_out)
    opened = open_models(model, models)
    # The first sender does not wait for graphs, and who gets an echo can send.
    opened.warm_up()
    at_once = AtOnce(opened, archive)
    taker = Spooled(opened, archive, Spool(spool, spool_limit * 1024**2)) if spool else at_once
    stops: list[Callable[[], None]] = [taker.stop]
    try:
        server = DicomServer(taker, title, (host, port), callers, comes_in)
        stops.insert(0, server.stop)
        if web and poll:
            polling = Poll(web, opened, at_once, poll, days)
            polling.start()
            stops.insert(0, polling.stop)
        say(f"Listening as {title}@{host}:{server.port}. Model: {opened.card.title}. {DISCLAIMER}")
        _wait_for_signal()
    finally:
        for stop in stops:
            stop()


def _require_packages() -> None:
    try:
        import dicomweb_client  # noqa: F401
        import pynetdicom  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"serve-dicom needs a package that is missing ({error.name}). Install it with pip install 'pneumo[pacs]'."
        ) from error


def _log_quietly() -> None:
    """Write pneumo's own lines to stderr with the time, and nothing of what libraries say of films and headers."""
    for name in ("pynetdicom", "pydicom", "dicomweb_client", "urllib3", "highdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    own = logging.getLogger("pneumo.serving")
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    own.propagate = False


def _wait_for_signal() -> None:
    stopped = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stopped.set())
    stopped.wait()
