"""A WAF in a process of its own: the eP-CSCF asks it about tokens (W5), and it tells the relay what was revoked."""

import contextlib
import socket
import time
import unittest

import epcscf
import sip
import waf
import world

KEY = 'keys = [{ kid = "k1", key = "dGhpcnR5LXR3by1ieXRlcy1mb3ItdGhlLXRva2Vucy4=" }]'
ASKING = ("Turn-Credentials", "request")


class Elsewhere(waf.Case):
    @classmethod
    def setUpClass(cls):
        cls.peer = cls.kept(world.EchoPeer())
        cls.server = epcscf.EpCscf(sources=("token",), passwords={"alice": "of nobody", "bob": "of nobody"})
        cls.waf = waf.WafAlone(cls.server.uri(), cls.server.realm, KEY, users=("alice", "bob"))
        place = f"{world.V4}:{world.free_port()}"
        cls.waf.sections["[relays]"] = (
            f'url = "https://{place}"\ncertificate = "{cls.waf.certificate}"\nkey = "{cls.waf.key}"\n'
            f'ca = "{cls.server.certificate}"\nuris = ["{cls.server.uri()}?transport=udp"]'
        )
        cls.waf.sections["waf.limits"] = "connections_total = 20"
        cls.waf.write_config()
        cls.kept(cls.waf)
        cls.waf.keep("client", "add", "edge", "--method", "client_secret_basic", "--introspects", waf.AUDIENCE,
                     "--secret-to", cls.waf.folder / "edge.secret")  # fmt: skip
        cls.server.sections |= {
            "credentials.interface": f'listen = "{place}"\ncertificate = "{cls.server.certificate}"\n'
            f'key = "{cls.server.key}"\nclient_ca = "{cls.waf.certificate}"\nallowed_names = ["localhost"]',
            "credentials.token": KEY,
            "epcscf.tokens": f'authz_server = "{cls.waf.issuer}"\n[epcscf.tokens.introspection]\n'
            f'endpoint = "{cls.waf.issuer}/introspect"\nclient_id = "edge"\n'
            f'client_secret_file = "{cls.waf.folder}/edge.secret"\nissuer = "{cls.waf.issuer}"\n'
            f'audience = "{waf.AUDIENCE}"\nca_file = "{cls.waf.certificate}"\ncache_seconds = 0',
        }
        cls.server.write_config()
        cls.kept(cls.server)
        relays = lambda: world.turnpike("admin", "relays", "--config", cls.waf.config).out  # noqa: E731
        if not world.eventually(lambda: "offered" in relays(), 20):
            raise AssertionError(f"the WAF does not reach the relay: {relays()}")

    def register(self, token, user="alice"):
        agent = self.server.wic(user)
        self.addCleanup(agent.transport.close)
        return agent.register(ASKING, authorization=sip.bearer(token))

    def assert_ends_within_a_second(self, client, done):
        began = time.monotonic()
        done()
        while client.echoes(seconds=0.1):
            self.assertLess(time.monotonic() - began, 1, "it relays on and on")

    def test_is_asked_about_each_token(self):
        tokens = self.waf.tokens()
        self.assertEqual(self.register(tokens["access_token"]).status, 200)
        self.assertEqual(self.register(tokens["access_token"], "bob").status, 403, "it is of another user")
        revoked = self.waf.browser().post(f"{self.waf.issuer}/revoke", token=tokens["access_token"], client_id="wic")
        self.assertEqual(revoked.status, 200, revoked)
        self.assertEqual(self.register(tokens["access_token"]).status, 401)

    def test_takes_a_token_back_at_the_relay(self):
        tokens = self.waf.tokens()
        client, other = self.allocated(tokens), self.allocated(self.waf.tokens("bob"))
        revoke = lambda: self.waf.browser().post(  # noqa: E731
            f"{self.waf.issuer}/revoke", token=tokens["refresh_token"], client_id="wic"
        )
        self.assert_ends_within_a_second(client, revoke)
        self.assertTrue(other.echoes())

    def test_takes_everything_of_a_user_back_by_a_command(self):
        client, other = self.allocated(self.waf.tokens("bob")), self.allocated(self.waf.tokens())
        self.addCleanup(self.waf.keep, "user", "enable", "bob")
        self.assert_ends_within_a_second(client, lambda: self.waf.keep("user", "disable", "bob"))
        self.assertTrue(other.echoes())

    def test_serves_others_while_somebody_holds_all_connections(self):
        with contextlib.ExitStack() as held:
            for _ in range(60):
                held.enter_context(socket.create_connection((world.V4, self.waf.waf_port)))
            began = time.monotonic()
            self.assertEqual(self.waf.browser().get(f"{self.waf.issuer}/jwks").status, 200)
            self.assertLess(time.monotonic() - began, 5, "nobody waits for connections to time out")


if __name__ == "__main__":
    unittest.main()
