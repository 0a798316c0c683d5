"""GeoTIFFs of a sound structure whose texts name the canary, plainly or in disguise."""

import struct

from tests.cog.tiffs import GEO, GEO_KEYS, Image, pyramid, write

METADATA, ASCII, XMP, GEO_METADATA, RPC = 42112, 34737, 700, 50909, 50844
PIPED_WKT = {
    "grids_of_a_datum": 'GEOGCS["x",DATUM["y",SPHEROID["WGS 84",6378137,298.257223563],EXTENSION["PROJ4_GRIDS","{}"]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]',
    "grids_of_a_proj_string": 'GEOGCS["x",DATUM["y",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433],EXTENSION["PROJ4","+proj=longlat +a=6378137 +b=6378137 +nadgrids={} +wktext"]]',
    "grids_of_a_bound_crs": 'BOUNDCRS[SOURCECRS[GEOGCRS["x",DATUM["y",ELLIPSOID["WGS 84",6378137,298.257223563]],'
    'CS[ellipsoidal,2],AXIS["lat",north],AXIS["lon",east],UNIT["degree",0.0174532925199433]]],TARGETCRS[GEOGCRS['
    '"WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],'
    'AXIS["lat",north],AXIS["lon",east],UNIT["degree",0.0174532925199433]]],ABRIDGEDTRANSFORMATION["t",METHOD["NTv2",'
    'ID["EPSG",9615]],PARAMETERFILE["Latitude and longitude difference file","{}"]]]',
}


def with_texts(texts, geo=GEO):
    """A small image with texts, {tag: bytes}; GDAL looks for overviews elsewhere because it has none."""
    return write([Image(tags={**geo, **{tag: (2, raw + b"\0") for tag, raw in texts.items()}})])


def item(name, domain, value, more=""):
    return f'<Item name="{name}" domain="{domain}"{more}>{value}</Item>'


def metadata(*items):
    return f"<GDALMetadata>{''.join(items)}</GDALMetadata>".encode()


def overview(name="OVERVIEW_FILE", domain="OVERVIEWS", more=""):
    """A maker of a file with an OVERVIEW_FILE in this spelling."""
    return lambda canary: with_texts({METADATA: metadata(item(name, domain, canary.raster, more))})


def target(pattern):
    """A maker of a file whose overviews are at `pattern`, with the names of the canary in it."""

    def make(canary):
        value = pattern.format(url=canary.url, folder=canary.folder, raster=canary.raster, pipe=canary.pipe)
        return with_texts({METADATA: metadata(item("OVERVIEW_FILE", "OVERVIEWS", value))})

    return make


def raw_metadata(raw):
    """A maker of a file with this metadata; `@` stands for the canary's raster."""
    return lambda canary: with_texts({METADATA: raw.replace(b"@", canary.raster.encode())})


def in_overview(canary):
    images = pyramid()
    images[1].tags = {METADATA: (2, metadata(item("OVERVIEW_FILE", "OVERVIEWS", canary.raster)) + b"\0")}
    return write(images)


def in_mask(canary):
    images = pyramid()
    text = metadata(item("OVERVIEW_FILE", "OVERVIEWS", canary.raster)) + b"\0"
    images += [Image(i.width, i.height, subfile=i.subfile | 4, tags={METADATA: (2, text)}) for i in images]
    return write(images)


def in_sub_ifd(canary):
    text = metadata(item("OVERVIEW_FILE", "OVERVIEWS", canary.raster)) + b"\0"
    return write([*pyramid(), Image(32, 24, subfile=1, sub_of=0, tags={METADATA: (2, text)})])


def geolocation(canary):
    """Arrays of coordinates that GDAL opens when the image is warped."""
    facts = {"X_BAND": 1, "Y_BAND": 1, "PIXEL_OFFSET": 0, "LINE_OFFSET": 0, "PIXEL_STEP": 1, "LINE_STEP": 1}
    facts |= {"X_DATASET": canary.raster, "Y_DATASET": f"/vsicurl/{canary.url}"}
    text = metadata(*(item(name, "GEOLOCATION", value) for name, value in facts.items()))
    return with_texts({METADATA: text}, geo={34735: GEO_KEYS})


def crs(wkt, path):
    """A file whose CRS is a WKT text with the path of a grid in it."""
    text = ("m|ESRI PE String = " + wkt.format(path) + "|").encode()
    at = text.index(b"ESRI")
    keys = ((1024, 0, 1, 32767), (1025, 0, 1, 1), (1026, ASCII, 2, 0), (2048, 0, 1, 32767))
    keys += ((3073, ASCII, len(text) - at, at), (3076, 0, 1, 9001))
    directory = (1, 1, 0, len(keys), *(number for key in keys for number in key))
    return with_texts({ASCII: text}, geo={**GEO, 34735: (3, directory)})


def crs_case(wkt, path):
    return lambda canary: crs(wkt, path.format(folder=canary.folder, pipe=canary.pipe, url=canary.url))


PLAIN = b'<GDALMetadata><Item name="OVERVIEW_FILE" domain="OVERVIEWS">@</Item></GDALMetadata>'
REFERENCES = {
    "overview_file": overview(),
    "overview_file_http": target("{url}/o.tif"),
    "overview_file_vsicurl": target("/vsicurl/{url}/o.tif"),
    "overview_file_pipe": target("{pipe}"),
    "overview_file_base": target(":::BASE:::../secret.tif"),
    "overview_file_vrt": target(
        "&lt;VRTDataset rasterXSize='8' rasterYSize='8'&gt;&lt;VRTRasterBand dataType='Byte' band='1'&gt;"
        "&lt;SimpleSource&gt;&lt;SourceFilename&gt;{raster}&lt;/SourceFilename&gt;&lt;/SimpleSource&gt;"
        "&lt;/VRTRasterBand&gt;&lt;/VRTDataset&gt;"
    ),
    "overview_file_cdata": target("<![CDATA[{raster}]]>"),
    "proxy_overview": overview("FILENAME", "ProxyOverviewRequest"),
    "of_a_band": overview(more=' sample="0"'),
    "other_case": overview("Overview_File", "oVerviews"),
    "single_quotes": raw_metadata(PLAIN.replace(b'"', b"'")),
    "no_quotes": raw_metadata(PLAIN.replace(b'"', b"")),
    "space_around": raw_metadata(PLAIN.replace(b"=", b"\t\x0b=\r\n ")),
    "decimal_reference": overview("&#79;VERVIEW_FILE", "&#79;VERVIEWS"),
    "hexadecimal_reference": overview("&#x4F;VERVIEW_FILE", "OVERVIEW&#X53;"),
    "padded_reference": overview("&#x00000000004F;VERVIEW_FILE", "&#000000079;VERVIEWS"),
    "reference_beyond_32_bits": overview("&#x10000004F;VERVIEW_FILE", "&#4294967375;VERVIEWS"),
    "reference_to_nothing": overview("OVER&#0;VIEW_FILE", "OVER&#;VIEWS"),
    "reference_of_many_digits": overview(f"&#{'9' * 5000};x", "OVERVIEWS"),
    "with_bom": raw_metadata(b"\xef\xbb\xbf" + PLAIN),
    "with_doctype": raw_metadata(b'<?xml version="1.0" encoding="x"?><!DOCTYPE GDALMetadata []>' + PLAIN),
    "with_comment": raw_metadata(b"<!-- <Item> -->" + PLAIN),
    "broken_xml_behind": raw_metadata(PLAIN + b"<Item"),
    "latin_1": raw_metadata(PLAIN.replace(b"</G", b"<Item name='a'>\xe4</Item></G")),
    "bytes_not_ascii": lambda canary: with_texts({METADATA: PLAIN.replace(b"@", canary.raster.encode())}).replace(
        struct.pack("<HH", METADATA, 2), struct.pack("<HH", METADATA, 7)
    ),
    "in_an_overview": in_overview,
    "in_a_mask": in_mask,
    "in_a_sub_ifd": in_sub_ifd,
    "geolocation": geolocation,
    **{f"crs_{name}": crs_case(wkt, "{pipe}") for name, wkt in PIPED_WKT.items()},
    "crs_grids_http": crs_case(PIPED_WKT["grids_of_a_datum"], "{url}/a.gsb"),
    "crs_grids_behind_a_plain_one": crs_case(PIPED_WKT["grids_of_a_datum"], "@a.gsb,{folder}/secret.tif"),
    "crs_grids_by_dots": crs_case(PIPED_WKT["grids_of_a_proj_string"], "../../secret.tif"),
    "crs_init_file": crs_case(PIPED_WKT["grids_of_a_proj_string"].replace("nadgrids", "init"), "{pipe}:1"),
}
# Texts that GDAL keeps as they are and follows nowhere: true COGs all the same.
HARMLESS = {
    "xmp_names_the_canary": lambda canary: with_texts({XMP: PLAIN.replace(b"@", canary.raster.encode())}),
    "geo_metadata_names_the_canary": lambda canary: with_texts({GEO_METADATA: canary.url.encode()}),
    "description_names_the_canary": lambda canary: with_texts({270: canary.url.encode()}),
    "inline_vrt_in_a_text": lambda canary: with_texts({METADATA: metadata(item("A", "xml:VRT", canary.raster))}),
    "subdatasets": lambda canary: with_texts({METADATA: metadata(item("A", "SUBDATASETS", canary.raster))}),
    "utf16_metadata": raw_metadata(PLAIN.decode().encode("utf-16-le")),
    "words_in_a_value": raw_metadata(b"<GDALMetadata><Item name='A'>OVERVIEW_FILE @</Item></GDALMetadata>"),
    "crs_without_grids": crs_case(PIPED_WKT["grids_of_a_proj_string"], "@null"),
    "crs_grids_by_name": crs_case(PIPED_WKT["grids_of_a_datum"], "@nowhere.gsb"),
}
