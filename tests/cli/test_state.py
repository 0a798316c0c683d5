"""Only what serves, takes files in or makes the first collection makes a state: every other command says where it looked in vain."""

import pytest

from gateway.state import own_key
from gateway.tokens import HmacKeys
from tests.rasters import write_cog

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ONLY_OVER_A_STATE = [
    ("datasets", "list"), ("datasets", "show", UNKNOWN), ("datasets", "update", UNKNOWN, "--title", "x"),
    ("datasets", "remove", UNKNOWN, "-y"), ("datasets", "recheck"), ("grants", "list", UNKNOWN),
    ("grants", "add", UNKNOWN, "--user", "ana"), ("grants", "remove", UNKNOWN, "--user", "ana"), ("users", "list"),
    ("users", "disable", "ana"), ("users", "enable", "ana"), ("audit", "list"), ("audit", "downloads"),
    ("audit", "export"), ("audit", "prune", "--before", "2020-01-01", "--archive", "old.jsonl"),
    ("audit", "prune", "--before", "2020-01-01", "--archive", "old.jsonl", "--dry-run"), ("backup", "copy.db"),
    ("tokens", "list"), ("tokens", "create", "--user", "ana"), ("links", "revoke", UNKNOWN),
    ("collections", "list"), ("collections", "update", "maps", "--title", "x"), ("collections", "remove", "maps"),
]  # fmt: skip


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("command", ONLY_OVER_A_STATE, ids=" ".join)
def test_a_wrong_state_folder_is_named_and_stays_as_it_is(gateway, command, made):
    state = gateway.folder / "state"
    if made:
        state.mkdir()
    result = gateway.run(*command, exit_code=2)
    assert f"there is no catalogue in {state}" in result.stderr
    assert "GATEWAY_STATE_DIR" in result.stderr
    assert result.stdout == ""
    assert state.exists() == made
    assert [path for path in gateway.folder.rglob("*") if path not in (state, gateway.data)] == []


@pytest.mark.parametrize("command", [("datasets", "list"), ("users", "list"), ("audit", "list"), ("audit", "export")])
def test_what_reads_makes_no_key_and_leaves_no_other_file(gateway, command):
    gateway.catalogue()
    gateway.run(*command)
    assert [path.name for path in (gateway.folder / "state").iterdir()] == ["gateway.db"]


def test_the_first_ingest_makes_the_key_and_a_later_one_none_beside_a_catalogue(gateway):
    state = gateway.folder / "state"
    gateway.dataset("a.tif")
    assert sorted(path.name for path in state.iterdir()) == ["gateway.db", "secret.key"]
    (state / "secret.key").unlink()
    gateway.dataset("b.tif")
    assert sorted(path.name for path in state.iterdir()) == ["gateway.db"]


def test_a_dry_run_makes_none_and_reads_what_is_there(gateway):
    path = write_cog(gateway.data / "a.tif")
    assert gateway.run("ingest", "--dry-run", path).stdout.startswith("would register ")
    assert list(gateway.folder.iterdir()) == [gateway.data]
    gateway.run("ingest", path)
    catalogue = gateway.folder / "state" / "gateway.db"
    before = catalogue.read_bytes()
    assert gateway.run("ingest", "--dry-run", path, "--title", "T").stdout.startswith("would update ")
    assert catalogue.read_bytes() == before


def test_an_ingest_with_keys_of_the_settings_makes_none(gateway, monkeypatch):
    monkeypatch.setenv("GATEWAY_SECRET_KEYS", "0123456789abcdef" * 3)
    gateway.run("ingest", write_cog(gateway.data / "a.tif"))
    assert sorted(path.name for path in (gateway.folder / "state").iterdir()) == ["gateway.db"]


def test_a_token_is_never_signed_with_a_key_that_the_server_does_not_know(gateway):
    gateway.catalogue()
    result = gateway.run("token", "--sub", "ana", exit_code=2)
    assert f"there is no secret.key in {gateway.folder / 'state'}" in result.stderr
    assert "GATEWAY_SECRET_KEYS_FILE" in result.stderr
    assert [path.name for path in (gateway.folder / "state").iterdir()] == ["gateway.db"]
    key = own_key(gateway.folder / "state")
    token = gateway.run("token", "--sub", "ana").stdout.strip()
    assert HmacKeys([key.encode()]).verify(token)["sub"] == "ana"
