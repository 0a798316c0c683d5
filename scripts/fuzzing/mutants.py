"""Mutants of a file: bytes changed anywhere, and entries, tile arrays and ghost text changed with knowledge."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.cog.layout import Layout, read_layout
from gateway.cog.tags import ARRAY_TAGS, TYPE_BYTES, Tag
from gateway.cog.tiff import Directory, Entry
from gateway.files import open_file

WORDS = (0, 1, 2, 3, 7, 8, 16, 255, 256, 4096, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 16, 2**32 - 1)
LONG_WORDS = (2**60, 2**61, 2**63 - 1, 2**63, 2**64 - 16, 2**64 - 1)
TAGS = (*map(int, Tag), 270, 338, 42113, 65000)
FIELD_TYPES = (*TYPE_BYTES, 0, 14, 99, 65535)
GHOST_WORDS = (
    b"YES", b"NO", b"ROW_MAJOR", b"LAYOUT", b"BLOCK_LEADER", b"BLOCK_TRAILER", b"INTERLEAVE=TILE", b"\0\0\0",
    b"\xff\xfe", b"=", b"\n", b"999999", b"-00001", b"MASK_INTERLEAVED_WITH_IMAGERY=YES\n",
)  # fmt: skip
GHOST_BYTES = 240
MOST_CHANGES = 3


@dataclass(frozen=True)
class Seed:
    """A file that mutants are made of, and what the check read in it."""

    name: str
    data: bytes
    layout: Layout

    @property
    def header_bytes(self) -> int:
        """Return where the header ends: behind the last directory or value."""
        return max(end for _, end in self.layout.header_extents)


@dataclass(frozen=True)
class Mutant:
    """The bytes of a mutant; `changes` names what was done to the seed."""

    seed: str
    changes: tuple[str, ...]
    data: bytes


Change = Callable[[bytearray, Seed, random.Random], None]


def read_seeds(folder: Path) -> tuple[Seed, ...]:
    """Return the seeds that were written into a folder, by name."""
    seeds = []
    for path in sorted(folder.glob("*.tif")):
        with open_file(path) as source:
            seeds.append(Seed(path.stem, path.read_bytes(), read_layout(source)))
    return tuple(seeds)


def mutant(seeds: tuple[Seed, ...], number: int, index: int) -> Mutant:
    """Return the mutant `index` of the run `number`; the same each time."""
    chance = random.Random(f"{number}.{index}")  # noqa: S311
    seed = seeds[index % len(seeds)]
    names = [chance.choice(tuple(CHANGES)) for _ in range(chance.randint(1, MOST_CHANGES))]
    data = bytearray(seed.data)
    for name in names:
        CHANGES[name](data, seed, chance)
    return Mutant(seed.name, tuple(names), bytes(data))


def _place(data: bytearray, seed: Seed, chance: random.Random) -> int:
    """Return a place, most often in the header."""
    end = seed.header_bytes if chance.random() < 0.8 else len(data)
    return chance.randrange(max(1, min(end, len(data))))


def _poke(data: bytearray, at: int, raw: bytes) -> None:
    if at >= 0 and at + len(raw) <= len(data):
        data[at : at + len(raw)] = raw


def _flip(data: bytearray, seed: Seed, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        _poke(data, _place(data, seed, chance), bytes([chance.randrange(256)]))


def _word(data: bytearray, seed: Seed, chance: random.Random) -> None:
    _poke(data, _place(data, seed, chance), chance.choice(WORDS).to_bytes(4, chance.choice(("little", "big"))))


def _cut(data: bytearray, seed: Seed, chance: random.Random) -> None:
    del data[_place(data, seed, chance) :]


def _cut_out(data: bytearray, seed: Seed, chance: random.Random) -> None:
    at = _place(data, seed, chance)
    del data[at : at + chance.choice((1, 2, 4, 12, 20, 100, 1000))]


def _splice(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Copy a piece of the file to another place, over what is there or between."""
    start, at = (_place(data, seed, chance) for _ in range(2))
    piece = data[start : start + chance.choice((2, 4, 12, 20, 256, 5000))]
    data[at : at + (len(piece) if chance.random() < 0.7 else 0)] = piece


def _append(data: bytearray, seed: Seed, chance: random.Random) -> None:
    data += chance.choice((b"\0", b"\0" * 3, chance.randbytes(chance.randint(1, 5000)), bytes(data[:8])))


def _number(data: bytearray, seed: Seed, chance: random.Random) -> int:
    """Return a number that may hurt: of a known kind, or a place in the file or beside it."""
    places = [seed.header_bytes, len(data), *(extent for pair in seed.layout.header_extents for extent in pair)]
    if chance.random() < 0.4:
        return max(0, chance.choice(places) + chance.choice((-16, -4, -1, 0, 1, 4)))
    return chance.choice(WORDS + LONG_WORDS if seed.layout.form.big else WORDS)


def _directory(seed: Seed, chance: random.Random) -> Directory:
    return chance.choice(seed.layout.ifds).directory


def _entry_at(seed: Seed, directory: Directory, number: int) -> int:
    return directory.offset + (8 + 20 * number if seed.layout.form.big else 2 + 12 * number)


def _entry(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Change the tag, the type, the count or the value of one entry."""
    directory = _directory(seed, chance)
    at = _entry_at(seed, directory, chance.randrange(len(directory.entries)))
    order, big = seed.layout.form.order, seed.layout.form.big
    half = "Q" if big else "I"
    least = 2 ** (64 if big else 32)
    field = chance.randrange(4)
    if field < 2:
        _poke(data, at + 2 * field, struct.pack(order + "H", chance.choice((TAGS, FIELD_TYPES)[field])))
    else:
        place = at + 4 + (field - 2) * (8 if big else 4)
        _poke(data, place, struct.pack(order + half, _number(data, seed, chance) % least))


def _swap_entries(data: bytearray, seed: Seed, chance: random.Random) -> None:
    directory = _directory(seed, chance)
    width = 20 if seed.layout.form.big else 12
    one, two = (_entry_at(seed, directory, chance.randrange(len(directory.entries))) for _ in range(2))
    first, second = data[one : one + width], data[two : two + width]
    _poke(data, one, second)
    _poke(data, two, first)


def _chain(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Change where the next directory is, or how many entries one has."""
    directory, form = _directory(seed, chance), seed.layout.form
    if chance.random() < 0.3:
        code, at = ("Q" if form.big else "H"), directory.offset
    else:
        code, at = ("Q" if form.big else "I"), directory.end - (8 if form.big else 4)
    target = chance.choice([ifd.directory.offset for ifd in seed.layout.ifds] + [_number(data, seed, chance)])
    most = 2 ** (8 * struct.calcsize("=" + code))
    _poke(data, at, struct.pack(form.order + code, target % most))


def _value(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Change one value of any tag with whole numbers."""
    ifd = chance.choice(seed.layout.ifds)
    entries = [e for e in ifd.directory.entries if e.type in (3, 4, 16) and e.count]
    _set(data, seed, chance.choice(entries), chance)


def _tile_array(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Change one offset or size of a tile, or give it that of another."""
    ifd = chance.choice(seed.layout.ifds)
    entries = [ifd.tags[tag] for tag in ARRAY_TAGS if tag in ifd.tags]
    if entries:
        _set(data, seed, chance.choice(entries), chance)


def _set(data: bytearray, seed: Seed, entry: Entry, chance: random.Random) -> None:
    width, byteorder = TYPE_BYTES[entry.type], "little" if seed.layout.form.order == "<" else "big"
    at, other = (entry.offset + width * chance.randrange(entry.count) for _ in range(2))
    old = int.from_bytes(data[at : at + width], byteorder)  # type: ignore[arg-type]
    near = old + chance.choice((-16, -4, -1, 1, 4, 16))
    another = int.from_bytes(data[other : other + width], byteorder)  # type: ignore[arg-type]
    new = chance.choice((_number(data, seed, chance), near, another)) % 2 ** (8 * width)
    _poke(data, at, new.to_bytes(width, byteorder))  # type: ignore[arg-type]


def _ghost(data: bytearray, seed: Seed, chance: random.Random) -> None:
    """Put a word somewhere into the ghost area, over what is there."""
    start = seed.layout.form.header_bytes
    lines = [start + at for at in range(GHOST_BYTES) if data[start + at : start + at + 1] in (b"=", b"\n")]
    at = chance.choice(lines) + chance.choice((0, 1)) if lines else start + chance.randrange(GHOST_BYTES)
    _poke(data, at, chance.choice(GHOST_WORDS))


CHANGES: dict[str, Change] = {
    "flip": _flip, "word": _word, "cut": _cut, "cut-out": _cut_out, "splice": _splice, "append": _append,
    "entry": _entry, "swap-entries": _swap_entries, "chain": _chain, "value": _value, "tile-array": _tile_array,
    "ghost": _ghost,
}  # fmt: skip
