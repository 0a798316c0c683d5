"""True COGs made of GeoTIFFs that are none: the same pixels and tags, laid out anew."""

from __future__ import annotations

import warnings
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.shutil import copy

from gateway.cog.rules import RULES
from gateway.errors import NotACog
from gateway.model import Report

# Nothing but the file itself: no look at its folder, no .aux.xml, no network.
STRICT = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
}
# https://gdal.org/drivers/raster/cog.html; lossless, and overviews that hold only values of the data.
CREATION = {
    "COMPRESS": "DEFLATE",
    "BIGTIFF": "IF_SAFER",
    "OVERVIEWS": "IGNORE_EXISTING",
    "RESAMPLING": "NEAREST",
}


# GDAL reads a file with such a mask as if it had none.
LOSSY = ("mask-size",)


class CannotConvert(NotACog):
    """A GeoTIFF that GDAL cannot read to its end, or of which it cannot make a COG."""


def convertible(report: Report) -> bool:
    """Return whether GDAL may be handed such a file: it is a sound GeoTIFF and only its layout is wrong."""
    return bool(report.errors) and all(f.rule not in LOSSY and _rewritable(f.rule) for f in report.errors)


def _rewritable(rule: str) -> bool:
    return rule in RULES and RULES[rule].rewritable


def convert(source_path: str, target_path: Path) -> None:
    """Write a COG with the pixels, nodata, mask, colours, georeferencing and tags of a GeoTIFF.

    `source_path` is opened with the GTiff driver alone and only read; it must have passed `convertible`,
    because GDAL follows what hostile tags say. Raises CannotConvert; `target_path` may be half written then.
    """
    try:
        with warnings.catch_warnings(), rasterio.Env(**STRICT):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(source_path, driver="GTiff") as source:
                # GDAL opens whatever these items name, at the first look at an overview.
                if source.tags(ns="OVERVIEWS") or source.tags(ns="ProxyOverviewRequest"):
                    raise CannotConvert("It refers to overviews in another file.")
                copy(source, target_path, driver="COG", PREDICTOR=_predictor(source), **CREATION)
    except (RasterioError, CPLE_BaseError) as error:
        raise CannotConvert("GDAL cannot make a COG of it.") from error


def _predictor(source: DatasetReader) -> str:
    """Return NO where libtiff has no predictor: complex numbers, and values of fewer bits than their type."""
    for band, dtype in zip(source.indexes, source.dtypes, strict=True):
        if dtype.startswith("complex") or "NBITS" in source.tags(band, ns="IMAGE_STRUCTURE"):
            return "NO"
    return "YES"
