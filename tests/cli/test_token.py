import time

import pytest

from gateway.tokens import HmacKeys, TokenPolicy, verify_bearer

KEY = "0123456789abcdef" * 3


def test_the_token_and_nothing_else_is_printed(gateway, monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", KEY)
    result = gateway.run("token", "--sub", "ana", "--role", "admin", "--role", "maps", "--seconds", "60")
    keys = HmacKeys([KEY.encode()])
    principal = verify_bearer(result.stdout.strip(), keys, TokenPolicy(), time.time())
    assert (principal.user, principal.roles) == ("ana", {"admin", "maps"})
    claims = keys.verify(result.stdout.strip())
    assert claims["exp"] - claims["iat"] == 60
    assert result.stderr == ""


def test_without_a_configured_key_the_gateways_own_is_used(gateway):
    result = gateway.run("token", "--sub", "ana")
    assert result.stderr == f"made a new key: {gateway.folder / 'state' / 'secret.key'}\n"
    assert gateway.run("token", "--sub", "ana").stderr == ""
    key = (gateway.folder / "state" / "secret.key").read_bytes().strip()
    assert verify_bearer(result.stdout.strip(), HmacKeys([key]), TokenPolicy(), time.time()).user == "ana"


def test_the_roles_go_into_the_claim_of_the_settings(gateway, monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", KEY)
    monkeypatch.setenv("GATEWAY_ROLES_CLAIM", "groups")
    token = gateway.run("token", "--sub", "ana", "--role", "maps").stdout.strip()
    assert HmacKeys([KEY.encode()]).verify(token)["groups"] == ["maps"]


@pytest.mark.parametrize(
    "flags",
    [(), ("--sub", ""), ("--sub", "ana", "--seconds", "0"), ("--sub", "a", "--role", ""), ("--sub", "a\nb")],
)
def test_wrong_usage_prints_no_token(gateway, flags):
    assert gateway.run("token", *flags, exit_code=2).stdout == ""


def test_a_weak_key_is_refused_without_being_repeated(gateway, monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", "weak-key")
    result = gateway.run("token", "--sub", "ana", exit_code=2)
    assert "shorter than 32 bytes" in result.stderr
    assert "weak-key" not in result.output


def test_with_an_issuer_there_are_no_bearer_tokens_of_our_own(gateway, monkeypatch):
    monkeypatch.setenv("GATEWAY_OIDC_ISSUER", "https://login.example")
    monkeypatch.setenv("GATEWAY_OIDC_AUDIENCE", "maps")
    result = gateway.run("token", "--sub", "ana", exit_code=2)
    assert "https://login.example" in result.stderr
    assert result.stdout == ""


def test_a_folder_that_nobody_named_gets_no_key(gateway, monkeypatch):
    monkeypatch.delenv("GATEWAY_STATE_DIR")
    result = gateway.run("token", "--sub", "ana", exit_code=2)
    assert f"there is no secret.key in {gateway.folder / 'var'}" in result.stderr
    assert "GATEWAY_STATE_DIR" in result.stderr
    assert list(gateway.folder.iterdir()) == [gateway.data]
