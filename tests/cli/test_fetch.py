"""`fetch`: lists in every format, cut off and resumed, compared, and tokens that go nowhere else."""

import hashlib
import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from gateway.cli import logins

BODY = bytes(range(256)) * 4096
SHA = hashlib.sha256(BODY).hexdigest()
ID = "00000000-0000-4000-8000-00000000000"


class Site(ThreadingHTTPServer):
    """A gateway and a store in one: answers by path, in their order, the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.plan: dict[str, list] = {}
        self.seen: list[tuple[str, str | None, str | None]] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_GET(self):
        site, headers = self.server, self.headers
        site.seen.append((self.path, headers["Authorization"], headers["Range"]))
        answers = site.plan[self.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, tuple):
            status, fields, body = answer
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        # The file, of which so many bytes are sent before the connection ends.
        first = int(headers["Range"][6:-1]) if headers["Range"] and headers["If-Range"] == '"e"' else 0
        self.send_response(206 if first else 200)
        self.send_header("ETag", '"e"')
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(BODY) - first))
        self.end_headers()
        self.wfile.write(BODY[first : first + answer])
        self.close_connection = True


@pytest.fixture
def site():
    with closing(Site()) as made:
        yield made


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("GATEWAY_TOKEN", raising=False)


def run(tmp_path, *arguments, code=0, text=None):
    with patch("gateway.cli.fetching.FIRST_WAIT_SECONDS", 0):
        result = CliRunner().invoke(cli, ["fetch", "-o", str(tmp_path / "out"), *arguments], input=text)
    assert result.exit_code == code, result.output
    return result


def ndjson(*files):
    return "".join(json.dumps({"url": url, "name": name, "size": len(BODY), "sha256": sha}) + "\n"
                   for url, name, sha in files)  # fmt: skip


def test_a_file_that_is_cut_off_is_resumed_and_the_store_is_asked_through_the_gateway_again(site, tmp_path):
    other = site.url.replace("127.0.0.1", "localhost")
    file = f"/api/datasets/{ID}1/download/cog"
    site.plan = {
        f"/api/datasets/{ID}1": [(200, {}, json.dumps({"title": "A", "size_bytes": len(BODY), "sha256": SHA}).encode())],
        file: [(503, {"Retry-After": "0"}, b""), (302, {"Location": f"{other}/store?1"}, b""),
               (302, {"Location": f"{other}/store?2"}, b""), (302, {"Location": f"{other}/store?3"}, b"")],
        "/store?1": [500_000], "/store?2": [(403, {}, b"ended")], "/store?3": [len(BODY)],
    }  # fmt: skip
    result = run(tmp_path, "--token", "secret", f"{site.url}/api/datasets/{ID}1")
    assert result.stdout == "A.tif: fetched\n"
    assert (tmp_path / "out" / "A.tif").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["A.tif"]
    assert all(token == ("Bearer secret" if "/api/" in path else None) for path, token, _ in site.seen)
    assert [ranged for path, _, ranged in site.seen if "store" in path] == [None, "bytes=500000-", "bytes=500000-"]
    # There already: nothing is asked for but what it should be.
    asked = len(site.seen)
    assert run(tmp_path, f"{site.url}/api/datasets/{ID}1").stdout == "A.tif: is there\n"
    assert len(site.seen) == asked + 1


def test_what_is_not_whole_is_told_and_names_lead_nowhere_else(site, tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_TOKEN", "secret")
    site.plan = {"/good": [len(BODY)], "/bad": [len(BODY)], "/gone": [(404, {}, b"")], "/cut": [0]}
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "out" / "x.tif.part").symlink_to(tmp_path / "elsewhere")
    names = (("/good", "../../up", SHA), ("/good", "a/b", None), ("/good", "A_B.tif", SHA), ("/bad", "bad", "0" * 64),
             ("/gone", "gone", None), ("/cut", "cut", SHA), ("/good", "x", SHA))  # fmt: skip
    text = ndjson(*((site.url + path, name, sha) for path, name, sha in names))
    result = run(tmp_path, "-", code=1, text=text)
    assert result.stderr.endswith("3 of 7 files are whole\n")
    whole = {path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".tif"}
    assert whole == {"_.._up.tif", "a_b.tif", "A_B-2.tif"}
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert {token for _, token, _ in site.seen} == {None}
    assert "gone.tif: the answer was 404" in result.stderr


def test_every_format_of_a_list_is_read(site, tmp_path):
    site.plan = {"/f": [len(BODY)], f"/downloads/{ID}1.ndjson?token=t": [
        (200, {}, ndjson((f"{site.url}/f", "listed", SHA)).encode())]}  # fmt: skip
    url = f"{site.url}/f"
    metalink = (f'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="m.tif"><size>{len(BODY)}</size>'
                f'<hash type="sha-256">{SHA}</hash><url>{url}</url></file></metalink>')  # fmt: skip
    curl = f'location\nfail\ngloboff\nurl = "{url}"\noutput = "c.tif"\n'
    for text in (
        metalink,
        f"{url}\n  out=a.tif\n  checksum=sha-256={SHA}\n",
        curl,
        f"{url}\n",
        ndjson((url, "n", SHA)),
    ):
        run(tmp_path, "-", text=text)
    run(tmp_path, f"{site.url}/downloads/{ID}1.metalink?token=t")
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "out").iterdir()}
    assert found == dict.fromkeys(("m.tif", "a.tif", "c.tif", "file.tif", "n.tif", "listed.tif"), SHA)
    for text in ("<x", "{}", "what\n", '{"url": "file:///etc/passwd", "name": "x"}\n'):
        run(tmp_path, "-", code=2, text=text)
    # A part and a picture of a dataset are not its file.
    parts = (
        f"{site.url}/api/datasets/{ID}1/{part}"
        for part in ("bbox/1,2,3,4.tif", "preview.png", "bbox/1,2,3,4.tif?native=1")
    )
    for source in ("missing.metalink", f"{site.url}/elsewhere", *parts):
        run(tmp_path, source, code=2)


def test_a_search_becomes_a_list_of_the_gateway(site, tmp_path):
    made = {"links": [{"rel": "ndjson", "href": f"{site.url}/api/l"}]}
    site.plan = {"/api/downloads": [(201, {}, json.dumps(made).encode()), (401, {}, b'{"detail": "No."}')],
                 "/api/l": [(200, {}, ndjson((f"{site.url}/f?token=cgd_1", "one", SHA)).encode())],
                 "/f?token=cgd_1": [len(BODY)]}  # fmt: skip
    run(tmp_path, "--token", "secret", f"{site.url}/api/stac/search?bbox=1,2,3,4")
    assert [token for _, token, _ in site.seen] == ["Bearer secret", None, None]
    site.seen.clear()
    logins.keep(logins.Login(f"{site.url}/api", "kept", "2999-01-01T00:00:00Z"))
    assert "the gateway refuses: No." in run(tmp_path, f"{site.url}/api/collections/dem", code=1).stderr
    assert [token for _, token, _ in site.seen] == ["Bearer kept"]
    for place in ("stac/collections/dem", "stac/collections/dem/items", "collections/dem"):
        site.seen.clear()
        run(tmp_path, f"{site.url}/api/{place}", code=1)
        assert [path for path, *_ in site.seen] == ["/api/downloads"]
    # Neither is for another host.
    text = ndjson((f"{site.url.replace('127.0.0.1', 'localhost')}/plain", "p", SHA))
    site.plan["/plain"] = [len(BODY)]
    run(tmp_path, "--token", "secret", "-", text=text)
    assert site.seen[-1][:2] == ("/plain", None)


def test_why_a_gateway_gives_nothing_is_told(site, tmp_path):
    site.plan = {f"/api/datasets/{ID}1": [(404, {}, b'{"detail": "There is no such dataset."}')]}
    address = f"{site.url}/api/datasets/{ID}1"
    assert "No token was given: --token," in run(tmp_path, address, code=1).stderr
    assert "No token" not in run(tmp_path, address, "--token", "t", code=1).stderr
    site.close()
    assert "gives no answer that can be read: Connection refused" in run(tmp_path, address, code=2).stderr
