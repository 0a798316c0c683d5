"""TIFF tag numbers, field types and codecs (TIFF 6.0, BigTIFF, GeoTIFF 1.1 and GDAL's own tags)."""

from __future__ import annotations

from enum import IntEnum


class Tag(IntEnum):
    """Tags that the check reads, by the names of their specifications."""

    NEW_SUBFILE_TYPE = 254
    IMAGE_WIDTH = 256
    IMAGE_LENGTH = 257
    BITS_PER_SAMPLE = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    SAMPLES_PER_PIXEL = 277
    STRIP_BYTE_COUNTS = 279
    PLANAR_CONFIGURATION = 284
    PREDICTOR = 317
    TILE_WIDTH = 322
    TILE_LENGTH = 323
    TILE_OFFSETS = 324
    TILE_BYTE_COUNTS = 325
    SUB_IFDS = 330
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    MODEL_PIXEL_SCALE = 33550
    MODEL_TIEPOINT = 33922
    MODEL_TRANSFORMATION = 34264
    GEO_KEY_DIRECTORY = 34735
    GEO_DOUBLE_PARAMS = 34736
    GEO_ASCII_PARAMS = 34737
    GDAL_METADATA = 42112
    GDAL_NODATA = 42113
    RPC_COEFFICIENTS = 50844


# numpy codes of the field types (TIFF 6.0 section 2, BigTIFF 13 and 16 to 18); rationals as two words.
NUMPY_CODES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u8", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i8",
    11: "f4", 12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
TYPE_BYTES = {code: int(name[1]) for code, name in NUMPY_CODES.items()}

UNSIGNED = frozenset({1, 3, 4, 16})
DOUBLES = frozenset({11, 12})
TYPES: dict[int, frozenset[int]] = {
    **{tag: UNSIGNED for tag in Tag if tag < Tag.SUB_IFDS},
    Tag.SAMPLE_FORMAT: UNSIGNED,
    Tag.EXTRA_SAMPLES: UNSIGNED,
    Tag.SUB_IFDS: frozenset({4, 13, 16, 18}),
    Tag.MODEL_PIXEL_SCALE: DOUBLES,
    Tag.MODEL_TIEPOINT: DOUBLES,
    Tag.MODEL_TRANSFORMATION: DOUBLES,
    Tag.GEO_KEY_DIRECTORY: frozenset({3}),
    Tag.GEO_DOUBLE_PARAMS: DOUBLES,
    Tag.GEO_ASCII_PARAMS: frozenset({2}),
    Tag.GDAL_METADATA: frozenset({1, 2, 6, 7}),
    Tag.GDAL_NODATA: frozenset({2}),
    Tag.RPC_COEFFICIENTS: DOUBLES,
}
SINGLE = (
    Tag.NEW_SUBFILE_TYPE, Tag.IMAGE_WIDTH, Tag.IMAGE_LENGTH, Tag.COMPRESSION, Tag.PHOTOMETRIC,
    Tag.FILL_ORDER, Tag.SAMPLES_PER_PIXEL, Tag.PLANAR_CONFIGURATION, Tag.PREDICTOR, Tag.TILE_WIDTH, Tag.TILE_LENGTH,
)  # fmt: skip
IMAGE_TAGS = (Tag.IMAGE_WIDTH, Tag.IMAGE_LENGTH, Tag.PHOTOMETRIC)
STRIP_TAGS = (Tag.STRIP_OFFSETS, Tag.STRIP_BYTE_COUNTS)
TILE_TAGS = (Tag.TILE_WIDTH, Tag.TILE_LENGTH, Tag.TILE_OFFSETS, Tag.TILE_BYTE_COUNTS)
ARRAY_TAGS = (Tag.TILE_OFFSETS, Tag.TILE_BYTE_COUNTS)
# Never more values than this in any tag but the tile arrays and the texts.
MAX_VALUES = 1 << 20
TEXT_TAGS = (Tag.GEO_ASCII_PARAMS, Tag.GDAL_METADATA)
# Values that no check looks at; their presence and extent is enough.
UNREAD_TAGS = (*STRIP_TAGS, Tag.GEO_DOUBLE_PARAMS, Tag.RPC_COEFFICIENTS)

NO_COMPRESSION = 1
JPEG = 7
DEFLATE_CODECS = frozenset({8, 32946})
# CCITT, LZW, JPEG, DEFLATE, PackBits, LERC, LZMA, ZSTD, WebP, JPEG XL by their numbers in libtiff's tiff.h.
CODECS = frozenset({1, 2, 3, 4, 5, 7, 32773, 34887, 34925, 50000, 50001, 50002, 52546}) | DEFLATE_CODECS
YCBCR = 6
# The samples of each photometric interpretation (TIFF 6.0), where it is not one: RGB, CMYK, YCbCr, CIELab; others
# are extra samples.
LEAST_SAMPLES = {2: 3, 5: 4, YCBCR: 3, 8: 3}
# Those of TIFF 6.0, ICC and ITU Lab, CFA, LogL, LogLuv, linear raw, depth map and semantic mask (DNG 1.6).
PHOTOMETRICS = frozenset({*range(7), 8, 9, 10, 32803, 32844, 32845, 34892, 51177, 52527})
PLANAR_CONTIGUOUS, PLANAR_SEPARATE = 1, 2


def name_of(tag: int) -> str:
    """Return the tag's name and number for a message, such as "TILE_OFFSETS (324)"."""
    return f"{Tag(tag).name} ({tag})" if tag in TYPES else str(tag)
