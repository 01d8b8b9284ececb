"""Starts and stops the two servers of a comparison, each alone on one core and on fresh ports."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from free_port import free_port  # noqa: E402

HOST = "127.0.0.1"
RELAY_PORTS = (10000, 32000)  # outside of the ephemeral ports, which the generator's sockets use
USER, PASSWORD = "bench", "correct-horse-battery"
SECRET = "a-shared-secret-of-thirty-two-bytes"
KID = "bench1"
TOKEN_LIFETIME_SECONDS = 3600
MAGIC = 0x2112A442


class BenchError(Exception):
    """Told to the user in one line."""


def stun_request(method, attributes=b""):
    return struct.pack("!HHI", method, len(attributes), MAGIC) + secrets.token_bytes(12) + attributes


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def ask(port, request, timeout=0.5):
    """The bytes that come back for a request, or nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect((HOST, port))
        try:
            client.send(request)
            return client.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return b""


def find_attribute(message, wanted):
    at = 20
    while at + 4 <= len(message):
        kind, size = struct.unpack_from("!HH", message, at)
        if kind == wanted:
            return message[at + 4 : at + 4 + size]
        at += 4 + size + (-size % 4)
    return None


ALLOCATE_REQUEST = stun_request(0x003, attribute(0x0019, bytes([17, 0, 0, 0])))
REALM_ATTRIBUTE = 0x0014


class Server:
    """A process on one core; `pid` is the process that relays."""

    name = ""

    def __init__(self, cpu):
        self.cpu = cpu
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench_{self.name}_"))
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        self.prepare()
        log = open(self.folder / "output", "wb")
        try:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, preexec_fn=self._pin)
        except FileNotFoundError as error:
            raise BenchError(f"{self.name}: {error.filename} is not there") from None
        self._wait_until_it_answers()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pin(self):
        os.sched_setaffinity(0, {self.cpu})

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            challenge = ask(self.port, ALLOCATE_REQUEST, timeout=0.2)
            if challenge:
                # Two servers can share a UDP port without an error; the realm tells whose answer this is.
                realm = find_attribute(challenge, REALM_ATTRIBUTE)
                if realm is None or realm.decode(errors="replace") != self.realm:
                    raise BenchError(f"{self.name}: another server answers on port {self.port}: realm {realm!r}")
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        output = (self.folder / "output").read_text(errors="replace").strip()
        raise BenchError(f"{self.name} does not answer on port {self.port}: {output[-500:]}")


class Coturn(Server):
    name = "coturn"
    realm = "bench.coturn"
    program = "/usr/bin/turnserver"

    def __init__(self, cpu, source):
        super().__init__(cpu)
        self.source = source

    def prepare(self):
        if self.source == "token":
            schema = pathlib.Path("/usr/share/coturn/schema.sql").read_text()
            with sqlite3.connect(self.folder / "db") as database:
                database.executescript(schema)
                database.execute(
                    "insert into oauth_key (kid, ikm_key, timestamp, lifetime, as_rs_alg, realm)"
                    " values (?, ?, 0, 0, 'A256GCM', '')",
                    (KID, base64.b64encode(token_key()).decode()),
                )

    def command(self):
        authentication = {
            "static": ["--lt-cred-mech", "-u", f"{USER}:{PASSWORD}"],
            "computed": ["--use-auth-secret", f"--static-auth-secret={SECRET}"],
            "token": ["--lt-cred-mech", "-u", f"{USER}:{PASSWORD}", "--oauth", "--server-name", Turnpike.server_name],
        }[self.source]
        return [
            self.program, "-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--allow-loopback-peers",
            "--relay-threads", "1", "-L", HOST, "-E", HOST, "-p", str(self.port), "-r", self.realm,
            "--min-port", str(RELAY_PORTS[0]), "--max-port", str(RELAY_PORTS[1]),
            "--no-stdout-log", "--log-file", "/dev/null", "--userdb", str(self.folder / "db"),
            "--pidfile", str(self.folder / "pid"), *authentication,
        ]  # fmt: skip

    def credential(self, turnpike):
        return make_credential(self.source, turnpike, coturn16=True)


class Turnpike(Server):
    name = "turnpike"
    realm = "bench.turnpk"  # 12 characters, as the amplification marks say
    server_name = "turn.bench.example"

    def __init__(self, cpu, source, program, password_algorithms=True, limits=None):
        super().__init__(cpu)
        self.source = source
        self.program = program
        self.password_algorithms = password_algorithms
        self.limits = {
            "allocations_per_subject": 100000,
            "allocations_per_source": 100000,
            "allocations_total": 100000,
            "unauthorized_per_second_per_source": 10000000,
        } | (limits or {})

    @property
    def config(self):
        return self.folder / "turnpike.toml"

    def prepare(self):
        limits = "\n".join(f"{name} = {value}" for name, value in self.limits.items())
        self.config.write_text(f"""
[turn]
listen = ["udp:{HOST}:{self.port}"]
realm = "{self.realm}"
server_name = "{self.server_name}"
relay_addresses = ["{HOST}"]
relay_ports = [{RELAY_PORTS[0]}, {RELAY_PORTS[1]}]
shards = 1
password_algorithms = {str(self.password_algorithms).lower()}
[turn.peers]
allow = ["127.0.0.0/8"]
[turn.limits]
{limits}
[admin]
socket = "{self.folder / 'admin.sock'}"
{self.source_sections()}
""")

    def source_sections(self):
        return {
            "static": f'[credentials.static]\nusers = {{ {USER} = "{PASSWORD}" }}',
            "computed": f'[credentials.computed]\nsecrets = [{{ id = "k1", secret = "{SECRET}" }}]',
            "pushed": "[credentials.pushed]",
            "token": "[credentials.token]\nkeys = [{ kid = \"%s\", key = \"%s\", alg = \"A256GCM\" }]"
            % (KID, base64.b64encode(token_key()).decode()),
        }[self.source]

    def command(self):
        return [self.program, "serve", "--config", str(self.config)]

    def credential(self, turnpike):
        if self.source == "pushed":
            run_turnpike(
                turnpike, "admin", "push", "--config", str(self.config), "--username", USER,
                "--password", PASSWORD, "--ttl", "3600",
            )  # fmt: skip
        return make_credential(self.source, turnpike, coturn16=False)


# --- credentials --------------------------------------------------------------------------------------------


def token_key():
    return hashlib.sha256(b"the AS-RS key of the comparison").digest()


def make_credential(source, turnpike, coturn16):
    """The options of `turnpike bench` that show this credential."""
    if source in ("static", "pushed"):
        return ["--username", USER, "--password", PASSWORD]
    if source == "computed":
        username = f"{int(time.time()) + 86400}:bench"
        digest = hmac.new(SECRET.encode(), username.encode(), hashlib.sha1).digest()
        return ["--username", username, "--password", base64.b64encode(digest).decode()]
    mac_key = secrets.token_bytes(20)
    token = run_turnpike(
        turnpike, "token", "encode", "--key", base64.b64encode(token_key()).decode(),
        "--server-name", Turnpike.server_name, "--mac-key", base64.b64encode(mac_key).decode(),
        "--lifetime", str(TOKEN_LIFETIME_SECONDS),
    ).strip()  # fmt: skip
    options = ["--kid", KID, "--token", token, "--mac-key", base64.b64encode(mac_key).decode()]
    return options + (["--coturn16"] if coturn16 else [])


def run_turnpike(program, *arguments):
    result = subprocess.run([program, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        raise BenchError(f"turnpike {' '.join(arguments[:2])}: {result.stderr.strip()[-500:]}")
    return result.stdout


def run_load(program, server, pattern, credential, cpu, options):
    """One run of the generator against a server; its report."""
    command = [
        program, "bench", pattern, "--server", f"{HOST}:{server.port}", *credential,
        "--cpu", str(cpu), "--server-pid", str(server.pid), *options,
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise BenchError(f"turnpike bench {pattern} against {server.name}: {result.stderr.strip()[-500:]}")
    report = json.loads(result.stdout)
    failures = report["set_up"]["failures"]
    if failures:
        print(f"  {server.name}, {pattern}: {failures}", file=sys.stderr)
    return report
