"""What rasterio says of a file whose structure was found sound: CRS, size, data type, bounds."""

from __future__ import annotations

import hashlib
import math
import re
import sys
import uuid
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from gateway.cog.agreement import disagreements
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.sourcefile import SourceFile
from gateway.errors import NoPlace
from gateway.ground.degrees import geographic_bounds
from gateway.ground.footprint import footprint
from gateway.ground.georeference import georeference
from gateway.model import ByteSource, Finding, RasterFacts

# Nothing but the file itself: no look at its folder, no .aux.xml, no network.
STRICT_OPTIONS: dict[str, Any] = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_NUM_THREADS": "1",
}
# On local files not even a reference may lead to the network.
NO_NETWORK = {"CPL_VSIL_CURL_ALLOWED_FILENAME": "none"}
# rasterio's own errors, and its ValueError for texts of GDAL that are no UTF-8.
GDAL_ERRORS = (RasterioError, CPLE_BaseError, ValueError)
TAGGED = re.compile(r"[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
COLOURS_BYTES = 8
# Whose items name other files.
FOREIGN_DOMAINS = ("OVERVIEWS", "ProxyOverviewRequest", "GEOLOCATION")


def _unless_undecodable(unraisable: sys.UnraisableHookArgs, report: Any = sys.unraisablehook) -> None:
    """Report an exception that nobody can catch, but for a text of GDAL that is no UTF-8.

    rasterio decodes what GDAL says where it cannot raise. Bytes of a hostile file may be part of that, and would put
    a traceback on stderr; the error itself still reaches the caller.
    """
    decoding = isinstance(unraisable.exc_value, UnicodeDecodeError)
    if not (decoding and "rasterio._env.log_error" in str(unraisable.object)):
        report(unraisable)


def _unless_unraised(
    kind: type[BaseException], error: BaseException, trace: Any, report: Any = sys.excepthook
) -> None:
    """Report what ends the process; Cython shows the text of the above here too, without a traceback."""
    if trace is not None or not isinstance(error, UnicodeDecodeError):
        report(kind, error, trace)


# In each process that reads with GDAL, whatever it was started for.
sys.unraisablehook, sys.excepthook = _unless_undecodable, _unless_unraised


def open_raster(
    source: ByteSource, layout: Layout, *, facts: bool = True
) -> tuple[RasterFacts | None, tuple[Finding, ...]]:
    """Return the facts of a raster, or None and the findings: GDAL cannot open it, or sees what the layout has not.

    Without `facts` no bounds in degrees are worked out, which takes longer than all else, and None is returned; the
    findings are the same. The structure must have been judged before: GDAL follows what hostile metadata says.
    """
    try:
        with warnings.catch_warnings(), rasterio.Env(**strict_options(source.gdal_path)):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with open_dataset(source) as raster:
                if refers_elsewhere(raster):
                    return None, (finding("refers-to-other-file", "GDAL finds another file named in it."),)
                crs, problems = crs_of(raster), tuple(disagreements(raster, layout))
                return (None if problems or not facts else facts_of(raster, crs, layout)), problems
    except GDAL_ERRORS:
        at = layout.main.directory.offset
        return None, (finding("gdal-cannot-open", "GDAL does not open the file.", ifd=0, offset=at),)


def open_dataset(source: ByteSource, **options: Any) -> DatasetReader:
    """Return the source opened by GDAL's GTiff driver, under the strict options that the caller has set.

    What has no path is read through the source, so that GDAL gets the bytes of this very version.
    """
    if source.gdal_path.startswith("/"):
        return rasterio.open(source.gdal_path, driver="GTiff", sharing=False, **options)
    name = f"{uuid.uuid4()}.tif"
    return rasterio.open(name, driver="GTiff", sharing=False, opener=lambda *_, **__: SourceFile(source), **options)


def refers_elsewhere(raster: DatasetReader) -> bool:
    """Return whether GDAL would open another file for an open raster, by what GDAL itself read in it.

    The structural check finds the same in the bytes; where its reading should differ from GDAL's, this holds.
    """
    return any(raster.tags(band, ns=domain) for domain in FOREIGN_DOMAINS for band in (0, *raster.indexes))


def strict_options(gdal_path: str) -> dict[str, Any]:
    """Return the GDAL configuration under which a path is opened."""
    return STRICT_OPTIONS if gdal_path.startswith("/vsi") else {**STRICT_OPTIONS, **NO_NETWORK}


def facts_of(raster: DatasetReader, crs: str | None, layout: Layout) -> RasterFacts:
    """Return the facts of an open raster of that layout, whose own CRS is `crs`."""
    crs, bounds, outline = _placed(raster, crs)
    return RasterFacts(
        width=raster.width,
        height=raster.height,
        count=raster.count,
        dtype=str(raster.dtypes[0]),
        nodata=_nodata(raster.nodata),
        crs=crs,
        bounds=bounds,
        footprint=outline,
        tagged_at=tagged_at(raster.tags().get("TIFFTAG_DATETIME")),
        transform=_transform(raster),
        wkt2=_wkt2(crs),
        scaling=_scaling(raster),
        header_bytes=layout.header_bytes,
        bands=sum(kind is not ColorInterp.alpha for kind in raster.colorinterp),
        colours=_colours(raster),
    )


def _colours(raster: DatasetReader) -> str | None:
    """Return a digest of the palette of the first band, None for one without."""
    if raster.colorinterp[0] is not ColorInterp.palette:
        return None
    return digest_of_colours(sorted(raster.colormap(1).items()))


def digest_of_colours(colours: Iterable[tuple[Any, Any]]) -> str:
    """Return what tells colours apart: COLOURS_BYTES in hexadecimal, of values in order, each with its RGBA."""
    told = repr([(value, tuple(colour)) for value, colour in colours])
    return hashlib.blake2b(told.encode(), digest_size=COLOURS_BYTES).hexdigest()


def _transform(raster: DatasetReader) -> tuple[float, float, float, float, float, float] | None:
    """Return a to f of the raster's own affine transformation, None where it has none that JSON can hold."""
    found = raster.transform
    if found.is_identity or not all(map(math.isfinite, found[:6])):
        return None
    return found.a, found.b, found.c, found.d, found.e, found.f


def _wkt2(crs: str | None) -> str | None:
    """Return a CRS that is WKT as WKT2, None for a code and for what cannot be written so."""
    if crs is None or "[" not in crs:
        return None
    try:
        return str(CRS.from_wkt(crs).to_wkt(version="WKT2_2019")) or None
    except GDAL_ERRORS:
        return None


def _scaling(raster: DatasetReader) -> tuple[tuple[float, float], ...] | None:
    """Return (scale, offset) of each band, None where none is scaled or a number is none of JSON."""
    found = tuple(zip(map(float, raster.scales), map(float, raster.offsets), strict=True))
    plain = all(pair == (1.0, 0.0) for pair in found)
    return None if plain or not all(math.isfinite(number) for pair in found for number in pair) else found


def tagged_at(text: str | None) -> datetime | None:
    """Return the moment of a TIFFTAG_DATETIME (306, TIFF 6.0 page 31), which has no offset, as UTC; or None."""
    if text is None or not TAGGED.fullmatch(text):
        return None
    try:
        # "0000:00:00 00:00:00" is what some writers say of a moment that they do not know.
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _nodata(value: float | None) -> float | str | None:
    """Return a nodata value that JSON can hold: no NaN and no infinity."""
    return value if value is None or math.isfinite(value) else str(value)


def crs_of(raster: DatasetReader) -> str | None:
    """Return the raster's own CRS, "EPSG:n" or WKT. Raises RasterioError for one that PROJ does not understand."""
    return _short(str(raster.crs.to_wkt())) if raster.crs else None


def _placed(
    raster: DatasetReader, crs: str | None
) -> tuple[str | None, tuple[float, float, float, float] | None, dict[str, Any] | None]:
    """Return the CRS, that of control points included, bounds in degrees, footprint; None for what is not there."""
    try:
        place = georeference(raster)
        crs = _short(place.crs)
        bounds = geographic_bounds(place)
        return crs, bounds.as_tuple, footprint(place, bounds)
    except NoPlace:
        return crs, None, None


def _short(crs: str) -> str:
    authority = CRS.from_wkt(crs).to_authority()
    return ":".join(authority) if authority else crs
