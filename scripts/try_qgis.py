"""Try a running gateway in QGIS and print what works; by hand, with the Python that QGIS was installed for.

Each way to a dataset is opened, drawn, asked for its extent, for values and a legend, saved in a project, and opened
again by another process after `--wait` seconds, when scoped tokens have expired. Short ones, in one terminal:

    GATEWAY_DOWNLOAD_TOKEN_SECONDS=20 GATEWAY_TILE_TOKEN_SECONDS=20 cog-gateway demo

and in another one, with the bearer token that the demo prints in TOKEN (Debian: apt install python3-qgis xvfb xauth):

    xvfb-run -a /usr/bin/python3 scripts/try_qgis.py http://127.0.0.1:8080 --wait 60
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsAuthMethodConfig,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsDataSourceUri,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRaster,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QEventLoop, QSize, QTimer
from qgis.PyQt.QtGui import QImage

SIDE = 400
TOKEN = os.environ.get("TOKEN", "")
BEARER = f"Bearer {TOKEN}"
LEGEND_MS = 5000
# Where the demo's elevation lies, degrees.
ELEVATION = QgsRectangle(-84.42, 36.15, -84.07, 36.45)


@dataclass(frozen=True)
class Way:
    """One way to a dataset: the name of the row, QGIS's provider and its URI; `gdal_headers` while GDAL opens it."""

    name: str
    provider: str
    uri: str
    gdal_headers: str = ""


def asked(url: str, method: str = "GET") -> dict:
    """Return the JSON of an address, asked for with the bearer token."""
    with urlopen(Request(url, method=method, headers={"Authorization": BEARER})) as answer:  # noqa: S310 - the operator's own
        return json.load(answer)


def wmts(
    document: str, layer: str = "default", style: str = "default", grid: str = "WebMercatorQuad", **more: str
) -> str:
    """Return QGIS's URI of a WMTS layer."""
    crs = "EPSG:3857" if grid == "WebMercatorQuad" else "EPSG:4326"
    fixed = f"crs={crs}&dpiMode=7&format=image/png&layers={layer}&styles={style}&tileMatrixSet={grid}"
    return f"{fixed}&{''.join(f'{n}={quote(v)}&' for n, v in more.items())}url={quote(document, safe='')}"


def xyz(template: str, **more: str) -> str:
    """Return QGIS's URI of an XYZ layer, written as its dialog does."""
    uri = QgsDataSourceUri()
    for name, value in {"type": "xyz", "url": template, "zmin": "0", "zmax": "14", **more}.items():
        uri.setParam(name, value)
    return bytes(uri.encodedUri()).decode()


def ways_to(gateway: str, api_header: str | None) -> list[Way]:
    """Return all ways, to the demo's public Blue Marble and its internal elevation."""
    found = asked(f"{gateway}/api/datasets")["datasets"]
    public, hidden = (next(d["id"] for d in found if d["visibility"] == kind) for kind in ("public", "internal"))
    every, one = f"{gateway}/api/WMTSCapabilities.xml", f"{gateway}/api/datasets/{hidden}"
    tiles, download = (
        asked(f"{gateway}/api/auth/{kind}-token/{hidden}", "POST")["token"] for kind in ("tile", "download")
    )
    # Nobody's parameter: with it QGIS has no answer in its cache that came another way.
    own = "way=header"
    style = urlencode({"colormap_name": "viridis", "rescale": "285,919"})
    file = f"/vsicurl/{one}/download/elevation.tif"
    template = f"{one}/tiles/{{z}}/{{x}}/{{y}}.png"
    opened_by = f"{one}/WMTSCapabilities.xml?token={tiles}"
    degrees = f"{every}?tile_matrix_set_id=WGS1984Quad"
    return [
        Way("public, WMTS of all datasets", "wms", wmts(every, public)),
        Way("public, WMTS in WGS1984Quad", "wms", wmts(degrees, public, grid="WGS1984Quad")),
        Way("public, WMTS of one dataset", "wms", wmts(f"{gateway}/api/datasets/{public}/WMTSCapabilities.xml")),
        Way("public, XYZ", "wms", xyz(f"{gateway}/api/datasets/{public}/tiles/{{z}}/{{x}}/{{y}}.png")),
        Way("private, WMTS, no token", "wms", wmts(f"{one}/WMTSCapabilities.xml")),
        Way("private, WMTS, ?token=", "wms", wmts(opened_by)),
        Way("private, WMTS, named style viridis", "wms", wmts(opened_by, style="viridis")),
        Way("private, WMTS, ?colormap_name=", "wms", wmts(f"{one}/WMTSCapabilities.xml?{style}&token={tiles}")),
        Way("private, XYZ, ?token=", "wms", xyz(f"{template}?{style}&token={tiles}")),
        Way("private, XYZ, http-header", "wms", xyz(f"{template}?{style}", **{"http-header:Authorization": BEARER})),
        Way("private, WMTS of all, http-header", "wms",
            wmts(every, hidden, "viridis", **{"http-header:Authorization": BEARER})),
        *([
            Way("private, WMTS of all, API Header", "wms",
                wmts(f"{every}?{own}", hidden, "viridis", authcfg=api_header)),
            Way("private, XYZ, API Header", "wms", xyz(f"{template}?{style}&{own}", authcfg=api_header)),
            Way("private, /vsicurl/, API Header", "gdal", f"{file} authcfg='{api_header}'"),
        ] if api_header else []),
        Way("private, /vsicurl/, no token", "gdal", file),
        Way("private, /vsicurl/, ?token=", "gdal", f"{file}?token={download}"),
        Way("private, /vsicurl/, GDAL_HTTP_HEADERS", "gdal", file, f"Authorization: {BEARER}"),
        Way("private, WMTS: by GDAL, GDAL_HTTP_HEADERS", "gdal", f"WMTS:{one}/WMTSCapabilities.xml,layer=default",
            f"Authorization: {BEARER}"),
    ]  # fmt: skip


def opened(way: Way) -> QgsRasterLayer:
    """Return the layer, valid or not."""
    gdal.VSICurlClearCache()
    gdal.SetConfigOption("GDAL_HTTP_HEADERS", way.gdal_headers or None)
    return QgsRasterLayer(way.uri, way.name, way.provider)


def place(layer: QgsRasterLayer) -> QgsRectangle:
    """Return the extent that is looked at: the layer's own, around the elevation where that is the world's."""
    if "private" not in layer.name() or "world" not in told_extent(layer):
        return layer.extent()
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    return QgsCoordinateTransform(degrees, layer.crs(), QgsProject.instance()).transformBoundingBox(ELEVATION)


def drawn(layer: QgsRasterLayer) -> QImage:
    """Return the picture of a layer."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(place(layer))
    settings.setOutputSize(QSize(SIDE, SIDE))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def told_colours(image: QImage) -> str:
    """Return what a picture shows: nothing, grey, or colours, and how many different ones."""
    pixels = [image.pixelColor(x, y).getRgb() for x in range(0, SIDE, 5) for y in range(0, SIDE, 5)]
    seen = {pixel for pixel in pixels if pixel[:3] != (255, 255, 255)}
    if len(seen) < 2:
        return "blank"
    coloured = sum(max(p[:3]) - min(p[:3]) > 20 for p in pixels) > len(pixels) // 20
    return f"{'colours' if coloured else 'grey'} ({len(seen)})"


def told_values(layer: QgsRasterLayer) -> str:
    """Return what identify shows in the middle of a layer."""
    for form in (QgsRaster.IdentifyFormatValue, QgsRaster.IdentifyFormatText):
        found = layer.dataProvider().identify(place(layer).center(), form, place(layer), SIDE, SIDE)
        if found.isValid():
            return ", ".join(line for value in found.results().values() for line in str(value).strip().splitlines())
    return "-"


def told_legend(layer: QgsRasterLayer) -> str:
    """Return the size of the legend's picture that the service offers."""
    provider = layer.dataProvider()
    if not provider.supportsLegendGraphic():
        return "-"
    fetcher = provider.getLegendGraphicFetcher(QgsMapSettings())
    if fetcher is None:
        return "-"
    loop, pictures = QEventLoop(), []
    fetcher.finish.connect(lambda image: (pictures.append(QImage(image)), loop.quit()))
    fetcher.error.connect(lambda _: loop.quit())
    QTimer.singleShot(LEGEND_MS, loop.quit)
    QTimer.singleShot(0, fetcher.start)
    loop.exec_()
    return f"{pictures[0].width()}x{pictures[0].height()}" if pictures else "none"


def told_extent(layer: QgsRasterLayer) -> str:
    """Return the CRS, and whether the extent is that of the data or of the whole world."""
    whole = layer.extent().width() > (350 if layer.crs().isGeographic() else 3.9e7)
    return f"{layer.crs().authid()}{', the world' if whole else ''}"


def table(rows: list[tuple[str, ...]]) -> None:
    """Print rows as a Markdown table, which the guide has."""
    print("| way | valid | drawn | CRS, extent | identify | legend | opened again |\n|---|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def saved(layers: list[QgsRasterLayer], path: Path) -> None:
    """Write a project with all layers, as a person would save it."""
    project = QgsProject.instance()
    project.addMapLayers(layers)
    project.write(str(path))
    project.clear()


def again(path: Path) -> None:
    """Print as JSON what became of each layer of a saved project; GDAL has the headers of the environment."""
    project = QgsProject()
    project.read(str(path))
    layers = project.mapLayers().values()
    print(
        json.dumps({layer.name(): told_colours(drawn(layer)) if layer.isValid() else "invalid" for layer in layers})
    )


def reopened(ways: list[Way], folder: Path) -> dict[str, str]:
    """Return what another process sees of the projects, those with GDAL's headers under these."""
    found: dict[str, str] = {}
    for name, headers in {(bool(way.gdal_headers), way.gdal_headers) for way in ways}:
        command = [sys.executable, __file__, "--again", str(folder / f"{name}.qgz")]
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": str(folder / "later"),
            **({"GDAL_HTTP_HEADERS": headers} if headers else {}),
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        found |= json.loads(done.stdout.splitlines()[-1]) if done.stdout else {"failed": done.stderr}
    return found


def api_header() -> str | None:
    """Return the id of an authentication configuration *API Header* with the token, None where QGIS has no such."""
    manager = QgsApplication.authManager()
    manager.setMasterPassword("only for this trial", verify=False)
    if "APIHeader" not in manager.authMethodsKeys():
        return None
    config = QgsAuthMethodConfig("APIHeader")
    config.setName("gateway")
    config.setConfigMap({"Authorization": BEARER})
    manager.storeAuthenticationConfig(config)
    return config.id()


def tried(gateway: str, wait: int, folder: Path, pictures: Path | None) -> None:
    """Print the table."""
    print(f"QGIS {Qgis.QGIS_VERSION}, GDAL {gdal.VersionInfo('RELEASE_NAME')}\n")
    ways = ways_to(gateway, api_header())
    rows, layers = [], {}
    for way in ways:
        layer = layers[way] = opened(way)
        if not layer.isValid():
            rows.append((way.name, "no", "-", "-", "-", "-"))
            continue
        image = drawn(layer)
        if pictures:
            image.save(str(pictures / f"{len(rows):02}.png"))
        told: tuple[Callable[[QgsRasterLayer], str], ...] = (told_extent, told_values, told_legend)
        rows.append((way.name, "yes", told_colours(image), *(tell(layer) for tell in told)))
    for name in (False, True):
        saved([layers[way] for way in ways if bool(way.gdal_headers) == name], folder / f"{name}.qgz")
    time.sleep(wait)
    later = reopened(ways, folder)
    table([(*row, later.get(row[0], "not in the project")) for row in rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway", nargs="?", help="its URL, for example http://127.0.0.1:8080")
    parser.add_argument("--wait", type=int, default=0, help="seconds before the saved project is opened again")
    parser.add_argument("--pictures", type=Path, help="a folder for what was drawn")
    parser.add_argument("--again", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    gdal.UseExceptions()
    with tempfile.TemporaryDirectory() as temporary:
        profile = os.environ.setdefault("QGIS_CUSTOM_CONFIG_PATH", temporary)
        os.environ.setdefault("QGIS_AUTH_DB_DIR_PATH", profile)
        os.environ["QGIS_AUTH_PASSWORD_FILE"] = str(Path(profile, "password"))
        Path(profile, "password").write_text("only for this trial")
        application = QgsApplication([], True)
        application.initQgis()
        if arguments.again:
            again(arguments.again)
        else:
            tried(arguments.gateway, arguments.wait, Path(temporary), arguments.pictures)
        application.exitQgis()
