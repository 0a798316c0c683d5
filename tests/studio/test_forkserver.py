"""What painters are forked from goes on whatever becomes of them, and in whatever order it hears of that."""

import os
import signal
import socket

import pytest

from gateway.studio import forks
from gateway.studio.forkserver import ForkServer


@pytest.fixture
def asked():
    """Return a server whose painters end at once, and the way to ask it."""
    before = signal.getsignal(signal.SIGCHLD)
    asking, requests = forks.asking_pair()
    with asking, requests:
        yield ForkServer(requests, lambda _: None), asking
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)


def test_a_painter_that_is_not_wanted_any_more_may_have_ended_just_before(asked):
    server, asking = asked
    ours, theirs = socket.socketpair()
    tasks, far_end = socket.socketpair()
    with ours, theirs, tasks, far_end:
        socket.send_fds(asking, [forks.REQUEST], [tasks.fileno(), theirs.fileno()])
        server._take()
        theirs.close()
        ours.settimeout(60)
        # Else the request, which is taken, would be found first.
        server._selector.select(0)
        pid = forks.TOLD.unpack(ours.recv(forks.TOLD.size))[0]
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # Both are found in one look: first the end, then that nobody wants it.
        ours.shutdown(socket.SHUT_WR)
        asking.close()
        server.run()
        assert forks.TOLD.unpack(ours.recv(forks.TOLD.size)) == (0,)


def test_a_request_whose_descriptors_did_not_all_arrive_is_let_go(asked):
    server, asking = asked
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            socket.send_fds(asking, [forks.REQUEST], [theirs.fileno()])
        assert server._take()
        # Nobody else has it open.
        assert ours.recv(1) == b""
