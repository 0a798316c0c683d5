"""Single edits of the writers' files, one field of one tag or one byte, judged by the check and read by GDAL."""

from __future__ import annotations

import random
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning

from gateway.cog import DEPTHS
from gateway.cog.tags import TYPE_BYTES, Tag
from gateway.cog.tiff import Entry
from scripts.fuzzing.judges import ours, rio
from scripts.fuzzing.mutants import FIELD_TYPES, TAGS, WORDS, Seed, read_seeds
from scripts.fuzzing.reading import Reading, read_whole

SMALL = (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 65535)


@dataclass(frozen=True)
class Edit:
    """What was changed: the place by a name of its own, and the bytes of the file with it."""

    seed: str
    place: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """What became of an edit: the first rule by each depth, empty where it is accepted, and what GDAL reads.

    `pixels` is "same", "other" or "unreadable"; `ordered` tells whether rio-cogeo takes the file for a COG.
    """

    seed: str
    place: str
    rules: tuple[str, ...]
    pixels: str
    ordered: bool


def edit(seeds: tuple[Seed, ...], number: int, index: int) -> Edit:
    """Return the edit `index` of the run `number`, the same each time: by turns of a tag and of a byte."""
    chance = random.Random(f"{number}.{index}")  # noqa: S311
    seed = seeds[index // 2 % len(seeds)]
    data = bytearray(seed.data)
    place = (_tag if index % 2 else _byte)(data, seed, chance)
    return Edit(seed.name, place, bytes(data))


def _byte(data: bytearray, seed: Seed, chance: random.Random) -> str:
    """Change one byte; half of them in the header, which is a small part of the file."""
    most = seed.header_bytes if chance.random() < 0.5 else len(data)
    at = chance.randrange(most)
    data[at] ^= chance.choice((1, 2, 4, 8, 16, 32, 64, 128, 255))
    return place_of(seed, at)


def _tag(data: bytearray, seed: Seed, chance: random.Random) -> str:
    """Change the number, the type, the count or one value of one entry."""
    ifd = chance.choice(seed.layout.ifds)
    entries = ifd.directory.entries
    number = chance.randrange(len(entries))
    entry, form = entries[number], seed.layout.form
    at = ifd.directory.offset + (8 + 20 * number if form.big else 2 + 12 * number)
    level = _level(seed, ifd.index)
    change = chance.randrange(6)
    if change == 0:
        data[at : at + 2] = struct.pack(form.order + "H", chance.choice(TAGS))
        return f"{level} number of {name(entry.tag)}"
    if change == 1:
        data[at + 2 : at + 4] = struct.pack(form.order + "H", chance.choice(FIELD_TYPES))
        return f"{level} type of {name(entry.tag)}"
    if change == 2:
        count = chance.choice((0, 1, entry.count - 1, entry.count + 1, 2 * entry.count)) % 2**32
        data[at + 4 : at + 8 + 4 * form.big] = struct.pack(form.order + ("Q" if form.big else "I"), count)
        return f"{level} count of {name(entry.tag)}"
    _set_value(data, seed, entry, chance)
    return f"{level} value of {name(entry.tag)}"


def _set_value(data: bytearray, seed: Seed, entry: Entry, chance: random.Random) -> None:
    width = TYPE_BYTES[entry.type]
    order = "little" if seed.layout.form.order == "<" else "big"
    at = entry.offset + width * chance.randrange(entry.count)
    old = int.from_bytes(data[at : at + width], order)  # type: ignore[arg-type]
    new = chance.choice((*SMALL, *WORDS, old + 1, max(old - 1, 0), 2 * old)) % 2 ** (8 * width)
    data[at : at + width] = new.to_bytes(width, order)  # type: ignore[arg-type]


def place_of(seed: Seed, at: int) -> str:
    """Return the name of what a byte belongs to."""
    layout = seed.layout
    for ifd in layout.ifds:
        level, directory = _level(seed, ifd.index), ifd.directory
        if directory.offset <= at < directory.end:
            return f"{level} {_in_directory(seed, at, directory.offset, directory.entries)}"
        for entry in directory.entries:
            if not entry.inline and entry.offset <= at < entry.offset + entry.size_bytes:
                return f"{level} value of {name(entry.tag)}"
    tiles = layout.tiles
    inside = (tiles.starts <= at) & (at < tiles.ends)
    if inside.any():
        return f"tile of codec {layout.ifds[tiles.owners[inside.argmax()]].compression}"
    if at < layout.form.header_bytes:
        return "file header"
    ghost = layout.ghost
    if ghost is not None and ghost.start <= at < layout.main.directory.offset:
        return "ghost area"
    return "between tiles" if at >= seed.header_bytes else "between directories"


def _in_directory(seed: Seed, at: int, start: int, entries: tuple[Entry, ...]) -> str:
    """Return the name of what a byte of a directory belongs to."""
    big = seed.layout.form.big
    head, width, room = (8, 20, 8) if big else (2, 12, 4)
    number, within = divmod(at - start - head, width)
    if number < 0:
        return "number of entries"
    if number >= len(entries):
        return "next directory"
    field = "number" if within < 2 else "type" if within < 4 else "count" if within < 4 + room else "value"
    return f"{field} of {name(entries[number].tag)}"


def name(tag: int) -> str:
    """Return the name of a tag, or its number where the check does not read it."""
    return Tag(tag).name if tag in set(Tag) else f"tag {tag}"


def _level(seed: Seed, index: int) -> str:
    ifd = next(each for each in seed.layout.ifds if each.index == index)
    return "mask's" if ifd.mask else "image's" if index == 0 else "overview's"


def judged(folder: Path, number: int, indexes: range) -> list[Outcome]:
    """Return the outcomes of some edits of the files in a folder. Runs in a process of its own."""
    seeds = read_seeds(folder)
    readings: dict[str, Reading] = {}
    outcomes = []
    path = folder / f"edit-{indexes.start}.tmp"
    for index in indexes:
        made = edit(seeds, number, index)
        if made.seed not in readings:
            readings[made.seed] = read_whole(folder / f"{made.seed}.tif")
        path.write_bytes(made.data)
        outcomes.append(_outcome(made, path, readings[made.seed]))
    path.unlink()
    return outcomes


def _outcome(made: Edit, path: Path, before: Reading) -> Outcome:
    judge: Callable[[str], str] = lambda depth: ours(path, depth).why  # noqa: E731
    rules = tuple(map(judge, DEPTHS))
    after = read_whole(path)
    pixels = "unreadable" if after is None else "same" if after == before else "other"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return Outcome(made.seed, made.place, rules, pixels, rio(path).valid)
