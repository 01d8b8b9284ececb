"""`turnpike probe` relays through coturn's server and through ours, with every credential that there is."""

import base64
import hashlib
import hmac
import json
import secrets
import time
import unittest

import world

KID, KEY = "e2e-kid", hashlib.sha256(b"the AS-RS key of this test").digest()


def probe(server, *options, host=world.V4):
    return world.turnpike("probe", server.uri(host), "--count", 5, "--timeout-ms", 3000, "--json", *options)


def rest_credential(secret, lifetime=600):
    username = f"{int(time.time()) + lifetime}:carol"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return ("--user", username, "--password", world.base64_text(digest))


def token_credential(kid, key, server_name=world.SERVER_NAME, lifetime=600):
    mac_key = world.base64_text(secrets.token_bytes(20))
    made = world.turnpike(
        "token", "encode", "--key", world.base64_text(key), "--server-name", server_name, "--mac-key", mac_key,
        "--lifetime", lifetime,
    )  # fmt: skip
    return ("--kid", kid, "--token", made.out.strip(), "--mac-key", mac_key)


def ice_credential(issued):
    ice = json.loads(issued.out)["iceServers"][0]
    return ("--user", ice["username"], "--password", ice["credential"])


class Probing(world.Case):
    def assert_relayed(self, finished):
        self.assert_status(finished, 0)
        report = json.loads(finished.out)
        echoes = report["round_trips"]["channel_data"]
        self.assertEqual((echoes["sent"], echoes["received"]), (5, 5), finished.out)

    def assert_refused(self, finished, *words):
        self.assert_status(finished, 1)
        for word in words:
            self.assertIn(word, finished.text)


class AtCoturn(Probing):
    def test_relays_with_static_credentials(self):
        server = self.started(world.Coturn("--lt-cred-mech", "-u", f"{world.PLAIN_USER}:{world.PLAIN_PASSWORD}"))
        credential = ("--user", world.PLAIN_USER, "--password", world.PLAIN_PASSWORD)
        for host in (world.V4, world.V6):
            for relayed in ((), ("--relayed-family", "ipv6")):
                with self.subTest(f"{host} {relayed}"):
                    self.assert_relayed(probe(server, *credential, *relayed, host=host))
        self.assert_refused(probe(server, "--user", world.PLAIN_USER, "--password", "wrong"), "401")

    def test_relays_with_rest_credentials(self):
        server = self.started(world.Coturn("--use-auth-secret", f"--static-auth-secret={world.SECRET}"))
        self.assert_relayed(probe(server, *rest_credential(world.SECRET)))
        self.assert_refused(probe(server, *rest_credential("another-shared-secret")), "401")
        self.assert_refused(probe(server, *rest_credential(world.SECRET, lifetime=-10)), "401")

    def test_relays_with_a_token_by_the_rule_of_coturn_alone(self):
        server = self.started(world.Coturn("--lt-cred-mech", "-u", "unused:unused", keys={KID: (KEY, "A256GCM")}))
        credential = token_credential(KID, KEY)
        self.assert_relayed(probe(server, *credential, "--coturn16"))
        self.assert_refused(probe(server, *credential), "401")
        self.assert_refused(probe(server, *token_credential(KID, KEY, "other.example"), "--coturn16"), "401")

    def test_says_that_nobody_answers(self):
        class Nobody:
            port = world.free_port()

            def uri(self, _):
                return f"turn:{world.V4}:{self.port}"

        self.assert_refused(probe(Nobody()))


class AtTurnpike(Probing):
    def setUp(self):
        self.server = self.started(world.Turnpike())

    def test_relays_with_static_credentials(self):
        credential = ("--user", world.USER, "--password", world.PASSWORD)
        for host in (world.V4, world.V6):
            for more in ((), ("--relayed-family", "ipv6"), ("--no-password-algorithms",)):
                with self.subTest(f"{host} {more}"):
                    self.assert_relayed(probe(self.server, *credential, *more, host=host))
        self.assert_refused(probe(self.server, "--user", world.USER, "--password", "wrong"), "401")

    def test_tells_what_the_server_wants_when_it_has_no_credential(self):
        finished = probe(self.server)
        self.assertIn(self.server.realm, finished.text)
        self.assertIn(world.SERVER_NAME, finished.text)

    def test_relays_with_computed_credentials(self):
        self.assert_relayed(probe(self.server, *ice_credential(self.server.issue("computed"))))
        self.assert_relayed(probe(self.server, *rest_credential(world.SECRET)))
        self.assert_refused(probe(self.server, *rest_credential("another-shared-secret")), "401")
        self.assert_refused(probe(self.server, *rest_credential(world.SECRET, lifetime=-10)), "401")

    def test_relays_with_pushed_credentials(self):
        self.assert_relayed(probe(self.server, *ice_credential(self.server.issue("pushed"))))
        by_hand = ("--username", "dave", "--password", "pass: word\"'", "--ttl", 60)
        self.assert_status(self.server.admin("push", *by_hand), 0)
        self.assert_relayed(probe(self.server, "--user", "dave", "--password", "pass: word\"'"))
        self.assert_refused(probe(self.server, "--user", "dave", "--password", "password"), "401")

    def test_relays_with_tokens_of_a_native_client(self):
        issued = self.server.issue("token", "--form", "rfc7635")
        self.assert_status(issued, 0)
        answer = json.loads(issued.out)
        shown = ("--kid", answer["kid"], "--token", answer["access_token"], "--mac-key", answer["key_b64"])
        self.assert_relayed(probe(self.server, *shown))
        credential = token_credential("k1", self.server.token_key)
        self.assert_relayed(probe(self.server, *credential))
        self.assert_relayed(probe(self.server, *credential, "--coturn16"))  # mac_key = "auto"
        self.assert_refused(probe(self.server, *token_credential("k1", secrets.token_bytes(32))), "401")
        self.assert_refused(probe(self.server, *token_credential("k9", self.server.token_key)), "401")

    def test_relays_with_tokens_of_a_browser(self):
        issued = self.server.issue("token", "--form", "browser")
        username, password = ice_credential(issued)[1::2]
        self.assert_relayed(probe(self.server, "--user", username, "--password", password))
        self.assertLess(len(username), 509)
        self.assertEqual(len(base64.b64decode(password)), 20)
        altered = username[:-8] + ("A" if username[-8] != "A" else "B") + username[-7:]
        self.assert_refused(probe(self.server, "--user", altered, "--password", password), "401")


if __name__ == "__main__":
    unittest.main()
