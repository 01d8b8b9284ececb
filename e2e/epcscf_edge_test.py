"""Both trust edges of the eP-CSCF, with a WIC and a core that the test plays: what passes, what is added, what is struck."""

import struct
import time
import unittest

import epcscf
import played_core
import sip
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
        self.assertIn(answer.status, (403, 503), answer)
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
        self.assertIn(answer.status, (408, 504), answer)

    def test_lets_no_other_page_in_and_speaks_nothing_but_sip(self):
        for wrong in ({"origin": "https://evil.example"}, {"subprotocol": "chat"}, {"subprotocol": None}):
            with self.subTest(wrong), self.assertRaises(websocket.HandshakeRefused) as refused:
                self.server.socket(**wrong)
            self.assertIn(refused.exception.status, range(400, 500))
        self.server.socket(origin="https://shop.example").close()

    def test_survives_what_is_no_sip(self):
        good = self.wic()
        register = good.request("REGISTER", "sip:ims.example", ("Contact", good.contact), to=f"<{good.aor}>").text()
        for name, data in {
            "garbage": b"\x00\xff\x00garbage",
            "half a message": register[: len(register) // 2].encode(),
            "two messages in a frame": (register + register).encode(),
            "no body as long as it says": register.replace("Content-Length: 0", "Content-Length: 9").encode(),
            "ten thousand headers": register.replace("Max-Forwards", "X: y\r\n" * 10000 + "Max-Forwards").encode(),
            "a header of 60 kB": register.replace("Max-Forwards: 70", "X: " + "y" * 60000).encode(),
        }.items():
            with self.subTest(name):
                stranger = self.stranger()
                stranger.send_frame(data, websocket.BINARY)
                try:
                    said = stranger.receive(2)
                    self.assertTrue(said is None or sip.parse(said).status in range(400, 500), said)
                except websocket.Closed:
                    pass
        with self.assertRaises(websocket.Closed) as closed:
            stranger = self.stranger()
            stranger.send_frame(b"R" * 200_000)
            stranger.receive(5)
        self.assertIn(closed.exception.code, (1009, 1006))
        self.register(good)

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
        with self.assertRaises(websocket.Closed):
            stranger.receive(5)


if __name__ == "__main__":
    unittest.main()
