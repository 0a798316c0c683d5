import errno
import os
import stat
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.errors import ObjectMissing, StorageUnavailable, VersionChanged
from gateway.files import version_of
from gateway.storage import Stream, open_storage
from gateway.storage.local import LocalStorage, path_of, stat_of


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "root"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.tif").write_bytes(b"0123456789")
    (folder / "deep" / "er" / "b.tif").write_bytes(b"b")
    (tmp_path / "outside.tif").write_bytes(b"secret")
    return folder


@pytest.fixture
def storage(root) -> LocalStorage:
    opened = open_storage("data", f"file:{root}")
    assert isinstance(opened, LocalStorage)
    return opened


def test_an_object_is_read_below_folders(storage):
    with storage.open("deep/er/b.tif") as opened:
        assert opened.read_at(0, 10) == b"b"
        assert opened.stat == storage.stat("deep/er/b.tif")
        assert opened.size_bytes == 1
        assert Path(opened.gdal_path).read_bytes() == b"b"


@pytest.mark.parametrize(
    "key", ["../outside.tif", "/etc/passwd", "deep/../a.tif", "", ".", "deep//er/b.tif", "a\0b", "no.tif"]
)
def test_nothing_outside_the_root_or_missing_is_an_object(storage, key):
    for verb in (storage.stat, storage.open, storage.siblings):
        if verb == storage.siblings and key == "no.tif":
            continue
        with pytest.raises(ObjectMissing):
            verb(key)


@pytest.mark.parametrize("place", ["link.tif", "linked/outside.tif"])
def test_links_are_not_followed_wherever_they_stand(storage, root, place):
    (root / "link.tif").symlink_to(root.parent / "outside.tif")
    (root / "linked").symlink_to(root.parent)
    for verb in (storage.stat, storage.open):
        with pytest.raises(ObjectMissing):
            verb(place)


def test_pipes_and_folders_are_no_objects_and_nothing_hangs(storage, root):
    os.mkfifo(root / "pipe.tif")
    for key in ("pipe.tif", "deep"):
        for verb in (storage.stat, storage.open):
            with pytest.raises(ObjectMissing):
                verb(key)


@pytest.mark.parametrize(("modified", "year"), [(2**40, 9999), (-(2**40), 1), (2**62, 9999), (0, 1970)])
def test_a_time_that_no_calendar_has_is_told_as_the_nearest(modified, year):
    facts = SimpleNamespace(st_size=1, st_mtime=float(modified), st_mtime_ns=modified * 10**9, st_ino=1)
    found = stat_of(facts)
    assert found.modified_at.astimezone(UTC).year == year
    assert found.version == version_of(facts)


def test_the_version_changes_with_every_edit_and_replacement(storage, root):
    path, seen = root / "a.tif", set()
    seen.add(storage.stat("a.tif").version)
    with path.open("r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(0, 1))
    seen.add(storage.stat("a.tif").version)
    (root / "new").write_bytes(path.read_bytes())
    os.utime(root / "new", ns=(0, 1))
    (root / "new").rename(path)
    seen.add(storage.stat("a.tif").version)
    path.write_bytes(b"longer than it was")
    seen.add(storage.stat("a.tif").version)
    assert len(seen) == 4


def test_an_opened_object_knows_that_it_was_edited_but_not_that_it_was_replaced(storage, root):
    with storage.open("a.tif") as opened:
        (root / "new").write_bytes(b"other")
        (root / "new").rename(root / "a.tif")
        assert opened.unchanged()
        assert opened.read_at(0, 99) == b"0123456789"
    with storage.open("a.tif") as opened:
        os.truncate(root / "a.tif", 1)
        assert not opened.unchanged()


def test_delivery_is_of_the_named_version_or_not_at_all(storage, root):
    version = storage.stat("a.tif").version
    delivered = storage.deliver("a.tif", version)
    assert isinstance(delivered, Stream)
    assert delivered.stat.version == version
    delivered.source.close()
    os.truncate(root / "a.tif", 1)
    with pytest.raises(VersionChanged):
        storage.deliver("a.tif", version)


def test_a_root_that_is_gone_is_unavailable_and_not_missing(storage, root):
    storage.ping()
    root.rename(root.with_name("away"))
    for call in (storage.ping, lambda: storage.stat("a.tif"), lambda: storage.open("a.tif")):
        with pytest.raises(StorageUnavailable):
            call()


def test_keys_of_local_paths(storage, root):
    assert storage.key_of(root / "deep" / "er" / "b.tif") == "deep/er/b.tif"
    assert storage.key_of(root / "deep" / ".." / "a.tif") == "a.tif"
    assert storage.key_of(root.parent / "outside.tif") is None
    (root / "link.tif").symlink_to(root.parent / "outside.tif")
    assert storage.key_of(root / "link.tif") is None
    (root.parent / "inward.tif").symlink_to(root / "a.tif")
    assert storage.key_of(root.parent / "inward.tif") == "a.tif"


def test_staging_shows_the_object_whole_and_makes_its_folders(storage, root):
    with storage.staging("new/folder/c.tif") as path:
        path.write_bytes(b"new")
        assert not (root / "new" / "folder" / "c.tif").exists()
    assert (root / "new" / "folder" / "c.tif").read_bytes() == b"new"
    assert os.listdir(root / "new" / "folder") == ["c.tif"]


def test_staging_that_fails_leaves_nothing_and_keeps_what_was_there(storage, root):
    with pytest.raises(KeyError), storage.staging("a.tif") as path:
        path.write_bytes(b"half")
        raise KeyError
    assert (root / "a.tif").read_bytes() == b"0123456789"
    assert sorted(os.listdir(root)) == ["a.tif", "deep"]


@pytest.mark.parametrize("key", ["c.tif", "new/c.tif"])
@pytest.mark.parametrize("refusal", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_staging_in_a_folder_that_takes_no_file_says_so_and_yields_nothing(storage, root, monkeypatch, key, refusal):
    def refused(*_args, **_options):
        raise OSError(refusal, os.strerror(refusal))

    opened = os.open
    monkeypatch.setattr(os, "mkdir", refused)
    monkeypatch.setattr(os, "open", lambda *a, **o: refused() if a[1] & os.O_CREAT else opened(*a, **o))
    with pytest.raises(StorageUnavailable, match="target folder cannot be written"), storage.staging(key):
        pytest.fail("there is nowhere to write to")
    assert sorted(os.listdir(root)) == ["a.tif", "deep"]


def test_staging_below_a_root_that_is_not_there_names_the_target(tmp_path):
    told = "^The target folder cannot be written: no such file or directory\\.$"
    with pytest.raises(StorageUnavailable, match=told), LocalStorage("made", f"file:{tmp_path}/no").staging("c.tif"):
        pytest.fail("there is nowhere to write to")


def test_an_object_is_removed_unless_it_is_another_version(storage, root):
    version = storage.stat("deep/er/b.tif").version
    assert not storage.remove("deep/er/b.tif", version + "0")
    assert storage.remove("deep/er/b.tif", version)
    # What is gone is gone.
    assert storage.remove("deep/er/b.tif", version)
    assert storage.remove("nowhere/b.tif")
    assert sorted(path.name for path in root.rglob("*.tif")) == ["a.tif"]
    with pytest.raises(StorageUnavailable):
        storage.remove("deep")


def test_staging_follows_no_link(storage, root):
    (root / "linked").symlink_to(root.parent)
    with pytest.raises(ObjectMissing), storage.staging("linked/x.tif"):
        pass
    assert not (root.parent / "x.tif").exists()


def test_siblings_are_the_sidecars_of_the_file_and_the_folder_is_not_listed(storage, root, monkeypatch):
    monkeypatch.setattr(os, "listdir", None)
    monkeypatch.setattr(os, "scandir", None)
    assert storage.siblings("a.tif") == frozenset()
    for name in ("a.tif.ovr", "a.tif.aux.xml", "a.ovr", "b.tif.msk"):
        (root / name).touch()
    assert storage.siblings("a.tif") == {"a.tif.ovr", "a.tif.aux.xml"}


@pytest.mark.parametrize(
    ("uri", "path"),
    [("file:/a/b", "/a/b"), ("file:///a/b", "/a/b"), ("file://localhost/a", "/a"), ("file:/with%20space", "/with space"),
     ("file:/odd?name#1", "/odd?name#1")],
)  # fmt: skip
def test_file_uris(uri, path):
    assert str(path_of(uri)) == path


def test_a_relative_uri_counts_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert path_of("file:data") == tmp_path / "data"


def test_no_descriptor_is_left_open(storage, root):
    before = len(os.listdir("/proc/self/fd"))
    for key in ("a.tif", "deep", "no.tif", "deep/er/b.tif", "../x"):
        for verb in (storage.stat, storage.open, storage.siblings):
            try:
                answer = verb(key)
            except ObjectMissing:
                continue
            getattr(answer, "close", lambda: None)()
    assert len(os.listdir("/proc/self/fd")) == before
    assert stat.S_ISDIR(root.stat().st_mode)


def test_what_may_not_be_read_is_unavailable_and_not_missing(storage, monkeypatch):
    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    for verb in (storage.stat, storage.open):
        with pytest.raises(StorageUnavailable):
            verb("a.tif")


def test_a_uri_names_a_folder_by_its_bytes():
    odd = Path(os.fsdecode(b"/data/caf\xe9"))
    assert path_of("file:/data/caf%E9") == path_of(f"file:{odd}") == odd
    assert path_of("file:/data/caf%C3%A9") == path_of("file:/data/café") == Path("/data/café")
