"""Every route of maps, in every format, asked by every kind of caller: what is answered, and what goes on record."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from operator import add
from unittest.mock import patch

from gateway.model import Dataset, Level, Scale
from tests.handlers.conftest import World, grant

PLACES = ("tiles/0/0/0", "tiles/WebMercatorQuad/0/0/0@2x", "preview/16x16", "bbox/14,47,16,48/16x16")
KVP = "WMTSCapabilities.xml?SERVICE=WMTS&REQUEST=GetTile&TILEMATRIX=0&TILECOL=0&TILEROW=0&FORMAT=image/"
# What each of them gives has the same rule.
PATHS = {
    "pictures": [
        *(place + form for place, form in product(PLACES, ("", ".png", ".jpg", ".webp")) if place + form != PLACES[3]),
        *(KVP + form for form in ("png", "jpeg", "webp")),
    ],
    "facts": ["info", "info.geojson", "statistics?max_size=16", "point/15,47.7"],
    "documents": ["tilejson.json?minzoom=0&maxzoom=1", "WMTSCapabilities.xml?minzoom=0&maxzoom=1", "", "validation"],
    "values": [place + form for place, form in product(PLACES, (".tif", ".npy"))] + [KVP + form for form in ("tif", "npy")],
}  # fmt: skip
# Each place once, and each form at one of them at least.
PATHS_ONCE = {
    **PATHS,
    "pictures": [*map(add, PLACES, ("", ".png", ".jpg", ".webp")), KVP + "png"],
    "values": [*map(add, PLACES, (".tif", ".npy", ".npy", ".tif")), KVP + "tif"],
}
# What is asked by a polygon in the body.
POSTED = {"pictures": ["feature/16x16.png"], "facts": ["statistics?max_size=16"], "values": ["feature/16x16.npy"]}
AREA = {"type": "Polygon", "coordinates": [[[15, 47.7], [15.1, 47.7], [15.1, 47.8], [15, 47.7]]]}
BODY = json.dumps({"type": "Feature", "properties": {}, "geometry": AREA})
# Those that transfer something.
GIVING = ("GET", "POST")
CALLERS = (
    "anonymous", "tile token", "download token", "bearer, no grant", "bearer, may view", "bearer, may download",
    "bearer, admin",
)  # fmt: skip
# Who may view, and who may download.
SCALES = [
    (view, take)
    for view, take in product((Scale.PUBLIC, Scale.INTERNAL, Scale.PRIVATE), repeat=2)
    if take.width <= view.width
]


@dataclass(frozen=True)
class Answer:
    """A status, and the rows about downloads that one request left."""

    status: int
    rows: tuple[str, ...]

    def __str__(self) -> str:
        told = {
            (): "",
            ("download.refused",): " R",
            ("download.finished", "download.part"): " P",
        }[self.rows]
        return f"{self.status}{told}"


@dataclass(frozen=True)
class Asked:
    """One request of the table."""

    kind: str
    path: str
    method: str
    caller: str
    scales: tuple[Scale, Scale]


async def all_answers(world: World, fetch, paths: dict[str, list[str]] = PATHS) -> dict[Asked, Answer]:
    """Return what every caller is answered of every path, for a dataset of each pair of scales.

    By POST, all of `PATHS` only. Refusals are counted one by one here; else they are bounded for each address.
    """
    datasets = {}
    for view, take in SCALES:
        dataset = datasets[view, take] = world.add(f"{view}-{take}.tif", visibility=view, download=take)
        grant(world, dataset, Level.VIEW, user="vera")
        grant(world, dataset, Level.DOWNLOAD, user="dora")
    found, ids = {}, {}
    with patch("gateway.refusals.MOST_ROWS", 1_000_000):
        for scales, caller in product(SCALES, CALLERS):
            dataset = datasets[scales]
            query, bearer = await credential_of(world, fetch, dataset, caller)
            for asked in requests_of(scales, caller, paths):
                path = f"/api/datasets/{dataset.id}/{asked.path}".rstrip("/")
                path += ("&" if "?" in path else "?") + query if query else ""
                told = {"body": BODY} if asked.method == "POST" else {}
                response = await fetch(path, asked.method, token=bearer, **told)
                found[asked], ids[asked] = response.code, response.headers["X-Request-ID"]
        noted = world.audit()
    rows: dict[str, Counter[str]] = {}
    for row in noted:
        if row.action.startswith("download."):
            rows.setdefault(str(row.request_id), Counter())[row.action] += 1
    return {asked: Answer(found[asked], tuple(sorted(rows.get(ids[asked], Counter()).elements()))) for asked in found}


def requests_of(scales: tuple[Scale, Scale], caller: str, of_kind: dict[str, list[str]]) -> Iterator[Asked]:
    """Yield what one caller asks of one dataset: everything by GET, and values by HEAD as well."""
    for kind, paths in of_kind.items():
        for path in paths:
            yield Asked(kind, path, "GET", caller, scales)
            if kind == "values":
                yield Asked(kind, path, "HEAD", caller, scales)
        for path in POSTED.get(kind, ()) if of_kind is PATHS else ():
            yield Asked(kind, path, "POST", caller, scales)


async def credential_of(world: World, fetch, dataset: Dataset, caller: str) -> tuple[str, str | None]:
    """Return the caller's query and bearer token; scoped tokens are those of somebody who may download."""
    names = {"no grant": ("stan",), "may view": ("vera",), "may download": ("dora",), "admin": ("ada", ("admin",))}
    if caller.startswith("bearer"):
        return "", world.bearer(*names[caller.removeprefix("bearer, ")])
    if caller == "anonymous":
        return "", None
    kind = caller.partition(" ")[0]
    minted = await fetch(f"/api/auth/{kind}-token/{dataset.id}", "POST", token=world.bearer("dora"))
    return f"token={json.loads(minted.body)['token']}", None


def table(answers: dict[Asked, Answer], kinds: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table: callers in rows, scales in columns; `kinds` are named groups of kinds."""
    head = ["who asks", "for", *(f"{view} / {take}" for view, take in SCALES)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, group in kinds.items():
        for caller in CALLERS:
            cells = []
            for scales in SCALES:
                told = {
                    str(answer)
                    for asked, answer in answers.items()
                    if (asked.caller, asked.scales) == (caller, scales)
                    and asked.method in GIVING
                    and asked.kind in group
                }
                cells.append(" or ".join(sorted(told)))
            lines.append(f"| {' | '.join([caller, name, *cells])} |")
    return lines
