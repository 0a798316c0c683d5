"""True COGs made of GeoTIFFs that are none: the same pixels and tags, laid out anew."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from math import ceil
from pathlib import Path
from shutil import disk_usage

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.shutil import copy

from gateway.cog.domains import add_items, items_of
from gateway.cog.layout import Layout, read_layout
from gateway.cog.raster import GDAL_ERRORS, open_dataset, strict_options
from gateway.cog.recipe import creation, obstacle
from gateway.cog.tiff import StructureError
from gateway.errors import GatewayError, NotACog
from gateway.model import ByteSource

# GDAL would keep a twentieth of the machine's memory full of blocks.
CACHE_BYTES = 64 << 20
# A pyramid by powers of two has a third of the pixels of its full image, and the driver writes it twice: once
# beside the target, and then into it. The mask of each pixel is a byte more at most.
PYRAMIDS = 2 / 3
# With so little left, what GDAL could not write is the disk's fault and not the file's.
FULL_BYTES = 16 << 20


class CannotConvert(NotACog):
    """A GeoTIFF that GDAL cannot read to its end, or of which it cannot make a COG."""


class NoRoom(GatewayError):
    """The folder of the target has not the room that the conversion may need."""


def convert(source: ByteSource, target_path: Path, options: Mapping[str, str] | None = None) -> None:
    """Write a COG with the pixels, nodata, mask, colours, georeferencing and tags of a GeoTIFF.

    No value changes: what a lossy codec left is stored as it decodes. `options` are creation options of the COG
    driver in place of those that fit the source. The source is opened with the GTiff driver
    alone and only read; its report must be `convertible`. Raises CannotConvert and NoRoom; `target_path` may be half
    written then, but nothing is left beside it.
    """
    layout = _safe_layout(source)
    require_room(needed_bytes(source, layout), target_path.parent)
    with _converting(target_path, source.gdal_path), open_dataset(source) as raster:
        _copy(raster, layout, target_path, options or creation(layout))


def lay_out(path: Path, target_path: Path, options: Mapping[str, str]) -> None:
    """Write a COG of a GeoTIFF of our own making, with these creation options of the COG driver.

    Raises CannotConvert and NoRoom as `convert` does.
    """
    with _converting(target_path, str(path)), rasterio.open(path, driver="GTiff") as raster:
        copy(raster, target_path, driver="COG", **options)


@contextmanager
def _converting(target_path: Path, gdal_path: str) -> Iterator[None]:
    """Let GDAL write a file; what it makes beside that on its way is removed. Raises CannotConvert and NoRoom."""
    configured = {**strict_options(gdal_path), "GDAL_CACHEMAX": CACHE_BYTES}
    try:
        with warnings.catch_warnings(), rasterio.Env(**configured):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    except GDAL_ERRORS as error:
        if _free_bytes(target_path.parent) < FULL_BYTES:
            raise NoRoom("The target folder has no room left for the conversion.") from error
        raise CannotConvert("GDAL cannot make a COG of it.") from error
    finally:
        # What the driver makes on its way: overviews, a mask.
        for left in target_path.parent.glob(f"{escape(target_path.name)}.*"):
            left.unlink()


def _copy(raster: DatasetReader, layout: Layout, target_path: Path, options: Mapping[str, str]) -> None:
    """Write the COG, with the tags of every domain."""
    items = items_of(layout)
    wanted = tuple(item for item in items if item.of_domain)
    apart = any(item.of_band for item in items)
    domains = {"COPY_SRC_MDD": "YES"} if wanted and not apart else {}
    copy(raster, target_path, driver="COG", **options, **domains)
    if wanted and apart:
        add_items(target_path, wanted)


def needed_bytes(source: ByteSource, layout: Layout) -> int:
    """Return how many bytes the conversion may write at most: every level without compression, or the source's."""
    main = layout.main
    width, height = main.size
    full = width * height * (main.samples * ceil(main.bits / 8) + bool(layout.masks))
    return max(ceil(full * (1 + PYRAMIDS)), source.size_bytes)


def require_room(needed: int, folder: Path) -> None:
    """Return where a folder has room for so many bytes; raises NoRoom."""
    free = _free_bytes(folder)
    if needed > free:
        raise NoRoom(
            f"The conversion may need {needed / 1e6:.1f} MB, and the target folder has {free / 1e6:.1f} MB free."
        )


def _free_bytes(folder: Path) -> int:
    return disk_usage(folder).free


def _safe_layout(source: ByteSource) -> Layout:
    """Return the layout when GDAL may be handed the file: it names no other file, and loses nothing as it is read."""
    try:
        layout = read_layout(source)
    except StructureError as error:
        raise CannotConvert(error.finding.message) from error
    if found := obstacle(layout):
        raise CannotConvert(found.message)
    return layout
