"""Facts of a raster: a value for each band, null where there is none, and numbers that JSON can carry."""

import json

import numpy as np
import pytest

from gateway.colour.model import Style
from gateway.errors import BadParameter, NotFound
from gateway.ground.areas import crs_of
from gateway.tiles import facts
from gateway.tiles.facts import info, plain, point, statistics
from tests.tiles.rasters import UTM, handle_of, landscape, utm, write


@pytest.fixture(scope="module")
def spectral(tmp_path_factory):
    """Yield four bands of which the second has a hole."""
    pixels = landscape(4, 150, 200, "uint16")
    pixels[1, 40, 60] = 0
    path = write(tmp_path_factory.mktemp("facts") / "spectral.tif", pixels, utm(), nodata=0)
    with handle_of(path) as handle:
        yield handle, pixels


def test_info_names_the_crs_and_its_projection(spectral):
    found = info(spectral[0])
    assert found["crs_name"] == "WGS 84 / UTM zone 33N"
    assert "+proj=utm +zone=33" in found["crs_proj"]
    assert found["band_units"] == [None] * 4


def middle(row, col):
    """Return x and y of the middle of a pixel."""
    return utm() * (col + 0.5, row + 0.5)


def test_a_point_has_a_value_for_each_band(spectral):
    handle, pixels = spectral
    found = point(handle, middle(20, 30), UTM, Style())
    assert found["values"] == pixels[:, 20, 30].tolist()
    assert found["band_names"] == found["band_descriptions"] == ["b1", "b2", "b3", "b4"]


def test_a_point_in_a_hole_is_null_in_that_band_alone(spectral):
    handle, pixels = spectral
    expected = [None if band == 1 else int(pixels[band, 40, 60]) for band in range(4)]
    assert point(handle, middle(40, 60), UTM, Style())["values"] == expected


def test_a_point_of_bands_and_of_an_expression(spectral):
    handle, pixels = spectral
    here = pixels[:, 20, 30].astype(float)
    assert point(handle, middle(20, 30), UTM, Style(bidx=(4, 1)))["values"] == [here[3], here[0]]
    assert point(handle, middle(20, 30), UTM, Style(expression="b1/b2;b3"))["values"] == [here[0] / here[1], here[2]]


@pytest.mark.parametrize("place", [(0, 0), (1e300, 1e300), (500_000 - 40, 5_300_000)])
def test_a_point_outside_is_not_found(spectral, place):
    with pytest.raises(NotFound):
        point(spectral[0], place, UTM, Style())


def test_statistics_of_an_algorithm_are_those_of_what_it_made(spectral):
    options = {"categorical": False, "categories": None, "percentiles": [2, 98], "hist_options": {"bins": 4}}
    found = statistics(spectral[0], Style(bidx=(1, 3), algorithm="normalizedIndex"), (512, None, None), **options)
    assert list(found) == ["b1"]
    assert -1 <= found["b1"]["min"] <= found["b1"]["max"] <= 1


def test_statistics_are_of_so_many_bands_at_once_and_of_so_many_values(spectral, tmp_path, monkeypatch):
    with handle_of(write(tmp_path / "many.tif", np.zeros((520, 16, 16), "uint8"), utm())) as handle:
        with pytest.raises(BadParameter, match="520 bands"):
            statistics(handle, Style(), (16, None, None))
        assert len(statistics(handle, Style(bidx=tuple(range(9, 521))), (16, None, None))) == 512
    monkeypatch.setattr(facts, "MAX_COUNTED", 4 * 10 * 10)
    assert statistics(spectral[0], Style(), (512, None, None))["b1"]["valid_pixels"] <= 10 * 10


def test_numbers_that_json_has_not_are_null():
    assert plain({"a": [np.nan, 1.0, float("inf")], "b": {"c": -np.inf}}) == {
        "a": [None, 1.0, None],
        "b": {"c": None},
    }
    json.dumps(plain([float("nan")]), allow_nan=False)


def test_a_crs_that_is_not_there_is_named():
    assert crs_of(None, "dst_crs") is None
    assert "Mercator" in crs_of("EPSG:3857", "dst_crs")
    with pytest.raises(BadParameter, match="dst_crs"):
        crs_of("EPSG:999999", "dst_crs")
    # Vertical and geocentric ones, of which PROJ makes something without a word.
    for name in ("EPSG:5773", "EPSG:4978"):
        with pytest.raises(BadParameter, match="dst_crs: that is no CRS of maps"):
            crs_of(name, "dst_crs")
    assert "RD New" in crs_of("EPSG:7415", "dst_crs")
