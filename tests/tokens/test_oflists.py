"""The token in every address of a list of files."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import BadCredential
from gateway.model import Principal
from gateway.tokens.oflists import LIST_SECONDS, mint_of_list, verify_of_list
from tests.tokens.forge import KEYS, NOW, token_of
from tests.tokens.test_opaque import BEGAN, OWN

LIST = replace(OWN, id="a-list", expires_at=BEGAN + timedelta(seconds=LIST_SECONDS))
ON_RECORD = {"a-list": LIST}.__getitem__


def test_it_is_the_same_each_time_and_stands_for_whoever_made_the_list():
    token = mint_of_list(KEYS, LIST)
    assert token == mint_of_list(KEYS, LIST)
    expires = int(LIST.expires_at.timestamp())
    assert verify_of_list(token, KEYS, NOW, ON_RECORD) == Principal(
        "ana", frozenset({"survey"}), token_id="a-list", expires=expires, stored=LIST
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"typ": "download"}, "kind of token"),
        ({"exp": int(NOW) + LIST_SECONDS + 1}, "too long"),
        ({"jti": 7}, "no valid jti"),
    ],
)
def test_any_other_token_is_refused(changes, told):
    claims = {"typ": "list", "jti": "a-list", "iat": int(NOW), "exp": int(NOW) + 60}
    assert verify_of_list(f"cgd_{token_of(claims)}", KEYS, NOW, ON_RECORD).user == "ana"
    with pytest.raises(BadCredential, match=told):
        verify_of_list(f"cgd_{token_of({**claims, **changes})}", KEYS, NOW, ON_RECORD)
