"""What became of redirects, as the access logs of their store tell it: rows of the audit, each added once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeGuard
from urllib.parse import urlsplit

from gateway.accesslogs import LoggedGet, lines_of, read
from gateway.logs import told
from gateway.model import AuditRow, utc_text
from gateway.records import AuditQuery, Records
from gateway.remembered import Remembered
from gateway.settings import RootSettings

# So many downloads are looked up at once, and so many rows are one transaction.
BATCH_GETS = 4000
BATCH_ROWS = 500
# Redirects that were found, so that one whose URL is used again and again is looked up once.
KEPT_REDIRECTS = 20_000
# S3 refuses signatures of a clock that is further off than a quarter of an hour, and URLs that are older than a week.
CLOCK = timedelta(minutes=15)
LONGEST_LIFE = timedelta(days=7)
# Names of access points end so (Amazon S3 User Guide, "Using a bucket-style alias"); logs have the bucket's own.
ALIAS = "-s3alias"
BUCKETS = "s3:"
COMPLETED, ABORTED, PARTIAL = "completed", "aborted", "partial"
FINISHED = "download.finished"
WHOLE, FOUND = 200, 302
# Answers that carry bytes of the object.
GIVEN = (WHOLE, 206)


@dataclass
class Reconciled:
    """What came of logs. `lines` is the sum of `added`, `known`, `unknown`, `refused`, `unsigned`, `other`, `unread`.

    `added` became rows, `known` had theirs already; of both `completed`, `aborted`, `partial` and `bytes_sent` tell.
    `unknown` name a redirect that is not on record, or not at that time or of that object; `refused` were answered
    without bytes of the object; `unsigned` came without the signature of a URL; `other` tell of something else;
    `unread` are no records.
    """

    lines: int = 0
    added: int = 0
    known: int = 0
    unknown: int = 0
    refused: int = 0
    unsigned: int = 0
    other: int = 0
    unread: int = 0
    completed: int = 0
    aborted: int = 0
    partial: int = 0
    bytes_sent: int = 0


class Reconciliation:
    """Takes logs, one after the other, and adds rows to the audit; `counted` says what has come of them so far.

    Memory is bounded, whatever the logs are.
    """

    def __init__(self, records: Records, roots: Mapping[str, RootSettings]) -> None:
        self._records, self._roots = records, roots
        # Bucket and key of the datasets of redirects, None where it is not known what they are.
        self._objects: Remembered[str, tuple[str | None, str] | None] = Remembered(KEPT_REDIRECTS)
        self._redirects: Remembered[str, AuditRow] = Remembered(KEPT_REDIRECTS)
        self.counted = Reconciled()

    def take(self, log: str, chunks: Iterable[bytes]) -> Iterator[int]:
        """Yield the numbers of those lines of a log that are no records; when it ends, all rows of it are durable.

        `log` is its name, as the rows tell it. Raises RecordsUnavailable, ValueError for damaged gzip, and what
        `chunks` raises: what came before is added all the same.
        """
        waiting: list[LoggedGet] = []
        try:
            for number, line in enumerate(lines_of(chunks), 1):
                if line is not None and not line.strip():
                    continue
                self.counted.lines += 1
                try:
                    found = read(line or "")
                except ValueError:
                    self.counted.unread += 1
                    yield number
                    continue
                if self._is_given(found):
                    waiting.append(found)
                if len(waiting) >= BATCH_GETS:
                    full, waiting = waiting, []
                    self._add(log, full)
        finally:
            self._add(log, waiting)

    def _is_given(self, found: LoggedGet | None) -> TypeGuard[LoggedGet]:
        """Return whether bytes were given for a URL that the gateway has signed; what else it was is counted."""
        if found is None:
            self.counted.other += 1
        elif found.status not in GIVEN:
            self.counted.refused += 1
        elif not found.signed_in_url:
            self.counted.unsigned += 1
        else:
            return True
        return False

    def _add(self, log: str, gets: Sequence[LoggedGet]) -> None:
        """Add the rows of downloads; what is there already, from this log or another, is known."""
        rows, redirects = [], self._redirects_of(gets)
        for get in gets:
            redirect = redirects.get(get.request_id)
            if redirect is None or not (_is_in_time(get, redirect) and self._is_of(get, redirect)):
                self.counted.unknown += 1
                continue
            row = row_of(get, redirect, log)
            rows.append(row)
            self.counted.bytes_sent += get.bytes_sent
            outcome = row.detail["outcome"]
            setattr(self.counted, outcome, getattr(self.counted, outcome) + 1)
        for first in range(0, len(rows), BATCH_ROWS):
            batch = rows[first : first + BATCH_ROWS]
            added = self._records.append_audit(batch)
            self.counted.added += added
            self.counted.known += len(batch) - added

    def _is_of(self, get: LoggedGet, redirect: AuditRow) -> bool:
        """Return whether a download is of the object of a redirect: others may be signed with its id."""
        dataset_id = redirect.dataset_id or ""
        if dataset_id not in self._objects:
            dataset = self._records.dataset(dataset_id)
            found = None if dataset is None else object_of(self._roots.get(dataset.root), dataset.key)
            self._objects.keep(dataset_id, found)
        known = self._objects.get(dataset_id)
        return known is None or get.is_of(*known)

    def _redirects_of(self, gets: Sequence[LoggedGet]) -> dict[str, AuditRow]:
        """Return the redirects that are on record by the ids of their requests, each as its own end tells of it."""
        wanted = {get.request_id for get in gets}
        found = {each: row for each in wanted if (row := self._redirects.get(each)) is not None}
        if missing := wanted - set(found):
            moments = [get.at for get in gets]
            query = AuditQuery(
                since=min(moments) - LONGEST_LIFE - CLOCK, until=max(moments) + CLOCK, action=FINISHED,
                request_ids=sorted(missing),
            )  # fmt: skip
            for stored in self._records.audit_rows(query):
                row = stored.row
                if row.request_id is not None and row.status == FOUND and "source" not in row.detail:
                    found.setdefault(row.request_id, row)
                    self._redirects.keep(row.request_id, row)
        return found


def object_of(root: RootSettings | None, key: str) -> tuple[str | None, str] | None:
    """Return bucket and key of an object below a root; no bucket where an access point does; None of no bucket."""
    if root is None or not root.uri.startswith(BUCKETS):
        return None
    parts = urlsplit(root.uri)
    prefix = parts.path.strip("/")
    bucket = None if parts.netloc.endswith(ALIAS) else parts.netloc
    return bucket, f"{prefix}/{key}" if prefix else key


def _is_in_time(get: LoggedGet, redirect: AuditRow) -> bool:
    return redirect.at - CLOCK <= get.at <= redirect.at + LONGEST_LIFE + CLOCK


def row_of(get: LoggedGet, redirect: AuditRow, log: str) -> AuditRow:
    """Return the row of a download: to whom it was granted as the redirect's rows say, the rest as the log does.

    Its key follows from the store's own id of the request, so that it is stored once however often a log is read.
    """
    outcome, expected = outcome_of(get, redirect)
    detail = {
        "bytes_sent": get.bytes_sent, "outcome": outcome, "object_bytes": get.object_bytes,
        "began_at": utc_text(get.at), "source": {"log": log, "request_id": told(get.log_id)},
    }  # fmt: skip
    return AuditRow(
        FINISHED,
        # Nothing ends before it began, whatever the store's clock says: there is room for rows of that moment.
        at=max(get.ended_at, redirect.at),
        dataset_id=redirect.dataset_id,
        user_id=redirect.user_id,
        request_id=get.request_id,
        version=redirect.version,
        backend=redirect.backend,
        status=get.status,
        bytes_expected=expected,
        ip=told(get.ip),
        user_agent=told(get.user_agent),
        token_id=redirect.token_id,
        detail=detail,
        row_id=str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([get.bucket, get.log_id]))),
    )


def outcome_of(get: LoggedGet, redirect: AuditRow) -> tuple[str, int | None]:
    """Return how a download ended and how many bytes were asked for; None where the log does not tell.

    A log has no Range: of a part it is known only where it is as long as the range that the redirect was asked with.
    """
    of_range = redirect.range_header is not None
    if get.status == WHOLE:
        expected = get.object_bytes if get.object_bytes is not None or of_range else redirect.bytes_expected
        if expected is None:
            return PARTIAL, None
        return (COMPLETED if get.bytes_sent >= expected else ABORTED), expected
    if get.bytes_sent == get.object_bytes or (of_range and get.bytes_sent == redirect.bytes_expected):
        return COMPLETED, get.bytes_sent
    return PARTIAL, None
