"""The short way of small ranges beside the ordinary one: the same request, the same answer, rows, counts and lines."""

import asyncio
import json
import logging
import random
import re
from functools import partial

import pytest

from gateway.handlers.smallranges import SmallRangeRequest, SmallRanges
from gateway.model import Scale
from tests.handlers.conftest import act
from tests.handlers.test_streaming import port_of

pytestmark = pytest.mark.gen_test
REQUESTS, MOSTLY = 250, 0.85
# What no two requests share, and what tells the ways apart.
OWN_FIELDS = {"at", "request_id", "row_id"}
LINE_FIELDS = ("method", "path", "ip", "status", "bytes", "user", "client_request_id")
ANSWER_SECONDS = 20
ORIGINS, PROXIES = ("https://a.example",), ("127.0.0.0/8",)
GENEROUS = {"failure_rate": "100000/minute", "cors_origins": ORIGINS, "trusted_proxies": PROXIES}
# What is asked for behind every request, so that the connection has an end.
LAST = "/livez"


def mostly(chance, usual, *others):
    """Return the usual value in most cases."""
    return usual if chance.random() < MOSTLY else chance.choice(others)


def target_of(chance, dataset, tokens):
    path = f"/api/datasets/{dataset.id}/download/cog"
    scoped = [f"{path}?token={token}" for token in tokens]
    others = (
        f"/api/datasets/{dataset.id.upper()}/download/cog", f"{path}/", f"{path}?", f"{path}?q=1&q=2", f"{path}#x",
        path.replace("-", "%2D"), path.replace("cog", "c%6fg"), f"http://other.example{path}", f"//x{path}",
        f"/api/datasets/{dataset.id}/download/some.tif", path.replace(dataset.id[:8], "00000000"),
        path.replace("-", "", 1), f"/api/./datasets/{dataset.id}/download/cog", *scoped,
    )  # fmt: skip
    return mostly(chance, path, *others)


def ranges(chance, size):
    first = chance.randrange(size)
    return mostly(
        chance, f"bytes={first}-{first + chance.randrange(140_000)}", "bytes=-5", "bytes=-0", "bytes=0-", "bytes=5-1",
        f"bytes={size}-", f"bytes={size - 1}-", "bytes=0-1,5-6", "BYTES = 0-1", "bytes= 0-9 ", "octets=0-1", "bytes=",
        "bytes=0-" + "9" * 40, "bytes=\u00b2-\u00b3", "bytes=0-1;", f"bytes=-{10 * size}", "bytes=,0-3,", "x" * 9000,
    )  # fmt: skip


def conditions(chance, etag, modified):
    """Return some conditional fields, each of them usual in half of all cases."""
    weak = f"W/{etag}"
    tags = (etag, weak, '"other"', f'"a,b", {etag}', f'"other", {weak}', "*", "bad", '"open', "", f"{etag} x")
    dates = (modified, "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "yesterday", "")
    choices = {
        "If-Match": tags, "If-None-Match": tags, "If-Range": tags + dates, "If-Modified-Since": dates,
        "If-Unmodified-Since": dates,
    }  # fmt: skip
    return [(name, chance.choice(values)) for name, values in choices.items() if chance.random() < 0.12]


def credentials(chance, bearers, tokens):
    good = ("Authorization", f"Bearer {bearers[0]}")
    others = (
        *[("Authorization", f"Bearer {token}") for token in bearers], ("Authorization", f"bearer  {bearers[0]} "), None,
        ("Authorization", f"Bearer {bearers[0]}x"), ("Authorization", ""), ("Authorization", "Basic eDp5"),
        ("Authorization", f"Bearer {tokens[0]}"), ("authorization", f"Bearer {bearers[0]}"),
    )  # fmt: skip
    return [field for field in (mostly(chance, good, *others),) if field is not None]


def further(chance):
    """Return fields that a download takes note of, or ought not to."""
    choices = (
        ("Connection", "close"), ("Connection", "Close"), ("Connection", "keep-alive"), ("Connection", "close, TE"),
        ("Origin", "https://a.example"), ("Origin", "https://b.example"), ("Origin", "null"),
        ("X-Request-ID", "theirs"), ("X-Request-ID", "\u00e9" * 600), ("User-Agent", "reader/1"), ("User-Agent", ""),
        ("User-Agent", "eyJ" * 300 + ".x"), ("X-Forwarded-For", "9.9.9.9"), ("X-Forwarded-For", "9.9.9.9, junk"),
        ("X-Forwarded-For", "1.1.1.1, 127.0.0.5"), ("Accept-Encoding", "gzip"), ("Accept", "text/html"),
        ("Content-Length", "0"), ("Content-Length", "00"), ("Content-Length", "-1"), ("Content-Length", ""),
        ("Expect", "100-continue"), ("Expect", "other"), ("Range", "bytes=3-4"), ("Upgrade", "h2c"), ("Cookie", "a=b"),
        ("Sec-Fetch-Site", "cross-site"), ("Transfer-Encoding", "gzip"), ("Host", "second"), ("Authorization", "x"),
    )  # fmt: skip
    return [chance.choice(choices) for _ in range(mostly(chance, 1, 0, 2, 3))]


def request_bytes(chance, dataset, validators, bearers, tokens):
    method = mostly(chance, "GET", "GET", "HEAD", "POST", "OPTIONS", "get", "PROPFIND")
    version = mostly(chance, "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0")
    fields = [("Host", mostly(chance, "x", "x:80", "[::1]:1", "", "a b", "a.example"))]
    if chance.random() < 0.03:
        fields = []
    fields += credentials(chance, bearers, tokens) + conditions(chance, *validators) + further(chance)
    if chance.random() < 0.85:
        fields.append(("Range", ranges(chance, dataset.size_bytes)))
    head = fields[:1] + chance.sample(fields[1:], len(fields) - 1) if fields else []
    start = f"{method} {target_of(chance, dataset, tokens)} {version}"
    lines = [start, *(f"{name}: {value}" for name, value in head)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Told:
    """What is told of a request beside its answer."""

    def __init__(self, world, caplog, monkeypatch):
        self._world, self._caplog, self._refused, self._rows = world, caplog, [], []
        put = world.services.audit._put
        monkeypatch.setattr(world.services.refusals, "take", self._refused.append)
        monkeypatch.setattr(
            world.services.audit, "_put", lambda entry, limit: self._rows.append(entry.row) or put(entry, limit)
        )

    def begin(self):
        self._caplog.clear()
        self._refused.clear()
        self._rows.clear()
        self._sums = self._counted()

    def end(self):
        """Return rows, refusals, access lines and what was counted since `begin`."""
        sums = self._counted()
        lines = [
            tuple(getattr(record, name, None) for name in LINE_FIELDS)
            for record in self._caplog.records
            if record.getMessage() == "request" and record.path != LAST
        ]
        other = [record.getMessage() for record in self._caplog.records if record.levelno > logging.INFO]
        risen = {key: sums[key] - self._sums.get(key, 0) for key in sums if LAST not in key}
        counted = {key: amount for key, amount in risen.items() if amount}
        return [bare(row) for row in self._rows], [bare(row) for row in self._refused], lines, other, counted

    def _counted(self):
        sums = self._world.services.metrics._board._sums
        # Seconds are those of each request; the rows of a batch are a matter of chance.
        return {key: value for key, value in sums.items() if re.search("_requests|problems|downloads|bytes", key)}


def bare(row):
    return {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in OWN_FIELDS}


async def exchange(port, sent):
    """Return status line, sorted fields and body of the answers to what is sent, and a last plain request behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent + f"GET {LAST} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(ANSWER_SECONDS):
        raw = await reader.read()
    writer.close()
    for own in set(re.findall(rb"X-Request-Id: ([0-9a-f]{32})", raw)):
        raw = raw.replace(own, b"its id")
    return re.sub(rb"(HTTP/1.1 [0-9]{3} [^\r]*\r\n)((?:[A-Z][A-Za-z-]*: [^\r\n]*\r\n)*)", in_order, raw)


def in_order(head):
    """Return a head with its fields sorted and in small letters, which have no meaning (RFC 9110 sections 5.1, 5.3)."""
    fields = sorted(re.sub(rb"^[^:]*", lambda name: name[0].lower(), field) for field in head[2].splitlines())
    return b"\n".join([head[1], *(field for field in fields if not field.startswith(b"date: "))])


@pytest.fixture
def told(world, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    return Told(world, caplog, monkeypatch)


@pytest.fixture
def ways(monkeypatch):
    """Return what lets requests take the short way, what sends all the other, and who has taken the short one."""
    short, found, write = [], SmallRanges.dataset_id, SmallRangeRequest._write
    monkeypatch.setattr(SmallRangeRequest, "_write", lambda self, *sent: short.append(self) or write(self, *sent))
    take = partial(monkeypatch.setattr, SmallRanges, "dataset_id")
    return (partial(take, found), partial(take, lambda *_: None)), short


async def minted(world, fetch, dataset):
    """Return bearer tokens, the owner's first, and scoped ones."""
    world.services.records.set_disabled("eve", True, act())
    bearers = [world.bearer("ana"), world.bearer("ben"), world.bearer("eve"), world.bearer("ana", seconds=-5)]
    paths = [f"/api/auth/{kind}-token/{dataset.id}" for kind in ("download", "tile")]
    return bearers, [json.loads((await fetch(path, "POST", token=bearers[0])).body)["token"] for path in paths]


@pytest.mark.parametrize("settings", [GENEROUS], indirect=True)
@pytest.mark.parametrize("scale", [Scale.PUBLIC, Scale.PRIVATE])
async def test_every_request_is_answered_alike_by_both_ways(world, fetch, http_server, told, ways, scale):
    dataset = world.add(sha256="ab" * 32, title='H\u00f6hen; "x"', owner="ana", visibility=scale, download=scale)
    bearers, tokens = await minted(world, fetch, dataset)
    first = await fetch(f"/api/datasets/{dataset.id}/download/cog", token=bearers[0])
    validators = first.headers["ETag"], first.headers["Last-Modified"]
    app, chance = http_server.request_callback.app, random.Random(f"both ways {scale}")
    for _ in range(REQUESTS):
        sent, results = request_bytes(chance, dataset, validators, bearers, tokens), []
        for take in ways[0]:
            take()
            for name in (dataset.id, dataset.id.upper()):
                app.settings["decisions"]._recent.keep(name, True)
            told.begin()
            answers = await exchange(port_of(http_server), sent)
            while app.settings["load"].requests:
                await asyncio.sleep(0)
            results.append((answers, *told.end()))
        assert results[0] == results[1], sent
    assert len(ways[1]) > REQUESTS / 10
