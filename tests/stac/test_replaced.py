"""A file that is replaced by a broken one: what its item says before and after, whoever finds it."""

import json
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from gateway.stac.assets import COG, GEOTIFF

SAYS = ("type", "gateway:valid", "gateway:depth", "gateway:checked_at", "file:size")


def asset(served, dataset):
    """Return the item of a dataset, and what it says of its file."""
    item = served.ask(f"/stac/collections/{dataset.collection}/items/{dataset.id}").document
    return item, {name: item["assets"]["data"].get(name) for name in SAYS}


def download(served, dataset, _):
    assert served.ask(f"/datasets/{dataset.id}/download/cog", token=served.bearer()).code in (200, 422)


def picture(served, dataset, _):
    assert served.ask(f"/datasets/{dataset.id}/preview.png").code in (200, 422)


def recheck(served, dataset, monkeypatch):
    settings = served.services.settings
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("GATEWAY_ROOTS", json.dumps({"data": {"uri": settings.roots["data"].uri}}))
    if settings.database_url is not None:
        monkeypatch.setenv("GATEWAY_DATABASE_URL", str(settings.database_url))
        monkeypatch.setenv("GATEWAY_SECRET_KEYS", "k" * 32)
    done = CliRunner().invoke(cli, ["datasets", "recheck", dataset.id])
    assert done.exit_code in (0, 1), done.output


@pytest.mark.parametrize("look", [download, picture, recheck])
def test_an_item_says_what_the_last_look_at_its_file_found(served, monkeypatch, look):
    dataset = served.add(f"replaced-by-{look.__name__}.tif", collection="replaced", title="Replaced")
    path = served.folder / dataset.key
    item, before = asset(served, dataset)
    path.write_bytes(path.read_bytes()[:-1000])
    # A search reads records alone: until somebody looks the item says when that was done for the last time.
    assert asset(served, dataset)[1] == before
    look(served, dataset, monkeypatch)
    broken, after = asset(served, dataset)
    assert (before["type"], before["gateway:valid"]) == (COG, True)
    assert (after["type"], after["gateway:valid"]) == (GEOTIFF, False)
    assert after["file:size"] == before["file:size"] - 1000
    assert after["gateway:checked_at"] > before["gateway:checked_at"]
    assert ("thumbnail" in item["assets"], "thumbnail" in broken["assets"]) == (True, False)
    assert {link["rel"] for link in item["links"]} - {link["rel"] for link in broken["links"]} == {
        "tilejson",
        "xyz",
        "wmts",
    }
    assert broken["properties"]["updated"] > item["properties"]["updated"]
    assert served.ask(f"/stac/search?ids={dataset.id}&filter=gateway:valid%20=%20true").document["features"] == []
    broken_since = f"gateway:valid=false AND gateway:checked_at>=TIMESTAMP('{after['gateway:checked_at']}')"
    told = served.ask(f"/stac/search?ids={dataset.id}&{urlencode({'filter': broken_since})}").document
    assert [each["id"] for each in told["features"]] == [dataset.id]
    found = served.ask("/stac/search", {"ids": [dataset.id]}).document["features"][0]["assets"]["data"]
    assert {name: found.get(name) for name in SAYS} == after
    path.write_bytes(served.cog.read_bytes())
    look(served, dataset, monkeypatch)
    assert asset(served, dataset)[1]["type"] == COG
