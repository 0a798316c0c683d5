"""The pyramid: overviews where they are needed, each a smaller version of the same image."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.model import Finding

# A view of this many pixels is small enough to need no overview.
VIEW_SIDE = 512
ASPECT_PIXELS = 2
LEAST_STEP, GREATEST_STEP = 1.4, 10.0


def check_missing(layout: Layout) -> Iterator[Finding]:
    """Yield a finding when the IFD chain has no overview, though the image is large, or stops too early."""
    last = layout.levels[-1]
    if max(last.size) <= VIEW_SIDE:
        return
    several = min(last.grid) > 1
    shape = f"{last.size[0]} x {last.size[1]} pixels"
    if len(layout.levels) > 1:
        if several:
            what = f"The smallest level still has {shape}."
            yield finding("pyramid-stops-early", what, ifd=last.index, offset=last.directory.offset)
    elif several:
        where = " in the chain of directories" if len(layout.sub_levels) > 1 else ""
        yield finding(
            "overviews-missing",
            f"The image has {shape} and no overviews{where}.",
            ifd=0,
            offset=last.directory.offset,
        )
    else:
        yield finding(
            "overviews-missing-in-strip",
            f"The image has {shape} and no overviews.",
            ifd=0,
            offset=last.directory.offset,
        )


def check_pyramid(layout: Layout) -> Iterator[Finding]:
    """Yield what is wrong with each overview, those of the chain and those that are SubIFDs."""
    for levels in (layout.levels, layout.sub_levels):
        for larger, smaller in pairwise(levels):
            for rule, what in _problems(layout.main, larger, smaller):
                yield finding(rule, what, ifd=smaller.index, offset=smaller.directory.offset)


def _problems(main: Ifd, larger: Ifd, smaller: Ifd) -> Iterator[tuple[str, str]]:
    shape = f"The overview is {smaller.size[0]} x {smaller.size[1]} pixels"
    if not is_smaller(smaller, larger):
        yield "overview-not-smaller", f"{shape}, after one of {larger.size[0]} x {larger.size[1]}."
    elif not similar(main, smaller):
        yield "overview-aspect", f"{shape}, which is not the shape of {main.size[0]} x {main.size[1]}."
    else:
        step = max(large / small for large, small in zip(larger.size, smaller.size, strict=True))
        if not LEAST_STEP <= step <= GREATEST_STEP:
            yield "pyramid-step", f"{shape}, {step:.2f} times less than the level before."
    if smaller.samples != main.samples:
        yield "overview-other-bands", f"The overview has {smaller.samples} bands, the image {main.samples}."
    if (smaller.bits, smaller.sample_format) != (main.bits, main.sample_format):
        yield "overview-other-type", "The overview has another data type than the image."


def is_smaller(smaller: Ifd, larger: Ifd) -> bool:
    """Return whether an image is smaller in one direction at least and larger in none."""
    sides = list(zip(smaller.size, larger.size, strict=True))
    return all(less <= more for less, more in sides) and any(less < more for less, more in sides)


def similar(main: Ifd, other: Ifd) -> bool:
    """Return whether the shape is that of the main image, but for the rounding of one side to whole pixels."""
    (width, height), (less_width, less_height) = main.size, other.size
    return (
        abs(less_width - width * less_height / height) <= ASPECT_PIXELS
        or abs(less_height - height * less_width / width) <= ASPECT_PIXELS
    )
