"""The table of the writers' files: who wrote each, its digest, and what three judges say of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rasterio.errors import RasterioIOError
from rio_cogeo import cog_validate

from gateway.cog import DEPTHS, inspect
from gateway.cog.rules import RULES
from gateway.files import open_file

HEAD = "| file | writer | SHA-256 | ours | why | rio-cogeo | GDAL's script |"
SCRIPT = """
import json, sys
from osgeo_utils.samples import validate_cloud_optimized_geotiff as script
for path in sys.argv[1:]:
    try:
        warnings, errors, _ = script.validate(path, full_check=True)
        word = "refuses" if errors else "warns" if warnings else "accepts"
    except script.ValidateCloudOptimizedGeoTIFFException:
        word = "refuses"
    except Exception as error:
        word = f"crashes ({type(error).__name__})"
    print(json.dumps(word))
"""


def rows(folder: Path, writers: Mapping[str, str], gdal_python: str) -> list[str]:
    """Return the lines of the table; `writers` are the writers by the names of their files."""
    paths = sorted(folder.glob("*.tif"))
    lines = [HEAD, "|---|---|---|---|---|---|---|"]
    for path, word in zip(paths, by_script(paths, gdal_python), strict=True):
        rule, depth = verdict(path)
        ours = "accepts" if rule is None else f"`{rule}`{'' if depth == 'header' else f' (depth {depth})'}"
        why = "" if rule is None else RULES[rule].why
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"| {path.name} | {writers[path.name]} | {digest} | {ours} | {why} | {by_rio(path)} | {word} |")
    return lines


def verdict(path: Path) -> tuple[str | None, str | None]:
    """Return the first rule that a file breaks and the first depth that finds it, or None twice."""
    for depth in DEPTHS:
        with open_file(path) as source:
            errors = inspect(source, depth=depth, facts=False).report.errors
        if errors:
            return errors[0].rule, depth
    return None, None


def by_rio(path: Path) -> str:
    """Return what rio-cogeo says."""
    try:
        _, errors, warnings = cog_validate(path, quiet=True)
    except RasterioIOError:
        return "refuses"
    return "refuses" if errors else "warns" if warnings else "accepts"


def by_script(paths: Sequence[Path], python: str) -> list[str]:
    """Return what GDAL's script says of each file, or dashes where that Python has no GDAL."""
    try:
        done = subprocess.run([python, "-c", SCRIPT, *map(str, paths)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ["-"] * len(paths)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('"')]
