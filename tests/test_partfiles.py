"""Parts as files: made by one at a time, kept for a day within a limit, and nothing left of those that died."""

import os
import time
from dataclasses import replace

import pytest

from gateway.cog.parts import Part, WrittenPart
from gateway.errors import Unavailable
from gateway.partfiles import KEPT_SECONDS, PartFiles, key_of, needed_bytes

PART = Part(0, 1, 2, 3, (1,))
DIGEST = "ab" * 32


def made(files, key, body=b"part"):
    making = files.begin(key, 0)
    (making.folder / "part.tif").write_bytes(body)
    kept = making.finish(WrittenPart(len(body), DIGEST))
    making.close()
    return kept


@pytest.fixture
def files(tmp_path):
    return PartFiles(tmp_path / "parts", 64 << 20)


def test_a_key_tells_parts_versions_and_shapes_apart():
    others = [
        key_of("a", "1", PART), key_of("a", "2", PART), key_of("b", "1", PART), key_of("a", "1", replace(PART, row=2)),
        key_of("a", "1", replace(PART, edges="a")),
    ]  # fmt: skip
    assert len(set(others)) == len(others)
    assert key_of("a", "1", replace(PART)) == others[0]


def test_a_part_is_made_by_one_and_found_by_all(files):
    assert files.find("a") is None
    making = files.begin("a", 0)
    assert files.begin("a", 0) is None
    making.close()
    kept = made(files, "a")
    assert files.find("a") == kept
    with files.open(kept) as opened:
        assert opened.read_at(0, 10) == b"part"
    assert files.open(replace(kept, sha256="other")) is None
    # Who was slower gets what the other one has made.
    assert made(files, "a", b"other").size_bytes == 4
    assert [path.name for path in files.folder.iterdir()] == ["a"]


@pytest.mark.parametrize("digest", ["../../part", "x" * 64])
def test_a_name_that_is_no_digest_is_not_taken_over(files, digest):
    making = files.begin("a", 0)
    (making.folder / "part.tif").write_bytes(b"part")
    with pytest.raises(Unavailable):
        making.finish(WrittenPart(4, digest))
    making.close()
    assert list(files.folder.iterdir()) == []


def test_the_longest_unused_parts_make_room_and_what_is_being_made_counts(tmp_path):
    files = PartFiles(tmp_path / "parts", 2 * needed_bytes(0))
    for number, key in enumerate("abc"):
        made(files, key, bytes(2 << 20))
        os.utime(files.folder / key, (time.time() - 60 + number,) * 2)
    files.find("a")
    making = files.begin("d", 0)
    assert [files.find(key) is not None for key in "abc"] == [True, False, True]
    with pytest.raises(Unavailable, match="no room"):
        files.begin("e", 1 << 20)
    making.close()
    files.begin("e", 1 << 20).close()


def test_what_died_and_what_has_had_its_day_is_swept(files):
    making = files.begin("a", 0)
    made(files, "b")
    files.sweep()
    assert making.folder.exists()
    # As the kernel does for a process that has ended.
    os.close(making._lock)
    os.utime(files.folder / "b", (time.time() - KEPT_SECONDS - 60,) * 2)
    files.sweep()
    assert list(files.folder.iterdir()) == []
    PartFiles(files.folder / "none", 1).sweep()
