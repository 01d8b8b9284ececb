"""Relay, eP-CSCF and home core in one `turnpike serve`, and the clients that register with it."""

import base64
import hashlib
import hmac
import re
import subprocess
import time

import sip
import turn
import websocket
import world

PASSWORDS = {"alice": "wonder-land-of-alice", "bob": "looking-glass-of-bob"}
GRACE_SECONDS = 1  # after a lost connection; the default is 30


class Home(world.Turnpike):
    """The whole chain on loopback addresses. `sources` are those of [epcscf.credentials], in their order."""

    def __init__(self, sources=("computed", "pushed", "token")):
        self.sources = list(sources)
        self.door_port, self.open_port, self.core_side_port, self.core_port = (world.free_port() for _ in range(4))
        super().__init__(hosts=(world.V4,), log_level="trace")
        self.door = f"wss://{world.V4}:{self.door_port}"
        self.open_door = f"ws://{world.V4}:{self.open_port}"
        self.certificate, self.database = self.folder / "door.pem", self.folder / "subscribers.db"
        self.made("key", "certificate", "--certificate", self.certificate, "--key", self.folder / "door.key",
                  "--name", world.V4)  # fmt: skip
        for user, password in PASSWORDS.items():
            file = self.folder / f"{user}.password"
            file.write_text(password)
            self.made("subscriber", "add", self.impi(user), "--password-file", file, "--database", self.database)

    def made(self, *arguments):
        finished = world.turnpike(*arguments)
        if finished.status:
            raise AssertionError(f"turnpike {arguments[0]} {arguments[1]}: {finished}")

    def default_sections(self):
        names = ", ".join(map(world.toml_text, self.sources))
        core_side, core = f"{world.V4}:{self.core_side_port}", f"{world.V4}:{self.core_port}"
        return {
            **super().default_sections(),
            "credentials.static": None,
            "epcscf": f'listen = ["wss:{world.V4}:{self.door_port}", "ws:{world.V4}:{self.open_port}"]\n'
            f'certificate = "door.pem"\nkey = "door.key"\nflow_grace_seconds = {GRACE_SECONDS}\n'
            f'core_listen = ["udp:{core_side}", "tcp:{core_side}"]',
            "epcscf.credentials": f"sources = [{names}]",
            "ims": f'listen = ["udp:{core}", "tcp:{core}"]\ndatabase = "subscribers.db"',
        }

    def answers(self, host=world.V4):
        return self.is_ready() and super().answers(host)

    def impi(self, user):
        return f"{user}@{self.realm}"

    def wic_options(self, user, password=None, trust=True):
        """The options that every `turnpike wic` command needs."""
        login = ["--user", self.impi(user), "--password", PASSWORDS[user] if password is None else password]
        return [*login, "--ca", self.certificate] if trust else login

    def agent(self, user, password=None, door=None):
        """A client whose every message the test spells out, on a connection of its own."""
        line = websocket.WebSocket(door or self.door)
        return sip.Agent(line, user, PASSWORDS.get(user, "") if password is None else password, self.realm)

    def relay_client(self, credential):
        return turn.Client((world.V4, self.port), credential.username, credential.password)

    def computed_password(self, username):
        """What a computed credential's password has to be: the rule of the TURN REST API."""
        return base64.b64encode(hmac.new(self.secrets[0][1].encode(), username.encode(), hashlib.sha1).digest()).decode()


class Credential:
    """The first value of a Turn-Credentials header."""

    def __init__(self, header):
        first = sip.split_outside_quotes(header)[0]
        named = {}
        for parameter in sip.split_outside_quotes(first, ";")[1:]:
            name, _, value = parameter.partition("=")
            named[name.strip()] = re.sub(r"\\(.)", r"\1", value.strip().strip('"'))
        self.uri = first.partition("<")[2].partition(">")[0]
        self.username, self.password, self.realm = named["username"], named["password"], named["realm"]
        self.ttl, self.expires_at = int(named["ttl"]), int(named["expires-at"])
        self.refresh_after = int(named["refresh-after"])


class Known:
    """A credential of which the test has worked out the password."""

    def __init__(self, username, password):
        self.username, self.password = username, password


class Wic:
    """`turnpike wic` in the background; what it says is in `text()`."""

    def __init__(self, *arguments, output):
        self.output = output
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                [world.TURNPIKE, "wic", *map(str, arguments)], stdout=file, stderr=file, preexec_fn=world.end_with_us
            )

    def text(self):
        return self.output.read_text(errors="replace")

    def says(self, pattern, seconds=15):
        """The match of what it has said by then; None if it has not."""
        find = lambda: re.search(pattern, self.text())  # noqa: E731
        return world.eventually(lambda: find() or self.process.poll() is not None and find(), seconds)

    def clean_up(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def seconds_to_silence(client, cause):
    """From the start of `cause` to the last packet that came back, while packets are sent all the time."""
    begun = last = time.monotonic()
    cause()
    # A busy machine is slow to echo: it takes a while without any packet to call it silence.
    while time.monotonic() - last < 1.5:
        client.send(b"still there?")
        if client.receive(0.05):
            last = time.monotonic()
        if last - begun > 10:
            raise AssertionError("it relays on and on")
    return last - begun
