"""turnpike as eP-CSCF in front of Kamailio's I-CSCF and S-CSCF: registration, calls, and credentials that end in time."""

import re
import unittest

import epcscf
import hss
import identity_provider
import kamailio_core
import sip
import turn
import websocket
import world

ALICE, BOB = ("alice", "wonder land"), ("bob", "looking-glass")
ASKING = ("Turn-Credentials", "request")


def subscriber(name, password):
    return hss.Subscriber(f"{name}@ims.example", password, [f"sip:{name}@ims.example"])


def password_value(answer):
    """(username, password) of the first value of Turn-Credentials."""
    value = answer.header("Turn-Credentials")
    return tuple(re.search(rf';{name}="((?:[^"\\]|\\.)*)"', value).group(1) for name in ("username", "password"))


class WithKamailio(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.core = cls.kept(kamailio_core.KamailioCore([subscriber(*ALICE), subscriber(*BOB)]))
        cls.peer = cls.kept(world.EchoPeer())
        claims = {"impi": "alice@ims.example", "impus": ["sip:alice@ims.example"]}
        cls.provider = cls.kept(identity_provider.IdentityProvider({"alice": claims}))
        tokens = f'authz_server = "{cls.provider.issuer}"\n{cls.provider.tables()}'
        cls.server = cls.kept(epcscf.EpCscf(cls.core.uri, trusted_core=[cls.core.scscf_host], sections={"epcscf.tokens": tokens}))

    def wic(self, user, password=""):
        agent = self.server.wic(user, password)
        self.addCleanup(agent.transport.close)
        return agent

    def registered(self, user, password):
        agent = self.wic(user, password)
        challenged, answer = agent.register_by_digest(ASKING)
        self.assertEqual(challenged.status, 401, challenged)
        self.assertEqual(answer.status, 200, answer)
        return agent, answer

    def assert_relays(self, credential):
        client = turn.Client((world.V4, self.server.port), *credential)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client

    def assert_refused(self, credential):
        client = turn.Client((world.V4, self.server.port), *credential)
        self.addCleanup(client.close)
        with self.assertRaises(turn.Refused) as refused:
            client.allocate()
        self.assertEqual(refused.exception.code, 401)

    def test_registers_by_digest_and_hands_out_credentials_until_the_user_leaves(self):
        agent, answer = self.registered(*ALICE)
        self.assertIn("<sip:alice@ims.example>", answer.header("P-Associated-URI"))
        self.assertTrue(agent.route)
        credential = password_value(answer)
        client = self.assert_relays(credential)
        try:
            gone = agent.register(expires=0)
            if gone.status == 401:
                authorization = sip.digest(gone.header("WWW-Authenticate"), agent.impi, agent.password, "REGISTER", "sip:ims.example")
                gone = agent.register(expires=0, authorization=authorization)
            self.assertEqual(gone.status, 200, gone)
        except websocket.Closed as closed:
            # The core's NOTIFY of the end may overtake its 200 OK, and ends the connection.
            self.assertEqual(closed.code, 1000)
        self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2)), "it relays on and on")
        self.assert_refused(credential)

    def test_registers_by_a_token_whom_the_core_then_does_not_challenge(self):
        token = self.provider.token("alice")
        agent = self.wic("alice")
        self.core.hss.asked.clear()
        answer = agent.register(ASKING, authorization=sip.bearer(token))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([command for command, _, _ in self.core.hss.asked], [hss.UAR, hss.SAR])
        self.assertIn("<sip:alice@ims.example>", answer.header("P-Associated-URI"))
        client = self.assert_relays(password_value(answer))
        try:
            self.assertEqual(agent.register(expires=0, authorization=sip.bearer(token)).status, 200)
        except websocket.Closed as closed:
            self.assertEqual(closed.code, 1000)
        self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2)), "it relays on and on")
        self.assert_refused(password_value(answer))

    def test_lets_nobody_in_who_writes_what_the_edge_writes(self):
        digest = 'Digest username="alice@ims.example", realm="ims.example", uri="sip:ims.example", nonce="", response="0"'
        self.core.hss.asked.clear()
        for bait, status in (('opaque="integrity-protected=auth-done"', 400), ('integrity-protected="auth-done"', 401)):
            answer = self.wic("alice").register(ASKING, authorization=f"{digest}, {bait}")
            self.assertEqual(answer.status, status, answer)
            self.assertIsNone(answer.header("Turn-Credentials"))
        self.assertNotIn(hss.SAR, [command for command, _, _ in self.core.hss.asked])
        self.assertEqual(self.server.log().count("reason=forged_trust"), 2)

    def test_refuses_a_wrong_password_without_credentials(self):
        agent = self.wic("alice", "wrong")
        _, answer = agent.register_by_digest(ASKING)
        self.assertEqual(answer.status, 403, answer)
        self.assertIsNone(answer.header("Turn-Credentials"))

    def test_places_a_call_and_ends_it(self):
        (alice, _), (bob, _) = self.registered(*ALICE), self.registered(*BOB)
        invite = alice.invite(bob.aor, body="v=0\r\n")
        arrived = bob.arrived("INVITE")
        self.assertIn("alice@ims.example", arrived.header("P-Asserted-Identity"))
        self.assertEqual(arrived.body, "v=0\r\n")
        bob.answer(arrived, 180, "Ringing")
        alice.wait(lambda m: m.status == 180)
        bob.answer(arrived, 200, "OK", ("Contact", bob.contact), ("Content-Type", "application/sdp"), body="v=1\r\n")
        answer = alice.final(invite)
        self.assertEqual((answer.status, answer.body), (200, "v=1\r\n"), answer)
        alice.acknowledge(invite, answer)
        bob.arrived("ACK")
        bye = alice.send(alice.in_dialog("BYE", invite, answer))
        bob.answer(bob.arrived("BYE"), 200, "OK")
        self.assertEqual(alice.final(bye).status, 200)

    def test_ends_the_credentials_when_the_network_ends_the_registration(self):
        agent, answer = self.registered(*BOB)
        self.registered(*ALICE)  # which takes longer than turnpike's SUBSCRIBE for bob, which left before it
        client = self.assert_relays(password_value(answer))
        self.core.withdraw(agent.impi)
        self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2)), "it relays on and on")
        self.assert_refused(password_value(answer))


if __name__ == "__main__":
    unittest.main()
