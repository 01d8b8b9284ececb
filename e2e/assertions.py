"""Somebody who vouches for users with signed assertions (RFC 7523): an ECDSA key, its JWKS, and what it says."""

import base64
import json
import secrets
import subprocess
import time


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpack_integers(der):
    """The two integers of an ECDSA signature (RFC 3279 section 2.2.3), each of 32 bytes."""
    place, joined = 2, b""
    for _ in range(2):
        size = der[place + 1]
        joined += der[place + 2 : place + 2 + size].lstrip(b"\0").rjust(32, b"\0")
        place += 2 + size
    return joined


class Voucher:
    def __init__(self, folder, issuer, kid="v1"):
        self.issuer, self.kid, self.key = issuer, kid, folder / f"{secrets.token_hex(4)}.key"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key],
            check=True, capture_output=True,
        )  # fmt: skip

    def jwks(self):
        public = self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-64:]  # behind 0x04: x, y
        key = {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": encode(public[:32]), "y": encode(public[32:])}
        return json.dumps({"keys": [key]})

    def assertion(self, audience, alg="ES256", **claims):
        now = int(time.time())
        header = {"alg": alg, "kid": self.kid}
        payload = {"iss": self.issuer, "aud": audience, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8), **claims}
        said = ".".join(encode(json.dumps(part).encode()) for part in (header, payload))
        signature = self._openssl("dgst", "-sha256", "-sign", self.key, data=said.encode())
        return f"{said}.{encode(unpack_integers(signature)) if alg != 'none' else ''}"

    @staticmethod
    def _openssl(*arguments, data=b""):
        return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True).stdout
