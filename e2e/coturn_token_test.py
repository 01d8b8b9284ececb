"""Access tokens of RFC 7635: what turnutils_oauth makes opens here, and what we make opens there."""

import re
import secrets
import time
import unittest

import world

KEY = b"HGkj32KJGiuy098sdfaqbNjOiaz71923"  # of RFC 7635 appendix A
MAC_KEY = b"ZksjpweoixXmvn67534m"
NONCE = b"h4j3k2l2n4b5"
APPENDIX_A = 1410984813
IMS = 1893456000


class Vector:
    """One set of inputs for both programs."""

    def __init__(self, *, name, issued, lifetime, key_from, key_for, kid="k", algorithm="A256GCM", mac=MAC_KEY, nonce=NONCE):
        self.name, self.issued, self.lifetime, self.algorithm = name, issued, lifetime, algorithm
        self.key_from, self.key_for, self.kid, self.mac, self.nonce = key_from, key_for, kid, mac, nonce

    def sealing_there(self):
        return (
            "-i", self.name, "-j", self.kid, "-k", world.base64_text(KEY), "-l", self.key_from, "-m", self.key_for,
            "-n", self.algorithm,
        )  # fmt: skip

    def made_there(self):
        """turnutils_oauth takes nonce and mac key as C strings, so they are printable here."""
        timestamp = self.issued << 16
        finished = world.run(
            "turnutils_oauth", "-e", *self.sealing_there(), "-o", world.base64_text(self.nonce),
            "-p", world.base64_text(self.mac), "-q", timestamp, "-r", self.lifetime,
        )  # fmt: skip
        return re.search(r'"access_token":\s*"([^"]+)"', finished.text).group(1)

    def opened_there(self, token):
        return world.run("turnutils_oauth", "-v", "-d", *self.sealing_there(), "-t", token)

    def made_here(self):
        finished = world.turnpike(
            "token", "encode", "--key", world.base64_text(KEY), "--server-name", self.name, "--alg", self.algorithm,
            "--mac-key", world.base64_text(self.mac), "--nonce", world.base64_text(self.nonce),
            "--issued-at", self.issued, "--lifetime", self.lifetime,
        )  # fmt: skip
        return finished.out.strip()

    def opened_here(self, token):
        return world.turnpike(
            "token", "decode", "--key", world.base64_text(KEY), "--server-name", self.name, "--alg", self.algorithm, token
        )


def appendix_a(**changes):
    settings = dict(name="blackdow.carleon.gov", kid="2783466234", issued=APPENDIX_A, lifetime=3600)
    return Vector(**{**settings, "key_from": 1234567890, "key_for": 3600, **changes})


def ims(**changes):
    settings = dict(name="turn.ims.example", kid="kid-ims-1", issued=IMS, lifetime=600)
    return Vector(**{**settings, "key_from": IMS, "key_for": 86400, **changes})


V1 = "AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXNO23KbxDPt35bLd7ITSk6XFBJk1nwwuJvdg=="
V2 = "AAxoNGozazJsMm40YjV/uemfCCe+PfHhvWUUk9MDHTbfVweXhK7l6stl+tTyf6saP5eXS2n4UbJL9a8J7aNX4A=="
V3 = "AAxoNGozazJsMm40YjVhfvE0o9XkTpoZzH3BBLDAPQOypVHY/fXp+V4nbxDPt3ITx2zUH++R7DP7mSKTPqsZMw=="
V4 = "AAxoNGozazJsMm40YjV/uemfCCe+PfHhvWUUk9MDHTbfVweXhK7BKPiI+tTyf6dSDBDUKKu49HP22rCsb2hWHA=="
V5 = (
    "AAxoNGozazJsMm40YjVhSptu4oygDMlBnTz4C6XKblLg/gzfvLfaZsPhKFiG/TsHErzNX/FT/rTZCxZNZSgaWsab9dyYhf7VzYjnlA=="
)
V6 = (
    "000c0102030405060708090a0b0c9d61de5f24e9587fd63e0ad88da6f6fac8e5e6d5b7183db0d7c601c0ab1b0011a1ba4b9b6184b93f"
    "dcdaa4aa753d08d7b4e8"
)
V7 = "AAy1JBYVLo16iq9gFdHyyknmx5T/Lq9YlbxgUdLcStOFS0H8xhHceHOL2f49qxp4uBpGuuLeLqk+RcAa5uP2EQ=="
VECTORS = {
    V1: appendix_a(),
    V2: appendix_a(algorithm="A128GCM"),
    V3: ims(),
    V4: ims(algorithm="A128GCM"),
    V5: ims(mac=b"0123456789abcdefghijABCDEFGHIJKL"),
}


class Tokens(world.Case):
    def test_are_the_same_bytes_as_those_of_coturn(self):
        for token, vector in VECTORS.items():
            with self.subTest(token):
                self.assertEqual(vector.made_there(), token)
                self.assertEqual(vector.made_here(), token)

    def test_of_coturn_open_here(self):
        for token, vector in VECTORS.items():
            with self.subTest(token):
                opened = vector.opened_here(token)
                self.assert_status(opened, 0)
                self.assertIn(world.base64_text(vector.mac), opened.out)
                self.assertIn(str(vector.issued << 16), opened.out)
                self.assertRegex(opened.out, rf"lifetime +{vector.lifetime} s")

    def test_of_ours_open_at_coturn(self):
        vector = ims()
        vector.nonce = secrets.token_hex(6).encode()
        vector.issued = int(time.time())
        vector.key_from = vector.issued - 100
        opened = vector.opened_there(vector.made_here())
        self.assert_status(opened, 0)
        self.assertIn(MAC_KEY.decode(), opened.text)

    def test_with_a_fraction_of_a_second_and_binary_keys(self):
        encode = ("token", "encode", "--key", world.base64_text(KEY), "--server-name", "turn.ims.example", "--hex")
        nonce, mac = bytes(range(1, 13)), bytes(range(1, 21))
        made = world.turnpike(
            *encode, "--mac-key", world.base64_text(mac), "--nonce", world.base64_text(nonce),
            "--timestamp", IMS << 16 | 32000, "--lifetime", 600,
        )  # fmt: skip
        self.assertEqual(made.out.strip(), V6, str(made))

    def test_of_coturns_example_script_opens_here(self):
        example = Vector(name="example.com", issued=249231600, lifetime=3600, key_from=0, key_for=0)
        opened = example.opened_here(V7)
        self.assert_status(opened, 0)
        self.assertIn(world.base64_text(MAC_KEY), opened.out)
        self.assertIn("16333642137600", opened.out)

    def test_do_not_open_for_another_name_or_when_altered(self):
        vector = appendix_a(name="wrong.example")
        self.assertNotEqual(vector.opened_there(V1).status, 0)
        self.assert_status(vector.opened_here(V1), 1)
        self.assert_status(appendix_a().opened_here("AAxoNGoz" + "B" + V1[9:]), 1)
        self.assert_status(appendix_a().opened_here(V1[:24]), 2)


if __name__ == "__main__":
    unittest.main()
