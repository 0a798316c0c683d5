import random
import sys
from dataclasses import replace

from gateway.catalogue.search import Search
from gateway.model import Grant, Level, Principal, RasterFacts, Scale
from gateway.records import Change
from tests.records.conftest import act, dataset, register
from tests.records.test_search import day

READERS = (None, Principal(), Principal("ana"), Principal("ben", frozenset({"survey"})))
CHANCE = random.Random(7)


def placed(number):
    west, south = CHANCE.randrange(-192, 192) / 64, CHANCE.randrange(2560, 3200) / 64
    bounds = None if number % 9 == 0 else (west, south, west + 0.5, south + 0.25)
    scale = CHANCE.choice(list(Scale))
    return dataset(
        number, raster=RasterFacts(10, 10, 1, "uint8", None, None, bounds), dates=day(number, number + 3),
        collection=CHANCE.choice(["even", "odd"]), visibility=scale, download=scale, owner=CHANCE.choice(["ana", None]),
    )  # fmt: skip


def extents(records, reader):
    """Return what each collection comes to, from the list of them and from each for itself."""
    seen = {found.collection.id: found.extent for found in records.collections(reader) if found.extent.count}
    assert seen == {name: records.collection(name, reader).extent for name in seen}
    return {name: (found.bbox, found.start_at, found.end_at) for name, found in seen.items()}


def expected(records, reader):
    """Return the same from all that a search finds."""
    told = {}
    for found in records.search(Search(limit=1000), reader).datasets:
        told.setdefault(found.collection, []).append(found)
    return {
        name: (
            box_of([each.raster.bounds for each in group if each.raster.bounds]),
            min(each.dates.start_at for each in group),
            max(each.dates.end_at for each in group),
        )
        for name, group in told.items()
    }


def box_of(boxes):
    if not boxes:
        return None
    return (
        *(min(box[side] for box in boxes) for side in (0, 1)),
        *(max(box[side] for box in boxes) for side in (2, 3)),
    )


def test_extents_follow_whatever_comes_goes_and_changes(records):
    made = [placed(number) for number in range(1, 151)]
    records.register_datasets([(each, act()) for each in made])
    for each in made[::3]:
        records.add_grant(Grant(each.id, Level.VIEW, **CHANCE.choice([{"user": "ben"}, {"role": "survey"}])), act())
    left = [each.id for each in made]
    CHANCE.shuffle(left)
    while left:
        for _ in range(30):
            one = left.pop()
            if CHANCE.random() < 0.6:
                records.remove_dataset(one, act())
            else:
                scale = CHANCE.choice([Scale.PUBLIC, Scale.PRIVATE])
                told = Change(visibility=scale, download=Scale.PRIVATE, dates=day(CHANCE.randrange(400)))
                records.change_dataset(one, replace(told, collection=CHANCE.choice(["even", "odd"])), act())
        for reader in READERS:
            assert extents(records, reader) == expected(records, reader), reader
    counts = {found.collection.id: found.extent.count for found in records.collections(None)}
    assert sum(counts.values()) == records.search(Search(), None).matched


def test_a_hidden_collection_takes_the_questions_that_a_missing_one_takes(records, monkeypatch):
    kind = sys.modules[
        f"gateway.records.{'sqlite' if 'sqlite' in type(records).__module__ else 'postgres'}.collections"
    ]
    register(records, dataset(1, visibility=Scale.PRIVATE, download=Scale.PRIVATE, collection="hidden"))
    asked, extents_of, by_id = [], kind._extents, kind.by_id
    monkeypatch.setattr(kind, "_extents", lambda *args: asked.append("extents") or extents_of(*args))
    monkeypatch.setattr(kind, "by_id", lambda *args: asked.append("record") or by_id(*args))
    told = []
    for name in ("hidden", "missing"):
        assert records.collection(name, Principal("ben")) is None
        told.append(asked.copy())
        asked.clear()
    assert told == [["extents"]] * 2
