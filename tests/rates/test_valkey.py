"""Valkey that is away, hung, empty again or refuses: nobody waits for it, and each machine counts for itself."""

import contextlib
import socket
import ssl
import sys
import threading
import time

import pytest

from gateway.errors import SettingsError, TooManyRequests
from gateway.rates import RateLimits
from tests.certificates import write_certificate
from tests.valkey import COUNTED_IN, PASSWORD

pytestmark = pytest.mark.skipif("valkey" not in COUNTED_IN, reason="there is no Valkey here")
ALONE, AGAIN = "by this machine alone", "by all nodes together again"


@pytest.fixture
def rest(monkeypatch):
    """No pause between two questions: each look asks."""
    monkeypatch.setattr("gateway.rates.valkey.REST_SECONDS", 0.0)


@pytest.fixture
def hasty(valkey, monkeypatch):
    """Who hangs is waited for about as long as in a server."""
    monkeypatch.setattr("gateway.rates.valkey.ANSWER_SECONDS", 0.2)


@pytest.fixture
def nodes(valkey, tmp_path):
    """Two nodes that share a limit of three a minute."""
    folders = [tmp_path / name for name in ("one", "other")]
    with contextlib.ExitStack() as stack:
        opened = []
        for folder in folders:
            folder.mkdir()
            opened.append(stack.enter_context(contextlib.closing(shared(folder, valkey.url))))
        yield opened


def shared(folder, url):
    return RateLimits({"mint": "3/minute"}, folder, valkey_url=url)


def allowed(limits, tries=10) -> int:
    """Return how many of some tries a node lets through."""
    through = 0
    for _ in range(tries):
        with contextlib.suppress(TooManyRequests):
            limits.spend_shared("mint", "ana", "").wait()
            through += 1
    return through


def served_again(limits) -> None:
    """Return when a node counts with the others; to be asked again and again, as the worker does."""
    end = time.monotonic() + 20
    while limits.counts_alone():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nodes_allow_together_what_the_limit_says(nodes):
    one, other = nodes
    assert (allowed(one, 2), allowed(other), allowed(one)) == (2, 1, 0)
    assert one.counts_alone() is other.counts_alone() is False


@pytest.mark.parametrize("fault", ["away", "hung"])
def test_without_valkey_each_machine_counts_on_for_itself_and_says_so_once(valkey, hasty, nodes, rest, caplog, fault):
    one, other = nodes
    assert allowed(one, 2) == 2
    with getattr(valkey, fault)():
        # What it has spent before counts.
        assert (allowed(one), allowed(other)) == (1, 3)
        assert one.counts_alone()
        began = time.monotonic()
        assert allowed(one, 500) == 0
        assert time.monotonic() - began < 500 * 0.01
    served_again(one)
    served_again(other)
    with valkey.client() as client:
        client.flushall()
    assert (allowed(one, 2), allowed(other)) == (2, 1)
    assert [ALONE in text for text in caplog.messages] == [True, True, False, False]
    assert [AGAIN in text for text in caplog.messages] == [False, False, True, True]
    assert PASSWORD not in caplog.text


def break_type(client):
    (key,) = client.keys("*LIMITER*")
    client.delete(key)
    client.lpush(key, "something else")
    return lambda: client.delete(key)


def break_memory(client):
    client.config_set("maxmemory", 1)
    return lambda: client.config_set("maxmemory", 0)


@pytest.mark.parametrize(("fault", "told"), [(break_type, "WRONGTYPE"), (break_memory, "maxmemory")])
def test_an_error_of_valkey_is_as_good_as_none_and_said_once(nodes, valkey, rest, caplog, fault, told):
    one, _ = nodes
    assert allowed(one, 1) == 1
    with valkey.client() as client:
        mend = fault(client)
        assert allowed(one) == 2
        for _ in range(5):
            one.counts_alone()
            assert one.try_valkey().result(20) is False
        (text,) = caplog.messages
        assert told in text
        mend()
        served_again(one)
        client.flushall()
        assert allowed(one) == 3


def test_a_count_that_is_no_number_is_as_good_as_an_error(nodes, valkey, rest, caplog):
    one, _ = nodes
    assert one.count("failure", "203.0.113.7", 1, 60) == 1
    with valkey.client() as client:
        (key,) = client.keys("*window/failure*")
        client.set(key, "something else")
    assert one.counted("failure", "203.0.113.7", 1) == 1
    assert one.counts_alone()
    (text,) = caplog.messages
    assert ALONE in text


def test_scripts_that_valkey_has_forgotten_are_given_to_it_again(nodes, valkey, caplog):
    one, _ = nodes
    with valkey.client() as client:
        assert allowed(one, 1) == 1
        client.script_flush()
        assert allowed(one) == 2
    assert caplog.messages == []


def test_a_question_that_is_held_up_before_the_network_keeps_nobody_waiting(nodes, monkeypatch):
    one, _ = nodes
    monkeypatch.setattr("gateway.rates.counted.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("gateway.rates.valkey.PATIENCE_SECONDS", 0.1)
    held, storage = threading.Event(), one._valkey._storage
    incr = storage.incr
    monkeypatch.setattr(storage, "incr", lambda *args, **kwargs: held.wait(20) and incr(*args, **kwargs))
    assert allowed(one, 1) == 1
    assert one.counts_alone()
    assert one.spend_shared("mint", "ana", "").by_nodes is None
    held.set()
    served_again(one)


def test_neither_users_nor_addresses_are_told_to_valkey(nodes, valkey):
    one, _ = nodes
    one.spend_shared("mint", "a-name", "").wait()
    one.spend_shared("mint", None, "192.0.2.77").wait()
    one.count("refusal", "192.0.2.77", 1, 60)
    with valkey.client() as client:
        keys = b" ".join(client.keys())
        assert all(0 < client.pttl(key) <= 60_000 for key in keys.split())
    assert keys.count(b"cog-gateway:") >= 3
    assert b"a-name" not in keys
    assert b"192.0.2.77" not in keys


def test_a_socket_serves_as_well(valkey, tmp_path):
    with contextlib.closing(shared(tmp_path, valkey.socket_url)) as limits:
        assert (allowed(limits), limits.counts_alone()) == (3, False)


@contextlib.contextmanager
def behind_tls(port, folder):
    """Yield the port of a listener that takes the TLS off one connection after the other."""
    certificate, key = write_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)

    def serve():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as server:
            client = context.wrap_socket(listening.accept()[0], server_side=True)
            with client:
                back = threading.Thread(target=pump, args=(server, client))
                back.start()
                pump(client, server)
                server.shutdown(socket.SHUT_RDWR)
                back.join()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], certificate
        thread.join()


def test_tls_is_spoken_and_the_server_verified(valkey, tmp_path):
    with behind_tls(valkey.port, tmp_path) as (port, certificate):
        url = f"valkeys://:{PASSWORD}@localhost:{port}/0?ssl_ca_certs={certificate}"
        with contextlib.closing(shared(tmp_path, url)) as limits:
            assert [limits.spend_shared("mint", "ana", "").by_nodes.result(20) for _ in range(3)] == [None] * 3
            assert limits.counts_alone() is False


@pytest.mark.parametrize("query", ["frobnicate=1", "db=word", "ssl_cert_reqs=none"])
def test_a_url_that_asks_for_what_is_not_there_is_refused_without_its_password(tmp_path, query):
    with pytest.raises(SettingsError, match="VALKEY_URL") as refused:
        shared(tmp_path, f"valkey://:{PASSWORD}@127.0.0.1:1/0?{query}")
    assert PASSWORD not in str(refused.value)
    assert PASSWORD not in repr(refused.value.__context__)


def test_without_its_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "gateway.rates.valkey")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SettingsError, match=r"cog-gateway\[valkey\]"):
        shared(tmp_path, "valkey://127.0.0.1")
