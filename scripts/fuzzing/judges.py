"""Who judges a mutant: the check at its first two depths, rio-cogeo, and tifffile."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import tifffile
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rio_cogeo import cog_validate

from gateway.cog import inspect
from gateway.files import READ_FLAGS, FileSource

# What another reader may die of; it is told as its crash.
CRASHES = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError, OSError, RuntimeError,
    AssertionError, StopIteration, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Whether a judge takes a file, and why not: a rule, a message, or how the judge died."""

    valid: bool
    why: str = ""
    crashed: bool = False


class Guarded(FileSource):
    """A file of which nobody may ask a byte that is not there."""

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return the bytes. Raises AssertionError for a read outside of the file."""
        if not 0 <= offset_bytes <= offset_bytes + length_bytes <= self.size_bytes:
            raise AssertionError(f"{length_bytes} bytes at {offset_bytes} of {self.size_bytes}")
        return super().read_at(offset_bytes, length_bytes)


def ours(path: Path, depth: str) -> Verdict:
    """Return the verdict of the check; whatever it raises is a fault and reaches the caller."""
    with Guarded(os.open(path, READ_FLAGS)) as source:
        report = inspect(source, depth=depth).report
    return Verdict(report.valid, report.errors[0].rule if report.errors else "")


def rio(path: Path) -> Verdict:
    """Return the verdict of rio-cogeo's `cog_validate`."""
    try:
        valid, errors, _ = cog_validate(path, quiet=True)
    except (RasterioError, CPLE_BaseError) as error:
        return Verdict(False, f"not opened: {error}")
    except CRASHES as error:
        return Verdict(False, f"{type(error).__name__}: {error}", crashed=True)
    return Verdict(valid, errors[0] if errors else "")


def by_tifffile(path: Path) -> Verdict:
    """Return whether tifffile reads every page as whole tiles without a complaint."""
    complaints = _Complaints()
    tifffile.logger().addHandler(complaints)
    try:
        with tifffile.TiffFile(path) as tiff:
            problems = [*_pages(tiff), *complaints.texts]
    except tifffile.TiffFileError as error:
        return Verdict(False, f"not opened: {error}")
    except CRASHES as error:
        return Verdict(False, f"{type(error).__name__}: {error}", crashed=True)
    finally:
        tifffile.logger().removeHandler(complaints)
    return Verdict(not problems, problems[0] if problems else "")


def _pages(tiff: tifffile.TiffFile) -> Iterator[str]:
    """Yield what is wrong with the pages, those of SubIFDs included."""
    size = tiff.filehandle.size
    pages = list(tiff.pages)
    pages += [sub for page in pages if page.subifds for sub in page.pages]
    if not pages:
        yield "no pages"
    for page in pages:
        if not page.is_tiled:
            yield "a page without tiles"
        if len(page.dataoffsets) != len(page.databytecounts):
            yield "not as many offsets as sizes"
        if any(at + count > size for at, count in zip(page.dataoffsets, page.databytecounts, strict=False) if count):
            yield "a tile outside of the file"


class _Complaints(logging.Handler):
    """Keeps the texts that tifffile logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


JUDGES: dict[str, dict[str, Callable[[Path], Verdict]]] = {
    "ours": {
        "header": lambda path: ours(path, "header"),
        "blocks": lambda path: ours(path, "blocks"),
    },
    "others": {"rio-cogeo": rio, "tifffile": by_tifffile},
}
