"""One file, one report: what `check`, `ingest`, `datasets recheck` and the validation route say of it is the same."""

import json

import pytest

from gateway.cli.check import judge
from gateway.ingest import Ingestor
from gateway.ingest_options import IngestOptions
from gateway.model import Report, Scale
from gateway.rechecking import Look, look, settle
from gateway.sources import Source
from tests.rasters import write_cog, write_striped

pytestmark = pytest.mark.gen_test


def with_slack(path):
    """A true COG with bytes behind its end, which is worth a warning."""
    write_cog(path)
    with path.open("ab") as file:
        file.write(bytes(64))
    return path


@pytest.mark.parametrize(
    ("write", "valid", "warned"),
    [(write_cog, True, False), (with_slack, True, True), (write_striped, False, False)],
)
async def test_all_four_show_the_same_report_but_for_the_name_of_the_source(world, fetch, write, valid, warned):
    services = world.services
    dataset = world.add("a.tif")
    source = Source("a.tif", write(world.folder / "a.tif"), "a.tif")
    checked = judge(source, "blocks", False).report.as_json("a.tif")
    assert (checked["valid"], bool(checked["warnings"])) == (valid, warned)
    ingestor = Ingestor(services.records, services.storages)
    ingested = ingestor.ingest(source, IngestOptions(visibility=Scale.PUBLIC)).as_json()
    shown = json.loads((await fetch(f"/api/datasets/{dataset.id}/validation")).body)
    seen = look(Look(dataset, services.storages["data"]))
    rechecked = settle(services.records, dataset, seen).as_json()
    assert ingested["id"] == rechecked["id"] == dataset.id
    assert ingested["report"] == checked
    assert shown == rechecked["report"]
    assert shown["source"] == dataset.id
    assert Report.from_json(shown).as_json("a.tif") == checked
    assert json.loads((await fetch(f"/api/datasets/{dataset.id}/validation")).body) == shown


async def test_a_warning_fails_where_the_client_is_strict(world, fetch):
    with_slack(world.folder / "b.tif")
    dataset = world.register("b.tif")
    for query, valid in (("", True), ("?strict=false", True), ("?strict=true", False)):
        assert json.loads((await fetch(f"/api/datasets/{dataset.id}/validation{query}")).body)["valid"] is valid
    assert (await fetch(f"/api/datasets/{dataset.id}/validation?strict=maybe")).code == 400
