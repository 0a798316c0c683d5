"""Draw a collection in QGIS under its time control and print how much each day shows; by hand, with QGIS' Python.

    xvfb-run -a /usr/bin/python3 scripts/try_qgis_days.py http://127.0.0.1:8080 COLLECTION [--into FOLDER]

A line for no time control at all, one for each day of the collection, one for a month that begins with the first day,
and one for a day on which there is nothing. QGIS 3.22 follows no time in WMTS: all of its lines are alike.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from urllib.request import urlopen

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsDateTimeRange,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor, QImage

SIDE = 300
NOTHING = "1900-01-01"


def settings(layer: QgsRasterLayer, bounds: list[float]) -> QgsMapSettings:
    """Return a picture of the layer's bounds, in degrees, over what is transparent."""
    degrees, map_crs = (QgsCoordinateReferenceSystem(code) for code in ("EPSG:4326", "EPSG:3857"))
    found = QgsMapSettings()
    found.setLayers([layer])
    found.setDestinationCrs(map_crs)
    found.setOutputSize(QSize(SIDE, SIDE))
    found.setBackgroundColor(QColor(0, 0, 0, 0))
    place = QgsCoordinateTransform(degrees, map_crs, QgsProject.instance())
    found.setExtent(place.transformBoundingBox(QgsRectangle(*bounds)))
    return found


def drawn(wanted: QgsMapSettings, day: str | None, days: int) -> QImage:
    """Return the picture of a frame of the time control that begins with a day; None is without the control."""
    if day is not None:
        begins = QDateTime.fromString(f"{day}T00:00:00Z", Qt.ISODate)
        wanted.setIsTemporal(True)
        wanted.setTemporalRange(QgsDateTimeRange(begins, begins.addDays(days), True, False))
    job = QgsMapRendererParallelJob(wanted)
    job.start()
    job.waitForFinished()
    return job.renderedImage()


def covered(image: QImage) -> float:
    """Return which part of a picture has something in it, in percent."""
    seen = sum(image.pixelColor(x, y).alpha() > 0 for y in range(SIDE) for x in range(SIDE))
    return 100 * seen / SIDE**2


def main() -> None:
    """Draw the frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gateway")
    parser.add_argument("collection")
    parser.add_argument("--into", type=Path)
    given = parser.parse_args()
    layer_url = f"{given.gateway}/api/collections/{given.collection}"
    with urlopen(f"{layer_url}/tilejson.json") as answer:  # noqa: S310 - the operator's own
        document = json.load(answer)
    application = QgsApplication([], False)
    application.initQgis()
    uri = f"crs=EPSG:3857&format=image/png&layers={given.collection}&styles=default&tileMatrixSet=WebMercatorQuad"
    layer = QgsRasterLayer(f"{uri}&url={layer_url}/WMTSCapabilities.xml", given.collection, "wms")
    print(f"QGIS {Qgis.QGIS_VERSION}: valid {layer.isValid()}, follows {layer.temporalProperties().isActive()}")
    first = document["days"][-1]
    frames = [(None, 0), *((day, 1) for day in reversed(document["days"])), (first, 31), (NOTHING, 1)]
    for day, days in frames:
        image = drawn(settings(layer, document["bounds"]), day, days)
        print(f"{day or 'no time':<10} {days:>3} d {covered(image):6.1f} %", flush=True)
        if given.into is not None:
            given.into.mkdir(parents=True, exist_ok=True)
            image.save(str(given.into / f"{day or 'all'}-{days}.png"))
    # The libraries' own end is not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
