"""`demo`: the server over the sample rasters, with a fresh state that leaves nothing behind."""

from __future__ import annotations

import shlex
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import click

import gateway
from gateway.catalogue.collections import CollectionChange
from gateway.catalogue.dating import dates_of_option
from gateway.cli.shared import printable, reached_at, settings_of
from gateway.errors import SettingsError
from gateway.ingest import Ingestor
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import Ingested
from gateway.model import AuditRow, Scale
from gateway.serve import serve as run_server
from gateway.services import open_services
from gateway.settings import Settings
from gateway.sources import Source
from gateway.tokens import mint_bearer

PREFERRED_PORT = 8080
USER = "demo"
TOKEN_SECONDS = 8 * 3600
# By file name: who may have it. The last one is no COG, and is there to be refused.
# The year of Blue Marble's pictures, and the days of the shuttle mission that measured the elevation.
DATES = {"blue_marble.tif": "2004-01-01/2004-12-31", "elevation.tif": "2000-02-11/2000-02-22"}
COLLECTION = "samples"
SAID = CollectionChange(
    title="Sample rasters", description="Small, real rasters to try the gateway with.", keywords=("sample",)
)
SAMPLES = {"blue_marble.tif": Scale.PUBLIC, "elevation.tif": Scale.INTERNAL, "not_a_cog.tif": Scale.PUBLIC}


@dataclass(frozen=True, slots=True)
class Ready:
    """What the demo has to tell when the server accepts: one outcome for each sample, and a bearer token."""

    outcomes: tuple[Ingested, ...]
    bearer: str


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 8080 or, where that is taken, a free one.")
@click.pass_context
def demo(context: click.Context, /, host: str, port: int | None) -> None:
    """Serve the sample rasters from a fresh, temporary state; Ctrl-C cleans up.

    Prints the URL of the viewer, a bearer token, and curl lines that work as pasted in another terminal.
    """
    samples = samples_folder((Path(gateway.__file__).parents[1], Path(sys.prefix, "share", "cog-gateway")))
    if port is None:
        port = PREFERRED_PORT if is_free(host, PREFERRED_PORT) else 0
    take_signals()
    with tempfile.TemporaryDirectory(prefix="cog-gateway-demo-") as state:
        root = {"data": {"uri": f"file:{quote(str(samples))}"}}
        own = {"state_dir": state, "roots": root, "processes": 1, "log_level": "WARNING"}
        settings = settings_of(context, host=host, port=port, **own)
        # Its tokens and its records are its own, whoever has them elsewhere.
        elsewhere = ("oidc_issuer", "oidc_audience", "database_url", "database_owner_url", "valkey_url")
        settings = settings.model_copy(update=dict.fromkeys(elsewhere))
        ready = prepare(settings, samples)

        def announce(port: int) -> None:
            # For the server it is the sign to read its keys anew; here the terminal has gone.
            take_hang_up()
            click.echo(guide(settings, ready, port))

        code = run_server(settings, announce)
    click.echo("Demo ended; nothing is left behind.")
    context.exit(code)


def take_signals() -> None:
    """Make SIGTERM, SIGINT and the end of the terminal end the demo in order, so that its folder is removed."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    take_hang_up()


def take_hang_up() -> None:
    """Make SIGHUP do what SIGTERM does at its moment; under nohup(1) it is ignored, and stays so."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _leave(*_: object) -> NoReturn:
    """End the process by an exception; once the server accepts, it has taken SIGTERM and SIGINT over."""
    raise SystemExit(0)


def samples_folder(parents: tuple[Path, ...]) -> Path:
    """Return the folder `data` of the sample rasters below the first parent that has it.

    Raises SettingsError when there is none.
    """
    for parent in parents:
        if (parent / "data" / next(iter(SAMPLES))).is_file():
            return parent / "data"
    looked = " nor in ".join(str(parent / "data") for parent in parents)
    raise SettingsError(f"the sample rasters are neither in {looked}")


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen on that TCP port now."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return True
    except OSError:
        return False


def prepare(settings: Settings, samples: Path) -> Ready:
    """Return what became of the samples, after they are ingested, and a token for the demo's user."""
    with open_services(settings) as services:
        ingestor = Ingestor(services.records, services.storages)
        outcomes = tuple(ingestor.ingest(Source(name, samples / name, name), options_for(name)) for name in SAMPLES)
        services.records.change_collection(
            COLLECTION, SAID, AuditRow("collection.updated", detail={"collection": COLLECTION, "title": SAID.title})
        )
        bearer = mint_bearer(services.keys, USER, (), TOKEN_SECONDS, time.time(), settings.roles_claim)
    return Ready(outcomes, bearer)


def options_for(name: str) -> IngestOptions:
    """Return how a sample is ingested."""
    dates = dates_of_option(DATES[name]) if name in DATES else None
    return IngestOptions(visibility=SAMPLES[name], collection=COLLECTION, dates=dates)


def guide(settings: Settings, ready: Ready, port: int) -> str:
    """Return the text that is printed when the server accepts on `port`."""
    origin = reached_at(settings, port)
    public, internal = (outcome.id for outcome in ready.outcomes[:2])
    exports = {"TOKEN": ready.bearer, "G": f"{origin}{settings.prefix}", "ID": public, "ELEVATION": internal}
    lines = [
        "",
        "COG Gateway demo",
        *map(told, ready.outcomes),
        "",
        f"Viewer: {origin}/",
        f"Base URL: {exports['G']}",
    ]
    lines += ["", "# In another terminal, once: the datasets and a bearer token of the user"]
    lines += [f"# {USER}, good for {TOKEN_SECONDS // 3600} hours"]
    lines += ["export " + " ".join(f"{name}={value}" for name, value in exports.items()), ""]
    for title, recipe in recipes(settings.state_dir):
        lines += [f"# {title}", *recipe, ""]
    return "\n".join([*lines, "Ctrl-C ends the demo and removes its state."])


def told(outcome: Ingested) -> str:
    """Return one line that says what became of a sample."""
    errors = "; ".join(f.message.partition(". ")[0] for f in outcome.findings if f.severity.value == "error")
    why = outcome.id or errors or outcome.message or ""
    scale = SAMPLES[outcome.source] if outcome.id else ""
    return printable(f"  {outcome.source:<16} {outcome.status:<11} {why} {scale}").rstrip()


def recipes(state_dir: Path) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return titles and shell lines, which work as pasted where the variables of the guide are set."""
    header = '-H "Authorization: Bearer $TOKEN"'
    python = shlex.quote(sys.executable)
    extract = """python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'"""
    return (
        ("The datasets that everybody may see", ("curl -s $G/datasets | python3 -m json.tool",)),
        (
            "Without an account: mint a download token, then download",
            (
                "T=$(curl -sf -X POST $G/auth/download-token/$ID |",
                f"  {extract})",
                'curl -sf -o blue_marble.tif "$G/datasets/$ID/download/cog?token=$T"',
            ),
        ),
        (
            "With the bearer token",
            (f"curl -sf {header} -o elevation.tif \\", "  $G/datasets/$ELEVATION/download/cog"),
        ),
        (
            "The first 16 bytes only",
            (f"curl -s {header} -r 0-15 -D - -o /dev/null \\", "  $G/datasets/$ELEVATION/download/cog"),
        ),
        (
            "Open it without downloading it",
            (
                "export GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR",
                'export GDAL_HTTP_HEADERS="Authorization: Bearer $TOKEN"',
                f"{python} -c 'import rasterio, sys; print(rasterio.open(sys.argv[1]).profile)' \\",
                "  /vsicurl/$G/datasets/$ELEVATION/download/cog",
            ),
        ),
        (
            "What is on record",
            (f"GATEWAY_STATE_DIR={shlex.quote(str(state_dir))} \\", f"  {python} -m gateway audit list"),
        ),
    )
