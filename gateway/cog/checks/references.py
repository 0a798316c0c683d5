"""Metadata by which GDAL would open another file: decided here, before GDAL sees anything.

https://gdal.org/drivers/raster/gtiff.html, items of the domain OVERVIEWS; GDALProxyOverviewRequest.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.parsers.expat import ExpatError, ParserCreate

from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import Tag
from gateway.model import Finding

# Attributes of an item, quoted or not; the words may also stand in an item's text, where they do no harm.
REFERENCE = re.compile(
    r"""domain\s*=\s*["']?\s*(overviews|proxyoverviewrequest)\b|name\s*=\s*["']?\s*overview_file\b""",
    re.IGNORECASE,
)
NOT_ASCII = re.compile(rb"[\x80-\xff]")


def check(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each IFD whose GDAL_METADATA (42112) is damaged or names overviews in another file."""
    for ifd in layout.ifds:
        if Tag.GDAL_METADATA not in ifd.values:
            continue
        raw, offset = ifd.values[Tag.GDAL_METADATA].tobytes(), ifd.tags[Tag.GDAL_METADATA].offset
        # Entities hide a word from the search, not from GDAL's own XML parser.
        if REFERENCE.search(html.unescape(raw.decode("latin-1"))):
            what = "The metadata refers to overviews in another file."
            yield finding("refers-to-other-file", what, ifd=ifd.index, offset=offset)
        if not (_is_utf8(raw) or _is_xml(raw)):
            yield finding("metadata-damaged", "The metadata is damaged.", ifd=ifd.index, offset=offset)


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
        parser.Parse(NOT_ASCII.sub(b"?", raw.split(b"\0")[0]), True)
    except ExpatError:
        return False
    return True


def _refuse(*_: object) -> None:
    raise ExpatError("an entity declaration")
