"""Starts and stops what the end-to-end tests talk to: turnpike, coturn's server and its programs.

Everything listens on fresh ports of the loopback addresses and is ended by the test that started it. Each server
has a realm of its own, which is checked when it answers: two servers can share a UDP port without an error.
"""

import base64
import contextlib
import ctypes
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

import turn
from free_port import free_port

TURNPIKE = os.environ.get("TURNPIKE", "build/release/turnpike")
V4, V6 = "127.0.0.1", "::1"

USER, PASSWORD = "alice", "wonder:land ü\"#'"  # a password may hold any character
PLAIN_USER, PLAIN_PASSWORD = "bob", "looking-glass"  # where coturn's options cannot pass such a password
SECRET = "e2e-shared-secret-of-many-bytes"
SERVER_NAME = "turn.e2e.example"

# Keys that turnutils_uclient -J has built in; each is written with a line end too many, which coturn cuts off.
UCLIENT_KEYS = {
    "north": (b"01234567890123456789012345678901", "A256GCM"),
    "union": (b"1234567890123456", "A128GCM"),
    "oldempire": (b"12345678901234567890123456789012", "A256GCM"),
}


def relay_ports():
    """A slice below the ephemeral ports, so that the sockets of clients are not in the way."""
    first = 10000 + secrets.randbelow(100) * 200
    return first, first + 1999


def base64_text(data):
    return base64.b64encode(data).decode()


def eventually(condition, seconds=10.0, pause=0.02):
    """The first true value of a condition, or its last one when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(pause)


def end_with_us():
    """As preexec_fn: the kernel ends the program when the test that started it is gone, however it went."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Finished:
    """A program that has ended: status, and what it wrote to each of its outputs."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def text(self):
        return self.out + self.err

    def __str__(self):
        return f"status {self.status}\n{self.text}"


def run(*command, timeout=60, env=None, cwd=None):
    process = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        timeout=timeout,
        env=None if env is None else {**os.environ, **env},
        cwd=cwd,
    )
    decode = lambda data: data.decode(errors="replace")  # noqa: E731
    return Finished(process.returncode, decode(process.stdout), decode(process.stderr))


def turnpike(*arguments, timeout=60):
    return run(TURNPIKE, *arguments, timeout=timeout)


class Server:
    """A server process. `started` fails the test that needs it, with what the server said."""

    hosts = (V4, V6)
    realm = ""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="turnpike_e2e_"))
        self.port = free_port()
        self.process = None
        self.output = self.folder / "output"

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, cwd=self.folder, preexec_fn=end_with_us
            )
        for host in self.hosts:
            if not eventually(lambda: self.process.poll() is not None or self.answers(host), 15):
                break
        if self.process.poll() is not None or not self.answers(self.hosts[0]):
            raise AssertionError(f"{self.command()[0]} does not serve port {self.port}:\n{self.log()[-2000:]}")
        return self

    def answers(self, host=V4):
        challenge = turn.ask((host, self.port), turn.allocate_request(), 0.2)
        if challenge is None:
            return False
        realm = (challenge.text(turn.REALM) or "").rstrip("\0")
        if realm != self.realm:
            raise AssertionError(f"another server answers on port {self.port}: its realm is {realm!r}")
        return True

    def log(self):
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    @property
    def pid(self):
        return self.process.pid

    def resident_kilobytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=15):
        """Ends the server; its exit status."""
        if self.process.poll() is None:
            self.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end within {seconds} s of signal {number}") from None

    def clean_up(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Turnpike(Server):
    """Our server with all four sources. Options are TOML text that replaces or follows the default.

    Without a relay it has neither [turn] nor credentials, but what `sections` say, and is there once it says so.
    """

    def __init__(
        self, *, realm=None, limits="", sections=None, log_level="debug", hosts=(V4, V6), keys=None, has_relay=True
    ):
        super().__init__()
        self.has_relay = has_relay
        self.said_before = 0
        self.realm = realm or f"r{secrets.token_hex(4)}.example"
        self.hosts = hosts
        self.limits = limits
        self.log_level = log_level
        self.relay_ports = relay_ports()
        self.token_key = secrets.token_bytes(32)
        self.keys = {"k1": (self.token_key, "A256GCM")} if keys is None else keys
        self.mac_key_rule = "auto"
        self.static_users = {USER: PASSWORD, PLAIN_USER: PLAIN_PASSWORD}
        self.secrets = [("k1", SECRET)]
        self.sections = sections or {}
        self.config = self.folder / "turnpike.toml"
        self.write_config()

    def command(self):
        return [TURNPIKE, "serve", "--config", str(self.config)]

    def start(self):
        self.said_before = len(self.log())
        return super().start()

    def is_ready(self):
        """The relay answers before other doors are open."""
        return " event=ready" in self.log()[self.said_before :]

    def answers(self, host=V4):
        return super().answers(host) if self.has_relay else self.is_ready()

    def write_config(self):
        self.config.write_text(self.config_text())

    def default_sections(self):
        return {**(self.relay_sections() if self.has_relay else {}), **self.common_sections()}

    def common_sections(self):
        return {"admin": f'socket = "{self.folder / "admin.sock"}"', "log": f'level = "{self.log_level}"'}

    def relay_sections(self):
        users = ", ".join(f"{toml_text(name)} = {toml_text(word)}" for name, word in self.static_users.items())
        keyed = ", ".join(f"{{ id = {toml_text(name)}, secret = {toml_text(word)} }}" for name, word in self.secrets)
        keys = ", ".join(
            f'{{ kid = "{kid}", key = "{base64_text(key)}", alg = "{algorithm}" }}'
            for kid, (key, algorithm) in self.keys.items()
        )
        return {
            "turn.peers": 'allow = ["127.0.0.0/8", "::1/128"]',
            "turn.limits": self.limits,
            "credentials.static": f"users = {{ {users} }}",
            "credentials.computed": f"secrets = [{keyed}]",
            "credentials.pushed": "",
            "credentials.token": f'keys = [{keys}]\nmac_key = "{self.mac_key_rule}"',
        }

    def config_text(self):
        listen = ", ".join(f'"udp:{bracket(host)}:{self.port}"' for host in self.hosts)
        relays = ", ".join(f'"{host}"' for host in self.hosts)
        text = [
            f"[turn]\nlisten = [{listen}]\nrealm = \"{self.realm}\"\nserver_name = \"{SERVER_NAME}\"",
            f"relay_addresses = [{relays}]\nrelay_ports = [{self.relay_ports[0]}, {self.relay_ports[1]}]\nshards = 2",
        ] if self.has_relay else []  # fmt: skip
        for name, body in {**self.default_sections(), **self.sections}.items():
            if body is not None:
                text.append(f"[{name}]\n{body}")
        return "\n".join(text) + "\n"

    def uri(self, host=V4):
        return f"turn:{bracket(host)}:{self.port}"

    def issue(self, source, *options, user="carol"):
        return turnpike("issue", "--config", self.config, "--source", source, "--user", user, *options)

    def admin(self, command, *options):
        return turnpike("admin", command, "--config", self.config, *options)


class Coturn(Server):
    """Debian's turnserver, with static users or REST secrets, and with OAuth where keys are given."""

    def __init__(self, *authentication, keys=None):
        super().__init__()
        self.realm = f"c{secrets.token_hex(4)}.coturn"
        self.authentication = list(authentication)
        self.ports = relay_ports()
        if keys:
            self.authentication += ["--oauth", "--server-name", SERVER_NAME]
            self._store(keys)

    def _store(self, keys):
        schema = pathlib.Path("/usr/share/coturn/schema.sql").read_text()
        with contextlib.closing(sqlite3.connect(self.folder / "db")) as database, database:
            database.executescript(schema)
            for kid, (key, algorithm) in keys.items():
                database.execute(
                    "insert into oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm)"
                    " values (?, ?, 0, 0, ?, '')",
                    (kid, base64_text(key), algorithm),
                )

    def command(self):
        return [
            "/usr/bin/turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--allow-loopback-peers",
            "--relay-threads", "1", "-L", V4, "-E", V4, "-L", V6, "-E", V6, "-p", str(self.port), "-r", self.realm,
            "--min-port", str(self.ports[0]), "--max-port", str(self.ports[1]), "--no-stdout-log",
            "--log-file", str(self.folder / "log"), "--userdb", str(self.folder / "db"),
            "--pidfile", str(self.folder / "pid"), *self.authentication,
        ]  # fmt: skip

    def uri(self, host=V4):
        return f"turn:{bracket(host)}:{self.port}"


class EchoPeer:
    """coturn's turnutils_peer, which sends back what it gets; on one port of both loopback addresses."""

    def __init__(self):
        self.port = free_port()
        self.processes = []

    def start(self):
        for host in (V4, V6):
            self.processes.append(
                subprocess.Popen(
                    ["/usr/bin/turnutils_peer", "-p", str(self.port), "-L", host],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        for host in (V4, V6):
            if not eventually(lambda: self._echoes(host)):
                raise AssertionError(f"turnutils_peer does not echo on {host} port {self.port}")
        return self

    def _echoes(self, host):
        with socket.socket(turn.family_of(host), socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.connect((host, self.port))
            try:
                client.send(b"are you there")
                return client.recv(100) == b"are you there"
            except OSError:
                return False

    def clean_up(self):
        for process in self.processes:
            process.kill()
            process.wait()


class Case(unittest.TestCase):
    """A test that starts servers, which end with it."""

    def started(self, server):
        self.addCleanup(server.clean_up)
        return server.start()

    @classmethod
    def kept(cls, server):
        """Started for all tests of the class."""
        cls.addClassCleanup(server.clean_up)
        return server.start()

    def assert_status(self, finished, status):
        self.assertEqual(finished.status, status, str(finished))

    def assert_relays(self, finished):
        """A probe that got through."""
        self.assert_status(finished, 0)


class RelayCase(Case):
    """Each test with a relay and a peer of its own, and clients of which the test spells out every message."""

    def setUp(self):
        self.peer = self.started(EchoPeer())
        self.server = self.started(Turnpike())

    def client(self, username, password):
        client = turn.Client((V4, self.server.port), username, password)
        self.addCleanup(client.close)
        return client

    def allocated(self, username, password):
        client = self.client(username, password)
        client.allocate()
        client.bind((V4, self.peer.port))
        self.assertTrue(client.echoes())
        return client

    def refusal(self, username, password):
        """The code with which an Allocate is refused, or 0."""
        try:
            self.client(username, password).allocate()
        except turn.Refused as refused:
            return refused.code
        return 0


def toml_text(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bracket(host):
    return f"[{host}]" if ":" in host else host
