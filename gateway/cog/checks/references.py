"""Metadata by which GDAL would open another file: decided here, before GDAL sees anything.

https://gdal.org/drivers/raster/gtiff.html, items of the domain OVERVIEWS; GDALProxyOverviewRequest.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import Tag
from gateway.model import Finding

# Attributes of an item, quoted or not; the words may also stand in an item's text, where they do no harm.
REFERENCE = re.compile(
    r"""domain\s*=\s*["']?\s*(overviews|proxyoverviewrequest)\b|name\s*=\s*["']?\s*overview_file\b""",
    re.IGNORECASE,
)


def check(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each IFD whose GDAL_METADATA (42112) names overviews in another file."""
    for ifd in layout.ifds:
        if Tag.GDAL_METADATA not in ifd.values:
            continue
        text = ifd.values[Tag.GDAL_METADATA].tobytes().decode("latin-1")
        # Entities hide a word from the search, not from GDAL's own XML parser.
        if REFERENCE.search(html.unescape(text)):
            what = "The metadata refers to overviews in another file."
            yield finding("refers-to-other-file", what, ifd=ifd.index, offset=ifd.tags[Tag.GDAL_METADATA].offset)
