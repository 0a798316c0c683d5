"""Tokens: what is minted verifies, and everything else is a bad credential."""

import json
from contextlib import suppress

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.catalogue.layers import LayerKind, LayerName
from gateway.errors import BadCredential, BadParameter
from gateway.ids import dataset_uuid
from gateway.model import Principal, TokenKind
from gateway.tokens import (
    TokenPolicy,
    mint_bearer,
    mint_scoped,
    verify_bearer,
    verify_scoped,
)
from gateway.tokens.claims import _tell_of_roles
from tests.tokens.forge import (
    BEARER,
    DATASET,
    KEY,
    KEYS,
    NOW,
    POLICY,
    SCOPED,
    bearer,
    raw_token,
    scoped,
    token_of,
    without,
)

# What is minted verifies


def test_a_bearer_token_names_its_user_and_roles():
    principal = verify_bearer(mint_bearer(KEYS, "ada", ["editor", "admin"], 60, NOW), KEYS, POLICY, NOW)
    assert (principal.user, principal.roles) == ("ada", {"editor", "admin"})
    assert (principal.kind, principal.dataset_id) == (None, None)
    assert principal.token_id


def test_a_bearer_token_without_roles_has_no_roles_claim():
    token = mint_bearer(KEYS, "ada", [], 60, NOW)
    assert KEYS.verify(token).keys() == {"sub", "iat", "exp", "jti"}
    assert verify_bearer(token, KEYS, POLICY, NOW).roles == frozenset()


def test_the_roles_of_a_bearer_token_stand_in_the_claim_of_the_policy():
    token = mint_bearer(KEYS, "ada", ["admin"], 60, NOW, "groups")
    assert verify_bearer(token, KEYS, TokenPolicy(roles_claim="groups"), NOW).roles == {"admin"}
    assert verify_bearer(token, KEYS, POLICY, NOW).roles == frozenset()


@pytest.mark.parametrize(("sub", "roles"), [("", []), ("a\nb", []), ("x" * 256, []), ("ada", [""]), ("\ud800", [])])
def test_a_bearer_token_for_an_impossible_name_is_not_minted(sub, roles):
    with pytest.raises(BadParameter):
        mint_bearer(KEYS, sub, roles, 60, NOW)


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_scoped_token_carries_kind_dataset_user_and_roles(kind):
    holder = Principal(user="ada", roles=frozenset({"survey"}))
    token, token_id = mint_scoped(KEYS, kind, DATASET, holder, 60, NOW)
    assert verify_scoped(token, KEYS, POLICY, NOW) == Principal(
        user="ada",
        roles=frozenset({"survey"}),
        kind=kind,
        dataset_id=DATASET,
        token_id=token_id,
        expires=int(NOW) + 60,
    )


@pytest.mark.parametrize(
    "layer", [LayerName(LayerKind.COLLECTION, "sheets-1.0"), LayerName(LayerKind.SEARCH, "0a" * 16)]
)
def test_a_tile_token_of_a_layer_opens_that_and_no_dataset(layer):
    token, _ = mint_scoped(KEYS, TokenKind.TILES, layer, Principal("ana"), 60, NOW)
    found = verify_scoped(token, KEYS, POLICY, NOW)
    assert (found.user, found.layer, found.dataset_id) == ("ana", layer.scope, None)
    with pytest.raises(BadCredential, match="scope"):
        scoped(SCOPED, scope=layer.scope)
    for other in ("collection:", f"{layer.scope}/", f"other:{layer.id}", "search:0a"):
        with pytest.raises(BadCredential, match="scope"):
            scoped(SCOPED, typ="tiles", scope=other)


def test_a_scoped_token_of_an_anonymous_caller_has_no_sub_and_no_roles():
    token, token_id = mint_scoped(KEYS, TokenKind.DOWNLOAD, DATASET, Principal(), 120, NOW)
    claims = KEYS.verify(token)
    assert claims == {
        "typ": "download",
        "scope": f"dataset:{DATASET}",
        "iat": 1_800_000_000,
        "exp": 1_800_000_120,
        "jti": token_id,
    }
    assert verify_scoped(token, KEYS, POLICY, NOW).user is None


def test_every_token_has_an_id_of_its_own():
    ids = {mint_scoped(KEYS, TokenKind.TILES, DATASET, Principal(), 60, NOW)[1] for _ in range(20)}
    assert len(ids) == 20


def test_another_jwt_library_call_reads_a_minted_token():
    claims = jwt.decode(mint_bearer(KEYS, "ada", [], 60, NOW), KEY, ["HS256"], options={"verify_iat": False})
    assert claims["sub"] == "ada"


# Times


@pytest.mark.parametrize("claim", ["sub", "exp", "iat"])
def test_a_bearer_token_needs_its_claims(claim):
    with pytest.raises(BadCredential):
        bearer(without(BEARER, claim))


@pytest.mark.parametrize("claim", ["typ", "scope", "iat", "exp", "jti"])
def test_a_scoped_token_needs_its_claims(claim):
    with pytest.raises(BadCredential):
        scoped(without(SCOPED, claim))


NO_TIMES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e30",
    "-1",
    "9" * 5000,
    "9" * 4000,
    "true",
    "null",
    '"1800000060"',
    "[1800000060]",
    "{}",
]


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_a_time_that_is_no_bounded_number_is_refused(claim, value):
    claims = json.dumps({**BEARER, claim: "HERE"}).replace('"HERE"', value)
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(claims.encode()), KEYS, POLICY, NOW)


def test_a_token_expires_at_the_moment_of_exp_without_leeway():
    assert bearer(BEARER, exp=NOW + 0.001).user == "ada"
    with pytest.raises(BadCredential):
        bearer(BEARER, exp=NOW)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_clocks_may_differ_by_30_seconds(claim):
    assert bearer(BEARER, **{claim: NOW + 30}).user == "ada"
    with pytest.raises(BadCredential):
        bearer(BEARER, **{claim: NOW + 30.5})


def test_nbf_in_the_future_is_refused_even_when_iat_lies_in_the_past():
    with pytest.raises(BadCredential):
        bearer(BEARER, iat=NOW - 100, nbf=NOW + 40)


@pytest.mark.parametrize(("kind", "seconds"), [("download", 120), ("tiles", 3600 + 900)])
def test_a_scoped_token_is_judged_by_its_life_even_when_rightly_signed(kind, seconds):
    assert scoped(SCOPED, typ=kind, exp=NOW + seconds).kind == kind
    with pytest.raises(BadCredential):
        scoped(SCOPED, typ=kind, exp=NOW + seconds + 1)
    with pytest.raises(BadCredential):
        scoped(SCOPED, typ=kind, exp=NOW + 315_360_000)


def test_a_scoped_token_that_ends_before_it_was_issued_is_refused():
    with pytest.raises(BadCredential):
        scoped(SCOPED, iat=NOW + 20, exp=NOW + 10)


def test_a_scoped_token_of_no_life_at_all_is_refused_though_its_moment_is_to_come():
    assert scoped(SCOPED, iat=NOW + 20, exp=NOW + 21)
    with pytest.raises(BadCredential):
        scoped(SCOPED, iat=NOW + 20, exp=NOW + 20)


def test_moments_begin_with_the_epoch():
    assert bearer(BEARER, iat=0)
    for before in (-1, -0.5):
        with pytest.raises(BadCredential):
            bearer(BEARER, iat=before)


def test_the_lives_of_scoped_tokens_are_policy():
    policy = TokenPolicy(lifetimes={TokenKind.DOWNLOAD: 10, TokenKind.TILES: 10})
    with pytest.raises(BadCredential):
        verify_scoped(token_of(SCOPED), KEYS, policy, NOW)


@pytest.mark.parametrize("seconds", [1, 2, 3, 7, 60, 61, 899, 900, 3599, 3600, 3601, 86_400])
def test_a_token_of_a_document_holds_from_its_first_moment_for_its_whole_life(seconds):
    policy = TokenPolicy(lifetimes={TokenKind.DOWNLOAD: 120, TokenKind.TILES: seconds})
    step = policy.step_seconds
    assert 1 <= step <= max(1, min(900, seconds // 4))
    start, life = 1_800_000_000 // step * step, policy.longest_seconds(TokenKind.TILES)
    for late in {0.0, 0.5, step / 2, step - 0.001}:
        now = start + late
        assert policy.step_begin(now) == start
        token, _ = mint_scoped(KEYS, TokenKind.TILES, DATASET, Principal(), life, policy.step_begin(now))
        for moment in (now, now + seconds - 0.001):
            assert verify_scoped(token, KEYS, policy, moment).expires - now >= seconds
    assert policy.step_begin(start + step) == start + step


# Names


NO_NAMES = ["", None, 0, False, [], {}, ["ada"], "a\nb", "a\0b", "\x7f", "\u2028", "\ud800", "x" * 256,
            "ana\u200b", "\u202eana", "\ufeff", "a\u00a0b"]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_sub_that_is_no_name_is_refused_and_never_anonymous(name):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        with pytest.raises(BadCredential):
            verify(claims, sub=name)


@pytest.mark.parametrize("name", ["x" * 255, "Ада Лавлейс", "a b", "ada@example.org", " ", "🛰"])
def test_a_sub_may_be_any_printable_name(name):
    assert bearer(BEARER, sub=name).user == name
    assert scoped(SCOPED, sub=name).user == name


@pytest.mark.parametrize("roles", [{"admin": 1}, [1], [None], ["a", ["b"]], 0, False])
def test_roles_that_are_no_texts_are_refused(roles):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        with pytest.raises(BadCredential):
            verify(claims, roles=roles)


@pytest.mark.parametrize(("roles", "found"), [(None, set()), ("admin", {"admin"}), ([], set()), ("a b", {"a b"})])
def test_one_text_is_one_role_and_null_is_none(roles, found):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        assert verify(claims, roles=roles).roles == found


@pytest.mark.parametrize("name", ["x" * 256, "", "a\rb", "admin\u200b", "\ud800"])
def test_a_role_that_is_no_name_is_left_out_and_told_once(name, caplog):
    _tell_of_roles.cache_clear()
    for _ in range(3):
        assert bearer(BEARER, roles=["editor", name, name]).roles == {"editor"}
        assert bearer(BEARER, roles=name).roles == set()
    (told,) = caplog.records
    assert told.getMessage().startswith("1 roles of a token are left out")
    assert told.user == "ada"
    caplog.clear()


def test_a_name_of_255_characters_is_a_role():
    assert bearer(BEARER, roles=["x" * 255]).roles == {"x" * 255}


@pytest.mark.parametrize("token_id", NO_NAMES)
def test_a_token_id_that_is_no_name_is_refused(token_id):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        with pytest.raises(BadCredential):
            verify(claims, jti=token_id)


def test_a_bearer_token_may_lack_an_id():
    assert bearer(BEARER).token_id is None
    assert bearer(BEARER, jti="j-2").token_id == "j-2"


# The issuer

ISSUED = {**BEARER, "iss": "https://login.example", "aud": "gateway"}
OIDC = TokenPolicy(issuer="https://login.example", audience="gateway", roles_claim="realm_access.roles")


def issued(**changes) -> Principal:
    return verify_bearer(token_of({**ISSUED, **changes}), KEYS, OIDC, NOW)


@pytest.mark.parametrize("audience", ["gateway", ["other", "gateway"]])
def test_a_token_of_the_issuer_for_this_audience_is_a_bearer_token(audience):
    assert issued(aud=audience).user == "ada"


@pytest.mark.parametrize("changes", [
    {"iss": "https://login.example/"}, {"iss": None}, {"iss": ["https://login.example"]},
    {"aud": "gateway2"}, {"aud": ["other"]}, {"aud": []}, {"aud": None}, {"aud": {"gateway": 1}},
])  # fmt: skip
def test_another_issuer_or_audience_is_refused(changes):
    with pytest.raises(BadCredential):
        issued(**changes)


@pytest.mark.parametrize("claim", ["iss", "aud"])
def test_a_token_of_an_issuer_names_issuer_and_audience(claim):
    with pytest.raises(BadCredential):
        verify_bearer(token_of(without(ISSUED, claim)), KEYS, OIDC, NOW)


@pytest.mark.parametrize(("claims", "roles"), [
    ({"realm_access": {"roles": ["editor"]}}, {"editor"}),
    ({"realm_access.roles": ["admin"], "realm_access": {"roles": ["editor"]}}, {"admin"}),
    ({"realm_access": {"roles": "editor"}}, {"editor"}),
    ({"realm_access": {"roles": None}}, set()),
    ({"realm_access": {}}, set()),
    ({"realm_access": None}, set()),
    ({"realm_access": "roles"}, set()),
    ({"realm_access": ["roles"]}, set()),
    ({}, set()),
])  # fmt: skip
def test_dots_in_the_roles_claim_lead_into_objects(claims, roles):
    assert issued(**claims).roles == roles


def test_roles_of_a_wrong_type_inside_of_an_object_are_refused():
    with pytest.raises(BadCredential):
        issued(realm_access={"roles": {"editor": 1}})


@pytest.mark.parametrize(("access", "roles"), [
    ({"my.client": {"roles": ["a"]}}, {"a"}),
    ({"my": {"client": {"roles": ["a"]}}}, {"a"}),
    ({"my": {"client.roles": ["a"]}}, {"a"}),
    # The longest name first; one that leads nowhere hides none that leads on.
    ({"my.client": {"roles": ["long"]}, "my": {"client": {"roles": ["short"]}}}, {"long"}),
    ({"my.client": {"groups": []}, "my": {"client": {"roles": ["short"]}}}, {"short"}),
    ({"my.client": "text", "my": {"client": {"roles": ["short"]}}}, {"short"}),
    ({"my": {}}, set()),
])  # fmt: skip
def test_names_with_dots_are_found_in_the_roles_claim(access, roles):
    policy = TokenPolicy(roles_claim="resource_access.my.client.roles")
    assert verify_bearer(token_of({**BEARER, "resource_access": access}), KEYS, policy, NOW).roles == roles


# The two lanes


@pytest.mark.parametrize("typ", ["download", "tiles", "Download", "TILES", None, True, ["download"], {}])
def test_a_scoped_token_is_no_bearer_token(typ):
    with pytest.raises(BadCredential):
        bearer({**SCOPED, "sub": "ada"}, typ=typ)


@pytest.mark.parametrize("typ", ["Bearer", "at+jwt", ""])
def test_a_bearer_token_may_name_its_own_type(typ):
    assert bearer(BEARER, typ=typ).user == "ada"


@pytest.mark.parametrize("typ", ["Download", "download ", "bearer", "", None, True, ["download"], {"download": 1}])
def test_a_scoped_kind_is_exact(typ):
    with pytest.raises(BadCredential):
        scoped(SCOPED, typ=typ)


def test_a_bearer_token_is_no_scoped_token():
    with pytest.raises(BadCredential):
        scoped(BEARER)


def test_the_dataset_of_a_scope_is_lower_case_whatever_case_was_signed():
    assert scoped(SCOPED, scope=f"dataset:{DATASET.upper()}").dataset_id == DATASET


NO_IDS = [
    "",
    "*",
    DATASET[:-1],
    DATASET + "\n",
    f" {DATASET}",
    DATASET.replace("-", ""),
    f"{{{DATASET}}}",
    f"urn:uuid:{DATASET}",
    DATASET.replace("6", "６", 1),
    DATASET.replace("-", "_"),
    DATASET + ",x",
]


@pytest.mark.parametrize(
    "scope",
    [
        *(f"dataset:{text}" for text in NO_IDS),
        DATASET,
        f"Dataset:{DATASET}",
        None,
        7,
        True,
        [f"dataset:{DATASET}"],
        f"dataset:dataset:{DATASET}",
    ],
)
def test_any_other_scope_is_refused(scope):
    with pytest.raises(BadCredential):
        scoped(SCOPED, scope=scope)


@pytest.mark.parametrize("text", NO_IDS)
def test_only_the_hyphenated_form_is_a_dataset_id(text):
    assert dataset_uuid(text) is None


@given(st.uuids(), st.booleans())
def test_a_dataset_id_is_made_lower_case(value, upper):
    text = str(value)
    assert dataset_uuid(text.upper() if upper else text) == text


# Anything at all


def judged(token: str) -> None:
    """Verify a token both ways; a Principal or a BadCredential are the only ends."""
    for verify in (verify_bearer, verify_scoped):
        with suppress(BadCredential):
            assert isinstance(verify(token, KEYS, POLICY, NOW), Principal)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*", fullmatch=True))
def test_no_text_is_a_token_or_anything_but_a_bad_credential(token):
    with pytest.raises(BadCredential):
        KEYS.verify(token)


@given(st.binary(), st.binary())
@example(b'{"alg":"HS256","b64":false}', b"")
@example(b'{"alg":"HS256","kid":7}', b"{}")
def test_signed_rubbish_is_judged_without_any_other_error(payload, header):
    judged(raw_token(payload))
    judged(raw_token(payload, header))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
NESTING = st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=5), SCALARS, max_size=3)
JSON = SCALARS | NESTING | st.lists(NESTING, max_size=2)
CLAIMS = st.sampled_from(["sub", "iat", "exp", "nbf", "typ", "scope", "jti", "roles"])


@given(st.sampled_from([BEARER, SCOPED, {}]), st.dictionaries(CLAIMS, JSON, max_size=3))
def test_signed_claims_of_any_type_are_judged_without_any_other_error(claims, changes):
    judged(token_of({**claims, **changes}))


@given(st.data())
def test_a_token_changed_in_one_character_is_refused(data):
    token = token_of(SCOPED)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[at]))
    with pytest.raises(BadCredential):
        KEYS.verify(token[:at] + other + token[at + 1 :])
