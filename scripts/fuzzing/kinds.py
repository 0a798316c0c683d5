"""How the check may disagree with other readers, and why it is right; any other disagreement is a fault."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of disagreement: its name, why the check is right, and what it is recognised by.

    Where the check refuses and the other does not, `rules` are those that the check names; where it is the
    other way round, `pattern` is found in what the judge says.
    """

    name: str
    why: str
    rules: frozenset[str] = frozenset()
    judge: str = ""
    pattern: str = ""


def _stricter(name: str, why: str, *rules: str) -> Kind:
    return Kind(name, why, frozenset(rules))


def _refuses(judge: str, name: str, pattern: str, why: str) -> Kind:
    return Kind(name, why, judge=judge, pattern=pattern)


KINDS = (
    # Refused by the check alone.
    _stricter(
        "directories damaged",
        "Readers stop at the first directory that they cannot read and take what came before it for the whole file: "
        "overviews vanish without a word.",
        "ifd-outside-file", "ifd-cycle", "ifd-entry-count", "too-many-ifds",
    ),
    _stricter(
        "value not in the file",
        "Readers drop the tag, or count the tiles that they cannot find as sparse.",
        "value-outside-file", "header-too-large", "too-many-blocks",
    ),
    _stricter(
        "tag damaged",
        "Readers guess: the first of two equal tags or the last, a default where one is missing or of a wrong type.",
        "duplicate-tag", "missing-tag", "wrong-tag-type", "wrong-tag-count",
    ),
    _stricter(
        "image impossible",
        "The other opens the file; nobody decodes its tiles to what their writer meant.",
        "impossible-size", "impossible-samples", "impossible-coding", "reversed-bits", "unknown-codec",
        "tile-side-not-16", "tile-too-large",
    ),
    _stricter(
        "stored in strips",
        "The other looks at large images only, or at the width of blocks; an area cannot be read out of strips.",
        "not-tiled",
    ),
    _stricter(
        "tiles damaged",
        "The other looks at the first stored tile of each level, or at each tile alone; pixels are lost or wrong.",
        "tile-array-length", "half-sparse-tile", "tile-beyond-end", "tiles-overlap", "tile-in-header",
        "uncompressed-tile-size",
    ),
    _stricter(
        "order broken",
        "A client that reads the beginning of the file does not have what it needs; the other compares less.",
        "first-ifd-too-late", "ifd-after-data", "value-after-data", "levels-not-ascending", "data-order",
    ),
    _stricter(
        "levels do not belong together",
        "Clients would mix images, types or shapes; the other looks at no relation but the size.",
        "first-ifd-not-main", "overviews-missing", "overview-not-flagged", "overview-not-smaller", "overview-aspect",
        "overview-other-bands", "overview-other-type", "mask-size", "two-pyramids",
    ),
    _stricter(
        "ghost area false",
        "A client that trusts the promises of the ghost area reads wrong bytes; the other never looks at them.",
        "ghost-garbled", "ghost-wrong-size", "ghost-no-layout", "ghost-incompatible-edition", "ghost-not-row-major",
        "ghost-interleave", "ghost-no-room", "ghost-mask-not-interleaved", "ghost-leader", "ghost-trailer",
    ),
    _stricter(
        "not placed on the map",
        "A GeoTIFF says where its pixels lie; the other does not ask.",
        "no-georeferencing", "bad-transform", "bad-geokeys",
    ),
    _stricter(
        "texts damaged or hostile",
        "GDAL's reading of such metadata differs between versions, or leads to another file.",
        "refers-to-other-file", "metadata-damaged",
    ),
    _stricter(
        "not opened by GDAL", "The other reads more than GDAL, which clients use.",
        "gdal-cannot-open", "gdal-sees-otherwise",
    ),
    _stricter("no TIFF", "GDAL lets any of its drivers try.", "empty-file", "not-a-tiff", "bad-bigtiff-header"),
    _stricter(
        "payload damaged",
        "GDAL stops when it has the bytes of a tile and does not compare its Adler-32; other readers do.",
        "tile-does-not-decode", "tile-checksum",
    ),
    # Taken by the check alone.
    _refuses(
        "rio-cogeo", "overviews of SubIFDs counted", r"IFD for overview of index .* greater than the one",
        "GDAL lists overviews of SubIFDs behind those of the chain; each of the two lists is in order.",
    ),
    _refuses(
        "tifffile", "a tag that nobody needs", r"<tifffile\.TiffTag \d+ @\d+> (raised ValueError|invalid data type)",
        "It complains of a private or descriptive tag, or of an enumeration that it does not know; TIFF 6.0 "
        "section 2 wants readers to pass over fields of an unknown type.",
    ),
    _refuses(
        "tifffile", "a text that is no ASCII", r"coercing invalid ASCII",
        "Texts such as a description or nodata may hold any bytes; readers show them as they can.",
    ),
    _refuses(
        "tifffile", "nodata that is no number", r"parsing GDAL_NODATA tag",
        "GDAL takes a nodata that is no number of the type for none.",
    ),
    _refuses(
        "tifffile", "whole numbers of type BYTE", r"invalid literal for int|'bytes' and 'int'",
        "It dies of a BYTE where TIFF 6.0 writes a SHORT; libtiff reads whole numbers of any width.",
    ),
)  # fmt: skip


def kind_of(judge: str, rule: str, message: str) -> Kind | None:
    """Return the kind of a disagreement with a judge, or None when nobody has explained it.

    `rule` is that by which the check refuses, or empty; `message` is what the judge says against the file.
    """
    for kind in KINDS:
        if rule in kind.rules if rule else kind.judge == judge and re.search(kind.pattern, message):
            return kind
    return None
