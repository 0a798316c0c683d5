"""Three scenes that are one layer: two beside each other, and a hidden one, the newest, over both."""

import numpy as np
import pytest
from rasterio.transform import from_origin

from gateway.catalogue.collections import Collection
from gateway.model import Level, Scale
from tests.handlers.conftest import act, grant
from tests.rasters import write_cog_of
from tests.stac.conftest import START, dated, serving

# Scenes of 40 by 40 pixels of 1/80 degree, west to east: half a degree each.
SIDE, PIXEL = 40, 1 / 80
# West, south, east, north of all.
ALL = (10.0, 47.5, 11.0, 48.0)
# The tile that holds all of them, one in the west of the western scene, and one beside all.
WHOLE, WEST, BESIDE = "7/67/44", "11/1081/715", "7/70/44"
# Places that are in one of the open scenes and under the hidden one, and in the eastern one alone.
OVER, ALONE = (10.3, 47.8), (10.9, 47.8)
VALUES = {"west": 50, "east": 100, "over": 200}


@pytest.fixture(scope="module")
def served(tmp_path_factory, cog_file):
    """A gateway in a thread of its own, shared by a module."""
    with serving(tmp_path_factory, cog_file, None) as world:
        yield world


def paint(world, name, west, value):
    """Write the file of a scene whose pixels have one value."""
    pixels, place = np.full((1, SIDE, SIDE), value, "uint8"), from_origin(west, 48.0, PIXEL, PIXEL)
    write_cog_of(world.folder / f"{name}.tif", pixels, crs="EPSG:4326", transform=place)


def scene(world, name, west, **values):
    """Write and register a scene."""
    paint(world, name, west, VALUES[name])
    return world.register(f"{name}.tif", title=name, collection="scenes", **values)


def make_scenes(world):
    """Return the scenes by name: the western one for all, the eastern one to be seen by all and had by none, and
    ana's, which surveyors may see and vera may have.
    """
    world.services.records.create_collection(Collection("scenes", "Scenes", START, START), act())
    open_to_see = {"visibility": Scale.PUBLIC, "download": Scale.PRIVATE}
    found = {
        "west": scene(world, "west", 10.0, dates=dated(0)),
        "east": scene(world, "east", 10.5, dates=dated(1), **open_to_see),
        "over": scene(world, "over", 10.25, dates=dated(2, 4), visibility=Scale.PRIVATE, owner="ana"),
    }
    grant(world, found["over"], Level.VIEW, role="survey")
    grant(world, found["over"], Level.DOWNLOAD, user="vera")
    return found
