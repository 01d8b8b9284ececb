"""Executes docs/keys.md: its files are written, its commands run to the letter, with real servers and allocations.

It runs in network and mount namespaces of its own, so that addresses, ports and names are those of the page.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import turn
import world

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "keys.md"
HOSTS = {
    "192.0.2.10": "waf.ims.example",
    "192.0.2.21": "turn1.ims.example",
    "192.0.2.22": "turn2.ims.example",
    "192.0.2.30": "waf.shop.example",
    "192.0.2.99": "peer.ims.example",
}
PORT = 3478
INSIDE = "TURNPIKE_KEYS_TEST_INSIDE"


def enter_namespaces():
    """Starts this file again where we may give ourselves addresses and names."""
    if os.environ.get(INSIDE):
        return
    os.environ[INSIDE] = "1"
    os.environ["TURNPIKE"] = str(pathlib.Path(world.TURNPIKE).resolve())
    unshare = ["unshare", "--map-root-user", "--net", "--mount", sys.executable, "-B", *sys.argv]
    os.execvp(unshare[0], unshare)


def take_addresses(folder):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in HOSTS:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    names = folder / "hosts"
    names.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for address, name in HOSTS.items()))
    subprocess.run(["mount", "--bind", names, "/etc/hosts"], check=True)


class Fence:
    def __init__(self, words, text):
        self.kind, self.words, self.text = words[0] if words else "", words[1:], text

    def commands(self):
        return [line for line in self.text.splitlines() if line and not line.startswith("#")]


def sections():
    """Heading -> its fences, in the order of the page."""
    found, heading, fence = {}, "", None
    for line in PAGE.read_text().splitlines():
        if line.startswith("```"):
            if fence is None:
                fence = (line[3:].split(), [])
            else:
                found.setdefault(heading, []).append(Fence(fence[0], "\n".join(fence[1]) + "\n"))
                fence = None
        elif fence is not None:
            fence[1].append(line)
        elif line.startswith("## "):
            heading = line[3:]
    return found


class Peer:
    """Sends back what it gets."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("192.0.2.99", 0))
        self.address = self.socket.getsockname()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                data, sender = self.socket.recvfrom(2048)
                self.socket.sendto(data, sender)


class Page(unittest.TestCase):
    """The sections of the page one after the other, as a reader would do them; checks in between."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="turnpike_keys_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        take_addresses(self.folder)
        binaries = self.folder / "bin"
        binaries.mkdir()
        (binaries / "turnpike").symlink_to(world.TURNPIKE)
        self.environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
        self.processes = {}
        self.addCleanup(self.stop_all)
        self.sections = sections()
        self.peer = Peer()
        self.done = set()

    def stop_all(self):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def log(self, config):
        return (self.folder / f"{config}.log").read_text()

    def shell(self, command, status=0):
        finished = world.run("bash", "-c", command, env=self.environment, cwd=self.folder)
        self.assertEqual(finished.status, status, f"{command}\n{finished}")
        return finished.text

    def serve(self, command):
        config = command.split()[-1]
        before = len(self.log(config)) if (self.folder / f"{config}.log").exists() else 0
        with open(self.folder / f"{config}.log", "ab") as log:
            self.processes[config] = subprocess.Popen(
                command.split(), stdout=log, stderr=log, cwd=self.folder, env=self.environment,
                preexec_fn=world.end_with_us,
            )  # fmt: skip
        is_ready = lambda: " event=ready" in self.log(config)[before:]  # noqa: E731
        self.assertTrue(world.eventually(is_ready, 15), self.log(config))

    def stop(self, config):
        self.processes[config].send_signal(signal.SIGTERM)
        self.assertEqual(self.processes[config].wait(10), 0)

    def read(self, heading):
        """Does what the section says. What its commands have written, in their order."""
        said = []
        for fence in self.sections[heading]:
            if fence.kind == "toml":
                with open(self.folder / fence.words[0], "a" if "append" in fence.words else "w") as file:
                    file.write(("\n" if "append" in fence.words else "") + fence.text)
            elif "serve" in fence.words:
                self.serve(fence.text.strip())
            elif fence.kind == "sh":
                for command in fence.commands():
                    said.append(self.shell(command))
                    if "admin drain" in command:
                        self.processes[command.split()[-1]].wait(10)
        self.done.add(heading)
        return said

    def token(self, server, waf="https://waf.ims.example", ca="ca.pem", secret="monitor.secret"):
        return json.loads(
            self.shell(
                f'curl -sf --cacert {ca} -u "monitor:$(cat {secret})" -d grant_type=client_credentials -d token_type=pop'
                f" -d audience={server}.ims.example {waf}/token"
            )
        )

    def client(self, token, address):
        ice = token["iceServers"][0]
        client = turn.Client((address, PORT), ice["username"], ice["credential"])
        self.addCleanup(client.close)
        client.allocate()
        client.bind(self.peer.address)
        self.assertTrue(client.echoes())
        return client

    def assert_refused(self, token, address):
        with self.assertRaises(turn.Refused) as refused:
            self.client(token, address)
        self.assertEqual(refused.exception.code, 401)

    def is_refused(self, token, address):
        try:
            self.client(token, address)
        except turn.Refused as refused:
            return refused.code == 401
        return False

    def assert_ends_within_a_second(self, clients, command):
        said, began = self.shell(command), time.monotonic()
        for client in clients:
            while client.echoes(seconds=0.1):
                self.assertLess(time.monotonic() - began, 1, "it relays on and on")
        return said

    def metric(self, config, name):
        text = self.shell(f"turnpike admin stats --metrics --config {config}")
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        self.assertIsNotNone(found, f"{name} is not in\n{text}")
        return float(found[1])

    # --- the sections ------------------------------------------------------------------------------------

    def test_the_page(self):
        self.put_up()
        self.add_a_turn_server()
        self.restart_while_the_waf_is_away()
        self.rotate_and_withdraw_a_key()
        self.go_over_to_the_next_key()
        self.replace_all_keys()
        self.recover_from_a_compromised_waf()
        self.have_a_third_party()
        executed = {heading for heading, fences in self.sections.items() if any(it.kind == "sh" for it in fences)}
        self.assertEqual(executed - self.done, set(), "commands of the page that nobody runs")
        self.say_nothing_secret()

    def put_up(self):
        said = self.read("A WAF that hands out keys")
        fetched = world.eventually(lambda: re.search(r"fetched +(w1-\S+) +waf", self.shell("turnpike key list --config turn1.toml")))
        self.assertTrue(fetched, said)
        listed = self.shell("turnpike key list --config waf.toml")
        self.assertRegex(listed, rf"{fetched[1]} +turn1\.ims\.example +used, ends in (?:6 d 23 h|7 d), fetched ")
        self.assertIn("next fetch in ", self.shell("turnpike key list --config turn1.toml"))
        self.assertEqual((self.folder / "turn1.keys").stat().st_mode & 0o777, 0o600)
        revoked = json.loads((self.folder / "token.json").read_text())
        refused = lambda: self.is_refused(revoked, "192.0.2.21")  # noqa: E731
        self.assertTrue(world.eventually(refused, 30), "when the WAF has found the relay, which began later, at the latest")
        self.revoke("turn1", "192.0.2.21")
        self.client(self.token("turn1"), "192.0.2.21")
        self.assertEqual(self.metric("turn1.toml", 'turnpike_key_provider_keys{provider="waf"}'), 1)
        self.assertGreaterEqual(self.metric("waf.toml", "turnpike_waf_turn_key_fetches_total"), 1)
        self.assertEqual(self.metric("waf.toml", "turnpike_waf_turn_keys_unfetched"), 0)

    def revoke(self, server, address):
        """Ends the allocations by a token, as the page says it, and those alone."""
        relays = lambda: self.shell("turnpike admin relays --config waf.toml")  # noqa: E731
        self.assertTrue(world.eventually(lambda: "away" not in relays(), 30), relays())
        token, other = self.token(server), self.client(self.token(server), address)
        client = self.client(token, address)
        (self.folder / "token.json").write_text(json.dumps(token))
        section = self.sections["A WAF that hands out keys"]
        command = next(line for fence in section for line in fence.commands() if "/revoke" in line)
        self.assert_ends_within_a_second([client], command)
        self.assert_refused(token, address)
        self.assertTrue(other.echoes())
        self.assert_ends_within_a_second([other], "turnpike client disable monitor --config waf.toml")
        self.shell("turnpike client enable monitor --config waf.toml")

    def add_a_turn_server(self):
        before = self.client(self.token("turn1"), "192.0.2.21")
        said = self.read("Run-book: a new TURN server in ten minutes")
        self.assertRegex(said[-3], r"fetched +w1-\S+ +waf +made with until")
        self.assertTrue(before.echoes(), "who was there has not noticed")
        # Its key is its own: a token for the one is no token for the other.
        self.client(self.token("turn2"), "192.0.2.22")
        self.revoke("turn2", "192.0.2.22")
        self.assert_refused(self.token("turn1"), "192.0.2.22")
        for certificate, status in (("turn2", "403"), ("turn1", "200")):
            url = "https://waf.ims.example:8446/.well-known/stun-key?service=stun&name=turn1.ims.example"
            got = self.shell(
                f"curl -s -o /dev/null -w '%{{http_code}}' --cacert ca.pem --cert {certificate}.pem --key {certificate}.key '{url}'"
            )
            self.assertEqual(got, status)
        for nobody in ("", "--cert waf.pem --key waf.key"):
            url = "https://waf.ims.example:8446/.well-known/stun-key?name=turn1.ims.example"
            self.assertNotIn('"k"', world.run("bash", "-c", f"curl -s --cacert ca.pem {nobody} '{url}'", cwd=self.folder).out)
        self.assertIn("404", self.shell("curl -si --cacert ca.pem https://waf.ims.example/.well-known/stun-key?name=turn1.ims.example"))

    def restart_while_the_waf_is_away(self):
        token = self.token("turn1")
        self.stop("waf.toml")
        self.assertIn("could not be fetched from", self.shell("turnpike key fetch --config turn1.toml", status=1))
        running = self.client(token, "192.0.2.21")
        self.assertTrue(running.echoes())
        self.processes["turn1.toml"].kill()
        self.processes["turn1.toml"].wait()
        self.serve("turnpike serve --config turn1.toml")
        self.client(token, "192.0.2.21")
        self.assertTrue(world.eventually(lambda: "event=stun_keys_unavailable" in self.log("turn1.toml")))
        self.serve("turnpike serve --config waf.toml")
        self.shell("turnpike key fetch --config turn1.toml")
        self.assertTrue(self.client(self.token("turn1"), "192.0.2.21").echoes())

    def rotate_and_withdraw_a_key(self):
        leaked = self.token("turn1")
        client, other = self.client(leaked, "192.0.2.21"), self.client(self.token("turn2"), "192.0.2.22")
        said = self.read("Rotation, and a key that has leaked")
        self.assertRegex(said[0], r"w1-\S+ is published for turn1\.ims\.example, and used in 1 d\nthe server goes by it")
        kid = re.search(r"^(w1-\S+) is withdrawn; another key takes its place$", said[2], re.M)[1]
        self.assertTrue(leaked["kid"].startswith(kid))
        self.assertFalse(client.echoes(seconds=0.3), said)
        self.assertTrue(other.echoes())
        self.assertIn(f"event=stun_key_withdrawn provider=waf kid={kid} allocations_ended=", self.log("turn1.toml"))
        self.assert_refused(leaked, "192.0.2.21")
        token = self.token("turn1")
        self.assertFalse(token["kid"].startswith(kid))
        self.client(token, "192.0.2.21")
        self.assertRegex(self.shell("turnpike key list --config waf.toml"), rf"{kid} +turn1\.ims\.example +withdrawn")
        self.shell("turnpike key withdraw --config waf.toml --kid nobody", status=1)

    def go_over_to_the_next_key(self):
        """What a rotation by itself does, but without the day between: tokens of both keys are accepted."""
        old = self.token("turn1")
        client = self.client(old, "192.0.2.21")
        said = self.shell("turnpike key rotate --config waf.toml --source waf --server turn1.ims.example --at-once")
        kid = re.search(r"^(w1-\S+) is published for turn1\.ims\.example, and used as soon as it was fetched$", said, re.M)[1]
        self.assertFalse(self.token("turn1")["kid"].startswith(kid), "the relay does not have it yet")
        self.assertIn(kid, self.shell("turnpike key fetch --config turn1.toml"))
        new = self.token("turn1")
        self.assertTrue(new["kid"].startswith(kid), new["kid"])
        self.client(new, "192.0.2.21")
        self.assertEqual(client.refresh().error(), None)
        self.assertTrue(client.echoes(), "what was there goes on")
        self.client(old, "192.0.2.21")
        self.assertRegex(self.shell("turnpike key list --config waf.toml"), rf"{kid} +turn1\.ims\.example +used, ")

    def replace_all_keys(self):
        servers = {"turn1": "192.0.2.21", "turn2": "192.0.2.22"}
        leaked = {server: self.token(server) for server in servers}
        clients = {server: self.client(leaked[server], address) for server, address in servers.items()}
        said = self.shell("turnpike key withdraw --config waf.toml --all")
        withdrawn = re.findall(r"^(w1-\S+) is withdrawn; another key takes its place$", said, re.M)
        listed = self.shell("turnpike key list --config waf.toml")
        for kid in withdrawn:
            self.assertRegex(listed, rf"{kid} +turn\d\.ims\.example +withdrawn")
        for server, address in servers.items():
            self.assertTrue(any(leaked[server]["kid"].startswith(kid) for kid in withdrawn), said)
            self.assertEqual(len(re.findall(rf"{server}\.ims\.example +used, ", listed)), 1, listed)
            self.shell(f"turnpike key fetch --config {server}.toml")
            self.assertFalse(clients[server].echoes(seconds=0.3), said)
            self.assert_refused(leaked[server], address)
            self.client(self.token(server), address)
        self.shell("turnpike key withdraw --config waf.toml --kid nobody", status=1)

    def recover_from_a_compromised_waf(self):
        stolen = {server: self.token(server) for server in ("turn1", "turn2")}
        clients = [self.client(stolen["turn1"], "192.0.2.21"), self.client(stolen["turn2"], "192.0.2.22")]
        fences = self.sections["Run-book: the WAF is compromised"]
        first = fences[0].commands()
        for client, command in zip(clients, first):
            self.assertIn("waf is withdrawn; ", self.assert_ends_within_a_second([client], command))
        for server, address in (("turn1", "192.0.2.21"), ("turn2", "192.0.2.22")):
            self.assert_refused(stolen[server], address)
            self.assert_refused(self.token(server), address)
        self.assertEqual(self.metric("turn1.toml", 'turnpike_key_provider_withdrawn{provider="waf"}'), 1)
        self.stop("turn2.toml")  # withdrawn over a restart, too
        self.serve("turnpike serve --config turn2.toml")
        self.assert_refused(stolen["turn2"], "192.0.2.22")
        self.assertIn("withdrawn: nothing of it is accepted", self.shell("turnpike key list --config turn2.toml"))
        self.assertIn("is withdrawn", self.shell("turnpike key fetch --config turn2.toml", status=1))

        said = self.read("Run-book: the WAF is compromised")
        self.assertEqual(self.processes["waf.toml"].poll(), None, said)
        for server, address in (("turn1", "192.0.2.21"), ("turn2", "192.0.2.22")):
            self.assert_refused(stolen[server], address)
            self.client(self.token(server, secret="monitor.secret.new"), address)

    def have_a_third_party(self):
        self.put_up_a_shop()
        self.processes_before = dict(self.processes)
        fences = self.sections["A WAF of a third party"]
        withdraw, restore = fences[2].text.strip(), fences[3].text.strip()
        self.assertIn("key withdraw", withdraw)
        self.assertIn("key restore", restore)
        said = self.read("A WAF of a third party")
        self.assertIn("shop is withdrawn; ", said[-2])
        self.assertIn("shop is let in again", said[-1])

        shop = lambda: self.token("turn1", "https://waf.shop.example", "shop-ca.pem")  # noqa: E731
        theirs, token = self.client(shop(), "192.0.2.21"), shop()
        ours = self.client(self.token("turn1", secret="monitor.secret.new"), "192.0.2.21")
        self.assertTrue(token["kid"].startswith("shop-"))
        self.assertIn("1 allocation ended", self.assert_ends_within_a_second([theirs], withdraw))
        self.assertTrue(ours.echoes(), "ours go on")
        self.assert_refused(token, "192.0.2.21")
        self.shell(restore)
        self.assertTrue(self.client(shop(), "192.0.2.21").echoes())

        # The same by the configuration: taken out and read again.
        theirs = self.client(shop(), "192.0.2.21")
        config = self.folder / "turn1.toml"
        text = config.read_text()
        config.write_text(text[: text.rindex("[[credentials.token.providers]]")])
        self.assert_ends_within_a_second([theirs], "turnpike admin reload --config turn1.toml")
        self.assertTrue(ours.echoes())
        config.write_text(text)
        self.shell("turnpike admin reload --config turn1.toml")
        self.shell("turnpike key fetch --config turn1.toml --provider shop")
        self.assertTrue(self.client(shop(), "192.0.2.21").echoes())
        self.refuse_kids_of_others(ours)

    def refuse_kids_of_others(self, ours):
        """A shop whose WAF claims kids of ours gets nowhere, and breaks nothing."""
        self.stop("shop.toml")
        config = self.folder / "shop.toml"
        config.write_text(config.read_text().replace('kid_prefix = "shop-"', 'kid_prefix = "w1-"'))
        self.shell("turnpike waf change-secret --config shop.toml --lost")
        self.serve("turnpike serve --config shop.toml")
        said = self.shell("turnpike key fetch --config turn1.toml --provider shop", status=1)
        self.assertIn('allowed: what begins with "shop-", as this provider\'s kids do', said)
        forged = self.token("turn1", "https://waf.shop.example", "shop-ca.pem")
        self.assertTrue(forged["kid"].startswith("w1-"))
        self.assert_refused(forged, "192.0.2.21")
        self.assertTrue(ours.echoes())
        self.client(self.token("turn1", secret="monitor.secret.new"), "192.0.2.21")

    def put_up_a_shop(self):
        """As the page says of our own WAF, under other names and another authority."""
        for fence in self.sections["A WAF that hands out keys"]:
            text = fence.text
            for ours, theirs in (
                ("waf.ims.example", "waf.shop.example"), ("192.0.2.10", "192.0.2.30"), ('"w1-"', '"shop-"'),
                ("waf.toml", "shop.toml"), ("waf.pem", "shop.pem"), ("waf.key", "shop.key"), ("waf.csr", "shop.csr"),
                ("waf.db", "shop.db"), ("waf.secret", "shop.secret"), ("waf.sock", "shop.sock"), ("ca.key", "shop-ca.key"),
                ("ca.pem", "shop-ca.pem"), ("monitor.secret", "shop-monitor.secret"),
            ):  # fmt: skip
                text = text.replace(ours, theirs)
            text = text.replace('client_ca = "shop-ca.pem"', 'client_ca = "ca.pem"')  # it trusts our relays
            if "turn1.csr" in text or "turn1.toml" in text:
                break
            if fence.kind == "toml" and fence.words == ["waf.toml"]:
                text = text[: text.index("[[relays]]")]  # our relays do not obey it
                (self.folder / "shop.toml").write_text(text)
            elif "serve" in fence.words:
                self.serve(text.strip())
            elif fence.kind == "sh":
                for command in text.splitlines():
                    self.shell(command)
        shutil.copy(self.folder / "shop-monitor.secret", self.folder / "monitor.secret")

    def say_nothing_secret(self):
        said = "".join(self.log(config) for config in self.processes)
        kept = json.loads((self.folder / "turn1.keys").read_text())
        for key in kept["keys"]:
            self.assertIn(key["kid"], said)
            self.assertNotIn(key["k"], said)
        database = (self.folder / "waf.db").read_bytes() + (self.folder / "waf.db-wal").read_bytes()
        for key in kept["keys"]:
            self.assertIn(key["kid"].encode(), database)
            self.assertNotIn(key["k"].encode(), database)


class ByHand(unittest.TestCase):
    def test_two_lines_on_each_side(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            world.run(world.TURNPIKE, "key", "generate", "--to", folder / "turn1-manual.key")
            lines = next(fence.text for fence in sections()["By hand"] if fence.kind == "toml")
            self.assertEqual(len(lines.splitlines()), 2)
            (folder / "relay.toml").write_text(f'[turn]\nlisten = ["udp:127.0.0.1:3478"]\nrealm = "ims.example"\n{lines}')
            (folder / "waf.toml").write_text(f'[credentials]\nrealm = "ims.example"\nuris = ["turn:t"]\n{lines}' + WAF_ALONE)
            for config in ("relay.toml", "waf.toml"):
                checked = world.turnpike("check", folder / config)
                self.assertEqual(checked.status, 0, checked)
            issued = world.turnpike("issue", "--config", folder / "waf.toml", "--source", "token", "--user", "a")
            username = json.loads(issued.out)["iceServers"][0]["username"]
            explained = world.turnpike("explain", "--config", folder / "relay.toml", username)
            self.assertEqual(explained.status, 0, explained)


WAF_ALONE = """[waf]
listen = ["http:127.0.0.1:8445"]
allow_cleartext = true
issuer = "http://127.0.0.1:8445"
database = "waf.db"
secret = "a-secret-of-thirty-two-characters"
audience = "epcscf.ims.example"
"""

if __name__ == "__main__":
    enter_namespaces()
    unittest.main()
