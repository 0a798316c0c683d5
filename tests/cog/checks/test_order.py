import pytest

from tests.cog.tiffs import GEO, Image, Patch, ghost_of, pyramid, write

TILES = {number: [(number, block) for block in range(image.blocks)] for number, image in enumerate(pyramid())}
IN_ORDER = TILES[2] + TILES[1] + TILES[0]


@pytest.mark.parametrize("tag", [324, 325, 33922, 34735])
def test_a_value_after_the_data_is_an_error(errors_of, tag):
    assert errors_of(Patch(write(pyramid())).to_end(0, tag)) == {"value-after-data"}


def test_metadata_after_the_data_is_an_error(errors_of):
    tags = {**GEO, 42112: (2, b"<GDALMetadata></GDALMetadata>")}
    assert errors_of(Patch(write(pyramid(tags=tags))).to_end(0, 42112)) == {"value-after-data"}


@pytest.mark.parametrize("number", [2, 3])
def test_a_directory_after_the_data_is_an_error(errors_of, number):
    images = [*pyramid(), *(Image(i.width, i.height, subfile=i.subfile | 4) for i in pyramid())]
    moved = Patch(write(images))
    directory = moved.layout.ifds[number].directory
    table = moved.data[directory.offset : directory.end]
    moved.following(number - 1, len(moved.data) + len(moved.data) % 2)
    moved.data += b"\0" * (len(moved.data) % 2) + table
    assert "ifd-after-data" in errors_of(moved)
    assert errors_of(moved) <= {"ifd-after-data", "levels-not-ascending"}


def test_the_first_directory_may_stand_after_little_else(report_of, warnings_of, errors_of):
    assert report_of(write(pyramid())).findings == ()
    assert report_of(write(pyramid(), ghost=ghost_of())).findings == ()
    assert warnings_of(write(pyramid(), before=b"\0" * 100)) == {"foreign-bytes-before-ifd"}
    assert warnings_of(write(pyramid(), before=b"made by another writer")) == {"foreign-bytes-before-ifd"}
    assert errors_of(write(pyramid(), before=b"\0" * 300)) == {"first-ifd-too-late"}


def test_levels_whose_directories_descend_are_an_error(errors_of):
    images = [Image(tags=GEO), Image(32, 24, subfile=1), Image(16, 12, subfile=1)]
    swapped = Patch(write(images))
    first, second, third = (ifd.directory.offset for ifd in swapped.layout.ifds)
    swapped.following(0, third).following(2, second).following(1, 0)
    swapped.value(1, 256, 16).value(1, 257, 12).value(2, 256, 32).value(2, 257, 24)
    found = errors_of(swapped)
    assert first < second
    assert "levels-not-ascending" in found or "tile-array-length" in found


def test_levels_whose_directories_are_not_in_the_order_of_the_chain_are_an_error(errors_of):
    # All levels have one tile, so that only the order of the directories is wrong.
    images = [Image(16, 16, tags=GEO), Image(4, 4, subfile=1), Image(8, 8, subfile=1)]
    swapped = Patch(write(images, blocks=[(1, 0), (2, 0), (0, 0)]))
    _, second, third = (ifd.directory.offset for ifd in swapped.layout.ifds)
    swapped.following(0, third).following(2, second).following(1, 0)
    assert errors_of(swapped) == {"levels-not-ascending"}


@pytest.mark.parametrize(
    "blocks",
    [
        TILES[0] + TILES[2] + TILES[1],
        TILES[2] + TILES[0] + TILES[1],
        TILES[1] + TILES[2] + TILES[0],
        TILES[0][1:] + TILES[2] + TILES[1] + TILES[0][:1],
    ],
)
def test_data_of_a_smaller_level_after_that_of_a_larger_one_is_an_error(errors_of, blocks):
    assert errors_of(write(pyramid(), blocks=blocks)) == {"data-order"}
    assert errors_of(write(pyramid(), blocks=IN_ORDER)) == set()


def test_a_sparse_level_does_not_hide_the_order(errors_of):
    images = pyramid()
    images[1].sparse = "all"
    assert errors_of(write(images, blocks=TILES[0] + TILES[2])) == {"data-order"}
    assert errors_of(write(images, blocks=TILES[2] + TILES[0])) == set()


def test_interleaved_levels_are_a_warning(warnings_of):
    blocks = TILES[2] + TILES[1][:2] + TILES[0] + TILES[1][2:]
    assert warnings_of(write(pyramid(), blocks=blocks)) == {"levels-interleaved"}


def test_data_of_sub_ifds_must_be_in_order_too(errors_of):
    images = [*pyramid(), Image(32, 24, subfile=1, sub_of=0)]
    sub = [(3, block) for block in range(4)]
    assert errors_of(write(images, blocks=sub + IN_ORDER)) == set()
    assert errors_of(write(images, blocks=IN_ORDER + sub)) == {"data-order"}
