"""What is on record of the objects of many tasks, asked for together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from gateway.judging import Task, converted_key
from gateway.model import Dataset
from gateway.records import Records


class Known:
    """The datasets of objects: those that `ask` asked for together as they were then, all others as they are."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._found: dict[tuple[str, str], Dataset | None] = {}

    def ask(self, tasks: Iterable[Task]) -> None:
        """Look up what may be on record for the tasks, and forget all else. Raises RecordsUnavailable."""
        keys: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for task in tasks:
            keys[task.root].update(dict.fromkeys((task.key, converted_key(task))))
        self._found = {}
        for root, wanted in keys.items():
            found = self._records.datasets_at(root, list(wanted))
            self._found |= {(root, key): found.get(key) for key in wanted}

    def at(self, root: str, key: str) -> Dataset | None:
        """Return the dataset whose object lies there, or None. Raises RecordsUnavailable."""
        if (root, key) in self._found:
            return self._found[root, key]
        return self._records.dataset_at(root, key)

    def forget(self, task: Task) -> None:
        """Have the datasets of a task asked for anew, because they are about to change."""
        for key in (task.key, converted_key(task)):
            self._found.pop((task.root, key), None)
