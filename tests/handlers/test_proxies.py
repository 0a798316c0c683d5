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
        ({"X-Forwarded-Proto": "HTTPS", "X-Forwarded-Port": "443"}, "https://inner"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-Port": "8443"}, "https://inner:8443"),
        ({"X-Forwarded-Host": "maps.example", "X-Forwarded-Port": "8080"}, "http://maps.example:8080"),
        ({"X-Forwarded-Host": "maps.example", "X-Forwarded-Port": "80"}, "http://maps.example"),
        ({"X-Forwarded-Host": "maps.example:81", "X-Forwarded-Port": "8080"}, "http://maps.example:81"),
        ({"X-Forwarded-Host": "[2001:db8::1]", "X-Forwarded-Port": "81"}, "http://[2001:db8::1]:81"),
        ({"X-Forwarded-Port": "0"}, "http://inner:80"),
        ({"X-Forwarded-Port": "70000"}, "http://inner:80"),
        ({"X-Forwarded-Port": "8o"}, "http://inner:80"),
        ({"X-Forwarded-Prefix": "/gw"}, "http://inner:80/gw"),
        ({"X-Forwarded-Prefix": "/a/b-c/"}, "http://inner:80/a/b-c"),
        ({"X-Forwarded-Prefix": "/"}, "http://inner:80"),
        ({"X-Forwarded-Prefix": "//evil.example"}, "http://inner:80"),
        ({"X-Forwarded-Prefix": "gw"}, "http://inner:80"),
        ({"X-Forwarded-Prefix": "/gw?x"}, "http://inner:80"),
    ],
)
def test_the_base_is_what_a_trusted_proxy_says_if_it_looks_like_one(headers, origin):
    assert Proxies(("10.0.0.1",)).base("10.0.0.1", headers, "http", "inner:80") == origin


@pytest.mark.parametrize(
    ("seen", "proto", "host", "base"),
    [
        # One proxy: its own word is the last one, whatever a client has put before it.
        ("1.2.3.4", "http, https", "evil.example, maps.example", "https://maps.example"),
        # Two of ours: the outer one is the one that saw the client.
        ("1.2.3.4, 10.0.0.2", "https, http", "maps.example, inner.example", "https://maps.example"),
        (
            "6.6.6.6, 1.2.3.4, 10.0.0.2",
            "gopher, https, http",
            "evil.example, maps.example, b",
            "https://maps.example",
        ),
        # The inner one said nothing, or only one of them speaks.
        ("1.2.3.4, 10.0.0.2", "https", "maps.example", "https://maps.example"),
        ("1.2.3.4, 10.0.0.3, 10.0.0.2", "https, http", "maps.example, b", "https://maps.example"),
        # All addresses are ours.
        ("10.0.0.4, 10.0.0.2", "https, http", "maps.example, b", "https://maps.example"),
        ("junk", "http, https", "evil.example, maps.example", "https://maps.example"),
    ],
)
def test_of_a_list_the_word_of_the_outermost_trusted_proxy_counts(seen, proto, host, base):
    headers = {"X-Forwarded-For": seen, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host}
    assert Proxies(("10.0.0.0/8",)).base("10.0.0.1", headers, "http", "inner:80") == base


def test_an_untrusted_peer_cannot_change_the_base():
    headers = {
        "X-Forwarded-For": "10.0.0.2", "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/x",
        "X-Forwarded-Port": "1",
    }  # fmt: skip
    for trusted in ((), ("10.0.0.2",)):
        assert Proxies(trusted).base("10.0.0.1", headers, "http", "a") == "http://a"
