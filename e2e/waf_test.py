"""From the login page to relayed packets, and back: the WAF with browser, WIC, eP-CSCF and relay."""

import json
import secrets
import unittest
import urllib.parse

import epcscf
import home
import sip
import turn
import waf
import websocket
import world


class Waf(waf.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(waf.Waf(users=("alice", "bob", "carol", "dora", "erin")))
        cls.peer = cls.kept(world.EchoPeer())

    def assert_ends(self, client):
        self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2), 3), "it relays on and on")

    def test_from_the_login_page_to_relayed_packets_and_back(self):
        server, verifier = self.server, secrets.token_urlsafe(32)
        browser = server.browser()
        page = browser.get(server.authorization(verifier))
        self.assertEqual(page.status, 200, page)
        self.assertIn("The &lt;phone&gt;", page.text)
        wrong = server.log_in(browser, page, password="not wonderland")
        self.assertEqual(wrong.status, 403, wrong)
        asked = browser.get(server.log_in(browser, wrong).location)
        self.assertEqual(asked.status, 200, asked)
        self.assertIn("alice", asked.text)
        back = browser.post(f"{server.issuer}/consent", decision="allow", **asked.hidden())
        said = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back.location).query))
        self.assertTrue(back.location.startswith(waf.REDIRECT), back)
        self.assertEqual((said["state"], said["iss"]), ("s&1", server.issuer))

        answer = server.redeem(back.location, verifier)
        self.assertEqual((answer.status, answer.fields["Cache-Control"]), (200, "no-store"), answer)
        tokens = answer.json()
        client = self.allocated(tokens)
        pop = tokens["turn"]
        self.assert_relays(
            world.turnpike(
                "probe", server.uri(), "--kid", pop["kid"], "--token", pop["access_token"], "--mac-key", pop["key"]
            )
        )
        self.assert_registers(tokens["access_token"])

        known = server.introspect(tokens["access_token"])
        self.assertEqual((known["active"], known["impi"]), (True, f"alice@{epcscf.REALM}"))
        self.assertTrue(server.introspect(pop["access_token"])["active"])
        revoked = browser.post(f"{server.issuer}/revoke", token=tokens["refresh_token"], client_id="wic")
        self.assertEqual(revoked.status, 200, revoked)
        self.assert_ends(client)
        with self.assertRaises(turn.Refused):
            self.allocated(tokens)
        for token in (tokens["access_token"], pop["access_token"]):
            self.assertEqual(server.introspect(token), {"active": False})

    def assert_registers(self, token, user="alice"):
        file = self.server.folder / f"{user}.token"
        file.write_text(token)
        finished = world.turnpike(
            "wic", "register", self.server.door, "--identity", f"sip:{user}@{epcscf.REALM}", "--token-file", file,
            "--ca", self.server.certificate, "--json",
        )  # fmt: skip
        self.assert_status(finished, 0)
        self.assertEqual(json.loads(finished.out)["login"], "Bearer")

    def test_a_user_who_is_removed_relays_no_more(self):
        client = self.allocated(self.server.tokens("bob"))
        self.assertIn("taken back at the relays", self.server.keep("user", "remove", "bob"))
        self.assert_ends(client)
        page = (browser := self.server.browser()).get(self.server.authorization("v" * 43))
        self.assertEqual(self.server.log_in(browser, page, "bob").status, 403)

    def registered(self, tokens, user):
        """(a WIC that is registered with the token, a client that relays with what its 200 has brought)"""
        agent = self.server.wic(user)
        self.addCleanup(agent.transport.close)
        answer = agent.register(("Turn-Credentials", "request"), authorization=sip.bearer(tokens["access_token"]))
        self.assertEqual(answer.status, 200, answer)
        given = home.Credential(answer.header("Turn-Credentials"))
        return agent, self.allocated_with(given.username, given.password)

    def assert_is_sent_away(self, agent, client, tokens, user):
        self.assert_ends(client)
        with self.assertRaisesRegex(websocket.Closed, "token_revoked"):
            agent.arrived("NOTIFY")
        again = self.server.wic(user)
        self.addCleanup(again.transport.close)
        self.assertEqual(again.register(authorization=sip.bearer(tokens["access_token"])).status, 401)

    def test_a_revoked_authorization_ends_the_registration(self):
        tokens, others = self.server.tokens("erin"), self.server.tokens("erin")
        agent, client = self.registered(tokens, "erin")
        other, other_client = self.registered(others, "erin")
        form = {"token": tokens["refresh_token"], "client_id": "wic"}
        self.assertEqual(self.server.browser().post(f"{self.server.issuer}/revoke", **form).status, 200)
        self.assert_is_sent_away(agent, client, tokens, "erin")
        self.assertTrue(other_client.echoes(), "another login of the same user goes on")
        self.assertIsNone(other.transport.receive(0.2))

    def test_a_disabled_user_is_registered_no_more(self):
        tokens = self.server.tokens("dora")
        agent, client = self.registered(tokens, "dora")
        self.server.keep("user", "disable", "dora")
        self.assert_is_sent_away(agent, client, tokens, "dora")

    def test_nothing_secret_is_said(self):
        tokens = self.server.tokens("carol")
        said = self.server.log() + world.turnpike("check", self.server.config).text
        said += self.server.keep("client", "list", "--json") + self.server.keep("user", "list", "--json")
        secret = (self.server.folder / "introspection.secret").read_text().strip()
        for word in (waf.PASSWORD, tokens["access_token"], tokens["refresh_token"], tokens["turn"]["key"], secret):
            self.assertNotIn(word, said)

    def test_counts_what_it_answered(self):
        self.server.tokens("carol")
        metrics = self.server.admin("stats", "--metrics").out
        self.assertRegex(metrics, r'turnpike_waf_requests_total\{endpoint="/token",status="200"\} [1-9]')


class Restart(world.Case):
    def test_forgets_nothing(self):
        server = self.started(waf.Waf())
        tokens = server.tokens()
        keys = server.browser().get(f"{server.issuer}/jwks").json()
        self.assertEqual(server.stop(), 0)
        world.Turnpike.start(server)  # whose accounts are there
        self.assertEqual(server.browser().get(f"{server.issuer}/jwks").json(), keys)
        self.assertTrue(server.introspect(tokens["access_token"])["active"])
        again = server.browser().post(
            f"{server.issuer}/token", grant_type="refresh_token", client_id="wic", refresh_token=tokens["refresh_token"]
        )
        self.assertEqual(again.status, 200, again)


if __name__ == "__main__":
    unittest.main()
