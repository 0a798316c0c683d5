"""Programs that read our map documents: OWSLib, and GDAL's WMTS and XYZ drivers."""

import asyncio

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.warp
from owslib.wmts import WebMapTileService

pytestmark = pytest.mark.gen_test
XYZ = """<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service>
<DataWindow><UpperLeftX>-20037508.34</UpperLeftX><UpperLeftY>20037508.34</UpperLeftY><LowerRightX>20037508.34</LowerRightX>
<LowerRightY>-20037508.34</LowerRightY><TileLevel>2</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY>
<YOrigin>top</YOrigin></DataWindow><Projection>EPSG:3857</Projection><BlockSizeX>256</BlockSizeX>
<BlockSizeY>256</BlockSizeY><BandsCount>3</BandsCount></GDAL_WMS>"""


def near(found: np.ndarray, raster: rasterio.DatasetReader, lonlats) -> None:
    """Check that a picture of the whole world, (bands, rows, cols) in Web Mercator, has the colours of the source."""
    side = found.shape[-1]
    for lon, lat in lonlats:
        column = int((lon + 180) / 360 * side)
        row = int((1 - np.arcsinh(np.tan(np.radians(lat))) / np.pi) / 2 * side)
        seen = found[:3, row - 2 : row + 3, column - 2 : column + 3].reshape(3, -1).mean(axis=1)
        x, y = rasterio.warp.transform("EPSG:4326", raster.crs, [lon], [lat])
        (expected,) = raster.sample([(x[0], y[0])])
        assert np.abs(seen - expected[:3]).max() < 45, (lon, lat, seen, expected)


PLACES = [(-30, 30), (10, 20), (134, -25), (-150, -10), (100, 60)]


@pytest.mark.parametrize("whose", ["datasets/{}/", ""])
async def test_owslib_lists_the_layer_and_gets_its_tiles(base_url, http_server, samples, whose):
    url = f"{base_url}/api/{whose.format(samples.marble.id)}WMTSCapabilities.xml"
    service = await asyncio.to_thread(WebMapTileService, url)
    (layer,) = (each for each in service.contents.values() if each.title == "Blue Marble")
    assert "WebMercatorQuad" in service.tilematrixsets
    tile = await asyncio.to_thread(
        service.gettile, layer=layer.id, tilematrixset="WebMercatorQuad", tilematrix="0", row=0, column=0,
        format="image/png",
    )  # fmt: skip
    picture = cv2.imdecode(np.frombuffer(tile.read(), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (256, 256, 3)
    assert picture.std() > 20


async def test_gdal_opens_the_wmts_layer(base_url, http_server, samples):
    url = f"WMTS:{base_url}/api/datasets/{samples.marble.id}/WMTSCapabilities.xml"

    def read():
        with rasterio.open(url) as layer, rasterio.open(samples.world.folder / "blue_marble.tif") as source:
            assert layer.crs.to_epsg() == 3857
            near(layer.read((1, 2, 3), out_shape=(3, 512, 512)), source, PLACES)

    await asyncio.to_thread(read)


async def test_gdal_opens_the_tiles_as_xyz(base_url, http_server, samples, tmp_path):
    template = f"{base_url}/api/datasets/{samples.marble.id}/tiles/${{z}}/${{x}}/${{y}}.jpg"
    (tmp_path / "xyz.xml").write_text(XYZ.format(url=template))

    def read():
        with (
            rasterio.open(tmp_path / "xyz.xml") as layer,
            rasterio.open(samples.world.folder / "blue_marble.tif") as source,
        ):
            near(layer.read(out_shape=(3, 512, 512)), source, PLACES)

    await asyncio.to_thread(read)
