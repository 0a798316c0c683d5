"""`login`: the device flow against an issuer, a token of one's own from the gateway, and the files that keep it."""

import asyncio
import json
import re
from contextlib import closing
from types import SimpleNamespace
from unittest.mock import patch
from urllib.parse import parse_qs, urlencode, urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import jwt
import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from gateway.cli import deviceflow, logins
from gateway.errors import SettingsError
from gateway.model import Scale
from tests.handlers.conftest import app, cog_file, fetch, http_server, second, settings, shared, world
from tests.issuer import AUDIENCE, Issuer
from tests.provider import running_provider

__all__ = ["app", "cog_file", "fetch", "http_server", "second", "settings", "shared", "world"]


class DeviceIssuer(Issuer):
    """An issuer that lets people sign in on another device; `waits` are its answers until the code was entered."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = ["authorization_pending", "slow_down"]
        self.extra = {"device_authorization_endpoint": f"{self.url}/device", "token_endpoint": f"{self.url}/token"}
        self.server.RequestHandlerClass.do_POST = lambda handler: self.posted(handler)

    def answer(self, handler) -> None:
        if handler.path != "/.well-known/openid-configuration":
            return super().answer(handler)
        return send(handler, 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.extra})

    def posted(self, handler) -> None:
        sent = parse_qs(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        assert sent["client_id"] == ["people"]
        # With the code as well, where it says which token is wanted (RFC 8707 section 2.2).
        assert sent["resource"] == ["https://maps.example/api"]
        if handler.path == "/device":
            assert sent["scope"] == ["openid maps"]
            told = {
                "device_code": "secret",
                "user_code": "ABCD",
                "verification_uri": f"{self.url}/enter",
                "expires_in": 60,
            }
            return send(handler, 200, {**told, "interval": 1})
        assert (sent["device_code"], sent["grant_type"]) == (["secret"], [deviceflow.GRANT])
        if self.waits:
            return send(handler, 400, {"error": self.waits.pop(0)})
        return send(handler, 200, {"access_token": self.token(), "token_type": "Bearer"})


def send(handler, status, told) -> None:
    body = json.dumps(told).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def issuer():
    with closing(DeviceIssuer()) as made:
        yield made


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "cog-gateway"


@pytest.fixture
def database_url():
    return None


@pytest.mark.gen_test
async def test_signing_in_on_another_device_leaves_a_token_that_opens_files(world, http_port, issuer, kept, fetch):
    slept = []
    url = f"http://localhost:{http_port}"

    def run(*arguments, stdin=None):
        with patch("gateway.cli.login.time", SimpleNamespace(sleep=slept.append)):
            return CliRunner().invoke(cli, ["login", url, *arguments], input=stdin)

    # As the settings of a server would have them; it still takes tokens of its own keys, which this issuer gives out.
    vars(world.services.settings).update(
        oidc_issuer=issuer.url,
        oidc_client_id="people",
        oidc_scope="openid offline_access maps",
        oidc_audience="https://maps.example/api",
    )
    issuer.token = lambda: world.bearer("ana")
    result = await asyncio.to_thread(run)
    assert result.exit_code == 0, result.output
    assert f"Open {issuer.url}/enter in a browser and enter the code ABCD" in result.stderr
    assert slept == [1, 1, 6]
    files = {path.name: path for path in kept.iterdir()}
    assert {name: path.stat().st_mode & 0o777 for name, path in files.items()} == {
        "login.json": 0o600,
        "netrc": 0o600,
    }
    token = logins.token_for(f"{url}/api/datasets/x/download/cog")
    assert token.startswith("cgw_")
    assert f"machine localhost login cog-gateway password {token}\n" == files["netrc"].read_text()
    assert token not in result.output
    assert logins.token_for(f"{url}/apis") is logins.token_for("https://elsewhere.example/api/") is None
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog", token=token)).code == 200
    (stored,) = world.services.records.tokens.every()
    assert stored.name.startswith("login on ")
    # Again, by a token from elsewhere: the newer one is kept.
    again = await asyncio.to_thread(run, "--with-token", "--scope", "view", stdin=world.bearer("ana") + "\n")
    assert again.exit_code == 0, again.output
    assert logins.token_for(f"{url}/api/x") not in (token, None)
    refused = await asyncio.to_thread(run, "--with-token", stdin="nonsense\n")
    assert (refused.exit_code, "the gateway refuses" in refused.stderr) == (2, True)
    files["login.json"].chmod(0o644)
    with pytest.raises(SettingsError, match="open to other users"):
        logins.token_for(url)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"waits": ["access_denied"]}, "refuses: access_denied"),
        ({"extra": {}}, "use --with-token"),
        ({"extra": {"issuer": "https://other.example"}}, "is not the issuer's"),
        ({"extra": {"device_authorization_endpoint": "file:///etc/passwd"}}, "no address of the web"),
    ],
)
def test_an_issuer_that_does_not_is_one_sentence(issuer, change, told):
    vars(issuer).update(change)
    asked = {"client_id": "people", "scope": "openid maps", "resource": "https://maps.example/api"}
    with pytest.raises(SettingsError, match=told):
        deviceflow.device_token(issuer.url, asked, lambda *_: None, lambda _: None)


@pytest.mark.parametrize("url", ["ftp://x", "maps", "http://127.0.0.1:1"])
def test_what_is_no_gateway_is_one_line(url, kept):
    result = CliRunner().invoke(cli, ["login", url])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert AUDIENCE not in result.output
    assert not kept.exists()


def test_a_certified_provider_gives_a_token_for_the_gateway():
    browser = build_opener(HTTPCookieProcessor())

    def submitted(page, **fields):
        text = page.read().decode()
        hidden = dict(re.findall(r'name="(xsrf|user_code|prompt)" value="?([^">]+)', text))
        action = urljoin(page.geturl(), re.findall(r'action="([^"]+)"', text)[-1])
        return browser.open(action, urlencode(hidden | fields).encode())

    def enter(address, _):
        # The code, that it is the one on the other screen, who it is, and that the gateway may know.
        page = submitted(submitted(browser.open(address)), confirm="yes")
        assert b"Success" in submitted(submitted(page, login="ana", password="any")).read()

    with running_provider() as provider:
        asked = {"client_id": provider.client(), "scope": "openid", "resource": "https://maps.example.org/api"}
        token = deviceflow.device_token(provider.issuer, asked, enter, lambda _: None)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"], claims["sub"]) == (provider.issuer, asked["resource"], "ana")
