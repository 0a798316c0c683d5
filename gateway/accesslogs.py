"""Server access logs of Amazon S3: which downloads they tell of that a redirect of the gateway began.

The format is that of the Amazon S3 User Guide, "Amazon S3 server access log format": one record a line, fields parted
by spaces, times in brackets, texts of clients between quotation marks, `-` for what there is not, and new fields at
the end. Quotation marks within those texts are not marked; so what the server itself says is looked for around them.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import unquote, unquote_plus

from gateway.ids import REQUEST_ID_PARAMETER

# A longer line is read as one that is not understood, and never held.
LONGEST_LINE_BYTES = 4 << 20
UNPACKED_BYTES = 1 << 18
# No transfer is believed to take more than a week: its end would lie in months for which the audit has no place yet.
LONGEST_MS = 7 * 86_400_000
GZIP_MAGIC = b"\x1f\x8b"
GET = "REST.GET.OBJECT"
# Since there is S3, and as long as moments can be reckoned with.
YEARS = range(2006, 9000)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TIME = re.compile(r"\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z", re.ASCII)
# Status, error code, bytes sent, size of the object, milliseconds in all and until the first byte. They follow the
# request line, within which there is no space before a number.
NUMBER = r"(\d{1,18}|-)"
FACTS = re.compile(rf"(?:^-|\") (\d{{3}}|-) (\S++) {NUMBER} {NUMBER} {NUMBER} {NUMBER} ", re.ASCII)
# Version, host id, signature version, cipher suite, authentication type: the last of these in a line are the store's,
# behind the texts of clients. Each begins behind a quotation mark and goes no further than five words.
ENDING = re.compile(r'(?=(?:"|\A- -) \S++ \S++ (?:SigV\w{1,8}|-) \S++ (QueryString|AuthHeader|-)(?: |\Z))', re.ASCII)
OURS = re.compile(rf"[?&]{REQUEST_ID_PARAMETER}=([0-9a-f]{{32}})(?=[& ]|\Z)")
SIGNED_IN_URL: Final = "QueryString"


@dataclass(frozen=True, slots=True)
class LoggedGet:
    """What a record says of a GET of an object whose URL carries the id of a redirect.

    `at` is when the store received it, UTC by the second; `total_ms` how long it took until its last byte was
    sent, a week at most.
    `signed_in_url` says that the store saw the signature of a presigned URL: else anybody may have written the id.
    `log_id` is the store's own id of the request, `key` the object's as the log writes it.
    """

    at: datetime
    ip: str | None
    log_id: str
    bucket: str
    key: str
    request_id: str
    status: int
    bytes_sent: int
    object_bytes: int | None
    total_ms: int
    signed_in_url: bool
    user_agent: str | None

    def is_of(self, bucket: str | None, key: str) -> bool:
        """Return whether it is of that object; the log has its key encoded for URLs, most often twice."""
        texts = {self.key}
        for _ in range(2):
            texts |= {decoded(text) for text in texts for decoded in (unquote, unquote_plus)}
        return key in texts and bucket in (None, self.bucket)

    @property
    def ended_at(self) -> datetime:
        """Return when the last byte was sent, as far as the store tells."""
        return self.at + timedelta(milliseconds=self.total_ms)


def read(line: str) -> LoggedGet | None:
    """Return what a record says of a download by redirect, None for any other one; raises ValueError for no record.

    It takes time in proportion to the line's length, whatever clients had written into it.
    """
    # Owner, bucket, time in two words, address, requester, request id, operation, key, and the rest.
    words = line.split(" ", 9)
    if len(words) < 10:
        raise ValueError("fewer fields than a record has")
    _, bucket, time, offset, ip, _, log_id, operation, key, rest = words
    at = _moment(f"{time} {offset}")
    facts = FACTS.search(rest)
    if facts is None:
        raise ValueError("no status and sizes behind the request")
    found = OURS.search(rest, 0, facts.start()) if operation == GET and REQUEST_ID_PARAMETER in rest else None
    if found is None or facts[1] == "-":
        return None
    total_ms, behind = _number(facts[5]) or 0, rest[facts.end() :]
    ending = None
    for ending in ENDING.finditer(behind):  # noqa: B007 - the last one
        pass
    return LoggedGet(
        at=at,
        ip=_given(ip),
        log_id=_given(log_id) or hashlib.sha256(line.encode("utf-8", "replace")).hexdigest(),
        bucket=bucket,
        key=key,
        request_id=found[1],
        status=int(facts[1]),
        bytes_sent=_number(facts[3]) or 0,
        object_bytes=_number(facts[4]),
        total_ms=min(total_ms, LONGEST_MS),
        signed_in_url=ending is not None and ending[1] == SIGNED_IN_URL,
        user_agent=None if ending is None else _user_agent(behind[: ending.start() + 1]),
    )


def _moment(text: str) -> datetime:
    found = TIME.fullmatch(text.removesuffix("]"))
    if found is None or not text.endswith("]") or found[2] not in MONTHS or int(found[3]) not in YEARS:
        raise ValueError("no time of a record")
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    offset = timedelta(hours=int(found[8]), minutes=int(found[9])) * (-1 if found[7] == "-" else 1)
    try:
        return datetime(year, MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=UTC) - offset
    except ValueError as error:
        raise ValueError("no time of a record") from error


def _given(word: str) -> str | None:
    return None if word == "-" else word


def _number(word: str) -> int | None:
    return None if word == "-" else int(word)


def _user_agent(texts: str) -> str | None:
    """Return the second of two texts, referrer and user agent, each between quotation marks or a dash."""
    found = texts[2:] if texts.startswith("- ") else texts[1:].partition('" ')[2]
    if len(found) < 2 or not (found.startswith('"') and found.endswith('"')):
        return None
    return _given(found[1:-1]) or None


def lines_of(chunks: Iterable[bytes]) -> Iterator[str | None]:
    """Yield the lines of a log, without their ends; None for one that is longer than LONGEST_LINE_BYTES.

    What is compressed with gzip is unpacked; what is no UTF-8 is replaced. Raises ValueError for a file of gzip that
    is broken off or damaged. No more than one line and one chunk is held.
    """
    begun, length = bytearray(), 0
    for chunk in _unpacked(chunks):
        first, *others = chunk.split(b"\n")
        # Of a line that is too long nothing is kept but its length.
        length += len(first)
        begun += first if length <= LONGEST_LINE_BYTES else b""
        for other in others:
            yield _line(begun, length)
            begun, length = bytearray(other), len(other)
    if length:
        yield _line(begun, length)


def _line(begun: bytearray, length: int) -> str | None:
    return begun.removesuffix(b"\r").decode("utf-8", "replace") if length <= LONGEST_LINE_BYTES else None


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting = iter(chunks)
    head = b""
    for chunk in waiting:
        head += chunk
        if len(head) >= len(GZIP_MAGIC):
            break
    if not head.startswith(GZIP_MAGIC):
        yield head
        yield from waiting
        return
    yield from _gunzipped(head, waiting)


def _gunzipped(head: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what members of gzip hold (RFC 1952 section 2.2), in pieces of a bounded size."""
    member, packed = zlib.decompressobj(31), head
    try:
        while True:
            while packed:
                if member.eof:
                    member = zlib.decompressobj(31)
                yield member.decompress(packed, UNPACKED_BYTES)
                packed = member.unused_data if member.eof else member.unconsumed_tail
            more = next(others, None)
            if more is None:
                break
            packed = more
        yield member.flush()
    except zlib.error as error:
        raise ValueError("damaged gzip") from error
    if not member.eof:
        raise ValueError("gzip that is broken off")
