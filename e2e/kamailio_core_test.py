"""The home network of the tests by itself: what Kamailio's I-CSCF and S-CSCF ask of an edge, and what they answer.

The edge here is a UDP socket and this test, so that what turnpike has to send is known apart from turnpike.
"""

import unittest

import hss
import kamailio_core
import sip
import world

ALICE = ("alice", "wonder land")
BOB = ("bob", "looking-glass")


def visited(agent):
    """What an edge adds to each REGISTER."""
    here = f"{agent.transport.host}:{agent.transport.port}"
    return [
        ("Path", f"<sip:{agent.user}@{here};lr;ob>"),
        ("Require", "path"),
        ("P-Visited-Network-ID", '"visited.example"'),
        ("P-Charging-Vector", f"icid-value={agent.call_id};icid-generated-at={agent.transport.host}"),
    ]


def trusted(impi):
    """TS 24.229 section 5.2.2: the Authorization of a user whom the edge has authenticated."""
    return (
        f'Digest username="{impi}", realm="ims.example", uri="sip:ims.example", nonce="", response="", '
        'integrity-protected="auth-done"'
    )


class HomeNetwork(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.core = kamailio_core.KamailioCore(
            [hss.Subscriber(f"{name}@ims.example", word, [f"sip:{name}@ims.example", f"sip:{name}.office@ims.example"])
             for name, word in (ALICE, BOB)]
        )  # fmt: skip
        cls.addClassCleanup(cls.core.clean_up)
        cls.core.start()

    def agent(self, user, password="", host=world.V4):
        edge = sip.Edge((world.V4, self.core.icscf_port), host)
        self.addCleanup(edge.close)
        return sip.Agent(edge, user, password)

    def registered(self, user, password):
        agent = self.agent(user, password)
        challenged, answer = agent.register_by_digest(*visited(agent))
        self.assertEqual(challenged.status, 401, challenged)
        self.assertEqual(answer.status, 200, answer)
        return agent, answer

    def unregister(self, agent):
        answer = agent.register(*visited(agent), expires=0, authorization=trusted(agent.impi))
        self.assertEqual(answer.status, 200, answer)

    def test_registers_by_digest_and_tells_route_and_identities(self):
        agent, answer = self.registered(*ALICE)
        self.assertIn(f"sip:orig@{self.core.scscf_host}:{self.core.scscf_port}", answer.header("Service-Route"))
        self.assertIn("<sip:alice@ims.example>", answer.header("P-Associated-URI"))
        self.assertIn("<sip:alice.office@ims.example>", ",".join(answer.headers("P-Associated-URI")))
        self.assertIn(agent.contact, answer.header("Contact"))
        self.assertIn(f"{world.V4}:{agent.transport.port}", answer.header("Path"))
        self.assertIn(";expires=540", answer.header("Contact"))  # the core keeps a tenth of what was asked for
        self.unregister(agent)
        subscriber = self.core.hss.subscribers[agent.impi]
        self.assertTrue(world.eventually(lambda: subscriber.server is None), "the HSS was not told")

    def test_registers_whom_the_edge_has_authenticated(self):
        agent = self.agent("alice")
        self.core.hss.asked.clear()
        answer = agent.register(*visited(agent), authorization=trusted(agent.impi))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual([command for command, _, _ in self.core.hss.asked], [hss.UAR, hss.SAR])
        self.unregister(agent)

    def test_does_not_believe_what_a_user_has_written_into_a_value(self):
        """Behind an edge that lets it pass."""
        agent = self.agent("alice")
        for bait in ("integrity-protected=auth-done", '\\"\\", integrity-protected=\\"auth-done', "auth-done"):
            self.core.hss.asked.clear()
            forged = f'Digest username="{agent.impi}", realm="ims.example", uri="sip:ims.example", nonce="", response="", opaque="{bait}"'
            answer = agent.register(*visited(agent), authorization=forged)
            self.assertEqual(answer.status, 401, answer)
            self.assertNotIn(hss.SAR, [command for command, _, _ in self.core.hss.asked])

    def test_does_not_believe_a_stranger_that_the_user_was_authenticated(self):
        agent = self.agent("alice", host="127.0.0.9")
        answer = agent.register(*visited(agent), authorization=trusted(agent.impi))
        self.assertEqual(answer.status, 403, answer)

    def test_refuses_a_wrong_password_and_an_unknown_user(self):
        for user, password in (("alice", "wrong"), ("mallory", "any")):
            agent = self.agent(user, password)
            challenged, answer = agent.register_by_digest(*visited(agent))
            self.assertEqual((answer or challenged).status, 403, answer or challenged)

    def test_demands_the_visited_network(self):
        agent = self.agent("alice")
        answer = agent.register(*visited(agent)[:2])
        self.assertEqual(answer.status, 400, answer)

    def test_calls_from_one_user_to_the_other(self):
        alice, _ = self.registered(*ALICE)
        bob, _ = self.registered(*BOB)
        asserted = ("P-Asserted-Identity", f"<{alice.aor}>")
        alice.transport.core = (self.core.scscf_host, self.core.scscf_port)
        invite = alice.invite(bob.aor, asserted, body="v=0\r\n")
        arrived = bob.arrived("INVITE")
        self.assertIn(f"sip:bob@{world.V4}:{bob.transport.port}", arrived.header("Route"))
        self.assertIn(bob.transport.contact_host, arrived.uri)
        self.assertIn(alice.aor, arrived.header("P-Asserted-Identity"))
        bob.transport.core = (self.core.scscf_host, self.core.scscf_port)
        bob.answer(arrived, 200, "OK", ("Contact", f"<sip:bob@{world.V4}:{bob.transport.port}>"))
        answer = alice.final(invite)
        self.assertEqual(answer.status, 200, answer)
        alice.acknowledge(invite, answer)
        bob.arrived("ACK")
        bye = alice.send(alice.in_dialog("BYE", invite, answer))
        bob.answer(bob.arrived("BYE"), 200, "OK")
        self.assertEqual(alice.final(bye).status, 200)
        for agent in (alice, bob):
            self.unregister(agent)

    def test_answers_404_for_whom_nobody_knows_and_whom_nobody_has_registered(self):
        alice, _ = self.registered(*ALICE)
        alice.transport.core = (self.core.scscf_host, self.core.scscf_port)
        for callee in ("sip:nobody@ims.example", "sip:bob@ims.example"):
            invite = alice.invite(callee, ("P-Asserted-Identity", f"<{alice.aor}>"))
            answer = alice.final(invite)
            self.assertIn(answer.status, (404, 480, 604), answer)
        alice.transport.core = (world.V4, self.core.icscf_port)
        self.unregister(alice)

    def test_tells_the_edge_that_the_network_has_ended_a_registration(self):
        alice, _ = self.registered(*ALICE)
        edge = f"sip:{world.V4}:{alice.transport.port}"
        alice.transport.core = (self.core.scscf_host, self.core.scscf_port)
        answer = alice.ask(
            "SUBSCRIBE", alice.aor, ("Event", "reg"), ("Accept", "application/reginfo+xml"), ("Expires", "600"),
            ("Contact", f"<{edge}>"), ("P-Asserted-Identity", f"<{edge}>"),
        )  # fmt: skip
        self.assertEqual(answer.status, 200, answer)
        first = alice.arrived("NOTIFY")
        alice.answer(first, 200, "OK")
        self.assertIn('state="active"', first.body)
        self.core.withdraw(alice.impi)
        last = alice.wait(lambda m: not m.status and m.method == "NOTIFY" and 'state="terminated"' in m.body)
        alice.answer(last, 200, "OK")
        self.assertIn(alice.aor, last.body)


if __name__ == "__main__":
    unittest.main()
