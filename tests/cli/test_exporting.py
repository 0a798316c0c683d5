"""`collections export`: what comes out is what the API says, whole or not at all."""

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pystac
import pytest
import shapely
from pystac.validation import RegisteredValidator

from gateway.catalogue.collections import Collection, Provider
from gateway.export import geoparquet, pages, static
from gateway.model import Finding, Report, Scale
from gateway.records import open_records
from gateway.stac.items import item_of
from gateway.stac.site import Site
from tests.records.conftest import START, act, dataset
from tests.stac.conftest import dated
from tests.stac.validating import validator

__all__ = ["validator"]
GUIDE = Path(__file__).parent.parent.parent / "docs" / "clients" / "stac.md"
URL = "https://maps.example.org/x"
SITE = Site(f"{URL}/api")
MULTI = {
    "type": "MultiPolygon",
    "coordinates": [
        [[[170, -5], [180, -5], [180, 5], [170, 5], [170, -5]]],
        [[[-180, -5], [-170, -5], [-170, 5], [-180, 5], [-180, -5]]],
    ],
}


def kinds():
    """Return datasets of every kind of item."""
    one = replace(dataset(1), collection="maps", owner="ana")
    raster = one.raster
    changes = [
        {},
        {"raster": None, "report": Report("full", (Finding("tile-outside", "cut"),)), "sha256": None},
        {"visibility": Scale.PRIVATE, "download": Scale.PRIVATE, "dates": dated(0, 3), "properties": {"kind": "x"}},
        {"properties": {"kind": 7, "cloud": 3, "deep": {"a": [1, 2]}, "none": None, "empty": {}}},
        {
            "properties": {"cloud": 2.5, "list": [1, 2]},
            "raster": replace(raster, nodata=0, crs=None, wkt2='PROJCRS["x"]'),
        },
        {"raster": replace(raster, bounds=(170.0, -5.0, -170.0, 5.0), footprint=MULTI)},
        {"raster": replace(raster, bounds=None, crs=None, scaling=((0.5, 1.0),) * 3)},
        {"title": "Straße \U0001f5fa"},
    ]
    return [replace(one, id=dataset(n + 1).id, key=f"{n}.tif", **change) for n, change in enumerate(changes)]


@pytest.fixture
def maps(gateway):
    """A catalogue with a collection of datasets of every kind."""
    (gateway.folder / "state").mkdir()
    records = open_records(gateway.folder / "state" / "gateway.db")
    provider = Provider("Survey", roles=("host",))
    records.create_collection(
        Collection("maps", "Maps", START, START, license="CC0-1.0", providers=(provider,)), act()
    )
    assert len(records.register_datasets([(each, act()) for each in kinds()])) == len(kinds())
    yield records
    records.close()


def export(gateway, *flags, **options):
    return gateway.run("collections", "export", "maps", "--url", URL, *flags, **options)


def test_a_static_catalogue_is_valid_and_its_links_lead_to_files(gateway, maps, monkeypatch, validator, capsys):
    monkeypatch.setattr(pages, "LIMIT_MOST", 3)
    monkeypatch.setattr(RegisteredValidator, "_validator", validator)
    (told,) = gateway.json("collections", "export", "maps", "--url", URL + "/", "--stac", "scenes")
    assert told == {"id": "maps", "items": 8, "not_public": 1, "stac": str(gateway.folder / "scenes")}
    catalogue = pystac.Catalog.from_file("scenes/catalog.json")
    assert catalogue.validate_all() == 8
    (collection,) = catalogue.get_children()
    items = {item.id: item for item in collection.get_items(recursive=True)}
    assert set(items) == {each.id for each in kinds()}
    assert items[kinds()[0].id].get_collection().id == "maps"
    exec(re.search(r"Static catalogues.*?```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1], {})
    assert len(capsys.readouterr().out.splitlines()) == 8
    # Three pages of three items, each beside its catalogue.
    assert [len(list(folder.iterdir())) for folder in sorted(Path("scenes/items").iterdir())] == [4, 4, 3]
    documents = list(Path("scenes").rglob("*.json"))
    for path in documents:
        for link in json.loads(path.read_text())["links"]:
            assert link["href"].startswith(URL) or (path.parent / link["href"]).resolve() in map(
                Path.absolute, documents
            )


def test_exported_items_are_those_of_the_api(gateway, maps):
    export(gateway, "--stac", "out", "--stac-geoparquet", "out.parquet")
    for expected, row in zip(kinds(), rows("out.parquet"), strict=True):
        item = plain(item_of(expected, SITE))
        (path,) = Path("out").rglob(f"{expected.id}.json")
        found = json.loads(path.read_text())
        assert {link["rel"] for link in found.pop("links")} >= {"root", "parent", "collection", "canonical"}
        assert plain(found) == {name: value for name, value in item.items() if name != "links"}
        assert row == item
    metadata = pq.read_metadata("out.parquet").metadata
    collection = json.loads(metadata[b"stac-geoparquet"])["collections"]["maps"]
    assert (collection["license"], collection["providers"]) == ("CC0-1.0", [{"name": "Survey", "roles": ["host"]}])
    told = json.loads(metadata[b"geo"])["columns"]["geometry"]
    assert (told["geometry_types"], "covering" in told) == (["MultiPolygon", "Polygon"], False)


def rows(path):
    """Return the items of a file of stac-geoparquet, read by pyarrow and put together again."""
    top = ("type", "stac_version", "stac_extensions", "id", "collection", "links", "assets")
    for row in pq.read_table(path).to_pylist():
        geometry, box = row.pop("geometry"), row.pop("bbox")
        item = {name: row.pop(name) for name in top}
        for name in ("kind", "empty"):
            row[name] = json.loads(row[name]) if row[name] is not None else None
        for name in geoparquet.MOMENTS:
            row[name] = row[name] and row[name].strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        place = {"geometry": json.loads(shapely.to_geojson(shapely.from_wkb(geometry)))} if geometry else {}
        item |= {**place, "properties": row, "bbox": list(box.values()) if box else None}
        yield plain(item)


def plain(value):
    """Return a document as a table can have it: null is not there, and nodata that is no number is NaN."""
    if isinstance(value, dict):
        nodata = {"nodata": str(float(value["nodata"]))} if value.get("nodata") is not None else {}
        return {name: plain(each) for name, each in {**value, **nodata}.items() if each is not None}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def test_a_reader_sees_their_part(gateway, maps):
    assert "not public" in export(gateway, "--stac", "all").stderr
    for flags, number in (
        (("--public",), 7),
        (("--as", "ana"), 8),
        (("--as", "ben"), 7),
        (("--as", "x", "--role", "admin"), 8),
    ):
        (told,) = gateway.json("collections", "export", "maps", "--url", URL, "--stac", "out", *flags)
        assert (told["items"], told["not_public"]) == (number, number - 7), flags
    gateway.run("users", "disable", "ana")
    assert "ana is disabled" in export(gateway, "--stac", "new", "--as", "ana", exit_code=1).stderr
    detail = next(each[1] for each in reversed(gateway.actions()) if each[0] == "collection.exported")
    assert (detail["collection"], detail["items"], detail["as"]) == ("maps", 8, "x")


def test_only_an_older_export_of_the_same_collection_is_replaced(gateway, maps):
    Path("empty").mkdir()
    export(gateway, "--stac", "empty", "--stac-geoparquet", "a.parquet")
    before = Path("empty/catalog.json").read_text()
    maps.remove_dataset(kinds()[0].id, act())
    export(gateway, "--stac", "empty", "--stac-geoparquet", "a.parquet")
    assert Path("empty/catalog.json").read_text() != before
    assert (len(list(Path("empty").rglob("*-*.json"))), pq.read_metadata("a.parquet").num_rows) == (7, 7)
    Path("empty/mine.txt").touch()
    Path("b.parquet").write_bytes(b"mine")
    gateway.run("collections", "create", "others")
    for flags in (("--stac", "empty"), ("--stac-geoparquet", "b.parquet"), ("--stac", "none/x")):
        assert "Error" in export(gateway, *flags, exit_code=2).stderr
    for flags in (("--stac", "empty"), ("--stac-geoparquet", "a.parquet")):
        told = gateway.run("collections", "export", "others", "--url", URL, *flags, exit_code=2)
        assert "no older export" in told.stderr
    assert not [name for name in os.listdir() if name.endswith(".part")]


@pytest.mark.parametrize("at", ["add", "finish"])
def test_an_export_that_ends_early_leaves_nothing(gateway, maps, monkeypatch, at):
    def ended(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(static.StaticCatalogue, at, ended)
    for flags in ((), ("--stac-geoparquet", "a.parquet")):
        export(gateway, "--stac", "out", *flags, exit_code=None)
    assert sorted(os.listdir()) == ["data", "state"]


def test_what_a_killed_export_left_is_removed_by_the_next(gateway, maps):
    Path(".out.1.part/items").mkdir(parents=True)
    Path(".a.parquet.1.part").touch()
    export(gateway, "--stac", "out", "--stac-geoparquet", "a.parquet")
    assert sorted(os.listdir()) == ["a.parquet", "data", "out", "state"]


def test_what_is_missing_is_told(gateway, maps, monkeypatch):
    without_url = gateway.run("collections", "export", "maps", "--stac", "out", exit_code=2)
    assert "--url" in without_url.stderr
    assert "GATEWAY_PUBLIC_URL" in without_url.stderr
    for flags in (
        (),
        ("--stac", "out", "--public", "--as", "ana"),
        ("--stac", "out", "--role", "x"),
        ("--stac", "out", "--url", "x"),
    ):
        export(gateway, *flags, exit_code=2)
    gateway.run("collections", "export", "none", "--url", URL, "--stac", "out", exit_code=1)
    monkeypatch.setitem(sys.modules, "gateway.export.geoparquet", None)
    monkeypatch.delattr("gateway.export.geoparquet")
    told = export(gateway, "--stac-geoparquet", "a.parquet", exit_code=2)
    assert "pip install 'cog-gateway[geoparquet]'" in told.stderr
    assert sorted(os.listdir()) == ["data", "state"]
