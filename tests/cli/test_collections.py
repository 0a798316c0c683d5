import json

DAY = ("2026-02-03T00:00:00.000Z", "2026-02-03T23:59:59.999Z")


def test_ingest_puts_datasets_into_collections_and_dates_them(gateway):
    (gateway.folder / "own.json").write_text('{"cloud": 12}')
    gateway.dataset("a.tif", collection="scenes", datetime="2026-02-03", properties="own.json")
    named = gateway.dataset("S2_20260203.tif", **{"datetime-pattern": r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"})
    plain = gateway.dataset("plain.tif", **{"datetime-pattern": r"(?P<year>\d{4})"})
    told = {one["title"]: one for one in gateway.json("datasets", "list")}
    first = told["a"]
    assert (first["collection"], first["properties"], first["dated_by"]) == ("scenes", {"cloud": 12}, "option")
    assert (first["start_at"], first["end_at"]) == DAY
    assert first["footprint"]["type"] == "Polygon"
    assert (told["S2_20260203"]["id"], told["S2_20260203"]["collection"]) == (named, "data")
    assert (told["S2_20260203"]["dated_by"], told["S2_20260203"]["start_at"]) == ("pattern", DAY[0])
    assert (told["plain"]["id"], told["plain"]["dated_by"]) == (plain, "modified")
    # The same again changes nothing; another collection alone is an update.
    assert gateway.json("ingest", "data/a.tif")[0]["status"] == "unchanged"
    assert gateway.json("ingest", "data/a.tif", "--collection", "others")[0]["status"] == "updated"
    assert [one["id"] for one in gateway.json("collections", "list")] == ["data", "others", "scenes"]


def test_what_contradicts_the_options_is_wrong_usage(gateway):
    gateway.dataset()
    (gateway.folder / "reserved.json").write_text('{"datetime": "x"}')
    for flags in (("--collection", "a b"), ("--datetime", "2026"), ("--datetime-pattern", r"\d"),
                  ("--properties", "reserved.json"), ("--properties", "none.json")):  # fmt: skip
        told = gateway.run("ingest", "data/a.tif", *flags, exit_code=2)
        assert flags[0] in told.stderr
    assert "'datetime' is reserved" in gateway.run(
        "ingest", "data/a.tif", "--properties", "reserved.json", exit_code=2
    ).stderr  # fmt: skip


def test_update_changes_collection_dates_and_properties(gateway):
    known = gateway.dataset("scene_2024.tif")
    (gateway.folder / "own.json").write_text('{"cloud": 12}')
    flags = ("--collection", "scenes", "--properties", "own.json", "--datetime-pattern", r"_(?P<year>\d{4})")
    (told,) = gateway.json("datasets", "update", known, *flags)
    assert (told["collection"], told["properties"], told["start_at"]) == (
        "scenes",
        {"cloud": 12},
        "2024-01-01T00:00:00.000Z",
    )
    action, detail = gateway.actions()[-1]
    assert (action, detail["collection"], detail["dated_by"]) == ("dataset.updated", "scenes", "pattern")
    assert (
        "finds no date"
        in gateway.run("datasets", "update", known, "--datetime-pattern", "(?P<year>x)", exit_code=1).stderr
    )
    # Dates that somebody gave outlive another look at the file; those of the file follow it.
    gateway.run("datasets", "recheck", known)
    assert gateway.json("datasets", "show", known)[0]["dated_by"] == "pattern"


def test_a_collection_is_made_changed_and_removed_when_it_is_empty(gateway):
    gateway.catalogue()
    (gateway.folder / "providers.json").write_text(
        json.dumps([{"name": "Survey", "roles": ["host"], "url": "https://x.org"}])
    )
    (made,) = gateway.json("collections", "create", "maps", "--title", "Maps")
    assert (made["title"], made["license"], made["datasets"], made["bbox"]) == ("Maps", "other", 0, None)
    gateway.run("collections", "create", "maps", exit_code=1)
    flags = (
        "--license",
        "CC-BY-4.0",
        "--keywords",
        "old, paper",
        "--providers",
        "providers.json",
        "--description",
        "Old",
    )
    (told,) = gateway.json("collections", "update", "maps", *flags)
    assert (told["license"], told["keywords"], told["description"]) == ("CC-BY-4.0", ["old", "paper"], "Old")
    assert told["providers"] == [{"name": "Survey", "roles": ["host"], "url": "https://x.org"}]
    assert told["updated_at"] > told["created_at"] == made["created_at"]
    gateway.dataset(collection="maps", datetime="2026-02-03")
    (told,) = gateway.json("collections", "show", "maps")
    assert (told["datasets"], told["start_at"], told["end_at"], len(told["bbox"])) == (1, *DAY, 4)
    assert "datasets list --collection maps" in gateway.run("collections", "remove", "maps", exit_code=1).stderr
    assert gateway.json("collections", "create", "none")[0]["id"] == "none"
    assert gateway.json("collections", "remove", "none") == [{"id": "none", "removed": True}]
    assert [action for action, _ in gateway.actions() if action.startswith("collection")] == [
        "collection.created", "collection.updated", "collection.created", "collection.removed",
    ]  # fmt: skip
    assert "maps" in gateway.run("collections", "list").stdout


def test_a_collection_may_be_the_first_thing_on_record(gateway):
    shown = gateway.run("collections", "create", "maps", "--keywords", "old,ä").stdout
    assert '["old", "ä"]' in shown
    assert sorted(path.name for path in (gateway.folder / "state").iterdir()) == ["gateway.db", "secret.key"]
    assert [one["id"] for one in gateway.json("collections", "list")] == ["maps"]


def test_unknown_collections_and_nonsense_are_told(gateway):
    gateway.catalogue()
    for command in ("show", "remove"):
        assert "there is no collection none" in gateway.run("collections", command, "none", exit_code=1).stderr
    gateway.run("collections", "update", "none", "--title", "x", exit_code=1)
    gateway.run("collections", "update", "none", exit_code=2)
    gateway.run("collections", "create", "-bad", exit_code=2)
    gateway.run("collections", "create", "x", "--license", "%", exit_code=2)
    (gateway.folder / "bad.json").write_text('[{"roles": ["boss"]}]')
    gateway.run("collections", "create", "x", "--providers", "bad.json", exit_code=2)
