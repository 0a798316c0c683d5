"""Texts by which GDAL or PROJ would open another file: decided here, before either sees anything.

https://gdal.org/drivers/raster/gtiff.html, items of the domain OVERVIEWS; GDALProxyOverviewRequest; the domain
GEOLOCATION (RFC 4 of GDAL); grids of a CRS (https://proj.org/usage/transformation.html#grid-based-datum-adjustments).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers.expat import ExpatError, ParserCreate

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import Tag
from gateway.model import Finding

# Attributes of an item, quoted or not; the words may also stand in an item's text, where they do no harm.
# Possessive, so that no run of spaces takes more than one look.
REFERENCE = re.compile(
    r"""domain["']?\s*+=\s*+["']?\s*+(overviews|proxyoverviewrequest|geolocation)\b"""
    r"""|name["']?\s*+=\s*+["']?\s*+overview_file\b""",
    re.IGNORECASE,
)
CHARACTER = re.compile(r"&(?:(lt|gt|amp|apos|quot)|#x([0-9a-f]*)|#([0-9]*));?", re.IGNORECASE)
NAMED = {"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": '"'}
# A grid or a file of parameters, in WKT or in a PROJ string, and a path behind it; a plain name is looked up
# among PROJ's own files only.
GRID = re.compile(r"(grids|parameterfile)\W|\b(file|model|init)\s*+=", re.IGNORECASE)
PATH = re.compile(r"[/\\]")
NO_GRID = re.compile(r"grids\s*+=\s*+@null\b", re.IGNORECASE)
TO_ASCII = bytes(range(128)) + b"?" * 128


def check(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each IFD whose metadata is damaged, or whose texts name another file."""
    for ifd in layout.ifds:
        yield from _metadata(ifd)
        yield from _crs(ifd)


def _metadata(ifd: Ifd) -> Iterator[Finding]:
    """Yield what is wrong with GDAL_METADATA (42112)."""
    if Tag.GDAL_METADATA not in ifd.values:
        return
    raw, offset = ifd.values[Tag.GDAL_METADATA].tobytes(), ifd.tags[Tag.GDAL_METADATA].offset
    # Character references hide a word from the search, not from GDAL's own XML parser.
    if REFERENCE.search(CHARACTER.sub(_letter, raw.decode("latin-1"))):
        what = "The metadata refers to overviews in another file, or to its geolocation."
        yield finding("refers-to-other-file", what, ifd=ifd.index, offset=offset)
    if not (_is_utf8(raw) or _is_xml(raw)):
        yield finding("metadata-damaged", "The metadata is damaged.", ifd=ifd.index, offset=offset)


def _crs(ifd: Ifd) -> Iterator[Finding]:
    """Yield a finding when a CRS in GeoAsciiParams (34737) makes PROJ open a file of its choice."""
    if Tag.GEO_ASCII_PARAMS not in ifd.values:
        return
    text = NO_GRID.sub("", ifd.values[Tag.GEO_ASCII_PARAMS].tobytes().decode("latin-1"))
    grid = GRID.search(text)
    if grid is not None and PATH.search(text, grid.end()):
        offset = ifd.tags[Tag.GEO_ASCII_PARAMS].offset
        yield finding("refers-to-other-file", "The CRS names a file of grids.", ifd=ifd.index, offset=offset)


def _letter(reference: re.Match[str]) -> str:
    """Return what GDAL reads for a reference: numbers modulo 2**32, and nothing for 0."""
    word, hexes, digits = reference.groups()
    if word is not None:
        return NAMED[word.lower()]
    # 10**32 is a multiple of 2**32, so the last digits decide; the others could be many.
    code = int(hexes or "0", 16) if digits is None else int(digits[-32:] or "0")
    code %= 1 << 32
    return chr(code) if 0 < code < 128 else ""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_xml(raw: bytes) -> bool:
    """Return whether the text up to its first NUL is XML, with letters of any encoding but only as content."""
    parser = ParserCreate()
    # No entities of its own: GDAL knows none, and they could grow without bound.
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(raw.partition(b"\0")[0].translate(TO_ASCII), True)
    except ExpatError:
        return False
    return True


def _refuse(*_: object) -> None:
    raise ExpatError("an entity declaration")
