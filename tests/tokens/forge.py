"""Rightly signed tokens around any claims, made without the library under test, and what they are judged with."""

import base64
import hmac
import json

from gateway.model import Principal
from gateway.tokens import HmacKeys, TokenPolicy, verify_bearer, verify_scoped

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
