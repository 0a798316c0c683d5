"""What a limit promises, by the table of one machine and over nodes that share Valkey alike."""

import os
import subprocess
import sys
from functools import partial

import pytest

from gateway.errors import TooManyRequests
from gateway.rates import RateLimits
from tests.valkey import COUNTED_IN

CHILD = """
import sys
from pathlib import Path
from gateway.errors import TooManyRequests
from gateway.rates import RateLimits
from gateway.rates import table as table_module
# However seldom these processes get a processor, they get the lock and their answers in the end.
table_module.LOCK_TRIES = 1_000_000
if len(sys.argv) > 2:
    from gateway.rates import valkey
    valkey.ANSWER_SECONDS = valkey.PATIENCE_SECONDS = 60
limits, let_through = RateLimits({"mint": "1000/hour"}, Path(sys.argv[1]), valkey_url=(sys.argv + [None])[2]), 0
for _ in range(600):
    try:
        counted = limits.spend_shared("mint", "ana", "")
        counted.by_nodes.result(60) if counted.by_nodes else counted.here()
        let_through += 1
    except TooManyRequests:
        pass
limits.close()
print(let_through)
"""


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Here:
    """Limits in a folder, with a clock of their own."""

    def __init__(self, folder) -> None:
        self.folder, self.clock = folder, Clock()

    def open(self, limits):
        return RateLimits(limits, self.folder, self.clock)

    def child(self, number):
        return [self.folder]

    def let_pass(self, seconds):
        self.clock.now += seconds


class Shared(Here):
    """Limits of nodes, each with a folder of its own; of a server's time passes by cutting what its keys have left."""

    def __init__(self, folder, server) -> None:
        super().__init__(folder)
        self.server, self._nodes = server, 0

    def open(self, limits):
        folder = self.child(self._nodes)[0]
        self._nodes += 1
        return RateLimits(limits, folder, self.clock, self.server.url)

    def child(self, number):
        folder = self.folder / f"node {number}"
        folder.mkdir()
        return [folder, self.server.url]

    def let_pass(self, seconds):
        super().let_pass(seconds)
        with self.server.client() as client:
            for key in client.scan_iter():
                client.pexpire(key, client.pttl(key) - round(seconds * 1000))


@pytest.fixture(params=COUNTED_IN)
def place(request, tmp_path):
    return Here(tmp_path) if request.param == "table" else Shared(tmp_path, request.getfixturevalue("valkey"))


@pytest.fixture
def limits(place):
    limits = place.open({"mint": "3/minute", "free": "off"})
    yield limits
    limits.close()


def spend(limits, name, user=None, ip=""):
    limits.spend_shared(name, user, ip).wait()


def refused(spend_once) -> str:
    with pytest.raises(TooManyRequests) as raised:
        spend_once()
    assert raised.value.status == 429
    return raised.value.headers["Retry-After"]


def test_retry_after_is_exact(limits, place):
    ana = partial(spend, limits, "mint", "ana")
    for seconds in (10.5, 9.5, 0.25):
        ana()
        place.let_pass(seconds)
    assert refused(ana) == "40"
    place.let_pass(19.5)
    assert refused(ana) == "21"
    place.let_pass(20.5)
    ana()


def test_what_is_off_or_unknown_has_no_limit(limits):
    for _ in range(100):
        spend(limits, "free", "ana")
        spend(limits, "other", "ana")


def test_users_and_addresses_are_counted_each_for_themselves(limits):
    for user, ip in (("ana", "1.1.1.1"), ("b\ud800", "1.1.1.1"), (None, "1.1.1.1"), (None, "2001:db8::1")):
        for _ in range(3):
            spend(limits, "mint", user, ip)
    refused(partial(spend, limits, "mint", "ana", "9.9.9.9"))
    refused(partial(spend, limits, "mint", None, "2001:db8::ffff:1"))
    spend(limits, "mint", None, "2001:db8:0:1::1")


def test_a_window_of_the_callers_counts_what_all_have_done(limits, place):
    other = place.open({})
    assert [one.count("refusal", "1.1.1.1", 7, 180) for one in (limits, other, limits)] == [1, 2, 3]
    assert limits.count("refusal", "1.1.1.1", 8, 180) == limits.count("refusal", "1.1.1.2", 7, 180) == 1
    assert other.counted("refusal", "1.1.1.1", 7) == 3
    place.let_pass(180)
    assert limits.counted("refusal", "1.1.1.1", 7) == 0
    other.close()


def test_four_processes_let_through_as_many_as_the_limit_says(place):
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, *place.child(number)], env=environment, stdout=subprocess.PIPE)
        for number in range(4)
    ]
    told = [int(child.communicate(timeout=120)[0]) for child in children]
    assert sum(told) == 1000
    assert all(child.returncode == 0 for child in children)
