"""Why nothing came from an address is told in words."""

import json
import ssl
from http.client import IncompleteRead
from urllib.error import HTTPError, URLError

import pytest

from gateway.reasons import reason_of


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (URLError(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (URLError(ssl.SSLCertVerificationError(1, "certificate verify failed")), "certificate verify failed"),
        (HTTPError("http://x/", 404, "Not Found", {}, None), "the answer was 404"),
        (TimeoutError("timed out"), "timed out"),
        (URLError("unknown url type"), "<urlopen error unknown url type>"),
        (OSError(), "OSError"),
        (IncompleteRead(b""), "IncompleteRead"),
        (json.JSONDecodeError("x", "", 0), "JSONDecodeError"),
    ],
)
def test_why_an_address_gives_nothing_is_in_the_systems_words(error, told):
    assert reason_of(error) == told
