"""A site whose edge is Kamailio: it registers browsers by itself, and adds to its answers what it fetches from our API."""

import unittest

import api
import home
import kamailio_edge
import sip
import turn
import websocket
import world

ASKING = ("Turn-Credentials", "request")


class KamailioEdge(world.Case):
    def setUp(self):
        self.relay = self.started(api.ApiRelay(("pushed", "computed")))
        self.peer = self.started(world.EchoPeer())
        self.edge = self.started(
            kamailio_edge.KamailioEdge("ims.example", self.relay.url, self.relay.certificate, api.KEY)
        )

    def agent(self, user):
        line = websocket.WebSocket(self.edge.door)
        self.addCleanup(line.close)
        return sip.Agent(line, user, kamailio_edge.PASSWORDS[user], "ims.example", impi=user)

    def registered(self, agent, *headers, **more):
        _, answer = agent.register_by_digest(*headers, **more)
        self.assertIsNotNone(answer, self.edge.log()[-2000:])
        self.assertEqual(answer.status, 200, answer)
        return answer

    def credential_of(self, answer):
        self.assertIsNotNone(answer.header("Turn-Credentials"), f"{answer}\n{self.edge.log()[-2000:]}")
        return home.Credential(answer.header("Turn-Credentials"))

    def allocated(self, credential):
        client = turn.Client((world.V4, self.relay.port), credential.username, credential.password)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client

    def assert_refused(self, credential):
        client = turn.Client((world.V4, self.relay.port), credential.username, credential.password)
        self.addCleanup(client.close)
        with self.assertRaises(turn.Refused) as refused:
            client.allocate()
        self.assertEqual(refused.exception.code, 401)

    def test_the_answer_to_a_registration_brings_credentials_that_end_with_it(self):
        agent = self.agent("alice")
        credential = self.credential_of(self.registered(agent, ASKING))
        self.assertNotIn(":", credential.username, "it was computed")
        self.assertEqual(credential.uri, f"{self.relay.uri()}?transport=udp")
        self.assertEqual(credential.ttl, 660)
        self.assert_relays(
            world.turnpike("probe", credential.uri, "--user", credential.username, "--password", credential.password)
        )
        client = self.allocated(credential)
        seconds = home.seconds_to_silence(client, lambda: self.registered(agent, expires=0))
        self.assertLess(seconds, api.SILENCE_SECONDS)
        self.assert_refused(credential)
        self.allocated(self.credential_of(self.registered(agent, ASKING)))

    def test_who_goes_away_without_a_word_loses_them_and_nobody_else_does(self):
        kept = self.credential_of(self.registered(self.agent("alice"), ASKING))
        gone = self.agent("bob")
        lost = self.credential_of(self.registered(gone, ASKING))
        gone.transport.drop()
        self.assertTrue(world.eventually(lambda: "event=api_withdrawn" in self.relay.log(), 20), self.edge.log()[-2000:])
        self.assert_refused(lost)
        self.allocated(kept)

    def test_hands_out_nothing_that_was_not_asked_for(self):
        self.assertIsNone(self.registered(self.agent("alice")).header("Turn-Credentials"))

    def test_registers_with_a_warning_while_the_api_is_away(self):
        self.relay.stop()
        answer = self.registered(self.agent("alice"), ASKING)
        self.assertIsNone(answer.header("Turn-Credentials"))
        self.assertIn("no TURN credentials", answer.header("Warning"))


if __name__ == "__main__":
    unittest.main()
