"""Modules that are hidden while another one is imported."""

import sys

import pytest

from gateway.imports import hidden


def test_a_hidden_module_is_missing_in_the_block_and_the_same_one_afterwards(tmp_path, monkeypatch):
    (tmp_path / "of_no_room.py").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = sys.modules["json"]
    with hidden("json", "of_no_room"):
        for name in ("json", "of_no_room"):
            with pytest.raises(ModuleNotFoundError):
                __import__(name)
    assert __import__("json") is before
    assert __import__("of_no_room") is sys.modules.pop("of_no_room")


def test_what_raises_in_the_block_leaves_nothing_hidden():
    with pytest.raises(ZeroDivisionError), hidden("json"):
        1 / 0  # noqa: B018 - it is to raise
    assert sys.modules["json"].loads("1") == 1
