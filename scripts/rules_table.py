#!/usr/bin/env python3
"""The table of rules: for each the file that breaks it, and what the check, rio-cogeo and GDAL's script say of it.

    python scripts/rules_table.py [--gdal-python /usr/bin/python3] [--write]

Prints Markdown; --write puts it into `docs/cog-peers.md`. GDAL's script (`validate_cloud_optimized_geotiff`, with
its full check) runs in the Python that has its bindings (Debian: python3-gdal); where there is none its column has
dashes.
Each peer judges each file in a process of its own, and hangs after 20 s.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.cog.rules import RULES
from tests.cog.broken import our_verdict, write_broken

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cog-peers.md"
HEAD = "| the file breaks | ours | rio-cogeo | GDAL's script |"
HANG_SECONDS = 20
HERE = "print(json.dumps([bool(errors), bool(warnings)]))"
RIO = f"""
import json, sys
from rio_cogeo import cog_validate
_, errors, warnings = cog_validate(sys.argv[1], quiet=True)
{HERE}
"""
GDAL = f"""
import json, sys
from osgeo_utils.samples import validate_cloud_optimized_geotiff as script
try:
    warnings, errors, _ = script.validate(sys.argv[1], full_check=True)
except script.ValidateCloudOptimizedGeoTIFFException:
    errors, warnings = True, False
{HERE}
"""
HAS_GDAL = "import osgeo_utils.samples.validate_cloud_optimized_geotiff"


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gdal-python", default="/usr/bin/python3")
    parser.add_argument("--write", action="store_true", help="put the table into docs/cog-peers.md")
    given = parser.parse_args()
    rows = table(given.gdal_python)
    if given.write:
        text = PAGE.read_text()
        PAGE.write_text(text[: text.index(HEAD)] + "\n".join(rows) + "\n")
    else:
        print("\n".join(rows))


def table(gdal_python: str) -> list[str]:
    """Return the lines of the table, one for each rule."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(2) as pool:
        return [HEAD, "|---|---|---|---|", *pool.map(lambda rule: row(rule, Path(name) / rule, gdal_python), RULES)]


def row(rule: str, folder: Path, gdal_python: str) -> str:
    """Return the line of one rule."""
    folder.mkdir()
    path = write_broken(rule, folder)
    cells = [f"`{rule}`", our_verdict(rule, path), told(sys.executable, RIO, path)]
    cells.append(told(gdal_python, GDAL, path) if has_gdal(gdal_python) else "-")
    return f"| {' | '.join(cells)} |"


def has_gdal(python: str) -> bool:
    """Return whether that Python has GDAL's script."""
    try:
        return subprocess.run([python, "-c", HAS_GDAL], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def told(python: str, code: str, path: Path | None) -> str:
    """Return what a peer says of a file, in one or two words; a dash for what is no file of any bytes."""
    if path is None:
        return "-"
    command = [python, "-W", "ignore", "-c", code, str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=HANG_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode:
        error = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1].partition(":")[0]
        name = error.removeprefix("rasterio.errors.")
        # Its way of telling that GDAL cannot open a file.
        return "refuses" if name == "RasterioIOError" else f"crashes ({name})"
    errors, warnings = json.loads(done.stdout.splitlines()[-1])
    return "refuses" if errors else "warns" if warnings else "accepts"


if __name__ == "__main__":
    main()
