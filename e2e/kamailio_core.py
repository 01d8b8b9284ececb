"""A home network for tests: Debian's Kamailio, unmodified, as I-CSCF and S-CSCF, and the HSS of hss.py.

The routing scripts are those of e2e/kamailio, which docs/kamailio.md explains to operators; only the files that say
where things listen are written here.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import hss
import world

SCRIPTS = pathlib.Path(__file__).resolve().parent / "kamailio"
REALM = "ims.example"

DIAMETER = """<?xml version="1.0" encoding="UTF-8"?>
<DiameterPeer FQDN="{fqdn}" Realm="{realm}" Vendor_Id="10415" Product_Name="{fqdn}" AcceptUnknownPeers="0"
  DropUnknownOnDisconnect="1" Tc="2" Workers="2" QueueLength="32" TransactionTimeout="5" SessionsHashSize="128"
  DefaultAuthSessionTimeout="3600" MaxAuthSessionTimeout="3600">
  <Peer FQDN="{hss_host}" Realm="{realm}" port="{hss_port}"/>
  <Auth id="16777216" vendor="10415"/>
  <SupportedVendor vendor="10415"/>
  <DefaultRoute FQDN="{hss_host}" metric="10"/>
</DiameterPeer>
"""

# db_text tables of ims_icscf: its S-CSCFs, what each is able to do, and the networks that it trusts.
TABLES = {
    "version": "table_name(string) table_version(int)\ns_cscf:6\ns_cscf_capabilities:6\nnds_trusted_domains:6\n",
    "s_cscf": "id(int,auto) name(string) s_cscf_uri(string)\n1:scscf:{scscf}\n",
    "s_cscf_capabilities": "id(int,auto) id_s_cscf(int) capability(int)\n1:1:0\n",
    "nds_trusted_domains": "id(int,auto) trusted_domain(string)\n1:{realm}\n",
}


class KamailioCore:
    """`uri` is what an eP-CSCF is given as its core, the I-CSCF's; the S-CSCF speaks from an address of its own. `edge` is the one
    address that both CSCFs believe, but for each other's."""

    def __init__(self, subscribers, edge=world.V4):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="turnpike_e2e_core_"))
        self.hss = hss.HomeSubscriberServer(REALM, subscribers)
        self.icscf_host, self.scscf_host = world.V4, "127.0.0.2"
        self.nodes = "|".join(map(re.escape, {edge, self.icscf_host, self.scscf_host}))
        self.icscf_port, self.scscf_port = world.free_port(), world.free_port()
        self.uri = f"sip:{world.V4}:{self.icscf_port}"
        self.scscf = f"sip:{self.scscf_host}:{self.scscf_port}"
        self.processes = {}

    def places(self):
        return (("icscf", self.icscf_host, self.icscf_port), ("scscf", self.scscf_host, self.scscf_port))

    def write_files(self):
        for name, host, port in self.places():
            shutil.copy(SCRIPTS / f"{name}.cfg", self.folder)
            (self.folder / f"{name}_site.cfg").write_text(
                f"listen=udp:{host}:{port}\nlisten=tcp:{host}:{port}\nalias=\"{REALM}\"\n"
                f'#!define REALM "{REALM}"\n#!define NODES "^({self.nodes})$"\n'
                f'#!define SCSCF "{self.scscf}"\n#!define ICSCF "{self.uri}"\n'
                f'#!define DIAMETER "{self.folder}/{name}.xml"\n#!define TABLES "text://{self.folder}/tables"\n'
            )
            diameter = DIAMETER.format(
                fqdn=f"{name}.{REALM}", realm=REALM, hss_host=self.hss.host, hss_port=self.hss.port
            )
            (self.folder / f"{name}.xml").write_text(diameter)
        (self.folder / "tables").mkdir()
        for name, text in TABLES.items():
            row = text.format(scscf=self.scscf.replace(":", "\\:"), realm=REALM)
            (self.folder / "tables" / name).write_text(row)

    def start(self):
        self.write_files()
        for name in ("icscf", "scscf"):
            with open(self.folder / f"{name}.log", "ab") as output:
                self.processes[name] = subprocess.Popen(
                    ["/usr/sbin/kamailio", "-f", str(self.folder / f"{name}.cfg"), "-DD", "-E", "-m", "64", "-M", "8",
                     "-w", str(self.folder), "-Y", str(self.folder)],
                    stdout=output, stderr=output, cwd=self.folder, start_new_session=True, preexec_fn=world.end_with_us,
                )  # fmt: skip
        if not world.eventually(lambda: self.ended() or self.ready(), 30, 0.1) or self.ended():
            raise AssertionError(f"Kamailio does not serve:\n{self.log()[-4000:]}")
        return self

    def ended(self):
        return [name for name, process in self.processes.items() if process.poll() is not None]

    def ready(self):
        """Both have presented themselves to the HSS, and answer."""
        return len(self.hss.peers) == 2 and all(answers(*place) for _, *place in self.places())

    def log(self):
        return "".join((self.folder / f"{name}.log").read_text(errors="replace") for name in self.processes)

    def withdraw(self, impi):
        self.hss.withdraw(f"scscf.{REALM}", impi)

    def clean_up(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its workers too
                process.wait()
        self.hss.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def answers(host, port):
    """One OPTIONS over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect((host, port))
        here = client.getsockname()[1]
        try:
            client.send(
                f"OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {world.V4}:{here};branch=z9hG4bKready\r\n"
                f"From: <sip:ready@{world.V4}>;tag=r\r\nTo: <sip:{host}:{port}>\r\nCall-ID: ready-{here}\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
            )
            return client.recv(4096).startswith(b"SIP/2.0 200")
        except OSError:
            return False
