"""Every caller, tokens on record and links among them, at every kind of route of one private dataset: answers and rows."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from gateway.cog.parts import Part, PlannedPart
from gateway.jobs import WantedPart, job_of
from gateway.model import Dataset, Level, Principal, Scale
from gateway.records import JobStatus
from tests.handlers.conftest import World, act, grant

PART = "/api/datasets/{id}/bbox/500000,5299000,501000,5300000.tif{q}&native=true&coord_crs=EPSG:32633"
# What a column is, and how it is asked for below the dataset, `{id}` its id.
ROUTES = {
    "record, maps": [("GET", "/api/datasets/{id}{q}"), ("GET", "/api/datasets/{id}/preview/16x16.png{q}"),
                     ("GET", "/api/datasets/{id}/tiles/0/0/0.png{q}"), ("GET", "/api/datasets/{id}/tilejson.json{q}"),
                     ("GET", "/api/datasets/{id}/WMTSCapabilities.xml{q}")],
    "STAC item": [("GET", "/api/stac/collections/data/items/{id}")],
    "values": [("GET", "/api/datasets/{id}/preview/16x16.tif{q}"), ("GET", PART)],
    "file": [("GET", "/api/datasets/{id}/download/cog{q}"), ("GET", "/api/datasets/{id}/download/a.tif{q}")],
    "HEAD of it": [("HEAD", "/api/datasets/{id}/download/cog{q}")],
    "tile token": [("POST", "/api/auth/tile-token/{id}")],
    "download token": [("POST", "/api/auth/download-token/{id}")],
    "open a link": [("POST", "/api/auth/link-token")],
    "own tokens": [("GET", "/api/auth/tokens"), ("POST", "/api/auth/tokens")],
    "links": [("GET", "/api/links"), ("POST", "/api/links")],
    "a list of files": [("POST", "/api/downloads")],
    "the list": [("GET", "/api/downloads/{list}.urls{q}")],
    "a job of the owner": [("GET", "/api/jobs/{job}{q}")],
    "its result": [("GET", "/api/jobs/{job}/result.tif{q}")],
}  # fmt: skip
LETTERS = {
    "download.cog": "D", "download.part": "P", "download.refused": "R", "token.minted": "M", "token.created": "T",
    "link.created": "L", "link.used": "U", "list.created": "F",
}  # fmt: skip
# Statuses, and the ids of their requests.
Answers = list[tuple[int, str]]


@dataclass(frozen=True)
class Caller:
    """Who asks: with a bearer token, or with what stands in the query."""

    name: str
    bearer: str | None = None
    query: str = ""


async def callers(
    world: World, fetch, dataset: Dataset, other: Dataset, listed: dict[str, Any]
) -> AsyncIterator[Caller]:
    """Yield everybody; tokens, on record and not, are Ana's, who owns the dataset."""

    async def made(path: str, bearer: str | None, **body: object) -> dict[str, str]:
        found = await fetch(f"/api/{path}", "POST", token=bearer, body=json.dumps(body))
        return json.loads(found.body)

    ana = world.bearer("ana")
    yield Caller("anonymous")
    for kind in ("tile", "download"):
        token = (await made(f"auth/{kind}-token/{dataset.id}", ana))["token"]
        yield Caller(f"{kind} token", query=f"?token={token}")
    yield Caller("own token to view", (await made("auth/tokens", ana, scope=["view"]))["token"])
    yield Caller("own token to download", (await made("auth/tokens", ana, scope=["download"]))["token"])
    one = await made("auth/tokens", ana, scope=["download"], **{"for": f"dataset:{other.id}"})
    yield Caller("own token for another dataset", one["token"])
    yield Caller("own token of who has no grant", (await made("auth/tokens", world.bearer("stan")))["token"])
    for right in ("view", "download"):
        link = await made("links", ana, dataset=dataset.id, right=right)
        secret = link["url"].rpartition("=")[2]
        yield Caller(f"link to {right}", query=f"?token={secret}")
        yield Caller(f"link to {right}, as bearer", secret)
        yield Caller(f"link to {right}, opened", (await made("auth/link-token", secret))["token"])
    yield Caller("list of files", query=f"?{listed['links'][0]['href'].partition('?')[2]}")
    yield Caller("bearer, no grant", world.bearer("stan"))
    yield Caller("bearer, may view", world.bearer("vera"))
    yield Caller("bearer, may download", world.bearer("dora"))
    yield Caller("bearer, owner", ana)
    yield Caller("bearer, admin", world.bearer("ada", ("admin",)))


async def token_table(world: World, fetch) -> list[str]:
    """Return the lines of a Markdown table."""
    dataset, other = (world.add(f"{n}.tif", visibility=Scale.PRIVATE, owner="ana") for n in (1, 2))
    grant(world, dataset, Level.VIEW, user="vera")
    grant(world, dataset, Level.DOWNLOAD, user="dora")
    lines = [f"| who asks | {' | '.join(ROUTES)} |", f"|---|{'---|' * len(ROUTES)}"]
    with patch("gateway.refusals.MOST_ROWS", 1_000_000):
        asked = await asked_by_all(world, fetch, dataset, other)
        noted = world.audit()
    rows: dict[str, list[str]] = {}
    for row in noted:
        if row.action in LETTERS:
            rows.setdefault(str(row.request_id), []).append(LETTERS[row.action])
    for name, cells in asked:
        told = []
        for answers in cells:
            said = dict.fromkeys(" ".join([str(code), *sorted(rows.get(key, []))]) for code, key in answers)
            told.append(", ".join(said))
        lines.append(f"| {name} | {' | '.join(told)} |")
    return lines


async def asked_by_all(world: World, fetch, dataset: Dataset, other: Dataset) -> list[tuple[str, list[Answers]]]:
    """Return what each caller is answered, by the columns."""
    found = []
    body = json.dumps({"ids": [dataset.id]})
    listed = json.loads((await fetch("/api/downloads", "POST", token=world.bearer("ana"), body=body)).body)
    job = made_job(world, dataset, "ana")
    async for caller in callers(world, fetch, dataset, other, listed):
        cells = [
            [
                await answer(
                    fetch, caller, method, path.replace("{list}", listed["id"]).replace("{job}", job), dataset
                )
                for method, path in routes
            ]
            for routes in ROUTES.values()
        ]
        found.append((caller.name, cells))
    return found


def made_job(world: World, dataset: Dataset, owner: str) -> str:
    """Return the id of a job that is done."""
    wanted = WantedPart(dataset, PlannedPart(Part(0, 0, 9, 9, (1,)), 162), {})
    job = job_of(wanted, Principal(owner), "::1", "worker", datetime.now(UTC))
    world.services.records.jobs.store(job, 1, act())
    world.services.records.jobs.end(replace(job, status=JobStatus.DONE), datetime.now(UTC))
    return job.id


async def answer(fetch, caller: Caller, method: str, path: str, dataset: Dataset) -> tuple[int, str]:
    """Return the status of an answer and the id of its request."""
    bodies = {"/api/links": {"dataset": dataset.id}, "/api/downloads": {"ids": [dataset.id]}}
    given = bodies.get(path, {})
    body = {"body": json.dumps(given)} if method == "POST" else {}
    asked = path.format(id=dataset.id, q=caller.query)
    # Whoever has no query has no question mark.
    asked = asked if "?" in asked else asked.replace("&", "?", 1)
    found = await fetch(asked, method, token=caller.bearer, **body)
    return found.code, found.headers["X-Request-ID"]
