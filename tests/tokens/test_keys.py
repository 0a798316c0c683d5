"""Keys: what they signed holds, whatever a header says; weak ones are refused."""

import json
import traceback

import jwt
import pytest

from gateway.errors import BadCredential, SettingsError
from gateway.tokens import (
    HmacKeys,
    verify_bearer,
)
from gateway.tokens import keys as key_sets
from gateway.tokens.keys import MAX_TOKEN_BYTES
from tests.tokens.forge import (
    BEARER,
    KEY,
    KEYS,
    NOW,
    OTHER_KEY,
    POLICY,
    raw_token,
    token_of,
)

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
    monkeypatch.setattr(key_sets, "REMEMBERED_TOKENS", 2)
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
