"""Extents: they hold what a dense net of points says, to the last digit; or nothing is claimed."""

import numpy as np
import pytest
from pyproj import CRS

from gateway.ground.extent import extent
from gateway.ground.systems import transform_of

BOXES = {
    "LAEA": ("EPSG:3035", (2_500_000, 1_500_000, 7_500_000, 5_500_000), "EPSG:3857"),
    "Albers": ("EPSG:5070", (-2_493_045, 177_285, 2_342_655, 3_310_005), "EPSG:3857"),
    "Albers in degrees": ("EPSG:5070", (-2_493_045, 177_285, 2_342_655, 3_310_005), "OGC:CRS84"),
    "UTM": ("EPSG:32633", (300_000, 5_000_000, 700_000, 5_600_000), "EPSG:3857"),
    "two datum shifts": ("EPSG:27700", (0, 0, 700_000, 1_300_000), "EPSG:3857"),
    "degrees": ("EPSG:4326", (-20, -60, 40, 70), "EPSG:3857"),
    "degrees, polar": ("EPSG:4326", (10, 50, 70, 85), "EPSG:3413"),
}


@pytest.mark.parametrize("name", BOXES)
def test_every_point_of_the_box_lies_within_and_each_side_is_touched(name):
    crs, box, target = BOXES[name]
    transform = transform_of(CRS.from_user_input(crs).to_wkt(), target)
    west, south, east, north = extent(transform, box)
    x, y = np.meshgrid(np.linspace(box[0], box[2], 801), np.linspace(box[1], box[3], 801))
    found_x, found_y = transform(x, y)
    across, down = east - west, north - south
    assert found_x.min() >= west - 1e-9 * across
    assert found_x.max() <= east + 1e-9 * across
    assert found_y.min() >= south - 1e-9 * down
    assert found_y.max() <= north + 1e-9 * down
    # No further than the steps of the net may miss, or than two datum shifts differ.
    slack = 1e-3 if name == "two datum shifts" else 1e-5
    assert max(found_x.min() - west, east - found_x.max()) <= slack * across
    assert max(found_y.min() - south, north - found_y.max()) <= slack * down


@pytest.mark.parametrize(
    ("crs", "box", "target"),
    [
        ("EPSG:4326", (-180, -90, 180, 90), "EPSG:3857"),
        ("EPSG:32601", (100_000, 6_700_000, 400_000, 7_000_000), "EPSG:3857"),
        ("EPSG:3413", (-4e6, -4e6, 4e6, 4e6), "EPSG:3857"),
        ("EPSG:3413", (-4e6, -4e6, 4e6, 4e6), "OGC:CRS84"),
        ("+proj=geos +h=35786023 +lon_0=0 +ellps=GRS80", (-5.4e6, -5.4e6, 5.4e6, 5.4e6), "EPSG:3857"),
        ("EPSG:4326", (-180, -89, 180, 89), "EPSG:3035"),
    ],
)
def test_over_poles_seams_and_space_nothing_is_claimed(crs, box, target):
    assert extent(transform_of(CRS.from_user_input(crs).to_wkt(), target), box) is None
