"""The identity provider of the tests by itself: what its tokens say, as JWT and by introspection."""

import base64
import json
import unittest

import identity_provider
import world

CLAIMS = {"impi": "alice@ims.example", "impus": ["sip:alice@ims.example"], "wwsf": "shop"}


def opened(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Tokens(world.Case):
    def setUp(self):
        self.provider = self.started(identity_provider.IdentityProvider({"alice": CLAIMS}))

    def test_say_who_the_user_is_in_the_ims(self):
        header, payload, _ = self.provider.token("alice").split(".")
        self.assertEqual((opened(header)["alg"], opened(header)["typ"]), ("RS256", "at+jwt"))
        said = opened(payload)
        self.assertEqual({name: said[name] for name in CLAIMS}, CLAIMS)
        self.assertEqual((said["iss"], said["aud"]), (self.provider.issuer, identity_provider.AUDIENCE))
        self.assertEqual(said["exp"] - said["iat"], 600)
        self.assertIn(opened(header)["kid"], [key["kid"] for key in self.provider.key_set()["keys"]])

    def test_say_the_same_when_they_are_introspected_until_they_are_revoked(self):
        token = self.provider.token("alice", opaque=True)
        said = self.provider.introspect(token)
        self.assertTrue(said["active"])
        self.assertEqual({name: said[name] for name in CLAIMS}, CLAIMS)
        self.provider.revoke(token)
        self.assertEqual(self.provider.introspect(token), {"active": False})

    def test_are_not_given_to_a_stranger(self):
        with self.assertRaises(AssertionError):
            self.provider.token("mallory")


if __name__ == "__main__":
    unittest.main()
