import csv
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import gateway as gateway_package
from gateway.__main__ import cli
from gateway.cli.audit import COLUMNS, cell
from gateway.model import AuditRow
from gateway.records import ACTIONS, open_records
from tests.cli.terminal import as_terminal

DATASET = "0a1b2c3d-0000-4000-8000-000000000001"
EVIL = '=HYPERLINK("http://evil.example")'


def moment(day, hour=0):
    return datetime(2026, 1, day, hour, tzinfo=UTC)


@pytest.fixture
def rows(gateway):
    (gateway.folder / "state").mkdir()
    records = open_records(gateway.folder / "state" / "gateway.db")
    common = {"dataset_id": DATASET, "version": "v1", "ip": "192.0.2.1", "backend": "local"}
    ended = {"bytes_sent": 10, "outcome": "completed"}
    records.append_audit(
        [
            AuditRow("token.minted", at=moment(1), dataset_id=DATASET, user_id="ana", token_id="t1"),
            AuditRow("download.cog", at=moment(2), request_id="r1", range_header="bytes=0-9", status=206,
                     bytes_expected=10, user_agent=EVIL, **common),
            AuditRow("download.finished", at=moment(2), request_id="r1", detail=ended, user_agent=EVIL, **common),
            AuditRow("download.cog", at=moment(3), request_id="r2", range_header="bytes=10-19", status=206,
                     bytes_expected=10, user_agent=EVIL, **common),
            AuditRow("user.disabled", at=moment(4), detail={"name": "ben"}),
        ]
    )  # fmt: skip
    records.close()
    return gateway


def days(told):
    return [row["at"][8:10] for row in told]


def test_the_list_has_every_row_with_the_columns_of_the_table(rows):
    told = rows.json("audit", "list")
    assert days(told) == ["01", "02", "02", "03", "04"]
    assert all(tuple(row) == COLUMNS for row in told)
    assert (told[1]["range"], told[1]["user_id"], told[2]["detail"]["bytes_sent"]) == ("bytes=0-9", None, 10)


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (("--action", "download.cog"), ["02", "03"]),
        (("--user", "ana"), ["01"]),
        (("--dataset", DATASET), ["01", "02", "02", "03"]),
        (("--dataset", DATASET.upper()), ["01", "02", "02", "03"]),
        (("--dataset", DATASET[:3]), ["01", "02", "02", "03"]),
        (("--action", "dataset.removed"), []),
        (("--since", "2026-01-03"), ["03", "04"]),
        (("--until", "2026-01-02"), ["01"]),
        (("--since", "2026-01-02T00:00:00", "--until", "2026-01-03T00:00:00Z"), ["02", "02"]),
        (("--since", "2026-01-03T02:00:00+02:00"), ["03", "04"]),
        (("--since", "2026-01-03T00:00:00-01:00"), ["04"]),
    ],
)
def test_the_filters_choose_rows_and_times_without_an_offset_are_utc(rows, flags, wanted):
    assert days(rows.json("audit", "list", *flags)) == wanted
    assert len(rows.run("audit", "list", *flags).stdout.splitlines()) == len(wanted)
    jsonl = rows.run("audit", "export", "--format", "jsonl", *flags).stdout
    assert days(map(json.loads, jsonl.splitlines())) == wanted


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+23:59"])
def test_a_moment_that_is_none_is_wrong_usage(gateway, when):
    assert "ISO 8601" in gateway.run("audit", "list", "--since", when, exit_code=2).stderr


def test_downloads_fold_the_ranges_of_one_client_and_version(rows):
    (told,) = rows.json("audit", "downloads")
    assert (told["requests"], told["bytes_expected"], told["bytes_sent"], told["completed"]) == (2, 20, 10, 1)
    assert (told["first_at"], told["last_at"]) == ("2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z")
    assert rows.json("audit", "downloads", "--user", "ana") == []
    assert "192.0.2.1" in rows.run("audit", "downloads").stdout


def test_csv_has_a_header_and_every_row_and_no_formula(rows):
    text = rows.run("audit", "export").stdout
    told = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(told[0]) == COLUMNS
    assert len(told) == 5
    assert told[1]["user_agent"] == "'" + EVIL
    assert told[1]["user_id"] == ""
    assert json.loads(told[2]["detail"]) == {"bytes_sent": 10, "outcome": "completed"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_looks_like_a_formula_gets_an_apostrophe(start):
    assert cell(f"{start}1") == f"'{start}1"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (206, "206"), ("a=b", "a=b"), ({"a": 1}, '{"a": 1}')])
def test_other_cells_stay_as_they_are(value, text):
    assert cell(value) == text


def test_an_unknown_format_is_wrong_usage(gateway):
    gateway.run("audit", "export", "--format", "xlsx", exit_code=2)


def test_what_a_client_sent_never_reaches_the_terminal_raw(gateway):
    (gateway.folder / "state").mkdir()
    records = open_records(gateway.folder / "state" / "gateway.db")
    records.append_audit([AuditRow("download.refused", user_id="\x1b[2J", user_agent="\x1b[2J")])
    records.close()
    assert "\x1b" not in gateway.run("audit", "list").stdout
    assert "\x1b" not in gateway.run("audit", "list", "--json").stdout


@pytest.mark.parametrize("command", ["list", "downloads", "export"])
def test_an_action_that_there_is_not_is_told(rows, command):
    result = rows.run("audit", command, "--action", "download.cogs", exit_code=2)
    assert "there is no action download.cogs: did you mean download.cog?" in result.stderr
    assert "there are download.cog, download.part" in rows.run("audit", "list", "--action", "foo", exit_code=2).stderr


def test_an_action_of_another_release_is_listed(rows):
    records = open_records(rows.folder / "state" / "gateway.db")
    records.append_audit([AuditRow("future.act", at=moment(9))])
    records.close()
    assert days(rows.json("audit", "list", "--action", "future.act")) == ["09"]


@pytest.mark.parametrize("command", ["list", "downloads", "export"])
@pytest.mark.parametrize("given", ["nonsense", "0a1b2c3e", DATASET.replace("0a", "0b")])
def test_a_dataset_that_was_never_on_record_exits_with_1(rows, command, given):
    assert f"there is no dataset {given}" in rows.run("audit", command, "--dataset", given, exit_code=1).stderr


def test_every_action_in_the_code_is_known_and_documented():
    code = "".join(path.read_text() for path in Path(gateway_package.__file__).parent.rglob("*.py"))
    rooms = "download|token|dataset|collection|grant|user|catalogue|audit|link|list|search|overview|job"
    used = set(re.findall(rf'"((?:{rooms})\.[a-z_]+)"', code)) - {"user.disabled", "user.enabled", "collection.json"}
    assert used | {"user.disabled", "user.enabled"} == set(ACTIONS)
    documented = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    assert [action for action in ACTIONS if f"`{action}`" not in documented] == []


def test_lines_for_a_terminal_keep_to_its_width(rows, monkeypatch):
    terminal = as_terminal(monkeypatch, "stdout", 60)
    cli.main(["audit", "list"], standalone_mode=False)
    cli.main(["audit", "downloads"], standalone_mode=False)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal.getvalue().splitlines()]
    assert len(lines) == 5 + 2
    assert max(map(len, lines)) <= 60


def test_a_terminal_of_80_columns_shows_who_took_how_much_and_when(rows, monkeypatch):
    monkeypatch.chdir(rows.folder)
    terminal = as_terminal(monkeypatch, "stdout", 80)
    cli.main(["audit", "list"], standalone_mode=False)
    cli.main(["audit", "downloads"], standalone_mode=False)
    text = terminal.getvalue()
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in text.splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith("2026-01-02T00:00:00Z  download.cog       0a1b2c3d -             206  bytes=0-9")
    assert lines[-2].split() == ["last_at", "dataset", "user", "ip", "requests", "sent", "aborted"]
    assert lines[-1].split() == ["2026-01-03T00:00Z", "0a1b2c3d", "-", "192.0.2.1", "2", "10", "0"]
