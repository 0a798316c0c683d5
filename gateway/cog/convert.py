"""True COGs made of GeoTIFFs that are none: the same pixels and tags, laid out anew."""

from __future__ import annotations

import warnings
from pathlib import Path

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.shutil import copy

from gateway.cog.checks import Check, levels, references, tags
from gateway.cog.layout import read_layout
from gateway.cog.raster import GDAL_ERRORS, strict_options
from gateway.cog.rules import RULES
from gateway.cog.tiff import StructureError
from gateway.errors import NotACog
from gateway.model import ByteSource, Finding, Report, Severity

# https://gdal.org/drivers/raster/cog.html; lossless, and overviews that hold only values of the data.
CREATION = {
    "COMPRESS": "DEFLATE",
    "BIGTIFF": "IF_SAFER",
    "OVERVIEWS": "IGNORE_EXISTING",
    "RESAMPLING": "NEAREST",
}


# GDAL reads a file with such a mask as if it had none.
LOSSY = ("mask-size",)
# The COG check stops at the step that finds the first error; these must hold in any case, in this order.
GATES: tuple[Check, ...] = (
    tags.check_read,
    tags.check_required,
    tags.check_single,
    references.check,
    levels.check_flags,
    levels.check_masks,
)


class CannotConvert(NotACog):
    """A GeoTIFF that GDAL cannot read to its end, or of which it cannot make a COG."""


def convertible(report: Report) -> bool:
    """Return whether a refused file is a sound GeoTIFF of which only the layout is wrong."""
    return bool(report.errors) and all(map(_rewritable, report.errors))


def _rewritable(found: Finding) -> bool:
    return found.rule in RULES and RULES[found.rule].rewritable and found.rule not in LOSSY


def convert(source: ByteSource, target_path: Path) -> None:
    """Write a COG with the pixels, nodata, mask, colours, georeferencing and tags of a GeoTIFF.

    The source is opened with the GTiff driver alone and only read; its report must be `convertible`.
    Raises CannotConvert; `target_path` may be half written then.
    """
    _require_safe(source)
    try:
        with warnings.catch_warnings(), rasterio.Env(**strict_options(source.gdal_path)):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(source.gdal_path, driver="GTiff", sharing=False) as raster:
                copy(raster, target_path, driver="COG", PREDICTOR=_predictor(raster), **CREATION)
    except GDAL_ERRORS as error:
        raise CannotConvert("GDAL cannot make a COG of it.") from error


def _require_safe(source: ByteSource) -> None:
    """Return when GDAL may be handed the file: it names no other file, and loses nothing as it is read."""
    try:
        layout = read_layout(source)
    except StructureError as error:
        raise CannotConvert(error.finding.message) from error
    for check in GATES:
        for found in check(layout):
            if found.severity is Severity.ERROR and not _rewritable(found):
                raise CannotConvert(found.message)


def _predictor(source: DatasetReader) -> str:
    """Return NO where libtiff has no predictor: complex numbers, and values of fewer bits than their type."""
    for band, dtype in zip(source.indexes, source.dtypes, strict=True):
        if dtype.startswith("complex") or "NBITS" in source.tags(band, ns="IMAGE_STRUCTURE"):
            return "NO"
    return "YES"
