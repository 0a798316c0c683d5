"""For each rule one file that breaks it and, as far as that can be, nothing else."""

import math
import os
import zlib
from dataclasses import dataclass, field

from gateway.cog import DEPTHS, inspect, not_regular_report
from gateway.cog.rules import RULES
from gateway.files import NotRegular, open_file
from gateway.model import Severity
from tests.cog.tiffs import (
    CLAIMS,
    GEO,
    GEO_KEYS,
    INTERLEAVED,
    BytesSource,
    Image,
    Patch,
    ghost_of,
    masked,
    pyramid,
    write,
)

# libtiff has this codec only where it was built with its library; rasterio's wheels are not.
JPEG_XL = 50002
LARGE = {"tile": (256, 256), "sparse": "all"}
METADATA = 42112
STRIPS = {322: None, 323: None, 324: None, 325: None, 278: (4, (48,)), 273: (4, (8,)), 279: (4, (20,))}
TILES = [[(number, block) for block in range(image.blocks)] for number, image in enumerate(pyramid())]
NO_KEYS = (3, (1, 1, 0, 1, 1025, 0, 1, 1))
AUX = b"<PAMDataset><SRS>EPSG:3857</SRS><GeoTransform>0,1,0,0,0,-1</GeoTransform></PAMDataset>"
TEXT_BYTES = (32 << 20) + 1


@dataclass(frozen=True)
class Broken:
    """The bytes of a file, and the files beside it by what is added to its name."""

    data: bytes
    beside: dict = field(default_factory=dict)


def patch(images=None, **options):
    return Patch(write(images or pyramid(), **options))


def ghost(old="", new="", claims=CLAIMS, **options):
    """A good file with a ghost area in which `old` was replaced by `new`."""
    made = Patch(write(pyramid(), ghost=ghost_of(claims), **options))
    return bytes(made.replace(old.encode(), new.encode()) if old else made)


def second(**options):
    """A pyramid with another first overview."""
    images = pyramid()
    images[1] = Image(**{"width": 32, "height": 24, "subfile": 1, **options})
    return write(images)


def geo(tags):
    return write(pyramid(tags=tags))


def large(*sizes):
    return write([Image(*size, **LARGE, subfile=int(n > 0), tags={} if n else GEO) for n, size in enumerate(sizes)])


def far_directory():
    moved = patch([*pyramid(), *(Image(i.width, i.height, subfile=i.subfile | 4) for i in pyramid())])
    directory = moved.layout.ifds[-1].directory
    table = moved.data[directory.offset : directory.end]
    moved.following(len(moved.layout.ifds) - 2, len(moved.data))
    return bytes(moved.data + table)


def descending_levels():
    images = [Image(16, 16, tags=GEO), Image(4, 4, subfile=1), Image(8, 8, subfile=1)]
    swapped = patch(images, blocks=[(1, 0), (2, 0), (0, 0)])
    _, two, three = (ifd.directory.offset for ifd in swapped.layout.ifds)
    return bytes(swapped.following(0, three).following(2, two).following(1, 0))


def long_text():
    made = patch([Image(tags={**GEO, METADATA: (2, b"<GDALMetadata></GDALMetadata>\0")}, sparse="all")])
    made.count(0, METADATA, TEXT_BYTES).pointer(0, METADATA, len(made.data))
    return bytes(made.data + bytes(TEXT_BYTES))


def many_blocks(across=2400):
    made = patch([Image(16 * 4, 16 * 4, tags=GEO, sparse="all")])
    end = len(made.data)
    for tag in (324, 325):
        made.count(0, tag, across * across).pointer(0, tag, end)
    made.value(0, 256, 16 * across).value(0, 257, 16 * across)
    return bytes(made.data + bytes(4 * across * across))


def level_without_mask():
    images, _ = masked()
    del images[5]
    return write(images)


def wrong_mask():
    images, _ = masked()
    images[4].width = 31
    return write(images)


def swapped_masks():
    images, order = masked()
    order[-1], order[-3] = order[-3], order[-1]
    return write(images, ghost=ghost_of(INTERLEAVED.replace("BLOCK_ORDER=ROW_MAJOR\n", "")), blocks=order)


def swapped_blocks():
    blocks = TILES[2] + TILES[1] + TILES[0]
    blocks[6], blocks[7] = blocks[7], blocks[6]
    return ghost(blocks=blocks)


def edited(change):
    """A good file with a ghost area, one byte changed at a distance from tile 5."""
    made = Patch(ghost())
    made.data[made.offset(0, 5) + change] ^= 1
    return bytes(made)


def deflated(payload):
    made = patch([Image(16, 16, tags={**GEO, 259: (3, (8,))})])
    return bytes(made.value(0, 325, len(payload)).data[: made.offset(0, 0)] + payload)


def shared():
    made = patch()
    return bytes(made.value(0, 324, made.offset(0, 3), at=4))


BROKEN = {
    "empty-file": lambda: b"",
    "not-a-tiff": lambda: b"<VRTDataset rasterXSize='8' rasterYSize='8'/>",
    "bad-bigtiff-header": lambda: bytes(patch(big=True).poke(4, "H", 4)),
    "ifd-outside-file": lambda: bytes(patch().following(0, 0xFFFFFFF0)),
    "ifd-cycle": lambda: bytes(patch().following(2, patch().layout.ifds[0].directory.offset)),
    "ifd-entry-count": lambda: bytes(patch().poke(patch().layout.ifds[1].directory.offset, "H", 0)),
    "too-many-ifds": lambda: write([*pyramid(), *(Image(16, 16) for _ in range(256))]),
    "header-too-large": long_text,
    "too-many-blocks": many_blocks,
    "value-outside-file": lambda: bytes(patch().pointer(0, 324, 0xFFFFFFF0)),
    "duplicate-tag": lambda: bytes(patch().tag(0, 257, 256)),
    "missing-tag": lambda: bytes(patch().tag(0, 262, 263)),
    "wrong-tag-type": lambda: bytes(patch().type(0, 324, 99)),
    "wrong-tag-count": lambda: bytes(patch().count(0, 259, 2)),
    "unsorted-tags": lambda: bytes(patch([Image(tags={**GEO, 65000: (3, (1,))})]).tag(0, 65000, 270)),
    "impossible-size": lambda: bytes(patch().value(0, 257, 0)),
    "impossible-samples": lambda: bytes(patch().value(0, 277, 65535)),
    "impossible-coding": lambda: geo({**GEO, 317: (3, (2,))}),
    "reversed-bits": lambda: geo({**GEO, 266: (3, (2,))}),
    "unknown-codec": lambda: bytes(patch().value(1, 259, 7777)),
    "not-tiled": lambda: write([Image(tags={**GEO, **STRIPS}, sparse="all")]),
    "tile-side-not-16": lambda: write([Image(tile=(250, 250), tags=GEO)]),
    "tile-too-large": lambda: write([Image(64, 48, (8192, 8192), tags=GEO, sparse="all")]),
    "tile-over-1024": lambda: write([Image(64, 48, (1040, 1040), tags=GEO, sparse="all")]),
    "tile-not-square": lambda: write([Image(64, 48, (32, 16), tags=GEO)]),
    "tile-array-length": lambda: bytes(patch().count(0, 324, 11)),
    "half-sparse-tile": lambda: bytes(patch().value(0, 325, 0, at=3)),
    "tile-beyond-end": lambda: ghost()[: len(ghost()) * 2 // 3],
    "tiles-overlap": lambda: bytes(patch().value(0, 324, patch().offset(0, 3) + 8, at=4)),
    "tile-in-header": lambda: bytes(patch().value(0, 324, 20, at=4)),
    "uncompressed-tile-size": lambda: bytes(patch().value(0, 325, 255, at=5)),
    "shared-tiles": shared,
    "slack-bytes": lambda: write(pyramid(), after=b"more"),
    "first-ifd-too-late": lambda: write(pyramid(), before=b"\0" * 300),
    "ifd-after-data": far_directory,
    "value-after-data": lambda: bytes(patch().to_end(0, 34735)),
    "levels-not-ascending": descending_levels,
    "data-order": lambda: write(pyramid(), blocks=TILES[0] + TILES[1] + TILES[2]),
    "levels-interleaved": lambda: write(pyramid(), blocks=TILES[2] + TILES[1][:2] + TILES[0] + TILES[1][2:]),
    "foreign-bytes-before-ifd": lambda: write(pyramid(), before=b"made by another writer"),
    "first-ifd-not-main": lambda: write([Image(16, 16, tags=GEO, subfile=1)]),
    "overviews-missing": lambda: large((600, 600)),
    "overviews-missing-in-strip": lambda: large((2000, 256)),
    "overview-not-flagged": lambda: bytes(patch().value(2, 254, 0)),
    "overview-not-smaller": lambda: second(width=64, height=48),
    "overview-aspect": lambda: second(width=32, height=40),
    "overview-other-bands": lambda: second(samples=2),
    "overview-other-type": lambda: second(bits=16),
    "mask-size": wrong_mask,
    "two-pyramids": lambda: write([*pyramid(), Image(160, 120), Image(80, 60, subfile=1), Image(8, 6, subfile=1)]),
    "mask-missing-on-level": level_without_mask,
    "extra-page": lambda: write([*pyramid(), Image(80, 20)]),
    "pyramid-stops-early": lambda: large((4000, 4000), (2000, 2000)),
    "pyramid-step": lambda: large((4000, 4000), (300, 300)),
    "ghost-garbled": lambda: ghost(CLAIMS, "\0" * len(CLAIMS)),
    "ghost-wrong-size": lambda: ghost("=000140 ", "=000200 "),
    "ghost-no-layout": lambda: ghost("LAYOUT=IFDS", "LAYOVT=IFDS"),
    "ghost-incompatible-edition": lambda: ghost("=NO\n ", "=YES\n"),
    "ghost-not-row-major": swapped_blocks,
    "ghost-interleave": lambda: write(pyramid(samples=3), ghost=ghost_of(CLAIMS.replace("KNOWN", "INTERLEAVE=BAND\nKNOWN"))),
    "ghost-no-room": lambda: ghost(leaders=False),
    "ghost-mask-not-interleaved": swapped_masks,
    "ghost-leader": lambda: edited(-4),
    "ghost-trailer": lambda: edited(255),
    "no-georeferencing": lambda: geo({}),
    "bad-transform": lambda: geo({**GEO, 33550: (12, (math.nan, 10.0, 0.0))}),
    "bad-geokeys": lambda: geo({**GEO, 34735: (3, (1, 1, 0, 9, 1024, 0, 1, 1))}),
    "transform-without-crs": lambda: geo({**GEO, 34735: NO_KEYS}),
    "crs-without-transform": lambda: geo({34735: GEO_KEYS}),
    "approximate-georeferencing": lambda: geo({50844: (12, (1.0,) * 92)}),
    "refers-to-other-file": lambda: geo(
        {**GEO, METADATA: (2, b"<GDALMetadata><Item name='OVERVIEW_FILE' domain='OVERVIEWS'>o</Item></GDALMetadata>\0")}
    ),
    "metadata-damaged": lambda: geo({**GEO, METADATA: (2, b"<Item \xff\0")}),
    "sidecar-overviews": lambda: Broken(write(pyramid()), {".ovr": write(pyramid()[1:])}),
    "sidecar-mask": lambda: Broken(write(pyramid()), {".msk": write([Image(subfile=4)])}),
    "sidecar-georeferencing": lambda: Broken(write(pyramid()), {".aux.xml": AUX}),
    "gdal-cannot-open": lambda: write([Image(tags={**GEO, 259: (3, (JPEG_XL,))}, sparse="all")]),
    # GDAL looks for SubIFDs of the first directory only.
    "gdal-sees-otherwise": lambda: write([*pyramid(), Image(8, 6, subfile=1, sub_of=1)]),
    "tile-does-not-decode": lambda: deflated(zlib.compress(b"x" * 255)),
    "tile-checksum": lambda: deflated(zlib.compress(b"x" * 256)[:-1] + b"\0"),
}  # fmt: skip
# No bytes can break these: a pipe, and a file that shrinks while it is read.
PIPE, SHRINKING = "not-a-regular-file", "changed-while-read"


def write_broken(rule, folder):
    """Write the file that breaks a rule, and what stands beside it; return its path, or None where there is none."""
    path = folder / f"{rule}.tif"
    if rule == PIPE:
        os.mkfifo(path)
        return path
    if rule == SHRINKING:
        return None
    made = BROKEN[rule]()
    broken = made if isinstance(made, Broken) else Broken(made)
    path.write_bytes(broken.data)
    for suffix, content in broken.beside.items():
        (folder / (path.name + suffix)).write_bytes(content)
    return path


class Shrinking(BytesSource):
    """A file that lost its tail after its length was asked for."""

    @property
    def size_bytes(self):
        return len(self.data) + 5000


def report_on(path, depth):
    """Our report on a file of `write_broken`."""
    if path is None:
        data = write(pyramid())
        return inspect(Shrinking(bytes(Patch(data).following(2, len(data) + 1000))), depth=depth).report
    try:
        with open_file(path) as source:
            return inspect(source, depth=depth, siblings=frozenset(p.name for p in path.parent.iterdir())).report
    except NotRegular:
        return not_regular_report(depth)


def our_verdict(rule, path):
    """What the check says, as the table has it: the severity of the rule, and the first depth that finds it."""
    for depth in DEPTHS:
        if rule in {found.rule for found in report_on(path, depth).findings}:
            word = "refuses" if RULES[rule].severity is Severity.ERROR else "warns"
            return word if depth == "header" else f"{word} (depth {depth})"
    return "accepts"
