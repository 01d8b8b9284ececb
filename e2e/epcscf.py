"""turnpike as relay and eP-CSCF in one process, in front of a home core of its own or of another, and WICs for it;
and as a home core alone."""

import certificates
import kamailio_core
import sip
import websocket
import world

REALM = kamailio_core.REALM
PASSWORDS = {"alice": "wonder land", "bob": "looking-glass"}  # of the home core's subscribers


class EpCscf(world.Turnpike):
    """`core` is the SIP URI of an I-CSCF; None: the home core in the same process, which knows PASSWORDS.

    `trusted_core` are other addresses that speak for it. `origins` are those of pages that may connect; `sources` say where
    credentials come from. `more` sections of the
    configuration replace these. Without a relay, the sections say what the relays elsewhere are. The home core has
    `passwords` as its subscribers.
    """

    def __init__(self, core=None, origins=(), sources=("computed",), passwords=PASSWORDS, trusted_core=(), **more):
        super().__init__(hosts=(world.V4,), **more)
        self.trusted_core = list(trusted_core)
        self.core, self.origins, self.sources, self.passwords = core, list(origins), sources, passwords
        self.key, self.certificate = certificates.make(self.folder, "localhost", world.V4)
        self.door_port, self.mw_port, self.core_port = (world.free_port() for _ in range(3))
        self.door = f"wss://{world.V4}:{self.door_port}/"
        self.own_host = f"{world.V4}:{self.mw_port}"
        self.database = self.folder / "subscribers.db"
        self.sections = {**self.edge_sections(), **self.sections}
        self.write_config()

    def edge_sections(self):
        quoted = lambda words: ", ".join(map(world.toml_text, words))  # noqa: E731
        edge = [
            f'listen = ["wss:{world.V4}:{self.door_port}"]', f'certificate = "{self.certificate}"', f'key = "{self.key}"',
            f'core_listen = ["udp:{self.own_host}", "tcp:{self.own_host}"]', f'home_domain = "{REALM}"',
            f"origins = [{quoted(self.origins)}]",
        ]  # fmt: skip
        uris = f'uris = ["{self.uri()}?transport=udp"]' if self.has_relay else ""
        sections = {"epcscf.credentials": f"sources = [{quoted(self.sources)}]\n{uris}"}
        if self.core:
            edge.append(f'core = "{self.core}"\ntrusted_core = [{quoted(self.trusted_core)}]')
        else:
            home = f"{world.V4}:{self.core_port}"
            sections["ims"] = f'listen = ["udp:{home}", "tcp:{home}"]\ndatabase = "{self.database}"\nrealm = "{REALM}"'
        return {"epcscf": "\n".join(edge), **sections}

    def start(self):
        if not self.core:
            add_subscribers(self.folder, self.database, self.passwords)
        return super().start()

    def answers(self, host=world.V4):
        return self.is_ready() and super().answers(host)  # the relay answers before the door is open

    def socket(self, **more):
        return websocket.WebSocket(self.door, **more)

    def wic(self, user, password=None, **more):
        """A WIC of the test: a sip.Agent on a WebSocket of its own."""
        return sip.Agent(self.socket(**more), user, PASSWORDS.get(user, "") if password is None else password, REALM)


class HomeCore(world.Turnpike):
    """The home core in a process of its own; it knows PASSWORDS."""

    def __init__(self):
        super().__init__(hosts=(world.V4,), has_relay=False)
        place = f"{world.V4}:{world.free_port()}"
        self.uri = f"sip:{place}"
        self.database = self.folder / "subscribers.db"
        self.sections["ims"] = (
            f'listen = ["udp:{place}", "tcp:{place}"]\ndatabase = "{self.database}"\nrealm = "{REALM}"'
        )
        self.write_config()

    def start(self):
        add_subscribers(self.folder, self.database)
        return super().start()


def add_subscribers(folder, database, passwords=PASSWORDS):
    rows = [f"{user}@{REALM},{password}" for user, password in passwords.items()]
    table = folder / "subscribers.csv"
    table.write_text("\n".join(["impi,password", *rows, ""]))
    added = world.turnpike("subscriber", "import", table, "--database", database)
    if added.status:
        raise AssertionError(f"no subscribers: {added}")
