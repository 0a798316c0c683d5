"""What is valid is valid on every way: nodata of file and caller, masks, alpha and NaN, in tiles, previews and parts."""

import io
import math

import numpy as np
import pytest
from affine import Affine

from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter, CannotBeDrawn, NoPlace
from gateway.tiles import facts, pictures
from tests.tiles.rasters import UTM, engine_of, landscape, utm, write
from tests.tiles.test_engine import address_over, decoded

NPY, PNG = TileFormat.NPY, TileFormat.PNG
# Of 400 x 300 pixels.
BOUNDS = 500_000, 5_291_000, 512_000, 5_300_000
# Each of these reads in its own way, and none of them changes what is valid.
WAYS = {
    "plain": Style(),
    "expression": Style(expression="b1*1"),
    "gdal": Style(reproject="cubic", resampling="cubic"),
    # Of numbers that are no integers a formula asks for a range first.
    "formula": Style(color_formula="gamma R 1.1", rescale=((0, 255),), bidx=(1,)),
}


def holes(kind):
    """Return pixels, options of writing, and a style: a hole of rows 100 to 199 by each means, one by nodata 77."""
    rows, cols = 300, 400
    seen = np.full((rows, cols), 255, np.uint8)
    seen[100:200, 100:300] = 0
    options, style = {}, {}
    pixels = landscape(1, rows, cols).clip(100, 250)
    if "nodata of the file" in kind:
        pixels[:, 220:260] = 77
        options["nodata"] = 77
    if "nodata of the caller" in kind:
        pixels[:, 220:260] = 77
        style["nodata"] = 77
    if "alpha" in kind:
        pixels = np.concatenate([np.repeat(pixels, 3, axis=0), seen[None]])
        options["alpha"] = True
    if "mask" in kind:
        options["mask"] = seen
    if "NaN" in kind:
        pixels = pixels.astype("float32")
        pixels[:, 100:200, 100:300] = math.nan
    return pixels, options, style


KINDS = (
    "mask", "alpha", "NaN", "nodata of the file", "nodata of the caller", "nodata of the file, alpha",
    "nodata of the caller, alpha", "nodata of the caller, mask", "nodata of the file, mask", "NaN, nodata of the file",
)  # fmt: skip


def expected_share(kind):
    share = 1.0
    if any(name in kind for name in ("mask", "alpha", "NaN")):
        share -= 100 * 200 / (300 * 400)
    if "nodata" in kind:
        share -= 40 / 300
    return share


@pytest.mark.parametrize("kind", KINDS)
def test_a_pixel_is_valid_by_one_rule_on_every_way(tmp_path, kind):
    pixels, options, style = holes(kind)
    path = write(tmp_path / "a.tif", pixels, utm(), **options)
    found = {}
    with engine_of(path) as (engine, record):
        for way, look in WAYS.items():
            wanted = Style(**{**{name: getattr(look, name) for name in look.__slots__}, **style})
            pictured = engine.resolved(record, wanted, PNG)
            for name, work in {
                "preview": lambda h, s=wanted: pictures.preview(h, s, (None, 400, 300), NPY),
                "part": lambda h, s=wanted: pictures.part(h, BOUNDS, (UTM, UTM), s, (None, 400, 300), NPY),
            }.items():
                mask = np.load(io.BytesIO(engine.lend(record, work).body))[-1]
                found[way, name] = float((mask > 0).mean())
            body = engine.lend(record, lambda h, s=pictured: pictures.preview(h, s, (None, 400, 300), PNG)).body
            found[way, "png"] = float((decoded(body)[-1] > 0).mean())
        told = engine.lend(record, lambda h: facts.statistics(h, Style(bidx=(1,), **style), (400, None, None)))
        found["statistics"] = told["b1"]["valid_percent"] / 100
    assert found == {what: pytest.approx(expected_share(kind), abs=0.01) for what in found}


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_of_every_way_have_the_same_holes(tmp_path, kind):
    pixels, options, style = holes(kind)
    path = write(tmp_path / "a.tif", pixels, utm(), **options)
    masks = {}
    with engine_of(path) as (engine, record):
        address = address_over(path, 11)
        for way, look in WAYS.items():
            wanted = Style(**{**{name: getattr(look, name) for name in look.__slots__}, **style})
            masks[way] = decoded(engine.tile(record, address, wanted, PNG).body)[-1] > 0
        masks["values"] = np.load(io.BytesIO(engine.tile(record, address, Style(**style), NPY).body))[-1] > 0
    assert 0.05 < masks["plain"].mean() < 0.9
    for way, mask in masks.items():
        # A kernel reaches a pixel further.
        assert (mask != masks["plain"]).mean() <= (0.03 if way == "gdal" else 0.001), way


def test_soft_alpha_keeps_its_steps_and_its_colours_on_every_way(tmp_path):
    pixels = np.full((4, 300, 400), 120, np.uint8)
    pixels[3] = 127
    path = write(tmp_path / "a.tif", pixels, utm(), alpha=True)
    with engine_of(path) as (engine, record):
        for look in (Style(), Style(reproject="cubic"), Style(expression="b1;b2;b3")):
            style = Style(**{**{name: getattr(look, name) for name in look.__slots__}, "rescale": ((0, 255),)})
            found = decoded(engine.tile(record, address_over(path, 13), style, PNG).body)
            assert set(np.unique(found[3])) == {127}
            assert set(np.unique(found[:3])) == {120}


@pytest.mark.parametrize("nodata", [math.nan, -1, 999])
def test_a_nodata_value_that_no_pixel_has_is_refused_on_every_way(tmp_path, nodata):
    path = write(tmp_path / "a.tif", landscape(1, 100, 100), utm())
    with engine_of(path) as (engine, record):
        for format in (PNG, NPY):
            with pytest.raises(BadParameter, match="nodata"):
                engine.tile(record, address_over(path, 12), Style(nodata=nodata), format)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_has_no_place_has_facts_and_a_preview(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 100, 120), Affine(5e-324, 0, 15, 0, -5e-324, 42), "EPSG:4326")
    with engine_of(path) as (engine, record):
        assert engine.lend(record, facts.info)["width"] == 120
        assert engine.lend(record, lambda h: pictures.preview(h, Style(), (64, None, None), PNG)).body
        for work in (
            lambda h: facts.on_map(h, "WebMercatorQuad"),
            lambda h: facts.point(h, (15.0, 42.0), None, Style()),
            lambda h: pictures.part(h, (14, 41, 16, 43), (None, None), Style(), (64, None, None), PNG),
        ):
            with pytest.raises(NoPlace):
                engine.lend(record, work)


def test_a_point_of_complex_values_is_refused_and_a_part_of_them_is_not(tmp_path):
    pixels = (landscape(1, 100, 100, "float32") * (1 + 2j)).astype("complex64")
    path = write(tmp_path / "a.tif", pixels, utm())
    with engine_of(path) as (engine, record):
        x, y = utm() * (50.5, 50.5)
        with pytest.raises(CannotBeDrawn, match="complex"):
            engine.lend(record, lambda h: facts.point(h, (x, y), "EPSG:32633", Style()))
        found = engine.lend(record, lambda h: facts.point(h, (x, y), "EPSG:32633", Style(expression="imag(b1)")))
    assert found["values"][0] == pytest.approx(float(pixels[0, 50, 50].imag), rel=1e-5)
