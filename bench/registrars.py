"""Starts and stops the two SIP servers of bench/registration_vs_kamailio, each on one core and on fresh ports."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from free_port import free_port  # noqa: E402

HOST = "127.0.0.1"
HOME = "ims.example"
PASSWORD = "correct-horse-battery"
USERS = "load"
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


class Registrar:
    name = ""
    start_seconds = 60  # the database of ten thousand users takes its time

    def __init__(self, cpu, users):
        self.cpu = cpu
        self.users = users
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"bench_{self.name}_"))
        self.process = None

    @property
    def uri(self):
        return f"ws://{HOST}:{self.port}"

    def prepare(self):
        pass

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
                socket.create_connection((HOST, self.port), 0.2).close()
                return
            except OSError:
                time.sleep(0.05)
        output = (self.folder / "output").read_text(errors="replace").strip()
        raise BenchError(f"{self.name} does not listen on port {self.port}: {output[-500:]}")

    def pids(self):
        return children_of(self.process.pid)


class Kamailio(Registrar):
    """Debian's, as a registrar: pv_www_authenticate, usrloc in memory, one worker for WebSockets."""

    name = "kamailio"

    def prepare(self):
        text = SCRIPT.read_text().replace("127.0.0.1:PORT", f"{HOST}:{self.port}").replace('"PASSWORD"', f'"{PASSWORD}"')
        (self.folder / "registrar.cfg").write_text(text)

    def command(self):
        return ["/usr/sbin/kamailio", "-f", str(self.folder / "registrar.cfg"), "-DD", "-E", "-m", "512", "-M", "64",
                "-Y", str(self.folder), "-P", str(self.folder / "pid")]  # fmt: skip


class Edge(Registrar):
    """turnpike: eP-CSCF and home core in one process. `source` is how it provisions, None: not at all."""

    name = "turnpike"

    def __init__(self, cpu, users, program, source):
        super().__init__(cpu, users)
        self.program = program
        self.source = source

    def prepare(self):
        database = self.folder / "subscribers.db"
        rows = "".join(f"{USERS}{i}@{HOME},sip:{USERS}{i}@{HOME},{PASSWORD}\n" for i in range(self.users))
        (self.folder / "users.csv").write_text("impi,impus,password\n" + rows)
        imported = subprocess.run(
            [self.program, "subscriber", "import", str(self.folder / "users.csv"), "--database", str(database)],
            capture_output=True, text=True,
        )  # fmt: skip
        if imported.returncode != 0:
            raise BenchError(f"the users cannot be imported: {imported.stderr.strip()}")
        core = free_port()
        relay = free_port()
        sources = f'sources = ["{self.source}"]' if self.source else "sources = []"
        config = self.folder / "turnpike.toml"
        config.touch(mode=0o600)
        config.write_text(f"""
[turn]
listen = ["udp:{HOST}:{relay}"]
realm = "{HOME}"
server_name = "turn.{HOME}"
relay_addresses = ["{HOST}"]
relay_ports = [10000, 32000]
shards = 1
[credentials.computed]
secrets = [{{ id = "k1", secret = "a-shared-secret-of-thirty-two-bytes" }}]
[credentials.pushed]
[credentials.token]
keys = [{{ kid = "k1", key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", alg = "A256GCM" }}]
[admin]
socket = "{self.folder / 'admin.sock'}"
[epcscf]
listen = ["ws:{HOST}:{self.port}"]
allow_cleartext = true
home_domain = "{HOME}"
core = "sip:{HOST}:{core}"
reg_event = false
[epcscf.credentials]
{sources}
[epcscf.limits]
connections_total = 100000
connections_per_source = 100000
handshakes_per_second_per_source = 1000000
messages_per_second = 1000000
registrations_total = 200000
transactions_total = 200000
idle_timeout_seconds = 3600
[ims]
listen = ["udp:{HOST}:{core}"]
database = "{database}"
realm = "{HOME}"
""")

    def command(self):
        return [self.program, "serve", "--config", str(self.folder / "turnpike.toml")]
