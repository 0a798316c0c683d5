"""`fetch`: files of a gateway, one or many, whole and compared."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

import click

from gateway.cli.deviceflow import WEB, Refused
from gateway.cli.fetching import Fetcher
from gateway.cli.filesources import Wanted, files_of, origin_of
from gateway.cli.logins import token_for
from gateway.cli.redirects import Later, NotWhole
from gateway.cli.shared import printable
from gateway.errors import SettingsError
from gateway.reasons import reason_of

ENVIRONMENT = "GATEWAY_TOKEN"
NO_TOKEN = f"No token was given: --token, {ENVIRONMENT}, or cog-gateway login."


@click.command()
@click.argument("source", metavar="URL|LIST|SEARCH")
@click.option("-o", "--output", "folder", default=".", show_default=True, metavar="FOLDER",
              type=click.Path(file_okay=False, path_type=Path), help="Where the files go.")  # fmt: skip
@click.option("--token", metavar="TOKEN", help=f"A token for the gateway; else {ENVIRONMENT}, or what `login` left.")
@click.option("-j", "--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files at once.")
def fetch(source: str, folder: Path, token: str | None, jobs: int) -> None:
    """Fetch files into a folder, several at once; what was cut off is resumed, and SHA-256 compared.

    URL is that of a dataset, its file, a list of files or a collection of a gateway; LIST a list in a file (metalink,
    aria2, curl, urls or ndjson), - for stdin; SEARCH the URL of a STAC search or of a stored one. Exit 0 where all
    files are whole, 1 where some are not, 2 for wrong usage.
    """
    headers_for = Tokens(source, token or os.environ.get(ENVIRONMENT)).headers_for
    try:
        files = files_of(source, headers_for(source))
    except Refused as refused:
        told = printable(f"the gateway refuses: {refused.told.get('detail') or refused}")
        raise click.ClickException(told if headers_for(source) else f"{told} {NO_TOKEN}") from None
    except HTTPError as error:
        raise click.ClickException(f"the list cannot be had: the answer was {error.code}") from None
    except (HTTPException, OSError, NotWhole, Later) as error:
        raise click.ClickException(f"the list cannot be had: {reason_of(error)}") from None
    folder.mkdir(parents=True, exist_ok=True)
    failed = fetch_all(files, Fetcher(folder, headers_for, threading.Event()), jobs)
    click.echo(f"{len(files) - failed} of {len(files)} files are whole", err=True)
    click.get_current_context().exit(1 if failed else 0)


class Tokens:
    """Which token an address may see: one that is given is for the gateway of the source, and nobody else."""

    def __init__(self, source: str, given: str | None) -> None:
        if given is not None and not (given.isascii() and given.isprintable()):
            raise SettingsError("this is no token")
        self._given = given
        self._origin = origin_of(source) if source.startswith(WEB) else None

    def headers_for(self, url: str) -> Mapping[str, str]:
        """Return the fields for an address; one that has a token of its own needs no other."""
        if not url.startswith(WEB) or "?token=" in url:
            return {}
        token = self._given if self._given and origin_of(url) == self._origin else token_for(url)
        return {"Authorization": f"Bearer {token}"} if token else {}


def fetch_all(files: Sequence[Wanted], fetcher: Fetcher, jobs: int) -> int:
    """Return how many files are not whole; each is told, on stdout the whole ones."""
    failed = 0
    pool = ThreadPoolExecutor(jobs)
    try:
        waiting = {pool.submit(fetcher.fetch, file): file for file in files}
        for done in as_completed(waiting):
            name = waiting[done].name
            try:
                told = "fetched" if done.result() else "is there"
            except (NotWhole, OSError) as error:
                failed += 1
                click.echo(printable(f"{name}: {error}"), err=True)
            else:
                click.echo(printable(f"{name}: {told}"))
    finally:
        # Ctrl-C, too: what has come stays as a part.
        fetcher.stop.set()
        pool.shutdown(cancel_futures=True)
    return failed
