"""What a conversion keeps, for every kind of GeoTIFF: compared property by property, and by the check at full depth."""

import os
import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from gateway.cog import inspect
from gateway.cog.convert import convert
from gateway.files import open_file
from tests.cog.geotiffs import GEOTIFFS, noise, put, tagged

# What tells of the file's own layout.
LAYOUT = {"IMAGE_STRUCTURE", "DERIVED_SUBDATASETS"}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A function that returns the (source, result) of a kind of GeoTIFF; each is made once."""
    folder = tmp_path_factory.mktemp("kept")

    def pair(name):
        source, made = folder / f"{name}.tif", folder / f"{name}.cog.tif"
        if not made.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                GEOTIFFS[name](source)
            with open_file(source) as opened:
                convert(opened, made)
        return source, made

    return pair


@pytest.fixture(params=GEOTIFFS)
def opened(request, pairs):
    """Both rasters of a kind, the source first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(pairs(request.param)[0]) as old, rasterio.open(pairs(request.param)[1]) as new:
            yield old, new


def test_pixels_and_data_types_are_the_same(opened):
    old, new = opened
    assert new.dtypes == old.dtypes
    assert np.array_equal(new.read(), old.read(), equal_nan=old.dtypes[0].startswith("float"))


def test_nodata_masks_and_alpha_are_the_same(opened):
    old, new = opened
    assert str(new.nodatavals) == str(old.nodatavals)
    assert new.mask_flag_enums == old.mask_flag_enums
    assert np.array_equal(new.dataset_mask(), old.dataset_mask())


def test_colours_names_scales_and_units_are_the_same(opened):
    old, new = opened
    for name in ("colorinterp", "descriptions", "scales", "offsets", "units"):
        assert getattr(new, name) == getattr(old, name), name
    if old.colorinterp[0].name == "palette":
        assert new.colormap(1) == old.colormap(1)


def test_tags_of_every_domain_are_the_same(opened):
    old, new = opened
    for band in (0, *old.indexes):
        domains = set(old.tag_namespaces(band)) - LAYOUT
        assert set(new.tag_namespaces(band)) - LAYOUT == domains
        for domain in ("", *domains):
            assert new.tags(band, ns=domain) == old.tags(band, ns=domain)


def test_georeferencing_is_the_same(opened):
    old, new = opened
    assert (new.crs, new.transform) == (old.crs, old.transform)
    assert (new.gcps[1], [point.asdict() for point in new.gcps[0]]) == (
        old.gcps[1],
        [point.asdict() for point in old.gcps[0]],
    )
    assert (new.rpcs and new.rpcs.to_dict()) == (old.rpcs and old.rpcs.to_dict())


@pytest.mark.parametrize("name", GEOTIFFS)
def test_the_source_is_no_cog_and_the_result_passes_at_full_depth(pairs, name):
    source, made = pairs(name)
    with open_file(source) as old, open_file(made) as new:
        assert not inspect(old).report.valid
        report = inspect(new, depth="full").report
    assert report.errors == ()
    assert {found.rule for found in report.warnings} <= {"approximate-georeferencing"}


def test_overviews_that_are_whole_are_taken_over(pairs):
    source, made = pairs("overviews behind the image")
    with rasterio.open(source, overview_level=0) as old, rasterio.open(made, overview_level=0) as new:
        assert np.array_equal(new.read(), old.read())


def test_means_of_nodata_are_not_made(pairs):
    with rasterio.open(pairs("int16 with nodata")[1], overview_level=0) as smaller:
        assert smaller.read(1)[:40, :90].max() == -9999
        assert smaller.read(1)[50:, 110:].min() > 0


def test_the_source_is_only_read(tmp_path):
    source = GEOTIFFS["rgb striped"](tmp_path / "a.tif")
    os.utime(source, ns=(10**18, 10**18))
    before = (source.read_bytes(), source.stat().st_mtime_ns, source.stat().st_ino)
    source.chmod(0o400)
    with open_file(source) as opened:
        convert(opened, tmp_path / "out.tif")
    assert (source.read_bytes(), source.stat().st_mtime_ns, source.stat().st_ino) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "out.tif"]


@pytest.mark.parametrize("options", [{}, {"bigtiff": "YES"}])
def test_tags_of_domains_stay_beside_those_of_bands_in_either_flavour(tmp_path, options):
    source = put(tmp_path / "a.tif", noise(2, "int16"), finish=tagged, **options)
    with open_file(source) as opened:
        convert(opened, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as new:
        assert new.tags(ns="FLIGHT") == {"PILOT": "Ä & Ö"}
        assert new.tags(1, ns="CALIBRATION") == {"GAIN": "2"}
        assert new.tags(2)["SENSOR"] == "x"


def test_tags_of_domains_stay_where_bands_have_none(tmp_path):
    source = put(tmp_path / "a.tif", noise(1, "int16"), finish=lambda raster: raster.update_tags(ns="X", A="1"))
    with open_file(source) as opened:
        convert(opened, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as new:
        assert new.tags(ns="X") == {"A": "1"}
