"""The assets of an item: the file, and its picture."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gateway.filenames import file_name
from gateway.model import Dataset, RasterFacts, utc_text
from gateway.stac.site import Site

COG, GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized", "image/tiff; application=geotiff"
# Of a multihash: SHA-256, 32 bytes (https://github.com/multiformats/multicodec/blob/master/table.csv).
SHA256 = "1220"
# Of more bands an item says only what holds for all of them.
MOST_BANDS = 256
# https://github.com/radiantearth/stac-spec/blob/v1.1.0/commons/common-metadata.md#data-types
COMPLEX = {
    "complex_int16": "cint16",
    "complex_int32": "cint32",
    "complex64": "cfloat32",
    "complex128": "cfloat64",
}
NOT_FINITE = {"nan": "nan", "inf": "inf", "-inf": "-inf"}


def assets(dataset: Dataset, site: Site) -> dict[str, dict[str, Any]]:
    """Return the assets of a dataset by their keys."""
    found = {"data": _data(dataset, site)}
    if can_be_drawn(dataset):
        found["thumbnail"] = {
            "href": site.dataset(dataset.id, "/preview.png?max_size=512"),
            "type": "image/png",
            "title": "Preview",
            "roles": ["thumbnail"],
            **site.refs_to_view(dataset),
        }
    return found


def can_be_drawn(dataset: Dataset) -> bool:
    """Return whether there are pictures of a dataset."""
    raster = dataset.raster
    return dataset.report.valid and raster is not None and raster.dtype not in COMPLEX


def has_place(dataset: Dataset) -> bool:
    """Return whether there are tiles of a dataset."""
    return can_be_drawn(dataset) and dataset.raster is not None and dataset.raster.bounds is not None


def _data(dataset: Dataset, site: Site) -> dict[str, Any]:
    report, raster = dataset.report, dataset.raster
    found = {
        # Clients save it under the last part of its address, and GDAL may be told to open only what ends so.
        "href": site.dataset(dataset.id, f"/download/{quote(file_name(dataset.title), safe='')}"),
        "type": COG if report.valid else GEOTIFF,
        # QGIS calls its layer so.
        "title": dataset.title,
        "roles": ["data"],
        "gateway:valid": report.valid,
        "gateway:depth": report.depth,
        "file:size": dataset.size_bytes,
        **site.refs_to_download(dataset),
    }
    if report.checked_at is not None:
        found["gateway:checked_at"] = utc_text(report.checked_at)
    if dataset.sha256 is not None:
        found["file:checksum"] = SHA256 + dataset.sha256
    if raster is not None and raster.header_bytes is not None:
        found["file:header_size"] = raster.header_bytes
    return found | (_values(raster) if raster is not None else {})


def _values(raster: RasterFacts) -> dict[str, Any]:
    """Return what the values of a raster are: of each band, or of all where there are very many."""
    of_all: dict[str, Any] = {"data_type": COMPLEX.get(raster.dtype, raster.dtype)}
    if raster.nodata is not None:
        of_all["nodata"] = raster.nodata
    if raster.count > MOST_BANDS:
        return of_all
    scaling = raster.scaling or ((1.0, 0.0),) * raster.count
    pairs = zip(range(1, raster.count + 1), scaling, strict=False)
    return {"bands": [{"name": f"b{number}", **of_all, **_scaled(*pair)} for number, pair in pairs]}


def _scaled(scale: float, offset: float) -> dict[str, float]:
    """Return what a band's values are multiplied by and what is added then (raster extension 2.0)."""
    return {} if (scale, offset) == (1.0, 0.0) else {"raster:scale": scale, "raster:offset": offset}
