"""The revisions of datasets, asked for by one thread for all who want to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import psycopg

from gateway.errors import RecordsUnavailable
from gateway.records.base import Revision
from gateway.records.postgres.connection import Bounded, connect, name_of
from gateway.records.postgres.troubles import unserved
from gateway.records.rows import storable

REVISIONS = """SELECT revision.users, datasets.id, datasets.revision
    FROM revision LEFT JOIN datasets ON datasets.id = ANY(%s)"""
# Who has asked is told after so long that there is no answer, or after the attempt that runs then.
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class _Asked:
    dataset_id: str
    at: float = field(default_factory=time.monotonic)
    answer: Future[Revision] = field(default_factory=Future)


class Beacon:
    """Reads revisions: whatever it answers was read after it was asked. Make it after a fork, never before.

    All who ask while one query runs share the next one, so that a process asks at most once a round trip.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._name = name_of(url)
        self._asked: list[_Asked] = []
        self._wanted = threading.Condition()
        self._thread: threading.Thread | None = None
        self._connection: Bounded | None = None
        # A connection may lead to another server than the one before, or to one that was restored.
        self._generation = 0
        self._closed = False

    def ask(self, dataset_id: str) -> Future[Revision]:
        """Return a future of the dataset's revision as it is from now on; it may fail with RecordsUnavailable."""
        asked = _Asked(storable(dataset_id) or "")
        with self._wanted:
            if self._closed:
                asked.answer.set_exception(RecordsUnavailable("The database is closed."))
                return asked.answer
            self._asked.append(asked)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="beacon")
                self._thread.start()
            self._wanted.notify()
        return asked.answer

    def close(self) -> None:
        """Return when all who have asked are told; further calls do nothing."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        waiting: list[_Asked] = []
        while True:
            with self._wanted:
                while not self._asked and not waiting and not self._closed:
                    self._wanted.wait()
                waiting, self._asked = waiting + self._asked, []
                ends = self._closed
            if waiting:
                waiting = self._served(waiting, ends)
            elif ends:
                break
        if self._connection is not None:
            self._connection.close()

    def _served(self, waiting: list[_Asked], ends: bool) -> list[_Asked]:
        """Return those who are still to be told, after one query for all."""
        try:
            revisions = self._read([asked.dataset_id for asked in waiting])
        except psycopg.Error as error:
            if self._connection is not None and self._connection.closed:
                self._connection = None
            return self._failed(waiting, error, ends)
        for asked in waiting:
            if asked.answer.set_running_or_notify_cancel():
                asked.answer.set_result(revisions[asked.dataset_id])
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

    def _read(self, ids: Sequence[str]) -> dict[str, Revision]:
        if self._connection is None:
            self._connection = connect(self._url, read_only=self._read_only)
            self._generation += 1
        rows = self._connection.execute(REVISIONS, [sorted(set(ids))], prepare=True).fetchall()
        if not rows:
            raise psycopg.DatabaseError("the table revision is empty")
        users = rows[0]["users"]
        numbers = {row["id"]: row["revision"] for row in rows}
        return {dataset_id: (self._generation, users, numbers.get(dataset_id)) for dataset_id in ids}
