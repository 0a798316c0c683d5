"""The guide's nginx in front of a gateway: bytes, ranges and tags pass unchanged, and no token is logged."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest

from tests.certificates import write_certificate
from tests.e2e.conftest import folder, start  # noqa: F401 - fixtures
from tests.e2e.test_serve import bearer, ingest

CONFIGURATION = Path(__file__).parent.parent.parent / "docs" / "operating" / "nginx.conf"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Front:
    """nginx with the guide's file, but for ports, names of files and the address."""

    def __init__(self, folder: Path, gateway_port: int) -> None:  # noqa: F811
        certificate, key = write_certificate(folder)
        self.trust = ssl.create_default_context(cafile=str(certificate))
        self.port, self.plain_port, self.logs = free_port(), free_port(), folder / "logs"
        self.logs.mkdir()
        text = CONFIGURATION.read_text()
        for old, new in (
            ("127.0.0.1:8080", f"127.0.0.1:{gateway_port}"), ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("    listen [::]:443 ssl http2;\n", ""), ("    listen [::]:80;\n", ""),
            ("listen 80", f"listen 127.0.0.1:{self.plain_port}"), ("rasters.example.org", "localhost"),
            ("/etc/ssl/cog-gateway/fullchain.pem", str(certificate)),
            ("/etc/ssl/cog-gateway/privkey.pem", str(key)), ("/var/log/nginx", str(self.logs)),
        ):  # fmt: skip
            assert old in text, old
            text = text.replace(old, new)
        paths = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.getuid() == 0 else ""
        whole = f"{user} daemon off; pid {folder}/nginx.pid; error_log {self.logs}/error.log;"
        (folder / "nginx.conf").write_text(f"{whole} events {{}} http {{ {paths}\n{text}\n}}")
        self.process = subprocess.Popen(
            [nginx(), "-p", folder, "-e", self.logs / "error.log", "-c", folder / "nginx.conf"]
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError((self.logs / "error.log").read_text())

    def ask(self, path, headers=None, method="GET"):
        connection = HTTPSConnection("localhost", self.port, context=self.trust, timeout=120)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(120)


def nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("nginx is not installed")
    return found


@pytest.fixture
def front(start, folder):  # noqa: F811
    nginx()
    with (folder / "rasters" / "elevation.tif").open("ab") as file:
        file.write(os.urandom(3 << 20))
    server = start("--processes", "2", trusted_proxies="127.0.0.1", public_url="https://localhost")
    front = Front(folder, server.port)
    yield server, front
    front.stop()


def test_whoever_comes_without_tls_is_sent_on(front):
    _, nginx = front
    connection = HTTPConnection("127.0.0.1", nginx.plain_port, timeout=120)
    connection.request("GET", "/api/datasets?q=a%0d%0aX-Evil:%201", headers={"Host": "localhost"})
    response = connection.getresponse()
    told = (response.status, response.headers["Location"], response.headers["X-Evil"])
    connection.close()
    assert told == (301, "https://localhost/api/datasets?q=a%0d%0aX-Evil:%201", None)


def test_downloads_pass_unchanged_and_no_token_is_logged(front, folder):  # noqa: F811
    server, nginx = front
    dataset, headers = ingest(server), bearer(server)
    whole = (folder / "rasters" / "elevation.tif").read_bytes()
    path = f"/api/datasets/{dataset}/download/cog"
    minted = json.loads(nginx.ask(f"/api/auth/download-token/{dataset}", headers, "POST")[2])
    assert minted["url"].startswith("https://localhost/api/")
    status, told, body = nginx.ask(f"{path}?token={minted['token']}", {"Accept-Encoding": "gzip"})
    assert (status, body) == (200, whole)
    assert "Content-Encoding" not in told
    direct = {name.title(): value for name, value in server.ask(path, headers=headers)[1].items()}
    assert {name: told[name] for name in ("Etag", "Content-Length", "Accept-Ranges", "Content-Disposition")} == {
        name: direct[name] for name in ("Etag", "Content-Length", "Accept-Ranges", "Content-Disposition")
    }
    status, part, body = nginx.ask(path, {**headers, "Range": "bytes=1000-2999", "If-Range": told["ETag"]})
    assert (status, part["Content-Range"], body) == (206, f"bytes 1000-2999/{len(whole)}", whole[1000:3000])
    stale = nginx.ask(path, {**headers, "Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale[0], stale[2]) == (200, whole)
    assert nginx.ask(path, {**headers, "If-None-Match": told["ETag"]})[0] == 304
    status, head, body = nginx.ask(path, headers, "HEAD")
    assert (status, head["Content-Length"], body) == (200, str(len(whole)), b"")
    assert nginx.ask(path, {**headers, "Range": "bytes=99999999999-"})[0] == 416
    written = "".join(log.read_text() for log in nginx.logs.iterdir())
    assert f'"GET {path}" 200' in written
    assert minted["token"] not in written
    assert "token=" not in written


def test_the_audit_names_the_client_and_watching_stays_inside(front):
    server, nginx = front
    dataset, headers = ingest(server), bearer(server)
    forged = {**headers, "X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
    assert nginx.ask(f"/api/datasets/{dataset}/download/cog", forged)[0] == 200
    rows = [json.loads(line) for line in server.command("audit", "list", "--json").splitlines()]
    # What nginx added is its peer; that one is trusted here, so the address before it counts.
    assert {row["ip"] for row in rows if row["action"] == "download.cog"} == {"198.51.100.7"}
    assert [nginx.ask(path)[0] for path in ("/metrics", "/readyz", "/livez")] == [404, 404, 200]
    links = json.loads(nginx.ask(f"/api/datasets/{dataset}", headers)[2])["links"]
    assert all(re.match("https://localhost/", link["href"]) for link in links)
