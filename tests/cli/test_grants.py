import pytest

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_a_grant_is_added_listed_and_removed_and_each_act_is_on_record(gateway):
    dataset_id = gateway.dataset()
    grant = {"dataset_id": dataset_id, "user": "ben", "role": None, "level": "download"}
    assert gateway.json("grants", "add", dataset_id, "--user", "ben") == [grant]
    assert gateway.json("grants", "list", dataset_id) == [grant]
    assert gateway.json("grants", "remove", dataset_id, "--user", "ben") == [grant]
    assert gateway.json("grants", "list", dataset_id) == []
    assert [action for action, _ in gateway.actions()] == ["dataset.ingested", "grant.added", "grant.removed"]


def test_a_second_grant_replaces_the_level(gateway):
    dataset_id = gateway.dataset()
    gateway.run("grants", "add", dataset_id, "--role", "maps")
    gateway.run("grants", "add", dataset_id, "--role", "maps", "--level", "view")
    assert [(g["role"], g["level"]) for g in gateway.json("grants", "list", dataset_id)] == [("maps", "view")]


def test_people_get_sentences_and_a_table(gateway):
    dataset_id = gateway.dataset()
    added = gateway.run("grants", "add", dataset_id, "--user", "ben").stdout
    assert added == f"granted download on {dataset_id}: user ben\n"
    assert "ben" in gateway.run("grants", "list", dataset_id).stdout
    removed = gateway.run("grants", "remove", dataset_id, "--user", "ben").stdout
    assert removed == f"removed download on {dataset_id}: user ben\n"


@pytest.mark.parametrize("who", [(), ("--user", "a", "--role", "b"), ("--user", "")])
@pytest.mark.parametrize("command", ["add", "remove"])
def test_exactly_one_of_user_and_role_is_needed(gateway, command, who):
    gateway.run("grants", command, UNKNOWN, *who, exit_code=2)


@pytest.mark.parametrize("command", [("add", "--user", "a"), ("remove", "--user", "a"), ("list",)])
def test_an_unknown_dataset_exits_with_1(gateway, command):
    gateway.catalogue()
    gateway.run("grants", command[0], UNKNOWN, *command[1:], exit_code=1)


def test_removing_a_grant_that_is_not_there_exits_with_1(gateway):
    dataset_id = gateway.dataset()
    gateway.run("grants", "add", dataset_id, "--role", "ben")
    result = gateway.run("grants", "remove", dataset_id, "--user", "ben", exit_code=1)
    assert result.stderr == f"Error: there is no such grant on {dataset_id}\n"


@pytest.mark.parametrize("name", ["a\nb", "\u200b", "x" * 256, ""])
@pytest.mark.parametrize(
    "command",
    [
        ("grants", "add", UNKNOWN, "--user"), ("grants", "add", UNKNOWN, "--role"), ("users", "disable"),
        ("datasets", "update", UNKNOWN, "--owner"), ("ingest", "data", "--owner"), ("token", "--sub"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_name_that_no_token_can_bear_is_refused_everywhere(gateway, command, name):
    if (command[0], name) == ("datasets", ""):
        # It takes the owner away.
        return
    gateway.catalogue()
    result = gateway.run(*command, name, exit_code=2)
    assert "1 to 255 printable characters" in result.stderr


def test_a_name_of_an_older_release_can_still_be_taken_away(gateway):
    gateway.catalogue()
    assert gateway.run("users", "enable", "a\nb").stdout == "enabled a\\nb\n"
    dataset_id = gateway.dataset()
    assert "no such grant" in gateway.run("grants", "remove", dataset_id, "--user", "a\nb", exit_code=1).stderr
