"""Files that other validators judge wrongly, in both directions, and kinds of true COGs that have no finding at all."""

import pytest

from gateway.cog import inspect
from gateway.files import open_file
from tests.cog.checks.test_images import STRIPS
from tests.cog.tiffs import CLAIMS, GEO, INTERLEAVED, Image, Patch, ghost_of, masked, pyramid, write

LARGE = {"tile": (256, 256), "sparse": "all"}


def patch(**options):
    return Patch(write(pyramid(), **options))


def with_ghost():
    return Patch(write(pyramid(), ghost=ghost_of(CLAIMS)))


def cut(at):
    return lambda: bytes(with_ghost())[: at(with_ghost())]


def page_in_strips(**options):
    return write([*pyramid(), Image(40, 40, tags=STRIPS, sparse="all", **options)])


def level_of(**options):
    images = pyramid()
    images[1] = Image(**{"width": 32, "height": 24, "subfile": 1, **options})
    return write(images)


def interleaved_mask_of_other_order():
    images, order = masked()
    order[-1], order[-3] = order[-3], order[-1]
    claims = INTERLEAVED.replace("BLOCK_ORDER=ROW_MAJOR\n", "")
    return write(images, ghost=ghost_of(claims), blocks=order)


REFUSED = {
    "cut in the last tile": ({"tile-beyond-end"}, cut(lambda p: p.offset(0, 11) + 255)),
    "cut before a leader": ({"tile-beyond-end"}, cut(lambda p: p.offset(0, 7) - 4)),
    "cut before the overviews": (
        {"ifd-outside-file", "value-outside-file"}, cut(lambda p: p.layout.ifds[1].directory.offset),
    ),
    "cut in the tile offsets": ({"value-outside-file"}, cut(lambda p: p.layout.ifds[0].tags[324].offset + 4)),
    "GeoKeys past the end": ({"value-outside-file"}, lambda: patch().pointer(0, 34735, 0xFFFFFFF0)),
    "strips as wide as a large image": (
        {"not-tiled"}, lambda: write([Image(1000, 5000, tags={**GEO, **STRIPS}, sparse="all")]),
    ),
    "a small page in strips": ({"not-tiled"}, page_in_strips),
    "a thumbnail in strips": ({"not-tiled"}, lambda: page_in_strips(subfile=1)),
    "a mask in strips": ({"not-tiled"}, lambda: page_in_strips(subfile=4)),
    "a shape off by three pixels": ({"overview-aspect"}, lambda: level_of(height=27)),
    "the smallest image first": (
        {"overview-not-smaller"}, lambda: write([Image(16, 12, tags=GEO), Image(32, 24, subfile=1)]),
    ),
    "a mask out of step": ({"ghost-mask-not-interleaved"}, interleaved_mask_of_other_order),
    "an overview as SubIFD alone": (
        {"overviews-missing"},
        lambda: write([Image(600, 600, **LARGE, tags=GEO), Image(300, 300, **LARGE, subfile=1, sub_of=0)]),
    ),
    "a SubIFD in strips": ({"not-tiled"}, lambda: page_in_strips(subfile=1, sub_of=0)),
    "a header and nothing else": ({"ifd-outside-file"}, lambda: b"II*\0\x08\0\0\0"),
    "four bytes": ({"not-a-tiff"}, lambda: b"II*\0"),
}  # fmt: skip
NO_FINDING = {
    "no ghost area": lambda: write(pyramid()),
    "tiles as wide as the image": lambda: write([Image(512, 512, (512, 512), tags=GEO)]),
    "one tile larger than the image": lambda: write([Image(500, 300, (512, 512), tags=GEO)]),
    "other tiles in an overview": lambda: level_of(tile=(32, 32)),
    "another codec in an overview": lambda: level_of(tags={259: (3, (8,))}),
    "long metadata": lambda: write(
        pyramid(tags={**GEO, 42112: (2, b"<GDALMetadata>" + b" " * 100_000 + b"</GDALMetadata>\0")})
    ),
    "private tags": lambda: write(pyramid(tags={**GEO, 50001: (7, (1, 2, 3, 4, 5, 6)), 65000: (3, (1,))})),
    "a shape off by two pixels": lambda: level_of(height=26),
    "a pyramid by threes": lambda: write([Image(tags=GEO), Image(22, 16, subfile=1)]),
    "big-endian": lambda: write(pyramid(), order=">"),
    "BigTIFF": lambda: write(pyramid(), big=True),
    "nothing stored": lambda: write([Image(tags=GEO, sparse="all")]),
    "bands apart": lambda: write(pyramid(samples=3, planar=2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_others_let_pass_is_refused(errors_of, name):
    rules, make = REFUSED[name]
    assert errors_of(make(), depth="header") == rules


@pytest.mark.parametrize("depth", ["header", "blocks"])
@pytest.mark.parametrize("name", NO_FINDING)
def test_a_true_cog_of_an_unusual_kind_has_no_finding(report_of, name, depth):
    assert report_of(NO_FINDING[name](), depth=depth).findings == ()


def test_changed_bytes_of_an_uncompressed_tile_leave_no_trace(report_of):
    changed = with_ghost()
    changed.data[changed.offset(0, 5) + 100] ^= 0xFF
    assert report_of(changed, depth="full").findings == ()


def test_a_world_file_is_no_georeferencing(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(write(pyramid(tags={})))
    (tmp_path / "a.tfw").write_text("10\n0\n0\n-10\n500000\n5000000\n")
    with open_file(path) as source:
        report = inspect(source, siblings=frozenset({"a.tif", "a.tfw"})).report
    assert [found.rule for found in report.findings] == ["no-georeferencing"]


@pytest.mark.parametrize("name", ["no extension", "a.jpg", "\u00fcber.TIFF", "a.tif.bak"])
def test_the_name_of_a_file_is_no_finding(tmp_path, name):
    (tmp_path / name).write_bytes(write(pyramid()))
    with open_file(tmp_path / name) as source:
        assert inspect(source).report.findings == ()
