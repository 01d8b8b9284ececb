"""A site whose edge is Kamailio: it registers browsers by itself, and adds to its answers what it fetches from our API."""

import unittest

import api
import home
import kamailio_edge
import sip
import websocket
import world

ASKING = ("Turn-Credentials", "request")


class KamailioEdge(world.RelayCase):
    def setUp(self):
        self.server = self.started(api.ApiRelay(("pushed", "computed")))
        self.peer = self.started(world.EchoPeer())
        self.edge = self.started(
            kamailio_edge.KamailioEdge("ims.example", self.server.url, self.server.certificate, api.KEY)
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

    def opened(self, credential):
        return self.allocated(credential.username, credential.password)

    def assert_refused(self, credential):
        self.assertEqual(self.refusal(credential.username, credential.password), 401)

    def test_the_answer_to_a_registration_brings_credentials_that_end_with_it(self):
        agent = self.agent("alice")
        credential = self.credential_of(self.registered(agent, ASKING))
        self.assertNotIn(":", credential.username, "it was computed")
        self.assertEqual(credential.uri, f"{self.server.uri()}?transport=udp")
        self.assertEqual(credential.ttl, 660)
        self.assert_relays(
            world.turnpike("probe", credential.uri, "--user", credential.username, "--password", credential.password)
        )
        client = self.opened(credential)
        seconds = home.seconds_to_silence(client, lambda: self.registered(agent, expires=0))
        self.assertLess(seconds, api.SILENCE_SECONDS)
        self.assert_refused(credential)
        self.opened(self.credential_of(self.registered(agent, ASKING)))

    def test_who_goes_away_without_a_word_loses_them_and_nobody_else_does(self):
        kept = self.credential_of(self.registered(self.agent("alice"), ASKING))
        gone = self.agent("bob")
        lost = self.credential_of(self.registered(gone, ASKING))
        gone.transport.drop()
        self.assertTrue(world.eventually(lambda: "event=api_withdrawn" in self.server.log(), 20), self.edge.log()[-2000:])
        self.assert_refused(lost)
        self.opened(kept)

    def test_hands_out_nothing_that_was_not_asked_for(self):
        self.assertIsNone(self.registered(self.agent("alice")).header("Turn-Credentials"))

    def test_registers_with_a_warning_while_the_api_is_away(self):
        self.server.stop()
        answer = self.registered(self.agent("alice"), ASKING)
        self.assertIsNone(answer.header("Turn-Credentials"))
        self.assertIn("no TURN credentials", answer.header("Warning"))


if __name__ == "__main__":
    unittest.main()
