import pytest
from rio_cogeo import cog_validate

from gateway.cog import inspect
from gateway.files import open_file
from tests.cog.samples import SAMPLES


@pytest.mark.parametrize("depth", ["header", "blocks", "full"])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_true_cog_is_valid_without_any_finding(cogs, name, depth):
    with open_file(cogs[name]) as source:
        inspection = inspect(source, depth=depth)
    assert inspection.report.findings == (), name
    assert (inspection.raster.height, inspection.raster.width) == (
        SAMPLES[name].rows,
        SAMPLES[name].cols,
    ) or name == "web_mercator"
    assert inspection.raster.count >= SAMPLES[name].bands
    assert inspection.raster.dtype == SAMPLES[name].dtype


@pytest.mark.parametrize("name", SAMPLES)
def test_rio_cogeo_agrees(cogs, name):
    valid, errors, _ = cog_validate(cogs[name])
    assert (valid, errors) == (True, [])
