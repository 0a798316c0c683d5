"""Months of the audit made ahead of their rows, once a day and in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime

import psycopg

from gateway.records.base import LEAST_MONTHS_AHEAD
from gateway.records.postgres import partitions
from gateway.records.postgres.connection import connect, name_of
from gateway.records.postgres.troubles import unserved

LOG = logging.getLogger("gateway.records")
INTERVAL_SECONDS = 86_400.0


class Upkeep:
    """What is known of the audit's months, and who makes the next ones. Make it after a fork, never before."""

    def __init__(self, owner_url: str, months: Sequence[datetime] = ()) -> None:
        self._owner_url = owner_url
        self.months = list(months)
        self._due = time.monotonic() + INTERVAL_SECONDS
        self._thread: threading.Thread | None = None

    def months_ahead(self) -> int:
        """Return how many months after this one take rows, as far as is known; waits for nothing."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + INTERVAL_SECONDS
            self._thread = threading.Thread(target=self.make_ahead, name="audit-months")
            self._thread.start()
        return partitions.months_ahead(self.months, datetime.now(UTC))

    def make_ahead(self) -> None:
        """Return when the next months take rows, or the log says that they do not and why."""
        try:
            with closing(connect(self._owner_url, long=True)) as connection:
                # Where this role may not, somebody else makes them: `cog-gateway migrate` by a timer.
                with suppress(psycopg.errors.InsufficientPrivilege):
                    partitions.make_ahead(connection)
                self.months = partitions.attached(connection)
        except psycopg.Error as error:
            LOG.warning("no months of the audit were made: %s", unserved(name_of(self._owner_url), error).reason)
            return
        ahead = partitions.months_ahead(self.months, datetime.now(UTC))
        if ahead < LEAST_MONTHS_AHEAD:
            LOG.warning("the audit takes rows of %d months ahead and no more: run `cog-gateway migrate`", ahead)

    def close(self) -> None:
        """Return when nothing is made any more."""
        if self._thread is not None:
            self._thread.join()
