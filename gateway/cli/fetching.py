"""One file fetched: resumed where it was cut off, asked for again where the way to it has ended, and compared."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from io import RawIOBase
from pathlib import Path
from urllib.error import HTTPError

from gateway.cli.filesources import Wanted
from gateway.cli.redirects import Later, NotWhole, opened
from gateway.reasons import reason_of

PIECE_BYTES = 1 << 20
# Tries that bring nothing, one behind the other.
TRIES = 6
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 120
AGAIN = (408, 429, 500, 502, 503, 504)
STRONG = re.compile(r'"[\x21\x23-\x7e]*"')


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches files into a folder; `headers_for` returns what an address may see, `stop` ends all of it."""

    folder: Path
    headers_for: Callable[[str], Mapping[str, str]]
    stop: threading.Event

    def fetch(self, file: Wanted) -> bool:
        """Return whether the file had to be fetched: False where it is there, whole. Raises NotWhole."""
        target = self.folder / file.name
        if _is_there(target, file):
            return False
        part, tries = target.with_name(f"{file.name}.part"), 0
        while True:
            before = part.stat().st_size if part.is_file() else 0
            try:
                self._once(file, part, target)
            except HTTPError as error:
                error.close()
                if error.code not in AGAIN:
                    raise NotWhole(f"the answer was {error.code}") from None
                reason, seconds = (
                    f"the answer was {error.code}",
                    _seconds(error.headers.get("Retry-After", "")),
                )
            except Later as later:
                reason, seconds = str(later), later.seconds
            except (HTTPException, OSError) as error:
                reason, seconds = f"the connection failed: {reason_of(error)}", None
            else:
                return True
            came = part.stat().st_size if part.is_file() else 0
            tries = 1 if came > before else tries + 1
            self._wait(reason, seconds, tries)

    def _wait(self, reason: str, seconds: int | None, tries: int) -> None:
        """Return when it may be tried again; raises NotWhole where it may not."""
        wait = min(FIRST_WAIT_SECONDS * 2 ** (tries - 1), 8.0) if seconds is None else seconds
        if tries >= TRIES or wait > LONGEST_WAIT_SECONDS or self.stop.wait(wait):
            raise NotWhole(reason)

    def _once(self, file: Wanted, part: Path, target: Path) -> None:
        """Go on with a file until its end, and put it in place."""
        mark = part.with_name(f"{part.name}.etag")
        etag, have = _etag_of(mark), part.stat().st_size if part.is_file() else 0
        ranged = {"Range": f"bytes={have}-", "If-Range": etag} if etag and have else {}
        try:
            response = opened(file.url, self.headers_for(file.url), ranged)
        except HTTPError as error:
            if error.code != 416:
                raise
            # There is all of it, or another file by now: only a whole one can tell.
            error.close()
            _forget(part, mark)
            raise Later("the part is not of this file") from None
        with response:
            found = response.headers.get("ETag", "")
            follows = response.status == 206 and found == etag
            follows = follows and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if response.status == 206 and not follows:
                _forget(part, mark)
                raise Later("the part is not of this file")
            if not follows:
                mark.unlink(missing_ok=True)
            with _appending(part, new=not follows) as output:
                if not follows and STRONG.fullmatch(found):
                    mark.write_text(found, encoding="ascii")
                self._copy(response, output)
            digest = file.sha256 or _told_digest(response)
        size = part.stat().st_size
        if (file.size_bytes is not None and size != file.size_bytes) or (digest and _sha256(part) != digest):
            _forget(part, mark)
            raise NotWhole("its bytes are not those that were promised")
        part.replace(target)
        mark.unlink(missing_ok=True)

    def _copy(self, response: HTTPResponse, output: RawIOBase) -> None:
        """Write what comes; raises Later where it is cut off."""
        while piece := response.read1(PIECE_BYTES):
            _write(output, piece)
            if self.stop.is_set():
                raise NotWhole("it was stopped")
        # What `read1` returns at the end of a connection says nothing of what was promised.
        if response.length:
            raise Later("the connection ended too soon")


def _appending(part: Path, *, new: bool) -> RawIOBase:
    """Return the file to write to; a symbolic link of that name is not followed."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if new else os.O_APPEND) | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.fdopen(os.open(part, flags, 0o666), "wb", buffering=0)
    except OSError as error:
        raise NotWhole(f"{part.name} cannot be written: {error.strerror}") from None


def _write(output: RawIOBase, piece: bytes) -> None:
    """Write all of a piece; raises NotWhole."""
    left = memoryview(piece)
    try:
        while left:
            left = left[output.write(left) or 0 :]
    except OSError as error:
        raise NotWhole(f"it cannot be written: {error.strerror}") from None


def _seconds(told: str) -> int | None:
    """Return how long a Retry-After field asks to wait, in seconds or until a date; None where it says nothing."""
    if re.fullmatch("[0-9]{1,6}", told):
        return int(told)
    with suppress(ValueError):
        return max(0, round(parsedate_to_datetime(told).timestamp() - time.time()))
    return None


def _forget(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _etag_of(mark: Path) -> str | None:
    with suppress(OSError, ValueError):
        text = mark.read_text(encoding="ascii")
        return text if STRONG.fullmatch(text) else None
    return None


def _is_there(target: Path, file: Wanted) -> bool:
    """Return whether a file is there with the bytes that it should have; where nothing tells them it never is."""
    if file.sha256 is None or not target.is_file():
        return False
    return target.stat().st_size == (file.size_bytes or target.stat().st_size) and _sha256(target) == file.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _told_digest(response: HTTPResponse) -> str | None:
    """Return the SHA-256 that an answer tells of the whole file (RFC 9530 section 3), None without one."""
    found = re.search(r"(?:^|[ ,])sha-256=:([A-Za-z0-9+/=]{44}):", response.headers.get("Repr-Digest", ""))
    with suppress(binascii.Error):
        return base64.b64decode(found[1], validate=True).hex() if found else None
    return None
