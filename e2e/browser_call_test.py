"""Browsers in front of turnpike: JsSIP and SIP.js register over WSS, read their TURN credentials, and call each other."""

import unittest

import epcscf
import web
import world


class Browsers(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.site = cls.kept(web.Site())
        cls.stranger = cls.kept(web.Site())
        cls.server = cls.kept(epcscf.EpCscf(origins=[cls.site.origin]))
        cls.browser = cls.kept(web.Browser())

    def phone(self, kind, user, form, site=None):
        phone = web.PhonePage(
            self.browser, site or self.site, kind, server=self.server.door, user=user, realm=epcscf.REALM,
            impi=f"{user}@{epcscf.REALM}", password=epcscf.PASSWORDS[user], form=form,
        )  # fmt: skip
        self.addCleanup(phone.page.close)
        return phone

    def registered(self, kind, user, form):
        phone = self.phone(kind, user, form)
        phone.connect()
        phone.credentials = phone.register()
        self.assertTrue(phone.credentials, f"{kind} got no credentials by {form}:\n{self.browser.said()}")
        self.addCleanup(phone.stop)
        return phone

    def assert_relayed_call(self, caller, callee):
        caller.call(callee.aor)
        both = lambda: (caller.measure(), callee.measure())  # noqa: E731
        received = lambda: [end and end["packetsReceived"] for end in both()]  # noqa: E731
        self.assertTrue(world.eventually(lambda: all(count and count > 20 for count in received())), "no media arrives")
        before = received()
        self.assertTrue(world.eventually(lambda: self.more_than(before, received())), "the media has stopped")
        one, other = both()
        self.assertEqual((one["type"], other["type"], one["dtls"], other["dtls"]), ("relay", "relay", "connected", "connected"))
        self.assertEqual((one["gathered"], other["gathered"]), (["relay"], ["relay"]))
        # Each hears the other's relay, and nothing else.
        self.assertEqual((one["local"], other["local"]), (other["remote"], one["remote"]))
        caller.hangUp()

    @staticmethod
    def more_than(before, after):
        return all(new > old + 10 for old, new in zip(before, after))

    def test_jssip_calls_sipjs_and_is_called_back(self):
        alice, bob = self.registered("jssip", "alice", "header"), self.registered("sipjs", "bob", "body")
        self.assert_relayed_call(alice, bob)
        self.assert_relayed_call(bob, alice)

    def test_jssip_calls_jssip(self):
        alice, bob = self.registered("jssip", "alice", "body"), self.registered("jssip", "bob", "header")
        self.assert_relayed_call(alice, bob)

    def test_each_library_reads_each_form(self):
        for kind in ("jssip", "sipjs"):
            for form in ("header", "body"):
                with self.subTest(f"{kind} {form}"):
                    phone = self.registered(kind, "alice", form)
                    self.assertGreater(phone.credentials["ttl"], 0)
                    self.assertIn(f"turn:{world.V4}:{self.server.port}", str(phone.credentials["iceServers"]))
                    found = phone.page.run("relays.gather(phone.credentials.iceServers)")
                    self.assertEqual((set(found["candidates"]), found["errors"]), ({"relay"}, []))
                    phone.unregister()

    def test_a_page_of_another_origin_does_not_get_in(self):
        phone = self.phone("jssip", "alice", "header", site=self.stranger)
        with self.assertRaisesRegex(web.ScriptError, "disconnected"):
            phone.connect()
        self.assertIn("403", self.browser.said())

    def test_credentials_end_with_the_registration(self):
        phone = self.registered("jssip", "bob", "header")
        gather = "relays.gather(phone.credentials.iceServers)"
        self.assertEqual(phone.page.run(gather)["errors"], [])
        phone.unregister()
        found = phone.page.run(gather)
        self.assertEqual((found["candidates"], {error["code"] for error in found["errors"]}), ([], {401}))


if __name__ == "__main__":
    unittest.main()
