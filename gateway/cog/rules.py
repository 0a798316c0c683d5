"""Every rule of the COG check in one table, and the only way to make a finding."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Finding, Severity

ERROR, WARNING = Severity.ERROR, Severity.WARNING
REWRITE = "Rewrite it with gdal_translate -of COG or rio cogeo create."
UPLOAD = "Fetch or upload the file again."
# The commands of the guide; a file that can be mended is told its own, with its name and the options that fit it.
TRANSLATE = "gdal_translate -of COG IN.tif OUT.tif"
FETCH = "rsync --checksum ORIGIN IN.tif"
NEW_OVERVIEWS = "gdal_translate -of COG -co OVERVIEWS=IGNORE_EXISTING IN.tif OUT.tif"
LARGER_TILES = "gdal_translate -of COG -co BLOCKSIZE=1024 IN.tif OUT.tif"
ONE_PAGE = "gdal_translate -of COG GTIFF_DIR:1:IN.tif OUT.tif"
SET_CRS = "gdal_translate -of COG -a_srs EPSG:CODE IN.tif OUT.tif"
SET_TRANSFORM = "gdal_translate -of COG -a_ullr LEFT TOP RIGHT BOTTOM IN.tif OUT.tif"
SET_BOTH = "gdal_translate -of COG -a_srs EPSG:CODE -a_ullr LEFT TOP RIGHT BOTTOM IN.tif OUT.tif"
NO_METADATA = "tiffset -u 42112 IN.tif && gdal_translate -of COG IN.tif OUT.tif"
# Of the rules that neither the writing anew nor the fetching again mends.
COMMANDS = {
    "not-a-regular-file": "cog-gateway check IN.tif",
    "not-a-tiff": "gdal_translate -of COG IN OUT.tif",
    "changed-while-read": "cog-gateway check IN.tif",
    "too-many-ifds": ONE_PAGE,
    "header-too-large": LARGER_TILES,
    "too-many-blocks": LARGER_TILES,
    "unknown-codec": "gdal_translate -of COG -co COMPRESS=DEFLATE IN.tif OUT.tif",
    "overview-not-flagged": NEW_OVERVIEWS,
    "overview-not-smaller": NEW_OVERVIEWS,
    "overview-aspect": NEW_OVERVIEWS,
    "overview-other-bands": NEW_OVERVIEWS,
    "overview-other-type": NEW_OVERVIEWS,
    "overviews-missing-in-strip": NEW_OVERVIEWS,
    "pyramid-stops-early": NEW_OVERVIEWS,
    "pyramid-step": NEW_OVERVIEWS,
    "mask-missing-on-level": NEW_OVERVIEWS,
    "two-pyramids": ONE_PAGE,
    "extra-page": ONE_PAGE,
    "no-georeferencing": SET_BOTH,
    "bad-transform": SET_TRANSFORM,
    "bad-geokeys": SET_CRS,
    "transform-without-crs": SET_CRS,
    "crs-without-transform": SET_TRANSFORM,
    "approximate-georeferencing": "gdalwarp -of COG -t_srs EPSG:CODE IN.tif OUT.tif",
    "refers-to-other-file": NO_METADATA,
    "metadata-damaged": NO_METADATA,
    "sidecar-overviews": "rm IN.tif.ovr",
    "sidecar-mask": "rm IN.tif.msk",
    "sidecar-georeferencing": "rm IN.tif.aux.xml",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: how it weighs, why it matters, and what mends a file that breaks it.

    `rewritable` says that such a file is a sound GeoTIFF: writing it anew as a COG keeps every pixel.
    """

    name: str
    severity: Severity
    why: str
    mend: str
    rewritable: bool = False

    @property
    def command(self) -> str:
        """Return the command line that mends a file IN.tif; words in capitals are the operator's to fill in."""
        return COMMANDS.get(self.name, FETCH if self.mend == UPLOAD else TRANSLATE)


def _layout(name: str, why: str, mend: str = REWRITE) -> Rule:
    """Return an error of the layout alone: the pixels are all there."""
    return Rule(name, ERROR, why, mend, rewritable=True)


def _damage(name: str, why: str, mend: str = UPLOAD) -> Rule:
    """Return an error of a file whose bytes cannot be trusted."""
    return Rule(name, ERROR, why, mend)


def _note(name: str, why: str, mend: str) -> Rule:
    return Rule(name, WARNING, why, mend)


_TABLE = (
    # The file as such.
    _damage("not-a-regular-file", "A pipe, device or folder has no bytes to seek in.", "Name a regular file."),
    _damage("empty-file", "There is nothing in it."),
    _damage("not-a-tiff", "The first bytes are no TIFF header; GDAL might take it for something that calls out.",
            "Convert it to a GeoTIFF first."),
    _damage("bad-bigtiff-header", "BigTIFF fixes the offset size to 8 and the two bytes after it to 0."),
    _damage("changed-while-read", "The file became shorter during the check.", "Check it again when it is at rest."),
    # Directories and tags.
    _damage("ifd-outside-file", "A directory that is not in the file hides what follows it."),
    _damage("ifd-cycle", "A directory that leads back to an earlier one never ends."),
    _damage("ifd-entry-count", "A directory holds between 1 and 1024 entries.", "Rewrite the file."),
    _damage("too-many-ifds", "Readers walk every directory before the first tile.", "Split the file."),
    _damage("header-too-large", "Readers hold the directories and tile arrays in memory.", "Use larger tiles."),
    _damage("too-many-blocks", "Readers hold the tile arrays in memory.", "Use larger tiles."),
    _damage("value-outside-file", "A tag whose value is not in the file cannot be read: the file was cut."),
    _damage("duplicate-tag", "Readers disagree on which of the two counts.", "Rewrite the file."),
    _damage("missing-tag", "Without this tag nobody can find or decode the tiles.", "Rewrite the file."),
    _damage("wrong-tag-type", "Readers skip a tag whose field type is not the one of TIFF.", "Rewrite the file."),
    _damage("wrong-tag-count", "A tag with the wrong number of values cannot be read.", "Rewrite the file."),
    _note("unsorted-tags", "TIFF wants the entries in ascending order; some readers stop at the first that is not.",
          "Rewrite the file."),
    # Images and tiles.
    _damage("impossible-size", "An image and its tiles have sides from 1 to 2147483647.", "Rewrite the file."),
    _damage("impossible-samples", "Bands, bits, sample format and planar layout must fit together.",
            "Rewrite the file."),
    _damage("impossible-coding", "Codec, predictor, bits and sample format must fit together to be decoded.",
            "Rewrite the file."),
    _layout("reversed-bits", "Few readers take bytes whose bits are in reverse (FillOrder 2)."),
    _damage("unknown-codec", "Clients cannot decode this compression.", "Use DEFLATE, LZW, ZSTD, JPEG or WEBP."),
    _layout("not-tiled", "Strips cannot be read by area: a small window costs whole rows."),
    _layout("tile-side-not-16", "TIFF 6 section 15 wants tile sides that are multiples of 16."),
    _damage("tile-too-large", "One tile must fit into a reader's memory: at most 4096 pixels a side and 256 MiB.",
            REWRITE),
    _note("tile-over-1024", "Clients fetch whole tiles; large ones make small windows slow.",
          "Use tiles of 256 or 512."),
    _note("tile-not-square", "Map clients expect square tiles.", "Use square tiles."),
    # Tile arrays and data.
    _damage("tile-array-length", "TileOffsets and TileByteCounts need one value for each tile.", "Rewrite the file."),
    _damage("half-sparse-tile", "A sparse tile has offset 0 and size 0; only one of them is a damaged entry."),
    _damage("tile-beyond-end", "The tile is not wholly in the file: it was cut or an entry is damaged."),
    _damage("tiles-overlap", "Two tiles claim the same bytes, so one of them is wrong.", "Rewrite the file."),
    _damage("tile-in-header", "A tile claims bytes of the header, a directory or a tag value.", "Rewrite the file."),
    _damage("uncompressed-tile-size", "An uncompressed tile has exactly the bytes of its pixels.",
            "Rewrite the file."),
    _note("shared-tiles", "Several tiles use the same bytes; writers that update in place would spoil both.",
          "Rewrite the file."),
    _note("slack-bytes", "Bytes that belong to nothing cost space and transfer.", REWRITE),
    # Order.
    _layout("first-ifd-too-late", "Clients look for the first directory in the first bytes of the file."),
    _layout("ifd-after-data", "Clients need every directory before the first tile, in their first request."),
    _layout("value-after-data", "Clients need every tag value before the first tile, in their first request."),
    _layout("levels-not-ascending", "Directories go from the full image to the smallest overview."),
    _layout("data-order", "Tiles of smaller levels come before those of larger ones."),
    _note("levels-interleaved", "Tiles of one level are scattered between those of another.", REWRITE),
    _note("foreign-bytes-before-ifd", "Something unknown stands before the first directory.", REWRITE),
    # Overviews, masks and pages.
    _damage("first-ifd-not-main", "The first directory must be the full image.", "Rewrite the file."),
    _layout("overviews-missing", "Without overviews a small-scale view reads the whole file.",
            "Add overviews, or allow missing ones in the settings."),
    _note("overviews-missing-in-strip", "A long image one tile wide or high is better with overviews.",
          "Add overviews."),
    _layout("overview-not-flagged", "A smaller copy that is not flagged as reduced is no overview to readers."),
    _layout("overview-not-smaller", "Each level must be smaller than the one before."),
    _layout("overview-aspect", "An overview of another shape shows pixels in the wrong place."),
    _layout("overview-other-bands", "An overview must have the bands of the image."),
    _layout("overview-other-type", "An overview of another data type returns clipped values."),
    _layout("mask-size", "A mask must have the size of a level, or readers drop it without a word."),
    _damage("two-pyramids", "Readers mix the overviews of two images in one file.", "Split the file."),
    _note("mask-missing-on-level", "Where a level has no mask, readers compute one from the full image.", REWRITE),
    _note("extra-page", "Readers see only the first image.", "Split the file."),
    _note("pyramid-stops-early", "The smallest level should be at most 512 pixels or one tile.", "Add overviews."),
    _note("pyramid-step", "Levels should shrink by 1.4 to 10 times.", "Make overviews by powers of two."),
    # The ghost area of GDAL: https://gdal.org/drivers/raster/cog.html#header-ghost-area
    _layout("ghost-garbled", "The area in which GDAL promises the layout is damaged."),
    _layout("ghost-wrong-size", "The promised size of the ghost area does not lead to the first directory."),
    _layout("ghost-no-layout", "A ghost area without LAYOUT=IFDS_BEFORE_DATA promises nothing."),
    _layout("ghost-incompatible-edition", "The file was edited in place and its layout is broken."),
    _layout("ghost-not-row-major", "Readers that trust the promised order read the wrong tiles."),
    _layout("ghost-interleave", "The promised band order is not that of the tiles."),
    _layout("ghost-no-room", "There is no room for the promised leader or trailer of a tile."),
    _layout("ghost-mask-not-interleaved", "Readers that trust the promise read a wrong mask."),
    _layout("ghost-leader", "Readers that trust leaders would read a wrong number of bytes."),
    _layout("ghost-trailer", "The trailer shows that the tile was edited after it was written."),
    # Georeferencing.
    _damage("no-georeferencing", "Nobody can place it on the map; sidecar files are not part of a COG.",
            "Write transform and CRS into the file (gdal_edit.py -a_srs -a_ullr, then rewrite)."),
    _damage("bad-transform", "Pixel size and origin must be finite numbers and not 0.", "Set a true transform."),
    _damage("bad-geokeys", "The GeoKey directory cannot be read, so the CRS is lost.", "Set the CRS again."),
    _note("transform-without-crs", "Nobody knows what the coordinates mean.", "Set the CRS."),
    _note("crs-without-transform", "Nobody knows where the pixels lie.", "Set the transform."),
    _note("approximate-georeferencing", "GCPs or RPCs place the pixels only after warping.", "Warp it to a CRS."),
    # Other files.
    _damage("refers-to-other-file", "GDAL would open whatever file or address this metadata names.",
            "Remove the OVERVIEWS and ProxyOverviewRequest items from the metadata."),
    _damage("metadata-damaged", "The GDAL_METADATA is neither UTF-8 text nor well-formed XML.", "Rewrite the file."),
    _note("sidecar-overviews", "The .ovr beside it is not part of the COG and is not served.", "Remove the .ovr."),
    _note("sidecar-mask", "The .msk beside it is not part of the COG and is not served.", "Remove the .msk."),
    _note("sidecar-georeferencing", "The .aux.xml beside it holds another georeferencing, which is not served.",
          "Remove the .aux.xml."),
    # GDAL and the pixels.
    _damage("gdal-cannot-open", "The structure is sound but GDAL cannot open the file.", "Rewrite the file."),
    _damage("gdal-sees-otherwise", "Readers would get another image than the directories tell of.",
            "Rewrite the file."),
    _damage("tile-does-not-decode", "The tile's bytes are damaged."),
    _damage("tile-checksum", "The tile decodes but its Adler-32 checksum does not match: its bytes changed."),
)  # fmt: skip

RULES = {rule.name: rule for rule in _TABLE}


def finding(
    name: str, what: str, *, ifd: int | None = None, block: int | None = None, offset: int | None = None
) -> Finding:
    """Return a finding of the rule `name`: the sentence `what`, then what mends it. KeyError for no rule."""
    rule = RULES[name]
    return Finding(name, f"{what} {rule.mend}", rule.severity, ifd, block, offset)
