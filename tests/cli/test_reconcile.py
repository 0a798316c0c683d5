"""`audit reconcile`: which sources it reads, what it prints, and its exit codes."""

import gzip
from dataclasses import replace

import pytest

from gateway.records import open_records
from tests.accesslogs import OF_THE_GUIDE, Record, of_url
from tests.s3 import REGION, one_store
from tests.test_reconciling import ID, REDIRECT, end

NOTHING = "no such file or directory"


@pytest.fixture
def redirected(gateway):
    """The command line over a catalogue with one redirect on record."""
    gateway.catalogue()
    records = open_records(gateway.folder / "state" / "gateway.db")
    records.append_audit([REDIRECT, end(REDIRECT, 2)])
    records.close()
    return gateway


def text(*log_ids: str) -> str:
    return "".join(f"{Record(request_uri=of_url(ID), request_id=each).line}\n" for each in log_ids)


def counted(told: list[dict[str, int]]) -> tuple[int, int]:
    ((lines, added),) = ((each["lines"], each["added"]) for each in told)
    return lines, added


def test_a_file_a_folder_and_the_standard_input_are_read(redirected):
    folder = redirected.folder / "logs"
    (folder / "2026" / ".part").mkdir(parents=True)
    (folder / "b").write_text(text("B") + OF_THE_GUIDE[0])
    (folder / "2026" / "a.gz").write_bytes(gzip.compress(text("A", "B").encode()))
    (folder / ".hidden").write_text("no record")
    (folder / "2026" / ".part" / "c").write_text("no record")
    assert counted(redirected.json("audit", "reconcile", folder / "b")) == (2, 1)
    assert counted(redirected.json("audit", "reconcile", folder)) == (4, 1)
    assert counted(redirected.json("audit", "reconcile", "-", stdin=text("A", "C"))) == (2, 1)
    ends = redirected.json("audit", "list", "--request", ID, "--action", "download.finished")
    sources = [each["detail"].get("source") for each in ends]
    assert sources == [
        None,
        *({"log": log, "request_id": name} for log, name in (("b", "B"), ("a.gz", "A"), ("-", "C"))),
    ]
    (line,) = redirected.json("audit", "downloads")
    assert (line["requests"], line["bytes_sent"], line["completed"], line["aborted"]) == (1, 300, 3, 0)


def test_the_summary_tells_what_came_of_the_lines(redirected):
    log = redirected.folder / "log"
    log.write_text(text("A") + replace(Record(request_uri=of_url("ab" * 16)), request_id="X").line)
    done = redirected.run("audit", "reconcile", log)
    assert done.stdout == ""
    told = [line.split() for line in done.stderr.splitlines()]
    assert told[:3] == [["lines", "number"], ["added", "1"], ["unknown", "1"]]
    assert told[3:6] == [["downloads", "number"], ["completed", "1"], ["bytes", "sent", "100"]]
    assert "not on record here" in done.stderr


def test_lines_that_are_no_records_are_named_up_to_a_number(redirected):
    log = redirected.folder / "log"
    log.write_text(text("A") + "no record\n" * 30 + "\n" + text("B"))
    done = redirected.run("audit", "reconcile", log, "--json", exit_code=1)
    told = done.stderr.splitlines()
    assert told[0] == f"{log}:2: no record of an access log"
    assert (len(told), told[-1]) == (21, f"{log}: 10 more lines are no records of an access log")
    assert len(redirected.json("audit", "list", "--request", ID)) == 4


def test_a_source_that_cannot_be_read_keeps_none_of_the_others_from_being_read(redirected):
    log, missing, empty, damaged = (redirected.folder / name for name in ("log", "none", "empty", "damaged.gz"))
    log.write_text(text("A"))
    empty.mkdir()
    damaged.write_bytes(gzip.compress(text("B").encode())[:-8])
    done = redirected.run("audit", "reconcile", missing, empty, damaged, log, "s3://", "--json", exit_code=2)
    assert done.stderr.splitlines() == [
        f"{missing}: cannot be read: {NOTHING}", f"{empty}: the folder has no file in it",
        f"{damaged}: cannot be read: gzip that is broken off", "s3://: names no bucket",
    ]  # fmt: skip
    assert '"added": 2' in done.stdout


def test_without_a_catalogue_or_a_source_nothing_is_made(gateway):
    assert gateway.run("audit", "reconcile", "log", exit_code=2).stdout == ""
    gateway.run("audit", "reconcile", exit_code=2)
    assert not (gateway.folder / "state").exists()


@one_store
def test_the_logs_of_a_bucket_are_read_where_they_lie(redirected, store, bucket, monkeypatch):
    keys = {"AWS_ACCESS_KEY_ID": store.access_key_id, "AWS_SECRET_ACCESS_KEY": store.secret_access_key}
    for name, value in {**keys, "AWS_ENDPOINT_URL": store.endpoint_url, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    for key, body in {"logs/2026-03-01-A": text("A"), "logs/2026-03-02-B": text("B"), "logs/2026-03-03": ""}.items():
        store.client.put_object(Bucket=bucket, Key=key, Body=body.encode())
    assert counted(redirected.json("audit", "reconcile", f"s3://{bucket}/logs/2026-03-01")) == (1, 1)
    assert counted(redirected.json("audit", "reconcile", f"s3://{bucket}")) == (2, 1)
    sources = [
        each["detail"].get("source") for each in redirected.json("audit", "list", "--action", "download.finished")
    ]
    assert sources[-1] == {"log": f"s3://{bucket}/logs/2026-03-02-B", "request_id": "B"}
    for source, why in {
        f"s3://{bucket}/nothing": "no object begins like this",
        "s3://test-no-bucket/a": "NoSuchBucket",
    }.items():
        assert why in redirected.run("audit", "reconcile", source, exit_code=2).stderr


@one_store
def test_a_log_whose_store_breaks_off_is_read_on_from_there(redirected, store, bucket, tunnel, monkeypatch):
    keys = {"AWS_ACCESS_KEY_ID": store.access_key_id, "AWS_SECRET_ACCESS_KEY": store.secret_access_key}
    for name, value in {**keys, "AWS_ENDPOINT_URL": tunnel.url, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    body = text(*(f"LOG{number}" for number in range(900))).encode()
    store.client.put_object(Bucket=bucket, Key="log", Body=body)
    tunnel.cut_after = len(body) // 3
    assert counted(redirected.json("audit", "reconcile", f"s3://{bucket}/log")) == (900, 900)
    assert len(tunnel.of("GET")) > 3
