"""The sample rasters of `data/` are what their README says, and the script writes the same ones again."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Compression, MaskFlags, PhotometricInterp
from rasterio.warp import transform
from rio_cogeo import cog_validate

from scripts import make_samples

DATA = Path(__file__).parent.parent / "data"
WORLD, ELEVATION, PLAIN = (DATA / name for name in ("blue_marble.tif", "elevation.tif", "not_a_cog.tif"))
MERCATOR_EDGE = 20_037_508.342789244
CROSS_MOUNTAIN = (-84.23056, 36.19833)


def opened(path: Path, **options) -> rasterio.DatasetReader:
    return rasterio.open(path, driver="GTiff", **options)


def test_the_samples_are_small():
    assert sum(path.stat().st_size for path in DATA.glob("*.tif")) < 3_000_000


def test_every_sample_is_named_in_the_readme():
    text = (DATA / "README.md").read_text()
    names = {path.name for path in DATA.glob("*.tif")}
    assert names == {WORLD.name, ELEVATION.name, PLAIN.name}
    assert all(f"`{name}`" in text for name in names)


@pytest.mark.parametrize("path", [WORLD, ELEVATION], ids=lambda path: path.name)
def test_the_cogs_are_valid_without_a_warning(path):
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])


def test_the_plain_file_is_refused():
    valid, errors, _ = cog_validate(PLAIN, quiet=True)
    assert not valid
    assert errors == ["The file is greater than 512xH or 512xW, but is not tiled"]


def test_the_world_is_an_rgb_jpeg_in_web_mercator():
    with opened(WORLD) as world:
        assert world.crs.to_epsg() == 3857
        assert (world.width, world.height, world.dtypes) == (4096, 4096, ("uint8",) * 3)
        assert world.nodata is None
        assert world.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert (world.compression, world.photometric) == (Compression.jpeg, PhotometricInterp.ycbcr)
        assert world.mask_flag_enums == ([MaskFlags.all_valid],) * 3


def test_every_level_of_the_world_lies_on_the_tile_grid():
    with opened(WORLD) as world:
        levels = range(-1, len(world.overviews(1)))
    sizes = []
    for level in levels:
        with opened(WORLD, **({} if level < 0 else {"OVERVIEW_LEVEL": level})) as image:
            assert image.block_shapes == [(256, 256)] * 3
            assert tuple(image.bounds) == pytest.approx(
                (-MERCATOR_EDGE, -MERCATOR_EDGE, MERCATOR_EDGE, MERCATOR_EDGE)
            )
            sizes.append((image.width, image.height))
    assert sizes == [(256 * 2**zoom, 256 * 2**zoom) for zoom in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("place", "brightest"),
    [((12, 25), "red"), ((-35, 0), "blue"), ((-60, -5), "green"), ((-40, 75), "white")],
    ids=["Sahara", "Atlantic", "Amazonia", "Greenland"],
)
def test_the_world_shows_the_right_places(place, brightest):
    with opened(WORLD) as world:
        (x,), (y,) = transform("EPSG:4326", world.crs, [place[0]], [place[1]])
        row, col = world.index(x, y)
        red, green, blue = world.read()[:, row - 8 : row + 8, col - 8 : col + 8].mean(axis=(1, 2))
    levels = {"red": red, "green": green, "blue": blue}
    assert min(levels.values()) > 200 if brightest == "white" else max(levels, key=levels.get) == brightest


@pytest.mark.parametrize("path", [ELEVATION, PLAIN], ids=lambda path: path.name)
def test_the_elevation_is_int16_in_utm_with_nodata_at_its_edges(path):
    with opened(path) as elevation:
        assert elevation.crs.to_epsg() == 32616
        assert (elevation.dtypes, elevation.nodata) == (("int16",), -32768)
        assert max(elevation.width, elevation.height) > 512
        heights = elevation.read(1, masked=True)
    corners = [heights.mask[row, col] for row, col in itertools.product((0, -1), repeat=2)]
    assert all(corners)
    assert 0.02 < heights.mask.mean() < 0.1
    assert (heights.min(), heights.max()) == (237, 1075)


def test_the_highest_pixel_is_the_summit_of_cross_mountain():
    with opened(ELEVATION) as elevation:
        heights = elevation.read(1)
        row, col = np.unravel_index(heights.argmax(), heights.shape)
        x, y = elevation.xy(row, col)
        (summit_x,), (summit_y,) = transform("EPSG:4326", elevation.crs, *([v] for v in CROSS_MOUNTAIN))
    assert np.hypot(x - summit_x, y - summit_y) < 100


def test_the_elevation_has_blocks_and_overviews_and_the_plain_file_has_strips():
    with opened(ELEVATION) as cog, opened(PLAIN) as plain:
        assert (cog.block_shapes, cog.overviews(1)) == ([(256, 256)], [2, 4])
        assert (plain.block_shapes[0][1], plain.overviews(1)) == (plain.width, [])
        assert np.array_equal(cog.read(), plain.read())


def built(folder: Path, seed: int) -> Path:
    heights = np.random.default_rng(seed).integers(0, 900, (300, 400), dtype="int16")
    with make_samples.elevation_in_utm(heights, -84.4, 36.4, 1 / 1200) as memory, memory.open() as dataset:
        make_samples.save_elevation(dataset, folder / "cog.tif")
        make_samples.save_plain(dataset, folder / "plain.tif")
    return folder


def test_the_script_writes_the_same_bytes_again(tmp_path):
    folders = [tmp_path / name for name in ("first", "second", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        folder.mkdir()
        built(folder, seed)
    for name in ("cog.tif", "plain.tif"):
        first, second, other = ((folder / name).read_bytes() for folder in folders)
        assert first == second != other


def test_the_script_cuts_any_picture_of_the_world_into_the_tile_grid(tmp_path):
    picture = np.zeros((3, 90, 180), np.uint8)
    picture[0, :45] = 200
    picture[2, 45:] = 200
    with make_samples.world_in_mercator(picture) as memory, memory.open() as dataset:
        make_samples.save_world(dataset, tmp_path / "world.tif")
    assert cog_validate(tmp_path / "world.tif", strict=True, quiet=True)[0]
    with opened(tmp_path / "world.tif") as world:
        scheme = world.tags(ns="TILING_SCHEME")
        assert (scheme["NAME"].lower(), scheme["ZOOM_LEVEL"]) == ("googlemapscompatible", "4")
        north, south = world.read(window=((512, 513), (0, 4096))), world.read(window=((3584, 3585), (0, 4096)))
    assert north[0].min() > 180
    assert south[0].max() < 20


def test_the_script_finds_files_of_packages_and_says_which_package_is_missing():
    assert make_samples.package_file("numpy", "__init__.py").is_file()
    for missing in ("no_such_package_here", "json.no_such_module_here"):
        with pytest.raises(SystemExit, match=missing):
            make_samples.package_file(missing, "x")
