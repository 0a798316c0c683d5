"""Command lines that people paste into a shell: names of files as operands, quoted whatever they hold."""

from __future__ import annotations

import shlex
import string
from collections.abc import Sequence
from pathlib import PurePosixPath

PLAIN = frozenset(string.ascii_letters + string.digits + "/._- ")


def command_line(words: tuple[str, ...], source: str) -> str:
    """Return a command of GDAL with the source's name and that of what it makes: beside it, and named .cog.tif.

    What is made of an object in a bucket goes into the working directory.
    """
    path = PurePosixPath(source)
    target = f"{path.stem}.cog.tif"
    if path.name and "://" not in source:
        target = str(path.with_name(target))
    return " ".join(map(_quoted, (*words, _operand(source), _operand(target))))


def operands(names: Sequence[str]) -> str:
    """Return names of files, folders and objects as words for a shell, none of which is an option of a command."""
    return " ".join(_quoted(f"./{name}" if name.startswith("-") else name) for name in names)


def words_of(line: str) -> tuple[str, ...]:
    """Return the words that `command_line` was given."""
    return tuple(shlex.split(line)[:-2])


def _operand(name: str) -> str:
    """Return a name as GDAL takes it for a file: never an option, a driver's prefix or a URI."""
    if name.startswith("s3://"):
        return f"/vsis3/{name.removeprefix('s3://')}"
    return f"./{name}" if name.startswith("-") or (":" in name and not name.startswith("/")) else name


def _quoted(word: str) -> str:
    """Return one word for a shell, in the form $'...' (POSIX.1-2024, 2.2.4) where it holds what cannot be seen."""
    if word.isprintable():
        return shlex.quote(word)
    raw = word.encode(errors="surrogateescape")
    return "$'" + "".join(chr(byte) if chr(byte) in PLAIN else f"\\{byte:03o}" for byte in raw) + "'"
