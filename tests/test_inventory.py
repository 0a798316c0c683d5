"""Inventories of buckets: what they list, what their checksums are for, and what is refused in words."""

import csv
import gzip
import hashlib
import io
import json
import tracemalloc
from urllib.parse import quote

import pytest

from gateway.inventory import InventoryError, inventoried

COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag")
ROWS = [
    ("shelf", "a b+ä.tif", "1", "true", "false", "9", "2026-01-02T00:00:00.000Z", "aa"),
    ("shelf", "a b+ä.tif", "0", "false", "false", "9", "2025-01-02T00:00:00.000Z", "old"),
    ("shelf", "deep/gone.tif", "1", "true", "true", "", "2026-01-02T00:00:00.000Z", ""),
    ("shelf", "deep/c.tif.ovr", "1", "true", "false", "9", "2026-01-02T00:00:00.000Z", "cc"),
    ("shelf", "deep/c.tif", "1", "true", "false", "9", "2026-01-02T00:00:00.000Z", "bb-2"),
    ("shelf", "readme.txt", "1", "true", "false", "9", "2026-01-02T00:00:00.000Z", "dd"),
]


def packed(rows, columns=COLUMNS):
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in rows:
        values = dict(zip(COLUMNS, row, strict=True))
        writer.writerow([quote(values[name]) if name == "Key" else values[name] for name in columns])
    return gzip.compress(text.getvalue().encode())


def manifest(laid, columns=COLUMNS, **more):
    listed = [{"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()} for key, data in laid]
    told = {"sourceBucket": "shelf", "destinationBucket": "arn:aws:s3:::lists", "version": "2016-11-30",
            "fileFormat": "CSV", "fileSchema": ", ".join(columns), "files": listed}  # fmt: skip
    return json.dumps({**told, **more}).encode()


def written(folder, laid, **more):
    """An inventory as the store lays it down; returns the path of its manifest."""
    for key, data in laid:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path = folder / "shelf" / "weekly" / "2026-01-04T01-00Z" / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(manifest(laid, **more))
    return str(path)


@pytest.fixture
def files():
    return [("shelf/weekly/data/1.csv.gz", packed(ROWS[:3])), ("shelf/weekly/data/2.csv.gz", packed(ROWS[3:]))]


def test_the_rasters_that_are_there_are_listed_with_what_is_known_of_them(tmp_path, files):
    found = {each.key: each for each in inventoried(written(tmp_path, files), {})}
    assert list(found) == ["a b+ä.tif", "deep/c.tif"]
    first, second = found.values()
    assert (first.name, first.version, first.modified_at.isoformat()) == (
        "s3://shelf/a b+ä.tif", "aa", "2026-01-02T00:00:00+00:00"
    )  # fmt: skip
    # The sidecar is in another data file, or before its raster.
    assert (set(first.beside), second.version, set(second.beside)) == (set(), "bb-2", {"c.tif.ovr"})


def test_a_local_copy_may_have_its_data_files_beside_it(tmp_path, files):
    for name, data in (("manifest.json", manifest(files)), ("1.csv.gz", files[0][1]), ("2.csv.gz", files[1][1])):
        (tmp_path / name).write_bytes(data)
    assert len(list(inventoried(str(tmp_path / "manifest.json"), {}))) == 2


def test_columns_are_those_of_the_manifest_and_files_may_be_plain(tmp_path):
    columns = ("Bucket", "Key")
    data = gzip.decompress(packed(ROWS[:1], columns))
    (only,) = inventoried(written(tmp_path, [("d/1.csv", data)], columns=columns), {})
    assert (only.key, only.version, only.modified_at) == ("a b+ä.tif", None, None)


def refused(name):
    with pytest.raises(InventoryError) as told:
        list(inventoried(name, {}))
    return str(told.value)


def test_bytes_that_are_not_those_of_the_manifest_are_refused_before_any_object(tmp_path, files):
    name = written(tmp_path, files)
    (tmp_path / files[1][0]).write_bytes(packed(ROWS[:2]))
    with pytest.raises(InventoryError, match=r"2\.csv\.gz of the inventory is not what its manifest tells of"):
        next(inventoried(name, {}))


HOSTILE = {
    "nested": b"[" * 100_000,
    "numbers for texts": manifest([], sourceBucket=5),
    "a number for a key": manifest([], files=[{"key": 5, "MD5checksum": ""}]),
    "a key that no file can have": manifest([], files=[{"key": "a\0b", "MD5checksum": ""}]),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_manifest_of_other_things_is_none(tmp_path, data):
    path = tmp_path / "manifest.json"
    path.write_bytes(data)
    assert "is no manifest of an S3 inventory" in refused(str(path))


def test_a_line_that_does_not_end_is_not_unpacked_into_memory(tmp_path):
    data = gzip.compress(b'"shelf","' + b"a" * (256 << 20), 1)
    name = written(tmp_path, [("endless.csv.gz", data)], columns=("Bucket", "Key"))
    tracemalloc.start()
    try:
        assert "endless.csv.gz of the inventory cannot be read" in refused(name)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


def test_what_cannot_be_used_is_told_in_words(tmp_path, files):
    assert "is in ORC: only those in CSV are read" in refused(written(tmp_path, files, fileFormat="ORC"))
    assert "is no manifest of an S3 inventory" in refused(written(tmp_path, files, files=3))
    assert "has no columns Bucket and Key" in refused(written(tmp_path, files, fileSchema="Key"))
    assert "lists another bucket: shelf" in refused(written(tmp_path, files, sourceBucket="other"))
    assert "cannot be read: ValueError" in refused(written(tmp_path, files, fileSchema="Bucket, Key"))
    broken = [("d/1.csv.gz", packed(ROWS)[:-9])]
    assert "1.csv.gz of the inventory cannot be read: EOFError" in refused(written(tmp_path / "c", broken))
    assert "2.csv.gz of the inventory cannot be read: no such file" in refused(
        written(tmp_path / "b", [("d/x", b"")], files=[{"key": "d/2.csv.gz", "MD5checksum": "00"}])
    )
    assert "none.json cannot be read: no such file" in refused(str(tmp_path / "none.json"))
