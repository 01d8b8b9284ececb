"""Chromium relays through turnpike with every credential that a browser can use, and is refused without one."""

import json
import unittest

import web
import world


class Relaying(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = world.Turnpike()
        cls.addClassCleanup(cls.server.clean_up)
        cls.server.start()
        cls.site = web.Site()
        cls.addClassCleanup(cls.site.clean_up)
        cls.site.start()
        cls.browser = web.Browser()
        cls.addClassCleanup(cls.browser.clean_up)
        cls.browser.start()
        cls.page = cls.browser.page("relay", f"{cls.site.origin}/index.html")

    def servers(self, username, password):
        return [{"urls": [f"turn:{world.V4}:{self.server.port}"], "username": username, "credential": password}]

    def issued(self, source, *options, user="carol"):
        finished = self.server.issue(source, *options, user=user)
        self.assert_status(finished, 0)
        ice = json.loads(finished.out)["iceServers"][0]
        return self.servers(ice["username"], ice["credential"])

    def assert_relays(self, here, there):
        self.page.run(f"relays.connect({json.dumps(here)}, {json.dumps(there)}).then((pair) => void (window.pair = pair))")
        both = lambda: [end["packetsReceived"] for end in self.page.run("pair.measure()")]  # noqa: E731
        self.assertTrue(world.eventually(lambda: min(both()) > 20), "no media arrives")
        one, other = self.page.run("pair.measure()")
        self.assertEqual((one["type"], other["type"]), ("relay", "relay"))
        self.assertEqual((one["gathered"], other["gathered"]), (["relay"], ["relay"]))
        # Each hears the other's relay, and nothing else.
        self.assertEqual((one["local"], other["local"]), (other["remote"], one["remote"]))
        self.page.run("pair.close()")

    def test_with_credentials_of_every_source(self):
        ways = {
            "static": lambda user: self.servers(world.PLAIN_USER, world.PLAIN_PASSWORD),
            "computed": lambda user: self.issued("computed", user=user),
            "pushed": lambda user: self.issued("pushed", user=user),
            "token": lambda user: self.issued("token", "--form", "browser", user=user),
        }
        for name, servers in ways.items():
            with self.subTest(name):
                self.assert_relays(servers("carol"), servers("dave"))

    def test_hears_401_with_a_wrong_password(self):
        found = self.page.run(f"relays.gather({json.dumps(self.servers(world.PLAIN_USER, 'wrong'))})")
        self.assertEqual(found["candidates"], [])
        self.assertEqual({error["code"] for error in found["errors"]}, {401})

    def test_hears_401_after_revocation(self):
        servers = self.issued("pushed", user="erin")
        found = self.page.run(f"relays.gather({json.dumps(servers)})")
        self.assertEqual((set(found["candidates"]), found["errors"]), ({"relay"}, []))
        self.assert_status(self.server.admin("revoke", "--user", "erin"), 0)
        found = self.page.run(f"relays.gather({json.dumps(servers)})")
        self.assertEqual((found["candidates"], {error["code"] for error in found["errors"]}), ([], {401}))


if __name__ == "__main__":
    unittest.main()
