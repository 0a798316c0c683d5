import os
import socket

import pytest

from gateway.files import NotRegular, open_file


def test_a_file_is_read_at_offsets_and_ends_short(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with open_file(tmp_path / "a") as source:
        assert source.size_bytes == 10
        assert (source.read_at(3, 4), source.read_at(8, 99), source.read_at(99, 1)) == (b"3456", b"89", b"")
        assert source.read_cached(3, 4) == b"3456"
        assert source.read_cached(8, 99) == b"89"


def test_pages_that_are_not_cached_are_not_waited_for(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"0123456789")
    with open_file(tmp_path / "a") as source:

        def preadv(fd, buffers, offset, flags):
            assert flags == os.RWF_NOWAIT
            return 2

        monkeypatch.setattr(os, "preadv", preadv)
        with pytest.raises(BlockingIOError):
            source.read_cached(0, 4)
        monkeypatch.delattr(os, "RWF_NOWAIT")
        with pytest.raises(BlockingIOError):
            source.read_cached(0, 4)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("pipe", "socket", "."):
            with pytest.raises(NotRegular):
                open_file(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "missing")


def test_a_descriptor_is_closed_once(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    with open_file(tmp_path / "a") as source:
        assert source.read_at(0, 1) == b"x"
    # The next file has its number by now.
    with open_file(tmp_path / "a") as other:
        source.close()
        assert other.read_at(0, 1) == b"x"
