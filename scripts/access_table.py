#!/usr/bin/env python3
"""The tables of who gets what of a map: a server is asked everything by every kind of caller.

    python scripts/access_table.py [--write]

Prints Markdown; --write puts it into `docs/security.md`. A test compares both.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.testing import bind_unused_port

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.app import make_app, make_server
from gateway.services import open_services
from gateway.settings import RootSettings, Settings
from tests.handlers.answers import all_answers, table
from tests.handlers.conftest import World
from tests.handlers.layeranswers import layer_table
from tests.handlers.test_answers import SHOWN
from tests.handlers.tokenanswers import OF_DATASET, OTHERS, Routes, table_of
from tests.rasters import write_cog

Make = Callable[[World, Any], Awaitable[list[str]]]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "security.md"


def main() -> None:
    """Print the tables, or write them into the page in the place of those that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/security.md")
    made = ["\n".join(asyncio.run(lines(setting, of_maps(kinds)))) for setting, kinds in SHOWN.items()]
    # As they stand on the page.
    made += ["\n".join(asyncio.run(lines(None, make))) for make in (layer_table, of_all(OF_DATASET), of_all(OTHERS))]
    if not parser.parse_args().write:
        print("\n\n".join(made))
        return
    waiting = iter(made)
    tables = re.compile(r"^\| who asks \|.*\n(?:\|.*\n)*", re.MULTILINE)
    PAGE.write_text(tables.sub(lambda _: next(waiting) + "\n", PAGE.read_text()))


def of_maps(kinds: dict[str, tuple[str, ...]]) -> Make:
    """Return what makes the table of the routes of maps."""

    async def make(world: World, fetch: Any) -> list[str]:
        return table(await all_answers(world, fetch), kinds)

    return make


def of_all(columns: Routes) -> Make:
    """Return what makes the table of some routes, asked by callers with tokens on record as well."""

    async def make(world: World, fetch: Any) -> list[str]:
        return await table_of(world, fetch, columns)

    return make


async def lines(setting: str | None, make: Make) -> list[str]:
    """Return the table that `make` makes of a server that has the setting on."""
    with tempfile.TemporaryDirectory(prefix="cog-gateway-table-") as folder:
        rasters = Path(folder) / "rasters"
        rasters.mkdir()
        values: dict[str, Any] = {
            "state_dir": Path(folder) / "state", "roots": {"data": RootSettings(uri=f"file:{rasters}")},
            "mint_rate": "off", "part_async_mb": 0,
            "failure_rate": "off", "_env_file": None, **({setting: True} if setting else {}),
        }  # fmt: skip
        with open_services(Settings(**values)) as services:
            server, (bound, port) = make_server(make_app(services), services), bind_unused_port()
            server.add_socket(bound)
            client = AsyncHTTPClient()

            async def fetch(
                path: str, method: str = "GET", *, token: str | None = None, body: str = ""
            ) -> HTTPResponse:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                sent = body if method == "POST" else None
                asked = HTTPRequest(f"http://127.0.0.1:{port}{path}", method, headers, sent)
                return await client.fetch(asked, raise_error=False)

            world = World(services, rasters, write_cog(Path(folder) / "elevation.tif"))
            found = await make(world, fetch)
            server.stop()
            await server.close_all_connections()
            return found


if __name__ == "__main__":
    main()
