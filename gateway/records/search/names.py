"""The datasets' own properties that a reader may know of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from gateway.catalogue.conditions import FIELDS
from gateway.catalogue.search import Condition, Operand, Property, Search
from gateway.errors import BadParameter
from gateway.model import Principal
from gateway.principal import Target
from gateway.records.audiences import audiences_of, target_of
from gateway.records.search.dialect import Database, Values

# Datasets mostly come with the same properties: from one list of names to the next, whatever the number of datasets.
NEXT = """SELECT a.collection, a.names FROM dataset_audiences AS a
    WHERE a.audience = {audience}{only} AND a.names <> '[]' AND (a.collection, a.names) > ({collection}, {names})
    ORDER BY a.collection, a.names LIMIT 1"""


def queryables(database: Database, reader: Principal | None, collection: str | None) -> Mapping[str, frozenset[str]]:
    """Return the names of the properties, of one collection or of all, and the JSON types that each has."""
    types: dict[str, set[str]] = {}
    target = target_of(reader)
    if target.collection is not None and collection not in (None, target.collection):
        return {}
    for audience in audiences_of(reader):
        for names in _lists(database, audience, Target(target.dataset_id, target.collection or collection)):
            for name, kind in json.loads(names):
                types.setdefault(name, set()).add(kind)
    return {name: frozenset(kinds) for name, kinds in sorted(types.items())}


def _lists(database: Database, audience: str, within: Target) -> Iterator[str]:
    last = (within.collection or "", "")
    while True:
        values = Values(database.dialect)
        told = {"audience": audience, "collection": last[0], "names": last[1]}
        marks = {name: values.bind(value) for name, value in told.items()}
        wanted = {"a.collection": within.collection, "a.dataset_id": within.dataset_id}
        only = "".join(f" AND {name} = {values.bind(value)}" for name, value in wanted.items() if value is not None)
        found = database.rows(NEXT.format(**marks, only=only), values.given)
        if not found:
            return
        last = found[0]["collection"], found[0]["names"]
        yield last[1]


def require_known(database: Database, search: Search, reader: Principal | None) -> None:
    """Return where a reader may know all properties of a filter; raises BadParameter naming one that they may not."""
    named = set(_named(search.filter)) - set(FIELDS) if search.filter else set()
    if not named:
        return
    known: set[str] = set()
    for collection in search.collections if search.collections is not None else (None,):
        known |= set(queryables(database, reader, collection))
    for name in sorted(named - known):
        raise BadParameter(f"There is no property {name!r} to filter by.")


def _named(operand: Operand) -> Iterator[str]:
    if isinstance(operand, Property):
        yield operand.name
    elif isinstance(operand, Condition):
        for each in operand.args:
            yield from _named(each)
