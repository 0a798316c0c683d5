"""`serve`: the server."""

from __future__ import annotations

import signal
from typing import Any

import click

from gateway.errors import GatewayError

# Before anything that takes long to import: a signal that comes now waits for the server.
KEPT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port to listen on; 0 takes a free one.")
@click.option("--processes", type=click.IntRange(1, 256), help="Worker processes.")
@click.pass_context
def serve(context: click.Context, /, **flags: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C; open downloads may end first. SIGHUP rereads the keys."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, KEPT)
    try:
        from gateway.cli.shared import settings_of  # noqa: PLC0415
        from gateway.serve import serve as run_server  # noqa: PLC0415

        settings = settings_of(context, **flags)
        code = run_server(settings, reread=lambda: settings_of(context, **flags))
    except GatewayError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    context.exit(code)
