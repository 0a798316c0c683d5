"""The revisions of datasets, asked for by one thread for all who want to know."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from gateway.errors import RecordsUnavailable
from gateway.records.postgres.connection import Bounded, connect, name_of
from gateway.records.postgres.troubles import unserved
from gateway.records.rows import storable
from gateway.records.standing import Revision

REVISIONS = """SELECT revision.users, datasets.id, datasets.revision
    FROM revision LEFT JOIN datasets ON datasets.id = ANY(%s)"""
# Who has asked is told after so long that there is no answer, or after the attempt that runs then.
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class _Asked:
    dataset_ids: Sequence[str]
    at: float = field(default_factory=time.monotonic)
    answer: Future[Mapping[str, Revision]] = field(default_factory=Future)


class Beacon:
    """Reads revisions: whatever it answers was read after it was asked. Make it after a fork, never before.

    All who ask while one query runs share the next one, so that a process asks at most once a round trip.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._name = name_of(url)
        # None: nobody will ask any more.
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: Bounded | None = None
        # Of that connection, kept: one made for each query would cost as much as the query.
        self._cursor: psycopg.Cursor[tuple[Any, ...]]
        # A connection may lead to another server than the one before, or to one that was restored.
        self._generation = 0
        self._closed = False

    def ask(self, dataset_ids: Sequence[str]) -> Future[Mapping[str, Revision]]:
        """Return a future of the datasets' revisions as they are from now on; it may fail with RecordsUnavailable."""
        asked = _Asked(dataset_ids)
        with self._gate:
            if self._closed:
                asked.answer.set_exception(RecordsUnavailable("The database is closed."))
                return asked.answer
            self._asked.put(asked)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="beacon")
                self._thread.start()
        return asked.answer

    def close(self) -> None:
        """Return when all who have asked are told; further calls do nothing."""
        with self._gate:
            self._closed = True
            self._asked.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        waiting: list[_Asked] = []
        ends = False
        while waiting or not ends:
            came = [] if waiting else [self._asked.get()]
            came += [self._asked.get() for _ in range(self._asked.qsize())]
            ends = ends or None in came
            waiting += [asked for asked in came if asked is not None]
            if waiting:
                waiting = self._served(waiting, ends)
        if self._connection is not None:
            self._connection.close()

    def _served(self, waiting: list[_Asked], ends: bool) -> list[_Asked]:
        """Return those who are still to be told, after one query for all."""
        try:
            revisions = self._read({dataset_id for asked in waiting for dataset_id in asked.dataset_ids})
        except psycopg.Error as error:
            if self._connection is not None and self._connection.closed:
                self._connection = None
            return self._failed(waiting, error, ends)
        for asked in waiting:
            if asked.answer.set_running_or_notify_cancel():
                asked.answer.set_result({dataset_id: revisions[dataset_id] for dataset_id in asked.dataset_ids})
        return []

    def _failed(self, waiting: list[_Asked], error: psycopg.Error, ends: bool) -> list[_Asked]:
        now, patient = time.monotonic(), []
        for asked in waiting:
            if not ends and now - asked.at < PATIENCE_SECONDS:
                patient.append(asked)
            elif asked.answer.set_running_or_notify_cancel():
                # One of its own: errors that threads raise must not be shared.
                asked.answer.set_exception(unserved(self._name, error))
        time.sleep(PAUSE_SECONDS)
        return patient

    def _read(self, ids: Collection[str]) -> dict[str, Revision]:
        if self._connection is None:
            self._connection = connect(self._url, read_only=self._read_only)
            self._cursor = self._connection.cursor(row_factory=tuple_row)
            self._generation += 1
        stored = {dataset_id: storable(dataset_id) for dataset_id in ids}
        rows = self._cursor.execute(REVISIONS, [list(stored.values())], prepare=True).fetchall()
        if not rows:
            raise psycopg.DatabaseError("the table revision is empty")
        users = rows[0][0]
        numbers = {dataset_id: number for _, dataset_id, number in rows}
        return {dataset_id: (self._generation, users, numbers.get(name)) for dataset_id, name in stored.items()}
