#!/usr/bin/env python3
"""Pages through a catalogue by the STAC API while other datasets come and go: none may be lost, none come twice.

    python scripts/page_stac.py --datasets 10000 --others 1000 [--postgresql]

The catalogue is made in a temporary folder, in SQLite or in a PostgreSQL that is started for it, and served on
loopback; the client is pystac-client (extra `test`). Prints how many of those that were there all the time were
seen, and how often.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pystac_client import Client
from tornado.netutil import bind_sockets

from gateway.app import make_app, make_server
from gateway.dates import DatedBy, Dates
from gateway.ids import time_ordered_id
from gateway.model import AuditRow, Dataset, RasterFacts, Report, Scale
from gateway.records import Records
from gateway.services import Services, open_services
from gateway.settings import Settings
from gateway.state import bring_up_to_date
from scripts.clustering.postgres import Postgres

START = datetime(2026, 1, 1, tzinfo=UTC)
RASTER = RasterFacts(512, 512, 1, "uint8", None, "EPSG:4326", (10.0, 50.0, 11.0, 51.0))
KNOWN = Dataset(
    *(
        "",
        "data",
        "",
        "Scene",
        None,
        Scale.PUBLIC,
        Scale.PUBLIC,
        "1-2-3",
        1000,
        Report("blocks"),
        RASTER,
        START,
        START,
    ),
    collection="scenes",
    dates=Dates(START, START, DatedBy.OPTION),
)
BATCH = 1000
KEYS = ("k" * 31 + "ey-of-a-script",)


def main() -> int:
    """Make the catalogue, page through it, and print what was seen; 1 where one was lost or came twice."""
    options = arguments()
    chance = Random(1)  # noqa: S311 - the same catalogue each time
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cgpage-", dir="/tmp")))
        url = started(stack, folder) if options.postgresql else None
        settings = Settings(state_dir=folder / "state", database_url=url, secret_keys=KEYS, _env_file=None)  # type: ignore[call-arg]
        bring_up_to_date(settings)
        with open_services(settings) as services, serving(services) as address:
            kept = registered(services.records, chance, options.datasets)
            going = registered(services.records, chance, options.others)
            began = time.monotonic()
            seen, come = paged(address, services.records, going, chance, options)
            seconds = time.monotonic() - began
    lost, twice = kept - seen.keys(), [each for each, number in seen.items() if number > 1]
    print(f"{len(kept)} datasets that stay, {options.others - len(going)} that went, {come} that came meanwhile")
    print(f"{seen.total()} items in {seconds:.1f} s: {len(lost)} lost, {len(twice)} twice")
    return 1 if lost or twice else 0


def started(stack: ExitStack, folder: Path) -> str:
    """Return the URL of a database in a server in `folder` that ends with `stack`."""
    server = Postgres(folder)
    server.make()
    server.start()
    stack.callback(server.stop)
    server.execute("CREATE DATABASE gateway")
    return server.url("gateway")


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--others", type=int, default=1000, help="so many come, and so many go")
    parser.add_argument("--postgresql", action="store_true", help="in a PostgreSQL, which is started and ended")
    parser.add_argument("--limit", type=int, default=100, help="items of one page")
    return parser.parse_args()


@contextmanager
def serving(services: Services) -> Iterator[str]:
    """Yield the address of the landing page of a server in a thread."""
    [socket] = bind_sockets(0, "127.0.0.1")
    port = socket.getsockname()[1]
    begun, running = threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        running.append((asyncio.get_running_loop(), asyncio.Event()))
        server = make_server(make_app(services), services)
        server.add_sockets([socket])
        begun.set()
        await running[0][1].wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    begun.wait()
    try:
        yield f"http://127.0.0.1:{port}/api/stac"
    finally:
        loop, ended = running[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def registered(records: Records, chance: Random, number: int) -> set[str]:
    """Return the ids of so many new datasets of few different days: within a day their ids alone tell them apart."""
    made = set[str]()
    while len(made) < number:
        batch = []
        for _ in range(min(BATCH, number - len(made))):
            day, each = START + timedelta(days=chance.randrange(50)), time_ordered_id()
            dates = Dates(day, day, DatedBy.OPTION)
            batch.append((replace(KNOWN, id=each, key=f"{each}.tif", dates=dates), AuditRow("dataset.ingested")))
        made |= records.register_datasets(batch)
    return made


def paged(
    address: str, records: Records, going: set[str], chance: Random, options: argparse.Namespace
) -> tuple[Counter[str], int]:
    """Return how often each item was seen, and how many came meanwhile; those of `going` are removed on the way."""
    pages, seen, come = -(-options.datasets // options.limit), Counter[str](), 0
    step = -(-options.others // pages)
    for page in Client.open(address).search(limit=options.limit, max_items=None).pages():
        seen.update(item.id for item in page)
        come += len(registered(records, chance, min(step, options.others - come)))
        for _ in range(min(step, len(going))):
            records.remove_dataset(going.pop(), AuditRow("dataset.removed"))
    return seen, come


if __name__ == "__main__":
    sys.exit(main())
