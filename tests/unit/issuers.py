"""An issuer of tokens on loopback: it serves a JWKS, and may rotate keys, lie or be down."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

FAR = 4_000_000_000  # 2096

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def jwk(key, kid):
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def pem(key):
    kind, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(kind, form).decode()


def token(key=RSA, *, kid="one", algorithm="RS256", headers=None, **claims):
    """A good token, but for what is said otherwise; a claim of None is left out."""
    said = {"iss": "https://issuer", "aud": "shop", "sub": "ada", "exp": FAR, **claims}
    said = {name: value for name, value in said.items() if value is not None}
    fields = {**({"kid": kid} if kid is not None else {}), **(headers or {})}
    return jwt.encode(said, key, algorithm=algorithm, headers=fields)


class Issuer:
    """Serves `keys` at `url`; counts how often it is asked."""

    def __init__(self):
        self.keys = [jwk(RSA, "one"), jwk(EC, "two")]
        self.body = None  # in place of them
        self.status = 200
        self.asked = 0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.asked += 1
                body = issuer.body or json.dumps({"keys": issuer.keys}).encode()
                self.send_response(issuer.status)
                self.send_header("content-length", str(len(body)))
                self.send_header("location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks.json"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
