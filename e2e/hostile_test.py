"""A stranger's packets: the server keeps serving, its memory stays bounded, and its log holds no secret."""

import json
import random
import secrets
import socket
import struct
import time
import unittest

import turn
import world

PACKETS = 6000
GROWTH_KILOBYTES = 8 * 1024


def strange_packets(seed):
    """Requests without credentials, with wrong ones, cut and altered, and noise: the same for each seed."""
    dice = random.Random(seed)
    token = dice.randbytes(64)
    wrong = [(turn.USERNAME, b"alice"), (turn.REALM, b"r"), (turn.NONCE, b"nonce")]
    forged = turn.encode(turn.ALLOCATE, turn.REQUEST, [(turn.REQUESTED_TRANSPORT, turn.UDP), *wrong], b"k" * 16)
    kinds = [
        lambda: turn.allocate_request(),
        lambda: turn.encode(dice.randrange(0xFFF), turn.REQUEST),
        lambda: turn.encode(turn.REFRESH, turn.REQUEST, [(turn.LIFETIME, bytes(4))]),
        lambda: forged,
        lambda: turn.encode(turn.ALLOCATE, turn.REQUEST, [(turn.ACCESS_TOKEN, token), *wrong], b"k" * 20),
        lambda: turn.encode(turn.SEND, turn.INDICATION, [(turn.DATA_VALUE, b"x" * 100)]),
        lambda: altered(forged, dice),
        lambda: forged[: dice.randrange(len(forged))],
        lambda: struct.pack("!HH", 0x4000 + dice.randrange(0x4000), dice.randrange(300)) + dice.randbytes(100),
        lambda: dice.randbytes(dice.randrange(1, 1400)),
        lambda: b"",
    ]
    for _ in range(PACKETS):
        yield dice.choice(kinds)()


def altered(packet, dice):
    changed = bytearray(packet)
    for _ in range(dice.randrange(1, 6)):
        changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


class Hostile(world.Case):
    def allocated(self, server, peer, host, username=world.USER, password=world.PASSWORD):
        client = turn.Client((host, server.port), username, password)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((host, peer.port))
        self.assertTrue(client.echoes())
        return client

    def flood(self, server, host, seed, between):
        """Sends the packets from many sockets; what comes back is counted and thrown away."""
        senders = [socket.socket(turn.family_of(host), socket.SOCK_DGRAM) for _ in range(20)]
        answered = 0
        try:
            for sender in senders:
                sender.setblocking(False)
                sender.connect((host, server.port))
            for number, packet in enumerate(strange_packets(seed)):
                sender = senders[number % len(senders)]
                try:
                    sender.send(packet)
                except OSError:
                    pass
                if number % 200 == 0:
                    between()
                    answered += sum(drain(sender) for sender in senders)
            return answered + sum(drain(sender) for sender in senders)
        finally:
            for sender in senders:
                sender.close()

    def test_floods_leave_others_alone_and_memory_bounded(self):
        peer = self.started(world.EchoPeer())
        server = self.started(world.Turnpike(log_level="info"))
        running = self.allocated(server, peer, world.V4)
        between = lambda: self.assertTrue(running.echoes(), "the good client is not served")  # noqa: E731
        self.flood(server, world.V6, 1, between)  # what a first flood touches stays resident
        before = server.resident_kilobytes()
        answers = [self.flood(server, world.V6, seed, between) for seed in (2, 3)]
        self.assertLess(server.resident_kilobytes() - before, GROWTH_KILOBYTES)
        # Beyond the rate per source there is silence; what never needs a challenge is answered at most once.
        self.assertLess(max(answers), PACKETS)
        self.allocated(server, peer, world.V4)
        self.assertEqual(server.stop(), 0, server.log()[-2000:])

    def test_challenges_to_one_source_are_limited(self):
        server = self.started(world.Turnpike(limits="unauthorized_per_second_per_source = 10"))
        begun = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect((world.V4, server.port))
            for _ in range(500):
                sender.send(turn.allocate_request())
            sender.settimeout(0.5)
            answers = drain(sender)
        allowed = 10 * (time.monotonic() - begun + 2)
        self.assertGreater(answers, 0)
        self.assertLess(answers, allowed)

    def test_no_secret_reaches_the_log(self):
        for level in ("debug", "trace"):
            with self.subTest(level):
                self.serve_everything_and_read_the_log(level)

    def serve_everything_and_read_the_log(self, level):
        peer = self.started(world.EchoPeer())
        server = self.started(world.Turnpike(log_level=level))
        hidden = {"static password": world.PASSWORD, "shared secret": world.SECRET}
        hidden["token key"] = world.base64_text(server.token_key)
        hidden["token key in hex"] = server.token_key.hex()
        self.allocated(server, peer, world.V4)
        for source in ("computed", "pushed", "token"):
            ice = json.loads(server.issue(source).out)["iceServers"][0]
            hidden[f"password of {source}"] = ice["credential"]
            self.allocated(server, peer, world.V4, ice["username"], ice["credential"])
            if source == "token":
                hidden["sealed token"] = ice["username"].split(".", 1)[1]
        pushed = secrets.token_urlsafe(20)
        self.assert_status(server.admin("push", "--username", "dave", "--password", pushed, "--ttl", 60), 0)
        hidden["pushed password"] = pushed
        hidden["pushed key"] = turn.long_term_key("dave", server.realm, pushed).hex()
        self.allocated(server, peer, world.V4, "dave", pushed)
        wrong = secrets.token_urlsafe(20)
        hidden["wrong password"] = wrong
        client = turn.Client((world.V4, server.port), world.USER, wrong)
        self.addCleanup(client.close)
        self.assertRaises(turn.Refused, client.allocate)
        server.admin("revoke", "--username", "dave")
        server.admin("reload")
        self.assertEqual(server.stop(), 0, server.log()[-2000:])

        log = server.log()
        self.assertIn(world.USER, log)  # the log did tell of these clients
        for name, secret in hidden.items():
            self.assertNotIn(secret, log, f"the log holds the {name}")



def drain(sender):
    """How many packets wait, or come before the socket's timeout."""
    count = 0
    while True:
        try:
            sender.recv(65536)
        except OSError:
            return count
        count += 1


if __name__ == "__main__":
    unittest.main()
