import numpy as np
import pytest
import rasterio

from gateway.cog import inspect
from gateway.cog.convert import convert
from gateway.cog.domains import Item, add_items, items_of
from gateway.cog.layout import read_layout
from gateway.files import open_file
from tests.cog.tiffs import BytesSource, pyramid, write
from tests.rasters import write_striped


def items(text, **tags):
    raw = text if isinstance(text, bytes) else text.encode()
    data = write(pyramid(tags={**pyramid()[0].tags, 42112: (2, tuple(raw)), **tags}))
    return items_of(read_layout(BytesSource(data)))


def test_items_are_taken_as_they_stand_with_their_attributes():
    text = (
        '<GDALMetadata>\n  <Item name="A">1 &lt; 2</Item>\n'
        '  <Item name="B" sample="0" domain="X"  >é</Item >\n  <Item name="C" format="xml" domain="xml:Y"><y><z/></y></Item>\n'
        "</GDALMetadata>\n\0ignored"
    )
    assert items(text) == (
        Item(b'<Item name="A">1 &lt; 2</Item>', {"name": "A"}),
        Item(
            '<Item name="B" sample="0" domain="X"  >é</Item >'.encode(), {"name": "B", "sample": "0", "domain": "X"}
        ),
        Item(
            b'<Item name="C" format="xml" domain="xml:Y"><y><z/></y></Item>',
            {"name": "C", "format": "xml", "domain": "xml:Y"},
        ),
    )


def test_bytes_of_another_encoding_stay_as_they_are():
    (item,) = items(b'<GDALMetadata><Item name="A" domain="X">caf\xe9</Item></GDALMetadata>')
    assert item.raw == b'<Item name="A" domain="X">caf\xe9</Item>'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<GDALMetadata><Item>",
        '<GDALMetadata><Item name="A" domain=">"/></GDALMetadata>',
        '<Item><Item name="A" domain="X"/></Item>',
        '<GDALMetadata><Other name="A" domain="X">a</Other></GDALMetadata>',
        '<!DOCTYPE x [<!ENTITY a "b">]><GDALMetadata><Item name="A" domain="X">&a;</Item></GDALMetadata>',
    ],
)
def test_what_holds_nothing_or_is_no_plain_xml_has_no_items(text):
    assert items(text) == ()


def test_a_file_without_metadata_has_no_items():
    assert items_of(read_layout(BytesSource(write(pyramid())))) == ()


@pytest.mark.parametrize(
    ("attributes", "of_domain", "of_band"),
    [
        ({"name": "A"}, False, False),
        ({"name": "A", "sample": "0"}, False, True),
        ({"name": "A", "sample": "0", "role": "scale"}, False, False),
        ({"name": "A", "sample": "0", "domain": "X"}, True, False),
        ({"name": "A", "domain": "X"}, True, False),
        ({"name": "A", "domain": ""}, False, False),
        ({"name": "A", "domain": "IMAGE_STRUCTURE"}, False, False),
        ({"name": "A", "domain": "TILING_SCHEME"}, False, False),
    ],
)
def test_items_of_other_domains_and_of_bands_are_told_apart(attributes, of_domain, of_band):
    item = Item(b"", attributes)
    assert (item.of_domain, item.of_band) == (of_domain, of_band)


@pytest.mark.parametrize("length", [1, 14, 5_000, 300_000])
def test_a_text_of_any_length_finds_its_room_and_the_pixels_stay(tmp_path, length, monkeypatch):
    monkeypatch.setattr("gateway.cog.domains.MOVE_BYTES", 1000)
    pixels = np.random.default_rng(1).integers(0, 200, (1, 600, 700)).astype("uint8")
    source = write_striped(tmp_path / "a.tif", pixels)
    with rasterio.open(source, "r+") as raster:
        raster.update_tags(1, UNIT="m")
    with open_file(source) as opened:
        convert(opened, tmp_path / "out.tif")
    text = "x" * length
    add_items(tmp_path / "out.tif", (Item(f'<Item name="A" domain="X">{text}</Item>'.encode(), {}),))
    with open_file(tmp_path / "out.tif") as made:
        assert inspect(made, depth="full").report.findings == ()
    with rasterio.open(tmp_path / "out.tif") as made:
        assert (made.tags(ns="X"), made.tags(1)) == ({"A": text}, {"UNIT": "m"})
        assert np.array_equal(made.read(), pixels)
