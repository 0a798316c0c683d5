"""Tokens of one's own and links, by command."""

import pytest

from gateway.records import open_records
from gateway.tokens import hash_of


def test_a_token_is_printed_once_listed_and_revoked_by_how_its_id_begins(gateway):
    dataset_id = gateway.dataset(visibility="public")
    result = gateway.run("tokens", "create", "--user", "ana", "--role", "survey", "--name", "QGIS", "--scope", "download",
                         "--for", f"dataset:{dataset_id[:9]}", "--days", "365")  # fmt: skip
    secret = result.stdout.strip()
    assert secret.startswith("cgw_")
    assert f"for dataset:{dataset_id}" in result.stderr
    (listed,) = gateway.json("tokens", "list")
    assert (listed["owner"], listed["name"], listed["scope"]) == ("ana", "QGIS", ["view", "download"])
    assert (listed["roles"], listed["for"], listed["last_used_at"]) == (["survey"], f"dataset:{dataset_id}", None)
    assert gateway.json("tokens", "list", "--user", "ben") == gateway.json("links", "list") == []
    assert "QGIS" in gateway.run("tokens", "list").stdout
    records = open_records(gateway.folder / "state" / "gateway.db")
    assert records.tokens.by_hash(hash_of(secret)).id == listed["id"]
    records.close()
    gateway.run("links", "revoke", listed["id"], exit_code=1)
    assert gateway.run("tokens", "revoke", listed["id"][:8]).stdout == f"revoked {listed['id']}: token of ana\n"
    assert gateway.json("tokens", "list") == []
    assert "there is no token" in gateway.run("tokens", "revoke", listed["id"], exit_code=1).stderr
    assert [action for action, _ in gateway.actions()] == ["dataset.ingested", "token.created", "token.revoked"]


def test_a_link_is_made_by_an_owner_or_an_admin(gateway, monkeypatch):
    monkeypatch.setenv("GATEWAY_PUBLIC_URL", "https://maps.example.org/cogs")
    dataset_id = gateway.dataset(owner="ana")
    (made,) = gateway.json(
        "links", "create", "--dataset", dataset_id, "--user", "ana", "--right", "download", "--uses", "3"
    )
    start = f"https://maps.example.org/cogs/api/datasets/{dataset_id}/download/cog?token=cgl_"
    assert made["url"].startswith(start)
    assert (made["uses"], made["used"], made["made_by"]) == (3, 0, "ana")
    shown = gateway.run("links", "create", "--collection", "data", "--user", "op", "--role", "admin").stdout
    assert shown.startswith("https://maps.example.org/cogs/#collection=data&link=cgl_")
    assert {each["right"] for each in gateway.json("links", "list")} == {"view", "download"}
    assert f"dataset:{dataset_id}" in gateway.run("links", "list").stdout
    gateway.json("links", "revoke", made["id"])
    assert [action for action, _ in gateway.actions()][-1] == "link.revoked"
    monkeypatch.delenv("GATEWAY_PUBLIC_URL")
    guessed = gateway.run("links", "create", "--dataset", dataset_id, "--user", "ana")
    assert "PUBLIC_URL is not set: the link is for http://127.0.0.1:8080\n" in guessed.stderr
    assert guessed.stdout.startswith("http://127.0.0.1:8080/#dataset=")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (("tokens", "create"), 2, "--user"),
        (("tokens", "create", "--user", "ana", "--for", "dataset:00"), 1, "there is no dataset 00"),
        (("tokens", "create", "--user", "ana", "--for", "collection:none"), 1, "There is no such collection"),
        (("tokens", "create", "--user", "ana", "--for", "x"), 2, "must be all, collection:ID or dataset:ID"),
        (("tokens", "create", "--user", "ana", "--days", "366"), 2, "within 365 days"),
        (("tokens", "create", "--user", "ana", "--days", "9" * 12), 2, "too long"),
        (("tokens", "create", "--user", "ana", "--days", "1", "--expires-at", "2027-01-01"), 2, "one of --days"),
        (("tokens", "create", "--user", "off"), 2, "off is disabled"),
        (("tokens", "revoke", "%"), 1, "there is no token %"),
        (("links", "create", "--user", "ana"), 2, "exactly one of --dataset"),
        (("links", "create", "--user", "ana", "--collection", "data"), 2, "shared by an administrator"),
    ],
)
def test_what_cannot_be_done_is_one_line(hosted, arguments, exit_code, told):
    assert told in hosted.run(*arguments, exit_code=exit_code).stderr
    assert hosted.json("tokens", "list") == hosted.json("links", "list") == []


@pytest.fixture(scope="module")
def hosted(tmp_path_factory):
    from tests.cli.conftest import Gateway

    folder = tmp_path_factory.mktemp("tokens")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GATEWAY_STATE_DIR", str(folder / "state"))
        made = Gateway(folder)
        made.dataset(visibility="public")
        made.run("users", "disable", "off")
        yield made
