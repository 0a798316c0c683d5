"""Tokens: what is minted verifies, and everything else is a bad credential."""

import base64
import hmac
import json
import traceback
from contextlib import suppress

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import tokens
from gateway.errors import BadCredential, BadParameter, SettingsError
from gateway.model import Principal, TokenKind, dataset_uuid
from gateway.tokens import (
    MAX_TOKEN_BYTES,
    HmacKeys,
    TokenPolicy,
    mint_bearer,
    mint_scoped,
    verify_bearer,
    verify_scoped,
)

NOW = 1_800_000_000.5
KEY = b"0123456789abcdef0123456789abcdef"
OTHER_KEY = b"fedcba9876543210fedcba9876543210"
KEYS = HmacKeys([KEY])
POLICY = TokenPolicy()
DATASET = "6f0f1c1e-2b7a-4c57-9d2e-0a1b2c3d4e5f"

BEARER = {"sub": "ada", "iat": NOW, "exp": NOW + 60}
SCOPED = {"typ": "download", "scope": f"dataset:{DATASET}", "iat": NOW, "exp": NOW + 60, "jti": "j-1"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw_token(payload: bytes, header: bytes = b'{"alg":"HS256","typ":"JWT"}', digest="sha256", key=KEY) -> str:
    """A rightly signed token around any bytes, made without the library under test."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(hmac.new(key, signed.encode(), digest).digest())}"


def token_of(claims) -> str:
    return raw_token(json.dumps(claims).encode())


def bearer(claims, **changes) -> Principal:
    return verify_bearer(token_of({**claims, **changes}), KEYS, POLICY, NOW)


def scoped(claims, **changes) -> Principal:
    return verify_scoped(token_of({**claims, **changes}), KEYS, POLICY, NOW)


def without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


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


# Keys


def test_the_first_key_signs_and_all_verify():
    rotated = HmacKeys([OTHER_KEY, KEY])
    assert rotated.verify(KEYS.sign({"a": 1})) == {"a": 1}
    assert HmacKeys([OTHER_KEY]).verify(rotated.sign({"a": 1})) == {"a": 1}
    with pytest.raises(BadCredential):
        KEYS.verify(rotated.sign({"a": 1}))


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [b""],
        [b"too-few-bytes"],
        [KEY, KEY[:31]],
        [b"a" * 64],
        [b"please-CHANGEME-please-changeme-please"],
        [b"a-string-secret-at-least-256-bits-long"],
        [b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"],
    ],
)
def test_weak_keys_are_refused_without_being_told(keys):
    with pytest.raises(SettingsError) as caught:
        HmacKeys(keys)
    assert all(key.decode() not in str(caught.value) for key in keys if key)


def test_only_so_many_vouched_tokens_are_remembered(monkeypatch):
    monkeypatch.setattr(tokens, "REMEMBERED_TOKENS", 2)
    keys = HmacKeys([KEY])
    for number in (0, 1, 2, 3, 4, 0):
        assert keys.verify(token_of({"n": number})) == {"n": number}
        assert len(keys._vouched) <= 2


def test_a_remembered_token_still_expires_and_a_refused_one_stays_refused():
    keys = HmacKeys([KEY])
    token, forged = token_of(BEARER), raw_token(json.dumps(BEARER).encode(), key=OTHER_KEY)
    assert verify_bearer(token, keys, POLICY, NOW).user == "ada"
    for late, candidate in ((60, token), (0, forged), (0, forged)):
        with pytest.raises(BadCredential):
            verify_bearer(candidate, keys, POLICY, NOW + late)


# Signature and algorithm


def signed_with(algorithm: str, key=KEY) -> str:
    return jwt.encode(BEARER, key, algorithm)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_hmac_lengths_under_the_same_key_are_refused(algorithm):
    with pytest.raises(BadCredential):
        verify_bearer(signed_with(algorithm), KEYS, POLICY, NOW)


@pytest.mark.parametrize(
    "alg", ['"none"', '"None"', '"NONE"', '""', "null", "[]", '["HS256"]', "{}", "true", '"RS256"']
)
def test_a_header_naming_another_algorithm_is_refused_with_or_without_signature(alg):
    token = raw_token(json.dumps(BEARER).encode(), b'{"alg":%s}' % alg.encode())
    for candidate in (token, token.rpartition(".")[0] + ".", token.rpartition(".")[0]):
        with pytest.raises(BadCredential):
            verify_bearer(candidate, KEYS, POLICY, NOW)


def test_a_header_without_algorithm_is_refused():
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(json.dumps(BEARER).encode(), b"{}"), KEYS, POLICY, NOW)


def test_a_token_signed_by_a_stranger_is_refused():
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(json.dumps(BEARER).encode(), key=OTHER_KEY), KEYS, POLICY, NOW)


@pytest.mark.parametrize(
    "extra", ['"kid":"../../dev/null"', '"jku":"http://x/"', '"jwk":{"k":"AAAA"}', '"x5c":["a"]']
)
def test_header_parameters_never_choose_the_key(extra):
    header = b'{"alg":"HS256",%s}' % extra.encode()
    payload = json.dumps(BEARER).encode()
    assert verify_bearer(raw_token(payload, header), KEYS, POLICY, NOW).user == "ada"
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(payload, header, key=b""), KEYS, POLICY, NOW)


@pytest.mark.parametrize("crit", ['["exp"]', "[]", '"b64"', '["b64"],"b64":false'])
def test_critical_header_parameters_are_refused(crit):
    header = b'{"alg":"HS256","crit":%s}' % crit.encode()
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(json.dumps(BEARER).encode(), header), KEYS, POLICY, NOW)


def test_a_token_up_to_8_kib_is_read_and_one_byte_more_is_not():
    def padded(size: int) -> str:
        return token_of({**BEARER, "pad": "x" * size})

    fitting = max(size for size in range(5900, 6200) if len(padded(size)) <= MAX_TOKEN_BYTES)
    assert verify_bearer(padded(fitting), KEYS, POLICY, NOW).user == "ada"
    with pytest.raises(BadCredential):
        verify_bearer(padded(fitting + 1), KEYS, POLICY, NOW)


NESTED = b"[" * 2900 + b"]" * 2900


@pytest.mark.parametrize(
    "payload", [NESTED, b'{"a":' + NESTED + b"}", b"[]", b"1", b"null", b'"x"', b"", b"\xff", b"{"]
)
def test_a_payload_that_is_no_plain_object_is_refused(payload):
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(payload), KEYS, POLICY, NOW)


def test_a_deeply_nested_header_is_refused():
    with pytest.raises(BadCredential):
        verify_bearer(raw_token(json.dumps(BEARER).encode(), NESTED), KEYS, POLICY, NOW)


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b.c", "\ud800.a.b", "é.é.é", "eyJ.eyJ", "\0", " "])
def test_texts_that_are_no_token_are_refused(token):
    with pytest.raises(BadCredential):
        KEYS.verify(token)


def test_a_refusal_never_repeats_the_token():
    token = raw_token(b'{"secret-claim": "secret-value"', key=KEY)
    with pytest.raises(BadCredential) as caught:
        verify_bearer(token, KEYS, POLICY, NOW)
    told = "".join(traceback.format_exception(caught.value))
    assert "secret" not in caught.value.detail
    assert token not in told
    assert "secret-value" not in told


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


@pytest.mark.parametrize(("kind", "seconds"), [("download", 120), ("tiles", 3600)])
def test_a_scoped_token_is_judged_by_its_life_even_when_rightly_signed(kind, seconds):
    assert scoped(SCOPED, typ=kind, exp=NOW + seconds).kind == kind
    with pytest.raises(BadCredential):
        scoped(SCOPED, typ=kind, exp=NOW + seconds + 1)
    with pytest.raises(BadCredential):
        scoped(SCOPED, typ=kind, exp=NOW + 315_360_000)


def test_a_scoped_token_that_ends_before_it_was_issued_is_refused():
    with pytest.raises(BadCredential):
        scoped(SCOPED, iat=NOW + 20, exp=NOW + 10)


def test_the_lives_of_scoped_tokens_are_policy():
    policy = TokenPolicy(lifetimes={TokenKind.DOWNLOAD: 10, TokenKind.TILES: 10})
    with pytest.raises(BadCredential):
        verify_scoped(token_of(SCOPED), KEYS, policy, NOW)


# Names


NO_NAMES = ["", None, 0, False, [], {}, ["ada"], "a\nb", "a\0b", "\x7f", "\u2028", "\ud800", "x" * 256]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_sub_that_is_no_name_is_refused_and_never_anonymous(name):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        with pytest.raises(BadCredential):
            verify(claims, sub=name)


@pytest.mark.parametrize("name", ["x" * 255, "Ада Лавлейс", "a b", "ada@example.org", " ", "🛰"])
def test_a_sub_may_be_any_printable_name(name):
    assert bearer(BEARER, sub=name).user == name
    assert scoped(SCOPED, sub=name).user == name


@pytest.mark.parametrize("roles", [None, "admin", {"admin": 1}, [1], [""], [None], ["a", ["b"]], 0, ["a\rb"]])
def test_roles_that_are_no_list_of_names_are_refused(roles):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        with pytest.raises(BadCredential):
            verify(claims, roles=roles)


@pytest.mark.parametrize("token_id", NO_NAMES)
def test_a_token_id_that_is_no_name_is_refused(token_id):
    for verify, claims in ((bearer, BEARER), (scoped, SCOPED)):
        with pytest.raises(BadCredential):
            verify(claims, jti=token_id)


def test_a_bearer_token_may_lack_an_id():
    assert bearer(BEARER).token_id is None
    assert bearer(BEARER, jti="j-2").token_id == "j-2"


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
