"""A registration brings TURN credentials, and takes them away when it ends: the whole chain in one process."""

import json
import re
import signal
import unittest

import home
import turn
import websocket
import world

ASK = ("Turn-Credentials", "request")
SILENCE_SECONDS = 1.0
NOTICE_SECONDS = 1.0  # of the core, that its subscribers have changed


class Chain(world.Case):
    """Whatever secret a test has seen, the server's log must not hold."""

    sources = ("computed", "pushed", "token")

    def setUp(self):
        self.server = home.Home(self.sources)
        self.told = [*home.PASSWORDS.values(), world.SECRET, world.base64_text(self.server.token_key)]
        self.addCleanup(self.server.clean_up)
        self.addCleanup(self.assert_log_tells_no_secret)
        self.server.start()

    def assert_log_tells_no_secret(self):
        log = self.server.log()
        for secret in self.told:
            self.assertNotIn(secret, log)

    def agent(self, user, **more):
        agent = self.server.agent(user, **more)
        self.addCleanup(agent.transport.close)
        return agent

    def registered(self, agent, expires=600):
        """The 200 OK to a registration that asks for credentials, and the credential or None."""
        challenge, answer = agent.register_by_digest(ASK, expires=expires)
        self.assertEqual(challenge.status, 401, str(challenge))
        self.assertEqual(answer.status, 200, str(answer))
        self.told += re.findall(r'nonce="([^"]+)"', challenge.header("WWW-Authenticate"))
        header = answer.header("Turn-Credentials")
        credential = home.Credential(header) if header else None
        if credential:
            self.told.append(credential.password)
        return answer, credential

    def allocated(self, credential, peer=None):
        client = self.server.relay_client(credential)
        self.addCleanup(client.close)
        client.allocate()
        if peer:
            client.bind((world.V4, peer.port))
            self.assertTrue(client.echoes())
        return client

    def assert_refused(self, credential):
        with self.assertRaises(turn.Refused) as refused:
            self.allocated(credential)
        self.assertEqual(refused.exception.code, 401)

    def wic(self, *arguments):
        """A `turnpike wic` command: its end, and its report."""
        finished = world.turnpike("wic", *arguments, "--json")
        self.assertEqual(finished.err, "")
        return finished, json.loads(finished.out)

    def background_wic(self, *arguments):
        wic = home.Wic(*arguments, output=self.server.folder / f"wic{len(self.told)}")
        self.addCleanup(wic.clean_up)
        return wic

    def registrations(self):
        finished = self.server.admin("registrations", "--json")
        self.assert_status(finished, 0)
        return json.loads(finished.out)["registrations"]


class Login(Chain):
    def test_by_the_terminals_client_takes_sha_256_and_brings_a_credential(self):
        finished, report = self.wic("register", self.server.door, *self.server.wic_options("alice"))
        self.assert_status(finished, 0)
        self.assertTrue(report["registered"])
        self.assertEqual(report["login"], "SHA-256")
        self.assertEqual(report["identities"], [f"sip:alice@{self.server.realm}"])
        [credential] = report["credentials"]
        self.assertEqual(credential["urls"], [f"{self.server.uri()}?transport=udp"])
        self.assertNotIn(self.server.computed_password(credential["username"]), finished.text)
        self.assertTrue(world.eventually(lambda: not self.registrations()), "it has not de-registered")

    def test_by_md5_works_as_well(self):
        agent = self.agent("alice")
        challenge = agent.register(ASK)
        [md5] = [one for one in challenge.headers("WWW-Authenticate") if "algorithm=MD5" in one]
        from_challenge = home.sip.digest(md5, agent.impi, agent.password, "REGISTER", f"sip:{self.server.realm}")
        self.told += re.findall(r' response="([^"]+)"', from_challenge)
        answer = agent.register(ASK, authorization=from_challenge)
        self.assertEqual(answer.status, 200, str(answer))
        credential = home.Credential(answer.header("Turn-Credentials"))
        self.told.append(credential.password)
        self.allocated(credential)

    def test_with_a_wrong_password_is_refused_and_explained(self):
        self.told.append("no such word")
        finished, report = self.wic("register", self.server.door, *self.server.wic_options("alice", "no such word"))
        self.assert_status(finished, 1)
        self.assertIn("403 Forbidden", report["verdict"])
        self.assertIn("Is the password right?", " ".join(report["advice"]))
        self.assertNotIn("no such word", finished.text)
        self.assertEqual(report["credentials"], [])
        self.assertTrue(world.eventually(lambda: "reason=wrong_response" in self.server.log()))
        self.assertRegex(self.server.log(), r"event=registration_refused .*reason=login_failed code=403")
        self.assertEqual(self.registrations(), [])

    def test_of_an_unknown_user_looks_the_same_from_outside_and_is_told_apart_in_the_log(self):
        options = ["--user", self.server.impi("zed"), "--password", "of nobody", "--ca", self.server.certificate]
        finished, report = self.wic("register", self.server.door, *options)
        self.assert_status(finished, 1)
        self.assertIn("403 Forbidden", report["verdict"])
        self.assertIn("Digest SHA-256", " ".join(line["result"] for line in report["timeline"]))
        self.assertTrue(world.eventually(lambda: "reason=unknown_identity" in self.server.log()))

    def test_stops_at_a_certificate_that_is_not_trusted(self):
        finished, report = self.wic("register", self.server.door, *self.server.wic_options("alice", trust=False))
        self.assert_status(finished, 1)
        self.assertIn("not trusted", report["verdict"])
        self.assertIn("--ca", " ".join(report["advice"]))
        self.assertEqual(report["timeline"], [])
        self.assertTrue(world.eventually(lambda: "reason=tls_failed" in self.server.log()))

    def test_stops_at_a_certificate_of_another_host_and_says_so(self):
        door = f"wss://localhost:{self.server.door_port}"
        finished, report = self.wic("register", door, *self.server.wic_options("alice"))
        self.assert_status(finished, 1)
        self.assertIn("is for another host", report["verdict"])

    def test_in_the_clear_registers_without_credentials_and_says_why(self):
        finished, report = self.wic("register", self.server.open_door, *self.server.wic_options("alice"))
        self.assert_status(finished, 0)
        self.assertTrue(report["registered"])
        self.assertEqual(report["credentials"], [])
        self.assertIn(
            "No TURN credentials came: they are handed out over TLS alone, and this connection is not encrypted.",
            report["warnings"],
        )
        answer, credential = self.registered(self.agent("bob", door=self.server.open_door))
        self.assertIsNone(credential)
        self.assertRegex(answer.header("Warning"), r'^399 \S+ "No TURN credentials: not_secure"$')


class FromEachSource(Chain):
    def assert_brings_working_credentials(self):
        usernames = set()
        for expires, ttl in ((60, 120), (600, 660), (3600, 3720)):
            agent = self.agent("alice")
            _, credential = self.registered(agent, expires)
            # The registration's time, 60 s of grace (120 s for long ones), and never below 120 s.
            self.assertEqual(credential.ttl, ttl)
            self.assertLess(credential.refresh_after, expires)
            self.assertEqual(credential.realm, self.server.realm)
            self.assertEqual(credential.uri, f"{self.server.uri()}?transport=udp")
            self.allocated(credential)
            usernames.add(credential.username)
        # Refreshes on the same connection bring new ones too, however fast they come: a computed name is the
        # registration's opaque id and the second in which it ends, and no second is given twice.
        for _ in range(3):
            _, again = self.registered(agent, 3600)
            usernames.add(again.username)
        self.allocated(again)
        self.assertEqual(len(usernames), 6, "a username came twice")
        self.assertRegex(
            self.server.log(), rf"event=allocation_created subject=\S+ source={self.sources[0]} client="
        )
        self.assertNotIn("is_fallback=true", self.server.log())
        finished, report = self.wic(
            "call", self.server.door, f"sip:bob@{self.server.realm}", *self.server.wic_options("alice")
        )
        # Nobody is there to answer, but the relay has taken the credential.
        self.assert_status(finished, 1)
        self.assertRegex(report["relayed"], rf"^{world.V4}:\d+$")


class FromComputed(FromEachSource):
    sources = ("computed", "pushed", "token")

    def test_credentials_work_at_the_relay(self):
        self.assert_brings_working_credentials()


class FromPushed(FromEachSource):
    sources = ("pushed", "token", "computed")

    def test_credentials_work_at_the_relay(self):
        self.assert_brings_working_credentials()


class FromToken(FromEachSource):
    sources = ("token", "computed", "pushed")

    def test_credentials_work_at_the_relay(self):
        self.assert_brings_working_credentials()


class Call(Chain):
    def test_between_two_clients_brings_every_packet_back_through_both_relays(self):
        bob = self.background_wic("echo", self.server.door, *self.server.wic_options("bob"), "--calls", 1)
        self.assertTrue(bob.says("waiting for calls"), bob.text())
        finished, report = self.wic(
            "call", self.server.door, f"sip:bob@{self.server.realm}", *self.server.wic_options("alice")
        )
        self.assert_status(finished, 0)
        [call] = report["calls"]
        self.assertEqual((call["sent"], call["received"]), (50, 50))
        ports = range(self.server.relay_ports[0], self.server.relay_ports[1] + 1)
        for relayed in (report["relayed"], call["other_relayed"]):
            self.assertIn(int(relayed.rpartition(":")[2]), ports)
        self.assertNotEqual(report["relayed"], call["other_relayed"])
        self.assertEqual(bob.process.wait(15), 0, bob.text())
        self.assertIn("50 packets echoed", bob.text())
        self.assertEqual(self.server.log().count("event=call_started"), 2)
        self.assertEqual(self.server.log().count("event=call_ended"), 2)
        ended = re.findall(r"packets_from_client=(\d+) packets_to_client=(\d+)", self.server.log())
        self.assertEqual(ended, [("50", "50"), ("50", "50")])


class End(Chain):
    def setUp(self):
        super().setUp()
        self.peer = self.started(world.EchoPeer())

    def assert_ends(self, credential, cause, seconds=SILENCE_SECONDS):
        """The cause silences the credential's relay in time, and the credential opens no new one; others go on."""
        _, other = self.registered(self.agent("bob"))
        others = self.allocated(other, self.peer)
        client = self.allocated(credential, self.peer)
        self.assertLess(home.seconds_to_silence(client, cause), seconds)
        self.assert_refused(credential)
        self.assertTrue(others.echoes(), "somebody else's relay ended too")
        self.assertTrue(world.eventually(lambda: "event=allocation_ended reason=revoked" in self.server.log()))

    def test_by_de_registration_silences_the_relay_within_a_second(self):
        agent = self.agent("alice")
        _, credential = self.registered(agent)
        self.assert_ends(credential, lambda: self.registered(agent, expires=0))
        self.assertIn("trigger=deregistered", self.server.log())

    def test_by_an_administrator_silences_the_relay_within_a_second_and_closes_the_connection(self):
        agent = self.agent("alice")
        _, credential = self.registered(agent)
        impi = self.server.impi("alice")
        told = []
        self.assert_ends(credential, lambda: told.append(self.server.admin("deregister", impi)))
        self.assert_status(told[0], 0)
        self.assertEqual(told[0].out, "ended 1 registration\n")
        with self.assertRaises(websocket.Closed):
            agent.transport.receive()
        self.assertIn("trigger=operator_asked", self.server.log())
        again = self.server.admin("deregister", impi)
        self.assert_status(again, 1)
        self.assertIn("is not registered", again.err)

    def test_of_a_removed_subscriber_silences_the_relay_when_the_core_has_noticed(self):
        _, credential = self.registered(self.agent("alice"))
        remove = ["subscriber", "remove", self.server.impi("alice"), "--database", self.server.database]
        self.assert_ends(credential, lambda: self.server.made(*remove), NOTICE_SECONDS + SILENCE_SECONDS)
        self.assertIn("trigger=network", self.server.log())
        self.assertEqual([one["impi"] for one in self.registrations()], [self.server.impi("bob")])

    def test_of_a_killed_client_silences_the_relay_a_second_after_the_grace(self):
        wic = self.background_wic("echo", self.server.door, *self.server.wic_options("alice"))
        username = wic.says(r'TURN credential +user "([^"]+)"')
        self.assertTrue(username and wic.says("waiting for calls"), wic.text())
        credential = home.Known(username[1], self.server.computed_password(username[1]))
        self.told.append(credential.password)
        self.assert_ends(credential, wic.process.kill, home.GRACE_SECONDS + SILENCE_SECONDS)
        self.assertIn("trigger=flow_failed", self.server.log())
        self.assertEqual([one["impi"] for one in self.registrations()], [self.server.impi("bob")])

    def test_of_the_grace_comes_not_before_its_time(self):
        agent = self.agent("alice")
        _, credential = self.registered(agent)
        client = self.allocated(credential, self.peer)
        self.assertGreater(home.seconds_to_silence(client, agent.transport.drop), home.GRACE_SECONDS * 0.8)

    def test_by_registering_again_within_the_grace_does_not_come(self):
        agent = self.agent("alice")
        _, credential = self.registered(agent)
        client = self.allocated(credential, self.peer)
        agent.transport.drop()
        agent.transport = websocket.WebSocket(self.server.door)
        self.addCleanup(agent.transport.close)
        self.registered(agent)
        # Somebody without a comeback shows when the grace is over.
        gone = self.agent("bob")
        _, other = self.registered(gone)
        home.seconds_to_silence(self.allocated(other, self.peer), gone.transport.drop)
        self.assertTrue(client.echoes(), "the relay ended although its client came back")


class Life(Chain):
    def test_hang_up_takes_in_other_sources_for_the_next_registration(self):
        agent = self.agent("alice")
        _, before = self.registered(agent)
        self.assertRegex(before.username, r"^\d+:k1\.")
        self.server.sources = ["token"]
        self.server.write_config()
        self.server.send_signal(signal.SIGHUP)
        self.assertTrue(world.eventually(lambda: "event=reloaded" in self.server.log()), self.server.log())
        self.assertNotIn("reload_needs_restart", self.server.log())
        _, after = self.registered(agent)
        self.assertRegex(self.server.log(), r"event=provisioned \S+ source=token is_fallback=false")
        self.told.append(after.username)  # a token is its own username
        self.allocated(after)
        self.allocated(before)  # what was handed out stays good

    def test_hang_up_with_no_sources_ends_handing_out_and_says_so(self):
        agent = self.agent("alice")
        self.registered(agent)
        self.server.sources = []
        self.server.write_config()
        self.assert_status(self.server.admin("reload"), 0)
        answer, credential = self.registered(agent)
        self.assertIsNone(credential)
        self.assertRegex(answer.header("Warning"), r'^399 \S+ "No TURN credentials: \w+"$')

    def test_termination_closes_the_connections_and_ends_with_status_0(self):
        agent = self.agent("alice")
        self.registered(agent)
        self.server.send_signal(signal.SIGTERM)
        with self.assertRaises(websocket.Closed) as closed:
            agent.transport.receive()
        self.assertEqual(closed.exception.code, 1001)  # RFC 6455 section 7.4.1: going away
        self.assertEqual(self.server.stop(), 0, self.server.log())
        self.assertIn("event=stopped", self.server.log())

    def test_a_restart_lets_clients_register_again(self):
        self.registered(self.agent("alice"))
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.server.stop(number)
            self.server.start()
            self.assertEqual(self.registrations(), [])
            finished, report = self.wic("register", self.server.door, *self.server.wic_options("alice"))
            self.assert_status(finished, 0)
            self.assertEqual(len(report["credentials"]), 1)

    def test_drain_lets_nobody_new_in_and_ends_with_status_0(self):
        self.registered(self.agent("alice"))
        self.assert_status(self.server.admin("drain"), 0)
        self.assertEqual(self.server.process.wait(15), 0, self.server.log())


if __name__ == "__main__":
    unittest.main()
