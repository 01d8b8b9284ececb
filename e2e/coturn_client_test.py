"""coturn's own client, turnutils_uclient, relays through us: every source that it knows, every way to send."""

import concurrent.futures
import re
import subprocess
import unittest

import turn
import world

MESSAGES = 5


class Relayed:
    """What turnutils_uclient says at its end."""

    def __init__(self, status, text):
        self.status, self.text = status, text
        totals = re.findall(r"start_mclient: tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", text)
        self.sent, self.received = map(int, totals[-1]) if totals else (0, 0)
        lost = re.search(r"Total lost packets (\d+)", text)
        self.lost = int(lost.group(1)) if lost else None


def uclient(server, peer, *options, host=world.V4, peer_host=world.V4, timeout=60):
    command = ["/usr/bin/turnutils_uclient", "-p", server.port, "-e", peer_host, "-r", peer.port, "-n", MESSAGES]
    command += ["-m", 1, *options, host]
    try:
        finished = world.run(*command, timeout=timeout)
    except subprocess.TimeoutExpired as expired:
        return Relayed(None, (expired.stdout or b"").decode(errors="replace"))
    return Relayed(finished.status, finished.text)


STATIC = ("-u", world.PLAIN_USER, "-w", world.PLAIN_PASSWORD)
REST = ("-u", "carol", "-W", world.SECRET)
OAUTH = ("-J", "-u", "unused", "-w", "unused")

# Each sentence: the options, the address of the server, the address of the peer, how many messages it sends. A
# session has a second flow for RTCP unless -c says otherwise. -Z (both families in one allocation) is not among them:
# coturn 4.6.1 asks for it with an attribute of a draft, 0x8032, which RFC 8656 has as 0x8000.
WAYS = {
    "a static user over channels": (STATIC, world.V4, world.V4, 2),
    "a static user by Send indications": ((*STATIC, "-s"), world.V4, world.V4, 2),
    "a REST credential over channels": (REST, world.V4, world.V4, 2),
    "a REST credential by Send indications": ((*REST, "-s"), world.V4, world.V4, 2),
    "an OAuth token over channels": (OAUTH, world.V4, world.V4, 2),
    "an OAuth token by Send indications": ((*OAUTH, "-s"), world.V4, world.V4, 2),
    "an IPv6 relay address asked over IPv6": ((*STATIC, "-x"), world.V6, world.V6, 2),
    "an IPv6 relay address asked over IPv4": ((*STATIC, "-x", "-s"), world.V4, world.V6, 2),
    "an IPv4 relay address asked over IPv6": ((*STATIC, "-X"), world.V6, world.V4, 2),
    "DONT-FRAGMENT in channels": ((*STATIC, "-g"), world.V4, world.V4, 2),
    "DONT-FRAGMENT in Send indications": ((*STATIC, "-g", "-s"), world.V4, world.V4, 2),
    "padded ChannelData": ((*STATIC, "-D"), world.V4, world.V4, 2),
    "needless requests between": ((*STATIC, "-G"), world.V4, world.V4, 2),
    "two clients that talk to each other": ((*STATIC, "-y", "-c"), world.V4, world.V4, 2),
    "large messages": ((*STATIC, "-l", "1200"), world.V4, world.V4, 2),
    "several clients without RTCP": ((*STATIC, "-c", "-m", "4"), world.V4, world.V4, 4),
}


class CoturnClient(world.Case):
    def setUp(self):
        self.peer = self.started(world.EchoPeer())
        self.server = self.started(world.Turnpike(keys=world.UCLIENT_KEYS, limits="allocations_per_subject = 200"))

    def test_relays_without_loss_in_every_way(self):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            runs = {
                name: pool.submit(uclient, self.server, self.peer, *options, host=host, peer_host=peer_host)
                for name, (options, host, peer_host, _) in WAYS.items()
            }
        for name, future in runs.items():
            with self.subTest(name):
                relayed, flows = future.result(), WAYS[name][3]
                self.assertEqual(relayed.status, 0, relayed.text)
                self.assertEqual((relayed.sent, relayed.received), (flows * MESSAGES, flows * MESSAGES), relayed.text)
                self.assertEqual(relayed.lost, 0, relayed.text)

    def test_is_refused_with_a_wrong_credential(self):
        wrong = {
            "password": ("-u", world.PLAIN_USER, "-w", "wrong"),
            "user": ("-u", "nobody", "-w", world.PLAIN_PASSWORD),
            "secret": ("-u", "carol", "-W", "not-the-shared-secret-at-all"),
        }
        for name, options in wrong.items():
            with self.subTest(name):
                relayed = uclient(self.server, self.peer, *options)
                self.assertNotEqual(relayed.status, 0, relayed.text)
                self.assertIn("Cannot complete Allocation", relayed.text)
                self.assertEqual(relayed.received, 0)

    def test_is_refused_with_a_token_of_another_key(self):
        self.server.keys = {kid: (bytes(len(key)), alg) for kid, (key, alg) in world.UCLIENT_KEYS.items()}
        self.server.stop()
        self.server.write_config()
        self.server.start()
        relayed = uclient(self.server, self.peer, *OAUTH)
        self.assertNotEqual(relayed.status, 0, relayed.text)
        self.assertIn("Cannot complete Allocation", relayed.text)

    def test_is_told_where_its_negative_tests_are_wrong(self):
        # -N binds a second channel to the peer of its first; having been refused, it ends with a failure.
        relayed = uclient(self.server, self.peer, *STATIC, "-N")
        self.assertIn("channel bind: error 400", relayed.text)
        self.assert_still_serves()

    def test_does_no_harm_with_its_negative_protocol_tests(self):
        # -R sends what no server may answer and waits for the answer, of coturn's own server too.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for options in (("-R",), ("-R", "-s"), ("-R", "-N"), ("-R", "-N", "-s")):
                pool.submit(uclient, self.server, self.peer, *STATIC, *options, timeout=6)
        self.assert_still_serves()

    def assert_still_serves(self):
        self.assertIsNone(self.server.process.poll(), self.server.log())
        client = turn.Client((world.V4, self.server.port), world.PLAIN_USER, world.PLAIN_PASSWORD)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())


if __name__ == "__main__":
    unittest.main()
