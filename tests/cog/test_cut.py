"""Parts of files as true COGs: the pixels of the window, all that the file says of them, and the same bytes each time."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from rasterio.shutil import copy
from rasterio.windows import Window

from gateway.cog import inspect
from gateway.cog.cut import write_part
from gateway.cog.layout import read_layout
from gateway.cog.parts import Part, PartTooLarge
from gateway.cog.tags import Tag
from gateway.files import open_file
from gateway.ground.coverage import text_of

GRID = Affine(10, 0, 500_000, 0, -10, 5_000_000)
XMP = "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
PART = (70, 37, 150, 140)
WINDOW = Window(*PART)


def cog(path, pixels, describe=lambda raster: None, options=(), **profile):
    """Write a COG of 128 x 128 blocks; `describe` is called before the pixels are written."""
    striped = path.with_suffix(".striped.tif")
    count, height, width = pixels.shape
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(
            striped, "w", driver="GTiff", width=width, height=height, count=count, dtype=pixels.dtype,
            **(profile if "gcps" in profile else {"crs": "EPSG:32633", "transform": GRID, **profile}),
        ) as raster:  # fmt: skip
            describe(raster)
            raster.write(pixels)
        copy(striped, path, driver="COG", BLOCKSIZE=128, RESAMPLING="NEAREST", **dict(options))
    return path


def cut(path, target, bands, edges=None):
    with open_file(path) as source, rasterio.open(path) as raster:
        write_part(raster, read_layout(source), Part(*PART, bands, edges), target)
    with open_file(target) as made:
        report = inspect(made).report
    assert report.valid
    return target


def noise(dtype, count=1, most=120):
    return np.random.default_rng(1).integers(0, most, (count, 300, 280)).astype(dtype)


def told_much(raster):
    raster.update_tags(SURVEY="north", AREA_OR_POINT="Point")
    raster.update_tags(ns="MINE", a="b")
    raster.update_tags(ns="xml:XMP", **{"xml:XMP": XMP})
    raster.update_tags(1, STATISTICS_MEAN="3", KIND="of band 1")
    raster.descriptions, raster.units = ("red", "nir"), ("m", "K")
    raster.scales, raster.offsets = (0.1, 2.0), (1.0, 2.0)
    raster.rpcs = RPC(5, 6, 45, 1, [1.0] * 20, [1.0] * 20, 500, 100, 15, 1, [1.0] * 20, [1.0] * 20, 400, 100)


def test_all_that_the_file_says_of_the_pixels_is_kept_and_bytes_are_the_same_each_time(tmp_path):
    source = cog(tmp_path / "a.tif", noise("int16", 2), told_much, {"COMPRESS": "ZSTD"}, nodata=-9)
    made, again = (cut(source, tmp_path / name, (1, 2)) for name in ("b.tif", "c.tif"))
    assert made.read_bytes() == again.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.striped.tif", "a.tif", "b.tif", "c.tif"]
    with rasterio.open(source) as old, rasterio.open(made) as new:
        assert np.array_equal(new.read(), old.read(window=WINDOW))
        for name in ("crs", "nodata", "dtypes", "descriptions", "units", "scales", "offsets", "colorinterp"):
            assert getattr(new, name) == getattr(old, name), name
        assert new.transform == old.window_transform(WINDOW)
        assert new.tags() == {"SURVEY": "north", "AREA_OR_POINT": "Point"}
        assert (new.profile["compress"], new.block_shapes[0]) == ("zstd", (128, 128))
        assert (new.rpcs.line_off, new.rpcs.samp_off) == (old.rpcs.line_off - 37, old.rpcs.samp_off - 70)
        assert new.tags(ns="xml:XMP")["xml:XMP"] == XMP
    # The COG driver drops the domains of its source, unless it is told to drop tags of bands instead.
    source = cog(tmp_path / "d.tif", noise("int16", 2), told_much, {"COPY_SRC_MDD": "YES"})
    with rasterio.open(cut(source, tmp_path / "e.tif", (2,))) as new:
        assert (new.tags(ns="MINE"), new.descriptions, new.units) == ({"a": "b"}, ("nir",), ("K",))


def test_tags_of_a_band_follow_it_and_what_tells_of_all_pixels_is_left_out(tmp_path):
    with rasterio.open(cut(tagged(tmp_path), tmp_path / "out.tif", (2, 1))) as new:
        assert (new.tags(2), new.tags(1)) == ({"KIND": "of band 1"}, {})


def tagged(folder):
    def describe(raster):
        raster.update_tags(1, STATISTICS_MEAN="3", KIND="of band 1")

    return cog(folder / "tagged.tif", noise("uint8", 2), describe)


@pytest.mark.parametrize("dtype", ["complex64", "float32"])
def test_a_rotated_grid_and_nan_are_kept(tmp_path, dtype):
    turned = GRID * Affine.rotation(30)
    source = cog(tmp_path / "a.tif", noise(dtype), transform=turned, nodata=float("nan"))
    with rasterio.open(source) as old, rasterio.open(cut(source, tmp_path / "out.tif", (1,))) as new:
        assert np.array_equal(new.read(), old.read(window=WINDOW))
        assert new.transform.almost_equals(turned * Affine.translation(70, 37))
        assert np.isnan(new.nodata)


def test_what_jpeg_left_is_stored_without_loss(tmp_path):
    pixels = (np.indices((3, 300, 280)).sum(axis=0) % 256).astype("uint8")
    source = cog(tmp_path / "a.tif", pixels, options={"COMPRESS": "JPEG"}, photometric="RGB")
    with rasterio.open(source) as old, rasterio.open(cut(source, tmp_path / "out.tif", (1, 2, 3))) as new:
        assert np.array_equal(new.read(), old.read(window=WINDOW))
        assert (new.profile["compress"], new.colorinterp) == ("deflate", old.colorinterp)


def test_bits_palettes_and_ground_control_points_are_kept(tmp_path):
    points = [GroundControlPoint(r, c, 15 + c / 1000, 45 - r / 1000) for r, c in ((0, 0), (0, 280), (300, 0))]

    def describe(raster):
        raster.write_colormap(1, {0: (1, 2, 3, 255), 1: (9, 8, 7, 255)})

    source = cog(tmp_path / "a.tif", noise("uint8", 1, 2), describe, gcps=points, crs="EPSG:4326")
    with rasterio.open(source) as old, rasterio.open(cut(source, tmp_path / "out.tif", (1,))) as new:
        assert np.array_equal(new.read(), old.read(window=WINDOW))
        assert (new.colormap(1)[1], new.colorinterp) == ((9, 8, 7, 255), (ColorInterp.palette,))
        assert [(p.row, p.col, p.x) for p in new.gcps[0]] == [(p.row - 37, p.col - 70, p.x) for p in old.gcps[0]]
        assert new.transform.is_identity
    bits = cog(tmp_path / "bits.tif", noise("uint8", 1, 2), NBITS=1)
    with rasterio.open(cut(bits, tmp_path / "out.tif", (1,))) as new:
        assert new.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "1"


# In columns and rows of the file.
TRIANGLE = text_of(np.array([[100.0, 70, 200, 70], [200, 70, 100, 160], [100, 160, 100, 70]]).T)


def test_outside_of_polygons_there_are_no_data(tmp_path):
    plain = cog(tmp_path / "plain.tif", noise("uint8") + 1)
    empty = cog(tmp_path / "empty.tif", noise("uint8") + 1, nodata=0)
    clear = cog(
        tmp_path / "clear.tif", np.concatenate([noise("uint8", 3), np.full((1, 300, 280), 255, "uint8")]),
        lambda raster: setattr(raster, "colorinterp", [ColorInterp[name] for name in ("red", "green", "blue", "alpha")]),
        photometric="RGB",
    )  # fmt: skip
    masks = []
    for source in (plain, empty, clear):
        with rasterio.open(source) as old:
            bands = old.indexes
        with rasterio.open(cut(source, tmp_path / "out.tif", bands, TRIANGLE)) as new:
            masks.append(new.dataset_mask())
            inside = masks[-1] == 255
            with rasterio.open(source) as old:
                assert np.array_equal(new.read()[:, inside], old.read(window=WINDOW)[:, inside])
    assert 0 < (masks[0] == 255).mean() < 0.5
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], masks[2])


def test_a_mask_is_kept_and_many_bands_are_written_a_few_at_a_time(tmp_path, monkeypatch):
    mask = np.tri(300, 280, dtype=bool)
    source = cog(tmp_path / "a.tif", noise("uint8", 7), lambda raster: raster.write_mask(mask))
    monkeypatch.setattr("gateway.cog.cut.CHUNK_BYTES", 3 * 128 * 128)
    with rasterio.open(source) as old, rasterio.open(cut(source, tmp_path / "out.tif", tuple(old.indexes))) as new:
        assert np.array_equal(new.read(), old.read(window=WINDOW))
        assert np.array_equal(new.dataset_mask(), old.dataset_mask(window=WINDOW))


def test_what_is_too_large_says_both_sizes():
    error = PartTooLarge(3 << 20, 2 << 20)
    assert error.detail == "The part has 3.0 MiB of decoded values; the limit is 2 MiB. Ask for less of it."
    assert error.members == {"asked_bytes": 3 << 20, "limit_bytes": 2 << 20}


VRT = """<VRTDataset rasterXSize="280" rasterYSize="300"><SRS>EPSG:32633</SRS>
<GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>
<VRTRasterBand dataType="{kind}" band="1"><NoDataValue>{nodata}</NoDataValue>
<SimpleSource><SourceFilename>{name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize(
    ("kind", "nodata"), [("UInt64", 2**64 - 1), ("Int64", -(2**63)), ("UInt64", 2**53 + 1), ("Int64", -9)]
)
def test_a_nodata_value_of_64_bits_is_kept_to_its_last_digit(tmp_path, kind, nodata):
    name = cog(tmp_path / "plain.tif", noise(kind.lower()))
    path = tmp_path / "source.tif"
    copy(VRT.format(kind=kind, nodata=nodata, name=name), path, driver="COG", BLOCKSIZE=128, RESAMPLING="NEAREST")
    made = cut(path, tmp_path / "out.tif", (1,), TRIANGLE)
    with open_file(made) as source:
        assert read_layout(source).main.text(Tag.GDAL_NODATA) == str(nodata)
    with rasterio.open(made) as new:
        assert new.read(1)[-1, -1] == nodata
