"""Files by writers in the field; see tests/data/writers."""

from pathlib import Path

import pytest

from gateway.cog import DEPTHS, inspect
from gateway.files import open_file

FOLDER = Path(__file__).parent.parent / "data" / "writers"


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_tile_interleaved_cog_of_gdal_is_valid(depth):
    with open_file(FOLDER / "gdal-3.12.2-interleave-tile.tif") as source:
        assert inspect(source, depth=depth).report.findings == ()
