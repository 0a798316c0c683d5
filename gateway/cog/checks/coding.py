"""How the samples of each image are coded: what is allowed together, as libtiff and GDAL decode it.

Predictor (317), FillOrder (266), BitsPerSample (258), SampleFormat (339) and Compression (259), by TIFF 6.0 sections
14 and 19, Adobe's TIFF technical note 3, and the codecs of libtiff.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import Tag
from gateway.model import Finding

UNSIGNED, SIGNED, FLOAT, COMPLEX_SIGNED, COMPLEX_FLOAT = 1, 2, 3, 5, 6
Bits = Mapping[int, frozenset[int]]
# The bits of each sample format that GDAL has a data type for.
ALL: Bits = {
    UNSIGNED: frozenset({*range(1, 33), 64}),
    SIGNED: frozenset({8, 16, 32, 64}),
    FLOAT: frozenset({16, 24, 32, 64}),
    COMPLEX_SIGNED: frozenset({32, 64}),
    COMPLEX_FLOAT: frozenset({64, 128}),
}
MASK: Bits = {UNSIGNED: frozenset({1, 8})}
NO_PREDICTOR, HORIZONTAL, FLOATING_POINT = 1, 2, 3
# The differences of neighbours are taken of whole words; the bytes of numbers are shuffled of floats only.
PREDICTORS: Mapping[int, Bits] = {
    NO_PREDICTOR: ALL,
    HORIZONTAL: {form: bits & {8, 16, 32, 64} for form, bits in ALL.items()},
    FLOATING_POINT: {FLOAT: ALL[FLOAT]},
}


@dataclass(frozen=True, slots=True)
class Coding:
    """What a codec takes: the bits of each sample format, and predictors."""

    bits: Bits
    predictors: frozenset[int] = frozenset({NO_PREDICTOR})


WITH_PREDICTOR = Coding(ALL, predictors=frozenset(PREDICTORS))
CCITT = Coding({UNSIGNED: frozenset({1})})
JPEG_XL = Coding({UNSIGNED: frozenset({8, 16}), FLOAT: frozenset({32})})
# By their numbers in libtiff's tiff.h. Readers differ on a predictor beside any other codec: some apply it.
CODINGS: Mapping[int, Coding] = {
    1: Coding(ALL),
    2: CCITT,
    3: CCITT,
    4: CCITT,
    5: WITH_PREDICTOR,
    7: Coding({UNSIGNED: frozenset({8, 12})}),
    8: WITH_PREDICTOR,
    32773: Coding(ALL),
    32946: WITH_PREDICTOR,
    34887: Coding({UNSIGNED: frozenset({8, 16, 32}), SIGNED: frozenset({8, 16, 32}), FLOAT: frozenset({32, 64})}),
    34925: WITH_PREDICTOR,
    50000: WITH_PREDICTOR,
    50001: Coding({UNSIGNED: frozenset({8})}),
    50002: JPEG_XL,
    52546: JPEG_XL,
}


def check(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each image that no reader, or not every one, decodes to what its writer meant."""
    for ifd in layout.ifds:
        for problem in _problems(ifd):
            yield finding("impossible-coding", problem, ifd=ifd.index, offset=ifd.directory.offset)
        fill_order = ifd.number(Tag.FILL_ORDER, 1)
        if fill_order != 1:
            what = f"FillOrder is {fill_order}."
            yield finding("reversed-bits", what, ifd=ifd.index, offset=ifd.directory.offset)


def _problems(ifd: Ifd) -> Iterator[str]:
    """Yield what does not fit together; unknown codecs are passed over."""
    coding, predictor = CODINGS.get(ifd.compression), ifd.number(Tag.PREDICTOR, NO_PREDICTOR)
    kind = f"Samples of {ifd.bits} bits in format {ifd.sample_format}"
    if not _holds(MASK if ifd.mask else ALL, ifd):
        yield f"{kind} are {'no mask' if ifd.mask else 'no data type'}."
    elif coding is not None and not _holds(coding.bits, ifd):
        yield f"{kind} do not go with the compression {ifd.compression}."
    elif coding is not None and predictor not in coding.predictors:
        yield f"The predictor {predictor} does not go with the compression {ifd.compression}."
    elif not _holds(PREDICTORS.get(predictor, {}), ifd):
        yield f"{kind} do not go with the predictor {predictor}."


def _holds(allowed: Bits, ifd: Ifd) -> bool:
    return ifd.bits in allowed.get(ifd.sample_format, ())
