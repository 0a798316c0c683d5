"""A download prepared: everything that decides the answer, in one synchronous walk.

The order is that of RFC 9110 section 13.2.2 behind the door: admitted, bytes there, judged, preconditions,
range. Nothing is sent here, and the caller sends nothing before the audit row is durable.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import Enum
from functools import lru_cache

from gateway.errors import FarAway, ObjectMissing, PreconditionFailed, StorageUnavailable, VersionChanged
from gateway.files import FileSource
from gateway.gatekeeper import Action, Gatekeeper
from gateway.model import Dataset, ObjectStat, Principal
from gateway.ranges import ByteRange, Conditions, Outcome, content_disposition, evaluate, parse_range, range_applies
from gateway.records import Standing
from gateway.storage import Redirect, RemoteObject, Storage, Stream

# Up to this a body is read at once: one write with the headers costs less than a sendfile of its own.
SMALL_BYTES = 128 * 1024
# A file replaced between the judgement and the opening is judged again this often.
DELIVERY_TRIES = 3


class Patience(Enum):
    """What the caller may wait for: nothing but memory, also a disk, also a network, or also a judgement."""

    PAGE_CACHE = "page cache"
    DISK = "disk"
    NETWORK = "network"
    JUDGEMENT = "judgement"


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """What the client asked for; `with_body` is False for HEAD, which has neither range nor delivery."""

    dataset_id: str
    principal: Principal
    conditions: Conditions
    range_header: str | None
    with_body: bool


@dataclass(frozen=True, slots=True)
class Download:
    """An answer ready to be sent: 200, 206, 302 or 304, its headers, and where the bytes come from.

    `span` are the bytes to send or, with 302, to be fetched elsewhere; None where there are none. A small body is
    here already; for a large one there is the `stream`, to be closed by the receiver. `standing` is what the caller
    was admitted by.
    """

    status: int
    dataset: Dataset
    backend: str
    headers: Mapping[str, str] = field(default_factory=dict)
    span: ByteRange | None = None
    body: bytes | None = None
    stream: Stream | None = None
    standing: Standing | None = None


def etag_of(version: str) -> str:
    """Return the strong entity tag of a version (RFC 9110 section 8.8.3)."""
    return f'"{version}"'


def prepare(gatekeeper: Gatekeeper, request: DownloadRequest, patience: Patience = Patience.JUDGEMENT) -> Download:
    """Return the download that answers `request`.

    Raises BlockingIOError where a disk, FarAway where a network and Unjudged where a judgement would take more than
    `patience`; else what `Gatekeeper.admit` and `Gatekeeper.vouch` raise, then PreconditionFailed, then
    RangeNotSatisfiable.
    """
    admitted = gatekeeper.admit(request.dataset_id, request.principal, Action.DOWNLOAD)
    dataset = admitted.dataset
    for _ in range(DELIVERY_TRIES):
        try:
            found = _found(gatekeeper, dataset, request, patience)
        except VersionChanged:
            continue
        with ExitStack() as unless_sent:
            unless_sent.callback(found.close)
            answer = _conditional(gatekeeper, request, found)
            if answer.span is None:
                return answer
            if isinstance(found.delivery, Redirect) and not _hides_range(request, answer):
                return _redirected(answer, found.delivery)
            if answer.span.length > SMALL_BYTES:
                unless_sent.pop_all()
                return replace(answer, stream=Stream(found.source, found.stat))
            body = found.read(answer.span, patience)
            if body is not None:
                return replace(answer, body=body, standing=admitted.standing)
    raise StorageUnavailable("The file of this dataset is being replaced.", retry_after_seconds=1)


def read_small(storage: Storage, dataset: Dataset, range_header: str) -> tuple[ByteRange, bytes] | None:
    """Return a small range and its bytes, if they are those of the judged version and in the page cache.

    None for what the whole walk must decide. Raises what `Storage.deliver` raises, RangeNotSatisfiable, and
    BlockingIOError where a disk would have to be waited for.
    """
    delivery = storage.deliver(dataset.key, dataset.version)
    if not isinstance(delivery, Stream) or not isinstance(delivery.source, FileSource):
        return None
    with delivery.source as source:
        span = parse_range(range_header, delivery.stat.size_bytes)
        if span is None or span.length > SMALL_BYTES:
            return None
        body = source.read_cached(span.start, span.length)
        return (span, body) if len(body) == span.length and source.unchanged() else None


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

    def read(self, span: ByteRange, patience: Patience) -> bytes | None:
        """Return the bytes of `span`, or None when they are no longer those of the judged version."""
        if not isinstance(self.source, FileSource):
            # Its reads are pinned to the version.
            return self.source.read_at(span.start, span.length)
        read = self.source.read_cached if patience is Patience.PAGE_CACHE else self.source.read_at
        body = read(span.start, span.length)
        return body if len(body) == span.length and self.source.unchanged() else None


def _found(gatekeeper: Gatekeeper, dataset: Dataset, request: DownloadRequest, patience: Patience) -> _Found:
    """Return the version that is there now, judged; raises VersionChanged when it changes meanwhile."""
    storage = gatekeeper.storage_of(dataset)
    if storage.remote and patience in (Patience.PAGE_CACHE, Patience.DISK):
        raise FarAway("The file lies in a network.")
    if request.with_body and dataset.report.valid:
        # Mostly it still is the judged version: opening it says so and is needed anyway.
        with suppress(VersionChanged, ObjectMissing):
            delivery = storage.deliver(dataset.key, dataset.version)
            return _Found(dataset, delivery.stat, delivery)
    dataset, stat = gatekeeper.vouch(dataset, may_judge=patience is Patience.JUDGEMENT)
    if not request.with_body:
        return _Found(dataset, stat, None)
    try:
        return _Found(dataset, stat, storage.deliver(dataset.key, dataset.version))
    except ObjectMissing:
        raise VersionChanged("The file has changed just now.") from None


def _conditional(gatekeeper: Gatekeeper, request: DownloadRequest, found: _Found) -> Download:
    """Return the answer that preconditions and range make of a judged version, its bytes still to come."""
    now, etag, stat = datetime.now(UTC), etag_of(found.stat.version), found.stat
    headers = _representation(found.dataset.title, found.dataset.sha256, stat)
    backend = gatekeeper.storage_of(found.dataset).backend
    outcome = evaluate(request.conditions, etag, stat.modified_at, now=now)
    if outcome is Outcome.FAILED:
        raise PreconditionFailed("The file is not the version that the request names.")
    if outcome is Outcome.NOT_MODIFIED:
        return Download(304, found.dataset, backend, headers)
    whole = ByteRange(0, stat.size_bytes)
    span = None
    # RFC 9110 section 13.2.2 step 5: an If-Range that does not hold hides the Range, an impossible one too.
    if request.with_body and range_applies(request.conditions.if_range, etag, stat.modified_at, now):
        span = parse_range(request.range_header, stat.size_bytes)
    if span is None:
        complete = {**headers, "Content-Length": str(whole.length)}
        return Download(200, found.dataset, backend, complete, whole if request.with_body else None)
    partial = {"Content-Range": span.content_range(stat.size_bytes), "Content-Length": str(span.length)}
    return Download(206, found.dataset, backend, {**headers, **partial}, span)


def _hides_range(request: DownloadRequest, answer: Download) -> bool:
    """Return whether an If-Range that does not hold made a whole answer of a range: stores know only half of that."""
    return answer.status == 200 and request.range_header is not None and request.conditions.if_range is not None


def _redirected(answer: Download, delivery: Redirect) -> Download:
    """Return the way to the store in place of the bytes; the URL is as good as they are."""
    location = delivery.sign(answer.headers["Content-Disposition"])
    return replace(answer, status=302, headers={"Location": location, "Cache-Control": "private, no-store"})


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
