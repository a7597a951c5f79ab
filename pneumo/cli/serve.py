"""The commands that serve films to others: ``serve-api``."""

import logging
from typing import Annotated

import typer

from pneumo.cli.output import ModelsOption, load_keras, reports_errors, say

LOCAL = ("localhost", "127.0.0.1", "::1")


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
    load_keras()
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
