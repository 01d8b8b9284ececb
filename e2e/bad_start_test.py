"""A wrong configuration: one clear line for each mistake, exit status 2, and nothing half started."""

import pathlib
import unittest

import turn
import world


class BadStart(world.Case):
    def setUp(self):
        self.server = world.Turnpike()
        self.addCleanup(self.server.clean_up)

    def assert_refuses(self, *words, lines=1):
        """`serve` and `check` both complain in as many lines, each with the name of the file or the address."""
        for command in (self.server.command(), [world.TURNPIKE, "check", self.server.config]):
            finished = world.run(*command, timeout=20)
            self.assert_status(finished, 2)
            complaints = [line for line in finished.text.splitlines() if "turnpike.toml:" in line]
            self.assertEqual(len(complaints), lines, str(finished))
            for word in words:
                self.assertIn(word, "\n".join(complaints))
            self.assertNotIn("terminate called", finished.text)
        self.assert_nothing_started()

    def assert_nothing_started(self):
        self.assertFalse((self.server.folder / "admin.sock").exists())
        for host in (world.V4, world.V6):
            with turn.socket.socket(turn.family_of(host), turn.socket.SOCK_DGRAM) as socket:
                socket.bind((host, self.server.port))

    def with_section(self, name, body):
        self.server.sections[name] = body
        self.server.write_config()

    def edit(self, old, new):
        text = self.server.config.read_text()
        self.assertIn(old, text)
        self.server.config.write_text(text.replace(old, new))

    def test_good_configuration_passes(self):
        self.assert_status(world.turnpike("check", self.server.config), 0)

    def test_no_file(self):
        self.server.config = self.server.folder / "absent" / "turnpike.toml"
        self.assert_refuses("cannot read", "No such file")

    def test_unknown_key(self):
        self.edit("realm =", "relam =")
        self.assert_refuses('relam', 'did you mean "realm"', "missing", lines=2)

    def test_unknown_section(self):
        self.with_section("credentials.statik", "users = {}")
        self.assert_refuses("statik", 'did you mean "static"')

    def test_short_secret(self):
        self.with_section("credentials.computed", 'secrets = [{ id = "k1", secret = "tooshort" }]')
        self.assert_refuses("found 8 bytes", "at least 16")
        self.assertNotIn("tooshort", world.run(*self.server.command()).text)

    def test_missing_secret_file(self):
        self.with_section("credentials.computed", 'secrets = [{ id = "k1", secret_file = "absent.secret" }]')
        self.assert_refuses("absent.secret", "No such file")

    def test_missing_key_file(self):
        self.with_section("credentials.token", 'keys = [{ kid = "k1", key_file = "absent.key" }]')
        self.assert_refuses("absent.key", "No such file")

    def test_key_of_a_wrong_size(self):
        self.with_section("credentials.token", 'keys = [{ kid = "k1", key = "c2hvcnQ=" }]')
        self.assert_refuses("found 5 bytes", "32 bytes")

    def test_wrong_realm(self):
        self.edit(f'realm = "{self.server.realm}"', 'realm = "' + "r" * 200 + '"')
        self.assert_refuses("turn.realm", "127")

    def test_wrong_peer_rule(self):
        self.with_section("turn.peers", 'allow = ["127.0.0.0/99"]')
        self.assert_refuses("127.0.0.0/99")

    def test_wrong_listener(self):
        self.edit("udp:127.0.0.1:", "sctp:127.0.0.1:")
        self.assert_refuses("turn.listen[0]", "sctp:")

    def test_no_credentials(self):
        names = ("credentials.static", "credentials.computed", "credentials.pushed", "credentials.token")
        self.server.sections = dict.fromkeys(names)
        self.server.write_config()
        self.assert_refuses("[credentials.static]")

    def test_not_toml(self):
        self.server.config.write_text("[turn\nrealm = 5")
        self.assert_refuses("not TOML")

    def test_many_mistakes_at_once(self):
        self.server.config.write_text('[turn]\nrealm = 5\nshards = "many"\nlisten = ["udp:here"]\n[log]\nlevel = "loud"\n')
        finished = world.turnpike("check", self.server.config)
        self.assert_status(finished, 2)
        for key in ("turn.realm", "turn.shards", "turn.listen[0]", "log.level", "credentials"):
            self.assertIn(key, finished.text)

    def test_address_of_another_machine(self):
        self.edit(f'"{world.V4}", "{world.V6}"', '"192.0.2.1"')
        finished = world.run(*self.server.command(), timeout=20)
        self.assert_status(finished, 2)
        self.assertIn("192.0.2.1", finished.text)
        self.assert_nothing_started()

    def test_folder_of_the_admin_socket_is_missing(self):
        self.with_section("admin", f'socket = "{self.server.folder / "absent" / "admin.sock"}"')
        finished = world.run(*self.server.command(), timeout=20)
        self.assert_status(finished, 2)
        self.assertIn("absent/admin.sock", finished.text)
        self.assert_nothing_started()


class BadWords(world.Case):
    """Commands that are typed wrong say so in one line."""

    def assert_refused(self, *arguments, word, status=2):
        finished = world.turnpike(*arguments, timeout=20)
        self.assert_status(finished, status)
        self.assertIn(word, finished.text)
        self.assertEqual(len(finished.text.strip().splitlines()), 1, str(finished))

    def test_commands_and_options(self):
        self.assert_refused("serv", word='did you mean "serve"')
        self.assert_refused("probe", "http://example.com", word="turn:")
        self.assert_refused("probe", "turn:127.0.0.1", "--user", "alice", word="--password")
        self.assert_refused("token", "encode", "--key", "AAAA", "--server-name", "n", "--mac-key", "AAAA", word="--key")
        self.assert_refused("serve", "--config", "absent.toml", word="absent.toml")
        self.assert_refused("admin", "stats", "--config", "absent.toml", word="absent.toml")

    def test_a_malformed_token_and_an_unknown_kid(self):
        server = world.Turnpike()
        self.addCleanup(server.clean_up)
        key = world.base64_text(server.token_key)
        decode = ("token", "decode", "--key", key, "--server-name", world.SERVER_NAME)
        self.assert_refused(*decode, "AAAA", word="malformed")
        self.assert_refused(*decode, "not base64!", word="malformed")
        self.assert_refused(*decode, "AAx" + "A" * 85, word="does not open", status=1)
        explained = world.turnpike("explain", "--config", server.config, "k9.AAAAAAAAAAAAAAAAAAAAAAAA")
        self.assert_status(explained, 1)

    def test_an_administrator_without_a_server(self):
        server = world.Turnpike()
        self.addCleanup(server.clean_up)
        for command in ("stats", "sessions", "reload", "drain"):
            with self.subTest(command):
                self.assert_refused("admin", command, "--config", server.config, word="admin.sock")

    def test_examples_of_the_repository_pass_the_check(self):
        root = pathlib.Path(__file__).resolve().parent.parent
        for config in sorted(root.glob("*.toml")):
            with self.subTest(config.name):
                self.assertNotIn("unknown key", world.turnpike("check", config).text)


if __name__ == "__main__":
    unittest.main()
