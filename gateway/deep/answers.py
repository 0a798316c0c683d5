"""What the process that judges answers: MessagePack of one type, so that it can say nothing else and run nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.model import Inspection

# More than a report with every block of a large file in it.
MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict over one version of a file; `sha256` is lower-case hex, or None where it was not computed.

    `modified_at` is when the file was last modified, in UTC.
    """

    version: str
    size_bytes: int
    inspection: Inspection
    sha256: str | None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, or the sentence why there is none and for how long the file is left alone."""

    verdict: Found | None = None
    failed: str = ""
    for_seconds: float = 0


_decoder = msgspec.msgpack.Decoder(Answer)


def packed(answer: Answer) -> bytes:
    """Return an answer as it travels."""
    return msgspec.msgpack.encode(answer)


def answer_of(body: bytes, depth: str) -> Answer:
    """Return an answer to a file that was to be judged at `depth`; raises ValueError for what is none."""
    if len(body) > MOST_BYTES:
        raise ValueError("an answer that is too long")
    try:
        answer = _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if answer.verdict is None and not answer.failed:
        raise ValueError("neither a verdict nor a reason")
    if answer.verdict is not None and answer.verdict.inspection.report.depth != depth:
        raise ValueError("a verdict that nobody has asked for")
    return answer
