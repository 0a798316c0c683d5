"""Every caller, tokens on record and links among them, at every kind of route of one private dataset: answers and rows."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from gateway.model import Dataset, Level, Scale
from tests.handlers.answers import BODY
from tests.handlers.conftest import World, grant
from tests.handlers.test_nativeparts import BOX
from tests.patience import eventually

BEGUN, GONE = 202, 204

# What a column is, and how it is asked for; `{id}` is the dataset, which lies in the collection `data`, and what else is
# in braces is Ana's: a list, a job, and what is to be given up, made anew where somebody has given it up.
Routes = dict[str, list[tuple[str, str]]]
OF_DATASET: Routes = {
    "record, facts": [("GET", f"/api/datasets/{{id}}{path}") for path in (
        "", "/validation", "/info", "/info.geojson", "/statistics?max_size=16", "/point/15,47.7")
    ] + [("POST", "/api/datasets/{id}/statistics?max_size=16")],
    "pictures": [("GET", f"/api/datasets/{{id}}/{path}") for path in (
        "preview/16x16.png", "tiles/0/0/0.png", "bbox/14,47,16,48/16x16.png")
    ] + [("POST", "/api/datasets/{id}/feature/16x16.png")],
    "documents": [("GET", "/api/datasets/{id}/tilejson.json"), ("GET", "/api/datasets/{id}/WMTSCapabilities.xml")],
    "STAC item": [("GET", "/api/stac/collections/data/items/{id}")],
    "values": [("GET", f"/api/datasets/{{id}}/{path}") for path in (
        "preview/16x16.tif", "preview/16x16.npy", "tiles/0/0/0.npy", "bbox/14,47,16,48/16x16.tif")
    ] + [("POST", "/api/datasets/{id}/feature/16x16.npy")],
    "file": [("GET", "/api/datasets/{id}/download/cog"), ("GET", "/api/datasets/{id}/download/a.tif")],
    "HEAD of it": [("HEAD", "/api/datasets/{id}/download/cog"), ("HEAD", "/api/datasets/{id}/preview/16x16.tif")],
    "tile token": [("POST", "/api/auth/tile-token/{id}")],
    "download token": [("POST", "/api/auth/download-token/{id}")],
    "large part": [("GET", "/api/datasets/{id}/{part}")],
}  # fmt: skip
OTHERS: Routes = {
    "layer: pictures, facts": [("GET", f"/api/collections/data/{path}") for path in (
        "preview/16x16.png", "tiles/0/0/0.png", "bbox/14,47,16,48/16x16.png", "statistics?max_size=16", "point/15,47.7",
        "tiles/0/0/0/assets", "point/15,47.7/assets")],
    "its documents": [("GET", "/api/collections/data/tilejson.json"), ("GET", "/api/collections/data/WMTSCapabilities.xml"),
                      ("POST", "/api/auth/tile-token/collections/data")],
    "its values": [("GET", "/api/collections/data/preview/16x16.tif"), ("GET", "/api/collections/data/tiles/0/0/0.npy")],
    "open a link": [("POST", "/api/auth/link-token")],
    "own tokens: see, make, end": [("GET", "/api/auth/tokens"), ("POST", "/api/auth/tokens"),
                                   ("DELETE", "/api/auth/tokens/{token}")],
    "links: see, make, end": [("GET", "/api/links"), ("POST", "/api/links"), ("DELETE", "/api/links/{link}")],
    "a list of files": [("POST", "/api/downloads")],
    "the list": [("GET", "/api/downloads/{list}.urls"), ("GET", "/api/downloads/{list}.metalink")],
    "a job, its part": [("GET", "/api/jobs/{job}"), ("GET", "/api/jobs/{job}/result.tif")],
    "end it": [("DELETE", "/api/jobs/{job}")],
    "store a search": [("POST", "/api/searches")],
}  # fmt: skip
LETTERS = {
    "download.cog": "D", "download.part": "P", "download.finished": "E", "download.refused": "R", "token.minted": "M",
    "token.created": "T", "token.revoked": "X", "link.created": "L", "link.revoked": "X", "link.used": "U",
    "list.created": "F", "job.created": "J", "job.cancelled": "X", "search.stored": "S",
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


@dataclass
class Anas:
    """What is Ana's beside her datasets, made where somebody asks for it and it is not there."""

    world: World
    fetch: Callable[..., Any]
    bearer: str
    dataset: Dataset
    listed: dict[str, Any]
    ids: dict[str, str] = field(default_factory=dict)
    parts: Iterator[int] = field(default_factory=lambda: itertools.count(515_000, -100))

    async def filled(self, path: str) -> str:
        """Return a path with the ids of what it names."""
        for name, make in (("token", self._token), ("link", self._link), ("job", self._job)):
            if f"{{{name}}}" in path and name not in self.ids:
                self.ids[name] = await make()
        part = self._part() if "{part}" in path else ""
        return path.format(id=self.dataset.id, list=self.listed["id"], part=part, **self.ids)

    def gone(self, path: str) -> None:
        """Forget what was given up."""
        self.ids = {name: value for name, value in self.ids.items() if value not in path}

    def _part(self) -> str:
        """Return a part that nobody has asked for: one that was made is there for the next one."""
        return BOX.replace("515000", str(next(self.parts)))

    async def _token(self) -> str:
        return json.loads((await self.fetch("/api/auth/tokens", "POST", token=self.bearer, body="{}")).body)["id"]

    async def _link(self) -> str:
        body = json.dumps({"dataset": self.dataset.id})
        return json.loads((await self.fetch("/api/links", "POST", token=self.bearer, body=body)).body)["id"]

    async def _job(self) -> str:
        begun = await self.fetch(f"/api/datasets/{self.dataset.id}/{self._part()}", token=self.bearer)
        assert begun.code == BEGUN, begun.body
        return await self.made(begun.headers["Location"])

    async def made(self, place: str) -> str:
        """Return the id of a job, once it is over."""
        job_id, jobs = place.rpartition("/")[2], self.world.services.records.jobs
        await eventually(lambda: not jobs.by_id(job_id).status.is_going)
        return job_id


async def table_of(world: World, fetch, columns: Routes) -> list[str]:
    """Return the lines of a Markdown table."""
    dataset, other = (world.add(f"{n}.tif", visibility=Scale.PRIVATE, owner="ana") for n in (1, 2))
    grant(world, dataset, Level.VIEW, user="vera")
    grant(world, dataset, Level.DOWNLOAD, user="dora")
    lines = [f"| who asks | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    with patch("gateway.refusals.MOST_ROWS", 1_000_000):
        asked = await asked_by_all(world, fetch, dataset, other, columns)
        noted = world.audit()
    rows: dict[str, list[str]] = {}
    for row in noted:
        if row.action in LETTERS:
            rows.setdefault(str(row.request_id), []).append(LETTERS[row.action])
    for name, cells in asked:
        told = []
        for answers in cells:
            said = dict.fromkeys(" ".join([str(code), "".join(rows.get(key, []))]).rstrip() for code, key in answers)
            told.append(", ".join(said))
        lines.append(f"| {name} | {' | '.join(told)} |")
    return lines


async def asked_by_all(
    world: World, fetch, dataset: Dataset, other: Dataset, columns: Routes
) -> list[tuple[str, list[Answers]]]:
    """Return what each caller is answered, by the columns."""
    found, ana = [], world.bearer("ana")
    listed = json.loads(
        (await fetch("/api/downloads", "POST", token=ana, body=json.dumps({"ids": [dataset.id]}))).body
    )
    anas = Anas(world, fetch, ana, dataset, listed)
    async for caller in callers(world, fetch, dataset, other, listed):
        cells = [[await answer(anas, caller, *route) for route in routes] for routes in columns.values()]
        found.append((caller.name, cells))
    return found


async def answer(anas: Anas, caller: Caller, method: str, path: str) -> tuple[int, str]:
    """Return the status of an answer and the id of its request."""
    bodies = {
        "/api/links": {"dataset": anas.dataset.id},
        "/api/downloads": {"ids": [anas.dataset.id]},
        # Each is another one: what is stored already is found by everybody.
        "/api/searches": {"collections": ["data"], "title": caller.name},
    }
    at_dataset = "/datasets/" in path
    sent = BODY if at_dataset else json.dumps(bodies.get(path, {}))
    body = {"body": sent} if method == "POST" else {}
    whole = await anas.filled(path)
    # What makes something takes no token in the query.
    query = caller.query if method != "POST" or at_dataset else ""
    whole += query.replace("?", "&") if "?" in whole else query
    found = await anas.fetch(whole, method, token=caller.bearer, **body)
    if method == "DELETE" and found.code == GONE:
        anas.gone(whole)
    if found.code == BEGUN:
        # Nothing is under way any more when the server ends.
        await anas.made(found.headers["Location"])
    return found.code, found.headers["X-Request-ID"]
