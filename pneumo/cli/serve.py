"""The commands that serve films to others, ``serve-api``, and look after that: ``audit verify``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from pneumo.cli.output import LOCAL, SOME_FAILED, ModelsOption, load_runtime, reports_errors, say
from pneumo.sentences import visible
from pneumo.serving.memory import give_back_freed

audit_app = typer.Typer(help="The audit log of PNEUMO_AUDIT.", no_args_is_help=True)


@reports_errors
def serve_api(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8600,
    models: ModelsOption = None,
) -> None:
    """Serve the HTTP API: POST a film to /api/predict, and get the object that `predict --json` prints.

    /api says what else there is. PNEUMO_API_TOKEN sets a token that clients must show. Films stay in memory, and
    neither they nor their names are logged.
    """
    try:
        import uvicorn

        from pneumo.serving import api
    except ImportError as error:
        raise ValueError(
            f"The HTTP API needs a package that is missing ({error.name}). Install it with pip install 'pneumo[api]'."
        ) from error
    give_back_freed()
    load_runtime()
    token = api.token_of_environment()
    if token is None and host not in LOCAL:
        say(f"Whoever reaches this machine may ask: set {api.TOKEN}, and put a proxy with TLS in front.")
    app = api.create_app(api.LoadedModels(models), token=token)
    config = uvicorn.Config(app, host, port, server_header=False)
    logging.getLogger("uvicorn.access").addFilter(without_query)
    uvicorn.Server(config).run()


def without_query(line: logging.LogRecord) -> bool:
    """Take the query out of a line of uvicorn's log of requests: a client may have put a name into it."""
    if isinstance(line.args, tuple) and len(line.args) == 5:
        client, method, path, *rest = line.args
        line.args = (client, method, str(path).split("?")[0], *rest)
    return True


@audit_app.callback()
def audit() -> None:
    """Hold the commands about the audit log."""


@audit_app.command()
@reports_errors
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(help="The log and the files that it was rotated to, in any order.", metavar="FILE..."),
    ],
    kept: Annotated[
        str | None,
        typer.Option(help="The hash of a line that was noted elsewhere; without one, a cut at the end is not seen."),
    ] = None,
) -> None:
    """Find lines of an audit log that were changed, removed or reordered; exit code 1 if there are any."""
    from pneumo.serving.audit import verify as verified

    found = verified(files, kept)
    for sentence in (*found.torn, *found.problems):
        print(visible(sentence))
    if found.first > 1:
        print(f"The log begins with number {found.first}: what came before it is not among these files.")
    last = f" The last one has the hash {found.last_hash}: note it elsewhere, for --kept." if found.lines else ""
    outcome = "Nothing was changed." if found.is_sound else "The log is not as it was written."
    print(f"{found.lines} lines. {outcome}{last}")
    if not found.is_sound:
        raise typer.Exit(SOME_FAILED)
