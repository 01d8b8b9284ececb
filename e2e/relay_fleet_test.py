"""An eP-CSCF, its relays and the home core in processes of their own, with the interface of issuers between them."""

import json
import signal
import time
import unittest

import certificates
import epcscf
import sip
import turn
import world

ASKING = ("Turn-Credentials", "request")
EDGE_NAME = "edge1.ims.example"
SILENCE_SECONDS = 1.0


class Fleet:
    """Relays with [credentials.interface], an eP-CSCF without a relay that has them in [[relays]], and a home core.
    Relays and eP-CSCF trust each other's certificate alone."""

    def __init__(self, sources, count):
        first = world.Turnpike(hosts=(world.V4,))
        self.relays = [first] + [world.Turnpike(hosts=(world.V4,), realm=first.realm) for _ in range(count - 1)]
        self.home = epcscf.HomeCore()
        credentials = {
            "credentials": f'realm = "{first.realm}"\nserver_name = "{world.SERVER_NAME}"',
            "credentials.computed": f'secrets = [{{ id = "k1", secret = "{world.SECRET}" }}]',
            "credentials.pushed": "",
        }
        self.edge = epcscf.EpCscf(self.home.uri, sources=sources, has_relay=False, sections=credentials)
        own = self.edge.folder / "client"
        own.mkdir()
        self.key, self.certificate = certificates.make(own, EDGE_NAME)
        self.uris = [f"{relay.uri()}?transport=udp" for relay in self.relays]
        tables = [self.joined(relay, uri, f"relay{at + 1}") for at, (relay, uri) in enumerate(zip(self.relays, self.uris))]
        self.edge.sections["[relays]"] = "\n[[relays]]\n".join(tables)
        self.edge.write_config()

    def joined(self, relay, uri, name):
        """Opens the relay's interface; the table of [[relays]] that leads there."""
        key, certificate = certificates.make(relay.folder, world.V4)
        place = f"{world.V4}:{world.free_port()}"
        relay.sections["credentials.interface"] = (
            f'listen = "{place}"\ncertificate = "{certificate}"\nkey = "{key}"\n'
            f'client_ca = "{self.certificate}"\nallowed_names = ["{EDGE_NAME}"]'
        )
        relay.write_config()
        return (
            f'url = "https://{place}"\nname = "{name}"\nregion = "here"\ncertificate = "{self.certificate}"\n'
            f'key = "{self.key}"\nca = "{certificate}"\nuris = ["{uri}"]'
        )

    @property
    def servers(self):
        return [self.home, *self.relays, self.edge]

    @property
    def relay(self):
        return self.relays[0]

    @property
    def uri(self):
        return self.uris[0]

    def offers(self):
        """What the eP-CSCF has said of the URIs that it hands out, oldest first: "none" or a list of them."""
        lines = [line for line in self.edge.log().splitlines() if "relays_offered" in line]
        return ["none" if "uris=none" in line else [uri for uri in self.uris if uri in line] for line in lines]

    def wait_for_offer(self, wanted=None, count=1):
        wanted = self.uris if wanted is None else wanted
        if not world.eventually(lambda: self.offers()[-1:] == [wanted] and self.offers().count(wanted) >= count, 20):
            raise AssertionError(f"{wanted} is not offered:\n{self.edge.log()[-3000:]}")


class RelayFleet(world.Case):
    sources = ("pushed", "computed")
    relays = 1

    def setUp(self):
        self.peer = self.started(world.EchoPeer())
        self.fleet = Fleet(self.sources, self.relays)
        for server in self.fleet.servers:
            self.addCleanup(server.clean_up)
        self.fleet.home.start()

    def serve(self):
        for relay in self.fleet.relays:
            relay.start()
        self.fleet.edge.start()
        self.fleet.wait_for_offer()

    def registered(self, user="alice"):
        """(the WIC, the 200 OK)"""
        agent = self.fleet.edge.wic(user)
        self.addCleanup(agent.transport.close)
        _, answer = agent.register_by_digest(ASKING)
        self.assertEqual(answer.status, 200, answer)
        return agent, answer

    def credentials_of(self, answer):
        """(URI, username, password) of each URI"""
        value = answer.header("Turn-Credentials")
        self.assertIsNotNone(value, answer)
        credentials = []
        for one in sip.split_outside_quotes(value):
            uri, *rest = sip.split_outside_quotes(one, ";")
            words = {name: word.strip('"') for name, _, word in (each.strip().partition("=") for each in rest)}
            credentials.append((uri.strip("<> "), words["username"], words["password"]))
        return credentials

    def credential_of(self, answer):
        """The first of them."""
        return self.credentials_of(answer)[0]

    def allocated(self, username, password, relay=None):
        client = turn.Client((world.V4, (relay or self.fleet.relay).port), username, password)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client

    def assert_falls_silent(self, clients, cause):
        """Within a second of the cause, all of them."""
        begun = time.monotonic()
        cause()
        for client in clients:
            while client.echoes(b"still there?", 0.1):
                self.assertLess(time.monotonic() - begun, 10, "it relays on and on")
        self.assertLess(time.monotonic() - begun - 0.1 * len(clients), SILENCE_SECONDS)

    def assert_refused(self, username, password, relay=None):
        """Within a second: what the edge takes back is on its way to the relay when its client has the answer."""
        self.assertTrue(world.eventually(lambda: self.is_refused(username, password, relay), SILENCE_SECONDS))

    def is_refused(self, username, password, relay):
        client = turn.Client((world.V4, (relay or self.fleet.relay).port), username, password)
        try:
            client.allocate()
        except turn.Refused as refused:
            self.assertEqual(refused.code, 401)
            return True
        finally:
            client.close()
        return False


class Pushing(RelayFleet):
    def test_a_credential_of_a_registration_opens_the_remote_relay_and_ends_with_it(self):
        self.serve()
        agent, answer = self.registered()
        uri, username, password = self.credential_of(answer)
        self.assertEqual(uri, self.fleet.uri)
        self.assertNotIn(":", username, "it was computed")
        client = self.allocated(username, password)
        self.assert_falls_silent([client], lambda: agent.register_by_digest(expires=0))
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
        self.fleet.wait_for_offer(count=2)
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
        self.fleet.wait_for_offer(count=2)
        self.allocated(username, password)
        agent.register_by_digest(expires=0)
        self.assert_refused(username, password)

    def test_serves_from_the_start_while_no_relay_lives(self):
        self.fleet.edge.start()
        _, username, _ = self.credential_of(self.registered()[1])
        self.assertIn(":", username, "it was not computed")
        self.fleet.relay.start()
        self.fleet.wait_for_offer()
        self.assertNotIn(":", self.credential_of(self.registered("bob")[1])[1], "it was computed")

    def test_a_reload_of_the_edge_changes_nothing(self):
        self.serve()
        kept = self.credential_of(self.registered("alice")[1])[1:]
        self.assert_status(self.fleet.edge.admin("reload"), 0)
        uri, username, password = self.credential_of(self.registered("bob")[1])
        self.assertEqual(uri, self.fleet.uri)
        self.allocated(*kept)
        self.allocated(username, password)


class SeveralRelays(RelayFleet):
    relays = 2

    def told(self):
        """What an administrator of the eP-CSCF is told of each relay."""
        finished = self.fleet.edge.admin("relays", "--json")
        self.assert_status(finished, 0)
        return json.loads(finished.out)["relays"]

    def allocated_everywhere(self, username, password):
        """The edge waits for the first relay alone; the others have the credential at about the same time."""
        relays = self.fleet.relays
        self.assertTrue(
            world.eventually(
                lambda: not any(self.is_refused(username, password, relay) for relay in relays), SILENCE_SECONDS
            )
        )
        return [self.allocated(username, password, relay) for relay in relays]

    def test_registrations_go_on_with_the_other_relay_while_one_is_gone(self):
        self.serve()
        lost, left = self.fleet.relays
        _, answer = self.registered("alice")
        given = self.credentials_of(answer)
        self.assertEqual([uri for uri, _, _ in given], self.fleet.uris)
        self.assertEqual(len({one[1:] for one in given}), 1, "each relay has a credential of its own")
        _, on_left = self.allocated_everywhere(*given[0][1:])

        lost.stop(signal.SIGKILL)
        self.fleet.wait_for_offer(self.fleet.uris[1:])
        self.assertTrue(on_left.echoes())
        bob, answer = self.registered("bob")
        given = self.credentials_of(answer)
        self.assertEqual([uri for uri, _, _ in given], self.fleet.uris[1:])
        self.assertNotIn(":", given[0][1], "it was computed")
        self.allocated(*given[0][1:], left)
        first, second = self.told()
        self.assertEqual([first["is_live"], second["is_live"]], [False, True])
        self.assertTrue(first["last_problem"])
        self.assertEqual((second["name"], second["region"], second["uris"]), ("relay2", "here", self.fleet.uris[1:]))
        shown = self.fleet.edge.admin("relays")
        self.assertRegex(shown.out, r"relay1 +here +away")
        self.assertRegex(shown.out, r"relay2 +here +offered +0% +\d")
        metrics = self.fleet.edge.admin("stats", "--metrics").out
        self.assertIn('turnpike_fleet_relay_live{region="here",relay="relay1"} 0', metrics)
        self.assertIn('turnpike_fleet_relay_live{region="here",relay="relay2"} 1', metrics)

        lost.start()
        self.fleet.wait_for_offer(count=2)
        self.allocated(*given[0][1:], lost)
        bob.register_by_digest(expires=0)
        for relay in self.fleet.relays:
            self.assert_refused(*given[0][1:], relay)

    def test_what_is_taken_back_ends_at_every_relay(self):
        self.serve()
        alice, answer = self.registered("alice")
        given = self.credential_of(answer)[1:]
        clients = self.allocated_everywhere(*given)
        self.assert_falls_silent(clients, lambda: alice.register_by_digest(expires=0))
        for relay in self.fleet.relays:
            self.assert_refused(*given, relay)

    def test_an_administrator_of_the_edge_takes_back_at_every_relay(self):
        self.serve()
        _, answer = self.registered("alice")
        given = self.credential_of(answer)[1:]
        clients = self.allocated_everywhere(*given)
        shown = self.fleet.edge.admin("registrations", "--json")
        subject = json.loads(shown.out)["registrations"][0]["subject"]
        outcome = []
        self.assert_falls_silent(
            clients, lambda: outcome.append(self.fleet.edge.admin("revoke", "--subject", subject))
        )
        self.assert_status(outcome[0], 0)
        self.assertEqual(outcome[0].out, "revoked; every relay of [[relays]] that lives has confirmed\n")
        self.fleet.relays[1].stop()
        late = self.fleet.edge.admin("revoke", "--subject", "somebody else")
        self.assert_status(late, 0)
        self.assertIn("not every relay of [[relays]] has confirmed", late.out)


class RolesApart(RelayFleet):
    """Each process is one role; what it does not have it says."""

    def test_each_answers_its_administrator_reloads_and_drains(self):
        self.serve()
        self.registered("alice")
        edge, home, relay = self.fleet.edge, self.fleet.home, self.fleet.relay
        self.assertRegex(edge.admin("stats").out, r"epcscf: registrations_active +1\b")
        self.assertRegex(home.admin("stats").out, r"home_core: registered +1\b")
        self.assertNotIn("epcscf", relay.admin("stats").out)
        self.assertNotIn("turnpike_allocations", edge.admin("stats", "--metrics").out)
        self.assertIn("turnpike_home_core_registers_total", home.admin("stats", "--metrics").out)
        for server, command, words in (
            (edge, "sessions", "this server has no [turn]"),
            (home, "sessions", "this server has no [turn]"),
            (home, "registrations", "this server has no [epcscf]"),
            (relay, "relays", "this server has no [[relays]]"),
        ):
            with self.subTest(command):
                refused = server.admin(command)
                self.assert_status(refused, 1)
                self.assertIn(words, refused.text)
        for server in self.fleet.servers:
            self.assert_status(world.turnpike("check", server.config), 0)
            self.assert_status(server.admin("reload"), 0)
            server.send_signal(signal.SIGHUP)
            self.assertTrue(world.eventually(lambda: server.log().count("event=reloaded") == 2), server.log())
        for server in (edge, home, relay):
            self.assert_status(server.admin("drain"), 0)
            self.assertEqual(server.process.wait(10), 0, server.log())
            self.assertIn("event=drained", server.log())


class PushingAlone(RelayFleet):
    sources = ("pushed",)

    def test_registers_with_a_warning_while_no_relay_answers(self):
        self.serve()
        self.fleet.relay.stop()
        _, answer = self.registered()
        self.assertIsNone(answer.header("Turn-Credentials"))
        self.assertIn("not_acknowledged", answer.header("Warning"))
        self.fleet.relay.start()
        self.fleet.wait_for_offer(count=2)
        self.allocated(*self.credential_of(self.registered("bob")[1])[1:])


if __name__ == "__main__":
    unittest.main()
