import pytest

from gateway.cog import inspect
from gateway.files import open_file
from tests.cog.tiffs import BytesSource, pyramid, write

GEOREFERENCED = "<PAMDataset><SRS>EPSG:3857</SRS><GeoTransform>0,1,0,0,0,-1</GeoTransform></PAMDataset>"
STATISTICS = "<PAMDataset><PAMRasterBand band='1'><Metadata/></PAMRasterBand></PAMDataset>"


@pytest.fixture
def warned(tmp_path):
    def judge(**files):
        path = tmp_path / "dem.tif"
        path.write_bytes(write(pyramid()))
        for suffix, text in files.items():
            (tmp_path / ("dem.tif." + suffix.replace("_", "."))).write_text(text)
        with open_file(path) as source:
            report = inspect(source, siblings=frozenset(p.name for p in tmp_path.iterdir())).report
        assert report.valid
        return {found.rule for found in report.warnings}

    return judge


def test_overviews_and_masks_beside_a_file_are_warnings(warned):
    assert warned() == set()
    assert warned(ovr="x") == {"sidecar-overviews"}
    assert warned(msk="x") == {"sidecar-overviews", "sidecar-mask"}


def test_georeferencing_beside_a_file_is_a_warning_and_statistics_are_not(warned):
    assert warned(aux_xml=STATISTICS) == set()
    assert warned(aux_xml=GEOREFERENCED) == {"sidecar-georeferencing"}


def test_sidecars_of_other_files_are_no_finding(warned, tmp_path):
    for name in ("other.tif.ovr", "other.tif.aux.xml", "dem.ovr"):
        (tmp_path / name).write_text(GEOREFERENCED)
    assert warned() == set()


def test_a_sidecar_that_cannot_be_read_is_no_finding(tmp_path):
    (tmp_path / "a.tif").write_bytes(write(pyramid()))
    source = BytesSource(write(pyramid()), str(tmp_path / "a.tif"))
    assert inspect(source, siblings=frozenset({"a.tif.aux.xml"})).report.findings == ()
    (tmp_path / "a.tif.aux.xml").mkdir()
    assert inspect(source, siblings=frozenset({"a.tif.aux.xml"})).report.findings == ()
