"""`serve`: the server."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.shared import settings_of
from gateway.serve import serve as run_server


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port to listen on; 0 takes a free one.")
@click.option("--processes", type=click.IntRange(1, 256), help="Worker processes.")
@click.pass_context
def serve(context: click.Context, /, **flags: Any) -> None:
    """Run the server until SIGTERM or Ctrl-C; open downloads may end first. SIGHUP rereads the keys."""
    settings = settings_of(context, **flags)
    context.exit(run_server(settings, reread=lambda: settings_of(context, **flags)))
