"""`turnpike wic` registers with our eP-CSCF, shows its credentials, and calls another one through the relay."""

import json
import subprocess
import unittest

import epcscf
import world

ALICE, BOB = (f"{user}@{epcscf.REALM}" for user in ("alice", "bob"))


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


if __name__ == "__main__":
    unittest.main()
