"""A part of a GeoTIFF as a true COG: a window of whole pixels, with all that the file says of them."""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from gateway.cog.convert import convert
from gateway.cog.domains import NOT_COPIED
from gateway.cog.layout import Layout, read_layout
from gateway.cog.parts import Part
from gateway.cog.raster import STRICT_OPTIONS
from gateway.cog.recipe import creation
from gateway.cog.tags import Tag
from gateway.files import FileSource, open_file
from gateway.ground.coverage import Window as Cells
from gateway.ground.coverage import coverage_of, edges_of

# The library's own; GDAL's is 9.
ZSTD_LEVEL = "3"
# Of values in memory at once.
CHUNK_BYTES = 16 << 20
CACHE_BYTES = 64 << 20
# The tag of XMP, its domain in GDAL, and what rasterio writes before the text of that.
XMP, OF_XMP, NAME = 700, "xml:XMP", b"xml:XMP="
# Sides of the blocks of a part, where those of its file are no squares that the COG driver takes.
BLOCK, MOST_BLOCK = 512, 2048
# Beyond these, pixels of all bands together make blocks that are too large to be written one by one.
PIXEL_BANDS = 4
# What tells of all pixels of a file, and is not true of a part (GDAL's band statistics).
OF_ALL_PIXELS = "STATISTICS_"
# Types of 64 bits, a whole number as it is told, and the first one beside which a float has not every one.
FLOAT_WHOLE = 1 << 53
WHOLE, WHOLE_NUMBER = ("int64", "uint64"), re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
Mask = npt.NDArray[np.uint8]


def write_part(raster: DatasetReader, layout: Layout, part: Part, target_path: Path) -> None:
    """Write a part of an open raster of that layout as a true COG; equal parts of equal files get equal bytes.

    Kept are values, data type, nodata, mask and alpha, scale, offset, units, descriptions, colours, tags of all
    domains, CRS, transform, ground control points, RPCs and what a pixel is (area or point); left out is what tells
    of all pixels of the file. Compressed as the file where that loses nothing, else by DEFLATE. Raises what `convert`
    raises, BadParameter for edges through too many pixels, and errors of GDAL.
    """
    stage_path = target_path.with_name(f"{target_path.name}.stage.tif")
    options = {**STRICT_OPTIONS, "GDAL_TIFF_INTERNAL_MASK": True, "GDAL_CACHEMAX": CACHE_BYTES}
    with warnings.catch_warnings(), rasterio.Env(**options):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            nodata = nodata_of(raster, layout)
            with rasterio.open(stage_path, "w", **_profile(raster, part, nodata)) as stage:
                _describe(raster, part, stage)
                _fill(raster, part, stage, nodata)
            if isinstance(nodata, int):
                _put_nodata(stage_path, nodata)
            with open_file(stage_path) as source:
                convert(source, target_path, _creation(layout))
        finally:
            stage_path.unlink(missing_ok=True)
    _take_name_off(target_path)


def _creation(layout: Layout) -> dict[str, str]:
    """Return the creation options of the COG driver that keep the nature of the file that the part is of."""
    main = layout.main
    width, height = (main.number(tag, 0) for tag in (Tag.TILE_WIDTH, Tag.TILE_LENGTH))
    square = width == height and width % 16 == 0 and 0 < width <= MOST_BLOCK
    options = {**creation(layout), "OVERVIEWS": "IGNORE_EXISTING", "BLOCKSIZE": str(width if square else BLOCK)}
    # Somebody waits: ZSTD's own level takes half the time of GDAL's.
    return {**options, "LEVEL": ZSTD_LEVEL} if options["COMPRESS"] == "ZSTD" else options


def nodata_of(raster: DatasetReader, layout: Layout) -> float | int | None:
    """Return the nodata value; a whole number where it is one of 64 bits that a float may not hold."""
    given = layout.main.text(Tag.GDAL_NODATA).strip()
    if raster.dtypes[0] not in WHOLE or not WHOLE_NUMBER.fullmatch(given):
        return float_nodata(raster)
    limits, number = np.iinfo(raster.dtypes[0]), int(given)
    whole = limits.min <= number <= limits.max and abs(number) >= FLOAT_WHOLE
    return number if whole else float_nodata(raster)


def float_nodata(raster: DatasetReader) -> float | None:
    """Return the nodata value that GDAL gives as a float."""
    found: float | None = raster.nodata
    return found


def _profile(raster: DatasetReader, part: Part, nodata: float | int | None) -> dict[str, Any]:
    """Return what the staged file is made with: uncompressed, of the same kind of values."""
    kinds = [raster.colorinterp[band - 1] for band in part.bands]
    profile = {
        "driver": "GTiff", "width": part.width, "height": part.height, "count": len(part.bands),
        "dtype": raster.dtypes[0], "crs": raster.crs, "nodata": 0 if isinstance(nodata, int) else nodata,
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "BIGTIFF": "IF_SAFER", "SPARSE_OK": False,
        "INTERLEAVE": "PIXEL" if len(kinds) <= PIXEL_BANDS else "BAND",
    }  # fmt: skip
    if not raster.transform.is_identity:
        profile["transform"] = raster.transform * raster.transform.translation(part.column, part.row)
    if kinds[:3] == [ColorInterp.red, ColorInterp.green, ColorInterp.blue]:
        profile["photometric"] = "RGB"
    elif kinds[:1] == [ColorInterp.palette] and len(kinds) == 1:
        profile["photometric"] = "PALETTE"
    else:
        profile["photometric"] = "MINISBLACK"
    if bits := raster.tags(part.bands[0], ns="IMAGE_STRUCTURE").get("NBITS"):
        profile["NBITS"] = bits
    return profile


def _describe(raster: DatasetReader, part: Part, stage: DatasetWriter) -> None:
    """Write all that the file says of its pixels, for those of the part."""
    of_bands = list(enumerate(part.bands, start=1))
    with suppress(ValueError, KeyError):
        # Before the first pixel: then they are in the directory, and in no file beside it.
        if raster.colorinterp[part.bands[0] - 1] is ColorInterp.palette and len(of_bands) == 1:
            stage.write_colormap(1, raster.colormap(part.bands[0]))
    stage.colorinterp = [raster.colorinterp[band - 1] for band in part.bands]
    stage.descriptions = [raster.descriptions[band - 1] for band in part.bands]
    stage.units = [raster.units[band - 1] or "" for band in part.bands]
    scales = [(raster.scales[band - 1], raster.offsets[band - 1]) for band in part.bands]
    if any(pair != (1.0, 0.0) for pair in scales):
        stage.scales, stage.offsets = [scale for scale, _ in scales], [offset for _, offset in scales]
    _move_points(raster, part, stage)
    for own, band in [(0, 0), *of_bands]:
        for domain in ("", *raster.tag_namespaces(band)):
            if domain in NOT_COPIED:
                continue
            tags = raster.tags(band, ns=domain or None)
            if domain == OF_XMP:
                tags = {OF_XMP: tags[OF_XMP].removeprefix(NAME.decode())}
            kept = {name: value for name, value in tags.items() if not name.startswith(OF_ALL_PIXELS)}
            if kept:
                stage.update_tags(own, ns=domain or None, **kept)


def _take_name_off(path: Path) -> None:
    """Let the entry of XMP (700) begin behind the name that rasterio writes as part of the text."""
    with FileSource(os.open(path, os.O_RDWR | os.O_CLOEXEC)) as made:
        layout = read_layout(made)
        entry = next((entry for entry in layout.main.directory.entries if entry.tag == XMP), None)
        if entry is None or entry.inline or made.read_at(entry.offset, len(NAME)) != NAME:
            return
        _point(made, layout, XMP, entry.count - len(NAME), entry.offset + len(NAME))


def _put_nodata(path: Path, nodata: int) -> None:
    """Let the entry of a nodata value (42113) name that one: rasterio gives GDAL a float."""
    with FileSource(os.open(path, os.O_RDWR | os.O_CLOEXEC)) as made:
        layout, text = read_layout(made), b"%d\0" % nodata
        # Values begin at even places (TIFF 6.0 section 2).
        at = made.size_bytes + made.size_bytes % 2
        os.pwrite(made.fd, text, at)
        _point(made, layout, Tag.GDAL_NODATA, len(text), at)


def _point(made: FileSource, layout: Layout, tag: int, count: int, offset: int) -> None:
    """Let an entry of the first directory tell of `count` values at an offset."""
    number = [entry.tag for entry in layout.main.directory.entries].index(tag)
    big = layout.form.big
    start = layout.main.directory.offset + (8 + 20 * number if big else 2 + 12 * number)
    os.pwrite(made.fd, struct.pack(layout.form.order + ("QQ" if big else "II"), count, offset), start + 4)


def _move_points(raster: DatasetReader, part: Part, stage: DatasetWriter) -> None:
    """Write what is counted in pixels of the file: ground control points and RPCs."""
    points, crs = raster.gcps
    if points:
        moved = [
            GroundControlPoint(p.row - part.row, p.col - part.column, p.x, p.y, p.z, p.id, p.info) for p in points
        ]
        stage.gcps = moved, crs
    if (rpcs := raster.rpcs) is not None:
        rpcs.line_off -= part.row
        rpcs.samp_off -= part.column
        stage.rpcs = rpcs


def _fill(raster: DatasetReader, part: Part, stage: DatasetWriter, told: float | int | None) -> None:
    """Write the pixels, a few blocks of the file at a time."""
    masked = MaskFlags.per_dataset in raster.mask_flag_enums[0] and ColorInterp.alpha not in raster.colorinterp
    alpha = [n for n, kind in enumerate(stage.colorinterp, start=1) if kind is ColorInterp.alpha]
    nodata = _fitting(told, stage.dtypes[0])
    whole = Cells(part.column, part.row, part.width, part.height)
    covered = None if part.edges is None else coverage_of(edges_of(part.edges), whole)
    for window, bands in _chunks(raster, part):
        there = Window(window.col_off - part.column, window.row_off - part.row, window.width, window.height)
        cells = Cells(int(window.col_off), int(window.row_off), int(window.width), int(window.height))
        outside = None if covered is None else ~covered.touched(cells)
        values = raster.read([part.bands[n - 1] for n in bands], window=window)
        if outside is not None and alpha:
            values[[n in alpha for n in bands]] *= ~outside
        elif outside is not None and nodata is not None and not masked:
            values[:, outside] = nodata
        stage.write(values, list(bands), window=there)
        if bands[0] == 1 and not alpha and (masked or (outside is not None and nodata is None)):
            stage.write_mask(_mask(raster, window, outside, masked=masked), window=there)


def _mask(raster: DatasetReader, window: Window, outside: npt.NDArray[np.bool_] | None, *, masked: bool) -> Mask:
    shape = int(window.height), int(window.width)
    found: Mask = raster.read_masks(1, window=window) if masked else np.full(shape, 255, np.uint8)
    return found if outside is None else np.where(outside, np.uint8(0), found)


def _fitting(nodata: float | int | None, dtype: str) -> float | int | None:
    """Return a nodata value that values of that type can have, else None."""
    if nodata is None or np.issubdtype(np.dtype(dtype), np.inexact):
        return nodata
    limits = np.iinfo(dtype)
    return nodata if limits.min <= nodata <= limits.max and nodata == int(nodata) else None


def _chunks(raster: DatasetReader, part: Part) -> Iterator[tuple[Window, tuple[int, ...]]]:
    """Yield windows of the file that cover the part along its blocks, each with bands of the part, counted from 1."""
    high, wide = raster.block_shapes[part.bands[0] - 1]
    itemsize = np.dtype("complex64" if raster.dtypes[0] == "complex_int16" else raster.dtypes[0]).itemsize
    count = len(part.bands)
    together = max(1, min(count, CHUNK_BYTES // (high * wide * itemsize)))
    across = wide * max(1, CHUNK_BYTES // (high * wide * itemsize * together))
    right, bottom = part.column + part.width, part.row + part.height
    for top in range(part.row // high * high, bottom, high):
        for left in range(part.column // wide * wide, right, across):
            start, begin = max(left, part.column), max(top, part.row)
            window = Window(start, begin, min(left + across, right) - start, min(top + high, bottom) - begin)
            for first in range(0, count, together):
                yield window, tuple(range(first + 1, min(first + together, count) + 1))
