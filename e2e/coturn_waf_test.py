"""The tokens of our WAF open coturn, and those of coturn's own tool open our relay."""

import base64
import re
import secrets
import time
import unittest

import turn
import waf
import world

KID = "kid-coturn-1"
LIFETIME = 90


def token_section(key, kid=KID):
    """coturn knows plain kids alone, and computes with 16 bytes of the MAC key."""
    return (
        f'keys = [{{ kid = "{kid}", key = "{world.base64_text(key)}", alg = "A256GCM", derives = false }}]\n'
        'mac_key = "coturn16"\nbrowser_form = false'
    )


class Coturn(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.key = secrets.token_bytes(32)
        cls.peer = cls.kept(world.EchoPeer())
        cls.coturn = cls.kept(world.Coturn("--lt-cred-mech", keys={KID: (cls.key, "A256GCM")}))
        cls.server = waf.WafAlone(cls.coturn.uri(), cls.coturn.realm, token_section(cls.key))
        cls.server.sections["waf.lifetimes"] = f"turn_token_seconds = {LIFETIME}"
        cls.server.write_config()
        cls.kept(cls.server)

    def client(self, pop, coturn=None, **changes):
        shown = {**pop, **changes}
        client = turn.TokenClient(
            (world.V4, (coturn or self.coturn).port), shown["kid"], base64.b64decode(shown["access_token"]),
            base64.b64decode(shown["key"]),
        )  # fmt: skip
        self.addCleanup(client.close)
        return client

    def assert_relays_through(self, client):
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())

    def test_gives_a_user_who_logs_in_a_relay_at_coturn(self):
        pop = self.server.tokens()["turn"]
        self.assertEqual((pop["kid"], pop["server_name"], pop["realm"]), (KID, world.SERVER_NAME, self.coturn.realm))
        self.assertEqual((pop["token_type"], len(base64.b64decode(pop["key"]))), ("pop", 16))
        self.assertNotIn("iceServers", pop, "coturn would not know what to do with the browser's form")
        client = self.client(pop)
        allocated = client.allocate()
        self.assertEqual(client.realm.rstrip("\0"), self.coturn.realm)
        self.assertTrue(0 < allocated.number(turn.LIFETIME) <= LIFETIME + 5, "the token bounds the allocation")
        self.assert_relays_through(client)

    def test_gives_a_service_a_relay_at_coturn(self):
        secret = self.server.folder / "gateway.secret"
        self.server.keep("client", "add", "gateway", "--method", "client_secret_basic", "--grant", "client_credentials",
                         "--scope", "turn", "--secret-to", secret)  # fmt: skip
        browser = self.server.browser()
        basic = world.base64_text(f"gateway:{secret.read_text().strip()}".encode())
        browser.opener.addheaders = [("Authorization", f"Basic {basic}")]
        answer = browser.post(f"{self.server.issuer}/token", grant_type="client_credentials", token_type="pop")
        self.assertEqual(answer.status, 200, answer)
        pop = answer.json()
        self.assert_relays(
            world.turnpike(
                "probe", self.coturn.uri(), "--kid", pop["kid"], "--token", pop["access_token"], "--mac-key", pop["key"]
            )
        )

    def test_renews_an_allocation_at_coturn(self):
        tokens = self.server.tokens()
        client = self.client(tokens["turn"])
        client.allocate()
        answer = self.server.browser().post(
            f"{self.server.issuer}/token", grant_type="refresh_token", client_id="wic",
            refresh_token=tokens["refresh_token"],
        )  # fmt: skip
        self.assertEqual(answer.status, 200, answer)
        pop = answer.json()["turn"]
        self.assertNotEqual(pop["access_token"], tokens["turn"]["access_token"])
        client.renew(base64.b64decode(pop["access_token"]), base64.b64decode(pop["key"]))
        self.assert_relays_through(client)

    def test_is_refused_by_coturn_where_anything_differs(self):
        pop = self.server.tokens()["turn"]
        whole = bytearray(base64.b64decode(pop["access_token"]))
        whole[20] ^= 1
        changes = {
            "token": {"access_token": world.base64_text(whole)},
            "key": {"key": world.base64_text(secrets.token_bytes(16))},
            "kid": {"kid": "kid-coturn-2"},
        }
        for name, change in changes.items():
            with self.subTest(name), self.assertRaises(turn.Refused) as refused:
                self.client(pop, **change).allocate()
            self.assertEqual(refused.exception.code, 401)
        other = self.started(world.Coturn("--lt-cred-mech", keys={KID: (secrets.token_bytes(32), "A256GCM")}))
        with self.assertRaises(turn.Refused) as refused:
            self.client(pop, other).allocate()
        self.assertEqual(refused.exception.code, 401, "the same kid with another key")

    def test_introspection_knows_what_coturn_was_shown(self):
        pop = self.server.tokens()["turn"]
        known = self.server.introspect(pop["access_token"])
        self.assertEqual((known["active"], known["aud"], known["token_type"]), (True, world.SERVER_NAME, "pop"))


class OurRelay(world.RelayCase):
    """turnutils_oauth takes nonce and MAC key as C strings: they are printable here."""

    def made_by_coturn(self, mac_key, *, name=world.SERVER_NAME, issued=None, lifetime=60, kid="k1"):
        issued = int(time.time()) if issued is None else issued
        finished = world.run(
            "turnutils_oauth", "-e", "-i", name, "-j", kid, "-k", world.base64_text(self.server.token_key),
            "-l", issued - 100, "-m", 86400, "-n", "A256GCM", "-o", world.base64_text(secrets.token_hex(6).encode()),
            "-p", world.base64_text(mac_key), "-q", issued << 16, "-r", lifetime,
        )  # fmt: skip
        self.assert_status(finished, 0)
        return base64.b64decode(re.search(r'"access_token":\s*"([^"]+)"', finished.text).group(1))

    def token_client(self, token, mac_key, kid="k1"):
        client = turn.TokenClient((world.V4, self.server.port), kid, token, mac_key)
        self.addCleanup(client.close)
        return client

    def test_takes_tokens_of_coturns_tool(self):
        mac_key = secrets.token_hex(10).encode()
        client = self.token_client(self.made_by_coturn(mac_key), mac_key)
        allocated = client.allocate()
        self.assertEqual(client.realm, self.server.realm)
        self.assertLessEqual(allocated.number(turn.LIFETIME), 66)
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        newer = secrets.token_hex(10).encode()
        client.renew(self.made_by_coturn(newer), newer)
        self.assertTrue(client.echoes())

    def test_takes_a_client_that_computes_as_coturn_does(self):
        mac_key = secrets.token_hex(10).encode()
        client = self.token_client(self.made_by_coturn(mac_key), mac_key[:16])
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())

    def test_refuses_what_does_not_fit(self):
        mac_key = secrets.token_hex(10).encode()
        now = int(time.time())
        wrong = {
            "for another server": (self.made_by_coturn(mac_key, name="turn.other.example"), mac_key, "k1"),
            "over": (self.made_by_coturn(mac_key, issued=now - 600), mac_key, "k1"),
            "of another kid": (self.made_by_coturn(mac_key), mac_key, "k2"),
            "with another MAC key": (self.made_by_coturn(mac_key), mac_key[::-1], "k1"),
        }
        for name, (token, key, kid) in wrong.items():
            with self.subTest(name), self.assertRaises(turn.Refused) as refused:
                self.token_client(token, key, kid).allocate()
            self.assertEqual(refused.exception.code, 401)


if __name__ == "__main__":
    unittest.main()
