"""Both trust edges of the eP-CSCF, with a WIC and a core that the test plays: what passes, what is added, what is struck."""

import random
import re
import struct
import time
import unittest

import epcscf
import played_core
import websocket
import world

ASKING = ("Turn-Credentials", "request")
FORGED = (
    'Digest username="alice@ims.example", realm="ims.example", uri="sip:ims.example", nonce="", response="", '
    'integrity-protected="auth-done"'
)
# A response that this core takes unseen. What it proves to the eP-CSCF is that the core had a password to check.
PROVED = (
    'Digest username="alice@ims.example", realm="ims.example", nonce="n", uri="sip:ims.example", qop=auth, nc=00000001, '
    'cnonce="c", response="00112233445566778899aabbccddeeff", algorithm=MD5'
)

MESSAGES, CONNECTIONS, BATCH = 20_000, 20, 50
GROWTH_KILOBYTES = 8 * 1024
# Each is malformed, whatever the dice say.
HOSTILE = [
    lambda register, dice: dice.randbytes(dice.randrange(1, 1400)),
    lambda register, dice: register[: dice.randrange(1, len(register) - 4)],
    lambda register, dice: register.replace(b"Content-Length: 0", b"Content-Length: %d" % dice.randrange(1, 1 << 40)),
    lambda register, dice: register.replace(b"CSeq: ", b"CSeq: x"),
    lambda register, dice: register.replace(b"Call-ID", b"X%d" % dice.randrange(1 << 30)),
    lambda register, dice: register.replace(b"Max-Forwards", b"X: y\r\n" * 300 + b"Max-Forwards"),
    lambda register, dice: register.replace(b"Max-Forwards: 70", b"X: " + b"y" * 20_000),
]


def bad_messages(server):
    """How many messages were refused or dropped so far, by reason."""
    return counts_by_reason(server, "turnpike_epcscf_bad_messages_total")


def flow_ends(server):
    """How many connections of WICs have ended so far, by reason."""
    return counts_by_reason(server, "turnpike_epcscf_flows_ended_total")


def counts_by_reason(server, name):
    metrics = server.admin("stats", "--metrics").out
    found = re.findall(rf'(?m)^{name}\{{reason="(\w+)"\}} (\d+)$', metrics)
    return {reason: int(count) for reason, count in found}


class Edges(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.core = played_core.PlayedCore()
        cls.addClassCleanup(cls.core.clean_up)
        cls.server = epcscf.EpCscf(cls.core.uri, origins=["https://shop.example"])
        cls.addClassCleanup(cls.server.clean_up)
        cls.server.start()

    def wic(self, user="alice"):
        agent = self.server.wic(user)
        self.addCleanup(agent.transport.close)
        return agent

    def stranger(self):
        one = self.server.socket()
        self.addCleanup(one.close)
        return one

    def register(self, agent, *headers, authorization=PROVED, grant=(), expires=600):
        """One REGISTER that the core accepts: (as it reached the core, as it was answered to the WIC)."""
        contact = f'{agent.contact};reg-id=1;+sip.instance="{agent.instance}"'
        more = [("Authorization", authorization)] if authorization else []
        request = agent.send(
            agent.request(
                "REGISTER", "sip:ims.example", ("Contact", contact), ("Expires", str(expires)),
                ("Supported", "path, outbound, gruu"), *more, *headers, to=f"<{agent.aor}>", call_id=agent.call_id,
            )  # fmt: skip
        )
        seen = self.core.received("REGISTER", agent.call_id)
        self.core.accept(seen, *grant, expires=expires)
        answer = agent.final(request)
        agent.route = answer.headers("Service-Route")
        return seen, answer

    def test_tells_the_core_what_it_needs_of_a_registration(self):
        seen, answer = self.register(self.wic(), ASKING)
        self.assertIn(self.server.own_host, seen.header("Path"))
        self.assertIn("lr", seen.header("Path"))
        self.assertIn("path", seen.header("Require"))
        self.assertIn("path", seen.header("Supported"))
        self.assertTrue(seen.header("P-Visited-Network-ID"))
        self.assertIn("icid-value=", seen.header("P-Charging-Vector"))
        self.assertIsNone(seen.header("Turn-Credentials"))
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("username=", answer.header("Turn-Credentials"))

    def test_strikes_what_only_the_network_may_say(self):
        claims = [
            ("P-Asserted-Identity", "<sip:boss@ims.example>"), ("P-Charging-Vector", "icid-value=mine"),
            ("P-Visited-Network-ID", '"mine"'), ("Path", "<sip:mine.example;lr>"),
            ("P-Charging-Function-Addresses", "ccf=mine.example"),
        ]  # fmt: skip
        seen, _ = self.register(self.wic(), *claims, authorization=FORGED)
        self.assertNotIn("auth-done", seen.text())
        self.assertNotIn("mine", seen.text())
        self.assertNotIn("boss", seen.text())

    def test_strikes_credentials_and_charging_of_the_core(self):
        forged = [
            ("Turn-Credentials", '<turn:evil.example>;username="x";password="y";ttl=60'),
            ("P-Charging-Vector", "icid-value=core"), ("P-Charging-Function-Addresses", "ccf=core.example"),
        ]  # fmt: skip
        for asked in ((), (ASKING,)):
            _, answer = self.register(self.wic(), *asked, grant=forged)
            self.assertNotIn("evil.example", answer.text())
            self.assertEqual(answer.header("Turn-Credentials") is not None, bool(asked))
            self.assertNotIn("P-Charging", answer.text())

    def test_gives_no_credentials_to_whom_the_core_did_not_have_to_check(self):
        for authorization in (None, FORGED):
            _, answer = self.register(self.wic(), ASKING, authorization=authorization)
            self.assertEqual((answer.status, answer.header("Turn-Credentials")), (200, None))
            self.assertIn("Warning", answer.text())

    def test_a_new_registration_has_new_credentials(self):
        agent = self.wic()
        begun = time.monotonic()
        came = {self.register(agent, ASKING)[1].header("Turn-Credentials").partition(";ttl=")[0] for _ in range(3)}
        self.assertEqual(len(came), 3, came)
        self.assertLess(time.monotonic() - begun, 2, "three seconds have three names without any doing")

    def test_refuses_a_call_of_whom_nobody_knows(self):
        agent = self.wic("mallory")
        invite = agent.invite("sip:alice@ims.example")
        answer = agent.final(invite)
        self.assertEqual(answer.first, "SIP/2.0 403 Not registered", answer)
        self.assertTrue(self.core.hears_nothing("INVITE", invite.header("Call-ID")))

    def test_asserts_the_identity_of_the_caller(self):
        agent = self.wic()
        self.register(agent)
        invite = agent.invite("sip:bob@ims.example", ("P-Asserted-Identity", "<sip:boss@ims.example>"))
        seen = self.core.received("INVITE", invite.header("Call-ID"))
        self.assertEqual(seen.headers("P-Asserted-Identity"), ["<sip:alice@ims.example>"])
        self.core.answer(seen, 486, "Busy Here")
        self.assertEqual(agent.final(invite).status, 486)

    def test_answers_for_a_core_that_is_silent(self):
        agent = self.wic()
        request = agent.send(
            agent.request("REGISTER", "sip:ims.example", ("Contact", agent.contact), to=f"<{agent.aor}>")
        )
        self.core.received("REGISTER", request.header("Call-ID"))
        answer = agent.final(request, seconds=40)
        self.assertEqual(answer.status, 504, answer)

    def test_lets_no_other_page_in_and_speaks_nothing_but_sip(self):
        for wrong, status in (({"origin": "https://evil.example"}, 403), ({"subprotocol": "chat"}, 400), ({"subprotocol": None}, 400)):
            with self.subTest(wrong):
                with self.assertRaises(websocket.HandshakeRefused) as refused:
                    self.server.socket(**wrong)
                self.assertEqual(refused.exception.status, status)
        self.server.socket(origin="https://shop.example").close()

    def said_to(self, data, opcode=websocket.BINARY):
        """The first line of the answer to a message of a stranger; nothing where it is passed over."""
        stranger = self.stranger()
        stranger.send_frame(data if isinstance(data, bytes) else data.encode(), opcode)
        stranger.send("\r\n\r\n")  # has an answer (RFC 5626 section 4.4.1), behind that to the message
        said = stranger.receive()
        return None if said == b"\r\n" else said.decode().partition("\r\n")[0]

    def test_answers_what_is_no_sip_as_far_as_it_can_be_answered(self):
        good = self.wic()
        register = good.request("REGISTER", "sip:ims.example", ("Contact", good.contact), to=f"<{good.aor}>").text()
        before = bad_messages(self.server)
        cases = {
            "half a message": (register[: len(register) // 2], "400 End Of Headers Missing"),
            "no body as long as it says": (
                register.replace("Content-Length: 0", "Content-Length: 9"), "400 Body Shorter Than Content-Length",
            ),
            "ten thousand headers": (register.replace("Max-Forwards", "X: y\r\n" * 10000 + "Max-Forwards"), "400 Too Many Headers"),
            "a header of 60 kB": (register.replace("Max-Forwards: 70", "X: " + "y" * 60000), "400 Header Too Long"),
            "a number that is none": (register.replace("CSeq: ", "CSeq: x"), "400 Malformed CSeq"),
            "two methods": (register.replace("REGISTER", "INVITE", 1), "400 CSeq Method Differs From Request"),
            "no Call-ID": (register.replace("Call-ID", "X-ID"), "400 Missing Call-ID"),
            "another version": (register.replace("SIP/2.0", "SIP/3.0", 1), "505 Version Not Supported"),
            "two messages in a frame": (register + register, "400 Body Longer Than Content-Length"),
            "nothing that has a Via": (b"\x00\xff\x00garbage", None),
            "an answer to nothing": (b"SIP/2.0 200 OK\r\n\r\n", None),
        }  # fmt: skip
        for name, (data, answer) in cases.items():
            with self.subTest(name):
                self.assertEqual(self.said_to(data), answer and "SIP/2.0 " + answer)
        after = bad_messages(self.server)
        self.assertEqual(after["two_messages"] - before["two_messages"], 1)
        self.assertEqual(after["malformed"] - before["malformed"], len(cases) - 1)
        self.register(good)

    def test_closes_what_is_no_websocket_message(self):
        before = flow_ends(self.server)
        for name, data, opcode, code in (
            ("larger than any message", b"R" * 200_000, websocket.TEXT, 1009),
            ("a text that is no UTF-8", b"REGISTER \xff\xfe", websocket.TEXT, 1007),
        ):
            with self.subTest(name):
                stranger = self.stranger()
                with self.assertRaises(websocket.Closed) as closed:
                    stranger.send_frame(data, opcode)
                    stranger.receive(5)
                self.assertEqual(closed.exception.code, code)
        # Whoever does not hang up has no flow any longer all the same, and is counted as what they did.
        world.eventually(lambda: sum(flow_ends(self.server).values()) >= sum(before.values()) + 2, 15, 0.2)
        after = flow_ends(self.server)
        self.assertEqual({reason: count - before[reason] for reason, count in after.items() if count != before[reason]},
                         {"message_too_large": 1, "not_websocket": 1})  # fmt: skip

    def test_takes_a_message_in_pieces_and_answers_a_ping(self):
        agent = self.wic()
        request = agent.request("REGISTER", "sip:ims.example", ("Contact", agent.contact), to=f"<{agent.aor}>")
        text = request.text().encode()
        agent.transport.send_frame(text[:100], final=False)
        agent.transport.send_frame(b"are you there", websocket.PING)
        agent.transport.send_frame(text[100:], opcode=0)
        self.core.accept(self.core.received("REGISTER", request.header("Call-ID")))
        self.assertEqual(agent.wait(lambda m: m.status >= 200).status, 200)

    def test_a_broken_frame_ends_the_connection(self):
        stranger = self.stranger()
        stranger.socket.sendall(struct.pack("!BB", 0x81, 5) + b"hello")  # not masked
        with self.assertRaises(websocket.Closed) as closed:
            stranger.receive(5)
        self.assertEqual(closed.exception.code, 1002)


class Flood(world.Case):
    """Strangers who send what is no SIP, as fast as they are read."""

    def setUp(self):
        limits = f"messages_per_second = {10 * MESSAGES}"
        self.server = self.started(epcscf.EpCscf(**{"sections": {"epcscf.limits": limits}}))

    def flood(self, count, seed):
        """From some connections, each message with what was said to it before the next batch."""
        dice = random.Random(seed)
        good = self.server.wic("alice")
        register = good.request("REGISTER", "sip:ims.example", ("Contact", good.contact), to=f"<{good.aor}>").text().encode()
        good.transport.close()
        for _ in range(CONNECTIONS):
            stranger = self.server.socket()
            self.addCleanup(stranger.close)
            for _ in range(count // CONNECTIONS // BATCH):
                for _ in range(BATCH):
                    stranger.send_frame(dice.choice(HOSTILE)(register, dice), websocket.BINARY)
                stranger.send("\r\n\r\n")
                while stranger.receive() != b"\r\n":
                    pass

    def test_of_hostile_messages_leaves_no_memory_behind_and_is_counted(self):
        self.flood(MESSAGES // 2, 1)
        before = self.server.resident_kilobytes()
        self.flood(MESSAGES, 2)
        self.assertLess(self.server.resident_kilobytes() - before, GROWTH_KILOBYTES)
        counted = bad_messages(self.server)
        self.assertEqual(counted["malformed"], MESSAGES + MESSAGES // 2)
        self.assertEqual(sum(counted.values()), counted["malformed"], counted)
        agent = self.server.wic("alice")
        self.addCleanup(agent.transport.close)
        _, answer = agent.register_by_digest(ASKING)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("username=", answer.header("Turn-Credentials"))


if __name__ == "__main__":
    unittest.main()
