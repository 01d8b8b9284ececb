"""The smallest honest home subscriber server: Diameter Cx over TCP (RFC 6733, TS 29.228, TS 29.229).

It knows subscribers by private identity, with a password for SIP Digest and a set of public identities that are
registered together, and answers what an I-CSCF and an S-CSCF ask: UAR, MAR, SAR and LIR. `withdraw` sends RTR, the
word of the network that a registration has ended. It keeps what was assigned to which S-CSCF, and nothing else.
"""

import hashlib
import socket
import struct
import threading
from xml.sax.saxutils import escape

# RFC 6733 section 4.5 and TS 29.229 section 6.3
USER_NAME, HOST_IP_ADDRESS, AUTH_APPLICATION, VENDOR_APPLICATION, SESSION, ORIGIN_HOST = 1, 257, 258, 260, 263, 264
SUPPORTED_VENDOR, VENDOR, RESULT, PRODUCT, AUTH_STATE, DISCONNECT_CAUSE = 265, 266, 268, 269, 277, 273
DESTINATION_REALM, DESTINATION_HOST, ORIGIN_REALM, EXPERIMENTAL_RESULT, EXPERIMENTAL_CODE = 283, 293, 296, 297, 298
PUBLIC_IDENTITY, SERVER_NAME, CAPABILITIES, USER_DATA, NUMBER_OF_ITEMS, AUTHENTICATION_SCHEME = 601, 602, 603, 606, 607, 608
AUTH_DATA, ITEM_NUMBER, ASSIGNMENT_TYPE, DEREGISTRATION_REASON, REASON_CODE, DIGEST_AUTHENTICATE = 612, 613, 614, 615, 616, 635
AUTHORIZATION_TYPE = 623
DIGEST_REALM, DIGEST_QOP, DIGEST_ALGORITHM, DIGEST_HA1 = 104, 110, 111, 121  # RFC 4740 and RFC 5090, no vendor

CAPABILITIES_EXCHANGE, WATCHDOG, DISCONNECT, UAR, SAR, LIR, MAR, RTR = 257, 280, 282, 300, 301, 302, 303, 304
REQUEST = 0x80
SUCCESS, UNABLE_TO_COMPLY, COMMAND_UNSUPPORTED = 2001, 5012, 3001
FIRST_REGISTRATION, SUBSEQUENT_REGISTRATION = 2001, 2002  # of vendor 3GPP
USER_UNKNOWN, IDENTITIES_DONT_MATCH, NOT_REGISTERED, SCHEME_NOT_SUPPORTED = 5001, 5002, 5003, 5006
CX, THIRD_GENERATION = 16777216, 10415
DEREGISTRATIONS = (4, 5, 6, 7, 8, 9, 10, 11)  # TS 29.229 section 6.3.15, Server-Assignment-Type


def avp(code, value, vendor=0):
    """One attribute: value is text, bytes, a number of 32 bits, or a list of attributes."""
    if isinstance(value, list):
        value = b"".join(value)
    elif isinstance(value, int):
        value = struct.pack("!I", value)
    elif isinstance(value, str):
        value = value.encode()
    flags, head = (0xC0, struct.pack("!I", vendor)) if vendor else (0x40, b"")
    length = 8 + len(head) + len(value)
    return struct.pack("!IB", code, flags) + length.to_bytes(3, "big") + head + value + bytes(-length % 4)


def cx(code, value):
    return avp(code, value, THIRD_GENERATION)


def avps(data):
    """The attributes of a message or a group, by code; the last of a code counts."""
    found = {}
    while len(data) >= 8:
        code, flags = struct.unpack("!IB", data[:5])
        length = int.from_bytes(data[5:8], "big")
        found[code] = data[12 if flags & 0x80 else 8 : length]
        data = data[length + -length % 4 :]
    return found


def message(command, flags, identifiers, attributes, application=CX):
    body = b"".join(attributes)
    return (
        bytes([1]) + (20 + len(body)).to_bytes(3, "big") + bytes([flags]) + command.to_bytes(3, "big")
        + struct.pack("!I", application) + identifiers + body
    )  # fmt: skip


class Subscriber:
    """One private identity and the public identities that are registered with it; the first is the default."""

    def __init__(self, impi, password, impus):
        self.impi, self.password, self.impus = impi, password, list(impus)
        self.server = None  # the S-CSCF that it is registered at

    def profile(self):
        """TS 29.228 annex E: what the S-CSCF is told of the user."""
        identities = "".join(
            f"<PublicIdentity><BarringIndication>0</BarringIndication><Identity>{escape(impu)}</Identity></PublicIdentity>"
            for impu in self.impus
        )
        return (
            f"<?xml version=\"1.0\" encoding=\"UTF-8\"?><IMSSubscription><PrivateID>{escape(self.impi)}</PrivateID>"
            f"<ServiceProfile>{identities}</ServiceProfile></IMSSubscription>"
        )


class HomeSubscriberServer:
    def __init__(self, realm, subscribers, host="127.0.0.1"):
        self.realm, self.host = realm, host
        self.subscribers = {one.impi: one for one in subscribers}
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.peers = {}  # Origin-Host -> socket
        self.asked = []  # (command, private identity, public identity), in order
        self.answers = {UAR: self.authorize, MAR: self.authenticate, SAR: self.assign, LIR: self.locate}
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            while True:
                try:
                    head = stream.read(20)
                    if len(head) < 20:
                        return
                    request = stream.read(int.from_bytes(head[1:4], "big") - 20)
                    answer = self.on_message(connection, head, avps(request))
                    if answer:
                        connection.sendall(answer)
                except OSError:
                    return

    def on_message(self, connection, head, request):
        flags, command = head[4], int.from_bytes(head[5:8], "big")
        if not flags & REQUEST:
            return None  # the answer to our RTR
        application = int.from_bytes(head[8:12], "big")
        identity = [avp(ORIGIN_HOST, self.host), avp(ORIGIN_REALM, self.realm)]
        if command == CAPABILITIES_EXCHANGE:
            with self.lock:
                self.peers[request[ORIGIN_HOST].decode()] = connection
            said = [avp(RESULT, SUCCESS), *identity, *self.capabilities()]
        elif command in (WATCHDOG, DISCONNECT):
            said = [avp(RESULT, SUCCESS), *identity]
        else:
            said = [avp(SESSION, request[SESSION]), *cx_application(), avp(AUTH_STATE, 1), *identity]
            said += self.answer(command, request)
        return message(command, flags & 0x40, head[12:20], said, application)

    def capabilities(self):
        address = struct.pack("!H", 1) + socket.inet_aton(self.host)
        return [
            avp(HOST_IP_ADDRESS, address), avp(VENDOR, THIRD_GENERATION), avp(PRODUCT, "hss"),
            avp(SUPPORTED_VENDOR, THIRD_GENERATION), *cx_application(),
        ]  # fmt: skip

    def answer(self, command, request):
        if command not in self.answers:
            return [avp(RESULT, COMMAND_UNSUPPORTED)]
        impi = request.get(USER_NAME, b"").decode()
        impu = request.get(PUBLIC_IDENTITY, b"").decode()
        with self.lock:
            self.asked.append((command, impi, impu))
            return self.answers[command](impi, impu, request)

    def found(self, impi, impu):
        """(subscriber, None), or (None, why not)."""
        subscriber = self.subscribers.get(impi)
        if subscriber is None:
            return None, refusal(USER_UNKNOWN)
        if impu not in subscriber.impus:
            return None, refusal(IDENTITIES_DONT_MATCH)
        return subscriber, None

    def authorize(self, impi, impu, request):
        """UAR: may this user register, and is there an S-CSCF already?"""
        subscriber, refused = self.found(impi, impu)
        if refused:
            return refused
        if subscriber.server:
            return [experimental(SUBSEQUENT_REGISTRATION), cx(SERVER_NAME, subscriber.server)]
        if int.from_bytes(request.get(AUTHORIZATION_TYPE, b"\0"), "big") == 1:
            return refusal(NOT_REGISTERED)
        return [experimental(FIRST_REGISTRATION), cx(CAPABILITIES, [cx(604, 0)])]  # Mandatory-Capability 0

    def authenticate(self, impi, impu, request):
        """MAR: what the S-CSCF checks the password with."""
        subscriber, refused = self.found(impi, impu)
        if refused:
            return refused
        scheme = avps(request.get(AUTH_DATA, b"")).get(AUTHENTICATION_SCHEME, b"").decode()
        if scheme != "SIP Digest":
            return [*refusal(SCHEME_NOT_SUPPORTED), avp(USER_NAME, impi), cx(PUBLIC_IDENTITY, impu)]
        ha1 = hashlib.md5(f"{impi}:{self.realm}:{subscriber.password}".encode()).hexdigest()
        digest = [avp(DIGEST_REALM, self.realm), avp(DIGEST_ALGORITHM, "MD5"), avp(DIGEST_QOP, "auth"), avp(DIGEST_HA1, ha1)]
        item = [cx(ITEM_NUMBER, 1), cx(AUTHENTICATION_SCHEME, "SIP Digest"), cx(DIGEST_AUTHENTICATE, digest)]
        return [avp(RESULT, SUCCESS), avp(USER_NAME, impi), cx(PUBLIC_IDENTITY, impu), cx(NUMBER_OF_ITEMS, 1), cx(AUTH_DATA, item)]

    def assign(self, impi, impu, request):
        """SAR: the S-CSCF takes the user, or lets go."""
        subscriber = self.subscribers.get(impi) or self.owner(impu)
        if subscriber is None:
            return refusal(USER_UNKNOWN)
        if int.from_bytes(request[ASSIGNMENT_TYPE], "big") in DEREGISTRATIONS:
            subscriber.server = None
            return [avp(RESULT, SUCCESS), avp(USER_NAME, subscriber.impi)]
        subscriber.server = request[SERVER_NAME].decode()
        return [avp(RESULT, SUCCESS), avp(USER_NAME, subscriber.impi), cx(USER_DATA, subscriber.profile())]

    def locate(self, _, impu, request):
        """LIR: which S-CSCF serves this public identity?"""
        subscriber = self.owner(impu)
        if subscriber is None:
            return refusal(USER_UNKNOWN)
        if subscriber.server is None:
            return refusal(NOT_REGISTERED)
        return [avp(RESULT, SUCCESS), cx(SERVER_NAME, subscriber.server)]

    def owner(self, impu):
        return next((one for one in self.subscribers.values() if impu in one.impus), None)

    def withdraw(self, peer, impi, reason="withdrawn"):
        """RTR to a connected S-CSCF: the registration of this user has ended, by the word of the network."""
        with self.lock:
            subscriber, connection = self.subscribers[impi], self.peers[peer]
            subscriber.server = None
        said = [
            avp(SESSION, f"{self.host};1;{len(self.asked)}"), *cx_application(), avp(AUTH_STATE, 1),
            avp(ORIGIN_HOST, self.host), avp(ORIGIN_REALM, self.realm), avp(DESTINATION_HOST, peer),
            avp(DESTINATION_REALM, self.realm), avp(USER_NAME, impi),
            *(cx(PUBLIC_IDENTITY, impu) for impu in subscriber.impus),
            cx(DEREGISTRATION_REASON, [cx(REASON_CODE, 0), cx(616 + 1, reason)]),
        ]  # fmt: skip
        connection.sendall(message(RTR, REQUEST | 0x40, struct.pack("!II", 1, 1), said))

    def close(self):
        self.listener.close()
        with self.lock:
            for connection in self.peers.values():
                connection.close()


def cx_application():
    return [avp(VENDOR_APPLICATION, [avp(VENDOR, THIRD_GENERATION), avp(AUTH_APPLICATION, CX)])]


def experimental(code):
    return avp(EXPERIMENTAL_RESULT, [avp(VENDOR, THIRD_GENERATION), avp(EXPERIMENTAL_CODE, code)])


def refusal(code):
    return [experimental(code)]
