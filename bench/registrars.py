"""Starts and stops the SIP servers of bench/registration_vs_kamailio, each on one core and on fresh ports."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from free_port import free_port  # noqa: E402

HOST = "127.0.0.1"
HOME = "ims.example"
PASSWORD = "correct-horse-battery"
USERS = "load"
SETTLED_SECONDS = 0.3  # seconds in which no process comes or goes: the server has made all of its own
SCRIPT = pathlib.Path(__file__).resolve().parent / "registrar.cfg"


class BenchError(Exception):
    """Told to the user in one line."""


def children_of(pid):
    """The process and all below it."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += children_of(int(child))
    return found


def proportional_bytes(pids):
    """What the processes have in memory, with what they share counted once (Pss)."""
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


@contextlib.contextmanager
def in_background(work):
    """A thread that does it while the block runs; what it raises is raised at the end of the block."""
    raised = []

    def run():
        try:
            work()
        except Exception as error:  # for the thread that waits
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
    if raised:
        raise raised[0]


class Server:
    """One server on one core. `ready_port` takes TCP connections once it serves."""

    name = ""
    start_seconds = 60  # the database of ten thousand users takes its time

    def __init__(self, cpu):
        self.cpu = cpu
        self.ready_port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench_{self.name}_"))
        self.process = None

    def prepare(self):
        pass

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        try:
            self.prepare()
            with open(self.folder / "output", "wb") as log:
                self.process = subprocess.Popen(
                    self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                    preexec_fn=lambda: os.sched_setaffinity(0, {self.cpu}), start_new_session=True,
                )  # fmt: skip
            self._wait()
        except FileNotFoundError as error:
            self.__exit__()
            raise BenchError(f"{self.name}: {error.filename} is not there") from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)  # the session that was made for it
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self):
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection((HOST, self.ready_port), 0.2).close()
                return self._settle()
            except OSError:
                time.sleep(0.05)
        output = (self.folder / "output").read_text(errors="replace").strip()
        raise BenchError(f"{self.name} does not listen on port {self.ready_port}: {output[-500:]}")

    def _settle(self):
        """Kamailio listens before it forks, and whoever counts its processes then counts one of ten."""
        seen, since = self.pids(), time.monotonic()
        while time.monotonic() - since < SETTLED_SECONDS:
            time.sleep(0.02)
            if (now := self.pids()) != seen:
                seen, since = now, time.monotonic()

    def pids(self):
        return sorted(children_of(self.process.pid))


class Registrar(Server):
    """What the load registers with. `core` is the Core that it forwards to; None: it is edge and registrar in one."""

    def __init__(self, cpu, users, certificate=None, core=None):
        super().__init__(cpu)
        self.users, self.certificate, self.core = users, certificate, core

    @property
    def uri(self):
        return f"{'wss' if self.certificate else 'ws'}://{HOST}:{self.ready_port}"


class Kamailio(Registrar):
    """Debian's, with one worker for WebSockets and one for UDP.

    As a registrar: pv_www_authenticate, usrloc in memory. As an edge: Path, and every REGISTER on to the core.
    """

    name = "kamailio"

    def prepare(self):
        text = SCRIPT.read_text()
        addresses = {"PORT": self.ready_port, "EDGE": free_port(), "CORE": self.core.ready_port if self.core else 0}
        for word, port in addresses.items():
            text = text.replace(f"127.0.0.1:{word}", f"{HOST}:{port}")
        text = text.replace('"PASSWORD"', f'"{PASSWORD}"')
        if self.core:
            text = text.replace("CORE_TRANSPORT", self.core.transport)
        (self.folder / "registrar.cfg").write_text(text)
        if self.certificate:
            certificate, key = self.certificate
            (self.folder / "tls.cfg").write_text(f"""[server:default]
method = TLSv1.2+
certificate = {certificate}
private_key = {key}
""")

    def command(self):
        flags = (["-A", "SECURE"] if self.certificate else []) + (["-A", "AS_EDGE"] if self.core else [])
        return ["/usr/sbin/kamailio", *flags, "-f", str(self.folder / "registrar.cfg"), "-DD", "-E", "-m", "2048",
                "-M", "64", "-Y", str(self.folder), "-P", str(self.folder / "pid")]  # fmt: skip


class KamailioChain(Kamailio):
    """An edge before a registrar that knows the users, both Kamailio's and on the same core: the least that has the two
    nodes of an IMS registration."""

    def __init__(self, cpu, users, certificate=None):
        core = Kamailio(cpu, users)
        core.transport = "udp"
        super().__init__(cpu, users, certificate, core)

    def __enter__(self):
        with contextlib.ExitStack() as started:
            started.enter_context(self.core)
            super().__enter__()
            started.pop_all()
        return self

    def __exit__(self, *_):
        super().__exit__()
        self.core.__exit__()

    def pids(self):
        return sorted(super().pids() + self.core.pids())


def make_certificate(program, folder):
    """(certificate, key), the same for both servers: ECDSA P-256."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = subprocess.run(
        [program, "key", "certificate", "--certificate", str(certificate), "--key", str(key), "--name", "localhost"],
        capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode != 0:
        raise BenchError(f"no certificate can be made: {made.stderr.strip()}")
    return certificate, key


class Turnpike(Server):
    """One process of turnpike; the sections of its configuration say what it is."""

    name = "turnpike"

    def __init__(self, cpu, program):
        super().__init__(cpu)
        self.program = program

    def write_config(self, *sections):
        config = self.folder / "turnpike.toml"
        config.touch(mode=0o600)
        config.write_text("\n".join([f"""[turn]
listen = ["udp:{HOST}:{free_port()}"]
realm = "{HOME}"
server_name = "turn.{HOME}"
relay_addresses = ["{HOST}"]
relay_ports = [10000, 32000]
shards = 1
[admin]
socket = "{self.folder / 'admin.sock'}"
[credentials.computed]
secrets = [{{ id = "k1", secret = "a-shared-secret-of-thirty-two-bytes" }}]
""", *sections]))  # fmt: skip

    def home_core(self, port, users):
        """The section [ims], and its database filled."""
        database = self.folder / "subscribers.db"
        rows = "".join(f"{USERS}{i}@{HOME},sip:{USERS}{i}@{HOME},{PASSWORD}\n" for i in range(users))
        (self.folder / "users.csv").write_text("impi,impus,password\n" + rows)
        imported = subprocess.run(
            [self.program, "subscriber", "import", str(self.folder / "users.csv"), "--database", str(database)],
            capture_output=True, text=True,
        )  # fmt: skip
        if imported.returncode != 0:
            raise BenchError(f"the users cannot be imported: {imported.stderr.strip()}")
        return f"""[ims]
listen = ["udp:{HOST}:{port}", "tcp:{HOST}:{port}"]
database = "{database}"
realm = "{HOME}"
"""

    def command(self):
        return [self.program, "serve", "--config", str(self.folder / "turnpike.toml")]


class Core(Turnpike):
    """turnpike's home core in a process of its own, for edges; it is not what is measured."""

    name = "core"

    def __init__(self, cpu, users, program, transport):
        super().__init__(cpu, program)
        self.users, self.transport = users, transport

    def prepare(self):
        self.write_config(self.home_core(self.ready_port, self.users))


class Edge(Turnpike, Registrar):
    """turnpike's eP-CSCF, before a home core in the same process or before `core`.

    `source` is how it provisions, None: not at all.
    """

    name = "turnpike"

    def __init__(self, cpu, users, program, source, certificate=None, core=None, transport="tcp"):
        Registrar.__init__(self, cpu, users, certificate, core)
        self.program, self.source, self.transport = program, source, transport

    def prepare(self):
        sections, core_port, transport = [], free_port(), self.transport
        if self.core:
            core_port, transport = self.core.ready_port, self.core.transport
        else:
            sections.append(self.home_core(core_port, self.users))
        door = f'listen = ["ws:{HOST}:{self.ready_port}"]\nallow_cleartext = true'
        if self.certificate:
            certificate, key = self.certificate
            door = f'listen = ["wss:{HOST}:{self.ready_port}"]\ncertificate = "{certificate}"\nkey = "{key}"'
        mw = free_port()
        self.write_config(*sections, f"""[credentials.pushed]
[credentials.token]
keys = [{{ kid = "k1", key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", alg = "A256GCM" }}]
[epcscf]
{door}
home_domain = "{HOME}"
core = "sip:{HOST}:{core_port};transport={transport}"
core_listen = ["udp:{HOST}:{mw}", "tcp:{HOST}:{mw}"]
reg_event = false
[epcscf.credentials]
sources = [{f'"{self.source}"' if self.source else ''}]
[epcscf.limits]
connections_total = 100000
connections_per_source = 100000
handshakes_per_second_per_source = 1000000
messages_per_second = 1000000
registrations_total = 200000
transactions_total = 200000
idle_timeout_seconds = 3600
""")  # fmt: skip
