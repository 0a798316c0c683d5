import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.dates import DatedBy, Dates
from gateway.model import Level, Scale
from tests.handlers.conftest import UNKNOWN_ID, act, comparable, grant, problem

pytestmark = pytest.mark.gen_test


@pytest.fixture
def database_url(database):
    return database


async def listed(fetch, query="", **options):
    response = await fetch(f"/api/datasets{query}", **options)
    assert response.code == 200, response.body
    return json.loads(response.body)


async def test_the_record_has_its_fields_and_no_place_in_storage(world, fetch):
    dataset = world.add("secret-folder-name.tif", owner="ana", sha256="ab" * 32)
    response = await fetch(f"/api/datasets/{dataset.id}")
    record = json.loads(response.body)
    assert set(record) == {
        "id", "title", "visibility", "download", "owner", "size_bytes", "version", "sha256", "bounds", "crs", "width",
        "height", "count", "dtype", "nodata", "created_at", "updated_at", "links", "downloadable", "shareable",
        "collection", "start_at", "end_at", "dated_by", "properties",
            "transform",
    }  # fmt: skip
    assert (record["width"], record["height"], record["count"], record["dtype"]) == (900, 700, 1, "uint16")
    assert record["crs"] == "EPSG:32633"
    west, south, east, north = record["bounds"]
    assert 14.9 < west < east < 15.5
    assert 47.5 < south < north < 48
    assert record["created_at"].endswith("Z")
    assert b"secret-folder-name" not in response.body


async def test_the_record_says_whether_the_caller_has_the_right_to_the_file(world, fetch):
    dataset = world.add(download=Scale.PRIVATE)
    grant(world, dataset, Level.DOWNLOAD, user="ben")
    minted = json.loads((await fetch(f"/api/auth/tile-token/{dataset.id}", "POST", token=world.bearer("ben"))).body)
    for query, token, may in (
        ("", None, False),
        ("", world.bearer("ana"), False),
        ("", world.bearer("ben"), True),
        (f"?token={minted['token']}", None, False),
    ):
        response = await fetch(f"/api/datasets/{dataset.id}{query}", token=token)
        assert json.loads(response.body)["downloadable"] is may


async def test_the_list_is_sorted_as_asked_and_its_links_keep_that(world, fetch):
    for name, title in (("a.tif", "beech"), ("b.tif", "Ash"), ("c.tif", "cedar")):
        world.add(name, title=title)
    found = await listed(fetch, "?sortby=-title&limit=2")
    assert [each["title"] for each in found["datasets"]] == ["cedar", "beech"]
    [following] = [link["href"] for link in found["links"] if link["rel"] == "next"]
    assert [each["title"] for each in json.loads((await fetch(following)).body)["datasets"]] == ["Ash"]
    refused = await fetch("/api/datasets?sortby=owner")
    assert refused.code == 400
    assert "sortby" in problem(refused)["detail"]


async def test_every_link_of_a_record_answers(world, fetch):
    dataset = world.add()
    record = json.loads((await fetch(f"/api/datasets/{dataset.id}")).body)
    assert [link["rel"] for link in record["links"]] == [
        "self", "download", "validation", "tilejson", "wmts", "preview"
    ]  # fmt: skip
    for link in record["links"]:
        assert (await fetch(link["href"], token=world.bearer())).code == 200


async def test_the_validation_report_is_that_of_check(world, fetch):
    dataset = world.add()
    report = json.loads((await fetch(f"/api/datasets/{dataset.id}/validation")).body)
    assert set(report) == {"source", "valid", "depth", "errors", "warnings", "mend"}
    assert (report["source"], report["valid"], report["depth"], report["errors"]) == (dataset.id, True, "blocks", [])


async def test_everybody_sees_what_they_may_and_the_total_counts_no_more(world, fetch):
    world.add("a.tif", title="public")
    world.add("b.tif", title="internal", visibility=Scale.INTERNAL)
    world.add("c.tif", title="owned", visibility=Scale.PRIVATE, owner="ana")
    granted = world.add("d.tif", title="granted", visibility=Scale.PRIVATE)
    grant(world, granted, Level.VIEW, role="survey")
    for token, titles in (
        (None, {"public"}),
        (world.bearer("ben"), {"public", "internal"}),
        (world.bearer("ana"), {"public", "internal", "owned"}),
        (world.bearer("ben", ("survey",)), {"public", "internal", "granted"}),
        (world.bearer("ben", ("admin",)), {"public", "internal", "owned", "granted"}),
    ):
        page = await listed(fetch, token=token)
        assert {d["title"] for d in page["datasets"]} == titles
        assert page["total"] == len(titles)


async def test_pages_are_linked_and_keep_the_search(world, fetch):
    for name in "abcde":
        world.add(f"{name}.tif", title=f"Höhe {name}")
    world.add("z.tif", title="other")
    page = await listed(fetch, "?q=h%C3%96he&limit=2")
    titles = []
    while True:
        titles += [d["title"] for d in page["datasets"]]
        links = {link["rel"]: link["href"] for link in page["links"]}
        if "next" not in links:
            break
        page = json.loads((await fetch(links["next"])).body)
    assert titles == [f"Höhe {name}" for name in "abcde"]
    assert (page["total"], page["offset"]) == (5, 4)
    back = json.loads((await fetch(links["prev"])).body)
    assert [d["title"] for d in back["datasets"]] == ["Höhe c", "Höhe d"]


async def test_bbox_finds_what_it_touches(world, fetch):
    world.add()
    assert (await listed(fetch, "?bbox=14,47,16,49"))["total"] == 1
    assert (await listed(fetch, "?bbox=-16,47,-14,49"))["total"] == 0
    assert (await listed(fetch, "?bbox=170,47,16,49"))["total"] == 1


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=1_0", "limit=", "limit=1&limit=2", "offset=-1", "offset=99999999999999999999",
     "bbox=1,2,3", "bbox=nan,0,1,1", "bbox=0,5,1,4", "bbox=0,0,181,1", "q=%ff", "datetime=2026-01-01", "datetime=../.."],
)  # fmt: skip
async def test_what_cannot_be_read_is_a_400_naming_the_parameter(world, fetch, query):
    document = problem(await fetch(f"/api/datasets?{query}"))
    assert document["status"] == 400
    assert query.partition("=")[0] in document["detail"]


async def test_a_collection_and_a_time_choose_datasets_and_pages_keep_them(world, fetch):
    at = datetime(2026, 1, 2, tzinfo=UTC)
    for number, collection in enumerate(("maps", "maps", "scenes")):
        dates = Dates(at + timedelta(days=number), at + timedelta(days=number), DatedBy.OPTION)
        world.add(f"{number}.tif", collection=collection, dates=dates, title=str(number))
    for query, titles in {
        "collection=maps": "01", "collection=none": "", "datetime=2026-01-03T00:00:00Z": "1",
        "collection=maps%26datetime=2026-01-02T12:00:00Z/..": "1", "datetime=../2026-01-03T00:00:00Z": "01",
    }.items():  # fmt: skip
        found = await listed(fetch, "?" + query.replace("%26", "&"))
        assert "".join(one["title"] for one in found["datasets"]) == titles, query
    (following,) = [
        each["href"] for each in (await listed(fetch, "?collection=maps&limit=1"))["links"] if each["rel"] == "next"
    ]
    assert "collection=maps" in following


async def test_unknown_parameters_are_ignored(world, fetch):
    world.add()
    assert (await listed(fetch, "?flavour=sweet"))["total"] == 1


async def test_hidden_unknown_and_malformed_records(world, fetch):
    hidden = world.add(visibility=Scale.PRIVATE)
    for tail in ("", "/validation"):
        answers = [await fetch(f"/api/datasets/{dataset_id}{tail}") for dataset_id in (hidden.id, UNKNOWN_ID)]
        assert comparable(answers[0]) == comparable(answers[1])
        assert problem(answers[0])["status"] == 404
        assert problem(await fetch(f"/api/datasets/nonsense{tail}"))["status"] == 422


async def test_a_disabled_user_sees_no_list(world, fetch):
    world.services.records.set_disabled("ben", True, act())
    assert (await fetch("/api/datasets", token=world.bearer("ben"))).code == 401


async def test_head_answers_like_get(world, fetch):
    dataset = world.add()
    for path in ("/api/datasets", f"/api/datasets/{dataset.id}", f"/api/datasets/{dataset.id}/validation"):
        get, head = await fetch(path), await fetch(path, "HEAD")
        assert (head.code, head.body) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_what_a_browser_keeps_of_somebody_it_gives_to_nobody_who_asks_after_them(fetch, world):
    hidden, shown = world.add("a.tif", visibility=Scale.PRIVATE, owner="ana"), world.add("b.tif")
    for path in ("", "/info", "/validation", "/statistics?max_size=16", "/preview/16x16.png", "/download/cog",
                 "/bbox/0,0,20,50.tif?max_size=16"):  # fmt: skip
        answer = await fetch(f"/api/datasets/{hidden.id}{path}", token=world.bearer())
        # Going back, a browser asks again for nothing that it has.
        assert (answer.code, answer.headers["Vary"]) == (200, "Origin, Authorization"), path
    answer = await fetch("/api/datasets", token=world.bearer())
    assert answer.headers["Vary"] == "Origin, Authorization"
    # One for all, whoever asked first.
    answer = await fetch(f"/api/datasets/{shown.id}/preview/16x16.png", token=world.bearer())
    assert (answer.headers["Cache-Control"].split(",")[0], answer.headers["Vary"]) == ("public", "Origin")
