"""A storage root in S3: facts by HEAD, presigned URLs for clients, pinned reads for ourselves."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from gateway.errors import Archived, ObjectMissing, StorageUnavailable, VersionChanged
from gateway.model import ObjectStat
from gateway.settings import RootSettings
from gateway.storage.base import Placed, Redirect, RequestIds, Stream
from gateway.storage.breaker import Breaker
from gateway.storage.s3_answers import ABSENT, CHANGED, UNRESTORED, reason_of, refuse_archived, stat_of, version_of
from gateway.storage.s3_client import client_of, session_of, signer_of
from gateway.storage.s3_object import S3Object
from gateway.storage.s3_requestid import TRIED_NAME, Trial

T = TypeVar("T")

# One try takes at most this and the time of connecting, which are two seconds, and a second one is made only after a
# quick failure: whoever asks is answered within three seconds.
FACTS_SECONDS = 1.3
RETRY_WITHIN_SECONDS = 0.9
BYTES_SECONDS = 20.0
# Reads up to this answer somebody who waits; longer ones are bodies on their way.
SHORT_BYTES = 1 << 20
UNREACHABLE = "The storage of this dataset cannot be reached."
CONTENT_TYPE = "image/tiff"
UPLOAD = TransferConfig(max_concurrency=2)


class Listed(NamedTuple):
    """One object of a listing: its key below the root, when it was written (UTC), and its version."""

    key: str
    modified_at: datetime
    version: str


class S3Storage(Placed):
    """The objects below one prefix of one bucket. Open after a fork, never before; safe in threads."""

    backend = "s3"
    remote = True

    def __init__(self, name: str, root: RootSettings, presign_seconds: int = 3600) -> None:
        self.name, self.uri = name, root.uri
        self._root = root
        self._presign_seconds = presign_seconds
        parts = urlsplit(root.uri)
        self.bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        try:
            self._session = session_of(root)
            self._facts = client_of(self._session, root, root.endpoint_url, FACTS_SECONDS)
            self._bytes = client_of(self._session, root, root.endpoint_url, BYTES_SECONDS)
            own = root.public_endpoint_url or root.requester_pays
            self._signer = signer_of(self._session, root) if own else self._facts
            self._credentials = self._session.get_credentials()
        except BotoCoreError as error:
            raise StorageUnavailable(f"The profile or the credentials of the root {name} are not usable.") from error
        self._payer = {"RequestPayer": "requester"} if root.requester_pays else {}
        self._breaker = Breaker()
        # Under the address that clients get, and where that leads nowhere from here under its own.
        addresses = dict.fromkeys((root.public_endpoint_url or root.endpoint_url, root.endpoint_url))
        clients = [partial(client_of, self._session, root, url, FACTS_SECONDS, in_query=True) for url in addresses]
        tried = {**self._address(TRIED_NAME), **self._payer}
        self._request_ids = Trial(clients, tried, off=not root.presign_request_id)

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_this_process, (self.name, self._root, self._presign_seconds)

    @property
    def failures(self) -> int:
        """Return how many calls the store has not answered so far."""
        return self._breaker.total

    @property
    def resting(self) -> bool:
        """Return whether the store is left alone just now."""
        return self._breaker.resting

    @property
    def request_ids(self) -> RequestIds | None:
        """Return whether URLs carry the id of their request; None where there are no URLs."""
        return None if self._root.delivery == "stream" else self._request_ids.found

    def try_request_ids(self) -> None:
        """Find out whether URLs can carry ids, where it is unknown and was not tried a moment ago."""
        if self.request_ids is not None and not self.resting:
            self._request_ids.run()

    def ping(self) -> None:
        """Return when the bucket answers; raises StorageUnavailable."""
        try:
            self._call(lambda: self._facts.head_bucket(Bucket=self.bucket))
        except ObjectMissing as error:
            raise StorageUnavailable(UNREACHABLE).because("NoSuchBucket") from error

    def stat(self, key: str) -> ObjectStat:
        """Return version (the object's ETag), size and time of the object as it is now; one HEAD.

        Raises Archived for an object that cannot be read before it is restored.
        """
        address = self._address(key)
        try:
            found = self._call(lambda: self._facts.head_object(**address, **self._payer))
        except ObjectMissing:
            # HEAD has no body that would tell a missing object from a missing bucket.
            self.ping()
            raise
        refuse_archived(found)
        return stat_of(found)

    def open(self, key: str) -> S3Object:
        """Return the object; its reads are pinned to the version that HEAD told of."""
        stat = self.stat(key)
        return S3Object(
            f"s3://{self.bucket}/{self._prefix}{key}", stat, self._reader(key, stat), lambda: self.stat(key)
        )

    def _reader(self, key: str, stat: ObjectStat) -> Callable[[int, int], Any]:
        """Return a function that opens a body from an offset for a length; its `read` gives the bytes."""

        def read(offset: int, length: int) -> Any:
            span = f"{offset}-{offset + length - 1}"
            client = self._facts if length <= SHORT_BYTES else self._bytes
            wanted = {**self._address(key), **self._pin(stat), **self._payer}
            found = self._call(lambda: client.get_object(Range=f"bytes={span}", **wanted))
            # Not every store that speaks S3 knows every condition.
            if version_of(found) != stat.version or found.get("ContentRange") != f"bytes {span}/{stat.size_bytes}":
                found["Body"].close()
                raise VersionChanged("The object has changed just now.")
            return found["Body"]

        return read

    def siblings(self, key: str) -> frozenset[str]:
        """Return the names beside the object that are its own up to a dot; none where listing is not allowed."""
        stem = (self._prefix + key).removesuffix(PurePosixPath(key).suffix) + "."
        try:
            found = self._page(Prefix=stem, Delimiter="/")
        except (ObjectMissing, StorageUnavailable):
            return frozenset()
        return frozenset(entry["Key"].rpartition("/")[2] for entry in found.get("Contents", ()))

    def listed(self, prefix: str) -> Iterator[Listed]:
        """Yield what begins with `prefix` below this root, in the order of the keys, page by page."""
        more: dict[str, str] = {}
        while True:
            page = self._page(Prefix=self._prefix + prefix, **more)
            for entry in page.get("Contents", ()):
                # Consoles mark a folder by an empty object.
                if not entry["Key"].endswith("/"):
                    key, modified_at = entry["Key"].removeprefix(self._prefix), entry["LastModified"].astimezone(UTC)
                    yield Listed(key, modified_at, version_of(entry))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _page(self, **wanted: str) -> dict[str, Any]:
        """Return one page of a listing."""
        return self._call(lambda: self._facts.list_objects_v2(Bucket=self.bucket, **wanted, **self._payer))

    def deliver(self, key: str, version: str) -> Stream | Redirect:
        """Return how the client gets this very version; raises VersionChanged when it is no longer there."""
        opened = self.open(key)
        if opened.stat.version != version:
            raise VersionChanged("The object has changed just now.")
        if self._root.delivery == "stream":
            return Stream(opened, opened.stat)
        return Redirect(partial(self._presigned, key, opened.stat), opened, opened.stat)

    def _presigned(self, key: str, stat: ObjectStat, disposition: str, request_id: str) -> str:
        """Return a URL for GET of the object, with the name and type that the client is to see signed in."""
        named = {"ResponseContentDisposition": disposition, "ResponseContentType": CONTENT_TYPE}
        named |= self._request_ids.arguments(request_id)
        pin = {"VersionId": stat.version_id} if stat.version_id else {}
        try:
            return str(
                self._signer.generate_presigned_url(
                    "get_object", Params={**self._address(key), **named, **pin}, ExpiresIn=self._lifetime_seconds()
                )
            )
        except BotoCoreError as error:
            raise StorageUnavailable(UNREACHABLE) from error

    def _lifetime_seconds(self) -> int:
        """Return the life of a URL: no longer than that of the credentials that sign it."""
        if self._credentials is None:
            return self._presign_seconds
        # Renews those that are about to end; else the moment that is read now would not be that of the signature.
        self._credentials.get_frozen_credentials()
        # botocore keeps the moment in this attribute only; a test pins it.
        ends: datetime | None = getattr(self._credentials, "_expiry_time", None)
        if ends is None:
            return self._presign_seconds
        return max(1, min(self._presign_seconds, int((ends - datetime.now(UTC)).total_seconds())))

    def key_of(self, path: Path) -> str | None:
        """Return None: no local file lies in a bucket."""
        return None

    def key_of_object(self, bucket: str, key: str) -> str | None:
        """Return the key below this root of an object of a bucket, or None for one that lies elsewhere."""
        return key.removeprefix(self._prefix) if bucket == self.bucket and key.startswith(self._prefix) else None

    @contextmanager
    def staging(self, key: str) -> Iterator[Path]:
        """Yield a local path; afterwards it is uploaded, in parts where it is large, and appears whole."""
        address = self._address(key)
        with tempfile.TemporaryDirectory(prefix="cog-gateway-upload-") as folder:
            path = Path(folder) / "object.tif"
            yield path
            extra = {"ContentType": CONTENT_TYPE, **self._payer}
            self._call(lambda: self._bytes.upload_file(str(path), ExtraArgs=extra, Config=UPLOAD, **address))

    def delete(self, key: str) -> None:
        """Remove the object; a bucket that keeps old versions keeps it as one of these."""
        self._call(lambda: self._facts.delete_object(**self._address(key), **self._payer))

    def sweep(self, key: str) -> None:
        """Do nothing: an object appears whole, and a store ends uploads that are not by its own rules."""

    def close(self) -> None:
        """Close the connections to the store."""
        for client in (self._facts, self._bytes, self._signer):
            client.close()

    def _address(self, key: str) -> dict[str, str]:
        """Return bucket and key of an object; raises ObjectMissing for a key that URLs would bend.

        A store has no folders: the key `a//b.tif` is not `a/b.tif`.
        """
        if not key or any(part in (".", "..") or "\0" in part for part in key.split("/")):
            raise ObjectMissing("No such object.")
        return {"Bucket": self.bucket, "Key": self._prefix + key}

    def _pin(self, stat: ObjectStat) -> dict[str, str]:
        """Return what makes a read fail that would be of another version."""
        return {"VersionId": stat.version_id} if stat.version_id else {"IfMatch": f'"{stat.version}"'}

    def _call(self, ask: Callable[[], T]) -> T:
        """Return what the store answers; asked once more when it failed at once.

        Raises ObjectMissing, VersionChanged and StorageUnavailable; what the library says goes no further.
        """
        self._breaker.check()
        began = time.monotonic()
        while True:
            try:
                found = ask()
            except (ClientError, BotoCoreError, boto3.exceptions.Boto3Error) as error:
                self._raise_if_answered(error)
                if time.monotonic() - began < RETRY_WITHIN_SECONDS:
                    began -= RETRY_WITHIN_SECONDS
                    continue
                self._breaker.failed()
                raise StorageUnavailable(UNREACHABLE).because(reason_of(error)) from error
            self._breaker.succeeded()
            return found

    def _raise_if_answered(self, error: Exception) -> None:
        """Raise what an answer of the store means; return when there was none, or none that tells anything."""
        if not isinstance(error, ClientError):
            return
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or status == 429 or code == "SlowDown":
            return
        self._breaker.succeeded()
        if code in ABSENT:
            raise ObjectMissing("No such object.") from error
        if code in UNRESTORED:
            raise Archived(restoring=False) from error
        if code in CHANGED:
            raise VersionChanged("The object has changed just now.") from error
        raise StorageUnavailable(UNREACHABLE).because(reason_of(error)) from error


def _of_this_process(name: str, root: RootSettings, presign_seconds: int) -> S3Storage:
    """Return the storage as it arrives in a process: one for all who send it there, because clients cost time."""
    return _arrived(os.getpid(), name, root, presign_seconds)


@lru_cache(maxsize=16)
def _arrived(_pid: int, name: str, root: RootSettings, presign_seconds: int) -> S3Storage:
    return S3Storage(name, root, presign_seconds)
