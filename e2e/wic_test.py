"""`turnpike wic` registers with our eP-CSCF, shows its credentials, and calls another one through the relay."""

import json
import subprocess
import unittest

import epcscf
import sip
import world

ALICE, BOB, CARD = (f"{user}@{epcscf.REALM}" for user in ("alice", "bob", "card"))
AKA_K, AKA_OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"


def login(user):
    return ("--user", user, "--password", epcscf.PASSWORDS[user.split("@")[0]])


class Wic(world.Case):
    def setUp(self):
        self.server = self.started(epcscf.EpCscf())

    def wic(self, task, *arguments, trust=True):
        certificate = ("--ca", self.server.certificate) if trust else ()
        return world.turnpike("wic", task, self.server.door, *arguments, *certificate, "--json")

    def test_registers_and_is_given_credentials(self):
        for asked in ("header", "body"):
            with self.subTest(asked):
                done = self.wic("register", *login(ALICE), "--credentials", asked)
                self.assert_status(done, 0)
                report = json.loads(done.out)
                self.assertTrue(report["registered"])
                self.assertEqual(report["login"], "SHA-256")
                self.assertEqual(report["credentials"][0]["carried_by"], asked)
                self.assertGreater(report["credentials"][0]["ttl"], report["expires"])
                self.assertNotIn(epcscf.PASSWORDS["alice"], done.text)

    def test_calls_another_through_both_relays(self):
        command = [
            world.TURNPIKE, "wic", "echo", self.server.door, *login(BOB), "--ca", self.server.certificate,
            "--calls", "1", "--hold", "60",
        ]  # fmt: skip
        with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True, bufsize=1) as echo:
            try:
                for line in echo.stdout:
                    if "waiting for calls" in line:
                        break
                called = self.wic("call", f"sip:{BOB}", *login(ALICE), "--packets", 20)
                self.assert_status(called, 0)
                report = json.loads(called.out)
                self.assertEqual(report["calls"][0]["received"], 20, called.out)
                rest = echo.stdout.read()
                self.assertEqual(echo.wait(20), 0)
                self.assertIn("20 packets echoed", rest)
            finally:
                echo.kill()

    def test_says_in_words_what_is_wrong(self):
        wrong = self.wic("register", "--user", ALICE, "--password", "nonsense")
        self.assert_status(wrong, 1)
        self.assertIn("password", wrong.out)
        absent = self.wic("call", f"sip:{BOB}", *login(ALICE))
        self.assert_status(absent, 1)
        self.assertIn(f"The call to sip:{BOB} was refused with", absent.out)
        untrusted = self.wic("register", *login(ALICE), trust=False)
        self.assert_status(untrusted, 1)
        self.assertIn("is not trusted", untrusted.out)


class Card(world.Case):
    """IMS AKA: the core has a subscriber with the keys of a card and no password."""

    def setUp(self):
        self.server = self.started(epcscf.EpCscf())
        keys = ("--aka-k", AKA_K, "--aka-opc", AKA_OPC)
        added = world.turnpike("subscriber", "add", CARD, *keys, "--database", self.server.database)
        self.assert_status(added, 0)

    def register(self, *, k=AKA_K, opc=AKA_OPC, sqn=0):
        """The end of the command, its report, and the answers that came before it de-registered."""
        card = ("--user", CARD, "--aka-k", k, "--aka-opc", opc, "--aka-sqn", sqn)
        done = world.turnpike("wic", "register", self.server.door, *card, "--ca", self.server.certificate, "--json")
        for key in (AKA_K, AKA_OPC):
            self.assertNotIn(key, done.text + self.server.log())
        report = json.loads(done.out)
        answers = [int(line["message"].split()[0]) for line in report["timeline"] if line["direction"] == "received"]
        return done, report, answers[:-1] if report["registered"] else answers

    def assert_registers(self, answers, **card):
        done, report, came = self.register(**card)
        self.assert_status(done, 0)
        self.assertTrue(report["registered"])
        self.assertEqual(report["login"], "AKAv2-SHA-256")
        self.assertEqual([one["type"] for one in report["credentials"]], ["password"])
        self.assertEqual(came, answers, done)

    def test_with_its_keys_registers_by_version_2_and_is_given_credentials(self):
        self.assert_registers([401, 200])
        # A number of the core's is used once: a card that has taken them all so far takes the next.
        self.assert_registers([401, 200])

    def test_that_is_ahead_is_followed_once_and_for_all(self):
        self.assert_registers([401, 401, 200], sqn=100_000)
        self.assert_registers([401, 200], sqn=100_000)

    def test_of_other_keys_answers_no_challenge(self):
        for other in ({"k": AKA_OPC}, {"opc": AKA_K}):
            with self.subTest(other):
                done, report, came = self.register(**other)
                self.assert_status(done, 1)
                self.assertFalse(report["registered"])
                self.assertEqual(came, [401])
                self.assertIn("it does not know this K and OPc", report["verdict"])

    def test_that_answers_unseen_is_refused(self):
        for guess in ("", AKA_K):
            with self.subTest(guess):
                agent = self.server.wic("card", guess)
                self.addCleanup(agent.transport.close)
                asks = f'Digest username="{CARD}", realm="{epcscf.REALM}", nonce="", uri="sip:{epcscf.REALM}", response=""'
                challenge = agent.register(authorization=asks + ", algorithm=AKAv2-SHA-256")
                self.assertEqual(challenge.status, 401, challenge)
                [row] = challenge.headers("WWW-Authenticate")
                self.assertEqual(sip.parameters(row)["algorithm"], "AKAv2-SHA-256")
                answer = agent.register(authorization=sip.digest(row, CARD, guess, "REGISTER", f"sip:{epcscf.REALM}"))
                self.assertEqual(answer.status, 403, answer)


if __name__ == "__main__":
    unittest.main()
