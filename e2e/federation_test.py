"""Users whom another identity provider logs in, from its login page to relayed packets."""

import unittest
import urllib.parse

import assertions
import epcscf
import federation
import identity_provider
import waf
import world
from federation import impi


class FederationCase(waf.Case):
    def assert_page(self, page, status, *texts):
        self.assertIsInstance(page, waf.Answer, page)
        self.assertEqual(page.status, status, page)
        for text in texts:
            self.assertIn(text, page.text)

    def logs_in(self, provider, user):
        page = self.server.go_to(provider, user)
        return not isinstance(page, waf.Answer) or (page.status == 200 and "Allow access?" in page.text)


class Federation(FederationCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(federation.Federated(has_shop=True))
        cls.peer = cls.kept(world.EchoPeer())

    def test_from_the_login_elsewhere_to_relayed_packets(self):
        server, browser = self.server, self.server.browser()
        page = browser.get(server.authorization("v" * 43))
        self.assert_page(page, 200, "Log in with Example Corp", "Log in with The &lt;shop&gt;", 'name="password"')
        page = server.go_to("corp", "alice", browser)
        self.assert_page(page, 200, "Allow access?", f"<strong>{impi('alice')}</strong>")
        back = browser.post(f"{server.issuer}/consent", decision="allow", **page.hidden())
        tokens = server.redeem(back.location, "v" * 43).json()
        self.allocated(tokens)
        known = server.introspect(tokens["access_token"])
        self.assertEqual((known["impi"], known["impus"]), (impi("alice"), [f"sip:{impi('alice')}"]))

    def test_a_provider_that_knows_us_by_our_keys_and_tells_at_its_userinfo(self):
        # Its start was after ours: it is asked again.
        self.assertTrue(world.eventually(lambda: self.logs_in("shop", "bob"), 40), self.server.log()[-2000:])
        tokens = self.server.federated_tokens("shop", "bob")
        self.assertEqual(self.server.introspect(tokens["access_token"])["impi"], f"shop-bob@{epcscf.REALM}")
        self.allocated(tokens)

    def test_nobody_comes_in_whom_no_rule_knows(self):
        self.assert_page(self.server.go_to("corp", "dora"), 403, "may not use this service", "Try again")
        page = self.server.go_to("corp", "mallory")
        self.assert_page(page, 403, "You have not logged in at Example Corp.", 'name="password"')

    def test_nobody_takes_the_identity_of_a_local_user(self):
        local = self.server.tokens("local")
        self.assert_page(self.server.go_to("corp", "eve"), 403, "somebody who has another login here")
        self.assertEqual(self.server.introspect(local["access_token"])["impi"], f"local@{epcscf.REALM}")
        self.assertNotIn("corp:eve", self.server.keep("user", "list"))

    def test_an_answer_is_of_no_use_elsewhere(self):
        server, browser = self.server, self.server.browser()
        place = server.authorization("v" * 43, identity_provider="corp", login_hint="alice")
        for _ in range(15):
            place = urllib.parse.urljoin(place, browser.get(place).location)
            if place.startswith(f"{server.issuer}/federation/"):
                break
        # A login that is forced on somebody else, another provider's name, an issuer that has mixed up.
        self.assert_page(server.browser().get(place), 403, "begun in another browser")
        self.assert_page(browser.get(place.replace("/federation/corp", "/federation/shop")), 403)
        mixed = place.replace("iss=", "iss=https%3A%2F%2Fevil.example&x=")
        self.assert_page(browser.get(mixed), 502, "has not confirmed who you are")
        self.assertEqual(browser.get(place).status, 303, "the code was not used up")
        self.assert_page(browser.get(place), 502)

    def test_a_token_of_the_provider_is_exchanged_for_a_relay(self):
        server = self.server
        secret_file = server.folder / "broker.secret"
        server.keep("client", "add", "broker", "--method", "client_secret_post", "--grant", "token_exchange",
                    "--exchanges-for-others", "--secret-to", secret_file)  # fmt: skip
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "broker",
            "client_secret": secret_file.read_text().strip(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }  # fmt: skip
        exchange = lambda token, **more: server.browser().post(  # noqa: E731
            f"{server.issuer}/token", subject_token=token, **{**form, **more}
        )
        answer = exchange(server.corp.token("bob"))
        self.assertEqual(answer.status, 200, answer)
        tokens = answer.json()
        self.assertEqual(tokens["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token")
        self.assertEqual(server.introspect(tokens["access_token"])["impi"], impi("bob"))
        self.allocated(tokens)
        # Of nobody who may log in; for somebody else; by a client that acts for nobody; another provider's.
        for token in (server.corp.token("dora"), server.corp.token("bob")[:-8] + "AAAAAAAA", "x"):
            self.assertEqual(exchange(token).json()["error"], "invalid_request")
        wic = server.browser().post(f"{server.issuer}/token", client_id="wic", subject_token=server.corp.token("bob"),
                                    grant_type=form["grant_type"], subject_token_type=form["subject_token_type"])  # fmt: skip
        self.assertEqual(wic.json()["error"], "invalid_request")

    def test_nothing_secret_is_said(self):
        tokens = self.server.federated_tokens("corp", "alice")
        said = self.server.log() + world.turnpike("check", self.server.config).text
        for word in (federation.SECRET, tokens["access_token"], tokens["refresh_token"], tokens["turn"]["key"]):
            self.assertNotIn(word, said)
        self.assertIn("/federation/corp", world.turnpike("check", self.server.config).text)


PARTNER = "https://partner.e2e.example"


class Vouchers(waf.Case):
    """[[waf.jwt_issuers]]: one names identities itself, one names users of ours."""

    @classmethod
    def setUpClass(cls):
        cls.server = server = waf.Waf(users=("alice",))
        cls.partner = assertions.Voucher(server.folder, PARTNER)
        cls.portal = assertions.Voucher(server.folder, "https://portal.e2e.example")
        for name, voucher in (("partner", cls.partner), ("portal", cls.portal)):
            (server.folder / f"{name}.jwks").write_text(voucher.jwks())
            server.sections["waf"] += f'\n[[waf.jwt_issuers]]\nissuer = "{voucher.issuer}"\njwks_file = "{name}.jwks"'
            if voucher is cls.partner:
                server.sections["waf"] += '\nimpis = ["*@partner.e2e.example"]'
        server.write_config()
        cls.kept(server)
        cls.peer = cls.kept(world.EchoPeer())
        secret_file = server.folder / "desk.secret"
        server.keep("client", "add", "desk", "--method", "client_secret_post", "--grant", "jwt_bearer",
                    "--secret-to", secret_file)  # fmt: skip
        cls.secret = secret_file.read_text().strip()

    def show(self, assertion, **more):
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion,
                "client_id": "desk", "client_secret": self.secret, **more}  # fmt: skip
        return self.server.browser().post(f"{self.server.issuer}/token", **form)

    def says(self, **claims):
        named = {"sub": "ann", "impi": "ann@partner.e2e.example", "impus": ["sip:ann@partner.e2e.example"]}
        return self.partner.assertion(self.server.issuer, **{**named, **claims})

    def test_who_is_vouched_for_relays(self):
        answer = self.show(self.says())
        self.assertEqual(answer.status, 200, answer)
        tokens = answer.json()
        self.assertNotIn("refresh_token", tokens, "it shows another assertion")
        self.assertEqual(self.server.introspect(tokens["access_token"])["impi"], "ann@partner.e2e.example")
        self.allocated(tokens)

    def test_a_user_of_ours_is_named_by_the_portal(self):
        answer = self.show(self.portal.assertion(self.server.issuer, sub="alice"))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.server.introspect(answer.json()["access_token"])["impi"], f"alice@{epcscf.REALM}")
        nobody = self.show(self.portal.assertion(self.server.issuer, sub="nobody"))
        self.assertEqual((nobody.status, nobody.json()["error"]), (400, "invalid_grant"))

    def test_nothing_else_is_taken(self):
        once, stranger = self.says(), assertions.Voucher(self.server.folder, PARTNER)
        self.assertEqual(self.show(once).status, 200)
        named = {"sub": "ann", "impi": "ann@partner.e2e.example"}
        attacks = {
            "shown twice": once,
            "of another domain": self.says(impi=f"alice@{epcscf.REALM}"),
            "with a public identity of another domain": self.says(impus=[f"sip:alice@{epcscf.REALM}"]),
            "for another server": self.partner.assertion("https://other.e2e.example", **named),
            "for another server as well": self.says(aud=[self.server.issuer, "https://other.e2e.example"]),
            "that has ended": self.says(exp=1_700_000_000),
            "that lives too long": self.says(exp=4_000_000_000),
            "without an end": self.says(exp=None),
            "without a jti": self.says(jti=None),
            "without a signature": self.says(alg="none"),
            "with another algorithm's name": self.says(alg="HS256"),
            "signed by a stranger": stranger.assertion(self.server.issuer, **named),
            "of an issuer that is not known": self.says(iss="https://evil.e2e.example"),
            "in the name of the other issuer": self.says(iss=self.portal.issuer, sub="alice"),
            "that is none": "x",
        }
        for what, assertion in attacks.items():
            with self.subTest(what):
                answer = self.show(assertion)
                self.assertEqual((answer.status, answer.json()["error"]), (400, "invalid_grant"), answer)
        wic = self.show(self.says(), client_id="wic")
        self.assertIn(wic.json()["error"], ("invalid_client", "unauthorized_client"))


class Withdrawal(FederationCase):
    def setUp(self):
        self.server = self.started(federation.Federated(password_login=False))
        self.peer = self.started(world.EchoPeer())

    def assert_ends(self, client):
        self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2), 3), "it relays on and on")

    def test_a_user_who_is_disabled_relays_no_more_and_does_not_come_back(self):
        server = self.server
        # There is one way to log in: nobody is asked which.
        page = server.follow(server.browser(), server.authorization("v" * 43, login_hint="alice"))
        self.assert_page(page, 200, "Allow access?")
        client = self.allocated(server.federated_tokens("corp", "alice"))
        self.assertIn("taken back at the relays", server.keep("user", "disable", f"sip:{impi('alice')}"))
        self.assert_ends(client)
        self.assert_page(server.go_to("corp", "alice"), 403, "You may not log in here.")
        server.keep("user", "enable", impi("alice"))
        self.assertTrue(self.logs_in("corp", "alice"))

    def test_a_provider_that_is_gone_logs_nobody_in(self):
        server = self.server
        self.assertTrue(self.logs_in("corp", "alice"))
        self.assertIn("Example Corp", self.page_of_mallory())
        provider_tables = server.provider_tables
        server.provider_tables = lambda: provider_tables().replace("Example Corp", "Another Corp")
        server.write_config()
        self.assert_status(server.admin("reload"), 0)
        self.assertTrue(self.logs_in("corp", "alice"), "its keys are known")
        server.provider_tables = lambda: ""
        server.password_login = True
        server.write_config()
        self.assert_status(server.admin("reload"), 0)
        page = server.browser().get(server.authorization("v" * 43))
        self.assert_page(page, 200, 'name="password"')
        self.assertNotIn("Another Corp", page.text)

    def page_of_mallory(self):
        return self.server.go_to("corp", "dora").text


class Clocks(FederationCase):
    def setUp(self):
        self.server = self.started(federation.Federated(skew=20, kid=None))

    def test_keys_follow_one_another(self):
        self.assertTrue(self.logs_in("corp", "alice"))
        self.server.corp.restart(kid="corp-2")
        # The keys are fetched again for an unknown one, but only so often.
        self.assertTrue(world.eventually(lambda: self.logs_in("corp", "alice"), 20), self.server.log()[-2000:])
        self.assertIn("waf_issuer_keys", self.server.log())

    def test_clocks_differ_a_little(self):
        self.assertTrue(world.eventually(lambda: self.logs_in("corp", "bob"), 20))
        for skew in (15, -15):
            self.server.corp.restart(skew=skew)
            self.assertTrue(self.logs_in("corp", "bob"), skew)
        for skew in (120, -45):  # much earlier, and its cookies would have ended
            self.server.corp.restart(skew=skew)
            self.assert_page(self.server.go_to("corp", "bob"), 502, "has not confirmed who you are")
        self.server.corp.restart(skew=0)
        self.assertTrue(self.logs_in("corp", "bob"), "it was the clock")

    def test_a_provider_is_away_and_comes_back(self):
        self.assertTrue(self.logs_in("corp", "bob"))
        self.server.corp.stop()
        self.assertEqual(self.away(), 503)
        self.server.corp.start()
        self.assertTrue(world.eventually(lambda: self.logs_in("corp", "bob"), 20))

    def away(self):
        """What a callback gets whose provider cannot be asked."""
        browser = self.server.browser()
        state = browser.get(self.server.authorization("v" * 43, identity_provider="corp")).location
        state = state.partition("&state=")[2].partition("&")[0]
        issuer = self.server.corp.issuer.replace(":", "%3A").replace("/", "%2F")
        return browser.get(f"{self.server.issuer}/federation/corp?code=c&state={state}&iss={issuer}").status


if __name__ == "__main__":
    unittest.main()
