import pytest

from gateway.handlers.proxies import Proxies


@pytest.mark.parametrize(
    ("networks", "peer", "forwarded", "client"),
    [
        ((), "10.0.0.1", "1.2.3.4", "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", "1.2.3.4", "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (("10.0.0.0/8",), "10.0.0.1", "junk", "10.0.0.1"),
        (("10.0.0.0/8",), "10.0.0.1", "", "10.0.0.1"),
        (("10.0.0.0/8",), "11.0.0.1", "1.2.3.4", "11.0.0.1"),
        (("::1",), "::1", "2001:db8::1", "2001:db8::1"),
        (("10.0.0.0/8",), "a unix socket", "1.2.3.4", "a unix socket"),
    ],
)
def test_the_client_is_the_nearest_address_that_no_proxy_of_ours_has(networks, peer, forwarded, client):
    assert Proxies(networks).client_ip(peer, {"X-Forwarded-For": forwarded}) == client


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "http://inner:80"),
        ({"X-Forwarded-Proto": "https"}, "https://inner:80"),
        ({"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "a b"}, "http://inner:80"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "maps.example:8443"}, "https://maps.example:8443"),
        ({"X-Forwarded-Host": "evil/path"}, "http://inner:80"),
    ],
)
def test_the_origin_is_what_a_trusted_proxy_says_if_it_looks_like_one(headers, origin):
    assert Proxies(("10.0.0.1",)).origin("10.0.0.1", headers, "http", "inner:80") == origin


def test_an_untrusted_peer_cannot_change_the_origin():
    assert Proxies(()).origin("10.0.0.1", {"X-Forwarded-Host": "evil.example"}, "http", "a") == "http://a"
