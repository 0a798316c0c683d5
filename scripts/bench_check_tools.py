"""The checks that the benchmark compares: how long each takes over some files, and what it reads of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import repeat
from pathlib import Path

from rio_cogeo.cogeo import cog_validate

from gateway.cog import inspect
from gateway.cog.layout import read_layout
from gateway.files import FileSource, open_file

SYSTEM_PYTHON = "/usr/bin/python3"
# A trailer, what it repeats, and the leader of the next block.
BETWEEN_BLOCKS = 12
GDAL_CHILD = Path(__file__).with_name("bench_check_gdal.py")
RIO_CHILD = """
import json, sys
from rio_cogeo.cogeo import cog_validate
for path in json.loads(sys.stdin.readline()):
    cog_validate(path, quiet=True)
"""
# A line such as: 7 pread64(5</folder/a.tif>, ""..., 16384, 0) = 16384
READ = re.compile(r"(?:read|pread64|readv|preadv2?)\(\d+<(?P<path>[^>]*)>.* = (?P<bytes>\d+)$")


@dataclass(frozen=True)
class Cost:
    """What a check read of some files."""

    reads: int
    size_bytes: int


@dataclass(frozen=True)
class Took:
    """The time of a check; `cpu_seconds` are those of its process, user and system."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Tool:
    """One check: the time that it takes for some files, and what it reads of them, None if nobody can count."""

    name: str
    time: Callable[[Sequence[Path]], Took]
    cost: Callable[[Sequence[Path]], Cost | None]


class CountingSource(FileSource):
    """An opened file that counts what is asked of it."""

    reads = size_bytes_read = 0

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return the bytes as the file does."""
        data = super().read_at(offset_bytes, length_bytes)
        self.reads += 1
        self.size_bytes_read += len(data)
        return data


def ours() -> list[Tool]:
    """Return our check at its depths; at depth header both the verdict alone and with the facts of GDAL."""
    variants = {
        "ours, header": ("header", False),
        "ours, header and GDAL's facts": ("header", True),
        "ours, blocks": ("blocks", False),
        "ours, full": ("full", False),
    }
    return [
        Tool(
            name,
            partial(timed, partial(our_check, depth=depth, facts=facts)),
            partial(_our_cost, depth=depth, facts=facts),
        )
        for name, (depth, facts) in variants.items()
    ]


def timed(check: Callable[[Path], None], paths: Sequence[Path]) -> Took:
    """Return how long a check of all the files took in this process."""
    began, cpu_began = time.perf_counter(), time.process_time()
    for path in paths:
        check(path)
    return Took(time.perf_counter() - began, time.process_time() - cpu_began)


def our_check(path: Path, depth: str, facts: bool) -> None:
    """Judge one file; the benchmark ends when it is no COG."""
    with open_file(path) as file:
        if not inspect(file, depth=depth, facts=facts).report.valid:
            sys.exit(f"{path.name} is no COG")


def _our_cost(paths: Sequence[Path], depth: str, facts: bool) -> Cost | None:
    """Return what is read through the byte source; GDAL opens a file by itself, and that is not counted here."""
    if facts or depth == "full":
        return None
    reads = size_bytes = 0
    for path in paths:
        with open_file(path) as file, CountingSource(os.dup(file.fd)) as counting:
            inspect(counting, depth=depth, facts=facts)
            reads, size_bytes = reads + counting.reads, size_bytes + counting.size_bytes_read
    return Cost(reads, size_bytes)


def reads_alone() -> Tool:
    """Return no check: reads of the leader of each block, one after the other, and of the trailer before it."""
    places = cache(_places)

    def reads(path: Path) -> None:
        with open_file(path) as file:
            deque(map(os.pread, repeat(file.fd), repeat(BETWEEN_BLOCKS), places(path)), maxlen=0)

    return Tool("its reads alone", partial(timed, reads), lambda _: None)


def _places(path: Path) -> list[int]:
    with open_file(path) as file:
        found: list[int] = (read_layout(file).tiles.starts - BETWEEN_BLOCKS).tolist()
    return found


def header_bytes(path: Path) -> int:
    """Return where the last directory, tag value or tile array of a file ends."""
    with open_file(path) as file:
        return max(end for _, end in read_layout(file).header_extents)


def rio_cogeo() -> Tool:
    """Return rio-cogeo's validator, in this process."""

    def check(path: Path) -> None:
        cog_validate(str(path), quiet=True)

    def cost(paths: Sequence[Path]) -> Cost | None:
        return traced([sys.executable, "-c", RIO_CHILD], [str(path) for path in paths], paths)

    return Tool("rio-cogeo", partial(timed, check), cost)


@contextmanager
def gdal_tools() -> Iterator[list[Tool]]:
    """Yield GDAL's script without and with its full check, in one process of the system's Python; else nothing."""
    command = [SYSTEM_PYTHON, str(GDAL_CHILD)]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        yield []
        return
    with child:
        if child.stdout is None or child.stdout.readline() != "ready\n":
            yield []
            return

        def took(paths: Sequence[Path], full_check: bool) -> Took:
            if child.stdin is None or child.stdout is None:
                raise RuntimeError("the child has no pipes")
            child.stdin.write(json.dumps([full_check, list(map(str, paths))]) + "\n")
            child.stdin.flush()
            return Took(*map(float, child.stdout.readline().split()))

        def cost(paths: Sequence[Path], full_check: bool) -> Cost | None:
            return traced(command, [full_check, list(map(str, paths))], paths)

        yield [
            Tool(name, partial(took, full_check=full), partial(cost, full_check=full))
            for name, full in (("GDAL's script", False), ("GDAL's script, full check", True))
        ]


def traced(command: list[str], question: object, paths: Sequence[Path]) -> Cost | None:
    """Return what a command reads of the files, as strace sees it, or None where there is no strace."""
    if shutil.which("strace") is None:
        return None
    with tempfile.NamedTemporaryFile("r") as log:
        strace = ["strace", "-f", "-y", "-s0", "-e", "trace=read,pread64,readv,preadv,preadv2", "-o", log.name]
        done = subprocess.run(
            [*strace, *command], input=json.dumps(question) + "\n", text=True, capture_output=True, check=False
        )
        if done.returncode:
            return None
        wanted = {str(path) for path in paths}
        found = [match for line in log if (match := READ.search(line)) and match["path"] in wanted]
    return Cost(len(found), sum(int(match["bytes"]) for match in found))
