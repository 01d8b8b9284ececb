"""An eP-CSCF and a relay in processes of their own, with the interface of issuers between them."""

import json
import time
import unittest

import certificates
import epcscf
import kamailio_core
import sip
import turn
import world

ASKING = ("Turn-Credentials", "request")
EDGE_NAME = "edge1.ims.example"
SILENCE_SECONDS = 1.0


class Fleet:
    """One relay with [credentials.interface], and one eP-CSCF that has it in [[relays]]; each trusts the other's
    certificate alone."""

    def __init__(self, sources):
        self.relay = world.Turnpike(hosts=(world.V4,))
        self.edge = epcscf.EpCscf(sources=sources, realm=self.relay.realm)
        key, certificate = certificates.make(self.relay.folder, world.V4)
        own = self.edge.folder / "client"
        own.mkdir()
        edge_key, edge_certificate = certificates.make(own, EDGE_NAME)
        place = f"{world.V4}:{kamailio_core.free_port()}"
        self.uri = f"{self.relay.uri()}?transport=udp"
        self.relay.sections["credentials.interface"] = (
            f'listen = "{place}"\ncertificate = "{certificate}"\nkey = "{key}"\n'
            f'client_ca = "{edge_certificate}"\nallowed_names = ["{EDGE_NAME}"]'
        )
        self.edge.sections["[relays]"] = (
            f'url = "https://{place}"\nregion = "here"\ncertificate = "{edge_certificate}"\nkey = "{edge_key}"\n'
            f'ca = "{certificate}"\nuris = ["{self.uri}"]'
        )
        self.relay.write_config()
        self.edge.write_config()

    def offers(self):
        """What the eP-CSCF has said of the URIs that it hands out, oldest first: "none" or URIs."""
        lines = [line for line in self.edge.log().splitlines() if "relays_offered" in line]
        return [self.uri if self.uri in line else "none" for line in lines]

    def wait_for_offer(self, wanted, count=1):
        if not world.eventually(lambda: self.offers().count(wanted) >= count, 20):
            raise AssertionError(f"{wanted} is not offered:\n{self.edge.log()[-3000:]}")


class RelayFleet(world.Case):
    sources = ("pushed", "computed")

    def setUp(self):
        self.peer = self.started(world.EchoPeer())
        self.fleet = Fleet(self.sources)
        self.addCleanup(self.fleet.edge.clean_up)
        self.addCleanup(self.fleet.relay.clean_up)

    def serve(self):
        self.fleet.relay.start()
        self.fleet.edge.start()
        self.fleet.wait_for_offer(self.fleet.uri)

    def registered(self, user="alice"):
        """(the WIC, the 200 OK)"""
        agent = self.fleet.edge.wic(user)
        self.addCleanup(agent.transport.close)
        _, answer = agent.register_by_digest(ASKING)
        self.assertEqual(answer.status, 200, answer)
        return agent, answer

    def credential_of(self, answer):
        """(URI, username, password)"""
        value = answer.header("Turn-Credentials")
        self.assertIsNotNone(value, answer)
        uri, *rest = sip.split_outside_quotes(value, ";")
        words = {name: word.strip('"') for name, _, word in (one.strip().partition("=") for one in rest)}
        return uri.strip("<> "), words["username"], words["password"]

    def allocated(self, username, password):
        client = turn.Client((world.V4, self.fleet.relay.port), username, password)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client

    def assert_refused(self, username, password):
        client = turn.Client((world.V4, self.fleet.relay.port), username, password)
        self.addCleanup(client.close)
        with self.assertRaises(turn.Refused) as refused:
            client.allocate()
        self.assertEqual(refused.exception.code, 401)


class Pushing(RelayFleet):
    def test_a_credential_of_a_registration_opens_the_remote_relay_and_ends_with_it(self):
        self.serve()
        agent, answer = self.registered()
        uri, username, password = self.credential_of(answer)
        self.assertEqual(uri, self.fleet.uri)
        self.assertNotIn(":", username, "it was computed")
        client = self.allocated(username, password)
        begun = time.monotonic()
        agent.register_by_digest(expires=0)
        while client.echoes(b"still there?", 0.2):
            self.assertLess(time.monotonic() - begun, 10, "it relays on and on")
        self.assertLess(time.monotonic() - begun - 0.2, SILENCE_SECONDS)
        self.assert_refused(username, password)

    def test_our_own_wic_is_told_of_the_remote_relay(self):
        self.serve()
        finished = world.turnpike(
            "wic", "register", self.fleet.edge.door, "--insecure", "--json",
            "--user", f"alice@{epcscf.REALM}", "--password", epcscf.PASSWORDS["alice"],
        )  # fmt: skip
        self.assert_status(finished, 0)
        credential = json.loads(finished.out)["credentials"][0]
        self.assertEqual(credential["urls"], [self.fleet.uri])
        self.assertNotIn(":", credential["username"], "it was computed")

    def test_a_relay_that_was_restarted_knows_again_what_it_has_to(self):
        self.serve()
        kept = self.credential_of(self.registered("alice")[1])[1:]
        bob, answer = self.registered("bob")
        ended = self.credential_of(answer)[1:]
        self.allocated(*kept)
        self.fleet.relay.stop()
        # The relay hears of the end of this one only when it is back.
        bob.register_by_digest(expires=0)
        self.fleet.relay.start()
        self.fleet.wait_for_offer(self.fleet.uri, count=2)
        self.allocated(*kept)
        self.assert_refused(*ended)

    def test_another_source_stands_in_while_the_relay_does_not_answer(self):
        self.serve()
        self.fleet.relay.stop()
        agent, answer = self.registered()
        uri, username, password = self.credential_of(answer)
        self.assertEqual(uri, self.fleet.uri)
        self.assertIn(":", username, "it was not computed")
        self.fleet.relay.start()
        self.fleet.wait_for_offer(self.fleet.uri, count=2)
        self.allocated(username, password)
        agent.register_by_digest(expires=0)
        self.assert_refused(username, password)

    def test_serves_from_the_start_while_no_relay_lives(self):
        self.fleet.edge.start()
        self.assertTrue(world.eventually(lambda: " event=ready" in self.fleet.edge.log()))
        _, username, _ = self.credential_of(self.registered()[1])
        self.assertIn(":", username, "it was not computed")
        self.fleet.relay.start()
        self.fleet.wait_for_offer(self.fleet.uri)
        self.assertNotIn(":", self.credential_of(self.registered("bob")[1])[1], "it was computed")

    def test_a_reload_of_the_edge_changes_nothing(self):
        self.serve()
        kept = self.credential_of(self.registered("alice")[1])[1:]
        self.assert_status(self.fleet.edge.admin("reload"), 0)
        uri, username, password = self.credential_of(self.registered("bob")[1])
        self.assertEqual(uri, self.fleet.uri)
        self.allocated(*kept)
        self.allocated(username, password)


class PushingAlone(RelayFleet):
    sources = ("pushed",)

    def test_registers_with_a_warning_while_no_relay_answers(self):
        self.serve()
        self.fleet.relay.stop()
        _, answer = self.registered()
        self.assertIsNone(answer.header("Turn-Credentials"))
        self.assertIn("not_acknowledged", answer.header("Warning"))
        self.fleet.relay.start()
        self.fleet.wait_for_offer(self.fleet.uri, count=2)
        self.allocated(*self.credential_of(self.registered("bob")[1])[1:])


if __name__ == "__main__":
    unittest.main()
