"""The blocks of one large file, decoded in several processes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.workers import in_order
from gateway.cog.layout import Layout, read_layout
from gateway.files import open_file
from gateway.model import ByteSource, Finding

if TYPE_CHECKING:
    from gateway.cog.decode import Damage

# More than one for each process, so that none waits long for the last.
PARTS_PER_JOB = 4


def decode_in_processes(path: Path, version: str, jobs: int, source: ByteSource, layout: Layout) -> Iterator[Finding]:
    """Yield what `check_payload` yields, of a local file of that version.

    Each process holds one tile at a time. Raises OSError when the file cannot be read, was replaced or changed
    meanwhile, or when a process ends early.
    """
    from gateway.cog.decode import findings_of  # noqa: PLC0415 - rasterio takes long to import

    parts = jobs * PARTS_PER_JOB
    damage: list[Damage] = []
    with closing(in_order(partial(damage_of, path, version, parts), range(parts), jobs)) as results:
        for _, found in results:
            if isinstance(found, str):
                raise OSError(errno.EIO, found)
            damage += found
    yield from findings_of(layout, damage)


def damage_of(path: Path, version: str, parts: int, part: int) -> list[Damage] | str:
    """Return what is damaged in one part, or a sentence when it cannot be read. Runs in any process."""
    from gateway.cog.decode import find_damage  # noqa: PLC0415 - rasterio takes long to import

    try:
        with open_file(path) as file:
            if file.version != version:
                return "the file changed meanwhile"
            return list(find_damage(file, read_layout(file), part, parts))
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    except MemoryError:
        return "out of memory"
