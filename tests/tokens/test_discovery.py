"""Where people sign in: which configurations of an issuer can be used, and when it is asked."""

import pytest

from gateway.tokens import IssuerEndpoints, without_query
from gateway.tokens.discovery import STALE_SECONDS, endpoints_of
from tests.patience import until

SAID = {
    "issuer": "https://login.example",
    "authorization_endpoint": "https://login.example/a?tenant=1",
    "token_endpoint": "https://login.example/t",
}


def test_an_issuer_names_its_endpoints():
    told = {
        "authorization_response_iss_parameter_supported": True,
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "end_session_endpoint": "https://login.example/out",
        "revocation_endpoint": "https://elsewhere.example:8443/revoke",
    }
    found = endpoints_of(SAID | told)
    assert (found.issuer, found.authorization, found.token) == tuple(SAID.values())
    assert (found.names_itself, found.algorithms) == (True, ("ES256",))
    assert (found.end_session, found.revocation) == (told["end_session_endpoint"], told["revocation_endpoint"])
    assert without_query(found.authorization) == "https://login.example/a"
    plain = endpoints_of(SAID)
    assert (plain.names_itself, plain.algorithms, plain.end_session, plain.revocation) == (
        False,
        ("RS256",),
        None,
        None,
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"code_challenge_methods_supported": "S256"}, "PKCE"),
        ({"token_endpoint": None}, "no endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no endpoint"),
        ({"token_endpoint": "http://login.example/t"}, "no endpoint"),
        # It would be another directive of the page's policy, or another source of one.
        ({"token_endpoint": "https://login.example/t; script-src *"}, "no endpoint"),
        ({"token_endpoint": "https://login.example/t,https://other.example"}, "no endpoint"),
        ({"token_endpoint": "https://*.example/t"}, "no endpoint"),
    ],
)
def test_an_issuer_at_which_nobody_can_sign_in_safely_is_an_error(said, told):
    with pytest.raises(ValueError, match=told):
        endpoints_of(SAID | said)


def test_an_issuer_in_the_clear_may_have_endpoints_in_the_clear():
    clear = {"issuer": "http://127.0.0.1:9", "token_endpoint": "http://127.0.0.1:9/t"}
    assert endpoints_of(SAID | clear).token == clear["token_endpoint"]


def test_it_is_asked_once_and_again_after_an_hour_while_what_was_said_is_used():
    asked, now = [], [1000.0]

    def fetch():
        asked.append(now[0])
        if len(asked) == 1:
            raise OSError
        return SAID

    endpoints = IssuerEndpoints(fetch, lambda: now[0])
    try:
        endpoints.pending().result(120)
        # It was away, and is not asked at once.
        assert (endpoints.known, endpoints.pending(), endpoints.retry_seconds) == (None, None, 31)
        now[0] += 30
        endpoints.pending().result(120)
        assert endpoints.known.token == SAID["token_endpoint"]
        assert endpoints.pending() is None
        now[0] += STALE_SECONDS
        assert endpoints.pending() is None
        assert endpoints.known.token == SAID["token_endpoint"]
        until(lambda: len(asked) == 3)
    finally:
        endpoints.close()
