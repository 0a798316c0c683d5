"""A download prepared: everything that decides the answer, in one synchronous walk.

The order is that of RFC 9110 section 13.2.2 behind the door: admitted, bytes there, judged, preconditions,
range. Nothing is sent here, and the caller sends nothing before the audit row is durable.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import NamedTuple

from gateway.errors import ObjectMissing, PreconditionFailed, RangeNotSatisfiable, StorageUnavailable, VersionChanged
from gateway.files import FileSource
from gateway.gatekeeper import Action, Gatekeeper, Wait, vouched
from gateway.model import Dataset, ObjectStat, Principal
from gateway.ranges import ByteRange, Conditions, Outcome, content_disposition, evaluate, parse_range, range_applies
from gateway.storage import Redirect, RemoteObject, Stream

# Up to this a body is read at once: one write with the headers costs less than a sendfile of its own.
SMALL_BYTES = 128 * 1024
# RFC 9110 section 15.4.5: what a cache needs, and nothing else of the representation.
OF_NOT_MODIFIED = ("ETag", "Last-Modified", "Cache-Control")
# A file replaced between the judgement and the opening is judged again this often.
DELIVERY_TRIES = 3


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What the client asked for; `with_body` is False for HEAD, which has neither range nor delivery.

    `request_id` is the id by which the audit knows it.
    """

    dataset_id: str
    principal: Principal
    conditions: Conditions
    range_header: str | None
    with_body: bool
    request_id: str


@dataclass(frozen=True, slots=True)
class HeadersOnly:
    """The answer to HEAD, and 304: headers and nothing else."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Redirected:
    """302 to the store, which the client may ask for the bytes of `span`."""

    dataset: Dataset
    backend: str
    headers: Mapping[str, str]
    span: ByteRange
    status: int = 302


@dataclass(frozen=True, slots=True)
class SmallBody:
    """200 or 206 whose bytes are here."""

    status: int
    dataset: Dataset
    backend: str
    headers: Mapping[str, str]
    span: ByteRange
    body: bytes


@dataclass(frozen=True, slots=True)
class LargeBody:
    """200 or 206 whose bytes are to be sent from `source`, which its receiver closes."""

    status: int
    dataset: Dataset
    backend: str
    headers: Mapping[str, str]
    span: ByteRange
    source: FileSource | RemoteObject


Answer = HeadersOnly | Redirected | SmallBody | LargeBody


def etag_of(version: str) -> str:
    """Return the strong entity tag of a version (RFC 9110 section 8.8.3)."""
    return f'"{version}"'


def prepare(gatekeeper: Gatekeeper, request: DownloadRequest, may_wait: Wait) -> Answer | Wait:
    """Return the answer to `request`, or what would have to be waited for beyond `may_wait`.

    Raises what `Gatekeeper.admit` and `Gatekeeper.vouch` raise, then PreconditionFailed, then RangeNotSatisfiable.
    """
    right = gatekeeper.admit(request.dataset_id, request.principal, Action.DOWNLOAD)
    for _ in range(DELIVERY_TRIES):
        try:
            found = _found(gatekeeper, right.dataset, request, may_wait)
        except VersionChanged:
            continue
        if isinstance(found, Wait):
            return found
        answer: Answer | Wait | None = None
        try:
            answer = _answer(gatekeeper, request, found, may_wait)
        finally:
            if not isinstance(answer, LargeBody):
                found.close()
        if answer is not None:
            return answer
    raise StorageUnavailable("The file of this dataset is being replaced.", retry_after_seconds=1)


def _answer(gatekeeper: Gatekeeper, request: DownloadRequest, found: _Found, may_wait: Wait) -> Answer | Wait | None:
    """Return the answer, or what would have to be waited for; None when the judged version is there no longer."""
    planned = _planned(gatekeeper, request, found)
    if isinstance(planned, HeadersOnly):
        return planned
    if isinstance(found.delivery, Redirect) and not _hides_range(request, planned):
        return _redirected(planned, found.delivery, request.request_id)
    if planned.span.length > SMALL_BYTES:
        return LargeBody(*planned, found.source)
    try:
        body = found.read(planned.span, may_wait)
    except BlockingIOError:
        return Wait.DISK
    return None if body is None else SmallBody(*planned, body)


@dataclass(frozen=True, slots=True)
class _Found:
    """A judged version, its facts, and for an answer with a body the way to it."""

    dataset: Dataset
    stat: ObjectStat
    delivery: Stream | Redirect | None

    @property
    def source(self) -> FileSource | RemoteObject:
        assert self.delivery is not None  # noqa: S101 - there is one wherever there is a body
        return self.delivery.source

    def close(self) -> None:
        if self.delivery is not None:
            self.delivery.source.close()

    def read(self, span: ByteRange, may_wait: Wait) -> bytes | None:
        """Return the bytes of `span`, or None when they are no longer those of the judged version.

        Raises BlockingIOError where a disk would have to be waited for and may not be, and StorageUnavailable where
        it fails.
        """
        if not isinstance(self.source, FileSource):
            # Its reads are pinned to the version.
            return self.source.read_at(span.start, span.length)
        read = self.source.read_cached if may_wait is Wait.NOTHING else self.source.read_at
        try:
            body = read(span.start, span.length)
        except BlockingIOError:
            raise
        except OSError as error:
            raise StorageUnavailable("The file of this dataset cannot be read.").because(str(error)) from error
        return body if len(body) == span.length and self.source.unchanged() else None


class Chosen(NamedTuple):
    """What of a representation is sent."""

    status: int
    headers: Mapping[str, str]
    span: ByteRange


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes that may be sent; `headers` are those of all answers about them but for their lengths."""

    etag: str
    size_bytes: int
    modified_at: datetime
    headers: Mapping[str, str]

    def chosen(self, conditions: Conditions, range_header: str | None, *, with_body: bool) -> HeadersOnly | Chosen:
        """Return what preconditions and range make of it; raises PreconditionFailed and RangeNotSatisfiable."""
        now = datetime.now(UTC)
        outcome = evaluate(conditions, self.etag, self.modified_at, now=now)
        if outcome is Outcome.FAILED:
            detail = "The file is not the version that the request names."
            raise PreconditionFailed(detail, headers={"ETag": self.etag})
        if outcome is Outcome.NOT_MODIFIED:
            return HeadersOnly(304, {name: self.headers[name] for name in OF_NOT_MODIFIED if name in self.headers})
        if not with_body:
            return HeadersOnly(200, {**self.headers, "Content-Length": str(self.size_bytes)})
        span = None
        # RFC 9110 section 13.2.2 step 5: an If-Range that does not hold hides the Range, an impossible one too.
        if range_applies(conditions.if_range, self.etag, self.modified_at, now):
            try:
                span = parse_range(range_header, self.size_bytes)
            except RangeNotSatisfiable as error:
                error.headers |= {"Accept-Ranges": "bytes", "ETag": self.etag}
                raise
        if span is None:
            whole = ByteRange(0, self.size_bytes)
            return Chosen(200, {**self.headers, "Content-Length": str(whole.length)}, whole)
        partial = {"Content-Range": span.content_range(self.size_bytes), "Content-Length": str(span.length)}
        return Chosen(206, {**self.headers, **partial}, span)


class _Planned(NamedTuple):
    """An answer with a body, its bytes still to come."""

    status: int
    dataset: Dataset
    backend: str
    headers: Mapping[str, str]
    span: ByteRange


def _found(gatekeeper: Gatekeeper, dataset: Dataset, request: DownloadRequest, may_wait: Wait) -> _Found | Wait:
    """Return the version that is there now, judged; raises VersionChanged when it changes meanwhile."""
    storage = gatekeeper.storage_of(dataset)
    if storage.remote and not may_wait.for_store:
        return Wait.STORE
    if request.with_body and dataset.report.valid:
        # Mostly it still is the judged version: opening it says so and is needed anyway.
        with suppress(VersionChanged, ObjectMissing):
            delivery = storage.deliver(dataset.key, dataset.version)
            return _Found(dataset, delivery.stat, delivery)
    known = vouched(gatekeeper, dataset, may_wait)
    if isinstance(known, Wait):
        return known
    dataset, stat = known
    if not request.with_body:
        return _Found(dataset, stat, None)
    try:
        return _Found(dataset, stat, storage.deliver(dataset.key, dataset.version))
    except ObjectMissing:
        raise VersionChanged("The file has changed just now.") from None


def _planned(gatekeeper: Gatekeeper, request: DownloadRequest, found: _Found) -> HeadersOnly | _Planned:
    """Return the answer that preconditions and range make of a judged version."""
    now = datetime.now(UTC)
    # RFC 9110 section 8.8.2.1: a moment to come is never told as Last-Modified, but the answer's own.
    stat = (
        found.stat if found.stat.modified_at <= now else replace(found.stat, modified_at=now.replace(microsecond=0))
    )
    headers = _representation(found.dataset.title, found.dataset.sha256, stat)
    there = Representation(etag_of(found.stat.version), stat.size_bytes, stat.modified_at, headers)
    chosen = there.chosen(request.conditions, request.range_header, with_body=request.with_body)
    if isinstance(chosen, HeadersOnly):
        return chosen
    backend = gatekeeper.storage_of(found.dataset).backend
    return _Planned(chosen.status, found.dataset, backend, chosen.headers, chosen.span)


def _hides_range(request: DownloadRequest, planned: _Planned) -> bool:
    """Return whether an If-Range that does not hold made a whole answer of a range: stores know only half of that."""
    return planned.status == 200 and request.range_header is not None and request.conditions.if_range is not None


def _redirected(planned: _Planned, delivery: Redirect, request_id: str) -> Redirected:
    """Return the way to the store in place of the bytes; the URL is as good as they are."""
    location = delivery.sign(planned.headers["Content-Disposition"], request_id)
    headers = {"Location": location, "Cache-Control": "private, no-store"}
    return Redirected(planned.dataset, planned.backend, headers, planned.span)


@lru_cache(maxsize=1024)
def _representation(title: str, sha256: str | None, stat: ObjectStat) -> Mapping[str, str]:
    """Return the headers that 200, 206, 304 and HEAD of one version share; not to be changed."""
    headers = {
        "Content-Type": "image/tiff",
        "Accept-Ranges": "bytes",
        "ETag": etag_of(stat.version),
        "Last-Modified": format_datetime(stat.modified_at.replace(microsecond=0), usegmt=True),
        "Content-Disposition": content_disposition(title),
        "Cache-Control": "private, no-cache",
    }
    if sha256:
        headers["Repr-Digest"] = repr_digest(sha256)
    return headers


def repr_digest(sha256_hex: str) -> str:
    """Return the Repr-Digest field of a SHA-256 in hex (RFC 9530 section 3)."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256_hex)).decode('ascii')}:"
