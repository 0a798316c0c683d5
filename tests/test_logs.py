import io
import json
import logging

import pytest

from gateway import logs
from tests.cli.terminal import as_terminal

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /?code=abc&state=x", "GET /?code=[redacted]&state=x"),
        ("exit code=1", "exit code=1"),
        (f"GET /x?token={TOKEN}&a=1", "GET /x?token=[redacted]&a=1"),
        ("GET /x?Token=abc HTTP/1.1", "GET /x?Token=[redacted] HTTP/1.1"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer [redacted]"),
        (f"{TOKEN[:-20]}.", "[redacted]"),
        (
            "?X-Amz-Credential=K%2F1&X-Amz-Signature=00ff&b=2",
            "?X-Amz-Credential=[redacted]&X-Amz-Signature=[redacted]&b=2",
        ),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_tokens_and_signatures_are_redacted_by_name_and_by_shape(text, clean):
    assert logs.redact(text) == clean


@pytest.fixture
def logger():
    """A logger whose lines are formatted as those of the server."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    handler.addFilter(logs.RedactingFilter())
    own = logging.Logger("probe")
    own.addHandler(handler)
    return own, stream


def test_a_line_is_json_and_cannot_be_forged(logger):
    own, stream = logger
    own.warning("a\nb\x1b[31m %s", "é", extra={"status": 200, "path": f"/x?token={TOKEN}"})
    (line,) = stream.getvalue().splitlines()
    assert line.isascii()
    read = json.loads(line)
    assert read["message"] == "a\nb\x1b[31m é"
    assert (read["status"], read["path"]) == (200, "/x?token=[redacted]")
    assert read["at"].endswith("Z")


def test_exceptions_are_redacted_too(logger):
    own, stream = logger
    try:
        raise ValueError(f"bad {TOKEN}")
    except ValueError:
        own.exception("failed")
    assert "bad [redacted]" in json.loads(stream.getvalue())["exception"]
    assert TOKEN not in stream.getvalue()


def test_configure_takes_over_the_root_logger():
    before, level = logging.root.handlers[:], logging.root.level
    try:
        logs.configure("WARNING")
        (handler,) = logging.root.handlers
        assert isinstance(handler.formatter, logs.JsonFormatter)
        assert logging.root.level == logging.WARNING
    finally:
        logging.root.handlers[:] = before
        logging.root.setLevel(level)


@pytest.mark.parametrize(("level", "least"), [("DEBUG", "WARNING"), ("INFO", "WARNING"), ("ERROR", "ERROR")])
def test_libraries_that_log_whole_requests_never_do_so(level, least):
    root, own = logging.Logger("root"), {name: logging.Logger(name) for name in logs.TALKATIVE}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging, "root", root)
        patch.setattr(logging, "getLogger", own.__getitem__)
        logs.configure(level)
    assert root.level == getattr(logging, level)
    assert {logger.level for logger in own.values()} == {getattr(logging, least)}
    assert {"boto3", "botocore", "urllib3"} < set(own)


def test_a_terminal_gets_short_lines_that_move_no_cursor(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr")
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        logs.configure("INFO")
        extra = {"method": "GET", "path": "/x\x1b[2J", "status": 200, "seconds": 0.0123, "user": "ana"}
        logging.getLogger("gateway").info("request", extra=extra)
        logging.getLogger("gateway").warning("odd\n%s", TOKEN)
        try:
            raise ValueError(f"bad {TOKEN}")
        except ValueError:
            logging.getLogger("gateway").exception("failed")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    lines = terminal.getvalue().splitlines()
    assert [line[9:] for line in lines[:3]] == [
        "200 GET /x\\x1b[2J 12 ms ana", "warning: odd\\n[redacted]", "error: failed",
    ]  # fmt: skip
    assert lines[-1] == "ValueError: bad [redacted]"
