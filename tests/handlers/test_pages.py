"""The viewer's files: their types, coding, caching, the API's path in the page, and the policy they run under."""

import ast
import gzip
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from gateway.handlers.assets import Assets
from gateway.handlers.pages import policy, takes_gzip
from gateway.settings import RootSettings, Settings
from tests.handlers.conftest import problem

ROOT = Path(__file__).parent.parent.parent
STATIC = ROOT / "gateway" / "static"


@pytest.mark.gen_test
async def test_the_page_names_the_api_and_only_files_of_its_own(fetch):
    response = await fetch("/")
    page = response.body.decode()
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'data-api="./api"' in page
    named = re.findall(r'(?:src|href|data-geotiff)="([^"#]+)"', page)
    assert len(named) >= 5
    for name in named:
        assert (await fetch(f"/{name.removeprefix('./')}")).code == 200, name


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{"prefix": "/maps/~a"}, {"prefix": ""}], indirect=True)
async def test_the_page_follows_the_prefix(fetch, settings):
    assert f'data-api=".{settings.prefix}"' in (await fetch("/")).body.decode()


@pytest.mark.gen_test
async def test_no_script_style_or_handler_stands_in_the_page(fetch):
    page = (await fetch("/")).body.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", page)
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", "", "", ""]


@pytest.mark.gen_test
async def test_files_come_compressed_to_who_takes_it_and_not_twice(fetch):
    plain = await fetch("/static/main.js")
    zipped = await fetch("/static/main.js", headers={"Accept-Encoding": "gzip, br"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body == (STATIC / "main.js").read_bytes()
    assert zipped.headers["Etag"] != plain.headers["Etag"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    headers = {"If-None-Match": zipped.headers["Etag"], "Accept-Encoding": "gzip"}
    again = await fetch("/static/main.js", headers=headers)
    assert (again.code, again.body) == (304, b"")
    assert plain.headers["Cache-Control"] == "no-cache"
    kept = await fetch("/static/vendor/ol-10.11.0/ol.css", "HEAD")
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert kept.headers["Content-Type"] == "text/css; charset=utf-8"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "docs.html",
        "examples/leaflet.html",
        "none.js",
        "../app.py",
        "%2e%2e/app.py",
        "/etc/passwd",
        "vendor",
        "vendor/",
        "main.js/",
    ],
)
async def test_other_names_lead_nowhere(fetch, name):
    response = await fetch(f"/static/{name}")
    assert response.code == 404
    assert problem(response)


@pytest.mark.gen_test
async def test_every_answer_carries_the_policy(fetch):
    for path in ("/", "/static/icon.svg", "/static/none.js", "/favicon.ico", "/examples/", "/examples/shared.js"):
        headers = (await fetch(path)).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{}, {"prefix": "/maps/api"}, {"prefix": ""}], indirect=True)
async def test_what_people_guess_leads_on(fetch, world):
    prefix = world.services.settings.prefix
    for path in {prefix, f"{prefix}/"} - {"", "/"}:
        found = await fetch(path)
        assert found.code == 302
        assert urljoin(path, found.headers["Location"]) == f"{prefix}/docs"
    for path in (f"{prefix}/docs", "/examples/leaflet.html"):
        found = await fetch(f"{path}/")
        assert found.code == 302
        assert urljoin(f"{path}/", found.headers["Location"]) == path
    assert urljoin("/examples", (await fetch("/examples")).headers["Location"]) == "/examples/"
    assert (await fetch("/")).headers["Content-Type"] == "text/html; charset=utf-8"
    icon = await fetch("/favicon.ico")
    assert (icon.headers["Content-Type"], icon.body[:4]) == ("image/x-icon", b"\0\0\1\0")


GROUND = {"basemap_url": "https://{a-b}.tiles.example.org/{z}/{x}/{y}.png?key=1", "basemap_attribution": "<b>© Us"}


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [GROUND], indirect=True)
async def test_the_page_knows_the_operators_ground_and_its_policy_lets_it_in(fetch, world):
    response = await fetch("/")
    page = response.body.decode()
    assert f'data-basemap="{GROUND["basemap_url"]}"' in page
    assert 'data-attribution="&lt;b&gt;© Us"' in page
    sources = "img-src 'self' blob: data: https://a.tiles.example.org https://b.tiles.example.org;"
    assert sources in response.headers["Content-Security-Policy"]


@pytest.mark.gen_test
async def test_the_page_takes_no_credential_and_no_other_method(fetch):
    assert (await fetch("/", token="not-a-token")).code == 200
    assert (await fetch("/", "POST")).code == 405


def settings_with(**roots: RootSettings) -> Settings:
    return Settings(roots=roots, _env_file=None)


@pytest.mark.parametrize(
    ("root", "sources"),
    [
        (RootSettings(uri="file:data"), "'self'"),
        (RootSettings(uri="s3://maps/a"), "'self' https://*.amazonaws.com https://*.amazonaws.com.cn"),
        (RootSettings(uri="s3://maps/a", delivery="stream"), "'self'"),
        (
            RootSettings(uri="s3://maps/a", endpoint_url="http://10.0.0.1:9000"),
            "'self' http://10.0.0.1:9000 http://maps.10.0.0.1:9000",
        ),
        (
            RootSettings(
                uri="s3://maps", endpoint_url="http://inside:9000", public_endpoint_url="https://s3.example.org"
            ),
            "'self' https://maps.s3.example.org https://s3.example.org",
        ),
        (RootSettings(uri="s3://ma;ps", endpoint_url="https://s3.example.org"), "'self' https://s3.example.org"),
    ],
)
def test_the_page_may_reach_the_stores_that_downloads_are_sent_to(root, sources):
    directives = dict(part.split(" ", 1) for part in policy(settings_with(far=root)).split("; "))
    assert directives["connect-src"] == sources


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.00", False),
        ("br", False),
        ("", False),
    ],
)
def test_the_coding_that_a_client_takes(accepted, taken):
    assert takes_gzip(accepted) is taken


def test_files_of_unknown_types_and_hidden_folders_are_not_served(tmp_path):
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "notes.db").write_text("x")
    assets = Assets(tmp_path)
    assert assets.find("a.js").body == b"1"
    assert assets.find("a.js").zipped is None
    assert assets.find("notes.db") is None


def test_vendored_libraries_have_their_licences():
    table = (STATIC / "vendor" / "README.md").read_text()
    folders = [each for each in (STATIC / "vendor").iterdir() if each.is_dir()]
    assert len(folders) >= 2
    for folder in folders:
        name, version = folder.name.rsplit("-", 1)
        assert re.search(rf"`{name}[\w-]*` \| {re.escape(version)} \|", table), folder.name
        assert list(folder.glob("LICENSE*")), folder.name


def test_the_package_carries_every_file_of_the_viewer():
    [declared] = re.findall(r'package_data=\{"gateway": (\[.*\])\}', (ROOT / "setup.py").read_text())
    carried = {path for pattern in ast.literal_eval(declared) for path in (ROOT / "gateway").glob(pattern)}
    assert {path for path in STATIC.rglob("*") if path.is_file()} <= carried
