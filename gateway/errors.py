"""The error tree. Each error carries what the HTTP answer needs: status, slug, sentence and headers.

The sentence (`detail`) is written for the client: no path, bucket, SQL or library text ever goes into it.
Statuses as RFC 9110, bodies as RFC 9457, bearer challenges as RFC 6750.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Self

# A restoration takes minutes to half a day, by what the store's customer pays.
RESTORING_SECONDS = 300
ARCHIVED_SECONDS = 3600


class GatewayError(Exception):
    """Root of the tree; `status` and `title` are fixed by the class, `detail` by the raiser.

    `dataset_id` is for the audit alone and never part of the answer: it may name a dataset that the caller
    must not know of.
    """

    status = 500
    title = "Internal Server Error"
    slug: str | None = None

    def __init__(
        self, detail: str = "", *, headers: Mapping[str, str] | None = None, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers: dict[str, str] = dict(headers or {})
        self.members: dict[str, Any] = dict(members or {})
        self.dataset_id: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        # The arguments differ from class to class; what they made of them is all in here.
        return _arrived, (type(self), self.args, self.__dict__)

    def about(self, dataset_id: str | None) -> Self:
        """Return this error, with the dataset that the audit may name."""
        self.dataset_id = dataset_id
        return self

    @property
    def told(self) -> str:
        """Return the sentence for the operator, in commands and in the log of the start."""
        return self.detail or self.title

    @property
    def type_uri(self) -> str:
        """Return the problem type of RFC 9457: /problems/<slug>, or about:blank where there is none."""
        return f"/problems/{self.slug}" if self.slug else "about:blank"


def _arrived(kind: type[GatewayError], args: tuple[Any, ...], values: dict[str, Any]) -> GatewayError:
    """Return an error as it was raised in another process."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(values)
    return error


class BadParameter(GatewayError):
    """A query parameter or body that cannot be read; `detail` names it."""

    status = 400
    title = "Bad Request"


class MalformedRequest(GatewayError):
    """What came is no HTTP, or has a body that no route takes."""

    status = 400
    title = "Bad Request"


class HeadTooLarge(GatewayError):
    """A request whose head is longer than the server reads (RFC 6585 section 5)."""

    status = 431
    title = "Request Header Fields Too Large"


class TooBroad(BadParameter):
    """A question for which too much of the catalogue would have to be read: asked more narrowly it has an answer."""

    def __init__(self) -> None:
        super().__init__(
            "Too much of the catalogue would have to be read for an answer in time: narrow what is asked for, by"
            " collection, box or time."
        )


class BadCredential(GatewayError):
    """A credential that is missing where one is needed, or present and bad."""

    status = 401
    title = "Unauthorized"

    def __init__(self, detail: str = "", *, present: bool = True) -> None:
        challenge = 'Bearer realm="cog-gateway"'
        # RFC 6750 section 3.1: no error code when the request carried no credential at all.
        if present:
            challenge += ', error="invalid_token"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class CredentialPending(BadCredential):
    """A credential that may be good, as `fetch` will tell: ask again when that is done."""

    def __init__(self, detail: str, fetch: Future[None]) -> None:
        super().__init__(detail)
        self.fetch = fetch


class KeysPending(CredentialPending):
    """A token whose key may be in the set that `fetch` brings."""

    def __init__(self, fetch: Future[None]) -> None:
        super().__init__("The token's signature does not hold.", fetch)


class Forbidden(GatewayError):
    """A visible dataset whose file this caller may not have."""

    status = 403
    title = "Forbidden"


class NotFound(GatewayError):
    """Nothing here, or nothing that this caller may know of: both answer alike."""

    status = 404
    title = "Not Found"


class NoPlace(NotFound):
    """A dataset without a CRS, or whose CRS or transform leads nowhere on the map that is asked for."""

    def __init__(self) -> None:
        super().__init__("The dataset has no place on a map.")


class TileOutsideGrid(NotFound):
    """A tile that its tile matrix set does not have."""


class TooMany(GatewayError):
    """More of a thing than one user may have; some of it must go first."""

    status = 409
    title = "Conflict"


class ContentTooLarge(GatewayError):
    """A body of more than is taken of its kind (RFC 9110 section 15.5.14); `detail` says the limit."""

    status = 413
    title = "Content Too Large"


class MethodNotAllowed(GatewayError):
    """A method that the resource does not have; carries `Allow` (RFC 9110 section 15.5.6)."""

    status = 405
    title = "Method Not Allowed"


class PreconditionFailed(GatewayError):
    """If-Match or If-Unmodified-Since did not hold (RFC 9110 section 13)."""

    status = 412
    title = "Precondition Failed"


class RangeNotSatisfiable(GatewayError):
    """A range that begins beyond the end; carries `Content-Range: bytes */N` (RFC 9110 section 15.5.17)."""

    status = 416
    title = "Range Not Satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            "The requested range begins beyond the end of the file.",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )


class MalformedId(GatewayError):
    """A path id that is no hyphenated UUID."""

    status = 422
    title = "Unprocessable Content"


class NotACog(GatewayError):
    """The bytes are there but are no true COG; the findings travel in the member `errors`."""

    status = 422
    title = "Not a Cloud-Optimized GeoTIFF"
    slug = "not-a-cog"


class CannotBeDrawn(GatewayError):
    """A dataset that may be had and is no picture: complex values, a block that does not decode."""

    status = 422
    title = "Cannot be drawn"
    slug = "cannot-be-drawn"


class TooManyRequests(GatewayError):
    """More than a limit allows; carries `Retry-After`, the seconds until more is allowed (RFC 6585 section 4)."""

    status = 429
    title = "Too Many Requests"
    slug = "rate-limited"

    def __init__(self, *, retry_after_seconds: int) -> None:
        detail = "Too many requests: wait for as long as Retry-After says."
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})


class Unavailable(GatewayError):
    """Storage, catalogue or audit cannot serve just now; carries `Retry-After` in seconds.

    `reason` is for the operator alone, who may read paths, and never part of the answer.
    """

    status = 503
    title = "Service Unavailable"
    reason: str | None = None

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)})

    def because(self, reason: str) -> Self:
        """Return this error, with what the operator may be told."""
        self.reason = reason
        return self

    @property
    def told(self) -> str:
        """Return the sentence for the operator."""
        return f"{self.detail.rstrip('.')}: {self.reason}" if self.reason else super().told


class UnderWay(Unavailable):
    """What was asked for is being made ready, and nothing is wrong: no news for the operator at each request."""


class ClientLeft(GatewayError):
    """The client closed its connection before there was an answer; the status is for metrics alone."""

    status = 499
    title = "Client Closed Request"


class StorageUnavailable(Unavailable):
    """The storage root cannot be reached."""


class Archived(StorageUnavailable):
    """An object that lies in an archive of its store, where nobody can read it before it is restored."""

    def __init__(self, *, restoring: bool) -> None:
        how = "and is being restored" if restoring else "and must be restored first"
        wait_seconds = RESTORING_SECONDS if restoring else ARCHIVED_SECONDS
        super().__init__(f"The object is archived {how}.", retry_after_seconds=wait_seconds)


class RecordsUnavailable(Unavailable):
    """The catalogue or the audit cannot be read or written."""


class IssuerUnavailable(Unavailable):
    """The issuer of bearer tokens has not given its keys yet, or not said where people sign in."""

    def __init__(self, retry_after_seconds: int, detail: str = "Tokens cannot be verified just now.") -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)


class VersionChanged(GatewayError):
    """An object whose bytes are no longer the version that was asked for; the caller judges again."""

    status = 503
    title = "Service Unavailable"


class ObjectMissing(GatewayError):
    """No object under that key: its own error, because only some callers turn it into a 404."""

    status = 404
    title = "Not Found"


class SettingsError(GatewayError):
    """Settings that the server refuses to start with; `detail` is one line for the operator."""
