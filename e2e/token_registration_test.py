"""Registration with tokens of an OpenID provider (scenarios 2 and 3): who may, for how long, and what a WIC is told."""

import json
import re
import secrets
import unittest

import epcscf
import home
import identity_provider
import sip
import turn
import websocket
import world

ASKING = ("Turn-Credentials", "request")
WAF = "https://waf.ims.example/"


def identity(user, **more):
    return {"impi": f"{user}@{epcscf.REALM}", "impus": [f"sip:{user}@{epcscf.REALM}"], **more}


USERS = {
    "alice": identity("alice"),
    "bob": identity("bob"),
    "guest": identity("pool-1", wwsf="shop", pool=True),  # two visitors of the shop, who are lent the same identity
    "another guest": identity("pool-1", wwsf="shop", pool=True),
    "outsider": identity("carol", wwsf="shop", pool=True),
    "customer of nobody": identity("alice", wwsf="nobody"),
    "nameless": {"impus": []},
}
# The core knows these by a password that nobody has.
SUBSCRIBERS = {user: secrets.token_hex(16) for user in ("alice", "bob", "carol", "pool-1")}


class WithTokens(world.Case):
    @classmethod
    def setUpClass(cls):
        cls.provider = cls.kept(identity_provider.IdentityProvider(USERS))
        cls.brief = cls.kept(identity_provider.IdentityProvider({"alice": USERS["alice"]}, seconds=1))
        cls.server = epcscf.EpCscf(passwords=SUBSCRIBERS)
        cls.server.sections["epcscf.tokens"] = cls.tokens()
        cls.server.write_config()
        cls.kept(cls.server)
        cls.peer = cls.kept(world.EchoPeer())

    @classmethod
    def tokens(cls, audience=identity_provider.AUDIENCE, endpoint=None, pool="pool-*"):
        return "\n".join(
            [
                f'authz_server = "{WAF}"\nscope = "ims"\nclock_skew_seconds = 0',
                cls.provider.tables(audience), cls.brief.tables(), cls.provider.introspection(endpoint),
                f'[[epcscf.tokens.wwsfs]]\nid = "shop"\npool_impis = ["{pool}@{epcscf.REALM}"]',
            ]
        )  # fmt: skip

    def wic(self, user):
        agent = self.server.wic(user)
        self.addCleanup(agent.transport.close)
        return agent

    def answer_to(self, token, user="alice", bare=False, **more):
        """(the WIC, the answer to its REGISTER)"""
        agent = self.wic(user)
        return agent, agent.register(ASKING, authorization=sip.bearer(token, bare), **more)

    def registered(self, token, user="alice", **more):
        agent, answer = self.answer_to(token, user, **more)
        self.assertEqual(answer.status, 200, answer)
        return agent, home.Credential(answer.header("Turn-Credentials"))

    def allocated(self, credential):
        client = turn.Client((world.V4, self.server.port), credential.username, credential.password)
        self.addCleanup(client.close)
        client.allocate()
        client.bind((world.V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client

    def assert_challenged(self, answer):
        self.assertEqual(answer.status, 401, answer)
        challenge = answer.header("WWW-Authenticate")
        self.assertTrue(challenge.startswith("Bearer "), challenge)
        said = sip.parameters(challenge)
        self.assertEqual((said["authz_server"], said["error"], said["scope"]), (WAF, "invalid_token", "ims"))
        self.assertIsNone(answer.header("Turn-Credentials"))


class WebIdentity(WithTokens):
    """Scenario 2."""

    def test_registers_in_both_spellings_by_signature_and_by_introspection(self):
        for bare in (False, True):
            for opaque in (False, True):
                with self.subTest(bare=bare, opaque=opaque):
                    token = self.provider.token("alice", opaque=opaque)
                    agent, credential = self.registered(token, bare=bare)
                    client = self.allocated(credential)
                    self.assertEqual(agent.register(expires=0, authorization=sip.bearer(token, bare)).status, 200)
                    self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2), 2), "it relays on and on")
                    self.assertNotIn(token, self.server.log())

    def test_lasts_no_longer_than_its_token(self):
        answer = self.answer_to(self.provider.token("alice"), expires=3600)[1]
        expires = int(re.search(r";expires=(\d+)", answer.header("Contact")).group(1))
        self.assertLessEqual(expires, 600)
        self.assertGreater(expires, 500)

    def test_a_token_that_is_over_is_asked_for_again(self):
        token = self.brief.token("alice")
        agent = self.wic("alice")
        said = lambda: agent.register(authorization=sip.bearer(token))  # noqa: E731
        self.assert_challenged(world.eventually(lambda: (answer := said()).status == 401 and answer, pause=0.2))

    def test_a_token_that_was_altered_or_revoked_or_made_by_a_stranger_is_asked_for_again(self):
        head, claims, signature = self.provider.token("alice").split(".")
        other = self.provider.token("bob").split(".")
        stranger = self.started(identity_provider.IdentityProvider(USERS))
        revoked = self.provider.token("alice", opaque=True)
        self.registered(revoked)
        self.provider.revoke(revoked)
        for token in (
            f"{head}.{other[1]}.{signature}", f"{head}.{claims}.", f"{head}.{claims}", stranger.token("alice"), revoked,
            "nonsense", self.provider.token("nameless"),
        ):  # fmt: skip
            with self.subTest(token[:20]):
                self.assert_challenged(self.answer_to(token)[1])

    def test_registers_nobody_but_whom_the_token_names(self):
        for user, token in (("bob", self.provider.token("alice")), ("alice", self.provider.token("bob", opaque=True))):
            answer = self.answer_to(token, user)[1]
            self.assertEqual(answer.status, 403, answer)
            self.assertIsNone(answer.header("Turn-Credentials"))
        self.assertEqual(self.answer_to(self.provider.token("customer of nobody"))[1].status, 403)

    def test_calls_one_another_as_others_do(self):
        alice, _ = self.registered(self.provider.token("alice"))
        bob, _ = self.registered(self.provider.token("bob", opaque=True), "bob")
        invite = alice.invite(bob.aor, body="v=0\r\n")
        arrived = bob.arrived("INVITE")
        self.assertIn(alice.aor, arrived.header("P-Asserted-Identity"))
        bob.answer(arrived, 486, "Busy Here")
        self.assertEqual(alice.final(invite).status, 486)

    def test_our_own_wic_registers_with_either_spelling(self):
        file = self.server.folder / "token"
        file.write_text(self.provider.token("alice") + "\n")
        for spelling in ((), ("--bare-token",)):
            finished = world.turnpike(
                "wic", "register", self.server.door, "--identity", f"sip:alice@{epcscf.REALM}", "--token-file", file,
                "--ca", self.server.certificate, "--json", *spelling,
            )  # fmt: skip
            self.assert_status(finished, 0)
            report = json.loads(finished.out)
            self.assertEqual((report["login"], len(report["credentials"])), ("Bearer", 1))
        file.write_text("nonsense\n")
        finished = world.turnpike(
            "wic", "register", self.server.door, "--identity", f"sip:alice@{epcscf.REALM}", "--token-file", file,
            "--ca", self.server.certificate,
        )  # fmt: skip
        self.assert_status(finished, 1)
        self.assertIn("token", finished.text)
        self.assertNotIn("nonsense", finished.text)


class Pool(WithTokens):
    """Scenario 3."""

    def test_lends_an_identity_to_one_visitor_after_the_other(self):
        first, credential = self.registered(self.provider.token("guest"), "pool-1")
        client = self.allocated(credential)
        second, fresh = self.registered(self.provider.token("another guest", opaque=True), "pool-1")
        with self.assertRaises(websocket.Closed):
            while first.transport.receive(10) is not None:
                pass
        self.assertTrue(world.eventually(lambda: not client.echoes(seconds=0.2), 2), "the former holder relays on")
        with self.assertRaises(turn.Refused):
            self.allocated(credential)
        self.allocated(fresh)
        self.assertRegex(self.server.log(), r"event=deregistered .*trigger=reassigned")
        self.assertEqual(second.register(expires=0, authorization=sip.bearer(self.provider.token("guest"))).status, 200)

    def test_lends_nothing_that_is_not_in_the_pool(self):
        answer = self.answer_to(self.provider.token("outsider"), "carol")[1]
        self.assertEqual(answer.status, 403, answer)
        self.assertIn("reason=outside_pool", self.server.log())

    def test_our_own_wic_is_lent_an_identity(self):
        file = self.server.folder / "pool-token"
        file.write_text(self.provider.token("guest"))
        finished = world.turnpike(
            "wic", "register", self.server.door, "--identity", f"sip:pool-1@{epcscf.REALM}", "--token-file", file,
            "--ca", self.server.certificate, "--json",
        )  # fmt: skip
        self.assert_status(finished, 0)
        self.assertTrue(json.loads(finished.out)["registered"])


class Reload(WithTokens):
    def reload(self, **changed):
        self.server.sections["epcscf.tokens"] = self.tokens(**changed)
        self.server.write_config()
        done = self.server.admin("reload")
        self.assert_status(done, 0)
        self.assertNotIn("needs a restart", done.out)

    def test_takes_in_other_audiences_endpoints_and_pools(self):
        signed, opaque = self.provider.token("alice"), self.provider.token("alice", opaque=True)
        self.reload(audience="urn:somebody:else")
        self.assert_challenged(self.answer_to(signed)[1])
        self.registered(opaque)
        self.reload(endpoint=f"http://{world.V4}:{world.free_port()}/introspect")
        self.registered(signed)
        self.assertEqual(self.answer_to(opaque)[1].status, 503)
        self.reload(pool="lent-*")
        self.assertEqual(self.answer_to(self.provider.token("guest"), "pool-1")[1].status, 403)
        self.reload()
        self.registered(self.provider.token("guest"), "pool-1")
        self.registered(opaque)


if __name__ == "__main__":
    unittest.main()
