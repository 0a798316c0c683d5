"""What travels to other machines in place of a storage, and what is made of it there."""

from pathlib import Path

import pytest

from gateway.buckets import bucket_storage
from gateway.cli.sealed import sealed, storage_at, unsealed
from gateway.errors import SettingsError
from gateway.settings import RootSettings, load_settings
from gateway.storage import open_storage

SECRET = "a-secret-that-stays-at-home"


@pytest.fixture
def roots(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return {
        "disk": RootSettings(uri="file:with%20space"),
        "far": RootSettings(uri="s3://b/prefix", region="x", access_key_id="me", secret_access_key=SECRET),
    }


def there(roots):
    """What opens storages on a machine with those roots."""
    settings = load_settings({"roots": roots})
    return lambda name, uri: storage_at(settings, name, uri)


def test_roots_buckets_and_folders_are_opened_there_by_their_names(roots):
    sent = (
        open_storage("disk", roots["disk"]), open_storage("far", roots["far"]), bucket_storage("b", roots),
        open_storage("file:/tmp", "file:/tmp"),
    )  # fmt: skip
    data = sealed(sent)
    assert SECRET.encode() not in data
    arrived = unsealed(data, there(roots))
    assert [(type(each), each.name, each.uri) for each in arrived] == [
        (type(each), each.name, each.uri) for each in sent
    ]  # fmt: skip
    assert arrived[0].path == Path.cwd() / "with space"
    # The key of the other machine's settings, which are the same here.
    assert arrived[1]._root == roots["far"]
    assert arrived[2]._root.secret_access_key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("uri", "told"),
    [("file:elsewhere", "the root disk is file:.*/elsewhere, and not file:"), (None, "no storage root")],
)
def test_a_root_that_is_elsewhere_there_is_refused(roots, uri, told):
    other = {"disk": RootSettings(uri=uri)} if uri else {"else": roots["disk"]}
    with pytest.raises(SettingsError, match=told):
        unsealed(sealed(open_storage("disk", roots["disk"])), there(other))


def test_a_relative_path_is_that_of_the_process_that_sent_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data = sealed([Path("a.tif"), Path("/b.tif")])
    monkeypatch.chdir("/")
    assert unsealed(data, there({})) == [tmp_path / "a.tif", Path("/b.tif")]
