"""SIP for the end-to-end tests: messages, SIP Digest, and an agent whose every step the test spells out.

An agent sends what it is told to and waits for what it is told to wait for; it answers nothing of its own accord. It
speaks over a transport, which is the UDP socket of an edge (`Edge`) or a WebSocket (`websocket.WebSocket`).
"""

import hashlib
import secrets
import socket
import time

import world

SECONDS = 10.0


class Message:
    """A request or a response: its first line, headers in their order, and a body (text)."""

    def __init__(self, first, headers=(), body=""):
        self.first, self.fields, self.body = first, list(headers), body

    @property
    def status(self):
        """The code of a response; 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def method(self):
        """Of a request, or of the request that a response answers."""
        return self.header("CSeq").split()[1] if self.status else self.first.split()[0]

    @property
    def uri(self):
        return self.first.split()[1]

    def headers(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def header(self, name, default=None):
        return next(iter(self.headers(name)), default)

    def text(self):
        lines = [self.first, *(f"{name}: {value}" for name, value in self.fields)]
        lines.append(f"Content-Length: {len(self.body.encode())}")
        return "\r\n".join(lines) + "\r\n\r\n" + self.body

    def __str__(self):
        return self.text()


LONG_NAMES = {
    "v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "l": "Content-Length", "c": "Content-Type",
    "k": "Supported", "o": "Event", "e": "Content-Encoding", "s": "Subject",
}  # fmt: skip


def parse(data):
    """A message; ValueError when it is none. Folded lines are not understood, for no peer sends them."""
    head, _, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"no header: {line!r}")
        name = LONG_NAMES.get(name.strip().lower(), name.strip())
        if name.lower() != "content-length":
            fields.append((name, value.strip()))
    return Message(first, fields, body)


def parameters(value):
    """The name=value pairs of a Digest challenge, without quotes."""
    _, _, rest = value.partition(" ")
    pairs = (pair.partition("=") for pair in split_outside_quotes(rest))
    return {name.strip().lower(): word.strip().strip('"') for name, _, word in pairs}


def split_outside_quotes(text, separator=","):
    parts, quoted = [""], False
    for character in text:
        quoted ^= character == '"'
        if character == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def bearer(token, bare=False):
    """The Authorization that shows a token: as TS 24.371 spells it, or, bare, RFC 8898."""
    return f"Bearer {token}" if bare else f'Bearer access_token="{token}"'


def digest(challenge, username, password, method, uri):
    """The Authorization that answers a challenge: RFC 2617 with qop=auth, and SHA-256 of RFC 8760; with AKA's password, AKA."""
    said = parameters(challenge)
    function = hashlib.sha256 if said.get("algorithm", "MD5").upper().endswith("SHA-256") else hashlib.md5
    hexed = lambda text: function(text.encode()).hexdigest()  # noqa: E731
    cnonce = secrets.token_hex(8)
    secret = hexed(f"{username}:{said['realm']}:{password}")
    response = hexed(f"{secret}:{said['nonce']}:00000001:{cnonce}:auth:" + hexed(f"{method}:{uri}"))
    return (
        f'Digest username="{username}", realm="{said["realm"]}", nonce="{said["nonce"]}", uri="{uri}", '
        f'response="{response}", algorithm={said.get("algorithm", "MD5")}, qop=auth, nc=00000001, cnonce="{cnonce}"'
    )


class Edge:
    """The UDP socket of an edge: what it sends goes to one core."""

    def __init__(self, core, host=world.V4):
        self.core = core  # (host, port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = self.socket.getsockname()
        self.via = f"SIP/2.0/UDP {self.host}:{self.port}"
        self.contact_host = f"{secrets.token_hex(6)}.invalid;transport=ws"

    def send(self, text):
        self.socket.sendto(text.encode(), self.core)

    def receive(self, seconds):
        self.socket.settimeout(max(seconds, 0.001))
        try:
            return self.socket.recv(65535)
        except TimeoutError:
            return None

    def close(self):
        self.socket.close()


class Agent:
    """One user: `extra` are the headers that its edge adds to each REGISTER, `route` is what the core answered."""

    def __init__(self, transport, user, password="", realm="ims.example", impi=None):
        self.transport, self.user, self.password, self.realm = transport, user, password, realm
        self.impi = impi or f"{user}@{realm}"
        self.aor = f"sip:{user}@{realm}"
        self.contact = f"<sip:{user}@{transport.contact_host}>"
        self.instance = f"<urn:uuid:{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}>"
        self.call_id, self.cseq = secrets.token_hex(8), 0
        self.route = []
        self.seen = []  # what has come and was not waited for

    def send(self, message):
        self.transport.send(message.text())
        return message

    def request(self, method, uri, *headers, to=None, call_id=None, from_tag=None, cseq=None, body=""):
        """A request that is not sent yet; headers are pairs."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        fields = [
            ("Via", f"{self.transport.via};branch=z9hG4bK{secrets.token_hex(8)};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{self.aor}>;tag={from_tag or secrets.token_hex(4)}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or secrets.token_hex(8)),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ]
        return Message(f"{method} {uri} SIP/2.0", fields, body)

    def wait(self, wanted, seconds=SECONDS):
        """The first message, of those that came and those that come, that `wanted` is true of."""
        deadline = time.monotonic() + seconds
        while True:
            for message in self.seen:
                if wanted(message):
                    self.seen.remove(message)
                    return message
            left = deadline - time.monotonic()
            data = self.transport.receive(left) if left > 0 else None
            if data is None:
                seen = "\n".join(message.first for message in self.seen)
                raise AssertionError(f"{self.user} waits in vain; what came:\n{seen}")
            self.seen.append(parse(data))

    def final(self, request, seconds=SECONDS):
        """The final response to a request of ours."""
        cseq, call_id = request.header("CSeq"), request.header("Call-ID")
        answers = lambda m: m.status >= 200 and (m.header("CSeq"), m.header("Call-ID")) == (cseq, call_id)  # noqa: E731
        return self.wait(answers, seconds)

    def ask(self, method, uri, *headers, seconds=SECONDS, **more):
        return self.final(self.send(self.request(method, uri, *headers, **more)), seconds)

    def arrived(self, method, seconds=SECONDS):
        """The next request with this method."""
        return self.wait(lambda m: not m.status and m.method == method, seconds)

    def register(self, *headers, expires=600, authorization=None):
        """One REGISTER and its final response."""
        if authorization:
            headers = (*headers, ("Authorization", authorization))
        contact = f'{self.contact};reg-id=1;+sip.instance="{self.instance}"'
        answer = self.ask(
            "REGISTER", f"sip:{self.realm}", ("Contact", contact), ("Expires", str(expires)),
            ("Supported", "path, outbound, gruu"), *headers, to=f"<{self.aor}>", call_id=self.call_id,
        )  # fmt: skip
        if answer.status == 200:
            self.route = [one.strip() for line in answer.headers("Service-Route") for one in split_outside_quotes(line)]
        return answer

    def register_by_digest(self, *headers, expires=600, attempts=3):
        """Both REGISTERs: (the challenge, the final response to the second), which is None without a challenge.

        A second challenge is answered too: Kamailio sends its 401 before it has stored the nonce, and so may not know
        the nonce yet that comes back at once.
        """
        challenged = answer = self.register(*headers, expires=expires)
        while answer.status == 401 and attempts:
            attempts -= 1
            authorization = digest(answer.header("WWW-Authenticate"), self.impi, self.password, "REGISTER", f"sip:{self.realm}")
            answer = self.register(*headers, expires=expires, authorization=authorization)
        return challenged, answer if answer is not challenged else None

    def answer(self, request, status, reason, *headers, tag="answered", body=""):
        """Responds to a request that arrived."""
        kept = [(name, value) for name, value in request.fields if name.lower() in ("via", "call-id", "cseq", "from", "record-route")]
        to = request.header("To")
        kept.append(("To", to if ";tag=" in to else f"{to};tag={tag}"))
        return self.send(Message(f"SIP/2.0 {status} {reason}", [*kept, *headers], body))

    def invite(self, callee, *headers, body=""):
        """An INVITE on its way, by the route that the registration gave. The test goes on with `final`."""
        routes = [("Route", route) for route in self.route]
        content = [("Content-Type", "application/sdp")] if body else []
        return self.send(self.request("INVITE", callee, *routes, ("Contact", self.contact), *content, *headers, body=body))

    def in_dialog(self, method, invite, answer, *headers, cseq=None, body=""):
        """A request of the caller inside the dialog that `answer` made; not sent yet."""
        # RFC 3261 section 12.1.2: the caller takes the recorded route in reverse.
        routes = [one.strip() for line in answer.headers("Record-Route") for one in split_outside_quotes(line)]
        target = answer.header("Contact").partition("<")[2].partition(">")[0]
        fields = [("Route", route) for route in reversed(routes)]
        return self.request(
            method, target, *fields, *headers, to=answer.header("To"), call_id=invite.header("Call-ID"),
            from_tag=invite.header("From").partition(";tag=")[2], cseq=cseq, body=body,
        )  # fmt: skip

    def acknowledge(self, invite, answer):
        """ACK of a 2xx."""
        return self.send(self.in_dialog("ACK", invite, answer, cseq=int(invite.header("CSeq").split()[0])))
