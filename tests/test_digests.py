import pytest

from gateway.digests import Digests


@pytest.mark.parametrize("size_bytes", [8, 16])
def test_each_text_is_new_once(size_bytes):
    seen, names = Digests(size_bytes), [f"name {number}" for number in range(3000)] + ["", "\udc80", "ä"]
    assert all(seen.add(name) for name in names)
    assert not any(seen.add(name) for name in names)
    assert len(seen) == len(names)
    assert all(name in seen for name in names)
    assert "another" not in seen


def test_a_digest_is_found_only_where_one_begins(monkeypatch):
    """Two digests side by side hold, across their border, bytes that are a third one's."""
    digests = {"a": b"..abcdef", "b": b"..ghijkl", "across": b"..defghi"}
    seen = Digests(8)
    monkeypatch.setattr(seen, "_split", lambda text: (digests[text][:2], digests[text][2:]))
    assert [seen.add("a"), seen.add("b")] == [True, True]
    assert "across" not in seen
    assert seen.add("across")
    assert "across" in seen
