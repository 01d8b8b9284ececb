"""What was given can be taken back: running relays fall silent within a second, and new ones are refused."""

import json
import time
import unittest

import turn
import world

SILENCE_SECONDS = 1.0


class Revocation(world.RelayCase):
    def issued(self, source, user="carol"):
        finished = self.server.issue(source, user=user)
        self.assert_status(finished, 0)
        ice = json.loads(finished.out)["iceServers"][0]
        return ice["username"], ice["credential"]

    def seconds_to_silence(self, client, *revocation):
        """From the start of the command to the last packet that came back, while packets are sent all the time."""
        begun = time.monotonic()
        self.assert_status(self.server.admin("revoke", *revocation), 0)
        while client.echoes(b"still there?", 0.2):
            self.assertLess(time.monotonic() - begun, 10, "it relays on and on")
        return time.monotonic() - begun - 0.2

    def assert_refused(self, username, password):
        self.assertEqual(self.refusal(username, password), 401)

    def test_by_username_ends_what_runs_and_refuses_what_is_new(self):
        for source in ("pushed", "computed", "token"):
            with self.subTest(source):
                username, password = self.issued(source)
                other = self.allocated(*self.issued(source, user="mallory"))
                client = self.allocated(username, password)
                self.assertLess(self.seconds_to_silence(client, "--username", username), SILENCE_SECONDS)
                self.assert_refused(username, password)
                with self.assertRaises(turn.Refused) as refused:
                    client.refresh()
                self.assertIn(refused.exception.code, (401, 437))
                self.assertTrue(other.echoes(), "somebody else's relay ended too")

    def test_of_a_user_ends_everything_that_was_issued_to_that_user(self):
        credentials = [self.issued(source, user="erin") for source in ("pushed", "computed", "token")]
        clients = [self.allocated(*credential) for credential in credentials]
        others = self.allocated(*self.issued("pushed", user="frank"))
        self.assertLess(self.seconds_to_silence(clients[0], "--user", "erin"), SILENCE_SECONDS)
        for client, credential in zip(clients, credentials):
            self.assertFalse(client.echoes(seconds=0.2))
            self.assert_refused(*credential)
        self.assertTrue(others.echoes())

    def test_survives_a_reload(self):
        username, password = self.issued("computed")
        self.assert_status(self.server.admin("revoke", "--username", username), 0)
        self.assert_status(self.server.admin("reload"), 0)
        self.assert_refused(username, password)

    def test_a_pushed_credential_ends_with_its_time(self):
        self.assert_status(
            self.server.admin("push", "--username", "brief", "--password", "encounter", "--ttl", 1), 0
        )
        self.allocated("brief", "encounter")
        self.assertTrue(world.eventually(lambda: self.refusal("brief", "encounter") == 401, 5))


if __name__ == "__main__":
    unittest.main()
