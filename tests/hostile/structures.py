"""TIFFs whose directories lie: about their place, their number, their size or their pixels."""

import math
import struct

from tests.cog.tiffs import GEO, GEO_KEYS, Image, Patch, ghost_of, pyramid, write

WIDTH, LENGTH, BITS, CODEC, PHOTOMETRIC, SAMPLES, PLANAR = 256, 257, 258, 259, 262, 277, 284
TILE_WIDTH, TILE_LENGTH, OFFSETS, COUNTS, SAMPLE_FORMAT = 322, 323, 324, 325, 339
SCALE, TIEPOINT, MATRIX, KEYS, DOUBLES, ASCII = 33550, 33922, 34264, 34735, 34736, 34737
GOOD = write(pyramid())
BIG = write(pyramid(), big=True)


def patched(change, data=GOOD):
    """A maker of a good file with one change."""

    def make(canary):
        patch = Patch(data)
        change(patch)
        return bytes(patch)

    return make


def image(**values):
    """A maker of a file of one image."""
    return lambda canary: write([Image(**{"tags": GEO, **values})])


def tags(more, **values):
    """A maker of a pyramid with these tags in its image, those of the georeferencing included."""
    return lambda canary: write(pyramid(tags={**GEO, **more}, **values))


def chain_of(count):
    """A maker of a chain of directories that hold one entry each."""

    def make(canary):
        out = bytearray(b"II*\0" + struct.pack("<I", 8))
        for number in range(count):
            following = len(out) + 18 if number + 1 < count else 0
            out += struct.pack("<HHHIII", 1, WIDTH, 4, 1, 64, following)
        return bytes(out)

    return make


def sparse(width, height, tile, **values):
    """A maker of an image that is all sparse, so that a few bytes claim any number of pixels."""
    return image(width=width, height=height, tile=tile, sparse="all", **values)


def claimed(width, height, tile=(16, 16)):
    """A maker of an image that claims a size which its tile arrays do not have."""
    return image(tags={**GEO, WIDTH: (4, (width,)), LENGTH: (4, (height,))}, tile=tile)


def lying_samples(count):
    return lambda canary: write([Image(tags={**GEO, SAMPLES: (3, (count,)), BITS: (3, (8,) * count)})])


def sub_ifds_400000(canary):
    patch = Patch(write(pyramid(tags={**GEO, 65000: (4, range(16, 400_016))})))
    return bytes(patch.tag(0, 65000, 330))


def loop_of_sub_ifds(canary):
    patch = Patch(write([*pyramid(), Image(32, 24, subfile=1, sub_of=0)]))
    return bytes(patch.value(0, 330, patch.layout.ifds[0].directory.offset))


def typed(sample_format, bits, more=None):
    """A maker of a pyramid whose images all have this type."""

    def make(canary):
        images = pyramid(tags={**GEO, **(more or {})}, bits=bits)
        for one in images:
            one.tags = {**one.tags, SAMPLE_FORMAT: (3, (sample_format,))}
        return write(images)

    return make


def geo(scale=None, tiepoint=None, matrix=None):
    """A maker of a file with this transform."""
    given = {SCALE: scale, TIEPOINT: tiepoint, MATRIX: matrix}
    return lambda canary: write(
        pyramid(tags={KEYS: GEO_KEYS, **{tag: (12, numbers) for tag, numbers in given.items() if numbers}})
    )


def keys(*numbers):
    return tags({KEYS: (3, numbers)})


POINT = (0.0, 0.0, 0.0, 5e5, 5e6, 0.0)
NAN, INF = math.nan, math.inf
STRUCTURES = {
    # Directories.
    "ifd_loop_to_itself": patched(lambda p: p.following(0, p.layout.ifds[0].directory.offset)),
    "ifd_loop_to_the_first": patched(lambda p: p.following(2, p.layout.ifds[0].directory.offset)),
    "ifd_loop_of_sub_ifds": loop_of_sub_ifds,
    "ifd_in_the_header": patched(lambda p: p.following(2, 4)),
    "ifd_past_the_end": patched(lambda p: p.following(0, 0xFFFFFFF0)),
    "ifd_past_2_to_the_63": patched(lambda p: p.following(0, 2**63 + 8), BIG),
    "ifd_at_the_last_byte": patched(lambda p: p.following(0, len(GOOD) - 1)),
    "first_ifd_past_the_end": lambda canary: b"II*\0\xff\xff\xff\xff" + GOOD[8:],
    "ifds_60000": chain_of(60_000),
    "ifds_300_good_ones": lambda canary: write(pyramid() + [Image(16, 16) for _ in range(300)]),
    "entries_65535": patched(lambda p: p.poke(p.layout.ifds[0].directory.offset, "H", 65535)),
    "entries_none": patched(lambda p: p.poke(p.layout.ifds[0].directory.offset, "H", 0)),
    "entries_2_to_the_63": patched(lambda p: p.poke(p.layout.ifds[0].directory.offset, "Q", 2**63), BIG),
    "bigtiff_with_offsets_of_4_bytes": lambda canary: BIG[:4] + b"\x04\0" + BIG[6:],
    "bigtiff_cut_in_its_header": lambda canary: BIG[:12],
    "sub_ifds_400000": sub_ifds_400000,
    # Tags.
    "tag_twice": patched(lambda p: p.tag(0, LENGTH, WIDTH)),
    "width_as_float": tags({WIDTH: (11, (64.0,))}),
    "width_of_an_unknown_type": patched(lambda p: p.type(0, WIDTH, 99)),
    "width_with_two_values": tags({WIDTH: (4, (64, 64))}),
    "count_2_to_the_32": patched(lambda p: p.count(0, OFFSETS, 2**32 - 1)),
    "count_2_to_the_60": patched(lambda p: p.count(0, OFFSETS, 2**60), BIG),
    "count_that_wraps": patched(lambda p: p.count(0, OFFSETS, 2**61), BIG),
    "value_past_the_end": patched(lambda p: p.pointer(0, OFFSETS, len(GOOD) - 4)),
    "value_past_2_to_the_63": patched(lambda p: p.pointer(0, OFFSETS, 2**63), BIG),
    "value_that_wraps": patched(lambda p: p.pointer(0, OFFSETS, 2**64 - 16), BIG),
    # Tiles.
    "tile_past_the_end": patched(lambda p: p.value(0, OFFSETS, len(GOOD) + 8)),
    "tile_at_the_last_byte": patched(lambda p: p.value(0, OFFSETS, len(GOOD) - 1)),
    "tile_that_wraps_32_bits": patched(lambda p: p.value(0, OFFSETS, 2**32 - 16)),
    "tile_that_wraps_64_bits": patched(lambda p: p.value(0, OFFSETS, 2**64 - 16), BIG),
    "tile_in_the_header": patched(lambda p: p.value(0, OFFSETS, 8)),
    "tile_of_4_gigabytes": patched(lambda p: p.value(0, COUNTS, 2**32 - 1)),
    "tile_without_size": patched(lambda p: p.value(0, COUNTS, 0)),
    "tiles_on_one_another": patched(lambda p: p.value(0, OFFSETS, p.offset(0, 1) + 1)),
    "tile_width_0": patched(lambda p: p.value(0, TILE_WIDTH, 0)),
    "tile_width_17": patched(lambda p: p.value(0, TILE_WIDTH, 17)),
    "tile_width_65535": patched(lambda p: p.value(0, TILE_WIDTH, 65535)),
    "tile_bomb_32768": sparse(32768, 32768, (32768, 32768)),
    "tile_bomb_deflate": lambda canary: write(
        [
            Image(
                16,
                16,
                (16, 16),
                tags={**GEO, CODEC: (3, (8,)), TILE_WIDTH: (4, (32768,)), TILE_LENGTH: (4, (32768,))},
            )
        ]
    ),
    "tile_of_512_megabytes": sparse(4096, 4096, (4096, 4096), samples=4, bits=64),
    # Sizes.
    "width_2_to_the_31": claimed(2**31, 48),
    "width_2_to_the_31_less_1": claimed(2**31 - 1, 2**31 - 1, (4096, 4096)),
    "width_2_to_the_32_less_1": claimed(2**32 - 1, 2**32 - 1),
    "width_0": patched(lambda p: p.value(0, WIDTH, 0)),
    "height_0": patched(lambda p: p.value(0, LENGTH, 0)),
    # Samples.
    "bands_65535": lying_samples(65535),
    "bands_65535_in_planes": image(samples=65535, planar=2, width=16, height=16, sparse="all"),
    "bands_65535_in_pixels": image(samples=65535, width=16, height=16, sparse="all"),
    "bands_0": patched(lambda p: p.value(0, SAMPLES, 0)),
    "bits_0": patched(lambda p: p.value(0, BITS, 0)),
    "bits_65535": patched(lambda p: p.value(0, BITS, 65535)),
    "bits_that_differ": tags({BITS: (3, (8, 16))}, samples=2),
    "sample_format_77": tags({SAMPLE_FORMAT: (3, (77,))}),
    "planar_3": tags({PLANAR: (3, (3,))}),
    "rgb_of_one_band": tags({PHOTOMETRIC: (3, (2,))}),
    "codec_0": tags({CODEC: (3, (0,))}),
    "codec_next": tags({CODEC: (3, (32766,))}),
    "codec_old_jpeg": tags({CODEC: (3, (6,))}),
    "codec_pixarlog": tags({CODEC: (3, (32909,))}),
    "codec_sgilog": tags({CODEC: (3, (34676,))}),
    "codec_65535": tags({CODEC: (3, (65535,))}),
    # Georeferencing.
    "georeferencing_none": lambda canary: write(pyramid(tags={})),
    "scale_nan": geo((NAN, 10.0, 0.0), POINT),
    "scale_inf": geo((INF, 10.0, 0.0), POINT),
    "scale_0": geo((0.0, 10.0, 0.0), POINT),
    "tiepoint_nan": geo((10.0, 10.0, 0.0), (0.0, 0.0, 0.0, NAN, 5e6, 0.0)),
    "tiepoints_inf": geo(None, (0.0, 0.0, 0.0, INF, 5e6, 0.0) * 4),
    "matrix_singular": geo(None, None, (1.0, 2.0, 0.0, 0.0, 2.0, 4.0, 0.0, 0.0) + (0.0,) * 7 + (1.0,)),
    "matrix_nan": geo(None, None, (NAN,) * 16),
    "matrix_zero": geo(None, None, (0.0,) * 16),
    "geokeys_more_than_there_are": keys(1, 1, 0, 65535, 1024, 0, 1, 1),
    "geokeys_of_a_version_2": keys(2, 1, 0, 1, 1024, 0, 1, 1),
    "geokeys_past_their_text": tags({KEYS: (3, (1, 1, 0, 1, 3073, ASCII, 65535, 65535)), ASCII: (2, b"x\0")}),
    "geokeys_past_their_numbers": tags({KEYS: (3, (1, 1, 0, 1, 2057, DOUBLES, 9, 9)), DOUBLES: (12, (1.0,))}),
    # The ghost area.
    "ghost_of_999999_bytes": lambda canary: write(
        pyramid(), ghost=ghost_of().replace(b"SIZE=000140", b"SIZE=999999"), leaders=True
    ),
    "ghost_of_minus_1_bytes": lambda canary: write(
        pyramid(), ghost=ghost_of().replace(b"SIZE=000140", b"SIZE=-00001"), leaders=True
    ),
    "ghost_not_utf8": lambda canary: write(
        pyramid(), ghost=ghost_of().replace(b"ROW_MAJOR", b"ROW\xffMAJOR"), leaders=True
    ),
}


def key_file(*numbers):
    return tags({KEYS: (3, (1, 1, 0, len(numbers) // 4, *numbers))})


# Odd, and true COGs all the same: nobody may stumble over them.
ODD = {
    "nodata_junk": tags({42113: (2, b"not a number\0")}),
    "nodata_nan": typed(3, 32, {42113: (2, b"nan\0")}),
    "nodata_inf": typed(3, 64, {42113: (2, b"-inf\0")}),
    "nodata_400_digits": tags({42113: (2, b"9" * 400 + b"\0")}),
    "nodata_not_utf8": tags({42113: (2, b"\xff\xfe\0")}),
    "complex_floats": typed(6, 64),
    "complex_integers": typed(5, 32),
    "texts_not_utf8": tags(
        dict.fromkeys((270, 305, 306, 315, 316, 33432, 700, 269, 285), (2, b"\xff\xfe\x80bad\x00"))
    ),
    "texts_with_controls": tags(dict.fromkeys((270, 305, 306, 315, 33432), (2, b"\x1b[31m\r\nX: y\x00"))),
    "texts_without_an_end": tags({270: (2, b"no end"), ASCII: (2, b"no end")}),
    "ascii_params_not_utf8": tags(
        {KEYS: (3, (1, 1, 0, 2, 1026, ASCII, 3, 0, 3072, 0, 1, 32633)), ASCII: (2, b"\xff\xfe|\0")}
    ),
    "crs_unknown_code": key_file(1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 31),
    "crs_codes_out_of_range": key_file(1024, 0, 1, 65535, 1025, 0, 1, 65535, 2048, 0, 1, 65535, 3072, 0, 1, 65535),
    "crs_key_65535": key_file(1024, 0, 1, 1, 3072, 0, 1, 32633, 65535, 0, 1, 65535),
    "scale_1e308": geo((1e308, 1e308, 0.0), POINT),
    "scale_1e_308": geo((1e-308, 1e-308, 0.0), POINT),
    "scale_negative": geo((-10.0, -10.0, 0.0), POINT),
    "third_scale_nan": geo((10.0, 10.0, NAN), POINT),
    "rpc_nan": tags({50844: (12, (NAN,) * 92)}),
    "sparse_strip": sparse(2**31 - 1, 4096, (4096, 4096)),
    "page_without_georeferencing": lambda canary: write([*pyramid(), Image(32, 32)]),
}
