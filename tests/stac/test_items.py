"""Items of datasets of every kind, as others' validator reads them."""

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from pystac.validation import validate_dict

from gateway.cog import inspect
from gateway.files import open_file
from gateway.model import Dataset, Finding, Report, Scale
from gateway.stac.assets import COG, GEOTIFF, MOST_BANDS
from gateway.stac.items import RASTER, WEB_MAP_LINKS, item_of
from gateway.stac.site import Site
from tests.cog.conftest import cogs
from tests.cog.samples import SAMPLES
from tests.records.conftest import dataset
from tests.stac.conftest import dated
from tests.stac.validating import validator

__all__ = ["cogs", "validator"]
SITE = Site("https://example.org/api")


def inspected(path) -> Dataset:
    with open_file(path) as source:
        found = inspect(source)
    return replace(dataset(1), report=found.report, raster=found.raster)


def valid(item, validator):
    json.dumps(item, allow_nan=False)
    validate_dict(item, validator=validator)
    return item


def test_items_of_every_sample_are_valid(cogs, validator):
    for name in SAMPLES:
        known = inspected(cogs[name])
        item = valid(item_of(known, SITE), validator)
        data = item["assets"]["data"]
        assert data["type"] == COG
        assert data["gateway:checked_at"].endswith("Z")
        assert len(data["bands"]) == known.raster.count
        assert item["properties"]["proj:code"] == known.raster.crs
        assert ("file:header_size" in data) is (name != "all_sparse")
        assert ("thumbnail" in item["assets"]) is (WEB_MAP_LINKS in item["stac_extensions"]) is (name != "complex")


def test_the_header_size_is_where_the_first_block_begins(cogs):
    for name in ("plain", "big_endian_bigtiff"):
        content, header_bytes = cogs[name].read_bytes(), inspected(cogs[name]).raster.header_bytes
        first = content[header_bytes : header_bytes + 4]
        # GDAL's COG driver writes the smallest overview first, each block behind its size in four bytes.
        assert 0 < int.from_bytes(first, "little") <= len(content) - header_bytes
        assert b"BLOCK_LEADER" in content[:header_bytes]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"raster": None},
        {"visibility": Scale.PRIVATE, "download": Scale.PRIVATE},
        {"dates": dated(0, 3), "sha256": None, "properties": {"eo:cloud_cover": 3.5}},
        {"report": Report("full", (Finding("overviews-missing", "none"),)), "raster": None},
    ],
)
def test_items_of_every_kind_of_record_are_valid(changes, validator):
    valid(item_of(replace(dataset(1), **changes), SITE), validator)


@pytest.mark.parametrize(
    "changes",
    [
        {"crs": None, "bounds": None},
        {"bounds": (170.0, -5.0, -170.0, 5.0)},
        {"crs": 'PROJCS["x"]', "wkt2": 'PROJCRS["x"]'},
        {"scaling": ((0.5, 1.0), (1.0, 0.0), (1.0, 0.0)), "transform": (2.0, 0.5, 100.0, 0.25, -1.0, 50.0)},
        {"count": MOST_BANDS + 1, "dtype": "int16"},
        {"dtype": "complex_int16", "nodata": None},
    ],
)
def test_items_of_every_kind_of_raster_are_valid(changes, validator):
    known = dataset(1)
    valid(item_of(replace(known, raster=replace(known.raster, **changes)), SITE), validator)


def test_the_media_type_says_cog_only_while_the_last_verdict_is_that():
    known = dataset(1)
    broken = replace(known, report=Report("full", (Finding("tile-outside", "cut"),)), raster=None)
    before, now = (item_of(each, SITE)["assets"]["data"] for each in (known, broken))
    assert (before["type"], before["gateway:valid"], before["gateway:depth"]) == (COG, True, "blocks")
    assert (now["type"], now["gateway:valid"], now["gateway:depth"]) == (GEOTIFF, False, "full")


def test_the_file_has_the_name_of_its_dataset_in_its_title_and_its_address(validator):
    item = valid(item_of(replace(dataset(1), title="Übersicht/漢字 (1)"), SITE), validator)
    data = item["assets"]["data"]
    assert data["title"] == "Übersicht/漢字 (1)"
    address = f"https://example.org/api/datasets/{item['id']}/download/"
    assert unquote(data["href"]) == f"{address}Übersicht_漢字 (1).tif"
    assert data["href"].isascii()


def test_links_to_maps_are_told_apart_by_their_titles():
    titles = [link["title"] for link in item_of(dataset(1), SITE)["links"] if "title" in link]
    assert len(set(titles)) == len(titles) == 5


def test_the_grid_is_told_as_the_file_has_it():
    known = dataset(1)
    raster = replace(known.raster, transform=(2.0, 0.5, 100.0, 0.25, -1.0, 50.0))
    told = item_of(replace(known, raster=raster), SITE)["properties"]
    assert told["proj:shape"] == [480, 640]
    assert told["proj:transform"] == [2.0, 0.5, 100.0, 0.25, -1.0, 50.0]
    assert told["proj:bbox"] == [100.0, -430.0, 1620.0, 210.0]


def test_scales_stand_on_their_bands():
    known = dataset(1)
    raster = replace(known.raster, scaling=((0.5, 1.0), (1.0, 0.0), (1.0, 0.0)))
    item = item_of(replace(known, raster=raster), SITE)
    assert RASTER in item["stac_extensions"]
    scales = [(band.get("raster:scale"), band.get("raster:offset")) for band in item["assets"]["data"]["bands"]]
    assert scales == [(0.5, 1.0), (None, None), (None, None)]


@pytest.mark.parametrize(
    ("site", "visibility", "download", "refs"),
    [
        (SITE, Scale.PUBLIC, Scale.PUBLIC, {"data"}),
        (replace(SITE, open_downloads=True), Scale.PUBLIC, Scale.PUBLIC, set()),
        (replace(SITE, open_downloads=True), Scale.PUBLIC, Scale.INTERNAL, {"data"}),
        (replace(SITE, open_downloads=True), Scale.INTERNAL, Scale.PRIVATE, {"data", "thumbnail"}),
    ],
)
def test_what_a_plain_client_may_not_fetch_says_so(site, visibility, download, refs):
    item = item_of(replace(dataset(1), visibility=visibility, download=download), site)
    assert {key for key, asset in item["assets"].items() if "auth:refs" in asset} == refs
    assert ("auth:schemes" in item["properties"]) is bool(refs)
    own = {link["rel"] for link in item["links"] if "auth:refs" in link}
    assert own == ({"self", "describedby", "tilejson", "xyz", "wmts"} if visibility is not Scale.PUBLIC else set())


def test_an_issuer_is_named_where_bearers_come_from(validator):
    item = valid(item_of(dataset(1), replace(SITE, issuer="https://login.example.org/")), validator)
    scheme = item["properties"]["auth:schemes"]["openid"]
    assert scheme["openIdConnectUrl"] == "https://login.example.org/.well-known/openid-configuration"
    assert item["assets"]["data"]["auth:refs"] == ["openid", "basic"]
