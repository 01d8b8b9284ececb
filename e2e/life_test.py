"""A server's life: reload, a clean end, a sudden one, and a second server on the same port."""

import signal
import unittest

import turn
import world


class Life(world.RelayCase):
    def test_reload_takes_new_users_keeps_the_relays_of_others_and_ends_those_of_removed_ones(self):
        removed = self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
        kept = self.allocated(world.USER, world.PASSWORD)
        self.server.static_users = {world.USER: world.PASSWORD, "gina": "a new word"}
        self.server.write_config()
        self.server.send_signal(signal.SIGHUP)
        self.assertTrue(world.eventually(lambda: self.refusal("gina", "a new word") == 0))
        self.assertEqual(self.refusal(world.PLAIN_USER, world.PLAIN_PASSWORD), 401)
        self.assertTrue(world.eventually(lambda: not removed.echoes(seconds=0.2), 2), "it relays on and on")
        self.assertTrue(kept.echoes())
        self.assertEqual(self.server.stop(), 0, self.server.log())

    def test_reload_of_a_wrong_configuration_changes_nothing_and_says_why(self):
        running = self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
        self.server.static_users = {"gina": "a new word"}
        self.server.sections = {"log": 'level = "loud"'}
        self.server.write_config()
        self.server.send_signal(signal.SIGHUP)
        self.assertTrue(world.eventually(lambda: "loud" in self.server.log()), self.server.log())
        self.assertTrue(running.echoes())
        self.assertEqual(self.refusal(world.PLAIN_USER, world.PLAIN_PASSWORD), 0)
        self.assertEqual(self.refusal("gina", "a new word"), 401)
        self.assertNotEqual(self.server.admin("reload").status, 0)
        self.assertEqual(self.server.stop(), 0, self.server.log())

    def test_ends_cleanly_when_asked(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                client = self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
                self.assertEqual(self.server.stop(number), 0, self.server.log())
                self.assertFalse((self.server.folder / "admin.sock").exists())
                self.assert_port_is_free()
                client.close()
                self.server.start()

    def assert_port_is_free(self):
        with turn.socket.socket(turn.socket.AF_INET, turn.socket.SOCK_DGRAM) as socket:
            socket.bind((world.V4, self.server.port))

    def test_starts_again_at_once_on_the_same_port_after_a_kill(self):
        self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
        self.server.stop(signal.SIGKILL)
        self.server.start()
        self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
        self.assert_status(self.server.admin("stats"), 0)

    def test_refuses_to_start_where_another_server_is(self):
        second = world.Turnpike(realm="second.example")
        self.addCleanup(second.clean_up)
        second.port = self.server.port
        second.write_config()
        finished = world.run(*second.command(), timeout=20)
        self.assert_status(finished, 2)
        complaints = [line for line in finished.text.splitlines() if f"127.0.0.1:{self.server.port}" in line]
        self.assertEqual(len(complaints), 1, str(finished))
        self.assertFalse((second.folder / "admin.sock").exists())
        self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)

    def test_tells_an_administrator_what_runs(self):
        client = self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
        sessions = self.server.admin("sessions")
        self.assert_status(sessions, 0)
        self.assertIn(world.PLAIN_USER, sessions.out)
        self.assertIn(str(client.relayed[0][1]), sessions.out)
        stats = self.server.admin("stats")
        self.assert_status(stats, 0)
        self.assertRegex(stats.out, r"allocations_active +1\b")
        metrics = self.server.admin("stats", "--metrics")
        self.assert_status(metrics, 0)
        self.assertRegex(metrics.out, r"(?m)^turnpike_allocations_active 1$")
        self.assertRegex(metrics.out, r'(?m)^turnpike_allocations_created_total{source="static"} 1$')

    def test_drains_before_it_ends(self):
        client = self.allocated(world.PLAIN_USER, world.PLAIN_PASSWORD)
        self.assert_status(self.server.admin("drain"), 0)
        self.assertEqual(self.refusal(world.PLAIN_USER, world.PLAIN_PASSWORD), 486)
        self.assertTrue(client.echoes())
        client.refresh(0)
        self.assertEqual(self.server.process.wait(10), 0, self.server.log())


if __name__ == "__main__":
    unittest.main()
