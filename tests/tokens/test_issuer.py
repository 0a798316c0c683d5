"""Keys of an issuer: what they vouch for, when they are fetched, and what outlives an outage."""

import io
import json
import threading

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from gateway.errors import BadCredential, IssuerUnavailable, KeysPending
from gateway.tokens import IssuerKeys, fetcher, issuer
from gateway.tokens.refetched import REFETCH_SECONDS
from tests.issuer import EC_KEY, RSA_KEYS, Issuer, public_jwk, public_pem, secret_jwk

CLAIMS = {"sub": "ana"}
SECRET = b"a secret of forty bytes, which is enough."


class Source:
    """Stands for the network: key sets, errors, and a clock that is turned by hand."""

    def __init__(self, *keys) -> None:
        self.answer = {"keys": list(keys)}
        self.fetched = 0
        self.now = 1000.0

    def fetch(self):
        self.fetched += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def source():
    return Source(public_jwk(RSA_KEYS[0], "first"), public_jwk(EC_KEY, "curve"))


@pytest.fixture
def keys(source):
    found = IssuerKeys(source.fetch, lambda: source.now)
    yield found
    found.close()


def signed(private=RSA_KEYS[0], key_id="first", algorithm="RS256", **header):
    named = {} if key_id is None else {"kid": key_id}
    return jwt.encode(CLAIMS, private, algorithm, headers={**named, **header})


def verified(keys, token):
    """Return the claims, after the fetch that the token may need."""
    try:
        return keys.verify(token)
    except KeysPending as pending:
        pending.fetch.result(120)
    return keys.verify(token)


def refused(keys, token) -> bool:
    with pytest.raises(BadCredential) as caught:
        verified(keys, token)
    return token not in str(caught.value)


def test_both_algorithms_verify(keys, source):
    assert verified(keys, signed()) == CLAIMS
    assert verified(keys, signed(EC_KEY, "curve", "ES256")) == CLAIMS
    assert source.fetched == 1


def test_a_token_of_another_key_under_a_known_id_is_refused(keys):
    assert refused(keys, signed(RSA_KEYS[1]))
    assert refused(keys, signed(ec.generate_private_key(ec.SECP256R1()), "curve", "ES256"))


def test_the_key_fixes_the_algorithm(keys):
    for algorithm in ("RS384", "RS512", "PS256"):
        assert refused(keys, signed(algorithm=algorithm))
    assert refused(keys, signed(RSA_KEYS[0], "curve", "RS256"))


def test_the_public_key_as_hmac_secret_is_refused(keys, monkeypatch):
    verified(keys, signed())
    # The library refuses to make such a token by itself.
    monkeypatch.setattr("jwt.algorithms.is_pem_format", lambda _: False)
    assert refused(keys, signed(public_pem(RSA_KEYS[0]), "first", "HS256"))


@pytest.mark.parametrize("key_id", ["first", None])
def test_unsigned_tokens_are_refused(keys, key_id):
    verified(keys, signed())
    assert refused(keys, jwt.encode(CLAIMS, None, "none", headers={"kid": key_id} if key_id else {}))


def test_a_shared_secret_in_the_set_verifies_nothing(keys, source):
    source.answer["keys"].append(secret_jwk(SECRET, "secret"))
    assert refused(keys, signed(SECRET, "secret", "HS256"))


def test_a_token_without_key_id_is_tried_with_each_key_of_its_family(keys, source):
    source.answer["keys"].append(public_jwk(RSA_KEYS[1], "second"))
    for key in RSA_KEYS[:2]:
        assert verified(keys, signed(key, key_id=None)) == CLAIMS
    assert refused(keys, signed(rsa.generate_private_key(65537, 2048), key_id=None))
    assert refused(keys, signed(ec.generate_private_key(ec.SECP256R1()), None, "ES256"))


def test_keys_without_an_id_live_side_by_side_while_the_issuer_changes_them(keys, source):
    source.answer = {"keys": [public_jwk(RSA_KEYS[0])]}
    assert verified(keys, signed(key_id=None)) == CLAIMS
    source.answer = {"keys": [public_jwk(RSA_KEYS[1]), public_jwk(RSA_KEYS[0])]}
    source.now += REFETCH_SECONDS
    # A token that no known key signed asks for new ones.
    assert verified(keys, signed(RSA_KEYS[1], None)) == CLAIMS
    assert verified(keys, signed(key_id=None)) == CLAIMS
    assert source.fetched == 2


def test_a_token_with_an_id_is_tried_with_keys_that_have_none(keys, source):
    source.answer = {"keys": [public_jwk(RSA_KEYS[0]), public_jwk(RSA_KEYS[1], "second")]}
    assert verified(keys, signed(key_id="any")) == CLAIMS
    assert verified(keys, signed(RSA_KEYS[1], "second")) == CLAIMS
    # A key that has an id is for tokens that name it.
    assert refused(keys, signed(RSA_KEYS[1], "any"))
    assert refused(keys, signed(key_id="second"))


def test_several_keys_of_one_id_all_verify(keys, source):
    source.answer = {"keys": [public_jwk(key, "same") for key in RSA_KEYS[:2]]}
    for key in RSA_KEYS[:2]:
        assert verified(keys, signed(key, "same")) == CLAIMS


def test_so_many_keys_are_tried_and_no_more(keys, source, monkeypatch):
    source.answer = {"keys": [public_jwk(RSA_KEYS[0])] + [public_jwk(RSA_KEYS[1])] * issuer.MAX_TRIES}
    tries = []
    decode = keys._jws.decode
    monkeypatch.setattr(keys._jws, "decode", lambda *given: tries.append(given) or decode(*given))
    assert refused(keys, signed(key_id=None))
    assert len(tries) == issuer.MAX_TRIES


@pytest.mark.parametrize("field", ["jku", "x5u"])
def test_addresses_in_the_header_are_never_asked(keys, field):
    stranger = Issuer()
    try:
        stranger.keys = [public_jwk(RSA_KEYS[1], "theirs")]
        assert refused(keys, signed(RSA_KEYS[1], "theirs", **{field: f"{stranger.url}/keys"}))
        assert stranger.asked == []
    finally:
        stranger.close()


def test_a_key_in_the_header_is_ignored(keys):
    assert refused(keys, signed(RSA_KEYS[1], "theirs", jwk=public_jwk(RSA_KEYS[1], "theirs")))


@pytest.mark.parametrize("token", ["", "a.b.c", "a" * 9000, "\u00e9.b.c", "eyJhbGciOiJSUzI1NiJ9.e30"])
def test_texts_that_are_no_token_are_refused_without_a_fetch(keys, source, token):
    with pytest.raises(BadCredential):
        keys.verify(token)
    assert source.fetched == 0


def test_a_key_id_that_is_no_text_is_refused(keys):
    token = signed()
    header = json.dumps({"alg": "RS256", "kid": 7}).encode()
    with pytest.raises(BadCredential):
        keys.verify(".".join([jwt.utils.base64url_encode(header).decode(), *token.split(".")[1:]]))


def test_random_key_ids_cause_one_fetch_in_thirty_seconds(keys, source):
    verified(keys, signed())
    for number in range(50):
        assert refused(keys, signed(key_id=f"made up {number}"))
    assert source.fetched == 1
    source.now += REFETCH_SECONDS
    for number in range(50):
        assert refused(keys, signed(key_id=f"made up {number}"))
    assert source.fetched == 2


def test_those_who_come_while_a_fetch_runs_wait_for_the_same(keys, source):
    gate = threading.Event()
    answer = source.answer
    keys._kept.fetch = lambda: gate.wait(120) and issuer.usable(answer)
    pending = []
    for _ in range(2):
        with pytest.raises(KeysPending) as caught:
            keys.verify(signed())
        pending.append(caught.value.fetch)
    gate.set()
    assert pending[0] is pending[1]
    pending[0].result(120)
    assert keys.verify(signed()) == CLAIMS


def test_a_new_key_is_found_as_soon_as_a_fetch_is_due(keys, source):
    verified(keys, signed())
    source.answer = {"keys": [public_jwk(RSA_KEYS[1], "second")]}
    assert refused(keys, signed(RSA_KEYS[1], "second"))
    source.now += REFETCH_SECONDS
    assert verified(keys, signed(RSA_KEYS[1], "second")) == CLAIMS
    assert refused(keys, signed())


@pytest.mark.parametrize("answer", [OSError("away"), ValueError("rubbish"), {"keys": []}, {"keys": None}, {}])
def test_old_keys_outlive_an_outage(keys, source, answer):
    verified(keys, signed())
    source.answer = answer
    source.now += REFETCH_SECONDS
    keys.refresh().result(120)
    assert source.fetched == 2
    assert verified(keys, signed()) == CLAIMS


def test_an_issuer_that_never_answered_is_a_503_with_the_time_of_the_next_try(keys, source):
    source.answer = OSError("away")
    with pytest.raises(IssuerUnavailable) as caught:
        verified(keys, signed())
    assert caught.value.headers["Retry-After"] == "31"
    source.now += 12.5
    with pytest.raises(IssuerUnavailable) as caught:
        verified(keys, signed())
    assert caught.value.headers["Retry-After"] == "18"


def test_a_withdrawn_key_goes_with_the_next_fetch_within_the_hour(keys, source):
    verified(keys, signed())
    source.answer = {"keys": [public_jwk(RSA_KEYS[1], "second")]}
    source.now += issuer.STALE_SECONDS
    # The one that notices is still served; it starts the fetch.
    assert keys.verify(signed()) == CLAIMS
    assert source.fetched == 2 or keys.refresh(now=True).result(120) is None
    assert refused(keys, signed())


def test_the_operator_may_ask_at_once(keys, source):
    verified(keys, signed())
    assert keys.refresh() is None
    keys.refresh(now=True).result(120)
    assert source.fetched == 2


SMALL = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    "member",
    [
        public_jwk(RSA_KEYS[1], "k", use="enc"),
        public_jwk(RSA_KEYS[1], "k", alg="RS512"),
        public_jwk(RSA_KEYS[1], "k", key_ops=["encrypt"]),
        public_jwk(RSA_KEYS[1], "k", key_ops="verify"),
        {**public_jwk(RSA_KEYS[1]), "kid": 7},
        {**RSAAlgorithm.to_jwk(RSA_KEYS[1], as_dict=True), "kid": "k", "key_ops": ["verify"]},
        public_jwk(SMALL, "k"),
        public_jwk(ec.generate_private_key(ec.SECP384R1()), "k"),
        secret_jwk(SECRET, "k"),
        {"kty": "RSA", "kid": "k"},
        {"kty": "RSA", "kid": "k", "n": 5, "e": "AQAB"},
        {"kty": "EC", "kid": "k", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kid": "k"},
        "RSA",
        None,
    ],
)
def test_members_that_are_no_public_signature_key_are_left_out(member):
    good = public_jwk(RSA_KEYS[0], "first", use="sig", alg="RS256", key_ops=["verify"])
    assert [(key.algorithm, key.key_id) for key in issuer.usable({"keys": [member, good]})] == [("RS256", "first")]


def test_the_set_is_found_by_discovery():
    served = Issuer()
    served.said = {"jwks_uri": "urn:keys"}
    with pytest.raises(ValueError, match="no key set"):
        fetcher(served.url, None)()
    served.said, served.asked = {}, []
    try:
        assert fetcher(served.url, None)() == {"keys": served.keys}
        assert served.asked == ["/.well-known/openid-configuration", "/keys"]
        assert fetcher(served.url, f"{served.url}/keys")() == {"keys": served.keys}
        # Another issuer than the one that was asked.
        with pytest.raises(ValueError, match="not the issuer's"):
            fetcher(f"{served.url}/", None)()
        served.broken = True
        with pytest.raises(OSError, match="500"):
            fetcher(served.url, None)()
    finally:
        served.close()
    with pytest.raises(OSError, match="refused"):
        fetcher(served.url, None)()


@pytest.mark.parametrize("body", [b"[]", b"no JSON", b"[" * 100_000, b'{"keys": "' + b"a" * (1 << 20) + b'"}'])
def test_a_document_that_is_no_small_json_object_is_an_error(monkeypatch, body):
    served = Issuer()

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    served.answer = answer
    try:
        with pytest.raises(ValueError):
            issuer.document(served.url)
    finally:
        served.close()


def test_an_answer_that_is_no_http_is_an_error():
    served = Issuer()
    served.answer = lambda handler: handler.wfile.write(b"SMTP here\r\n\r\n")
    try:
        with pytest.raises(ValueError, match="cannot be read"):
            issuer.document(served.url)
    finally:
        served.close()


def test_an_answer_that_comes_byte_by_byte_is_given_up(monkeypatch):
    taken = []

    class Dripping(io.BytesIO):
        def read1(self, size=-1):
            taken.append(1)
            return b" "

    monkeypatch.setattr(issuer, "urlopen", lambda *_, **__: Dripping())
    monkeypatch.setattr(issuer, "FETCH_SECONDS", -1.0)
    with pytest.raises(TimeoutError):
        issuer.document("https://issuer.example/keys")
    assert taken == [1]
