"""Documents and other formats under the name of a TIFF, most of which make an open-minded GDAL look elsewhere."""

import gzip
import io
import json
import zipfile


def vrt(canary):
    source = (
        f"<SimpleSource><SourceFilename>{canary.raster}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    )
    band = f"<VRTRasterBand dataType='Byte' band='1'>{source}</VRTRasterBand>"
    return f"<VRTDataset rasterXSize='64' rasterYSize='48'>{band}</VRTDataset>".encode()


def warped_vrt(canary):
    inner = f"<GDALWarpOptions><SourceDataset>/vsicurl/{canary.url}/w.tif</SourceDataset></GDALWarpOptions>"
    band = "<VRTRasterBand dataType='Byte' band='1' subClass='VRTWarpedRasterBand'/>"
    head = "<VRTDataset rasterXSize='8' rasterYSize='8' subClass='VRTWarpedDataset'>"
    return f"{head}{band}{inner}</VRTDataset>".encode()


def raw_vrt(canary):
    raw = f"<SourceFilename relativetoVRT='0'>{canary.folder}/secret.txt</SourceFilename>"
    band = f"<VRTRasterBand dataType='Byte' band='1' subClass='VRTRawRasterBand'>{raw}</VRTRasterBand>"
    return f"<VRTDataset rasterXSize='5' rasterYSize='2'>{band}</VRTDataset>".encode()


def wms(canary):
    return f"<GDAL_WMS><Service name='TMS'><ServerUrl>{canary.url}</ServerUrl></Service></GDAL_WMS>".encode()


def wmts(canary):
    return (
        f"<GDAL_WMTS><GetCapabilitiesUrl>{canary.url}/wmts</GetCapabilitiesUrl><Layer>a</Layer></GDAL_WMTS>".encode()
    )


def wcs(canary):
    return f"<WCS_GDAL><ServiceURL>{canary.url}?</ServiceURL><CoverageName>a</CoverageName></WCS_GDAL>".encode()


def gti(canary):
    return f"<GDALTileIndexDataset><IndexDataset>{canary.url}.gpkg</IndexDataset></GDALTileIndexDataset>".encode()


def stac(canary):
    asset = {"href": canary.url, "type": "image/tiff", "proj:epsg": 4326, "proj:shape": [8, 8]}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "a", "geometry": None, "properties": {}}
    return json.dumps({**item, "assets": {"a": {**asset, "proj:transform": [1, 0, 0, 0, -1, 0]}}}).encode()


def gdalg(canary):
    return json.dumps({"type": "gdal_streamed_alg", "command_line": f"gdal raster read {canary.raster}"}).encode()


def kml(canary):
    link = f"<GroundOverlay><Icon><href>{canary.url}</href></Icon></GroundOverlay>"
    return f'<kml xmlns="http://www.opengis.net/kml/2.2">{link}</kml>'.encode()


def zipped(canary):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.tif", vrt(canary))
    return packed.getvalue()


def entity(canary):
    """An XML document with an entity of another file."""
    return f"<!DOCTYPE a [<!ENTITY b SYSTEM '{canary.url}'>]><a>&b;</a>".encode()


def constant(raw):
    return lambda canary: raw


DOCUMENTS = {
    "vrt": vrt,
    "warped_vrt": warped_vrt,
    "raw_vrt": raw_vrt,
    "wms": wms,
    "wmts": wmts,
    "wcs": wcs,
    "gti": gti,
    "stac": stac,
    "gdalg": gdalg,
    "kml": kml,
    "xml_entity": entity,
    "zip": zipped,
    "gzip": lambda canary: gzip.compress(vrt(canary)),
    "vrt_with_bom": lambda canary: b"\xef\xbb\xbf" + vrt(canary),
    "vrt_after_a_tiff_magic": lambda canary: b"II*\0" + vrt(canary),
    "vrt_in_utf16": lambda canary: vrt(canary).decode().encode("utf-16"),
    "connection_string": lambda canary: f"WMS:{canary.url}?SERVICE=WMS".encode(),
    "vsi_path": lambda canary: f"/vsicurl/{canary.url}".encode(),
    "html": constant(b"<!DOCTYPE html><title>404 Not Found</title>"),
    "s3_error": constant(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    "json": constant(b'{"detail": "Not found"}'),
    "geojson": constant(b'{"type": "FeatureCollection", "features": []}'),
    "netcdf": constant(b"CDF\x01" + bytes(60)),
    "hdf5": constant(b"\x89HDF\r\n\x1a\n" + bytes(600)),
    "png": constant(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(60)),
    "jpeg": constant(b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(60)),
    "webp": constant(b"RIFF\x24\0\0\0WEBPVP8 " + bytes(60)),
    "jpeg2000": constant(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60)),
    "sqlite": constant(b"SQLite format 3\0" + bytes(600)),
    "shell_script": constant(b"#!/bin/sh\ntouch canary\n"),
    "empty": constant(b""),
    "one_byte": constant(b"I"),
    "header_only": constant(b"II*\0\x08\0\0\0"),
    "zeros": constant(bytes(4096)),
}
