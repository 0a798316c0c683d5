"""What an answer leaves behind: no body of it may wait for a collection of the oldest generation, which is rare."""

import gc
from collections import Counter

import pytest

from tests.handlers.conftest import UNKNOWN_ID

pytestmark = pytest.mark.gen_test
# Pictures, values and facts, the file and a range of it, and errors that come from a painter and from a thread.
PATHS = (
    "preview.png?max_size=64", "preview.npy?max_size=64", "tiles/0/0/0.png", "tiles/0/0/0.png?bidx=1", "info",
    "statistics", "download/cog", "tilejson.json", "tiles/0/0/0.png?bidx=9", "info?bidx=x", "point/0,0",
    "layer/tiles/0/0/0.png", "layer/tiles/0/0/0.png?bidx=9", "layer/point/0,0", "layer/preview.npy?max_size=64",
)  # fmt: skip


def left_behind() -> Counter[str]:
    """Return by their types what of the gateway only a collection has found; Tornado's client leaves its own."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    names = (f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.garbage)
    return Counter(name for name in names if name.startswith(("gateway.", "tornado.http1connection.")))


@pytest.mark.parametrize("path", [*PATHS, "download/cog: private", "download/cog: unknown"])
async def test_nothing_that_was_answered_waits_for_a_collection(fetch, world, path):
    path, _, kind = path.partition(": ")
    dataset, token = world.add(), world.bearer("bo" if kind else "ana")
    within = f"datasets/{UNKNOWN_ID if kind == 'unknown' else dataset.id}"
    if path.startswith("layer/"):
        within, path = f"collections/{dataset.collection}", path.removeprefix("layer/")
    url = f"/api/{within}/{path}"
    await fetch(url, token=token)
    gc.collect()
    gc.disable()
    # What is there already needs no look in each collection.
    gc.freeze()
    try:
        for _ in range(3):
            await fetch(url, token=token)
        assert not left_behind()
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
