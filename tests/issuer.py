"""A small OpenID Connect issuer on loopback: discovery, a key set that rotates, and tokens of any kind."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

RSA_KEYS = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
EC_KEY = ec.generate_private_key(ec.SECP256R1())
AUDIENCE = "cog-gateway"


def public_jwk(private, key_id=None, **members):
    """Return the public half of a key as a member of a key set."""
    family = RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else ECAlgorithm
    found = {**family.to_jwk(private.public_key(), as_dict=True), **members}
    return found if key_id is None else {**found, "kid": key_id}


def public_pem(private) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def secret_jwk(secret: bytes, key_id: str):
    return {"kty": "oct", "k": base64.urlsafe_b64encode(secret).rstrip(b"=").decode(), "kid": key_id}


class Issuer:
    """Serves `keys`; counts what it is asked; answers 500 while `broken`; `said` goes into its configuration."""

    def __init__(self) -> None:
        self.keys = [public_jwk(RSA_KEYS[0], "first"), public_jwk(EC_KEY, "curve")]
        self.asked: list[str] = []
        self.broken = False
        self.said: dict[str, object] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def answer(self, handler) -> None:
        self.asked.append(handler.path)
        documents = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                **self.said,
            },
            "/keys": {"keys": self.keys},
        }
        known = handler.path in documents and not self.broken
        body = json.dumps(documents[handler.path]).encode() if known else b"{}"
        handler.send_response(200 if known else 500)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def token(self, *, private=RSA_KEYS[0], key_id="first", algorithm="RS256", header=None, **claims) -> str:
        """Return a token of this issuer for the user ana, ten minutes long unless `claims` say otherwise."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "ana", "iat": now, "exp": now + 600}
        named = {} if key_id is None else {"kid": key_id}
        return jwt.encode({**usual, **claims}, private, algorithm, headers={**named, **(header or {})})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
