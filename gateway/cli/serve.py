"""`serve`: the server."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway.settings import Settings

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
        from gateway.cli.shared import is_terminal, settings_of  # noqa: PLC0415
        from gateway.serve import serve as run_server  # noqa: PLC0415

        settings = settings_of(context, **flags)
        greeting = {"on_ready": partial(greet, settings)} if is_terminal(err=True) else {}
        code = run_server(settings, reread=lambda: settings_of(context, **flags), **greeting)
    except GatewayError:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    let_go_of_log()
    context.exit(code)


def let_go_of_log() -> None:
    """Let a log that nobody reads any more not change the exit code: Python would end with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def greet(settings: Settings, port: int) -> None:
    """Print on stderr, for whoever has started the server, where it is and what it serves."""
    from gateway.cli.administration import count  # noqa: PLC0415
    from gateway.cli.shared import printable, reached_at  # noqa: PLC0415
    from gateway.state import existing_records, place_of_state  # noqa: PLC0415

    records = existing_records(settings, read_only=True)
    try:
        total = count(records)
    finally:
        records.close()
    number = "1 dataset" if total == 1 else f"{total} datasets"
    roots = ", ".join(f"{name} ({root.whole_uri})" for name, root in settings.roots.items())
    viewer = settings.public_url or reached_at(settings, port)
    click.echo(printable(f"COG Gateway: {viewer}/ (Ctrl-C ends it)"), err=True)
    click.echo(printable(f"State {place_of_state(settings)}: {number}. Roots: {roots}"), err=True)
