import json

import pytest

from gateway.records import open_records, sqlite_url


def test_tables_are_made_and_brought_up_to_date(gateway):
    assert "up to date" in gateway.run("migrate").stdout
    assert "0 datasets" in gateway.run("datasets", "list").stderr
    gateway.run("migrate")


def test_a_copy_holds_what_the_commands_tell_of(gateway, monkeypatch):
    known = gateway.dataset(visibility="public")
    gateway.run("grants", "add", known, "--user", "ben")
    gateway.run("users", "disable", "eve")
    before = [
        gateway.json(*command) for command in (("datasets", "list"), ("grants", "list", known), ("users", "list"))
    ]
    told = gateway.run("migrate", "--to", f"sqlite:///{gateway.folder}/copy.db").stdout
    assert "1 datasets, the same in both" in told
    assert "1 grants, the same in both" in told
    monkeypatch.setenv("GATEWAY_DATABASE_URL", sqlite_url(gateway.folder / "copy.db"))
    after = [
        gateway.json(*command) for command in (("datasets", "list"), ("grants", "list", known), ("users", "list"))
    ]
    assert after == before
    assert [action for action, _ in gateway.actions()][-1] == "catalogue.copied"


@pytest.mark.parametrize("url", ["mysql://u:hidden@h/n", "copy.db", ""])
def test_what_is_no_url_is_refused_and_not_repeated(gateway, url):
    gateway.catalogue()
    result = gateway.run("migrate", "--to", url, exit_code=2)
    assert "hidden" not in result.stderr
    assert "postgresql://" in result.stderr


@pytest.mark.parametrize("password", ["se@hidden", "se/hidden"])
def test_a_password_that_would_be_taken_for_a_host_is_refused_and_not_repeated(gateway, password):
    gateway.catalogue()
    result = gateway.run("migrate", "--to", f"postgresql://u:{password}@db.invalid/n", exit_code=2)
    assert "hidden" not in result.stderr
    assert "as %" in result.stderr


def test_the_same_database_is_no_target(gateway):
    gateway.catalogue()
    result = gateway.run("migrate", "--to", sqlite_url(gateway.folder / "state" / "gateway.db"), exit_code=2)
    assert "from which it would be copied" in result.stderr
    (gateway.folder / "alias.db").symlink_to(gateway.folder / "state" / "gateway.db")
    result = gateway.run("migrate", "--to", sqlite_url(gateway.folder / "alias.db"), exit_code=2)
    assert "from which it would be copied" in result.stderr


def test_without_a_catalogue_nothing_is_made(gateway):
    gateway.run("migrate", "--to", f"sqlite:///{gateway.folder}/copy.db", exit_code=2)
    assert not (gateway.folder / "copy.db").exists()


def test_a_target_that_is_in_use_is_left_alone(gateway):
    gateway.dataset()
    other = gateway.folder / "other.db"
    open_records(other).close()
    gateway.run("migrate", "--to", sqlite_url(other))
    (known,) = gateway.json("datasets", "list")
    gateway.run("datasets", "remove", known["id"], "--yes")
    result = gateway.run("migrate", "--to", sqlite_url(other), exit_code=2)
    assert "other records" in result.stderr
    assert json.dumps(known["id"]).strip('"') in result.stderr
