"""Bounds in degrees: those of a net of points that come back from there, poles and all turns included."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Transformer

from gateway.errors import NoPlace
from gateway.ground.degrees import geographic_bounds
from gateway.ground.georeference import Georeference
from tests.tiles.extents import EXTENTS, GEOSTATIONARY, SINUSOIDAL


def bounds_of(crs, transform, size):
    return geographic_bounds(Georeference(CRS.from_user_input(crs).to_wkt(), transform, size)).as_tuple


EXPECTED = {
    "world": (-180, -90, 180, 90),
    "world, 0..360": (-180, -90, 180, 90),
    "Web Mercator, all round": (-180, -85.05, 180, 85.05),
    "south up": (-180, -90, 180, 90),
    "-190..-170": (170, 43, -170, 55),
    "172..186": (172, 41, -174.02, 50),
    "polar": (-180, 40.9, 180, 90),
    "Antarctica": (-180, -90, 180, -52.3),
    "geostationary disk": (-156.3, -81.33, 6.3, 81.33),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_bounds_go_over_poles_and_round_the_globe(name):
    assert bounds_of(*EXTENTS[name]) == pytest.approx(EXPECTED[name], abs=0.05)


@pytest.mark.parametrize("name", [name for name in EXTENTS if name not in EXPECTED])
def test_bounds_hold_every_pixel_and_no_more(name):
    crs, transform, (width, height) = EXTENTS[name]
    west, south, east, north = bounds_of(*EXTENTS[name])
    columns, rows = np.meshgrid(np.linspace(0, width, 401), np.linspace(0, height, 401))
    x, y = transform * (columns, rows)
    found = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    longitude, latitude = np.asarray(found[0]), np.asarray(found[1])
    held = np.isfinite(longitude)
    along = np.mod(longitude[held] - west, 360)
    along = np.where(along > 360 - 1e-6, 0, along)
    span = np.mod(east - west, 360)
    assert along.max() <= span + 1e-6
    # Towards the edge of a disk degrees lie ever nearer together, and no net of pixels reaches it.
    slack = 2 if name == "geostationary sector" else 0.05
    assert along.max() == pytest.approx(span, abs=slack)
    assert along.min() == pytest.approx(0, abs=slack)
    assert latitude[held].min() == pytest.approx(south, abs=slack / 4)
    assert latitude[held].max() == pytest.approx(north, abs=slack / 4)
    assert south <= latitude[held].min() + 1e-9
    assert north >= latitude[held].max() - 1e-9


LIMBS = {
    "sector": EXTENTS["geostationary sector"][1:], "disk": EXTENTS["geostationary disk"][1:],
    "CONUS of 2 km": (Affine(2004.017, 0, -3_627_271.3, 0, -2004.017, 4_589_199.9), (2500, 1500)),
    "west": (Affine(1000, 0, -5_500_000, 0, -1000, 400_000), (300, 800)),
    "north": (Affine(1000, 0, -300_000, 0, -1000, 5_500_000), (800, 300)),
    "corner": (Affine(1000, 0, -5_000_000, 0, -1000, 5_000_000), (2000, 2000)),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMBS)
def test_bounds_reach_the_limb_of_the_globe(name):
    transform, (width, height) = LIMBS[name]
    step = 0.1
    longitude, latitude = np.meshgrid(np.arange(-157, 7, step), np.arange(-82, 82, step))
    x, y = Transformer.from_crs("OGC:CRS84", GEOSTATIONARY, always_xy=True).transform(longitude, latitude)
    seen = np.isfinite(x)
    columns, rows = ~transform * (np.where(seen, x, 0), np.where(seen, y, 0))
    seen &= (columns >= 0) & (columns <= width) & (rows >= 0) & (rows <= height)
    lies = longitude[seen], latitude[seen]
    expected = lies[0].min(), lies[1].min(), lies[0].max(), lies[1].max()
    assert bounds_of(GEOSTATIONARY, transform, (width, height)) == pytest.approx(expected, abs=2.5 * step)


def test_a_world_map_whose_corners_lie_in_space_is_the_whole_world():
    size = (1001, 501)
    sinusoidal = Affine(40_000, 0, -20_015_109, 0, -40_000, 10_007_554)
    assert bounds_of(SINUSOIDAL, sinusoidal, size) == pytest.approx((-180, -90, 180, 90), abs=0.4)
    mollweide = Affine(36_200, 0, -18_100_000, 0, -36_200, 9_068_100)
    assert bounds_of("+proj=moll", mollweide, size) == pytest.approx((-180, -90, 180, 90), abs=0.4)


def test_what_sees_nothing_of_the_globe_has_no_place():
    with pytest.raises(NoPlace):
        bounds_of(GEOSTATIONARY, Affine(10, 0, 9e6, 0, -10, 9e6), (100, 100))
