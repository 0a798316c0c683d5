import pytest

from gateway.cog import inspect
from tests.cog.tiffs import GEO, BytesSource, pyramid, write


def with_metadata(text, number=0):
    images = pyramid()
    images[number].tags = {**images[number].tags, 42112: (2, f"<GDALMetadata>{text}</GDALMetadata>\0".encode())}
    return write(images)


HOSTILE = [
    '<Item name="OVERVIEW_FILE" domain="OVERVIEWS">/etc/hostname</Item>',
    "<Item name='OVERVIEW_FILE' domain='OVERVIEWS'>x</Item>",
    '<Item domain="overviews" name="overview_file">x</Item>',
    '<Item name="x" domain = "&#79;VERVIEWS">x</Item>',
    '<Item name="OVERVIEW&#x5F;FILE" domain="other">x</Item>',
    "<Item name=a domain=OVERVIEWS>x</Item>",
    '<Item name="0" domain="ProxyOverviewRequest">x</Item>',
]


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("text", HOSTILE)
def test_overviews_in_another_file_are_an_error_before_gdal_sees_it(text, number):
    # The path does not exist: if GDAL were asked, there would be another finding.
    inspection = inspect(BytesSource(with_metadata(text, number)))
    assert [found.rule for found in inspection.report.findings] == ["refers-to-other-file"]
    assert inspection.raster is None
    assert inspection.report.errors[0].ifd == number


def test_a_file_in_strips_is_searched_as_well(errors_of):
    tags = {**GEO, 273: (4, (8,)), 42112: (2, f"<GDALMetadata>{HOSTILE[0]}</GDALMetadata>\0".encode())}
    assert errors_of(write(pyramid(tags=tags))) == {"refers-to-other-file"}


@pytest.mark.parametrize(
    "text", [b"<Item", b"\xff", b"<a \xff='1'></a>", b"<GDALMetadata><Item>\xfc</Item></GDALMetadat\xfc>", b""]
)
def test_metadata_that_is_neither_utf8_nor_xml_is_an_error(errors_of, text):
    entity = b"<!DOCTYPE a [<!ENTITY b '\xff'>]><a>&b;</a>"
    assert errors_of(write(pyramid(tags={**GEO, 42112: (2, text + b"\xff\0")}))) == {"metadata-damaged"}
    assert errors_of(write(pyramid(tags={**GEO, 42112: (2, entity + b"\0")}))) == {"metadata-damaged"}


def test_latin_1_in_metadata_is_no_finding(report_of):
    text = "<GDALMetadata><Item name='NAME'>Gel\xe4nde</Item></GDALMetadata>\0".encode("latin-1")
    assert report_of(write(pyramid(tags={**GEO, 42112: (2, text)}))).findings == ()


@pytest.mark.parametrize(
    "text",
    [
        '<Item name="NOTE">overviews made by average, no OVERVIEW_FILE</Item>',
        '<Item name="OVERVIEW_RESAMPLING">nearest</Item>',
        '<Item name="STATISTICS_MEAN" sample="0">4</Item>',
    ],
)
def test_other_metadata_is_no_finding(report_of, text):
    assert report_of(with_metadata(text)).findings == ()
