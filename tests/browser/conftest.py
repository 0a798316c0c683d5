"""The gateway with the sample rasters in it: a public picture of the world, and elevation that is Ana's alone."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from imagecodecs import png_decode

from gateway.model import Dataset, Scale
from tests.browsing import io_loop
from tests.handlers.conftest import World, app, cog_file, http_server, second, settings, shared, world

__all__ = ["app", "cog_file", "http_server", "io_loop", "second", "settings", "shared", "world"]
SAMPLES = Path(__file__).parent.parent.parent / "data"
# What Chromium says of an answer that a test provokes.
REFUSED = r"Failed to load resource: the server responded with a status of 4\d\d"


@dataclass(frozen=True)
class Samples:
    """The gateway and its two datasets."""

    world: World
    marble: Dataset
    elevation: Dataset

    def to_look_at(self) -> Dataset:
        """A public dataset whose file is Ben's alone."""
        shutil.copy(SAMPLES / "elevation.tif", self.world.folder / "shown.tif")
        return self.world.register("shown.tif", title="To look at", download=Scale.PRIVATE, owner="ben")

    @property
    def bearer(self) -> str:
        return self.world.bearer("ana")


@pytest.fixture
def samples(world) -> Samples:
    def add(name: str, **values) -> Dataset:
        shutil.copy(SAMPLES / name, world.folder / name)
        return world.register(name, **values)

    marble = add("blue_marble.tif", title="Blue Marble")
    return Samples(world, marble, add("elevation.tif", title="Elevation", visibility=Scale.PRIVATE, owner="ana"))


async def sign_in(page, bearer: str) -> None:
    """Paste a token as a visitor does."""
    await page.click("#account")
    await page.fill("#bearer", bearer)
    await page.press("#bearer", "Enter")
    await page.wait_for_selector("#who:not([hidden])")


async def drawn(page) -> None:
    """Return when the map has drawn all that it asked for."""
    await page.wait_for_selector("#how:not([hidden])")
    await page.wait_for_selector("#map[aria-busy=false]")


async def colours(page, selector: str) -> int:
    """Return how many colours the middle of a map has on the screen."""
    return len(np.unique((await middle(page, selector)).reshape(-1, 3), axis=0))


async def middle(page, selector: str) -> np.ndarray:
    """Return the middle of a map as it is on the screen, (120, 120, 3)."""
    box = await page.locator(selector).bounding_box()
    clip = {
        "x": box["x"] + box["width"] / 2 - 60,
        "y": box["y"] + box["height"] / 2 - 60,
        "width": 120,
        "height": 120,
    }
    return png_decode(await page.screenshot(clip=clip))[..., :3]
