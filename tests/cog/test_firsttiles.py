"""Depth blocks decodes one tile of each level: what is wrong with all of them shows there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cog import inspect
from gateway.cog.firsttiles import check_first_tiles
from gateway.cog.layout import read_layout
from gateway.cog.tags import Tag
from gateway.files import open_file
from tests.cog.tiffs import BytesSource, Patch, pyramid, write

WRITERS = Path(__file__).parent.parent / "data" / "writers"


def judged(patch, depth="blocks"):
    return [
        (one.rule, one.ifd, one.block)
        for one in inspect(BytesSource(bytes(patch.data), "pathless"), depth=depth).report.errors
    ]


def edited(name, ifd, tag, value):
    patch = Patch((WRITERS / name).read_bytes())
    patch.value(ifd, tag, value)
    return patch


# A size of tiles under which the grid is as long as before, and codecs that the bytes are not of.
EDITS = [
    ("gdal-3.12.4-deflate.tif", 1, Tag.TILE_WIDTH, 256),
    ("gdal-3.12.4-deflate.tif", 0, Tag.COMPRESSION, 50000),
    ("gdal-3.12.4-mask.tif", 1, Tag.COMPRESSION, 50000),
    ("gdal-3.12.4-jpeg.tif", 1, Tag.COMPRESSION, 50001),
    ("rio-cogeo-webp.tif", 0, Tag.COMPRESSION, 7),
]


@pytest.mark.parametrize(("name", "ifd", "tag", "value"), EDITS)
def test_a_tag_that_does_not_go_with_the_data_is_found_at_depth_blocks(tmp_path, name, ifd, tag, value):
    path = tmp_path / name
    path.write_bytes(edited(name, ifd, tag, value).data)
    with open_file(path) as source:
        assert inspect(source, depth="header").report.valid
        found = inspect(source, depth="blocks", facts=False).report.errors
    assert [(one.rule, one.ifd) for one in found] == [("tile-does-not-decode", ifd)]


def test_tiles_are_decoded_through_a_source_without_a_path():
    data = (WRITERS / "gdal-3.12.4-mask.tif").read_bytes()
    assert inspect(BytesSource(data, "pathless"), depth="blocks").report.valid
    assert [rule for rule, *_ in judged(edited("gdal-3.12.4-mask.tif", 1, Tag.COMPRESSION, 50000))] == [
        "tile-does-not-decode"
    ]


def test_damage_behind_the_first_tile_is_for_depth_full():
    patch = Patch((WRITERS / "gdal-3.12.4-zstd.tif").read_bytes())
    start, size = patch.offset(0, 1), int(patch.layout.ifds[0].counts[1])
    patch.data[start + 8 : start + size - 4] = bytes(size - 12)
    assert judged(patch) == []


def test_a_wrong_checksum_of_the_first_tile_is_told():
    patch = Patch((WRITERS / "tifffile-zlib.tif").read_bytes())
    patch.data[patch.offset(0, 0) + int(patch.layout.ifds[0].counts[0]) - 1] ^= 1
    assert judged(patch) == [("tile-checksum", 0, 0)]


def test_an_image_that_gdal_does_not_open_is_told():
    data = write(pyramid(tags={259: (3, (8,))}))
    found = list(check_first_tiles(BytesSource(data, "/none"), read_layout(BytesSource(data))))
    assert [one.rule for one in found] == ["gdal-cannot-open"]
