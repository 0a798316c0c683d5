import json
import re
from uuid import UUID

import pytest

from gateway.__main__ import cli
from gateway.records import DatasetQuery
from tests.cli.terminal import as_terminal
from tests.rasters import write_cog

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_the_list_shows_every_dataset(gateway, monkeypatch):
    monkeypatch.setattr("gateway.cli.datasets.ALL", DatasetQuery(None, limit=2))
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
    gateway.catalogue()
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


def test_an_id_may_be_shortened_to_what_is_unique(gateway):
    dataset_id = gateway.dataset()
    for length in (1, 8, 13, 35):
        assert gateway.json("datasets", "show", dataset_id[:length])[0]["id"] == dataset_id
    short = dataset_id[:8].upper()
    assert gateway.json("datasets", "update", short, "--title", "New")[0]["title"] == "New"
    gateway.run("grants", "add", short, "--user", "ben")
    assert gateway.json("grants", "list", short)[0]["dataset_id"] == dataset_id
    assert [row["dataset_id"] for row in gateway.json("audit", "list", "--dataset", short)] == [dataset_id] * 3
    assert gateway.json("datasets", "recheck", short)[0]["id"] == dataset_id
    assert gateway.json("datasets", "remove", short, "-y") == [{"id": dataset_id, "removed": True}]
    # Its rows are left, and can be asked for in the same way.
    assert gateway.json("audit", "list", "--dataset", short)[-1]["action"] == "dataset.removed"
    assert f"there is no dataset {short}" in gateway.run("datasets", "show", short, exit_code=1).stderr


def test_a_beginning_that_several_ids_have_names_them(gateway, monkeypatch):
    numbers = iter(range(5))
    monkeypatch.setattr("gateway.ingest_records.uuid.uuid4", lambda: UUID(int=(0xABCD << 112) + next(numbers)))
    ids = [gateway.dataset(f"{n}.tif") for n in range(2)]
    result = gateway.run("datasets", "show", "abcd", exit_code=1)
    assert result.stderr == f"Error: abcd is how several ids begin: {', '.join(ids)}\n"
    assert gateway.json("datasets", "show", ids[1])[0]["id"] == ids[1]


@pytest.fixture
def varied(gateway, monkeypatch):
    """Four datasets: public North, private south, broken public b, and one in another root."""
    roots = {"data": {"uri": f"file:{gateway.data}"}, "more": {"uri": f"file:{gateway.folder / 'more'}"}}
    monkeypatch.setenv("GATEWAY_ROOTS", json.dumps(roots))
    (gateway.folder / "more").mkdir()
    gateway.dataset("deep/x.tif", title="North", visibility="public")
    gateway.dataset("y.tif", title="south", owner="ana", collection="scenes")
    gateway.dataset("b.tif", visibility="public")
    gateway.run("ingest", write_cog(gateway.folder / "more" / "z.tif"))
    (gateway.data / "b.tif").write_text("no raster")
    gateway.run("ingest", gateway.data / "b.tif", exit_code=1)
    return gateway


@pytest.mark.parametrize(
    ("flags", "titles"),
    [
        ((), ["North", "south", "b", "z"]),
        (("--invalid",), ["b"]),
        (("--visibility", "public"), ["North", "b"]),
        (("--root", "more"), ["z"]),
        (("--owner", "ana"), ["south"]),
        (("--owner", "an"), []),
        (("--owner", "", "--visibility", "public"), ["North", "b"]),
        (("--search", "NORTH"), ["North"]),
        (("--search", "deep/"), ["North"]),
        (("--search", "nowhere"), []),
        (("--visibility", "public", "--invalid"), ["b"]),
        (("--collection", "scenes"), ["south"]),
        (("--sort", "title"), ["b", "North", "south", "z"]),
        (("--sort", "-title", "--visibility", "private"), ["z", "south"]),
    ],
)
def test_the_list_is_chosen_sorted_and_counted(varied, flags, titles):
    assert [told["title"] for told in varied.json("datasets", "list", *flags)] == titles
    result = varied.run("datasets", "list", *flags)
    assert len(result.stdout.splitlines()) == 1 + len(titles)
    number = "4" if len(titles) == 4 else f"{len(titles)} of 4"
    assert result.stderr == f"{number} datasets in {varied.folder / 'state' / 'gateway.db'}\n"


def test_the_list_has_no_blanks_at_the_ends_and_one_long_title_does_not_widen_it(gateway):
    gateway.dataset("a.tif", title="long " * 60)
    gateway.dataset("b.tif", title="b")
    lines = gateway.run("datasets", "list").stdout.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert len(lines[2]) < 140
    assert "long " * 50 in lines[1]


def test_the_list_for_a_terminal_keeps_to_its_width_and_shortens_ids(gateway, monkeypatch):
    ids = [gateway.dataset(f"{n}.tif", title="long " * 60) for n in range(3)]
    terminal = as_terminal(monkeypatch, "stdout", 80)
    cli.main(["datasets", "list"], standalone_mode=False)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal.getvalue().splitlines()]
    assert len(lines) == 4
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:]] == [each[:8] for each in ids]


def test_a_dataset_on_a_terminal_is_shown_whole(gateway, monkeypatch):
    dataset_id = gateway.dataset(title="word " * 40)
    terminal = as_terminal(monkeypatch, "stdout", 60)
    cli.main(["datasets", "show", dataset_id], standalone_mode=False)
    assert terminal.getvalue().count("word") == 40


@pytest.mark.parametrize("group", ["datasets", "grants", "users", "audit"])
def test_no_line_of_a_help_is_cut(gateway, group):
    assert [
        line
        for line in gateway.run(group, "--help").stdout.splitlines()
        if line.endswith("...") and "Usage" not in line
    ] == []


def test_a_dataset_that_is_removed_while_it_is_changed_is_told(gateway, monkeypatch):
    dataset_id = gateway.dataset()
    with monkeypatch.context() as patch:
        patch.setattr("gateway.records.sqlite.SqliteRecords.change_dataset", lambda *_: None)
        patch.setattr("gateway.records.sqlite.SqliteRecords.remove_dataset", lambda *_: False)
        for command in (("update", "--title", "x"), ("remove", "-y")):
            result = gateway.run("datasets", command[0], dataset_id, *command[1:], exit_code=1)
            assert "any more" in result.stderr
