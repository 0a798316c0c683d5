"""`inspect`: the one way into the COG check, from the first bytes to the raster's facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gateway.cog.checks import judge
from gateway.cog.decode import check_payload
from gateway.cog.layout import Layout, read_layout
from gateway.cog.leaders import check_leaders
from gateway.cog.raster import open_raster
from gateway.cog.rules import finding
from gateway.cog.sidecars import check_sidecars
from gateway.cog.tiff import StructureError
from gateway.model import ByteSource, Finding, Inspection, RasterFacts, Report, Severity

PayloadCheck = Callable[[ByteSource, Layout], Iterator[Finding]]

# What each depth reads beyond the header.
PAYLOAD_CHECKS: dict[str, tuple[PayloadCheck, ...]] = {
    "header": (),
    "blocks": (check_leaders,),
    "full": (check_leaders, check_payload),
}
# Of each severity.
MAX_FINDINGS = 200
DEPTHS = tuple(PAYLOAD_CHECKS)


def not_regular_report(depth: str) -> Report:
    """Return the report on a pipe, device, socket or folder, which has no bytes to judge."""
    return Report(depth, (finding("not-a-regular-file", "This is no regular file."),))


def inspect(
    source: ByteSource,
    *,
    depth: str = "blocks",
    allow_missing_overviews: bool = False,
    siblings: frozenset[str] = frozenset(),
) -> Inspection:
    """Return the verdict over a source and, where it is a true COG, what rasterio knows of it.

    `siblings` are the names in the file's own folder. GDAL is asked only when nothing speaks against the
    structure. Raises ValueError for a depth that is not in DEPTHS, and OSError when the source cannot be read.
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth is one of {', '.join(DEPTHS)}")
    findings: list[Finding] = []
    raster: RasterFacts | None = None
    try:
        layout = read_layout(source)
        findings += (_lenient(found) if allow_missing_overviews else found for found in judge(layout))
        for check in PAYLOAD_CHECKS[depth]:
            findings += check(source, layout) if _sound(findings) else ()
    except StructureError as error:
        findings.append(error.finding)
    findings += check_sidecars(source.gdal_path, siblings)
    if _sound(findings):
        raster, problems = open_raster(source.gdal_path)
        findings += problems
    return Inspection(Report(depth, tuple(_bounded(findings))), raster)


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
