"""Tags: read at all, present, and with the right number of values."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import IMAGE_TAGS, SINGLE, TILE_TAGS, name_of
from gateway.model import Finding


def check_read(layout: Layout) -> Iterator[Finding]:
    """Yield what kept directories or tags from being read."""
    yield from layout.problems


def check_required(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each missing tag; an image in strips needs no tags of tiles."""
    for ifd in layout.ifds:
        for tag in IMAGE_TAGS if ifd.striped else (*IMAGE_TAGS, *TILE_TAGS):
            if tag not in ifd.tags:
                what = f"Tag {name_of(tag)} is missing."
                yield finding("missing-tag", what, ifd=ifd.index, offset=ifd.directory.offset)


def check_single(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each tag that must have one value and has not."""
    for ifd in layout.ifds:
        for tag in SINGLE:
            if tag in ifd.tags and ifd.tags[tag].count != 1:
                what = f"Tag {name_of(tag)} has {ifd.tags[tag].count} values."
                yield finding("wrong-tag-count", what, ifd=ifd.index, offset=ifd.directory.offset)
