"""What each IFD is for: image, overview, mask or page, and whether masks fit their levels."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cog.checks.overviews import is_smaller, similar
from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.model import Finding


def check_flags(layout: Layout) -> Iterator[Finding]:
    """Yield findings on a first IFD that is not the image, and on IFDs that are flagged as nothing."""
    if layout.main.reduced or layout.main.mask:
        offset = layout.main.directory.offset
        yield finding("first-ifd-not-main", "It is flagged as an overview or a mask.", ifd=0, offset=offset)
    pages = [ifd for ifd in layout.ifds[1:] if not ifd.reduced and not ifd.mask]
    for page in pages:
        rule, what = _page(layout, page)
        yield finding(rule, what, ifd=page.index, offset=page.directory.offset)


def _page(layout: Layout, page: Ifd) -> tuple[str, str]:
    if any(ifd.reduced and not ifd.mask and ifd.index > page.index for ifd in layout.chain):
        return "two-pyramids", "Another full image stands before an overview."
    if is_smaller(page, layout.main) and similar(layout.main, page):
        return "overview-not-flagged", "A smaller version of the image is not flagged as reduced."
    return "extra-page", "There is another full image."


def check_masks(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each mask that fits no level of its kind, and for each level that lacks its mask."""
    levels = {ifd.size for ifd in (*layout.levels[1:], *layout.sub_levels[1:])}
    masked = set()
    for mask in layout.masks:
        masked.add(mask.size)
        if mask.size not in (levels if mask.reduced else {layout.main.size}):
            what = f"The mask is {mask.size[0]} x {mask.size[1]} pixels, the size of no level."
            yield finding("mask-size", what, ifd=mask.index, offset=mask.directory.offset)
    for level in layout.levels if masked else ():
        if level.size not in masked:
            what = f"The level of {level.size[0]} x {level.size[1]} pixels has no mask."
            yield finding("mask-missing-on-level", what, ifd=level.index, offset=level.directory.offset)


def mask_of(layout: Layout, level: Ifd) -> Ifd | None:
    """Return the mask of a level, or None."""
    return next((mask for mask in layout.masks if mask.size == level.size), None)
