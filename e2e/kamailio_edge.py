"""An edge for tests: Debian's Kamailio, unmodified, with e2e/kamailio/edge.cfg, which docs/kamailio.md explains."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import certificates
import world

SCRIPT = pathlib.Path(__file__).resolve().parent / "kamailio" / "edge.cfg"
PASSWORDS = {"alice": "wonder-land-of-alice", "bob": "looking-glass-of-bob"}


class KamailioEdge:
    """`door` is where browsers come; it fetches from the API at `url`, whose certificate `authority` vouches for."""

    def __init__(self, realm, url, authority, key):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="turnpike_e2e_edge_"))
        self.port = world.free_port()
        self.door = f"wss://{world.V4}:{self.port}"
        private_key, self.certificate = certificates.make(self.folder, world.V4)
        shutil.copy(SCRIPT, self.folder)
        passwords = "".join(
            f'    if ($au == "{user}") {{\n        $var(password) = "{password}";\n        return;\n    }}\n'
            for user, password in PASSWORDS.items()
        )
        (self.folder / "edge_site.cfg").write_text(
            f"listen=tls:{world.V4}:{self.port}\n"
            f'#!define REALM "{realm}"\n#!define CERTIFICATE "{self.certificate}"\n'
            f'#!define PRIVATE_KEY "{private_key}"\n#!define API "{url}"\n#!define API_CA "{authority}"\n'
            f'#!define API_KEY "{key}"\nalias="{realm}"\n'
        )
        (self.folder / "edge_users.cfg").write_text(f"route[PASSWORD] {{\n{passwords}    return;\n}}\n")
        self.process = None

    def start(self):
        with open(self.folder / "log", "ab") as output:
            self.process = subprocess.Popen(
                ["/usr/sbin/kamailio", "-f", str(self.folder / "edge.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
                 "-w", str(self.folder), "-Y", str(self.folder)],
                stdout=output, stderr=output, cwd=self.folder, start_new_session=True, preexec_fn=world.end_with_us,
            )  # fmt: skip
        if not world.eventually(lambda: self.process.poll() is not None or self.listens(), 30, 0.1) or self.process.poll():
            raise AssertionError(f"Kamailio does not serve:\n{self.log()[-4000:]}")
        return self

    def listens(self):
        try:
            with socket.create_connection((world.V4, self.port), timeout=0.2):
                return True
        except OSError:
            return False

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def clean_up(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # its workers too
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
