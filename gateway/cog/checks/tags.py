"""Tags: read at all, present, and with the right number of values."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import IMAGE_TAGS, SINGLE, STRIP_TAGS, TILE_TAGS, Tag, name_of
from gateway.model import Finding


def check_read(layout: Layout) -> Iterator[Finding]:
    """Yield what kept directories or tags from being read."""
    yield from layout.problems


def check_required(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for strips (TIFF 6.0 section 15 wants one or the other), and for each missing tag."""
    for ifd in layout.ifds:
        place = {"ifd": ifd.index, "offset": ifd.directory.offset}
        required: tuple[Tag, ...] = (*IMAGE_TAGS, *TILE_TAGS)
        if any(tag in ifd.tags for tag in STRIP_TAGS):
            yield finding("not-tiled", "An image is stored in strips.", **place)
            required = IMAGE_TAGS
        for tag in required:
            if tag not in ifd.tags:
                yield finding("missing-tag", f"Tag {name_of(tag)} is missing.", **place)


def check_single(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each tag that must have one value and has not."""
    for ifd in layout.ifds:
        for tag in SINGLE:
            if tag in ifd.tags and ifd.tags[tag].count != 1:
                what = f"Tag {name_of(tag)} has {ifd.tags[tag].count} values."
                yield finding("wrong-tag-count", what, ifd=ifd.index, offset=ifd.directory.offset)
