"""What s3:// arguments stand for: objects, prefixes, patterns; and whose credentials read them."""

from datetime import UTC, datetime

import pytest

from gateway import buckets
from gateway.buckets import BucketSource, bucket_storage, expand_bucket
from gateway.errors import StorageUnavailable
from gateway.settings import RootSettings
from gateway.sources import Lack
from gateway.storage.s3 import Listed

KEYS = sorted([
    "readme.txt", "a.tif", "cogs/b.TIF", "cogs/c.tiff", "cogs/deep/d.tif", "cogs/.hidden/e.tif", "cogs/notes.txt",
    "cogs2/f.tif", "odd/[1].tif", "odd/what?.tif", "a.tif.aux.xml",
])  # fmt: skip


WRITTEN = datetime(2026, 1, 2, tzinfo=UTC)


class Shelf:
    """A bucket of names."""

    def __init__(self) -> None:
        self.asked = []

    def listed(self, prefix):
        self.asked.append(prefix)
        return (Listed(key, WRITTEN, f"version of {key}") for key in KEYS if key.startswith(prefix))


@pytest.fixture
def shelf(monkeypatch):
    found = Shelf()
    monkeypatch.setattr(buckets, "open_storage", lambda name, root: found)
    return found


def keys_of(name):
    found = list(expand_bucket(name, {}))
    assert all(isinstance(source, BucketSource) for source in found), found
    assert [source.name for source in found] == [f"s3://shelf/{source.key}" for source in found]
    return [source.key for source in found]


def test_an_object_is_itself_and_nothing_that_begins_alike(shelf):
    assert keys_of("s3://shelf/a.tif") == ["a.tif"]


def test_an_object_of_any_name_is_taken_when_it_is_named(shelf):
    assert keys_of("s3://shelf/readme.txt") == ["readme.txt"]


@pytest.mark.parametrize("name", ["s3://shelf/cogs", "s3://shelf/cogs/"])
def test_a_prefix_is_a_folder_of_rasters(shelf, name):
    assert keys_of(name) == ["cogs/b.TIF", "cogs/c.tiff", "cogs/deep/d.tif"]
    assert [source.relative for source in expand_bucket(name, {})] == ["b.TIF", "c.tiff", "deep/d.tif"]


@pytest.mark.parametrize("name", ["s3://shelf", "s3://shelf/"])
def test_a_bucket_is_a_folder_too(shelf, name):
    assert keys_of(name) == [key for key in KEYS if key.lower().endswith((".tif", ".tiff")) and "/." not in key]


@pytest.mark.parametrize(("pattern", "found"), [
    ("cogs/*.tif*", ["cogs/c.tiff"]),
    ("cogs/**/*.tif", ["cogs/.hidden/e.tif", "cogs/deep/d.tif"]),
    ("cogs*/?.tif", ["cogs2/f.tif"]),
    ("**/[!a-c].tif", ["cogs/.hidden/e.tif", "cogs/deep/d.tif", "cogs2/f.tif"]),
    ("cogs/**", ["cogs/.hidden/e.tif", "cogs/b.TIF", "cogs/c.tiff", "cogs/deep/d.tif", "cogs/notes.txt"]),
    ("odd/[[]1].tif", ["odd/[1].tif"]),
    ("odd/what?.tif", ["odd/what?.tif"]),
])  # fmt: skip
def test_a_pattern_is_matched_part_by_part(shelf, pattern, found):
    assert keys_of(f"s3://shelf/{pattern}") == found


def test_a_pattern_lists_no_more_than_its_own_folder(shelf):
    keys_of("s3://shelf/cogs/*.tif*")
    assert shelf.asked == ["cogs/"]


@pytest.mark.parametrize(("name", "lack"), [
    ("s3://shelf/none.tif", Lack.MISSING), ("s3://shelf/none", Lack.NO_RASTER), ("s3://shelf/z*.tif", Lack.MISSING),
    ("s3://", Lack.MISSING),
])  # fmt: skip
def test_what_is_not_there_is_a_problem(shelf, name, lack):
    (problem,) = expand_bucket(name, {})
    assert (problem.name, problem.lack) == (name, lack)


@pytest.mark.parametrize(("error", "message"), [
    (StorageUnavailable("The storage of this dataset cannot be reached."), "the bucket cannot be read"),
    (StorageUnavailable("No.").because("InvalidAccessKeyId"), "the bucket cannot be read: InvalidAccessKeyId"),
])  # fmt: skip
def test_a_bucket_that_cannot_be_read_is_a_problem_with_its_reason(monkeypatch, error, message):
    def refuse(name, root):
        raise error

    monkeypatch.setattr(buckets, "open_storage", refuse)
    (problem,) = expand_bucket("s3://shelf/a.tif", {})
    assert (problem.lack, problem.message) == (Lack.MISSING, message)


def test_a_root_of_the_bucket_lends_its_endpoint_and_credentials(monkeypatch):
    opened = []
    monkeypatch.setattr(buckets, "open_storage", lambda name, root: opened.append(root))
    secret = {"access_key_id": "k", "secret_access_key": "s", "endpoint_url": "http://127.0.0.1:9000"}
    root = RootSettings(uri="s3://shelf/cogs", **secret)
    bucket_storage("shelf", {"data": RootSettings(uri="file:data"), "shelf": root})
    bucket_storage("other", {"shelf": root})
    assert opened[0] == root.model_copy(update={"uri": "s3://shelf"})
    assert (opened[1].uri, opened[1].endpoint_url) == ("s3://other", None)


def found_in(monkeypatch, keys, name="s3://shelf/cogs/"):
    monkeypatch.setattr("tests.test_buckets.KEYS", keys)
    return {source.key: source for source in expand_bucket(name, {})}


def test_a_listing_tells_the_version_and_the_sidecars_of_each_object(shelf, monkeypatch):
    keys = sorted(["cogs/a.tif", "cogs/a.tif-b.tif", "cogs/a.tif.aux.xml", "cogs/a.tif.b.tif", "cogs/a.tif.b.tif.msk",
                   "cogs/a.tif.ovr", "cogs/a.tif/c.tif", "cogs/a.tif/c.tif.ovr", "cogs/z.tif"])  # fmt: skip
    found = found_in(monkeypatch, keys)
    assert {key: set(source.beside) for key, source in found.items()} == {
        "cogs/a.tif": {"a.tif.aux.xml", "a.tif.ovr"}, "cogs/a.tif-b.tif": set(), "cogs/a.tif.b.tif": {"a.tif.b.tif.msk"},
        "cogs/a.tif/c.tif": {"c.tif.ovr"}, "cogs/z.tif": set(),
    }  # fmt: skip
    assert found["cogs/z.tif"].version == "version of cogs/z.tif"
    matching = found_in(monkeypatch, keys, "s3://shelf/cogs/*.tif")
    assert set(matching["cogs/a.tif"].beside) == {"a.tif.aux.xml", "a.tif.ovr"}


def test_few_objects_wait_for_their_sidecars_whatever_their_names_are(shelf, monkeypatch):
    """All of these keys come between a raster and its sidecar."""
    keys = ["cogs/a.tif", *(f"cogs/a.tif-{number:04}.tif" for number in range(500)), "cogs/a.tif.ovr"]
    monkeypatch.setattr("tests.test_buckets.KEYS", keys)
    taken = []
    monkeypatch.setattr(shelf, "listed", lambda _: (taken.append(k) or Listed(k, WRITTEN, "1") for k in keys))
    found = []
    for source in expand_bucket("s3://shelf/cogs/", {}):
        assert len(taken) - len(found) <= 3 or len(taken) == len(keys)
        found.append(source)
    assert (found[-1].key, set(found[-1].beside)) == ("cogs/a.tif", {"a.tif.ovr"})


def test_the_sidecars_of_a_listing_without_order_are_unknown(shelf, monkeypatch):
    found = found_in(monkeypatch, ["cogs/b.tif", "cogs/a.tif", "cogs/b.tif.ovr"])
    assert [source.beside for source in found.values()] == [None, None]


def test_an_object_that_is_named_has_its_sidecars_looked_for(shelf):
    (source,) = expand_bucket("s3://shelf/a.tif", {})
    assert (source.beside, source.version) == (None, "version of a.tif")
