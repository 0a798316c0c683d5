"""`inspect`: the one way into the COG check, from the first bytes to the raster's facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from gateway.cog.checks import judge
from gateway.cog.depths import DEPTHS, usual_depth
from gateway.cog.layout import Layout, read_layout
from gateway.cog.leaders import check_leaders
from gateway.cog.recipe import recipe_of
from gateway.cog.rules import finding
from gateway.cog.sidecars import check_sidecars
from gateway.cog.sourcefile import local_copy
from gateway.cog.tiff import StructureError
from gateway.model import ByteSource, Finding, Inspection, RasterFacts, Report, Severity

PayloadCheck = Callable[[ByteSource, Layout], Iterator[Finding]]


def decoded(source: ByteSource, layout: Layout) -> Iterator[Finding]:
    """Yield what `check_payload` yields; rasterio takes long to import, and depth header needs none of it."""
    from gateway.cog.decode import check_payload  # noqa: PLC0415

    yield from check_payload(source, layout)


# What each depth reads beyond the header.
PAYLOAD_CHECKS: dict[str, tuple[PayloadCheck, ...]] = {
    "header": (),
    "blocks": (check_leaders,),
    "full": (check_leaders, decoded),
}
# Of each severity.
MAX_FINDINGS = 200


def not_regular_report(depth: str) -> Report:
    """Return the report on a pipe, device, socket or folder, which has no bytes to judge."""
    return Report(depth, (finding("not-a-regular-file", "This is no regular file."),))


def inspect(
    source: ByteSource,
    *,
    depth: str | None = None,
    allow_missing_overviews: bool = False,
    siblings: frozenset[str] = frozenset(),
    facts: bool = True,
    decode: PayloadCheck = decoded,
) -> Inspection:
    """Return the verdict over a source and, where it is a true COG and `facts` are wanted, what rasterio knows of it.

    Without a `depth` it is blocks, and header for a remote source. `siblings` are the names in the file's own
    folder. GDAL is asked only when nothing speaks against the structure; at depth header only when its `facts` are
    wanted, because there the structure alone is judged. `decode` looks at every block at
    depth full. Raises ValueError for a depth that is not in DEPTHS, and OSError when the source cannot be read.
    """
    depth = depth or usual_depth(remote=source.remote)
    if depth not in DEPTHS:
        raise ValueError(f"depth is one of {', '.join(DEPTHS)}")
    findings, began = list[Finding](), datetime.now(UTC)
    raster: RasterFacts | None = None
    recipe: tuple[str, ...] = ()
    layout: Layout | None = None
    try:
        layout = read_layout(source)
        findings += (_lenient(found) if allow_missing_overviews else found for found in judge(layout))
        with _payload(source, depth) if _sound(findings) else nullcontext(source) as payload:
            for check in PAYLOAD_CHECKS[depth]:
                run = decode if check is decoded else check
                findings += run(payload, layout) if _sound(findings) else ()
        recipe = recipe_of(source, layout, findings)
    except StructureError as error:
        findings.append(error.finding)
    findings += check_sidecars(source, siblings)
    if layout is not None and _sound(findings) and (facts or depth != "header"):
        from gateway.cog.raster import open_raster  # noqa: PLC0415 - rasterio takes long to import

        raster, problems = open_raster(source, layout, facts=facts)
        findings += problems
    return Inspection(Report(depth, tuple(_bounded(findings)), recipe, began), raster)


def _payload(source: ByteSource, depth: str) -> AbstractContextManager[ByteSource]:
    """Yield the source that the payload is read from: when every block is wanted, one copy costs the least."""
    return local_copy(source) if source.remote and depth == "full" else nullcontext(source)


def _bounded(findings: list[Finding]) -> Iterator[Finding]:
    """Yield the findings, of each severity no more than a report holds: a hostile file breaks rules at will."""
    room = dict.fromkeys(Severity, MAX_FINDINGS)
    for found in findings:
        room[found.severity] -= 1
        if room[found.severity] >= 0:
            yield found


def _sound(findings: list[Finding]) -> bool:
    return all(found.severity is not Severity.ERROR for found in findings)


def _lenient(found: Finding) -> Finding:
    return replace(found, severity=Severity.WARNING) if found.rule == "overviews-missing" else found
