from types import SimpleNamespace

import numpy as np
import pytest

from gateway.cog.checks.references import _crs, _letter
from gateway.cog.layout import Limits, read_layout
from gateway.cog.tags import Tag
from gateway.files import open_file
from tests.rasters import write_cog


@pytest.mark.parametrize(
    ("crs", "found"),
    [
        ("+proj=longlat +nadgrids=/etc/secret.gsb", True),
        ("+proj=utm +zone=33", False),
        ("WGS 84 / UTM zone 33N|", False),
    ],
)
def test_a_crs_that_names_a_file_of_grids_is_refused(crs, found):
    ifd = SimpleNamespace(
        index=0,
        values={Tag.GEO_ASCII_PARAMS: np.frombuffer(crs.encode(), np.uint8)},
        tags={Tag.GEO_ASCII_PARAMS: SimpleNamespace(offset=5)},
    )
    assert [f.rule for f in _crs(ifd)] == ["refers-to-other-file"] * found


def test_texts_have_a_limit_of_their_own(tmp_path):
    with open_file(write_cog(tmp_path / "a.tif")) as source:
        layout = read_layout(source, Limits(text_bytes=1))
    assert [p.rule for p in layout.problems] == ["header-too-large"]


def test_named_references_are_read_as_gdal_reads_them():
    assert _letter(SimpleNamespace(groups=lambda: ("AMP", None, None))) == "&"
