"""Tokens for tests, signed with `cryptography`, which shares no code with ours."""

import hashlib
import json
import time

from api.passes import b64
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

SHA256 = hashes.SHA256


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class Key:
    """A key of an issuer: its entry in the set, and tokens that it signs."""

    def __init__(self, kid, alg="EdDSA"):
        self.kid, self.alg = kid, alg
        make = {
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
            "HS256": lambda: hashlib.sha256(kid.encode()).digest(),
        }
        self.key = make[alg]()

    @property
    def jwk(self):
        entry = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if self.alg == "HS256":
            return entry | {"kty": "oct", "k": b64(self.key)}
        public = self.key.public_key()
        if self.alg == "EdDSA":
            return entry | {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
        numbers = public.public_numbers()
        if self.alg == "RS256":
            return entry | {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        x, y = number(numbers.x, 32), number(numbers.y, 32)
        return entry | {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def sign(self, text):
        if self.alg == "EdDSA":
            return self.key.sign(text)
        if self.alg == "RS256":
            return self.key.sign(text, padding.PKCS1v15(), SHA256())
        if self.alg == "HS256":
            mac = hmac.HMAC(self.key, SHA256())
            mac.update(text)
            return mac.finalize()
        r, s = decode_dss_signature(self.key.sign(text, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, user=None, header=None, **claims):
        """Of the user, for an hour; claims that are None are left out."""
        head = {"alg": self.alg, "kid": self.kid, "typ": "JWT"} | (header or {})
        body = {"sub": user if user is None else str(user), "exp": int(time.time()) + 3600}
        body = {k: v for k, v in (body | claims).items() if v is not None}
        text = ".".join(b64(json.dumps(part).encode()) for part in (head, body))
        return f"{text}.{b64(self.sign(text.encode()))}"


def write_set(path, *keys):
    """Replaces the file of keys at once, as an operator should."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"keys": [key.jwk for key in keys]}), "utf-8")
    new.replace(path)
