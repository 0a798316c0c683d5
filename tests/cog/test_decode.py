import struct
import zlib
from pathlib import Path

import pytest

from gateway.cog import decode
from gateway.cog.decode import _inflate, check_payload
from gateway.cog.layout import read_layout
from gateway.files import open_file
from tests.cog.tiffs import GEO, BytesSource, Image, Patch, write

WRITERS = Path(__file__).parent.parent / "data" / "writers"


def leaders_mended(patch):
    """Repeat the last four bytes of every tile after it, as GDAL does when it writes."""
    for start, end in zip(patch.layout.tiles.starts, patch.layout.tiles.ends, strict=True):
        patch.data[end : end + 4] = patch.data[end - 4 : end]
        assert patch.data[start - 4 : start] == struct.pack("<I", end - start)
    return patch


def block_of(cogs, name, ifd=0, number=2):
    patch = Patch(cogs[name].read_bytes())
    start = patch.offset(ifd, number)
    return patch, start, start + int(patch.layout.ifds[ifd].counts[number])


def flip(patch, start, end):
    patch.data[(start + end) // 2] ^= 0xFF


def zero(patch, start, end):
    patch.data[start:end] = b"\0" * (end - start)


def zero_tail(patch, start, end):
    middle = (start + end) // 2
    patch.data[middle:end] = b"\0" * (end - middle)


def checksum(patch, start, end):
    patch.data[end - 1] ^= 0xFF


def id_of(value):
    return "-".join(sorted(value)) if isinstance(value, set) else getattr(value, "__name__", value)


DAMAGE = [
    ("deflate", flip, {"tile-does-not-decode", "tile-checksum"}),
    ("deflate", zero, {"tile-does-not-decode"}),
    ("deflate", zero_tail, {"tile-does-not-decode", "tile-checksum"}),
    ("deflate", checksum, {"tile-checksum"}),
    ("uint16", zero, {"tile-does-not-decode"}),
    ("zstd", zero_tail, {"tile-does-not-decode"}),
    ("lerc", flip, {"tile-does-not-decode"}),
    ("jpeg", zero, {"tile-does-not-decode"}),
    ("jpeg", zero_tail, {"tile-does-not-decode"}),
    ("webp", zero, {"tile-does-not-decode"}),
]


@pytest.mark.parametrize(("name", "damage", "rules"), DAMAGE, ids=id_of)
def test_a_damaged_tile_is_an_error_of_depth_full(cogs, report_of, name, damage, rules):
    patch, start, end = block_of(cogs, name)
    damage(patch, start, end)
    data = leaders_mended(patch)
    assert report_of(data, depth="blocks").valid
    (found,) = report_of(data, depth="full").errors
    assert found.rule in rules
    assert (found.ifd, found.block, found.offset) == (0, 2, start)


def test_a_damaged_mask_tile_is_found(cogs, report_of):
    patch, start, end = block_of(cogs, "mask", ifd=1, number=0)
    flip(patch, start, end)
    (found,) = report_of(leaders_mended(patch), depth="full").errors
    assert found.ifd == 1


def test_several_damaged_tiles_are_one_finding(cogs, report_of):
    patch, start, end = block_of(cogs, "deflate")
    zero(patch, start, end)
    zero(patch, patch.offset(0, 4), patch.offset(0, 4) + int(patch.layout.ifds[0].counts[4]))
    (found,) = report_of(leaders_mended(patch), depth="full").errors
    assert found.message.startswith("Tile 2 is damaged, and 1 more.")


def test_missing_jpeg_tables_are_found(cogs, report_of):
    patch = Patch(cogs["jpeg"].read_bytes())
    entry = patch.layout.ifds[0].tags[347]
    patch.data[entry.offset : entry.offset + entry.size_bytes] = b"\0" * entry.size_bytes
    assert not report_of(patch, depth="full").valid


def test_a_wrong_codec_tag_is_found(cogs, report_of):
    patch = Patch(cogs["deflate"].read_bytes()).value(0, 259, 50000)
    assert {found.rule for found in report_of(patch, depth="full").errors} == {"tile-does-not-decode"}


def deflated(payload, tags=None):
    """One image of one tile of 256 bytes, stored as `payload`."""
    patch = Patch(write([Image(16, 16, tags={**GEO, 259: (3, (8,)), **(tags or {})})]))
    start = patch.offset(0, 0)
    return patch.value(0, 325, len(payload)).data[:start] + payload


@pytest.mark.parametrize(("payload", "valid"), [(b"x" * 256, True), (b"x" * 255, False), (b"x" * 257, False)])
def test_a_deflate_tile_has_exactly_the_bytes_of_its_pixels(report_of, payload, valid):
    assert report_of(deflated(zlib.compress(payload)), depth="full").valid is valid


def test_a_deflate_tile_that_never_ends_is_damaged(report_of):
    assert not report_of(deflated(zlib.compress(b"x" * 256)[:-2]), depth="full").valid
    bomb = zlib.compress(b"\0" * 50_000_000)
    assert not report_of(deflated(bomb), depth="full").valid


def test_subsampled_tiles_may_be_smaller(tmp_path):
    """GDAL may read such a tile or not; inflating does not find it too short."""
    tags = {262: (3, (6,)), 277: (3, (3,)), 258: (3, (8, 8, 8)), 339: (3, (1, 1, 1))}
    path = tmp_path / "subsampled.tif"
    path.write_bytes(deflated(zlib.compress(b"x" * 384), tags))
    with open_file(path) as source:
        layout = read_layout(source)
        assert _inflate(source, layout.main, 0) is None


@pytest.mark.parametrize("planar", [1, 2])
def test_every_plane_is_read(report_of, planar):
    images = [Image(64, 40, tags={**GEO, 262: (3, (1,)), 338: (3, (0, 0))}, samples=3, planar=planar)]
    assert report_of(write(images), depth="full").findings == ()


def test_an_image_that_gdal_cannot_open_is_a_finding(cogs):
    with open_file(cogs["zstd"]) as source:
        layout = read_layout(source)
    lost = BytesSource(cogs["zstd"].read_bytes(), "/nonexistent/secret.tif")
    found = list(check_payload(lost, layout))
    assert [(f.rule, f.ifd) for f in found] == [("gdal-cannot-open", n) for n in range(len(layout.ifds))]
    assert all("secret" not in f.message for f in found)


class Shrunken(BytesSource):
    """A source that ends before the last tile of the full image, after it was opened."""

    def read_at(self, offset_bytes, length_bytes):
        return super().read_at(offset_bytes, length_bytes)[: max(len(self.data) - 1 - offset_bytes, 0)]


def test_a_tile_without_compression_that_is_not_all_there_is_damaged(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(write([Image(32, 16, tags=GEO)]))
    source = Shrunken(path.read_bytes(), str(path))
    (found,) = check_payload(source, read_layout(BytesSource(path.read_bytes())))
    assert (found.rule, found.block) == ("tile-does-not-decode", 1)


def test_of_tiles_without_compression_gdal_is_asked_for_the_first_of_each_image_only(cogs, monkeypatch):
    asked = []

    def count(*arguments):
        asked.append(arguments[-1])
        return read(*arguments)

    read = decode._read
    monkeypatch.setattr(decode, "_read", count)
    with open_file(cogs["plain"]) as source:
        layout = read_layout(source)
        assert list(check_payload(source, layout)) == []
    assert len(layout.tiles.starts) > len(layout.ifds)
    assert asked == [0] * len(layout.ifds)


@pytest.mark.parametrize("name", ["rio-cogeo-webp.tif", "gdal-3.12.4-deflate.tif", "gdal-3.12.4-jpeg.tif"])
def test_only_depth_full_decodes_a_tile(report_of, name):
    """Not even the first of a level: what a byte of a tile is worth shows when all are decoded."""
    patch = Patch((WRITERS / name).read_bytes())
    start = patch.offset(0, 0)
    zero(patch, start, start + int(patch.layout.ifds[0].counts[0]) - 4)
    assert report_of(patch, depth="blocks").valid
    assert [(one.ifd, one.block) for one in report_of(patch, depth="full").errors] == [(0, 0)]
