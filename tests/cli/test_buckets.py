"""check and ingest over a bucket: the same verdicts, the same exit codes, few requests."""

import gzip
import hashlib
import json
import os

import pytest

from gateway.storage.s3 import S3Storage
from tests.rasters import write_cog


@pytest.fixture
def bucket(gateway, moto_store, monkeypatch, tmp_path):
    """A bucket with two COGs, one file that is none, and one COG cut short; and a root over it."""
    name = f"cli-{os.urandom(6).hex()}"
    moto_store.client.create_bucket(Bucket=name)
    cog = write_cog(tmp_path / "a.tif").read_bytes()
    for key, body in {"cogs/a.tif": cog, "cogs/b.tif": cog, "cogs/cut.tif": cog[:-700], "cogs/text.tif": b"no raster",
                      "other/a.tif": cog, "readme.txt": b"hello"}.items():  # fmt: skip
        moto_store.client.put_object(Bucket=name, Key=key, Body=body)
    root = moto_store.root(name, "cogs")
    plain = {**json.loads(root.model_dump_json(exclude_unset=True))}
    if root.secret_access_key is not None:
        plain["secret_access_key"] = root.secret_access_key.get_secret_value()
    monkeypatch.setenv("GATEWAY_ROOTS", json.dumps({"bucket": plain, "disk": {"uri": f"file:{tmp_path / 'disk'}"}}))
    (tmp_path / "disk").mkdir()
    return name


def lines(result):
    return {json.loads(line)["source"]: json.loads(line) for line in result.stdout.splitlines()}


def test_check_judges_a_prefix_by_its_headers(gateway, bucket):
    found = lines(gateway.run("check", f"s3://{bucket}/cogs", "--json", exit_code=1))
    assert {source.rpartition("/")[2]: told["valid"] for source, told in found.items()} == {
        "a.tif": True, "b.tif": True, "cut.tif": False, "text.tif": False
    }  # fmt: skip
    assert {told["depth"] for told in found.values()} == {"header"}
    assert found[f"s3://{bucket}/cogs/cut.tif"]["errors"][0]["rule"] == "tile-beyond-end"


@pytest.mark.parametrize("depth", ["blocks", "full"])
def test_check_looks_as_deep_as_it_is_told(gateway, bucket, depth):
    (told,) = lines(gateway.run("check", f"s3://{bucket}/cogs/a.tif", "--json", "--depth", depth)).values()
    assert (told["valid"], told["depth"]) == (True, depth)


def test_check_says_what_is_not_there(gateway, bucket):
    for name in (f"s3://{bucket}/cogs/none.tif", f"s3://{bucket}/cogs/z*"):
        assert name in gateway.run("check", name, exit_code=2).stderr
    gateway.run("check", f"s3://{bucket}/empty", exit_code=1)


def test_check_of_files_since_a_moment(gateway, bucket):
    assert gateway.run("check", f"s3://{bucket}/cogs", "--since", "2999-01-01", "--json").stdout == ""
    assert (
        len(lines(gateway.run("check", f"s3://{bucket}/cogs", "--since", "2001-01-01", "--json", exit_code=1))) == 4
    )


def test_names_of_objects_may_come_on_stdin(gateway, bucket):
    result = gateway.run("check", "-", "--json", stdin=f"s3://{bucket}/cogs/a.tif\ns3://{bucket}/cogs/a.tif\n")
    assert len(result.stdout.splitlines()) == 1


def test_ingest_registers_objects_and_a_second_run_changes_nothing(gateway, bucket):
    def statuses(exit_code):
        found = lines(gateway.run("ingest", f"s3://{bucket}/cogs", "--json", exit_code=exit_code))
        return {name.rpartition("/")[2]: told["status"] for name, told in found.items()}

    bad = {"cut.tif": "refused", "text.tif": "refused"}
    assert statuses(1) == {"a.tif": "registered", "b.tif": "registered", **bad}
    assert statuses(1) == {"a.tif": "unchanged", "b.tif": "unchanged", **bad}


def test_ingest_in_several_processes(gateway, bucket):
    found = lines(gateway.run("ingest", f"s3://{bucket}/cogs", "--json", "--jobs", "2", exit_code=1))
    assert sorted(told["status"] for told in found.values()) == ["refused", "refused", "registered", "registered"]


def test_an_object_outside_of_every_root_fails_or_is_copied(gateway, bucket, tmp_path, moto_store):
    source = f"s3://{bucket}/other/a.tif"
    told = lines(gateway.run("ingest", source, "--json", exit_code=2))[source]
    assert "below no storage root" in told["message"]
    told = lines(gateway.run("ingest", source, "--json", "--copy-to", "disk"))[source]
    assert told["status"] == "registered"
    body = moto_store.client.get_object(Bucket=bucket, Key="other/a.tif")["Body"].read()
    assert (tmp_path / "disk" / "a.tif").read_bytes() == body
    assert lines(gateway.run("ingest", source, "--json", "--copy-to", "disk"))[source]["status"] == "unchanged"


def test_a_file_is_copied_into_a_bucket(gateway, bucket, tmp_path, moto_store):
    (tmp_path / "new").mkdir()
    path = write_cog(tmp_path / "new" / "c.tif")
    told = lines(gateway.run("ingest", str(path), "--json", "--copy-to", "bucket"))[str(path)]
    assert told["status"] == "registered"
    assert moto_store.client.get_object(Bucket=bucket, Key="cogs/c.tif")["Body"].read() == path.read_bytes()
    (shown,) = [
        json.loads(line) for line in gateway.run("datasets", "show", told["id"], "--json").stdout.splitlines()
    ]
    assert len(shown["sha256"]) == 64


def test_an_archived_object_is_told_as_one(gateway, bucket, moto_store, tmp_path):
    cog = moto_store.client.get_object(Bucket=bucket, Key="cogs/a.tif")["Body"].read()
    moto_store.client.put_object(Bucket=bucket, Key="cogs/old.tif", Body=cog, StorageClass="DEEP_ARCHIVE")
    name, said = f"s3://{bucket}/cogs/old.tif", "The object is archived and must be restored first."
    assert said[1:-1] in gateway.run("check", name, exit_code=2).stderr
    (told,) = lines(gateway.run("ingest", name, "--json", exit_code=2)).values()
    assert (told["status"], told["message"]) == ("failed", said)
    (told,) = lines(gateway.run("ingest", name, "--json", "--copy-to", "disk", exit_code=2)).values()
    assert (told["status"], told["message"]) == ("failed", said)


def test_keys_with_empty_parts_are_objects_of_their_own(gateway, bucket, moto_store, tmp_path):
    cog = moto_store.client.get_object(Bucket=bucket, Key="cogs/a.tif")["Body"].read()
    keys = ("cogs/deep//a.tif", "cogs//top.tif")
    for key in keys:
        moto_store.client.put_object(Bucket=bucket, Key=key, Body=cog)
    for key in keys:
        assert lines(gateway.run("check", f"s3://{bucket}/{key}", "--json"))[f"s3://{bucket}/{key}"]["valid"]
        (told,) = lines(gateway.run("ingest", f"s3://{bucket}/{key}", "--json")).values()
        assert told["status"] == "registered"
    (told,) = lines(gateway.run("ingest", f"s3://{bucket}/cogs/deep", "--json", "--copy-to", "disk")).values()
    assert told["status"] == "registered"
    assert (tmp_path / "disk" / "a.tif").exists()


def test_a_prefix_is_listed_once_and_what_is_on_record_is_not_asked_for(gateway, bucket, monkeypatch):
    """The listing tells versions and sidecars: neither a LIST nor, where nothing is to be judged, a HEAD for each."""
    calls = []
    for name in ("siblings", "stat", "_page"):
        real = getattr(S3Storage, name)
        monkeypatch.setattr(
            S3Storage, name, lambda *a, name=name, real=real, **k: (calls.append(name), real(*a, **k))[1]
        )
    prefix = f"s3://{bucket}/cogs"
    gateway.run("check", prefix, exit_code=1)
    assert set(calls) == {"_page", "stat"}
    statuses = [told["status"] for told in gateway.json("ingest", prefix, exit_code=1)]
    assert statuses.count("registered") == 2
    calls.clear()
    assert [told["status"] for told in gateway.json("ingest", f"{prefix}/?.tif")] == ["unchanged"] * 2
    assert set(calls) == {"_page"}


def test_an_inventory_of_a_bucket_is_taken_from_it(gateway, bucket, moto_store):
    data = gzip.compress(f'"{bucket}","cogs/a.tif"\n"{bucket}","cogs/cut.tif"\n'.encode())
    told = {"sourceBucket": bucket, "fileFormat": "CSV", "fileSchema": "Bucket, Key",
            "files": [{"key": "lists/1.csv.gz", "MD5checksum": hashlib.md5(data).hexdigest()}]}  # fmt: skip
    for key, body in (("lists/1.csv.gz", data), ("lists/manifest.json", json.dumps(told).encode())):
        moto_store.client.put_object(Bucket=bucket, Key=key, Body=body)
    manifest = f"s3://{bucket}/lists/manifest.json"
    found = lines(gateway.run("check", "--inventory", manifest, "--json", exit_code=1))
    assert {source: line["valid"] for source, line in found.items()} == {
        f"s3://{bucket}/cogs/a.tif": True, f"s3://{bucket}/cogs/cut.tif": False
    }  # fmt: skip
    # Each once, however often it is named.
    both = gateway.json("ingest", "--inventory", manifest, f"s3://{bucket}/cogs/a.tif", exit_code=1)
    assert [line["status"] for line in both] == ["registered", "refused"]
    told_so = gateway.run("check", "--inventory", f"s3://{bucket}/none/manifest.json", exit_code=2).stderr
    assert "none/manifest.json cannot be read: no such object" in told_so
