"""`collections overview`: what it prints, what it ends with, and what other commands tell of it."""

import signal

from gateway.cli import overview


def test_it_is_made_told_made_anew_and_removed(gateway):
    known = gateway.dataset(visibility="public")
    ran = gateway.run("collections", "overview", "data", "--copy-to", "data", "--json")
    assert "zoom level 10: 512 x 512 pixels over 1 dataset, 1.0 MB before compression" in ran.stderr
    (shown,) = gateway.json("collections", "show", "data")
    first = shown["overview"]
    assert (first["holds"], first["datasets"], first["zoom"], first["root"]) == (True, 1, 10, "data")
    assert gateway.json("collections", "update", "data", "--title", "All")[0]["overview"] == first
    (made,) = gateway.json("collections", "overview", "data", "--zoom", 9, "--copy-to", "data")
    assert (made["status"], made["zoom"], made["width"]) == ("made", 9, 256)
    assert not (gateway.data / first["key"]).exists()
    assert gateway.json("check", gateway.data / made["key"], "--depth", "full")[0]["valid"]
    # A list of the folder passes it over, without a word on hidden names.
    ran = gateway.run("ingest", "data")
    assert "hidden" not in ran.stderr
    assert len(gateway.json("datasets", "list")) == 1
    gateway.run("datasets", "update", known, "--visibility", "internal")
    assert not gateway.json("collections", "show", "data")[0]["overview"]["holds"]
    assert "made  overview of data" in gateway.run("collections", "overview", "data", "--copy-to", "data").stdout
    assert gateway.json("collections", "overview", "data", "--remove")[0]["status"] == "removed"
    assert "has no overview" in gateway.run("collections", "overview", "data", "--remove", exit_code=1).stderr
    assert [action for action, _ in gateway.actions()].count("overview.made") == 3
    assert list((gateway.data / ".overviews").rglob("*.tif")) == []


def test_it_goes_with_its_collection(gateway):
    known = gateway.dataset(collection="scenes")
    assert "removed  " not in gateway.run("collections", "overview", "scenes", "--copy-to", "data").stdout
    gateway.run("datasets", "remove", known, "--yes")
    gateway.run("collections", "remove", "scenes")
    assert list((gateway.data / ".overviews").rglob("*.tif")) == []


def test_nothing_is_left_by_a_run_that_is_ended(gateway, monkeypatch):
    gateway.dataset()

    def ended(tiles, *_):
        yield next(iter(tiles))
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(overview, "with_progress", ended)
    gateway.run("collections", "overview", "data", "--copy-to", "data", exit_code=143)
    assert [path for path in (gateway.data / ".overviews").rglob("*") if path.is_file()] == []
    assert gateway.json("collections", "show", "data")[0]["overview"] is None


def test_the_exit_code_tells_why_there_is_none(gateway):
    gateway.dataset()
    line = ("collections", "overview")
    for flags in ((), ("--copy-to", "data", "--remove"), ("--remove", "--zoom", 3), ("--copy-to", "nowhere")):
        gateway.run(*line, "data", *flags, exit_code=2)
    told = gateway.run(*line, "nothing", "--copy-to", "data", exit_code=1).stderr
    assert "there is no collection nothing" in told
    assert "there is no collection nothing" in gateway.run(*line, "nothing", "--remove", exit_code=1).stderr
    (refused,) = gateway.json(*line, "data", "--zoom", 20, "--copy-to", "data", exit_code=1)
    assert (refused["status"], refused["collection"]) == ("refused", "data")
    (gateway.data / "a.tif").unlink()
    ran = gateway.run(*line, "data", "--copy-to", "data", "--json", exit_code=2)
    assert '"status": "failed"' in ran.stdout
    assert "No such object" in ran.stderr
