"""JSON log lines, short ones for terminals, and the filter that keeps tokens and signatures out of all of them."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache

from gateway.model import utc_text

REDACTED = "[redacted]"
# What is kept of a text that a client sent.
TOLD_CHARACTERS = 512
# By name: query parameters that are credentials, an issuer's code among them. By shape: a JWT, which has a dot behind
# its header, a token of one's own, a link, and what HTTP Basic has. Each takes a whole run of characters and nothing
# follows it: no text makes it try a place twice.
BY_NAME = re.compile(
    r"(?i)(\b(?:token|access_token|X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token)|[?&]code)(=|%3D)"
    r"[^&\s\"'<>#;]+"
)
BY_SHAPE = re.compile(r"eyJ(?:[A-Za-z0-9_.-]|%2[Ee])+|cg[wl]_[A-Za-z0-9_-]+|(?<=[Bb]asic )[A-Za-z0-9+/=]{16,}")
# One of these, in any case, is in whatever they find.
WORDS = ("token", "x-amz-", "eyj", "cgw_", "cgl_", "basic ", "code=", "code%3d")
DOT = re.compile(r"\.|%2[Ee]")
# The shortest header of a JWT that could be one.
HEADER_CHARACTERS = 8
# At DEBUG these write whole requests to a store, with the credentials that sign them; at INFO, where they found them.
TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3", "numexpr")
EXTRAS = ("request_id", "client_request_id", "method", "route", "path", "status", "bytes", "seconds", "user", "ip")


def redact(text: str) -> str:
    """Return `text` without tokens and presigned signatures, by parameter name and by shape, in linear time."""
    lower = text.lower()
    # Mostly there is nothing that either of them could find.
    if not any(word in lower for word in WORDS):
        return text
    return BY_SHAPE.sub(_shaped, BY_NAME.sub(rf"\1\2{REDACTED}", text))


def _shaped(found: re.Match[str]) -> str:
    run = found[0]
    secret = not run.startswith("eyJ") or DOT.search(run, HEADER_CHARACTERS)
    return REDACTED if secret else run


def told(text: str | None) -> str | None:
    """Return what logs and audit may have of a client's text: its first 512 characters, and no token of them."""
    return None if text is None else _told(text[:TOLD_CHARACTERS])


# Clients send the same names again and again.
@lru_cache(maxsize=1024)
def _told(text: str) -> str:
    return redact(text)


class RedactingFilter(logging.Filter):
    """Rewrites a record's text in place; the exception's text too, so that no formatter sees the original."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True always: nothing is dropped, only cleaned."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        for name in EXTRAS:
            value = record.__dict__.get(name)
            if isinstance(value, str):
                record.__dict__[name] = redact(value)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line, ASCII only, so that no control character of a request can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, object] = {
            "at": utc_text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: record.__dict__[name] for name in EXTRAS if record.__dict__.get(name) is not None}
        if record.exc_text:
            line["exception"] = record.exc_text
        return json.dumps(line)


class PlainFormatter(logging.Formatter):
    """One short line for people: the time here, what is worth a word of warning, and what was answered."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, and below it the lines of its exception; nothing in it moves a cursor."""
        facts = {name: record.__dict__.get(name) for name in EXTRAS}
        text = record.getMessage()
        if facts["method"] is not None and facts["status"] is not None:
            seconds = facts["seconds"] or 0.0
            user = f" {facts['user']}" if facts["user"] else ""
            text = f"{facts['status']} {facts['method']} {facts['path']} {seconds * 1000:.0f} ms{user}"
        word = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        at = datetime.fromtimestamp(record.created, UTC).astimezone()
        lines = [f"{at:%H:%M:%S} {word}{text}", *(record.exc_text or "").splitlines()]
        return "\n".join("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines)


def configure(level: str) -> None:
    """Make the root logger write to standard error, lines for people to a terminal and else JSON.

    It replaces what it wrote to before.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter() if sys.stderr.isatty() else JsonFormatter())
    # On the handler and not on the logger: a logger's filter does not see what its children send up.
    handler.addFilter(RedactingFilter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.root.level, logging.WARNING))
