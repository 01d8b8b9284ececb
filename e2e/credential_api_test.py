"""The credential API: what web servers and pages fetch opens our relay, and ends when it is withdrawn."""

import base64
import unittest
import urllib.parse

import home
import world
from api import KEY, PAGE, PLACE, SHOP_KEY, SILENCE_SECONDS, ApiRelay


class Case(world.RelayCase):
    sources = ("pushed", "computed")

    def setUp(self):
        self.peer = self.started(world.EchoPeer())

    def serve(self, **more):
        self.relay = self.server = self.started(ApiRelay(self.sources, **more))
        return self.relay

    def issued(self, user="alice@ims.example", **more):
        answer = self.relay.ask(target=f"{PLACE}?service=turn&user={urllib.parse.quote(user)}", **more)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def opened(self, credential):
        return self.allocated(credential["username"], credential["password"])

    def assert_refused(self, credential):
        self.assertEqual(self.refusal(credential["username"], credential["password"]), 401)

    def withdrawn_while_it_relays(self):
        credential = self.issued()
        client = self.opened(credential)
        seconds = home.seconds_to_silence(
            client, lambda: self.assertEqual(self.relay.ask("DELETE", f"{PLACE}?user=alice@ims.example").status, 200)
        )
        self.assertLess(seconds, SILENCE_SECONDS)
        self.assert_refused(credential)


class Credentials(Case):
    def test_opens_the_relay_and_ends_with_its_withdrawal(self):
        self.serve()
        first = self.issued()
        self.assertNotIn(":", first["username"], "it was computed")
        self.withdrawn_while_it_relays()
        self.opened(self.issued())
        finished = world.turnpike("probe", first["uris"][0], "--user", first["username"], "--password", first["password"])
        self.assertEqual(finished.status, 1, finished)

    def test_a_probe_takes_what_the_api_answers(self):
        self.serve()
        answer = self.issued()
        server = answer["iceServers"][0]
        finished = world.turnpike(
            "probe", server["urls"][0], "--user", server["username"], "--password", server["credential"]
        )
        self.assert_relays(finished)

    def test_callers_are_told_what_is_wrong_with_them(self):
        relay = self.serve()
        nothing = relay.ask(key=None)
        self.assertEqual((nothing.status, nothing.json()["error"]), (401, "nothing_shown"))
        self.assertEqual(nothing.fields["Content-Type"], "application/problem+json")
        wrong = relay.ask(key="not-a-key")
        self.assertEqual((wrong.status, wrong.json()["error"]), (401, "unknown_key"))
        self.assertEqual(wrong.json()["title"], "this API key is not known")
        self.assertTrue(wrong.fields["WWW-Authenticate"].startswith("ApiKey "))
        self.assertEqual(relay.ask(target=f"{PLACE}?user=alice@ims.example", key=SHOP_KEY).json()["error"], "user_not_allowed")
        basic = base64.b64encode(f"web:{KEY}".encode()).decode()
        self.assertEqual(relay.ask(key=None, fields={"Authorization": f"Basic {basic}"}).status, 200)
        self.assertEqual(relay.ask(key=None, certificate=True).status, 200)
        for secret in (KEY, SHOP_KEY, "not-a-key", self.issued()["password"]):
            self.assertNotIn(secret, relay.log())

    def test_a_page_of_a_configured_origin_fetches(self):
        relay = self.serve()
        preflight = relay.ask("OPTIONS", key=None, fields={
            "Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, x-api-key",
        })  # fmt: skip
        self.assertEqual(preflight.status, 204, preflight)
        self.assertEqual(preflight.fields["Access-Control-Allow-Origin"], PAGE)
        self.assertIn("POST", preflight.fields["Access-Control-Allow-Methods"])
        fields = {"Origin": PAGE, "Content-Type": "application/json"}
        answer = relay.ask("POST", fields=fields, body='{"service":"turn","user":"alice","ttl":120}')
        self.assertEqual((answer.status, answer.json()["ttl"]), (200, 120), answer)
        self.assertEqual(answer.fields["Access-Control-Allow-Origin"], PAGE)
        self.assertEqual(answer.fields["Cache-Control"], "no-store")
        stranger = relay.ask(fields={"Origin": "https://elsewhere.example"})
        self.assertEqual((stranger.status, stranger.json()["error"]), (403, "origin_not_allowed"))

    def test_who_asks_too_often_is_told_when_to_come_again(self):
        relay = self.serve(limits="requests_per_minute_per_user = 2")
        for _ in range(2):
            self.issued("bob")
        limited = relay.ask(target=f"{PLACE}?user=bob")
        self.assertEqual((limited.status, limited.json()["error"]), (429, "too_many_for_user"))
        self.assertTrue(0 < int(limited.fields["Retry-After"]) <= 30, limited.fields["Retry-After"])
        self.issued("carol")

    def test_the_administrator_sees_and_withdraws(self):
        relay = self.serve()
        credential = self.issued()
        shown = relay.admin("users")
        self.assertIn("alice@ims.example", shown.text)
        self.assertIn('turnpike_api_issued_total{source="pushed"} 1', relay.admin("stats", "--metrics").text)
        self.assert_status(relay.admin("withdraw", "alice@ims.example"), 0)
        self.assertTrue(world.eventually(lambda: "event=api_withdrawn" in relay.log()))
        self.assert_refused(credential)
        self.assert_status(relay.admin("withdraw", "alice@ims.example"), 1)

    def test_a_reload_changes_the_keys(self):
        relay = self.serve()
        relay.keys_text = '{ id = "web", secret = "another-key-of-the-web-server" }'
        relay.write_config()
        reloaded = relay.admin("reload")
        self.assert_status(reloaded, 0)
        self.assertNotIn("restart", reloaded.text)
        self.assertEqual(relay.ask().status, 401)
        self.assertEqual(relay.ask(key="another-key-of-the-web-server").status, 200)


class Computed(Case):
    """Nothing is pushed, and a withdrawal ends what runs all the same."""

    sources = ("computed",)

    def test_opens_the_relay_and_ends_with_its_withdrawal(self):
        self.serve()
        self.assertIn(":", self.issued()["username"], "it was pushed")
        self.withdrawn_while_it_relays()
        self.opened(self.issued())


if __name__ == "__main__":
    unittest.main()
