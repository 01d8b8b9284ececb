"""What an operator does to a WAF that serves: accounts, keys, the secret, the audit trail, backups; and a full disk."""

import base64
import http.client
import itertools
import json
import os
import resource
import secrets
import shutil
import signal
import ssl
import subprocess
import threading
import time
import unittest
import urllib.parse

import turn
import waf
import world


class OwnWaf(world.Case):
    """Each test has a WAF of its own, whose secrets it may look for everywhere."""

    def setUp(self):
        self.server = waf.Waf(users=("alice", "bob"))
        self.server.sections["waf.limits"] = "requests_per_second_per_source = 100000"  # no test of limits
        self.server.write_config()
        self.started(self.server)

    def refreshed(self, tokens, server=None):
        server = server or self.server
        return server.browser().post(
            f"{server.issuer}/token", grant_type="refresh_token", client_id="wic", refresh_token=tokens["refresh_token"]
        )

    def keys(self):
        return [key["kid"] for key in self.server.browser().get(f"{self.server.issuer}/jwks").json()["keys"]]

    def entries(self, *options):
        return json.loads(self.server.keep("waf", "audit", "--json", "--last", 10000, *options))


class Accounts(waf.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = waf.Waf(users=("alice", "bob", "carol", "dora", "erin"))
        cls.server.sections["admin"] = None  # whatever a command changes reaches the server by the database
        cls.server.write_config()
        cls.kept(cls.server)
        cls.peer = cls.kept(world.EchoPeer())

    def assert_cut_off(self, user, *command):
        """Within a second of the moment at which the database has it; the command waits for that."""
        tokens = self.server.tokens(user)
        client = self.allocated(tokens)
        began = time.monotonic()
        said = self.server.keep(*command)
        waited = time.monotonic() - began
        self.assertIn("its TURN tokens were taken back at the relays", said)
        self.assertLess(waited, 5)
        self.assertFalse(client.echoes(seconds=0.5), "it relays on and on")
        with self.assertRaises(turn.Refused):
            self.allocated(tokens)
        self.assertEqual(self.server.introspect(tokens["access_token"]), {"active": False})
        again = self.server.browser().post(
            f"{self.server.issuer}/token", grant_type="refresh_token", client_id="wic",
            refresh_token=tokens["refresh_token"],
        )  # fmt: skip
        self.assertEqual(again.json()["error"], "invalid_grant")

    def can_log_in(self, user, password=waf.PASSWORD):
        page = (browser := self.server.browser()).get(self.server.authorization("v" * 43))
        return self.server.log_in(browser, page, user, password).status == 303

    def test_a_user_who_is_disabled_relays_no_more_until_enabled(self):
        self.assert_cut_off("alice", "user", "disable", "alice")
        self.assertFalse(self.can_log_in("alice"))
        self.server.keep("user", "enable", "alice")
        self.assertTrue(self.can_log_in("alice"))
        self.allocated(self.server.tokens("alice"))

    def test_a_user_whose_password_is_changed_logs_in_anew(self):
        password = self.server.folder / "next.password"
        password.write_text("looking glass")
        self.assert_cut_off("bob", "user", "password", "bob", "--password-file", password)
        self.assertFalse(self.can_log_in("bob"))
        self.assertTrue(self.can_log_in("bob", "looking glass"))

    def test_a_command_that_is_killed_has_done_all_of_it_or_nothing(self):
        """Also of what the relays have to be told, which the command did not live to see."""
        command = [world.TURNPIKE, "user", "disable", "erin", "--config", str(self.server.config)]
        outcomes = set()
        for delay in (0.0, 0.03, 0.06, 0.09, 0.12, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0):
            client = self.allocated(self.server.tokens("erin"))
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.kill()
            process.wait()
            users = json.loads(self.server.keep("user", "list", "--json"))
            is_enabled = next(user["enabled"] for user in users if user["name"] == "erin")
            outcomes.add(is_enabled)
            if not is_enabled:
                self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2), 2), f"killed after {delay} s")
                self.server.keep("user", "enable", "erin")
            else:
                self.assertTrue(client.echoes(), f"killed after {delay} s")
            client.close()
            if outcomes == {True, False}:
                break
        self.assertIn(False, outcomes)

    def test_a_user_who_is_removed_relays_no_more(self):
        self.assert_cut_off("carol", "user", "remove", "carol")

    def test_a_consent_that_is_withdrawn_takes_back_what_it_allowed(self):
        self.assert_cut_off("dora", "user", "withdraw-consent", "dora", "--client", "wic")
        browser = self.server.browser()
        asked = browser.get(self.server.log_in(browser, browser.get(self.server.authorization("v" * 43)), "dora").location)
        self.assertEqual(asked.status, 200, asked)
        self.assertIn("Allow access?", asked.text)


class WithoutAServer(OwnWaf):
    def test_what_was_revoked_meanwhile_is_told_at_the_start(self):
        tokens = self.server.tokens()
        self.assertEqual(self.server.stop(), 0)
        self.assertIn("no server has told the relays yet", self.server.keep("user", "disable", "alice"))
        world.Turnpike.start(self.server)
        ice = tokens["turn"]["iceServers"][0]

        def is_refused():
            client = turn.Client((world.V4, self.server.port), ice["username"], ice["credential"])
            try:
                client.allocate()
            except turn.Refused:
                return True
            finally:
                client.close()
            return False

        self.assertTrue(world.eventually(is_refused, 3))

    def test_what_was_revoked_stays_so_when_the_server_dies(self):
        tokens = self.server.tokens()
        browser = self.server.browser()
        browser.post(f"{self.server.issuer}/revoke", token=tokens["refresh_token"], client_id="wic")
        self.server.process.kill()
        self.server.process.wait()
        world.Turnpike.start(self.server)
        ice = tokens["turn"]["iceServers"][0]
        client = turn.Client((world.V4, self.server.port), ice["username"], ice["credential"])
        self.addCleanup(client.close)
        with self.assertRaises(turn.Refused):
            client.allocate()


class Family:
    def __init__(self, server, user):
        self.code = server.authorized(user)
        self.refresh_tokens = [server.redeem(*self.code).json()["refresh_token"]]


class Holder(threading.Thread):
    """Refreshes the families of one user, one after the other and as fast as it can, until the server is gone."""

    def __init__(self, server, families):
        super().__init__(daemon=True)
        self.families = families
        self.answered, self.unanswered, self.refused = 0, None, None
        context = ssl.create_default_context(cafile=server.certificate)
        self.connection = http.client.HTTPSConnection(world.V4, server.waf_port, timeout=30, context=context)

    def refreshed(self, family):
        form = {"grant_type": "refresh_token", "client_id": "wic", "refresh_token": family.refresh_tokens[-1]}
        fields = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", "/token", urllib.parse.urlencode(form), fields)
        return waf.Answer(self.connection.getresponse())

    def run(self):
        for family in itertools.cycle(self.families):
            try:
                answer = self.refreshed(family)
            except (OSError, http.client.HTTPException):
                self.unanswered = family
                return
            if answer.status != 200:
                self.refused = answer
                return
            family.refresh_tokens.append(answer.json()["refresh_token"])
            self.answered += 1


class Killed(OwnWaf):
    def refreshes(self, user):
        """As the database has them, answered or not."""
        entries = self.entries("--user", user, "--event", "tokens_issued")
        return sum(entry["detail"] == "refresh_token" for entry in entries)

    def assert_ended(self, answer):
        self.assertEqual((answer.status, answer.json().get("error")), (400, "invalid_grant"), answer)

    def kill_under_load(self, families, pause):
        """What was answered is there, and of what was not, all or nothing: the one token of which nobody can know."""
        before = {user: self.refreshes(user) for user in families}
        holders = {user: Holder(self.server, of_user) for user, of_user in families.items()}
        for holder in holders.values():
            holder.start()
        time.sleep(pause)
        self.server.process.kill()
        self.server.process.wait()
        for user, holder in holders.items():
            holder.join(30)
            self.assertIsNotNone(holder.unanswered, f"{user}: {holder.refused}")
            self.assertGreater(holder.answered, 0, user)
        world.Turnpike.start(self.server)
        for user, holder in holders.items():
            kept = self.refreshes(user) - before[user] - holder.answered
            self.assertIn(kept, (0, 1), f"{user}: {holder.answered} answered")
            for family in list(families[user]):
                answer = self.refreshed({"refresh_token": family.refresh_tokens[-1]})
                if kept and family is holder.unanswered:
                    self.assert_ended(answer)
                    families[user].remove(family)
                else:
                    self.assertEqual(answer.status, 200, f"{user}: {answer}")
                    self.assertTrue(self.server.introspect(answer.json()["access_token"])["active"])
                    family.refresh_tokens.append(answer.json()["refresh_token"])

    def test_under_load_it_loses_no_refresh_token_and_takes_none_twice(self):
        pauses = (0.3, 0.5, 0.7)  # each costs a user one family at most
        families = {user: [Family(self.server, user) for _ in range(len(pauses) + 2)] for user in ("alice", "bob")}
        for pause in pauses:
            self.kill_under_load(families, pause)
        for of_user in families.values():
            used, redeemed = of_user[:2]
            self.assert_ended(self.refreshed({"refresh_token": used.refresh_tokens[0]}))
            self.assert_ended(self.refreshed({"refresh_token": used.refresh_tokens[-1]}))
            self.assert_ended(self.server.redeem(*redeemed.code))
            self.assert_ended(self.refreshed({"refresh_token": redeemed.refresh_tokens[-1]}))


class Keys(OwnWaf):
    def test_a_signing_key_that_has_leaked_is_replaced_within_a_second(self):
        tokens = self.server.tokens()
        (leaked,) = self.keys()
        self.server.keep("waf", "replace-key", leaked)
        self.assertTrue(world.eventually(lambda: leaked not in self.keys(), 1))
        self.assertEqual(len(self.keys()), 1)
        self.assertEqual(self.server.introspect(tokens["access_token"]), {"active": False})
        again = self.refreshed(tokens)
        self.assertEqual(again.status, 200, again)
        self.assertTrue(self.server.introspect(again.json()["access_token"])["active"])
        self.assertEqual(world.turnpike("waf", "replace-key", leaked, "--config", self.server.config).status, 1)

    def test_the_next_signing_key_is_published_before_it_signs(self):
        tokens = self.server.tokens()
        (first,) = self.keys()
        said = self.server.keep("waf", "rotate-key")
        self.assertTrue(world.eventually(lambda: len(self.keys()) == 2, 1))
        second = next(kid for kid in self.keys() if kid != first)
        self.assertIn(second, said)
        self.assertTrue(self.server.introspect(tokens["access_token"])["active"])
        header = json.loads(base64.urlsafe_b64decode(self.server.tokens("bob")["access_token"].split(".")[0] + "=="))
        self.assertEqual(header["kid"], first, "verifiers have to fetch the other one first")
        self.assertEqual(world.turnpike("waf", "rotate-key", "--config", self.server.config).status, 1)
        listed = json.loads(self.server.keep("waf", "signing-keys", "--json"))
        self.assertEqual([key["kid"] for key in listed], [first, second])

    def new_secret(self):
        old = self.server.folder / "old.secret"
        shutil.copy(self.server.secret_file, old)
        self.server.secret_file.write_text(secrets.token_urlsafe(32))
        return old

    def test_another_secret_is_taken_in_by_a_reload(self):
        tokens, keys = self.server.tokens(), self.keys()
        old = self.new_secret()
        refused = world.turnpike("waf", "signing-keys", "--config", self.server.config)
        self.assertIn("another key", refused.err)
        self.assertEqual(self.server.admin("reload").status, 0)
        self.assertIn("event=waf_secret_changed", self.server.log())
        self.assertEqual(self.keys(), keys)
        self.server.keep("waf", "signing-keys")
        self.assertEqual(self.refreshed(tokens).status, 200)
        self.assertEqual(self.server.stop(), 0)
        world.Turnpike.start(self.server)
        self.assertEqual(self.keys(), keys)
        self.assertTrue(self.server.introspect(tokens["access_token"])["active"])
        again = world.turnpike("waf", "change-secret", "--old-secret-file", old, "--config", self.server.config)
        self.assertEqual(again.status, 2, again)

    def test_another_secret_is_taken_in_without_a_server(self):
        keys = self.keys()
        self.assertEqual(self.server.stop(), 0)
        old = self.new_secret()
        self.assertIn("1 signing keys are encrypted", self.server.keep("waf", "change-secret", "--old-secret-file", old))
        world.Turnpike.start(self.server)
        self.assertEqual(self.keys(), keys)

    def test_a_secret_that_is_lost_takes_the_signing_keys_along(self):
        tokens, keys = self.server.tokens(), self.keys()
        refused = world.turnpike("waf", "change-secret", "--lost", "--config", self.server.config)
        self.assertIn("stop it first", refused.err)
        self.assertEqual(self.server.stop(), 0)
        self.new_secret()
        self.server.keep("waf", "change-secret", "--lost")
        world.Turnpike.start(self.server)
        self.assertNotEqual(self.keys(), keys)
        self.assertEqual(self.refreshed(tokens).status, 200)


class Audit(OwnWaf):
    def test_tells_who_did_what_and_nothing_secret(self):
        server = self.server
        page = (browser := server.browser()).get(server.authorization("v" * 43))
        for _ in range(5):
            page = server.log_in(browser, page, password="not it")
        tokens = server.tokens("bob")
        again = self.refreshed(tokens).json()
        browser.post(f"{server.issuer}/revoke", token=again["refresh_token"], client_id="wic")
        browser.post(f"{server.issuer}/introspect", token="t", client_id="epcscf", client_secret="no")
        server.keep("client", "rotate", "epcscf", "--secret-to", server.folder / "next.secret")
        server.keep("user", "disable", "bob")
        events = [entry["event"] for entry in self.entries()]
        for event in (
            "client_added", "user_added", "signing_key_added", "login_failed", "locked_out", "login", "consent_given",
            "authorized", "tokens_issued", "family_revoked", "client_refused", "client_rotated", "user_disabled",
        ):  # fmt: skip
            self.assertIn(event, events)
        self.assertEqual(events[-1], "user_disabled", "the newest last")
        of_bob = self.entries("--user", "bob")
        self.assertTrue(all(entry["user"] == "bob" for entry in of_bob))
        self.assertEqual([entry["detail"] for entry in of_bob if entry["event"] == "tokens_issued"],
                         ["authorization_code", "refresh_token"])  # fmt: skip
        self.assertEqual([entry["remote"] for entry in of_bob if entry["event"] == "login"], [world.V4])
        self.assertEqual(self.entries("--event", "login_failed", "--since", "2100-01-01"), [])
        self.assertEqual(len(self.entries("--event", "login_failed")), 5)
        self.assertIn("alice", server.keep("waf", "audit", "--event", "locked_out"))
        wrong = world.turnpike("waf", "audit", "--since", "yesterday", "--config", server.config)
        self.assertEqual(wrong.status, 2, wrong)
        self.assertIn('found "yesterday"', wrong.err)
        said = server.keep("waf", "audit") + server.keep("waf", "audit", "--json") + server.keep("waf", "signing-keys")
        secret = (server.folder / "introspection.secret").read_text().strip()
        for word in (waf.PASSWORD, "not it", tokens["access_token"], tokens["refresh_token"], again["refresh_token"],
                     tokens["turn"]["key"], secret, server.secret_file.read_text()):  # fmt: skip
            self.assertNotIn(word, said)


class Backup(OwnWaf):
    def test_is_made_while_it_serves_and_restored(self):
        server, copy = self.server, self.server.folder / "copy.db"
        tokens, keys = server.tokens(), self.keys()
        said = server.keep("waf", "backup", copy)
        self.assertIn("2 clients, 2 users, 1 consents, 1 authorizations, 1 signing keys", said)
        self.assertEqual(os.stat(copy).st_mode & 0o777, 0o600)
        self.assertEqual(world.turnpike("waf", "backup", copy, "--config", server.config).status, 2)
        server.keep("user", "remove", "bob")
        restore = ("waf", "restore", copy, "--config", server.config)
        self.assertIn("stop it first", world.turnpike(*restore).err)
        self.assertEqual(server.stop(), 0)
        self.assertIn("waf.db is there already", world.turnpike(*restore).err)
        for file in server.folder.glob("waf.db*"):
            file.rename(server.folder / f"lost-{file.name}")
        finished = world.turnpike(*restore)
        self.assert_status(finished, 0)
        self.assertIn("2 clients, 2 users", finished.out)
        world.Turnpike.start(server)
        self.assertEqual(self.keys(), keys)
        self.assertEqual(self.refreshed(tokens).status, 200)
        self.assertTrue(server.tokens("bob")["turn"], "who was removed since is there again, as it says")
        self.assertEqual([entry["event"] for entry in self.entries() if entry["event"].startswith("restore")], ["restored"])

    def test_that_is_killed_leaves_a_whole_copy_or_none(self):
        server, copy = self.server, self.server.folder / "copy.db"
        command = [world.TURNPIKE, "waf", "backup", str(copy), "--config", str(server.config)]
        for round in range(12):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(round * 0.02)
            process.kill()
            process.wait()
            if copy.exists():
                target = server.folder / f"r{round}.db"
                config = server.folder / f"r{round}.toml"
                config.write_text(server.config.read_text().replace('"waf.db"', f'"{target}"').replace("admin.sock", "no.sock"))
                self.assert_status(world.turnpike("waf", "restore", copy, "--config", config), 0)
                copy.unlink()
        self.assertIn("is a verified copy", server.keep("waf", "backup", copy))
        self.assertEqual(server.tokens()["token_type"], "Bearer", "the server noticed nothing of it")


class Disk(world.Case):
    def test_loses_nothing_that_was_answered_when_it_is_full(self):
        server = waf.Waf()
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as a full disk sends no signal; children inherit it
        self.addCleanup(signal.signal, signal.SIGXFSZ, ignored)
        self.started(server)
        browser = server.browser()
        form = browser.get(server.authorization("v" * 43))
        tokens = server.tokens()
        # The log of the database grows with each write, and once it is the largest file nothing more can be written.
        log, others = server.folder / "waf.db-wal", [server.folder / name for name in ("waf.db", "output")]
        while log.stat().st_size < max(other.stat().st_size for other in others):
            tokens = server.tokens()
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, unlimited[1]))
        refused = [
            browser.post(f"{server.issuer}/token", grant_type="refresh_token", client_id="wic",
                         refresh_token=tokens["refresh_token"])
            for _ in range(3)
        ]  # fmt: skip
        page = server.log_in(browser, form)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
        for answer in refused:
            self.assertEqual((answer.status, answer.json()["error"]), (503, "temporarily_unavailable"), answer)
        self.assertEqual(page.status, 503, page)
        self.assertIn("Nothing can be stored at the moment.", page.text)
        self.assertIn("event=waf_ledger_failed", server.log())
        again = browser.post(f"{server.issuer}/token", grant_type="refresh_token", client_id="wic",
                             refresh_token=tokens["refresh_token"])  # fmt: skip
        self.assertEqual(again.status, 200, again)
        self.assertEqual(server.log_in(browser, form).status, 303, "and so is the form")
        metrics = server.admin("stats", "--metrics").out
        self.assertRegex(metrics, r"turnpike_waf_ledger_failures_total [1-9]")


if __name__ == "__main__":
    unittest.main()
