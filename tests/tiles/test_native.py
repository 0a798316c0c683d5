"""Which whole pixels a box touches: as the shapes of the pixels say, in any CRS, turned and round the globe."""

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from shapely import box, polygons, segmentize, transform

from gateway.cog.parts import Part
from gateway.errors import BadParameter, NotFound
from gateway.tiles import native
from tests.tiles.rasters import engine_of, landscape, utm, write

TURNED = utm() * Affine.rotation(25)
WORLD = Affine(4, 0, -180, 0, -3, 90)


@pytest.fixture(scope="module")
def rasters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    return {
        "utm": write(folder / "utm.tif", landscape(2, 60, 90), utm()),
        "turned": write(folder / "turned.tif", landscape(1, 60, 90), TURNED),
        "south up": write(folder / "south.tif", landscape(1, 60, 90), utm() * Affine.scale(1, -1)),
        "world": write(folder / "world.tif", landscape(1, 60, 90), WORLD, "EPSG:4326"),
        "later": write(folder / "later.tif", landscape(1, 60, 90), WORLD * Affine.translation(45, 0), "EPSG:4326"),
    }


def planned(path, bounds, crs=None, bands=()):
    with engine_of(path) as (engine, record):
        return engine.lend(record, lambda handle: (native.planned(handle, bounds, crs, bands), handle.view))


def touched(view, bounds, crs):
    """Return the part by the shapes of all pixels: those that have an area in common with the box."""
    there = segmentize(box(*bounds), (bounds[2] - bounds[0]) / 200)
    there = transform(there, Transformer.from_crs(crs, view.crs, always_xy=True).transform, interleaved=False)
    columns, rows = np.meshgrid(np.arange(view.size[0]), np.arange(view.size[1]))
    corners = [view.place.at(columns + dx, rows + dy) for dx, dy in ((0, 0), (1, 0), (1, 1), (0, 1))]
    cells = polygons(np.stack([np.stack(corner, axis=-1) for corner in corners], axis=-2))
    found_rows, found_columns = np.nonzero(np.vectorize(lambda cell: cell.intersection(there).area > 1e-9)(cells))
    left, top = found_columns.min(), found_rows.min()
    return left, top, found_columns.max() + 1 - left, found_rows.max() + 1 - top


@pytest.mark.parametrize("name", ["utm", "turned", "south up"])
def test_a_part_has_every_pixel_that_the_box_touches(rasters, name):
    _, view = planned(rasters[name], (-180, -80, 180, 84))
    middle = Transformer.from_crs(view.crs, 4326, always_xy=True).transform(*view.place.at(45.3, 30.2))
    for half in (0.0003, 0.0011):
        bounds = middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half
        part = planned(rasters[name], bounds)[0].part
        found = touched(view, bounds, 4326)
        # A turned grid is cut by the rows and columns that hold the box, whose corner pixels it may not touch.
        assert (part.column, part.row, part.width, part.height) == tuple(map(int, found))


def test_edges_of_the_grid_are_no_other_pixels_and_all_is_clipped_to_the_file(rasters):
    place = planned(rasters["utm"], (-180, -80, 180, 84))[1].place
    west, north = place.at(10, 20)
    east, south = place.at(30, 25)
    inside = planned(rasters["utm"], (west, south, east, north), "EPSG:32633")[0]
    assert inside.part == Part(10, 20, 20, 5, (1, 2))
    assert inside.decoded_bytes == 20 * 5 * 2
    assert planned(rasters["utm"], (-180, -80, 180, 84), bands=(2, 1, 2))[0].part == Part(0, 0, 90, 60, (2, 1, 2))


def test_round_the_globe(rasters):
    assert planned(rasters["world"], (-8, 0, 8, 6))[0].part == Part(43, 28, 4, 2, (1,))
    assert planned(rasters["later"], (-172, 0, -168, 6))[0].part == Part(47, 28, 1, 2, (1,))
    assert planned(rasters["later"], (176, 0, -176, 6))[0].part == Part(44, 28, 2, 2, (1,))
    assert planned(rasters["world"], (-180, -90, 180, 90))[0].part == Part(0, 0, 90, 60, (1,))
    # Of a file from 0 on, the end comes first.
    assert planned(rasters["later"], (-180, -90, 180, 90))[0].part == Part(0, 0, 90, 60, (1,))
    with pytest.raises(BadParameter, match="both ends"):
        planned(rasters["world"], (176, 0, -176, 6))


def test_what_cannot_be_is_said(rasters):
    with pytest.raises(NotFound, match="outside"):
        planned(rasters["utm"], (100, 0, 101, 1))
    with pytest.raises(BadParameter, match="bidx"):
        planned(rasters["utm"], (-180, -80, 180, 84), bands=(3,))
