"""Georeferencing in the file itself (OGC GeoTIFF 1.1): where the pixels lie, and in which CRS."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import Tag
from gateway.model import Finding

# Keys from 2048 on name a geographic, from 3072 to 4095 a projected CRS; 4096 on is the vertical part.
CRS_KEYS = range(2048, 4096)
KEY_STEP = 4


def check(layout: Layout) -> Iterator[Finding]:
    """Yield findings on the georeferencing of the full image."""
    main = layout.main
    at = main.directory.offset
    problem = _bad_transform(main)
    if problem:
        yield finding("bad-transform", problem, ifd=0, offset=at)
    keys = _geo_keys(main)
    if keys is None:
        offset = main.tags[Tag.GEO_KEY_DIRECTORY].offset
        yield finding("bad-geokeys", "The GeoKey directory is damaged.", ifd=0, offset=offset)
    has_crs = any(key in CRS_KEYS for key in keys or ())
    approximate = _gcps(main) or Tag.RPC_COEFFICIENTS in main.tags
    if not problem and not _has_transform(main):
        if approximate:
            yield finding("approximate-georeferencing", "There are only GCPs or RPCs.", ifd=0, offset=at)
        elif has_crs:
            yield finding("crs-without-transform", "There is a CRS but no transform.", ifd=0, offset=at)
        elif keys is not None:
            yield finding("no-georeferencing", "There is no georeferencing in the file.", ifd=0, offset=at)
    elif keys is not None and not has_crs and not approximate:
        yield finding("transform-without-crs", "There is a transform but no CRS.", ifd=0, offset=at)


def _numbers(ifd: Ifd, tag: Tag) -> list[float]:
    values = ifd.values.get(tag)
    return [] if values is None else values.tolist()


def _has_transform(ifd: Ifd) -> bool:
    """Return whether a scale with a tiepoint, or a matrix, is there."""
    scale, points = _numbers(ifd, Tag.MODEL_PIXEL_SCALE), _numbers(ifd, Tag.MODEL_TIEPOINT)
    return (len(scale) >= 2 and len(points) >= 6) or len(_numbers(ifd, Tag.MODEL_TRANSFORMATION)) == 16


def _gcps(ifd: Ifd) -> bool:
    """Return whether there are tiepoints without a scale."""
    return Tag.MODEL_PIXEL_SCALE not in ifd.tags and len(_numbers(ifd, Tag.MODEL_TIEPOINT)) >= 6


def _bad_transform(ifd: Ifd) -> str | None:
    """Return what is wrong with a transform that is there, or None."""
    scale, points = _numbers(ifd, Tag.MODEL_PIXEL_SCALE), _numbers(ifd, Tag.MODEL_TIEPOINT)
    matrix = _numbers(ifd, Tag.MODEL_TRANSFORMATION)
    if not all(map(math.isfinite, (*scale[:2], *points, *matrix))):
        return "The transform has a number that is not finite."
    if 0 in scale[:2]:
        return "The pixel size is 0."
    if len(matrix) == 16 and matrix[0] * matrix[5] == matrix[1] * matrix[4]:
        return "The transformation matrix is singular."
    return None


def _geo_keys(ifd: Ifd) -> list[int] | None:
    """Return the ids of the GeoKeys, or None when their directory (34735) does not fit its own numbers."""
    if Tag.GEO_KEY_DIRECTORY not in ifd.tags:
        return []
    values = ifd.values.get(Tag.GEO_KEY_DIRECTORY, np.empty(0, np.uint16)).tolist()
    if len(values) < KEY_STEP or values[0] != 1 or len(values) < KEY_STEP * (values[3] + 1):
        return None
    keys = []
    for at in range(KEY_STEP, KEY_STEP * (values[3] + 1), KEY_STEP):
        key, location, count, first = values[at : at + KEY_STEP]
        # Location 0: the value stands in the entry itself; else it is the tag that holds the values.
        held = ifd.tags[location].count if location in ifd.tags else 0
        if location and first + count > held:
            return None
        keys.append(key)
    return keys
