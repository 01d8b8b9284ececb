"""`turnpike wic` from the login at the WAF to relayed packets, in the three registration scenarios."""

import contextlib
import json
import os
import signal
import subprocess
import time
import unittest
import urllib.parse

import epcscf
import waf
import world

LIFE = 20  # seconds of a TURN token, where it is to be renewed
REDIRECT = "http://127.0.0.1/done"
ALICE, BOB, POOL = (f"{user}@{epcscf.REALM}" for user in ("alice", "bob", "pool-1"))


class Walk(waf.Waf):
    """With a client for terminals; the home core knows the passwords, too."""

    def __init__(self, turn_token_seconds=600, sources=("computed", "pushed", "token")):
        super().__init__(users=("alice", "bob"), sources=sources, passwords={**epcscf.PASSWORDS, "pool-1": "nobody"})
        self.sections |= {"waf.lifetimes": f"turn_token_seconds = {turn_token_seconds}"}
        self.sections["ims"] += "\nexpires_min_seconds = 10"
        self.sections["epcscf.tokens"] += '\n[[epcscf.tokens.wwsfs]]\nid = "shop"\npool_impis = ["pool-*@' + epcscf.REALM + '"]'
        self.write_config()

    def add_accounts(self):
        super().add_accounts()
        self.keep("client", "add", "terminal", "--redirect-uri", REDIRECT)
        self.keep("client", "add", "machine", "--method", "client_secret_basic", "--grant", "client_credentials",
                  "--secret-to", self.folder / "machine.secret")  # fmt: skip
        self.keep("user", "add", "visitor", "--password-file", self.folder / "user.password", "--impi", POOL,
                  "--wwsf", "shop", "--pool")  # fmt: skip

    def web(self, user="alice", password=waf.PASSWORD, client="terminal"):
        login = ("--waf-user", user, "--waf-password", password) if password else ()
        return ("--waf", self.issuer, "--waf-client", client, *login)

    def wic_command(self, task, *rest):
        return [str(word) for word in (world.TURNPIKE, "wic", task, self.door, *rest, "--ca", self.certificate)]

    def wic(self, *arguments, timeout=60):
        return world.run(*self.wic_command(*arguments, "--json"), timeout=timeout)


def ims(user):
    return ("--user", user, "--password", epcscf.PASSWORDS[user.split("@")[0]])


@contextlib.contextmanager
def echo(server, *arguments):
    """A WIC that waits for calls; its process."""
    command = server.wic_command("echo", *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1, preexec_fn=world.end_with_us) as process:
        try:
            for line in process.stdout:
                if "waiting for calls" in line:
                    break
            else:
                raise AssertionError("the echo does not wait for calls")
            yield process
        finally:
            process.kill()


class Case(world.Case):
    def report(self, finished, status=0):
        self.assert_status(finished, status)
        report = json.loads(finished.out)
        for secret in (waf.PASSWORD, *epcscf.PASSWORDS.values()):
            self.assertNotIn(secret, finished.text)
        return report

    def messages(self, report):
        return [event["message"] for event in report["timeline"]]


class Scenarios(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(Walk())

    def called(self, *arguments):
        with echo(self.server, *ims(BOB), "--calls", "1", "--hold", "60"):
            report = self.report(self.server.wic("call", f"sip:{BOB}", *arguments, "--packets", 20))
        self.assertEqual(report["calls"][0]["received"], 20, report)
        return report

    def test_1_needs_no_waf(self):
        for source, form in (("computed", "rfc7635"), ("pushed", "rfc7635"), ("token", "rfc7635"), ("token", "browser")):
            with self.subTest(source=source, form=form):
                form_options = ("--form", form) if source == "token" else ()
                report = self.called(*ims(ALICE), "--scenario", 1, "--source", source, *form_options)
                self.assertIsNone(report["waf"])
                self.assertEqual(report["warnings"], [])
                self.assertEqual({c["carried_by"] for c in report["credentials"]}, {"header"})
                used = report["credentials"][-1]
                self.assertEqual(used["source"], source)
                self.assertEqual(used["type"], "oauth" if source == "token" and form == "rfc7635" else "password")

    def test_1_takes_a_turn_token_of_a_web_login(self):
        report = self.called(*ims(ALICE), "--scenario", 1, "--source", "token", *self.server.web())
        self.assertEqual(report["login"], "SHA-256")
        self.assertEqual([c["carried_by"] for c in report["credentials"]], ["waf"])
        self.assertEqual(report["calls"][0]["extra_round_trips"], {"waf": 0, "register": 0})

    def test_2_from_the_login_to_relayed_packets(self):
        report = self.called("--scenario", 2, "--source", "token", *self.server.web())
        self.assertEqual((report["login"], report["identity"]), ("Bearer", f"sip:{ALICE}"))
        self.assertEqual([(c["source"], c["carried_by"]) for c in report["credentials"]], [("token", "waf")])
        said = self.messages(report)
        # One question brings the registration token and the TURN token.
        self.assertEqual(said.count("WAF: POST /token"), 1, said)
        self.assertEqual(said[-2:], ["WAF: POST /revoke", "WAF: 200"])
        self.assertEqual(report["waf"]["login"], "form")
        self.assertEqual(report["calls"][0]["extra_round_trips"], {"waf": 0, "register": 0})

    def test_2_takes_what_the_edge_makes(self):
        for source in ("computed", "pushed"):
            report = self.called("--scenario", 2, "--source", source, *self.server.web())
            self.assertEqual([(c["source"], c["carried_by"]) for c in report["credentials"]], [(source, "header")])

    def test_3_registers_an_identity_of_a_pool(self):
        report = self.called("--scenario", 3, "--source", "token", *self.server.web("visitor"))
        self.assertEqual(report["identity"], f"sip:{POOL}")
        own = self.report(self.server.wic("register", "--scenario", 3, *self.server.web()), 1)
        self.assertIn("that is scenario 2", own["verdict"])
        lent = self.report(self.server.wic("register", "--scenario", 2, *self.server.web("visitor")), 1)
        self.assertIn("that is scenario 3", lent["verdict"])

    def test_gives_back_what_it_was_given(self):
        self.report(self.server.wic("register", "--scenario", 2, "--source", "token", *self.server.web()))
        self.assertEqual(self.server.admin("sessions").out, "no allocations\n")

    def test_a_client_needs_no_user_for_its_own_turn_token(self):
        report = self.called(
            *ims(ALICE), "--source", "token", "--waf", self.server.issuer, "--waf-client", "machine", "--waf-as-client",
            "--waf-client-secret-file", self.server.folder / "machine.secret",
        )  # fmt: skip
        self.assertEqual(report["waf"]["login"], "client_credentials")

    def test_a_browser_brings_the_code_to_the_terminal(self):
        """RFC 8252: what is shown is opened elsewhere, and comes back to a port of this machine."""
        command = self.server.wic_command("register", "--scenario", "2", "--source", "token", *self.server.web(password=None))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            url = next(line.strip() for line in process.stderr if line.strip().startswith(self.server.issuer))
            asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
            self.assertEqual(asked["code_challenge_method"], "S256")
            browser = self.server.browser()
            forged = browser.get(asked["redirect_uri"] + "?code=forged&state=of-another")
            self.assertEqual(forged.status, 404)
            back = browser.get(self.server.log_in(browser, browser.get(url), "bob").location)
            if back.status == 200:  # bob has not agreed before
                back = browser.post(f"{self.server.issuer}/consent", decision="allow", **back.hidden())
            self.assertIn("Thank you", browser.get(back.location).text)
            out, err = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 0, out + err)
            self.assertIn("is registered", out)

    def test_says_in_words_what_is_wrong(self):
        wrong = self.report(self.server.wic("register", "--scenario", 2, *self.server.web(password="not so")), 1)
        self.assertIn("was refused with 403", wrong["verdict"])
        unknown = self.report(self.server.wic("register", *self.server.web(client="nobody")), 1)
        self.assertIn("the login page answers 400", unknown["verdict"])
        other = self.report(self.server.wic("register", "--waf", self.server.issuer + "/other"), 1)
        self.assertIn("answers 404", other["verdict"])
        usage = world.run(*self.server.wic_command("register", "--scenario", 2))
        self.assert_status(usage, 2)
        self.assertIn("--scenario 2 needs --waf", usage.err)


class Renewal(Case):
    """Tokens that end after seconds, and calls that outlive them."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(Walk(turn_token_seconds=LIFE))

    def renewed_call(self, *arguments):
        # The first token has ended by the time of the call; the moment lies between two renewals.
        idle = LIFE + LIFE // 4
        with echo(self.server, *ims(BOB), "--calls", "1", "--hold", "90"):
            report = self.report(self.server.wic("call", f"sip:{BOB}", *arguments, "--idle", idle, "--packets", 20))
        call = report["calls"][0]
        self.assertEqual(call["received"], 20, report)
        self.assertEqual(call["extra_round_trips"], {"waf": 0, "register": 0}, report)
        tokens = [credential for credential in report["credentials"] if credential["type"] == "oauth"]
        self.assertGreaterEqual(len(tokens), 3)
        self.assertLess(tokens[0]["expires_at"], time.time())
        said = self.messages(report)
        # One allocation lives through all of it, and goes over to each newer token.
        self.assertEqual(said.count("Allocate success"), 1, said)
        self.assertGreaterEqual(said.count("Refresh success"), 2, said)
        began = said.index(f"INVITE sip:{BOB}")
        self.assertEqual([word for word in said[began : said.index("first media")] if "WAF" in word or "REGISTER" in word], [])
        return report

    def test_a_call_waits_for_no_token(self):
        report = self.renewed_call("--scenario", 2, "--source", "token", *self.server.web())
        self.assertGreaterEqual(report["waf"]["renewals"], 2)
        said = self.messages(report)
        self.assertEqual(said.count("WAF: POST /token"), 1 + report["waf"]["renewals"], said)
        self.assertEqual(said.count("Allocate request"), 2, said)  # without and with a credential

    def test_the_edge_renews_its_own_tokens_by_registration(self):
        expires = LIFE  # of the registration, which its token ends with
        report = self.renewed_call(*ims(ALICE), "--scenario", 1, "--source", "token", "--expires", expires)
        self.assertIsNone(report["waf"])
        self.assertEqual({c["source"] for c in report["credentials"] if c["type"] == "oauth"}, {"token"})

    def test_an_authorization_that_was_revoked_is_told_and_replaced(self):
        command = self.server.wic_command("register", "--scenario", "2", "--source", "token", *self.server.web(), "--hold", "60", "--json")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=world.end_with_us) as process:
            self.assertTrue(world.eventually(lambda: "registered" in self.server.log(), 20))
            time.sleep(1)
            self.server.keep("user", "password", "alice", "--password-file", self.server.folder / "user.password")
            # The next renewal finds it out and logs in again, by the same form.
            time.sleep(LIFE)
            os.kill(process.pid, signal.SIGINT)
            report = json.loads(process.communicate(timeout=30)[0])
        said = self.messages(report)
        self.assertEqual(said.count("WAF: POST /login"), 2, said)
        self.assertGreaterEqual(report["waf"]["renewals"], 1)
        self.assertEqual(report["exit_status"], 0, report["verdict"])


    def test_a_user_who_is_disabled_is_told_and_stays_away(self):
        command = self.server.wic_command("register", "--scenario", "2", "--source", "token", *self.server.web("bob"), "--hold", "60", "--json")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=world.end_with_us) as process:
            self.addCleanup(process.kill)
            self.assertTrue(world.eventually(lambda: BOB in self.server.admin("registrations").out, 20))
            self.server.keep("user", "disable", "bob")
            self.addCleanup(self.server.keep, "user", "enable", "bob")
            report = json.loads(process.communicate(timeout=20)[0])  # by itself, long before its time
        self.assertEqual(report["exit_status"], 1, report)
        self.assertIn("token_revoked", report["verdict"])
        self.assertIn("could not be renewed", " ".join(report["warnings"]))


class Reconnection(Case):
    def test_comes_back_to_a_server_that_was_restarted(self):
        server = self.started(Walk())
        with echo(server, "--scenario", "2", "--source", "token", *server.web("bob"), "--calls", "1") as process:
            self.assertEqual(server.stop(), 0)
            world.Turnpike.start(server)
            for line in process.stdout:
                if "registered  " in line or " registered" in line:
                    break
            self.assertTrue(
                world.eventually(lambda: json.loads(server.wic("call", f"sip:{BOB}", *ims(ALICE)).out)["exit_status"] == 0, 30)
            )
            self.assertEqual(process.wait(30), 0)

    def test_does_not_come_back_where_it_was_sent_away(self):
        server = self.started(Walk())
        with echo(server, *ims(BOB)) as process:
            self.assert_status(server.admin("deregister", BOB), 0)
            self.assertEqual(process.wait(30), 1)
            self.assertIn("operator_asked", process.stdout.read())


if __name__ == "__main__":
    unittest.main()
