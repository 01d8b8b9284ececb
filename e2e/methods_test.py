"""What two WICs send each other besides calls, through the eP-CSCF and the home core: each method, in both directions."""

import unittest

import epcscf
import sip
import world


class Methods(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(epcscf.EpCscf())

    def setUp(self):
        self.alice, self.bob = self.registered("alice"), self.registered("bob")

    def registered(self, user):
        agent = self.server.wic(user)
        self.addCleanup(agent.transport.close)
        _, answer = agent.register_by_digest()
        self.assertEqual(answer.status, 200, answer)
        return agent

    def passes(self, one, request, other, status=200, reason="OK", *headers):
        """Sends a request, which arrives as it was sent and is answered: (as it arrived, the answer)."""
        one.send(request)
        seen = other.arrived(request.method)
        self.assertEqual(seen.body, request.body)
        self.assertEqual(seen.header("CSeq"), request.header("CSeq"))
        other.answer(seen, status, reason, ("Contact", other.contact), *headers)
        answer = one.final(request)
        self.assertEqual((answer.status, answer.first.split(" ", 2)[2]), (status, reason), answer)
        return seen, answer

    def back(self, agent, method, seen, *headers, tag="answered"):
        """A request of the callee inside of the dialog that `seen` opened; not sent yet."""
        routes = [one.strip() for line in seen.headers("Record-Route") for one in sip.split_outside_quotes(line)]
        self.assertTrue(routes, "nobody has recorded a route")
        target = seen.header("Contact").partition("<")[2].partition(">")[0]
        return agent.request(
            method, target, *[("Route", one) for one in routes], ("Contact", agent.contact), *headers,
            to=seen.header("From"), call_id=seen.header("Call-ID"), from_tag=tag,
        )  # fmt: skip

    def called(self):
        """A call of alice to bob: (her INVITE, his answer, the INVITE as he saw it)."""
        invite = self.alice.invite(self.bob.aor, body="v=0\r\n")
        seen = self.bob.arrived("INVITE")
        self.bob.answer(seen, 200, "OK", ("Contact", self.bob.contact))
        answer = self.alice.final(invite)
        self.alice.acknowledge(invite, answer)
        self.bob.arrived("ACK")
        return invite, answer, seen

    def test_outside_of_a_dialog_arrives_with_who_sent_it(self):
        for method, headers, body in (
            ("MESSAGE", [("Content-Type", "text/plain")], "hello"), ("OPTIONS", [("Accept", "application/sdp")], ""),
        ):  # fmt: skip
            for one, other in ((self.alice, self.bob), (self.bob, self.alice)):
                with self.subTest(method, of=one.user):
                    claimed = ("P-Asserted-Identity", "<sip:boss@ims.example>")
                    request = one.request(method, other.aor, claimed, *headers, body=body)
                    seen, _ = self.passes(one, request, other)
                    self.assertEqual(seen.headers("P-Asserted-Identity"), [f"<{one.aor}>"])
                    self.assertEqual(seen.uri, other.contact.strip("<>"))
                    self.assertEqual(seen.headers("Record-Route"), [], "of no dialog")

    def test_a_subscription_and_a_referral_are_notified_the_other_way(self):
        for method, event, headers in (
            ("SUBSCRIBE", "presence", [("Event", "presence"), ("Expires", "60")]),
            ("REFER", "refer", [("Refer-To", "<sip:carol@ims.example>")]),
        ):
            for one, other in ((self.alice, self.bob), (self.bob, self.alice)):
                with self.subTest(method, of=one.user):
                    request = one.request(method, other.aor, ("Contact", one.contact), *headers)
                    seen, answer = self.passes(one, request, other, 202, "Accepted")
                    for name, value in headers:
                        self.assertEqual(seen.headers(name), [value])
                    notify = self.back(other, "NOTIFY", seen, ("Event", event), ("Subscription-State", "active"))
                    notified, _ = self.passes(other, notify, one)
                    self.assertEqual(notified.header("Event"), event)
                    self.assertEqual(notified.uri, one.contact.strip("<>"))
                    if method == "SUBSCRIBE":
                        end = one.in_dialog(method, request, answer, ("Contact", one.contact), ("Expires", "0"), *headers[:1])
                        self.assertEqual(self.passes(one, end, other)[0].header("Expires"), "0")

    def test_an_early_dialog_takes_prack_and_update(self):
        invite = self.alice.invite(self.bob.aor, ("Supported", "100rel"), body="v=0\r\n")
        seen = self.bob.arrived("INVITE")
        self.bob.answer(
            seen, 183, "Session Progress", ("Contact", self.bob.contact), ("Require", "100rel"), ("RSeq", "1")
        )
        early = self.alice.wait(lambda m: m.status == 183)
        self.assertEqual((early.header("Require"), early.header("RSeq")), ("100rel", "1"))
        prack = self.alice.in_dialog("PRACK", invite, early, ("RAck", "1 1 INVITE"))
        self.assertEqual(self.passes(self.alice, prack, self.bob)[0].header("RAck"), "1 1 INVITE")
        self.passes(self.alice, self.alice.in_dialog("UPDATE", invite, early, ("Contact", self.alice.contact)), self.bob)
        self.passes(self.bob, self.back(self.bob, "UPDATE", seen), self.alice)
        self.bob.answer(seen, 200, "OK", ("Contact", self.bob.contact))
        answer = self.alice.final(invite)
        self.alice.acknowledge(invite, answer)
        self.assertEqual(self.bob.arrived("ACK").header("CSeq").split()[1], "ACK")

    def test_a_call_takes_info_update_refer_and_another_invite_from_both_sides_and_ends(self):
        for ends in ("caller", "callee"):
            invite, answer, seen = self.called()
            of_alice = lambda method, *more, **how: self.alice.in_dialog(method, invite, answer, *more, **how)  # noqa: B023, E731
            of_bob = lambda method, *more: self.back(self.bob, method, seen, *more)  # noqa: B023, E731
            for method, more in (
                ("INFO", [("Info-Package", "dtmf")]), ("UPDATE", []), ("MESSAGE", []), ("REFER", [("Refer-To", "<sip:x@y.example>")]),
            ):  # fmt: skip
                with self.subTest(method, ends=ends):
                    self.passes(self.alice, of_alice(method, ("Contact", self.alice.contact), *more), self.bob)
                    self.passes(self.bob, of_bob(method, *more), self.alice)
            again = of_alice("INVITE", ("Contact", self.alice.contact))
            self.passes(self.alice, again, self.bob)
            self.alice.send(of_alice("ACK", cseq=int(again.header("CSeq").split()[0])))
            self.assertEqual(self.bob.arrived("ACK").header("CSeq"), again.header("CSeq").replace("INVITE", "ACK"))
            back = of_bob("INVITE")
            self.passes(self.bob, back, self.alice)
            ack = self.back(self.bob, "ACK", seen)
            ack.fields = [(name, value if name != "CSeq" else back.header("CSeq").replace("INVITE", "ACK")) for name, value in ack.fields]
            self.bob.send(ack)
            self.assertEqual(self.alice.arrived("ACK").header("CSeq"), ack.header("CSeq"))
            with self.subTest("BYE", ends=ends):
                if ends == "caller":
                    self.passes(self.alice, of_alice("BYE"), self.bob)
                else:
                    self.passes(self.bob, of_bob("BYE"), self.alice)

    def test_a_call_that_rings_is_cancelled(self):
        invite = self.alice.invite(self.bob.aor)
        seen = self.bob.arrived("INVITE")
        self.bob.answer(seen, 180, "Ringing")
        self.alice.wait(lambda m: m.status == 180)
        # RFC 3261 section 9.1: as the INVITE, its branch too, with another method in CSeq.
        kept = ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")
        fields = [(name, value) for name, value in invite.fields if name in kept]
        cancel = sip.Message(f"CANCEL {invite.uri} SIP/2.0", [*fields, ("CSeq", invite.header("CSeq").replace("INVITE", "CANCEL"))])
        self.alice.send(cancel)
        self.assertEqual(self.alice.final(cancel).status, 200)
        cancelled = self.bob.arrived("CANCEL")
        self.assertEqual(cancelled.header("Via"), seen.header("Via"))
        self.bob.answer(cancelled, 200, "OK")
        self.bob.answer(seen, 487, "Request Terminated")
        self.assertEqual(self.alice.final(invite).status, 487)
        self.assertEqual(self.bob.arrived("ACK").header("CSeq"), seen.header("CSeq").replace("INVITE", "ACK"))

    def test_what_a_callee_refuses_is_told_as_it_is(self):
        for method, status, reason in (("MESSAGE", 488, "Not Acceptable Here"), ("SUBSCRIBE", 489, "Bad Event")):
            with self.subTest(method):
                request = self.alice.request(method, self.bob.aor, ("Contact", self.alice.contact), ("Event", "x"))
                self.passes(self.alice, request, self.bob, status, reason)

    def test_to_whom_nobody_knows_is_a_404_and_to_who_is_not_there_a_480(self):
        self.bob.register_by_digest(expires=0)
        for method in ("MESSAGE", "OPTIONS", "SUBSCRIBE", "INVITE"):
            for user, status in (("bob", 480), ("zed", 404)):
                with self.subTest(method, to=user):
                    answer = self.alice.ask(method, f"sip:{user}@{epcscf.REALM}", ("Contact", self.alice.contact))
                    self.assertEqual(answer.status, status, answer)


if __name__ == "__main__":
    unittest.main()
