"""A home core that the test plays itself, message by message: one UDP socket."""

import socket

import sip
import world


class PlayedCore:
    def __init__(self, host=world.V4):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = self.socket.getsockname()
        self.uri = f"sip:{self.host}:{self.port}"
        self.edge = None  # where the last message came from

    def start(self):
        return self

    def received(self, method, call_id=None, seconds=sip.SECONDS):
        """The next request with this method, of this call; others are passed over. AssertionError when none comes."""
        deadline = world.time.monotonic() + seconds
        while (left := deadline - world.time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, self.edge = self.socket.recvfrom(65535)
            except TimeoutError:
                break
            message = sip.parse(data)
            if not message.status and message.method == method and call_id in (None, message.header("Call-ID")):
                return message
        raise AssertionError(f"the core waits in vain for {method}")

    def hears_nothing(self, method, call_id, seconds=0.5):
        try:
            self.received(method, call_id, seconds)
        except AssertionError:
            return True
        return False

    def send(self, message, to=None):
        self.socket.sendto(message.text().encode(), to or self.edge)

    def answer(self, request, status, reason, *headers, body=""):
        kept = [(name, value) for name, value in request.fields if name.lower() in ("via", "call-id", "cseq", "from", "record-route")]
        to = request.header("To")
        kept.append(("To", to if ";tag=" in to else f"{to};tag=core"))
        self.send(sip.Message(f"SIP/2.0 {status} {reason}", [*kept, *headers], body))

    def accept(self, request, *headers, expires=600):
        """200 OK to a REGISTER as an S-CSCF gives it."""
        user = request.header("To").partition("<")[2].partition(">")[0]
        contact = request.header("Contact").partition(";expires=")[0]
        self.answer(
            request, 200, "OK", ("Contact", f"{contact};expires={expires}"), ("Path", request.header("Path", "")),
            ("Service-Route", f"<sip:orig@{self.host}:{self.port};lr>"), ("P-Associated-URI", f"<{user}>"), *headers,
        )  # fmt: skip

    def clean_up(self):
        self.socket.close()
