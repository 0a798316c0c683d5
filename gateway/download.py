"""A download prepared: everything that decides the answer, in one synchronous walk.

The order is that of RFC 9110 section 13.2.2 behind the door: admitted, bytes there, judged, preconditions,
range. Nothing is sent here, and the caller sends nothing before the audit row is durable.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.errors import ObjectMissing, PreconditionFailed, StorageUnavailable, VersionChanged
from gateway.gatekeeper import Action, Gatekeeper
from gateway.model import Dataset, ObjectStat, Principal
from gateway.ranges import ByteRange, Conditions, Outcome, content_disposition, evaluate, parse_range, range_applies
from gateway.storage import Redirect, Stream

# Up to this a body is read at once: one write with the headers costs less than a sendfile of its own.
SMALL_BYTES = 128 * 1024
# A file replaced between the judgement and the opening is judged again this often.
DELIVERY_TRIES = 3


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

    `span` are the bytes to send, None where there is no body. A small body is here already; for a large one
    there is the `stream`, to be closed by the receiver.
    """

    status: int
    dataset: Dataset
    backend: str
    headers: Mapping[str, str] = field(default_factory=dict)
    span: ByteRange | None = None
    body: bytes | None = None
    stream: Stream | None = None


def etag_of(version: str) -> str:
    """Return the strong entity tag of a version (RFC 9110 section 8.8.3)."""
    return f'"{version}"'


def prepare(gatekeeper: Gatekeeper, request: DownloadRequest) -> Download:
    """Return the download that answers `request`.

    Raises what `Gatekeeper.admit` and `Gatekeeper.vouch` raise, then PreconditionFailed, then
    RangeNotSatisfiable.
    """
    dataset = gatekeeper.admit(request.dataset_id, request.principal, Action.DOWNLOAD).dataset
    for _ in range(DELIVERY_TRIES):
        dataset, stat = gatekeeper.vouch(dataset)
        answer = _conditional(gatekeeper, request, dataset, stat)
        if answer.span is None:
            return answer
        try:
            return _opened(gatekeeper, answer, answer.span)
        except (VersionChanged, ObjectMissing):
            continue
    raise StorageUnavailable("The file of this dataset is being replaced.", retry_after_seconds=1)


def _conditional(gatekeeper: Gatekeeper, request: DownloadRequest, dataset: Dataset, stat: ObjectStat) -> Download:
    """Return the answer that preconditions and range make of a judged version; nothing is opened yet."""
    now, etag = datetime.now(UTC), etag_of(stat.version)
    headers = _representation(dataset, stat, etag)
    backend = gatekeeper.storage_of(dataset).backend
    outcome = evaluate(request.conditions, etag, stat.modified_at, now=now)
    if outcome is Outcome.FAILED:
        raise PreconditionFailed("The file is not the version that the request names.")
    if outcome is Outcome.NOT_MODIFIED:
        return Download(304, dataset, backend, headers)
    whole = ByteRange(0, stat.size_bytes)
    if not request.with_body:
        return Download(200, dataset, backend, {**headers, "Content-Length": str(whole.length)})
    span = None
    # RFC 9110 section 13.2.2 step 5: an If-Range that does not hold hides the Range, an impossible one too.
    if range_applies(request.conditions.if_range, etag, stat.modified_at, now):
        span = parse_range(request.range_header, stat.size_bytes)
    if span is None:
        return Download(200, dataset, backend, {**headers, "Content-Length": str(whole.length)}, whole)
    partial = {"Content-Range": span.content_range(stat.size_bytes), "Content-Length": str(span.length)}
    return Download(206, dataset, backend, {**headers, **partial}, span)


def _representation(dataset: Dataset, stat: ObjectStat, etag: str) -> dict[str, str]:
    """Return the headers that 200, 206, 304 and HEAD share."""
    headers = {
        "Content-Type": "image/tiff",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": format_datetime(stat.modified_at.replace(microsecond=0), usegmt=True),
        "Content-Disposition": content_disposition(dataset.title),
        "Cache-Control": "private, no-cache",
    }
    if dataset.sha256:
        headers["Repr-Digest"] = repr_digest(dataset.sha256)
    return headers


def repr_digest(sha256_hex: str) -> str:
    """Return the Repr-Digest field of a SHA-256 in hex (RFC 9530 section 3)."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256_hex)).decode('ascii')}:"


def _opened(gatekeeper: Gatekeeper, answer: Download, span: ByteRange) -> Download:
    """Return the answer with its bytes at hand; raises VersionChanged when they are no longer the judged ones."""
    delivered = gatekeeper.storage_of(answer.dataset).deliver(answer.dataset.key, answer.dataset.version)
    if isinstance(delivered, Redirect):
        return Download(302, answer.dataset, answer.backend, {"Location": delivered.url})
    if span.length > SMALL_BYTES:
        return replace(answer, stream=delivered)
    with delivered.source as source:
        body = source.read_at(span.start, span.length)
        if len(body) != span.length or not source.unchanged():
            raise VersionChanged("The file has changed just now.")
        return replace(answer, body=body)
