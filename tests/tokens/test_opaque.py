"""Random tokens, and tokens that came about through one on record."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import BadCredential
from gateway.model import Principal, TokenKind
from gateway.principal import StoredKind, StoredToken, Target
from gateway.tokens import (
    hash_of,
    is_opaque,
    kind_of,
    mint_of_link,
    mint_scoped,
    new_secret,
    verify_bearer,
    verify_of_link,
    verify_scoped,
    within,
)
from tests.tokens.forge import DATASET, KEYS, NOW, POLICY, SCOPED, scoped, token_of

BEGAN = datetime.fromtimestamp(NOW, UTC)
OWN = StoredToken(
    "an-id", StoredKind.OWN, "00", "ana", frozenset({"survey"}), "QGIS", True, Target(), BEGAN, BEGAN + timedelta(days=1)
)  # fmt: skip
LINK = replace(OWN, kind=StoredKind.LINK)


def test_secrets_are_random_of_one_form_and_known_by_their_hash():
    for kind, prefix in ((StoredKind.OWN, "cgw_"), (StoredKind.LINK, "cgl_")):
        one, other = new_secret(kind), new_secret(kind)
        assert one != other
        assert (one[:4], len(one), kind_of(one), is_opaque(one)) == (prefix, 47, kind, True)
        assert (len(hash_of(one)), hash_of(one) == hash_of(other)) == (64, False)
        for wrong in (one[:-1], one + "A", one[:-1] + "=", one + "\n", one.upper(), f" {one}", one[:-1] + "é"):
            assert kind_of(wrong) is None


@pytest.mark.parametrize(("stored", "sub"), [(OWN, "ana"), (LINK, None)])
def test_what_comes_about_through_one_names_it_and_ends_with_it(stored, sub):
    holder = Principal("ana", frozenset({"survey"}), stored=replace(stored, expires_at=BEGAN + timedelta(seconds=50)))
    token, _ = mint_scoped(KEYS, TokenKind.DOWNLOAD, DATASET, holder, 120, NOW)
    claims = KEYS.verify(token)
    assert (claims.get("sub"), claims["via"], claims["exp"] - claims["iat"]) == (sub, "an-id", 50)
    found = verify_scoped(token, KEYS, POLICY, NOW, {"an-id": stored}.__getitem__)
    assert (found.user, found.stored, found.person) == ("ana", stored, sub)
    with pytest.raises(BadCredential):
        verify_scoped(token, KEYS, POLICY, NOW)
    with pytest.raises(BadCredential):
        scoped(SCOPED, via=7)
    assert within(Principal("ana"), 120, NOW) == 120


def test_a_link_is_exchanged_for_what_is_no_other_token():
    token, token_id = mint_of_link(KEYS, LINK, 3600, NOW)
    found = verify_of_link(token, KEYS, POLICY, NOW, {"an-id": LINK}.__getitem__)
    assert (found.user, found.person, found.token_id, found.kind, found.shows_link) == (
        "ana",
        None,
        token_id,
        None,
        False,
    )
    inner = token.removeprefix("cgs_")
    for verify in (verify_bearer, verify_scoped):
        with pytest.raises(BadCredential):
            verify(inner, KEYS, POLICY, NOW)
    with pytest.raises(BadCredential):
        verify_of_link(token, KEYS, POLICY, NOW + 3601, {"an-id": LINK}.__getitem__)
    claims = KEYS.verify(inner)
    # A link's typ on what somebody signed for a user.
    with pytest.raises(BadCredential):
        verify_bearer(token_of({**claims, "sub": "ana"}), KEYS, POLICY, NOW)
    for wrong in ({"typ": "download"}, {"exp": NOW + 9000}, {"via": None}, {"jti": ""}):
        with pytest.raises(BadCredential):
            verify_of_link(token_of({**claims, **wrong}), KEYS, POLICY, NOW, {"an-id": LINK}.__getitem__)


def test_a_target_holds_what_is_part_of_it_and_says_its_name():
    held = {"all": True, "dataset:d": True, "dataset:e": False, "collection:c": True, "collection:x": False}
    targets = (Target(), Target("d"), Target("e"), Target(collection="c"), Target(collection="x"))
    assert {str(target): target.holds("d", "c") for target in targets} == held
