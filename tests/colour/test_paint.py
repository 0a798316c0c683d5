"""Pictures drawn the fast way beside those of rio-tiler, for one style after the other."""

import warnings

import numpy as np
import pytest
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader
from rio_tiler.profiles import img_profiles

from gateway.colour.model import Stretch, Style, TileFormat
from gateway.colour.paint import picture, resolved
from gateway.errors import BadParameter, CannotBeDrawn
from gateway.reading.source import Drawn
from tests.tiles.rasters import engine_of, handle_of, landscape, utm, write
from tests.tiles.test_engine import address_over, decoded

PNG, JPEG, WEBP = TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP
RAMP = tuple(cmap.get("viridis").items())


def rgba(body):
    """Return any picture as RGBA, (4, rows, cols); what is transparent has no colour."""
    pixels = decoded(body).astype(int)
    opaque = np.full_like(pixels[:1], 255)
    pixels = {1: lambda p: [*p] * 3 + [*opaque], 2: lambda p: [p[0]] * 3 + [p[1]], 3: lambda p: [*p, *opaque]}.get(
        len(pixels), lambda p: [*p]
    )(pixels)
    pixels = np.stack(pixels)
    return np.where(pixels[3] == 0, 0, pixels)


def both(path, style, format, zoom):
    """Return the picture of the engine, which must have been drawn the fast way, and that of rio-tiler."""
    address = address_over(path, zoom)
    with engine_of(path) as (engine, record):
        ours = engine.tile(record, address, style, format)
    assert ours.way == "hot"
    return ours.body, rio_tilers(path, address, style, ours.format)


def rio_tilers(path, address, style, format):
    """Return the picture that rio-tiler makes by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Reader(str(path)) as reader:
            options = {"indexes": style.bidx or None, "nodata": style.nodata}
            image = reader.tile(address.x, address.y, address.z, tilesize=256, **options)
    if style.rescale:
        image.rescale(style.rescale)
    colours = cmap.get(style.colormap_name) if style.colormap_name else style.colormap
    if colours and not isinstance(colours, dict):
        colours = list(colours) if isinstance(colours[0][0], tuple) else dict(colours)
    if format is TileFormat.TIF:
        return image.render(style.return_mask, "GTIFF", colours)
    return image.render(style.return_mask, format.upper(), colours, **img_profiles[format.value])


# A raster with wide steps: what half a pixel beside may change is little.
def steps(bands, dtype="uint8", top=200):
    values = np.kron(np.arange(12 * 15).reshape(12, 15) % 13, np.ones((50, 50))) * top / 13 + 1
    return np.stack([np.roll(values, 50 * b, axis=1) for b in range(bands)]).astype(dtype)


@pytest.mark.parametrize(
    ("bands", "dtype", "style", "zoom"),
    [
        (3, "uint8", Style(), 12),
        (3, "uint8", Style(), 10),
        (1, "uint8", Style(), 10),
        (3, "uint8", Style(bidx=(3, 1, 2)), 10),
        (3, "uint8", Style(rescale=((20, 180),)), 10),
        (3, "uint8", Style(rescale=((20, 180), (0, 100), (50, 60))), 10),
        (3, "uint8", Style(return_mask=False), 10),
        (1, "uint16", Style(rescale=((0, 3000),)), 10),
        (1, "uint16", Style(rescale=((0, 3000),), colormap=RAMP), 10),
        (1, "int16", Style(rescale=((-100, 2000),), colormap_name="terrain"), 12),
        (1, "float32", Style(rescale=((-100.5, 2000.25),)), 10),
        (1, "uint8", Style(colormap=((1, (9, 8, 7, 255)), (16, (1, 2, 3, 255)), (31, (250, 0, 0, 100)))), 12),
        (1, "uint8", Style(colormap=(((0, 50), (9, 8, 7, 255)), ((50, 120), (1, 2, 3, 255)))), 12),
        (1, "uint8", Style(nodata=16), 12),
    ],
)
def test_a_png_is_that_of_rio_tiler(tmp_path, bands, dtype, style, zoom):
    path = write(tmp_path / "a.tif", steps(bands, dtype, 200 if dtype == "uint8" else 3000), utm())
    ours, theirs = both(path, style, PNG, zoom)
    drawn, expected = rgba(ours), rgba(theirs)
    assert drawn.shape == expected.shape
    assert (drawn == expected).all(axis=0).mean() >= 0.97


@pytest.mark.parametrize(
    ("bands", "style"),
    [
        (1, Style()),
        (1, Style(rescale=((0, 3000),))),
        (1, Style(rescale=((0, 3000),), colormap_name="viridis")),
        (1, Style(colormap=(((0, 500), (9, 8, 7, 255)), ((700, 4000), (1, 2, 3, 255))))),
        (3, Style(rescale=((0, 3000),), return_mask=False)),
    ],
)
def test_a_geotiff_has_the_range_and_the_colours_that_it_is_asked_with(tmp_path, bands, style):
    path = write(tmp_path / "a.tif", steps(bands, "uint16", 3000), utm())
    address = address_over(path, 12)
    with engine_of(path) as (engine, record):
        ours = decoded(engine.tile(record, address, style, TileFormat.TIF).body)
    theirs = decoded(rio_tilers(path, address, style, TileFormat.TIF))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert (ours == theirs).all(axis=0).mean() >= 0.97


@pytest.mark.parametrize("style", [Style(colormap_name="nosuch"), Style(color_formula="nosuch R 1")])
def test_values_too_are_refused_with_colours_that_there_are_not(tmp_path, style):
    path = write(tmp_path / "a.tif", steps(1), utm())
    with engine_of(path) as (engine, record), pytest.raises(BadParameter, match="color"):
        engine.tile(record, address_over(path, 12), style, TileFormat.NPY)


@pytest.mark.parametrize("format", [JPEG, WEBP, None])
@pytest.mark.parametrize(("bands", "style"), [(3, Style()), (1, Style()), (1, Style(colormap=RAMP))])
def test_other_pictures_are_near_those_of_rio_tiler(tmp_path, bands, style, format):
    path = write(tmp_path / "a.tif", steps(bands), utm())
    ours, theirs = both(path, style, format, 12)
    drawn, expected = rgba(ours), rgba(theirs)
    assert drawn.shape == expected.shape
    assert np.abs(drawn - expected).mean() < 3
    assert len(ours) <= 1.12 * len(theirs)


def test_a_ramp_that_uses_every_colour_is_spread_where_pixels_are_masked(tmp_path):
    pixels = np.tile(np.arange(256, dtype=np.uint8).repeat(3), (1, 700, 1))
    mask = np.full(pixels.shape[1:], 255, np.uint8)
    mask[300:350] = 0
    path = write(tmp_path / "a.tif", pixels, utm(), mask=mask)
    ours, theirs = both(path, Style(colormap=RAMP), PNG, 11)
    assert ours[25] in (3, 6)
    assert (rgba(ours) == rgba(theirs)).all(axis=0).mean() >= 0.9


def view_of(path):
    with handle_of(path) as handle:
        return handle.view


def nothing():
    pytest.fail("no range is needed")


def test_a_picture_takes_three_bands_or_one(tmp_path):
    for count, expected in ((1, (1,)), (2, (1,)), (3, (1, 2, 3)), (5, (1, 2, 3))):
        view = view_of(write(tmp_path / f"{count}.tif", landscape(count, 64, 64), utm()))
        assert resolved(Style(), view, PNG, nothing).bidx == expected


def test_values_stay_as_they_are_for_raw_formats_expressions_algorithms_and_categories(tmp_path):
    view = view_of(write(tmp_path / "a.tif", landscape(1, 64, 64, "uint16"), utm()))
    categories = Style(colormap=((1, (0, 0, 0, 255)),))
    for style, format in (
        (Style(), TileFormat.TIF),
        (Style(expression="b1"), PNG),
        (Style(algorithm="hillshade"), PNG),
        (categories, PNG),
    ):
        assert resolved(style, view, format, nothing).rescale == ()


def test_the_default_range_is_that_of_the_bands_in_use(tmp_path):
    view = view_of(write(tmp_path / "a.tif", landscape(3, 64, 64, "uint16"), utm()))
    stretch = Stretch(((1, 2), (3, 4), (5, 6)))
    assert resolved(Style(bidx=(3, 1)), view, PNG, lambda: stretch).rescale == ((5, 6), (1, 2))
    assert resolved(Style(colormap=RAMP, bidx=(2,)), view, PNG, lambda: stretch).rescale == ((3, 4),)
    assert resolved(Style(rescale=((7, 8),)), view, PNG, nothing).rescale == ((7, 8),)


def test_the_default_range_is_scaled_with_the_values(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 64, 64, "uint16"), utm(), scales=(0.5,), offsets=(-10,))
    style = resolved(Style(unscale=True), view_of(path), PNG, lambda: Stretch(((100, 200),)))
    assert style.rescale == ((40, 90),)


def test_a_negative_scale_turns_the_default_range_round(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 300, 300, "uint16"), utm(), scales=(-0.5,), offsets=(10,))
    style = resolved(Style(unscale=True), view_of(path), PNG, lambda: Stretch(((100, 200),)))
    assert style.rescale == ((-90, -40),)
    with engine_of(path) as (engine, record):
        found = decoded(engine.tile(record, address_over(path, 12), Style(unscale=True), PNG).body)
    assert np.ptp(found[0]) > 100


def test_complex_values_are_no_picture(tmp_path):
    pixels = landscape(1, 300, 300, "float32") * (1 + 1j)
    path = write(tmp_path / "a.tif", pixels.astype("complex64"), utm())
    with engine_of(path) as (engine, record):
        address = address_over(path, 12)
        with pytest.raises(CannotBeDrawn, match="complex"):
            engine.tile(record, address, Style(), PNG)
        assert engine.tile(record, address, Style(expression="real(b1)", rescale=((0, 9),)), PNG).way == "rio-tiler"


@pytest.mark.parametrize("pixels", [2, 4])
def test_a_picture_of_another_number_of_bands_is_refused_where_its_format_has_none(pixels):
    drawn = Drawn(np.ones((pixels, 4, 4), np.uint8), None)
    for format in (JPEG, WEBP):
        if (pixels, format) != (4, WEBP):
            with pytest.raises(BadParameter, match="bidx"):
                picture(drawn, Style(), None, format)
    assert picture(drawn, Style(), None, PNG).body


def test_of_too_few_ranges_the_first_is_for_all_bands():
    drawn = Drawn(np.full((3, 4, 4), 10, np.uint8), None)
    assert np.array_equal(
        decoded(picture(drawn, Style(rescale=((0, 20), (0, 10))), None, PNG).body),
        decoded(picture(drawn, Style(rescale=((0, 20),)), None, PNG).body),
    )


@pytest.mark.parametrize("bidx", [(0,), (4,), (-1,)])
def test_bands_that_are_not_there_are_refused(tmp_path, bidx):
    view = view_of(write(tmp_path / "a.tif", landscape(3, 64, 64), utm()))
    with pytest.raises(BadParameter, match="bidx: this dataset has the bands 1 to 3"):
        resolved(Style(bidx=bidx), view, PNG, nothing)
