"""Random requests of `scripts/random_requests.py`, short and over few rasters."""

import random
import sys

import numpy as np
import pytest

from scripts.requesting.questions import Questions
from scripts.requesting.run import asked
from tests.tiles.rasters import landscape, utm, write

RECORD = {"id": "1", "bounds": [14.9, 47.6, 15.3, 47.8], "count": 3}


def test_one_seed_asks_the_same_and_for_everything():
    first, second = (Questions(random.Random(7), {"a": RECORD}) for _ in range(2))
    paths = [first.next()[1] for _ in range(400)]
    assert paths == [second.next()[1] for _ in range(400)]
    for what in (
        "/tiles/",
        "/bbox/",
        "/preview",
        "/point/",
        "/statistics",
        "/tilejson",
        "/WMTS",
        "/info",
        "/colorMaps",
    ):
        assert any(what in path for path in paths), what
    for what in ("expression=", "coord_crs=", "dst_crs=", "algorithm=", "nodata=", "resampling=", "colormap="):
        assert any(what in path for path in paths), what


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_that_is_asked_is_a_fault_of_the_server(tmp_path):
    rasters = tmp_path / "rasters"
    rasters.mkdir()
    write(rasters / "rgb.tif", landscape(3, 200, 200), utm())
    write(rasters / "truncated.tif", landscape(1, 200, 200), utm())
    hills = landscape(2, 200, 200, "float32")
    write(rasters / "complex.tif", (hills + 1j * np.flip(hills)).astype("complex64"), utm())
    outcome = asked(tmp_path, minutes=0.1, rate=20, seed=4)
    assert outcome.broken == [], outcome
    assert outcome.figures["requests"] > 10
    assert outcome.figures["downloads"] > 0
