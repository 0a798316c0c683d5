"""Every route of a layer, asked by every kind of caller: what is answered, and how much of the layer it shows."""

import json
from collections.abc import Iterator

from gateway.model import Level, Scale
from tests.handlers.conftest import World, grant
from tests.handlers.layerscenes import WHOLE, scene

# Who may view and download each scene of the layer; dora may have the last one, vera see it, cy by a role.
SCALES = {
    "west": (Scale.PUBLIC, Scale.PUBLIC),
    "east": (Scale.INTERNAL, Scale.PRIVATE),
    "over": (Scale.PRIVATE, Scale.PRIVATE),
}
KVP = "WMTSCapabilities.xml?SERVICE=WMTS&REQUEST=GetTile&TILEMATRIX=7&TILECOL=67&TILEROW=44&FORMAT=image/"
PATHS = {
    "pictures": [f"tiles/{WHOLE}", f"tiles/{WHOLE}@2x.webp", "preview/16x16.png", "bbox/10,47.5,11,48/64x64.png",
                 KVP + "png"],
    "assets": [f"tiles/{WHOLE}/assets"],
    "documents": ["tilejson.json", "WMTSCapabilities.xml", "statistics?max_size=16", "point/10.1,47.8"],
    "values": [f"tiles/{WHOLE}.tif", "preview/16x16.npy", "bbox/10,47.5,11,48/64x64.tif", KVP + "npy"],
}  # fmt: skip
BEARERS = {
    "bearer, no grant": ("stan",), "bearer, may view": ("vera",), "bearer, role may view": ("cy", ("survey",)),
    "bearer, may download": ("dora",), "bearer, owner": ("ana",), "bearer, admin": ("ada", ("admin",)),
}  # fmt: skip
CALLERS = ("anonymous", "tile token of anonymous", "tile token of dora", *BEARERS)


async def layer_table(world: World, fetch) -> list[str]:
    """Return the lines of a Markdown table: callers in rows, kinds in columns; `used/found` where it is told."""
    for number, (name, (view, take)) in enumerate(SCALES.items()):
        owner = "ana" if view is Scale.PRIVATE else None
        made = scene(world, name, 10 + number / 4, visibility=view, download=take, owner=owner)
        if view is Scale.PRIVATE:
            grant(world, made, Level.VIEW, user="vera")
            grant(world, made, Level.VIEW, role="survey")
            grant(world, made, Level.DOWNLOAD, user="dora")
    lines = [f"| who asks | {' | '.join(PATHS)} |", f"|{'---|' * (len(PATHS) + 1)}"]
    for caller in CALLERS:
        query, bearer = await credential_of(world, fetch, caller)
        cells = []
        for paths in PATHS.values():
            told = set()
            for path in paths:
                whole = f"/api/collections/scenes/{path}"
                whole += ("&" if "?" in path else "?") + query if query else ""
                answer = await fetch(whole, token=bearer)
                assert (await fetch(whole, "HEAD", token=bearer)).code == answer.code, whole
                told.add(" ".join(described(path, answer)))
            cells.append(" or ".join(sorted(told)))
        lines.append(f"| {' | '.join([caller, *cells])} |")
    return lines


def described(path: str, answer) -> Iterator[str]:
    """Yield the status of an answer, and how much of the layer it shows."""
    yield str(answer.code)
    if "X-Assets" in answer.headers and not path.startswith(("point", "statistics")):
        yield answer.headers["X-Assets"]


async def credential_of(world: World, fetch, caller: str) -> tuple[str, str | None]:
    """Return the caller's query and bearer token."""
    if caller in BEARERS:
        return "", world.bearer(*BEARERS[caller])
    if caller == "anonymous":
        return "", None
    maker = world.bearer("dora") if caller.endswith("dora") else None
    minted = await fetch("/api/auth/tile-token/collections/scenes", "POST", token=maker)
    return f"token={json.loads(minted.body)['token']}", None
