import pytest

from tests.cog.tiffs import CLAIMS, INTERLEAVED, Patch, ghost_of, masked, pyramid, write

SEPARATE = {kind: CLAIMS.replace("KNOWN", f"INTERLEAVE={kind}\nKNOWN") for kind in ("PIXEL", "BAND", "TILE")}
BY_BAND = [(n, b) for n in (2, 1, 0) for b in range(3 * (1, 4, 12)[2 - n])]
BY_TILE = [(n, band * tiles + b) for n, tiles in ((2, 1), (1, 4), (0, 12)) for b in range(tiles) for band in range(3)]


def patch(claims=CLAIMS, **options):
    return Patch(write(pyramid(), ghost=ghost_of(claims), **options))


def test_a_true_ghost_area_is_no_finding(report_of):
    for flavour in ({}, {"order": ">"}, {"big": True}):
        assert report_of(bytes(patch(**flavour))).findings == ()
    assert report_of(bytes(patch("LAYOUT=IFDS_BEFORE_DATA\n", leaders=False))).findings == ()


BROKEN = {
    "size too small": ("ghost-wrong-size", lambda p: p.replace(b"=000140 ", b"=000100 ")),
    "size too large": ("ghost-wrong-size", lambda p: p.replace(b"=000140 ", b"=000200 ")),
    "size is no number": ("ghost-garbled", lambda p: p.replace(b"=000140 ", b"=00x140 ")),
    "size line is damaged": ("ghost-garbled", lambda p: p.replace(b" bytes\n", b" bytes\0")),
    "claims wiped": ("ghost-garbled", lambda p: p.replace(CLAIMS.encode(), b"\0" * 140)),
    "a byte that is no ASCII": ("ghost-garbled", lambda p: p.replace(b"ROW_MAJOR", b"ROW_M\xffJOR")),
    "a line without a value": ("ghost-garbled", lambda p: p.replace(b"BLOCK_ORDER=", b"BLOCK_ORDER:")),
    "an unknown value": ("ghost-garbled", lambda p: p.replace(b"=ROW_MAJOR", b"=COL_MAJOR")),
    "no layout": ("ghost-no-layout", lambda p: p.replace(b"LAYOUT=IFDS_BEFORE_DATA", b"LAYOVT=IFDS_BEFORE_DATA")),
    "incompatible edition": ("ghost-incompatible-edition", lambda p: p.replace(b"=NO\n ", b"=YES\n")),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_ghost_area_is_an_error(errors_of, name):
    rule, breaks = BROKEN[name]
    assert errors_of(breaks(patch())) == {rule}


def test_a_claim_twice_is_an_error(errors_of):
    assert errors_of(patch(CLAIMS.replace("BLOCK_ORDER=ROW_MAJOR\n", "LAYOUT=IFDS_BEFORE_DATA\n"))) == {
        "ghost-garbled"
    }


def test_row_major_order_is_held(errors_of):
    blocks = [(2, 0), *((1, b) for b in range(4)), *((0, b) for b in range(12))]
    assert errors_of(patch(blocks=blocks)) == set()
    blocks[6], blocks[7] = blocks[7], blocks[6]
    assert errors_of(patch(blocks=blocks)) == {"ghost-not-row-major"}
    assert errors_of(patch(CLAIMS.replace("BLOCK_ORDER=ROW_MAJOR\n", ""), blocks=blocks)) == set()


def separate(claims, blocks):
    return write(pyramid(samples=3, planar=2), ghost=ghost_of(claims), blocks=blocks)


@pytest.mark.parametrize("order", [BY_BAND, BY_TILE])
@pytest.mark.parametrize("claims", [SEPARATE["BAND"], SEPARATE["TILE"], CLAIMS])
def test_separate_planes_ascend_band_by_band_or_tile_by_tile_whatever_is_claimed(report_of, claims, order):
    assert report_of(separate(claims, order)).findings == ()


def test_separate_planes_ascend_alike_on_all_levels(errors_of):
    mixed = [*BY_BAND[:3], *BY_BAND[3:15], *BY_TILE[15:]]
    assert errors_of(separate(SEPARATE["BAND"], mixed)) == {"ghost-not-row-major"}
    swapped = [*BY_TILE[:15], *reversed(BY_TILE[15:])]
    assert errors_of(separate(SEPARATE["BAND"], swapped)) == {"ghost-not-row-major"}


def test_the_claimed_interleave_is_that_of_the_image(errors_of):
    assert errors_of(separate(SEPARATE["PIXEL"], BY_BAND)) == {"ghost-interleave"}
    together = write(pyramid(samples=3), ghost=ghost_of(SEPARATE["BAND"]))
    assert errors_of(together) == {"ghost-interleave"}
    assert errors_of(write(pyramid(), ghost=ghost_of(SEPARATE["BAND"]))) == set()
    assert errors_of(write(pyramid(samples=3), ghost=ghost_of(SEPARATE["PIXEL"]))) == set()


def test_there_must_be_room_for_leaders_and_trailers(errors_of):
    assert errors_of(patch(leaders=False), depth="header") == {"ghost-no-room"}
    assert errors_of(bytes(patch())[:-1], depth="header") == {"ghost-no-room"}
    assert errors_of(patch(CLAIMS.replace("BLOCK_LEADER=SIZE_AS_UINT4\n", ""), leaders=False), depth="header") == {
        "ghost-no-room"
    }
    no_claims = CLAIMS.replace("BLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\n", "")
    assert errors_of(patch(no_claims, leaders=False)) == set()


def interleaved(claims=INTERLEAVED, change=None):
    images, order = masked()
    if change is not None:
        change(images, order)
    return write(images, ghost=ghost_of(claims), blocks=order)


def test_interleaved_masks_follow_their_images(report_of, errors_of):
    def swap(images, order):
        order[-1], order[-3] = order[-3], order[-1]

    assert report_of(interleaved()).findings == ()
    assert "ghost-mask-not-interleaved" in errors_of(interleaved(change=swap))
    without = INTERLEAVED.replace("BLOCK_ORDER=ROW_MAJOR\n", "").replace("_IMAGERY=YES", "_IMAGERY=NO")
    assert errors_of(interleaved(without, swap)) == set()


def test_interleaved_masks_are_there_and_have_the_tiles_of_their_images(errors_of):
    def other_tiles(images, order):
        images[5].tile = (32, 32)

    assert errors_of(write(pyramid(), ghost=ghost_of(INTERLEAVED))) == {"ghost-mask-not-interleaved"}
    assert errors_of(interleaved(change=other_tiles)) == set()

    def more_tiles(images, order):
        images[3].tile = (32, 32)
        order[:] = [(n, b) for n, b in order if n != 3 or b < 4]

    assert errors_of(interleaved(change=more_tiles)) == {"ghost-mask-not-interleaved"}


def test_a_level_without_mask_or_with_sparse_tiles_breaks_no_promise(errors_of):
    def drop(images, order):
        images[3].sparse = (4,)
        images[0].sparse = (7,)

    assert errors_of(interleaved(change=drop)) == set()


def separate_masked(kind, ghost="BAND"):
    images, _ = masked()
    for number in range(3):
        images[number].samples, images[number].planar = 3, 2
    tiles = [image.blocks for image in images[3:]]
    order = []
    for level in (2, 1, 0):
        for block in range(tiles[level]):
            order += [(level, band * tiles[level] + block) for band in range(3)]
            order.append((level + 3, block))
    if kind == "BAND":
        order = [(n, b) for level in (2, 1, 0) for n in (level, level + 3) for b in range(images[n].blocks)]
    claims = SEPARATE[ghost] + "MASK_INTERLEAVED_WITH_IMAGERY=YES\n"
    return write(images, ghost=ghost_of(claims), blocks=order)


@pytest.mark.parametrize("kind", ["TILE", "BAND"])
@pytest.mark.parametrize("ghost", ["TILE", "BAND"])
def test_masks_of_planar_separate_images_follow_the_last_band(report_of, kind, ghost):
    assert report_of(separate_masked(kind, ghost)).findings == ()


@pytest.mark.parametrize("padding", [b"\0", b" ", b" \0  "])
def test_alignment_behind_the_ghost_area_is_nuls_or_spaces(report_of, errors_of, padding):
    made = write(pyramid(), ghost=ghost_of(CLAIMS + "X=Y\n") + padding)
    assert report_of(made).findings == ()
    assert errors_of(made.replace(b"X=Y\n" + padding, b"X=Y\n" + b"\7" * len(padding))) == {"ghost-wrong-size"}


def test_one_level_may_lack_its_mask(warnings_of):
    def drop(images, order):
        del images[5]
        order[:] = [(n, b) for n, b in order if n != 5]

    assert warnings_of(interleaved(change=drop)) == {"mask-missing-on-level"}
