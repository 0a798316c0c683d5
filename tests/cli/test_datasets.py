import pytest

from tests.rasters import write_cog

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_the_list_shows_every_dataset(gateway, monkeypatch):
    monkeypatch.setattr("gateway.cli.administration.PAGE", 2)
    ids = [gateway.dataset(f"{n}.tif") for n in range(5)]
    assert [d["id"] for d in gateway.json("datasets", "list")] == ids
    text = gateway.run("datasets", "list").stdout
    assert all(i in text for i in ids)


def test_json_has_the_record_the_object_and_the_report(gateway):
    (shown,) = gateway.json("datasets", "show", gateway.dataset(title="North"))
    assert (shown["title"], shown["root"], shown["key"]) == ("North", "data", "a.tif")
    assert (shown["width"], shown["height"], shown["count"], shown["dtype"]) == (900, 700, 1, "uint16")
    assert shown["crs"] == "EPSG:32633"
    assert shown["created_at"].endswith("Z")
    assert shown["report"]["valid"] is True


def test_an_id_is_taken_in_any_case(gateway):
    dataset_id = gateway.dataset()
    assert gateway.json("datasets", "show", dataset_id.upper())[0]["id"] == dataset_id


def test_people_get_the_fields_and_the_verdict(gateway):
    text = gateway.run("datasets", "show", gateway.dataset(title="[bold]North\x1b[31m")).stdout
    assert "[bold]North\\x1b[31m" in text
    assert "valid at depth blocks: yes" in text


def test_update_changes_what_is_given_and_keeps_the_rest(gateway):
    dataset_id = gateway.dataset(visibility="public", title="North")
    (changed,) = gateway.json("datasets", "update", dataset_id, "--visibility", "internal", "--owner", "ana")
    assert [changed[n] for n in ("visibility", "download", "title", "owner")] == [
        "internal",
        "internal",
        "North",
        "ana",
    ]
    assert gateway.json("datasets", "show", dataset_id) == [
        {**changed, "updated_at": gateway.json("datasets", "show", dataset_id)[0]["updated_at"]}
    ]
    assert gateway.actions()[-1] == ("dataset.updated", {"visibility": "internal", "owner": "ana"})
    gateway.run("datasets", "update", dataset_id, "--owner", "")
    assert gateway.json("datasets", "show", dataset_id)[0]["owner"] is None


def test_update_refuses_a_download_wider_than_the_visibility(gateway):
    dataset_id = gateway.dataset()
    result = gateway.run("datasets", "update", dataset_id, "--download", "public", exit_code=2)
    assert "wider" in result.stderr
    assert gateway.actions()[-1][0] == "dataset.ingested"


def test_update_without_a_change_is_wrong_usage(gateway):
    gateway.run("datasets", "update", gateway.dataset(), exit_code=2)


def test_remove_takes_the_record_and_leaves_the_file(gateway):
    dataset_id = gateway.dataset()
    assert gateway.json("datasets", "remove", dataset_id, "--yes") == [{"id": dataset_id, "removed": True}]
    assert gateway.json("datasets", "list") == []
    assert (gateway.data / "a.tif").is_file()
    assert gateway.actions()[-1] == ("dataset.removed", {"root": "data", "key": "a.tif"})


def test_remove_asks_first(gateway):
    dataset_id = gateway.dataset()
    gateway.run("datasets", "remove", dataset_id, stdin="n\n", exit_code=1)
    assert len(gateway.json("datasets", "list")) == 1
    assert f"removed {dataset_id}" in gateway.run("datasets", "remove", dataset_id, stdin="y\n").stdout


@pytest.mark.parametrize("dataset_id", [UNKNOWN, "no-uuid", "{" + UNKNOWN + "}"])
@pytest.mark.parametrize("command", [("show",), ("update", "--title", "x"), ("remove", "--yes")])
def test_an_unknown_id_exits_with_1(gateway, command, dataset_id):
    result = gateway.run("datasets", command[0], dataset_id, *command[1:], exit_code=1)
    assert result.stderr == f"Error: there is no dataset {dataset_id}\n"


def test_a_dataset_that_is_no_cog_any_more_shows_why(gateway):
    dataset_id = gateway.dataset()
    (gateway.data / "a.tif").write_text("no raster")
    gateway.run("ingest", gateway.data / "a.tif", exit_code=1)
    text = gateway.run("datasets", "show", dataset_id).stdout
    assert "valid at depth blocks: no\n- error: " in text
    assert gateway.json("datasets", "show", dataset_id)[0]["report"]["valid"] is False


def test_an_operator_sees_private_datasets_of_everybody(gateway):
    write_cog(gateway.data / "a.tif")
    gateway.dataset(owner="ben")
    assert [d["owner"] for d in gateway.json("datasets", "list")] == ["ben"]
