"""Libraries of other people run our flows against the WAF: oauth4webapi and openid-client, by programs in e2e/web."""

import json
import os
import subprocess
import tempfile
import unittest

import epcscf
import turn
import waf
import web
import world

IMPI = f"alice@{epcscf.REALM}"


class OauthClients(waf.Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.kept(waf.Waf())
        cls.peer = cls.kept(world.EchoPeer())
        cls.secret_file = cls.server.folder / "server.secret"
        cls.server.keep("client", "add", "server", "--method", "client_secret_basic", "--grant", "client_credentials",
                        "--secret-to", cls.secret_file)  # fmt: skip

    def settings(self):
        secret = lambda name: (self.server.folder / name).read_text().strip()  # noqa: E731
        return {
            "issuer": self.server.issuer, "redirect": waf.REDIRECT, "audience": waf.AUDIENCE, "turn": world.SERVER_NAME,
            "server": {"id": "server", "secret": secret("server.secret")},
            "asks": {"id": "epcscf", "secret": secret("introspection.secret")},
        }  # fmt: skip

    def run_program(self, name):
        """What the program has got; its user has one browser."""
        browser = self.server.browser()
        env = {**os.environ, "NODE_EXTRA_CA_CERTS": str(self.server.certificate)}
        with tempfile.TemporaryFile() as log:
            program = subprocess.Popen(
                [web.node(), web.HERE / name, json.dumps(self.settings())], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, cwd=web.HERE, env=env, preexec_fn=world.end_with_us, text=True,
            )  # fmt: skip
            with program:
                for line in program.stdout:
                    said = json.loads(line)
                    if "login" in said:
                        answer = self.logged_in(browser, said["login"])
                    elif "relay" in said:
                        self.allocated(said["relay"])
                        answer = "yes"
                    else:
                        break
                    program.stdin.write(answer + "\n")
                    program.stdin.flush()
            log.seek(0)
            self.assertIn("done", said, f"{said} {log.read().decode()}")
            return said["done"]

    def logged_in(self, browser, url):
        """From an authorization request to where its answer goes, as the user alice."""
        page = browser.get(url)
        if page.status == 200 and 'name="password"' in page.text:
            page = browser.get(self.server.log_in(browser, page).location)
        if page.status == 200:
            page = browser.post(f"{self.server.issuer}/consent", decision="allow", **page.hidden())
        self.assertTrue(page.location.startswith(waf.REDIRECT), page)
        return page.location

    def test_oauth4webapi(self):
        done = self.run_program("oauth4webapi.js")
        self.assertEqual((done["claims"]["impi"], done["claims"]["aud"]), (IMPI, waf.AUDIENCE))
        self.assertEqual(done["wrongAudience"], "OAUTH_JWT_CLAIM_COMPARISON_FAILED")
        self.assertEqual(done["turn"]["token_type"], "pop")
        with self.assertRaises(turn.Refused, msg="it has ended with its authorization, by the reuse"):
            self.allocated(done["turn"])
        self.assertNotEqual(done["refreshed"]["refresh_token"], done["tokens"]["refresh_token"])
        for name in ("reuse", "afterReuse", "replay", "stolen"):
            self.assertEqual(done[name], "invalid_grant", name)
        self.assertEqual((done["bound"]["token_type"], done["boundRefreshed"]["token_type"]), ("dpop", "dpop"))
        self.allocated(done["own"])
        self.assertEqual(done["wrongSecret"], "OAUTH_WWW_AUTHENTICATE_CHALLENGE", "401 with the scheme that it used")
        self.assertEqual((done["active"]["active"], done["active"]["impi"], done["active"]["token_type"]), (True, IMPI, "DPoP"))
        self.assertIn("jkt", done["active"]["cnf"])
        self.assertEqual((done["revoked"], done["unknown"]), ({"active": False}, {"active": False}))

    def test_openid_client(self):
        done = self.run_program("openid-client.js")
        self.assertEqual((done["mixUp"], done["otherState"]), ("OAUTH_INVALID_RESPONSE", "OAUTH_INVALID_RESPONSE"))
        self.allocated(done["tokens"])
        self.allocated(done["refreshed"])
        self.assertEqual(done["narrowed"]["scope"], "ims")
        self.assertNotIn("turn", done["narrowed"])
        self.assertEqual(done["widened"], "invalid_scope")
        self.assertEqual(done["exchanged"]["scope"], "ims turn")
        self.assertEqual(done["exchangedNarrowed"]["scope"], "ims")
        self.assertNotIn("turn", done["exchangedNarrowed"])
        self.assertEqual((done["bound"]["token_type"], done["boundRefreshed"]["token_type"]), ("dpop", "dpop"))
        self.assertIn(done["withoutProof"], ("invalid_grant", "invalid_dpop_proof"))
        self.assertEqual(done["silent"]["scope"], "ims turn")
        self.assertEqual(done["badScope"], "invalid_scope")
        self.assertEqual(done["own"], "invalid_target", "a server has no identity to register with")
        self.assertEqual((done["active"]["active"], done["active"]["impi"]), (True, IMPI))
        self.assertEqual(done["revoked"], {"active": False})


if __name__ == "__main__":
    unittest.main()
