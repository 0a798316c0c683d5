"""Query parameters of tiles: TiTiler's, and every malformed one is named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter
from gateway.ground.address import TileAddress
from gateway.tiles import parameters


def arguments(**values):
    return {
        name: [str(each).encode() for each in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
    }


def test_nothing_said_is_titilers_default():
    assert parameters.style_of({}) == Style()
    assert parameters.address_of("WebMercatorQuad", ("3", "2", "1"), None, {}) == TileAddress(
        "WebMercatorQuad", 3, 2, 1
    )


@pytest.mark.parametrize(("values", "field", "expected"), [
    ({"bidx": [3, 1]}, "bidx", (3, 1)),
    ({"expression": "(b1-b2)/(b1+b2)"}, "expression", "(b1-b2)/(b1+b2)"),
    ({"nodata": "-9999"}, "nodata", -9999.0),
    ({"unscale": "True"}, "unscale", True),
    ({"return_mask": "0"}, "return_mask", False),
    ({"resampling": "cubic_spline"}, "resampling", "cubic_spline"),
    ({"reproject": "lanczos"}, "reproject", "lanczos"),
    ({"rescale": ["0,10", "1,20"]}, "rescale", ((0.0, 10.0), (1.0, 20.0))),
    ({"rescale": "0,10,1,20"}, "rescale", ((0.0, 10.0), (1.0, 20.0))),
    ({"color_formula": "gamma R 2.0"}, "color_formula", "gamma R 2.0"),
    ({"colormap_name": "Viridis"}, "colormap_name", "viridis"),
    ({"colormap": '{"1": "#ff0080"}'}, "colormap", ((1, (255, 0, 128, 255)),)),
    ({"colormap": '{"1": [1, 2, 3, 4]}'}, "colormap", ((1, (1, 2, 3, 4)),)),
    ({"colormap": "[[[0, 1.5], [1, 2, 3]]]"}, "colormap", (((0.0, 1.5), (1, 2, 3, 255)),)),
    ({"unknown": "x"}, "bidx", ()),
])  # fmt: skip
def test_each_parameter_has_its_place_in_the_style(values, field, expected):
    assert getattr(parameters.style_of(arguments(**values)), field) == expected


def test_nodata_may_be_nan():
    assert math.isnan(parameters.style_of(arguments(nodata="nan")).nodata)


@pytest.mark.parametrize(("name", "value"), [
    ("bidx", "0"), ("bidx", "x"), ("bidx", "-1"), ("bidx", "1" * 5000), ("nodata", "x"), ("nodata", "inf"),
    ("unscale", "maybe"), ("resampling", "Nearest"), ("reproject", "gauss"), ("rescale", "1"), ("rescale", "2,1"),
    ("rescale", "nan,1"), ("rescale", "a,b"), ("color_formula", "os.system('x')"), ("expression", "__import__('os')"),
    ("expression", "b1+" * 1000), ("colormap", "x"), ("colormap", "{}"), ("colormap", "[" * 100_000), ("colormap", "3"),
    ("colormap", '{"1": "red"}'), ("colormap", '{"1": [1, 2]}'), ("colormap", '{"1": [1, 2, 300]}'),
    ("return_mask", "2"),
])  # fmt: skip
def test_a_malformed_parameter_is_named(name, value):
    with pytest.raises(BadParameter, match=name):
        parameters.style_of(arguments(**{name: value}))


@pytest.mark.parametrize(("scale", "values"), [
    ("0", {}), ("5", {}), (None, {"tilesize": "0"}), (None, {"tilesize": "4096"}), (None, {"tilesize": "x"}),
    (None, {"buffer": "-1"}), (None, {"buffer": "0.3"}), (None, {"buffer": "65"}), (None, {"buffer": "nan"}),
])  # fmt: skip
def test_a_tile_has_a_bounded_size(scale, values):
    with pytest.raises(BadParameter):
        parameters.address_of("WebMercatorQuad", ("0", "0", "0"), scale, arguments(**values))


def test_scale_size_and_buffer_are_of_the_address():
    found = parameters.address_of("X", ("1", "0", "0"), "2", arguments(tilesize=512, buffer=0.5))
    assert (found.scale, found.tilesize, found.buffer, found.size) == (2, 512, 0.5, 1024)


def test_formats_have_their_names_and_jpg_is_one():
    assert parameters.format_of("jpg") is TileFormat.JPEG
    assert parameters.format_of("png") is TileFormat.PNG
    assert parameters.format_of(None) is None
    with pytest.raises(BadParameter, match="png, jpeg, webp, tif, npy"):
        parameters.format_of("gif")


NAMES = [
    "bidx",
    "expression",
    "nodata",
    "unscale",
    "rescale",
    "color_formula",
    "colormap",
    "colormap_name",
    "tilesize",
]


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.binary(max_size=40), min_size=1, max_size=3)))
def test_whatever_is_sent_is_a_style_or_a_bad_parameter(sent):
    try:
        parameters.style_of(sent)
        parameters.address_of("X", ("0", "0", "0"), None, sent)
    except BadParameter:
        pass


@pytest.mark.parametrize(("text", "colour"), [("#fff", (255, 255, 255, 255)), ("#1234", (17, 34, 51, 68))])
def test_a_short_colour_has_one_digit_for_each_part(text, colour):
    assert parameters.style_of({"colormap": [f'{{"1": "{text}"}}'.encode()]}).colormap == ((1, colour),)


@pytest.mark.parametrize("kernel", ["max", "min", "med", "q1", "q3"])
def test_every_kernel_of_a_warp_is_taken(kernel):
    assert parameters.style_of({"reproject": [kernel.encode()]}).reproject == kernel


def test_the_plain_style_of_a_document_is_no_colour_map():
    assert parameters.style_of({"colormap_name": [b"default"]}).colormap_name is None
