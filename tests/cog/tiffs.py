"""A small TIFF writer of the tests' own, for structures that no library writes, and patches of written files."""

import struct
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.cog.layout import read_layout
from gateway.cog.tiff import Limits

GEO_KEYS = (3, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633))
GEO = {33550: (12, (10.0, 10.0, 0.0)), 33922: (12, (0.0, 0.0, 0.0, 5e5, 5e6, 0.0)), 34735: GEO_KEYS}
CODES = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 11: "f", 12: "d", 13: "I", 16: "Q", 99: "B"}
CLAIMS = (
    "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
)
INTERLEAVED = CLAIMS + "MASK_INTERLEAVED_WITH_IMAGERY=YES\n"


def ghost_of(claims=CLAIMS):
    return f"GDAL_STRUCTURAL_METADATA_SIZE={len(claims):06} bytes\n{claims}".encode()


class BytesSource:
    """A ByteSource over bytes; counts its reads."""

    remote = False

    def __init__(self, data, gdal_path="/nonexistent"):
        self.data, self.gdal_path, self.reads = bytes(data), gdal_path, []

    @property
    def size_bytes(self):
        return len(self.data)

    def read_at(self, offset_bytes, length_bytes):
        self.reads.append((offset_bytes, length_bytes))
        return self.data[offset_bytes : offset_bytes + length_bytes]


@dataclass
class Image:
    """One image of uncompressed tiles; `tags` are added or, where None, left out. `sparse` blocks have no bytes."""

    width: int = 64
    height: int = 48
    tile: tuple = (16, 16)
    subfile: int = 0
    samples: int = 1
    bits: int = 8
    planar: int = 1
    tags: dict = field(default_factory=dict)
    sparse: object = ()
    sub_of: int | None = None

    @property
    def blocks(self):
        grid = -(-self.width // self.tile[0]) * -(-self.height // self.tile[1])
        return grid * (self.samples if self.planar == 2 else 1)

    @property
    def tile_bytes(self):
        return self.tile[0] * self.tile[1] * self.bits // 8 * (1 if self.planar == 2 else self.samples)

    def entries(self, big):
        tags = {
            254: (4, (self.subfile,)), 256: (4, (self.width,)), 257: (4, (self.height,)),
            258: (3, (self.bits,) * self.samples), 259: (3, (1,)),
            262: (3, (4 if self.subfile & 4 else 2 if self.samples > 2 else 1,)),
            277: (3, (self.samples,)), 284: (3, (self.planar,)),
            322: (3, (self.tile[0],)), 323: (3, (self.tile[1],)),
            324: (16 if big else 4, (0,) * self.blocks), 325: (4, (0,) * self.blocks),
            338: (3, (0,) * (self.samples - (3 if self.samples > 2 else 1))) if self.samples not in (1, 3) else None,
            339: (3, (1,) * self.samples), **self.tags,
        }  # fmt: skip
        return {tag: tags[tag] for tag in sorted(tags) if tags[tag] is not None}


def pyramid(**tags):
    """A good image of 64 x 48 with two overviews; `tags` are keywords of the full image."""
    main = Image(**{"tags": GEO, **tags})
    same = {"samples": main.samples, "bits": main.bits, "planar": main.planar}
    return [main, Image(32, 24, subfile=1, **same), Image(16, 12, subfile=1, **same)]


def masked():
    """A pyramid whose masks have one tile for each image tile, and the order of interleaved tiles."""
    images = pyramid()
    images += [Image(i.width, i.height, subfile=i.subfile | 4) for i in images]
    order = [(k, b) for level in (2, 1, 0) for b in range(images[level].blocks) for k in (level, level + 3)]
    return images, order


def write(images, *, order="<", big=False, ghost=b"", before=b"", blocks=None, leaders=None, after=b""):
    """Return the bytes of a TIFF; `blocks` are (image, block) in the order in which their data is stored."""
    leaders = bool(ghost) if leaders is None else leaders
    front = ghost + before
    front += b"\0" * (len(front) % 2)
    at = (16 if big else 8) + len(front)
    tables = [image.entries(big) for image in images]
    for number, image in enumerate(images):
        if image.sub_of is not None:
            old = tables[image.sub_of].get(330, (4, ()))[1]
            tables[image.sub_of][330] = (4, (*old, number))
    tables = [dict(sorted(table.items())) for table in tables]
    places, values = [], []
    for table in tables:
        places.append(at)
        at += (16 if big else 6) + len(table) * (20 if big else 12)
        values.append({})
        for tag, (kind, numbers) in table.items():
            size = struct.calcsize("=" + CODES[kind]) * len(numbers)
            if tag not in (324, 325) and size > (8 if big else 4):
                values[-1][tag] = at
                at += size + size % 2
    for table, places_of in zip(tables, values, strict=True):
        for tag in {324, 325} & table.keys():
            size = struct.calcsize("=" + CODES[table[tag][0]]) * len(table[tag][1])
            if size > (8 if big else 4):
                places_of[tag] = at
                at += size
    data = bytearray()
    stored = [[[0] * image.blocks for image in images] for _ in range(2)]
    for number, block in blocks or [(n, b) for n in reversed(range(len(images))) for b in range(images[n].blocks)]:
        image = images[number]
        if image.sparse == "all" or block in image.sparse:
            continue
        body = bytes((number * 40 + block + k) % 256 for k in range(image.tile_bytes))
        data += struct.pack("<I", len(body)) if leaders else b""
        stored[0][number][block], stored[1][number][block] = at + len(data), len(body)
        data += body + (body[-4:] if leaders else b"")
    out = bytearray(b"II" if order == "<" else b"MM")
    out += (
        struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, places[0]) if big else (42, places[0]))) + front
    )
    chain = [n for n, image in enumerate(images) if image.sub_of is None]
    following = {a: places[b] for a, b in pairwise(chain)}
    arrays = {}
    for number, table in enumerate(tables):
        forms = {"order": order, "big": big, "following": following.get(number, 0), "arrays": arrays}
        out += _table(table, values[number], stored, number, places, **forms)
    for place in sorted(arrays):
        out += arrays[place]
    assert len(out) == at
    return bytes(out + data + after)


def _table(table, values, stored, number, places, *, order, big, following, arrays):
    out, late = bytearray(struct.pack(order + ("Q" if big else "H"), len(table))), bytearray()
    for tag, (kind, given) in table.items():
        numbers = stored[tag - 324][number] if tag in (324, 325) and any(stored[0][number]) else given
        numbers = [places[n] for n in numbers] if tag == 330 else numbers
        raw = struct.pack(f"{order}{len(numbers)}{CODES[kind]}", *numbers)
        out += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(numbers))
        if tag in values:
            out += struct.pack(order + ("Q" if big else "I"), values[tag])
        if tag in values and tag in (324, 325):
            arrays[values[tag]] = raw
        elif tag in values:
            late += raw + b"\0" * (len(raw) % 2)
        else:
            out += raw.ljust(8 if big else 4, b"\0")
    return out + struct.pack(order + ("Q" if big else "I"), following) + late


class Patch:
    """The bytes of a TIFF that can be broken in one place; `ifd` counts as `Layout.ifds` does."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.layout = read_layout(BytesSource(data), Limits())
        self.form = self.layout.form

    def entry_at(self, ifd, tag):
        directory = self.layout.ifds[ifd].directory
        number = [entry.tag for entry in directory.entries].index(tag)
        return directory.offset + (8 + 20 * number if self.form.big else 2 + 12 * number)

    def poke(self, at, code, *values):
        struct.pack_into(self.form.order + code, self.data, at, *values)
        return self

    def tag(self, ifd, tag, new):
        return self.poke(self.entry_at(ifd, tag), "H", new)

    def type(self, ifd, tag, new):
        return self.poke(self.entry_at(ifd, tag) + 2, "H", new)

    def count(self, ifd, tag, new):
        return self.poke(self.entry_at(ifd, tag) + 4, "Q" if self.form.big else "I", new)

    def pointer(self, ifd, tag, new):
        return self.poke(self.entry_at(ifd, tag) + (12 if self.form.big else 8), "Q" if self.form.big else "I", new)

    def value(self, ifd, tag, new, at=0):
        """Set one value of a tag, the one with number `at`."""
        entry = self.layout.ifds[ifd].tags[tag]
        code = CODES[entry.type]
        return self.poke(entry.offset + at * struct.calcsize("=" + code), code, new)

    def following(self, ifd, new):
        """Set the offset of the next IFD."""
        big = self.form.big
        return self.poke(self.layout.ifds[ifd].directory.end - (8 if big else 4), "Q" if big else "I", new)

    def to_end(self, ifd, tag):
        """Move the value of a tag behind the data."""
        entry = self.layout.ifds[ifd].tags[tag]
        moved = self.data[entry.offset : entry.offset + entry.size_bytes]
        self.pointer(ifd, tag, len(self.data))
        self.data += moved
        return self

    def replace(self, old, new):
        assert self.data.count(old) == 1
        assert len(old) == len(new)
        self.data = bytearray(self.data.replace(old, new))
        return self

    def offset(self, ifd, block):
        return int(self.layout.ifds[ifd].offsets[block])

    def __bytes__(self):
        return bytes(self.data)
