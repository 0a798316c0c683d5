"""Tiles, documents and facts over HTTP: who may have them, what they are, and how long they may be kept."""

import asyncio
import io
import json
import re
import threading
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest

from gateway.model import Level, Scale
from gateway.studio import tasks
from tests.handlers.conftest import UNKNOWN_ID, act, grant, problem

pytestmark = pytest.mark.gen_test
WMTS = "{http://www.opengis.net/wmts/1.0}"


MAGIC = {b"\x89PNG": "PNG", b"\xff\xd8\xff\xe0": "JPEG", b"\xff\xd8\xff\xdb": "JPEG", b"RIFF": "WEBP"}


class Picture:
    """A decoded picture: `size` is (width, height), `pixels` are (rows, cols, bands) in the file's own bands."""

    def __init__(self, body: bytes) -> None:
        self.format = MAGIC[body[:4]]
        self.pixels = np.atleast_3d(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED))
        self.size = self.pixels.shape[1::-1]


def image(response) -> Picture:
    return Picture(response.body)


async def covering(fetch, dataset, token=None) -> tuple[int, int, int]:
    """Return a tile that shows some of the dataset."""
    found = json.loads((await fetch(f"/api/datasets/{dataset.id}/tilejson.json", token=token)).body)
    (west, south, east, north), z = found["bounds"], found["maxzoom"]
    lon, lat = np.radians((west + east) / 2), np.radians((south + north) / 2)
    x = (lon + np.pi) / (2 * np.pi) * 2**z
    y = (1 - np.arcsinh(np.tan(lat)) / np.pi) / 2 * 2**z
    return z, int(x), int(y)


async def test_a_tile_comes_in_every_format(fetch, world):
    dataset = world.add()
    z, x, y = await covering(fetch, dataset)
    base = f"/api/datasets/{dataset.id}/tiles"
    for path, kind, size in [
        (f"{base}/{z}/{x}/{y}.png", "PNG", 256), (f"{base}/WebMercatorQuad/{z}/{x}/{y}.jpg", "JPEG", 256),
        (f"{base}/WebMercatorQuad/{z}/{x}/{y}@2x.webp", "WEBP", 512), (f"{base}/{z}/{x}/{y}?tilesize=128", None, 128),
    ]:  # fmt: skip
        response = await fetch(path)
        assert response.code == 200, path
        assert image(response).size == (size, size)
        assert kind in (None, image(response).format)
        assert response.headers["Content-Type"] == f"image/{image(response).format.lower()}"
    token = world.bearer()
    values = await fetch(f"{base}/{z}/{x}/{y}.npy", token=token)
    assert np.load(io.BytesIO(values.body)).shape[1:] == (256, 256)
    assert (await fetch(f"{base}/{z}/{x}/{y}.tif", token=token)).body[:2] in (b"II", b"MM")


async def test_data_of_sixteen_bits_is_visible_without_being_told(fetch, world):
    dataset = world.add()
    z, x, y = await covering(fetch, dataset)
    pixels = image(await fetch(f"/api/datasets/{dataset.id}/tiles/{z}/{x}/{y}.png")).pixels
    seen = pixels[..., 0][pixels[..., -1] > 0]
    assert int(seen.max()) - int(seen.min()) > 100


async def test_a_tile_has_a_strong_tag_and_is_not_drawn_again_for_who_has_it(fetch, world, monkeypatch):
    dataset = world.add()
    path = f"/api/datasets/{dataset.id}/tiles/0/0/0.png"
    first = await fetch(path)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert (await fetch(path + "?rescale=0,10")).headers["ETag"] != tag
    assert (await fetch(path + "?unknown=1")).headers["ETag"] == tag
    monkeypatch.setattr(world.services.pictures, "tile", None)
    monkeypatch.setattr(world.services.pictures, "ready", None)
    again = await fetch(path, headers={"If-None-Match": tag})
    assert (again.code, again.body, again.headers["ETag"]) == (304, b"", tag)


async def test_a_replaced_file_has_other_tiles(fetch, world):
    dataset = world.add()
    path = f"/api/datasets/{dataset.id}/tiles/0/0/0.png"
    tag = (await fetch(path)).headers["ETag"]
    (world.folder / dataset.key).unlink()
    (world.folder / dataset.key).write_bytes(world.cog.read_bytes())
    assert (await fetch(path, headers={"If-None-Match": tag})).code == 200
    (world.folder / dataset.key).write_bytes(b"no raster any more")
    assert (await fetch(path)).code == 422


async def test_how_long_a_tile_may_be_kept(fetch, world):
    public, private = world.add("a.tif"), world.add("b.tif", visibility=Scale.INTERNAL)
    kept = {}
    for name, dataset in (("public", public), ("private", private)):
        for version in ("", f"?v={dataset.version}", "?v=another"):
            path = f"/api/datasets/{dataset.id}/tiles/0/0/0.png{version}"
            kept[name, version[:4]] = (await fetch(path, token=world.bearer())).headers["Cache-Control"]
            if version and version != "?v=another":
                assert kept[name, version[:4]] == f"{name}, max-age=31536000, immutable"
    assert kept["public", ""] == "public, max-age=3600"
    assert kept["private", ""] == "private, max-age=3600"


async def test_hidden_and_unknown_are_alike_and_tiles_follow_visibility(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE)
    for path in ("tiles/0/0/0.png", "tilejson.json", "WMTSCapabilities.xml", "info", "statistics", "preview"):
        answers = [await fetch(f"/api/datasets/{each}/{path}") for each in (dataset.id, UNKNOWN_ID)]
        assert [answer.code for answer in answers] == [404, 404]
        assert problem(answers[0])["detail"] == problem(answers[1])["detail"]
    grant(world, dataset, Level.VIEW, user="ana")
    assert (await fetch(f"/api/datasets/{dataset.id}/tiles/0/0/0.png", token=world.bearer())).code == 200
    assert world.audit("download.cog") == []


async def test_a_tile_token_opens_the_tiles_of_its_dataset_alone(fetch, world):
    dataset, other = (world.add(name, visibility=Scale.INTERNAL) for name in ("a.tif", "b.tif"))
    found = json.loads((await fetch(f"/api/datasets/{dataset.id}/tilejson.json", token=world.bearer())).body)
    query = parse_qs(urlsplit(found["tiles"][0]).query)
    assert query["v"] == [dataset.version]
    token = query["token"][0]
    again = json.loads((await fetch(f"/api/datasets/{dataset.id}/tilejson.json", token=world.bearer())).body)
    assert again["tiles"] == found["tiles"]
    path = urlsplit(found["tiles"][0].format(z=0, x=0, y=0))
    response = await fetch(f"{path.path}?{path.query}")
    assert response.code == 200
    assert re.fullmatch(r"private, max-age=\d+, immutable", response.headers["Cache-Control"])
    assert (await fetch(f"/api/datasets/{other.id}/tiles/0/0/0.png?token={token}")).code == 401
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog?token={token}")).code == 401
    assert {row.token_id for row in world.audit("token.minted")} != {None}


async def test_tilejson_carries_style_and_size_into_its_template(fetch, world):
    dataset = world.add()
    query = "?tile_format=webp&tile_scale=2&rescale=0,10&bidx=1&minzoom=1&maxzoom=5"
    found = json.loads((await fetch(f"/api/datasets/{dataset.id}/WebMercatorQuad/tilejson.json{query}")).body)
    assert (found["tilejson"], found["minzoom"], found["maxzoom"], found["tileSize"]) == ("3.0.0", 1, 5, 512)
    assert "/tiles/WebMercatorQuad/{z}/{x}/{y}@2x.webp?" in found["tiles"][0]
    assert "rescale=0%2C10" in found["tiles"][0]
    assert "minzoom" not in found["tiles"][0]


@pytest.mark.parametrize(("path", "code"), [
    ("tiles/30/0/0.png", 404), ("tiles/0/1/0.png", 404), ("tiles/nogrid/0/0/0.png", 404), ("tiles/0/0/0.gif", 400), ("tiles/0/0/0.jp2", 400),
    ("tiles/0/0/-1.png", 404), ("tiles/x/y/z.png", 404), ("tiles/0/0/0@9x.png", 400), ("tiles/0/0/0.png?bidx=99", 400),
    ("tiles/0/0/0.png?rescale=x", 400), ("tiles/0/0/0.png?colormap_name=none", 400),
    ("tiles/0/0/0.png?algorithm=none", 400), ("tiles/0/0/0.png?color_formula=nonsense", 400),
    ("tiles/0/0/0.png?expression=b9", 400), ("tiles/0/0/0.png?expression=b1%2B", 400), ("tilejson.json?minzoom=x", 400),
    ("nogrid/tilejson.json", 404), ("point/x,0", 404), ("point/0,0", 404), ("statistics?histogram_bins=0", 400),
    ("statistics?p=101", 400), ("preview.gif", 400), ("preview/0x9", 400), ("preview?max_size=99999", 400),
    ("tiles/0/0/0.npy?nodata=nan", 400), ("statistics?nodata=-1", 400), ("point/15,47.8?nodata=nan", 400),
    ("bbox/1,1,0,0.png", 400), ("bbox/-7.9e136,-1e-137,-1.3e16,4.7e16/64x64.png", 400), ("point/1e13,0", 400),
    ("bbox/-1.3e-216,-5e16,2.8e16,5e16/34x21.png", 400), ("bbox/-1e12,-1e12,1e12,1e12/64x64.png", 400),
    ("bbox/-1e12,-1e12,1e12,1e12/64x64.png?coord_crs=EPSG:32633", 400), ("bbox/0,0,inf,1/64x64.png", 404),
    ("statistics?bidx=99", 400), ("statistics?bidx=99&dst_crs=EPSG:4326", 400), ("point/15,47.8?bidx=99", 400),
    ("preview.png?bidx=99", 400), ("preview.npy?bidx=99", 400), ("bbox/15,47.7,15.1,47.8.tif?bidx=99", 400),
    ("tiles/0/0/0.npy?bidx=99", 400),
    ("WMTSCapabilities.xml?SERVICE=WMS", 400), ("WMTSCapabilities.xml?REQUEST=GetTile&TILEMATRIX=a", 400),
])  # fmt: skip
async def test_what_cannot_be_is_refused_by_name_and_never_a_500(fetch, world, path, code):
    response = await fetch(f"/api/datasets/{world.add().id}/{path}", token=world.bearer())
    assert response.code == code, response.body
    assert problem(response)["status"] == code


async def test_an_empty_tile_is_transparent_or_told(fetch, world):
    dataset = world.add()
    path = f"/api/datasets/{dataset.id}/tiles/12/0/0.png"
    assert image(await fetch(path)).pixels[..., 3].max() == 0
    assert (await fetch(path + "?empty=204")).code == 204
    assert (await fetch(path + "?empty=404")).code == 404
    slow = path + "?expression=b1*2"
    assert image(await fetch(slow)).pixels[..., -1].max() == 0
    assert (await fetch(slow + "&empty=204")).code == 204
    assert (await fetch(path.replace("png", "npy"), token=world.bearer())).code == 200


async def test_wmts_names_its_tiles_by_rest_and_kvp(fetch, world):
    dataset = world.add()
    response = await fetch(f"/api/datasets/{dataset.id}/WMTSCapabilities.xml")
    assert response.headers["Content-Type"] == "application/xml"
    root = ET.fromstring(response.body)
    template = root.find(f".//{WMTS}ResourceURL").get("template")
    z, x, y = await covering(fetch, dataset)
    filled = template.format(TileMatrixSet="WebMercatorQuad", TileMatrix=z, TileCol=x, TileRow=y, Style="default")
    by_rest = await fetch(filled.partition("/api/")[1] + filled.partition("/api/")[2])
    kvp = f"?service=WMTS&request=GetTile&tilematrixset=WebMercatorQuad&tilematrix={z}&tilecol={x}&tilerow={y}"
    by_kvp = await fetch(f"/api/datasets/{dataset.id}/WMTSCapabilities.xml{kvp}&format=image/png")
    assert by_rest.code == by_kvp.code == 200
    assert by_rest.body == by_kvp.body


async def test_facts_of_a_dataset(fetch, world):
    dataset = world.add()
    base = f"/api/datasets/{dataset.id}"
    info = json.loads((await fetch(f"{base}/info")).body)
    assert (info["width"], info["height"], info["count"]) == (
        dataset.raster.width, dataset.raster.height, dataset.raster.count
    )  # fmt: skip
    assert info["driver"] == "GTiff"
    assert str(world.folder) not in str(info)
    feature = json.loads((await fetch(f"{base}/info.geojson")).body)
    assert feature["geometry"]["coordinates"][0][0] == list(dataset.raster.bounds[:2])
    statistics = json.loads((await fetch(f"{base}/statistics?histogram_bins=4&p=10")).body)
    assert len(statistics["b1"]["histogram"][0]) == 4
    west, south, east, north = dataset.raster.bounds
    point = json.loads((await fetch(f"{base}/point/{(west + east) / 2},{(south + north) / 2}")).body)
    assert len(point["values"]) == dataset.raster.count


async def test_pictures_of_all_and_of_a_part(fetch, world):
    dataset = world.add()
    base = f"/api/datasets/{dataset.id}"
    assert max(image(await fetch(f"{base}/preview?max_size=64")).size) == 64
    assert image(await fetch(f"{base}/preview/40x30.png")).size == (40, 30)
    west, south, east, north = dataset.raster.bounds
    assert image(await fetch(f"{base}/bbox/{west},{south},{east},{north}/50x40.jpg")).size == (50, 40)
    part = f"{base}/bbox/{west},{south},{east},{north}.png?dst_crs={dataset.raster.crs}"
    assert max(image(await fetch(part)).size) >= max(dataset.raster.width, dataset.raster.height)
    assert max(image(await fetch(part + "&max_size=40")).size) == 40


async def test_a_misspelt_colour_map_is_told_the_nearest_name(fetch, world):
    dataset = world.add()
    for path in ("/api/colorMaps/virdis", f"/api/datasets/{dataset.id}/tiles/0/0/0.png?colormap_name=virdis"):
        assert problem(await fetch(path))["detail"].endswith("; did you mean viridis?")
    for name in ("qqqqqqqqqq", "v" * 4000):
        assert problem(await fetch(f"/api/colorMaps/{name}"))["detail"] == "There is no such colour map."


async def test_grids_and_colour_maps_are_listed(fetch, world):
    grids = json.loads((await fetch("/api/tileMatrixSets")).body)["tileMatrixSets"]
    assert "WebMercatorQuad" in {grid["id"] for grid in grids}
    assert json.loads((await fetch("/api/tileMatrixSets/WebMercatorQuad")).body)["id"] == "WebMercatorQuad"
    assert "viridis" in json.loads((await fetch("/api/colorMaps")).body)["colorMaps"]
    assert len(json.loads((await fetch("/api/colorMaps/viridis")).body)) == 256
    assert image(await fetch("/api/colorMaps/viridis?f=png&width=100&height=5")).size == (100, 5)
    upwards = image(await fetch("/api/colorMaps/gray?f=png&orientation=vertical"))
    assert upwards.size == (20, 256)
    assert upwards.pixels[0, 0, 0] > upwards.pixels[-1, 0, 0]
    labelled = image(await fetch("/api/colorMaps/viridis?f=png&width=200&height=20&rescale=285,919.5"))
    assert labelled.size == (200, 36)
    for value in ("viridis?f=png&rescale=5", "viridis?f=png&rescale=9,1"):
        assert (await fetch(f"/api/colorMaps/{value}")).code == 400
    for path in ("/api/tileMatrixSets/none", "/api/colorMaps/none", "/api/colorMaps/none?f=png"):
        assert (await fetch(path)).code == 404


@pytest.mark.one_node("the threads of one node are held")
@pytest.mark.parametrize("settings", [{"tile_threads": 1, "tile_queue": 0}], indirect=True)
async def test_too_many_waiting_pictures_are_told_to_come_back(fetch, world):
    dataset, gate = world.add(), held(world)
    response = await fetch(f"/api/datasets/{dataset.id}/preview")
    gate.set()
    assert response.code == 503
    assert int(response.headers["Retry-After"]) >= 1


def held(world):
    """Let all threads that draw wait for an event; return it."""
    gate, begun = threading.Event(), threading.Semaphore(0)
    pool = started(world)._pools["paint"]
    for _ in range(world.services.settings.tile_threads):
        pool.submit(lambda: begun.release() or gate.wait(120))
    for _ in range(world.services.settings.tile_threads):
        assert begun.acquire(timeout=120)
    return gate


def started(world):
    world.services.studio.submit(tasks.colormaps()).result(120)
    return world.services.studio._made


async def test_a_client_who_leaves_is_no_error_and_its_work_is_dropped(fetch, world, base_url, caplog):
    dataset = world.add()
    z, x, y = await covering(fetch, dataset)
    gate, studio = held(world), world.services.studio
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base_url).port)
        writer.write(f"GET /api/datasets/{dataset.id}/tiles/{z}/{x}/{y}.png HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while not studio.load().waiting:
            await asyncio.sleep(0)
        writer.close()
        while studio.load().waiting:
            await asyncio.sleep(0)
        await writer.wait_closed()
    finally:
        gate.set()
    assert not caplog.records


async def test_the_record_links_to_its_maps(fetch, world):
    dataset = world.add()
    links = {
        link["rel"]: link["href"] for link in json.loads((await fetch(f"/api/datasets/{dataset.id}")).body)["links"]
    }
    for rel in ("tilejson", "wmts", "preview"):
        path = "/api/" + links[rel].partition("/api/")[2]
        assert (await fetch(path)).code == 200


@pytest.mark.parametrize("path", ["/api/colorMaps", "/api/colorMaps/viridis", "/api/tileMatrixSets", "/api/datasets"])
async def test_a_bad_credential_is_never_passed_over_where_no_dataset_is_asked_for(fetch, world, path):
    assert (await fetch(path)).code == 200
    assert (await fetch(path, token=world.bearer("ana"))).code == 200
    for token in ("nonsense", world.bearer("ana", seconds=-5)):
        assert problem(await fetch(path, token=token))["status"] == 401
    assert (await fetch(f"{path}?token=nonsense")).code == 401
    world.services.records.set_disabled("ana", True, act())
    assert (await fetch(path, token=world.bearer("ana"))).code == 401
