import pytest


def test_a_user_is_disabled_enabled_and_listed_and_each_act_is_on_record(gateway):
    gateway.catalogue()
    assert gateway.json("users", "disable", "ana") == [{"name": "ana", "disabled": True}]
    assert gateway.json("users", "list") == [{"name": "ana", "disabled": True}]
    assert gateway.run("users", "enable", "ana").stdout == "enabled ana\n"
    assert gateway.json("users", "list") == [{"name": "ana", "disabled": False}]
    assert gateway.actions() == [("user.disabled", {"name": "ana"}), ("user.enabled", {"name": "ana"})]


def test_people_get_a_table(gateway):
    gateway.catalogue()
    assert gateway.run("users", "disable", "ana").stdout == "disabled ana\n"
    lines = gateway.run("users", "list").stdout.splitlines()
    assert [line.split() for line in lines] == [["name", "disabled"], ["ana", "yes"]]


def test_an_empty_name_is_wrong_usage(gateway):
    gateway.catalogue()
    gateway.run("users", "disable", "", exit_code=2)
    assert gateway.json("users", "list") == []


@pytest.mark.parametrize("command", ["disable", "enable"])
def test_a_name_that_is_no_text_is_told_and_exit_2(gateway, command):
    gateway.catalogue()
    result = gateway.run("users", command, "\udcff", exit_code=2)
    assert result.stderr.splitlines()[-1].startswith("Error: ")
