"""WMTS documents: style and token in every address, named styles with legends, values under a pixel, all datasets."""

import json
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from gateway.handlers.kvp import told
from gateway.model import Level, Scale
from tests.handlers.conftest import grant, problem

pytestmark = pytest.mark.gen_test
W, OWS, LINK = (
    "{http://www.opengis.net/wmts/1.0}",
    "{http://www.opengis.net/ows/1.1}",
    "{http://www.w3.org/1999/xlink}",
)


async def document(fetch, path, **options):
    response = await fetch(path, **options)
    assert response.code == 200, response.body
    return ET.fromstring(response.body)


def addresses(root):
    """Return every address of a document."""
    found = [node.get("template") for node in root.iter(f"{W}ResourceURL")]
    found += [node.get(f"{LINK}href") for node in root.iter(f"{OWS}Get")]
    return [*found, root.find(f"{W}ServiceMetadataURL").get(f"{LINK}href")]


def local(url):
    return url[url.index("/api/") :]


def picture(response):
    return cv2.imdecode(np.frombuffer(response.body, np.uint8), cv2.IMREAD_UNCHANGED)


async def test_style_and_token_stand_in_every_address(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE)
    grant(world, dataset, Level.VIEW, user="ana")
    path = f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?colormap_name=terrain&rescale=0,10"
    root = await document(fetch, path, token=world.bearer("ana"))
    for address in addresses(root):
        query = parse_qs(urlsplit(address).query)
        assert query["colormap_name"] == ["terrain"], address
        assert query["rescale"] == ["0,10"], address
        assert len(query["token"]) == 1, address


@pytest.mark.parametrize("path", ["WMTSCapabilities.xml", "datasets/{}/WMTSCapabilities.xml"])
async def test_characters_that_no_xml_may_have_spoil_no_document(fetch, world, path):
    dataset = world.add(title="red \x1b[31m \x08\x0b\ufffe\uffff ]]> <b> & \U0001f600\u202e")
    root = await document(fetch, f"/api/{path.format(dataset.id)}")
    titles = [node.text for node in root.iter(f"{OWS}Title")]
    assert "red \ufffd[31m \ufffd\ufffd\ufffd\ufffd ]]> <b> & \U0001f600\u202e" in titles


async def test_a_tile_by_kvp_and_by_rest_have_the_style_of_the_document(fetch, world):
    dataset = world.add()
    base = f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?colormap_name=viridis&rescale=0,4000"
    root = await document(fetch, base)
    kvp = root.find(f".//{OWS}Operation[@name='GetTile']//{OWS}Get").get(f"{LINK}href")
    rest = root.find(f".//{W}ResourceURL[@resourceType='tile']").get("template")
    place = {
        "TileMatrixSet": "WebMercatorQuad",
        "TileMatrix": "0",
        "TileCol": "0",
        "TileRow": "0",
        "Style": "default",
    }
    by_rest = await fetch(local(rest.format(**place)))
    named = "&".join(f"{name}={value}" for name, value in place.items())
    by_kvp = await fetch(local(f"{kvp}SERVICE=WMTS&REQUEST=GetTile&LAYER=default&FORMAT=image/png&{named}"))
    plain = await fetch(f"/api/datasets/{dataset.id}/tiles/0/0/0.png?colormap_name=viridis&rescale=0,4000")
    assert by_rest.code == by_kvp.code == 200
    assert by_rest.body == by_kvp.body == plain.body


async def test_named_styles_of_one_band_have_a_legend_and_are_drawn(fetch, world):
    dataset = world.add()
    root = await document(fetch, f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?bidx=1")
    styles = {node.find(f"{OWS}Identifier").text: node.find(f"{W}LegendURL") for node in root.iter(f"{W}Style")}
    assert next(iter(styles)) == "default"
    assert {"viridis", "terrain"} <= set(styles)
    legend = await fetch(local(styles["viridis"].get(f"{LINK}href")))
    assert picture(legend).shape[:2] == (36, 256)
    rest = root.find(f".//{W}ResourceURL[@resourceType='tile']").get("template")
    place = {"TileMatrixSet": "WebMercatorQuad", "TileMatrix": 0, "TileCol": 0, "TileRow": 0}
    tiles = {name: (await fetch(local(rest.format(Style=name, **place)))).body for name in ("default", "viridis")}
    kvp = "SERVICE=WMTS&REQUEST=GetTile&STYLE=viridis&TILEMATRIX=0&TILECOL=0&TILEROW=0&FORMAT=image/png&bidx=1"
    by_kvp = await fetch(f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?{kvp}")
    assert tiles["default"] != tiles["viridis"] == by_kvp.body


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html", "application/geo+json"])
async def test_values_under_a_pixel_are_those_of_the_point(fetch, world, kind):
    dataset = world.add()
    west, south, east, north = dataset.raster.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    side = 256 * 2**14
    x = int((lon + 180) / 360 * side)
    y = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * side)
    query = f"SERVICE=WMTS&REQUEST=GetFeatureInfo&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=14&TILECOL={x // 256}"
    query += f"&TILEROW={y // 256}&I={x % 256}&J={y % 256}&INFOFORMAT={kind}"
    response = await fetch(f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?{query}")
    assert (response.code, response.headers["Content-Type"]) == (200, kind)
    if kind != "application/json":
        assert b"b1" in response.body
        return
    found = json.loads(response.body)
    place = ",".join(map(str, found["coordinates"]))
    assert found == json.loads((await fetch(f"/api/datasets/{dataset.id}/point/{place}")).body)


@pytest.mark.parametrize(
    ("descriptions", "properties"),
    [(["red", "green"], {"red": 7, "green": None}), (["dB", "dB"], {"b1": 7, "b2": None})],
)
def test_values_as_a_feature_keep_each_band(descriptions, properties):
    found = {
        "coordinates": [1, 2],
        "values": [7, None],
        "band_names": ["b1", "b2"],
        "band_descriptions": descriptions,
    }
    (feature,) = json.loads(told(found, "application/geo+json"))["features"]
    assert feature["properties"] == properties
    assert feature["geometry"] == {"type": "Point", "coordinates": [1, 2]}


@pytest.mark.parametrize("query", ["&I=256&J=0", "&I=x&J=0", "&I=0&J=0&INFOFORMAT=text/xml", ""])
async def test_a_malformed_question_is_named(fetch, world, query):
    dataset = world.add()
    base = f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?REQUEST=GetFeatureInfo&TILEMATRIX=0&TILECOL=0&TILEROW=0"
    assert problem(await fetch(base + query))["status"] == 400


async def test_one_document_has_all_datasets_that_the_caller_may_see(fetch, world):
    public, hidden = world.add(), world.add("hidden.tif", visibility=Scale.PRIVATE)
    grant(world, hidden, Level.VIEW, user="ana")
    for bearer, ids in ((None, {public.id}), (world.bearer("ana"), {public.id, hidden.id})):
        root = await document(fetch, "/api/WMTSCapabilities.xml?tilesize=512", token=bearer)
        layers = {node.find(f"{OWS}Identifier").text: node for node in root.iter(f"{W}Layer")}
        assert set(layers) == ids
        for node in layers.values():
            rest = node.find(f"{W}ResourceURL[@resourceType='tile']").get("template")
            place = {"TileMatrixSet": "WebMercatorQuad", "TileMatrix": 0, "TileCol": 0, "TileRow": 0}
            tile = await fetch(local(rest.format(Style="default", **place)))
            assert (tile.code, picture(tile).shape[0]) == (200, 512)
    found = await document(fetch, f"/api/WMTSCapabilities.xml?q={'no such title'}".replace(" ", "%20"))
    assert not list(found.iter(f"{W}Layer"))
    assert (await fetch("/api/WMTSCapabilities.xml?REQUEST=GetTile")).code == 400


@pytest.mark.parametrize(
    ("grid", "uri"),
    [
        ("WorldCRS84Quad", "urn:ogc:def:crs:OGC:1.3:CRS84"),
        ("WebMercatorQuad", "urn:ogc:def:crs:EPSG::3857"),
        ("NZTM2000Quad", "urn:ogc:def:crs:EPSG::2193"),
    ],
)
async def test_a_grid_has_the_uri_of_its_crs(fetch, world, grid, uri):
    root = await document(fetch, f"/api/WMTSCapabilities.xml?tile_matrix_set_id={grid}")
    assert root.find(f".//{OWS}SupportedCRS").text == uri


async def test_levels_that_a_grid_has_not_are_named(fetch, world):
    dataset = world.add()
    for path in ("WMTSCapabilities.xml?tile_matrix_set_id=CanadianNAD83_LCC&", "CanadianNAD83_LCC/tilejson.json?"):
        response = await fetch(f"/api/datasets/{dataset.id}/{path}maxzoom=30")
        assert "maxzoom" in problem(response)["detail"]
        assert response.code == 400
