"""The checks of a layout: pure functions, one file for each group of rules, registered here.

A check is one function and one line in CHECKS. The steps stand on each other: when a step finds an error the
later ones are not asked, so they may rely on what it made sure of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.cog.checks import (
    blocks,
    coding,
    georeferencing,
    ghost,
    images,
    levels,
    order,
    overviews,
    references,
    tags,
)
from gateway.cog.layout import Layout
from gateway.model import Finding, Severity

Check = Callable[[Layout], Iterator[Finding]]

CHECKS: tuple[tuple[Check, ...], ...] = (
    (tags.check_read,),
    (references.check, tags.check_required, tags.check_single),
    (images.check_sizes, images.check_samples, coding.check, images.check_tiled, georeferencing.check),
    (images.check_tiles, images.check_arrays),
    (blocks.check_entries,),
    (blocks.check_apart,),
    (
        order.check_first_ifd,
        order.check_directories,
        order.check_data,
        overviews.check_missing,
        overviews.check_pyramid,
        levels.check_flags,
        levels.check_masks,
        ghost.check_area,
        ghost.check_promises,
    ),
)


def judge(layout: Layout) -> Iterator[Finding]:
    """Yield what the structure of a file has against it; stops after a step that found an error."""
    for step in CHECKS:
        stop = False
        for check in step:
            for found in check(layout):
                stop = stop or found.severity is Severity.ERROR
                yield found
        if stop:
            return
