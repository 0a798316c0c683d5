#!/usr/bin/env python3
"""Small files by the writers in the field, made anew with the writers themselves: `tests/data/writers/`.

    python scripts/make_writers.py [--only gdal-3.12.4,tifffile] [--gdal-python /usr/bin/python3] [--table]

Versions of GDAL come out of wheels and one npm package, in processes of their own; other writers run in throw-away
environments. That needs pip, npm and node. The table in the folder's README tells who
wrote each file, its digest, and what the check, rio-cogeo and GDAL's script say of it; `--table` only judges anew.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.writers import table
from scripts.writers.get import GDALS, PROGRAMS, Gdal, run_program, translate
from scripts.writers.kinds import KINDS, write_sources

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "writers"
PAGE = FOLDER / "README.md"
MOST_BYTES = 40_000


def main() -> None:
    """Write the files, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of writers, separated by commas")
    parser.add_argument("--gdal-python", default="/usr/bin/python3")
    parser.add_argument("--table", action="store_true", help="write no files, judge those that are there")
    given = parser.parse_args()
    text = PAGE.read_text()
    writers = dict(re.findall(r"^\| (\S+\.tif) \| (.*?) \|", text, re.M))
    if not given.table:
        with tempfile.TemporaryDirectory() as name:
            writers |= make(Path(name), {word for word in given.only.split(",") if word})
    lines = table.rows(FOLDER, writers, given.gdal_python)
    PAGE.write_text(text[: text.index(table.HEAD)] + "\n".join(lines) + "\n")


def make(scratch: Path, only: set[str]) -> dict[str, str]:
    """Write the files of all writers, or of some; return the writers by the names of their files."""
    sources, targets = scratch / "sources", scratch / "targets"
    sources.mkdir()
    write_sources(sources)
    writers: dict[str, str] = {}
    for gdal in GDALS:
        if not only or f"gdal-{gdal.version}" in only:
            targets.mkdir()
            by_gdal(gdal, sources, targets, scratch)
            writers |= _kept(targets, f"GDAL {gdal.version} of {gdal.package}")
    for program in PROGRAMS:
        if not only or program.name in only:
            targets.mkdir()
            version = run_program(program, sources, targets, scratch)
            writers |= _kept(targets, f"{program.name} {version}")
    return writers


def by_gdal(gdal: Gdal, sources: Path, targets: Path, scratch: Path) -> None:
    """Let a version of GDAL write every kind that it knows; what it cannot write is told."""
    kinds = {name: kind for name, kind in KINDS.items() if gdal.release >= kind.since}
    files = [
        [
            str(sources / f"{kind.source}.tif"),
            str(targets / f"gdal-{gdal.version}-{name}.tif"),
            kind.words,
            kind.config,
        ]
        for name, kind in kinds.items()
    ]
    for name, said in zip(kinds, translate(gdal, files, scratch), strict=True):
        if said:
            print(f"gdal-{gdal.version}-{name}: {said}")
            (targets / f"gdal-{gdal.version}-{name}.tif").unlink(missing_ok=True)


def _kept(targets: Path, writer: str) -> dict[str, str]:
    """Move the files into the folder, but those that are too large; return their writer by their names."""
    kept = {}
    for path in sorted(targets.iterdir()):
        if path.suffix == ".tif" and path.stat().st_size <= MOST_BYTES:
            (FOLDER / path.name).write_bytes(path.read_bytes())
            kept[path.name] = writer
        elif path.suffix == ".tif":
            print(f"{path.name}: {path.stat().st_size} bytes are too many")
        path.unlink()
    targets.rmdir()
    return kept


if __name__ == "__main__":
    main()
