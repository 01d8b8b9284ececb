"""A small TURN client (RFC 8656 over UDP), written for these tests from the RFC and nothing of ours."""

import hashlib
import hmac
import secrets
import socket
import struct
import time

COOKIE = 0x2112A442
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
REQUEST, INDICATION, SUCCESS, ERROR = 0x000, 0x010, 0x100, 0x110

USERNAME, MESSAGE_INTEGRITY, ERROR_CODE, CHANNEL_NUMBER, LIFETIME = 0x0006, 0x0008, 0x0009, 0x000C, 0x000D
XOR_PEER_ADDRESS, DATA_VALUE, REALM, NONCE, XOR_RELAYED_ADDRESS = 0x0012, 0x0013, 0x0014, 0x0015, 0x0016
REQUESTED_TRANSPORT, PASSWORD_ALGORITHM, PASSWORD_ALGORITHMS, ACCESS_TOKEN = 0x0019, 0x001D, 0x8002, 0x001B
SOFTWARE, THIRD_PARTY_AUTHORIZATION, ADDITIONAL_ADDRESS_FAMILY = 0x8022, 0x802E, 0x8000
UDP = bytes([17, 0, 0, 0])
MD5_ALGORITHM = struct.pack("!HH", 1, 0)


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def message_type(method, kind):
    return (method & 0xF80) << 2 | (method & 0x070) << 1 | (method & 0x00F) | kind


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def encode(method, kind, attributes=(), key=None, transaction=None):
    body = b"".join(attribute(name, value) for name, value in attributes)
    transaction = transaction or secrets.token_bytes(12)
    size = len(body) + (24 if key is not None else 0)
    message = struct.pack("!HHI", message_type(method, kind), size, COOKIE) + transaction + body
    if key is None:
        return message
    return message + attribute(MESSAGE_INTEGRITY, hmac.new(key, message, hashlib.sha1).digest())


def allocate_request():
    return encode(ALLOCATE, REQUEST, [(REQUESTED_TRANSPORT, UDP)])


class Message:
    def __init__(self, data):
        self.kind, size, cookie = struct.unpack_from("!HHI", data)
        if cookie != COOKIE or size + 20 != len(data):
            raise ValueError("not a STUN message")
        self.transaction = data[8:20]
        self.attributes = {}  # of several with one name, the first
        self.relayed = []
        at = 20
        while at + 4 <= len(data):
            name, length = struct.unpack_from("!HH", data, at)
            value = data[at + 4 : at + 4 + length]
            self.attributes.setdefault(name, value)
            if name == XOR_RELAYED_ADDRESS:
                self.relayed.append(self.address_in(value))
            at += 4 + length + (-length % 4)

    def text(self, name):
        value = self.attributes.get(name)
        return None if value is None else value.decode(errors="replace")

    def error(self):
        value = self.attributes.get(ERROR_CODE)
        return None if value is None else (value[2] & 7) * 100 + value[3]

    def number(self, name):
        return struct.unpack("!I", self.attributes[name])[0]

    def address_in(self, value):
        mask = struct.pack("!I", COOKIE) + self.transaction
        packed = bytes(one ^ other for one, other in zip(value[4:], mask))
        host = socket.inet_ntop(socket.AF_INET if value[1] == 1 else socket.AF_INET6, packed)
        return host, struct.unpack_from("!H", value, 2)[0] ^ (COOKIE >> 16)


def xor_address(host, port, transaction):
    packed = socket.inet_pton(family_of(host), host)
    mask = struct.pack("!I", COOKIE) + transaction
    family = 1 if len(packed) == 4 else 2
    return struct.pack("!BBH", 0, family, port ^ (COOKIE >> 16)) + bytes(a ^ b for a, b in zip(packed, mask))


def decode(data):
    try:
        return Message(data)
    except (ValueError, struct.error):
        return None


def ask(server, request, timeout=1.0):
    """The answer to one request from a fresh socket, or None."""
    with socket.socket(family_of(server[0]), socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect(server)
        try:
            client.send(request)
            return decode(client.recv(65536))
        except OSError:
            return None


def long_term_key(username, realm, password):
    return hashlib.md5(f"{username}:{realm}:{password}".encode()).digest()


class Refused(Exception):
    def __init__(self, code):
        super().__init__(f"refused with {code}")
        self.code = code


class Client:
    """One allocation, with a long-term credential and one channel to one peer."""

    channel = 0x4001

    def __init__(self, server, username, password, realm=None):
        self.username, self.password, self.asked_realm = username, password, realm
        self.realm = self.nonce = self.key = None
        self.relayed = []
        self.algorithms = []
        self.socket = socket.socket(family_of(server[0]), socket.SOCK_DGRAM)
        self.socket.settimeout(1.0)
        self.socket.connect(server)

    def close(self):
        self.socket.close()

    def allocate(self, *more, lifetime=600):
        return self.request(ALLOCATE, [(REQUESTED_TRANSPORT, UDP), (LIFETIME, struct.pack("!I", lifetime)), *more])

    def refresh(self, lifetime=600):
        return self.request(REFRESH, [(LIFETIME, struct.pack("!I", lifetime))])

    def permit(self, peer):
        return self.request(CREATE_PERMISSION, peer=peer)

    def bind(self, peer):
        return self.request(CHANNEL_BIND, [(CHANNEL_NUMBER, struct.pack("!HH", self.channel, 0))], peer=peer)

    def request(self, method, attributes=(), peer=None):
        """The success answer; a refusal is raised. Answers the challenges of the server on the way."""
        for _ in range(3):
            answer = self._exchange(method, attributes, peer)
            if answer.error() not in (401, 438) or (answer.error() == 401 and self.key is not None):
                break
            self._take_challenge(answer)
        if answer.error() is not None:
            raise Refused(answer.error())
        self.relayed = answer.relayed or self.relayed
        return answer

    def _take_challenge(self, answer):
        self.realm, self.nonce = self.asked_realm or answer.text(REALM), answer.attributes[NONCE]
        self.algorithms = []
        if PASSWORD_ALGORITHMS in answer.attributes:
            self.algorithms = [(PASSWORD_ALGORITHMS, answer.attributes[PASSWORD_ALGORITHMS])]
            self.algorithms.append((PASSWORD_ALGORITHM, MD5_ALGORITHM))
        self.key = self.make_key()

    def make_key(self):
        return long_term_key(self.username, self.realm, self.password)

    def shown_with(self, method):
        """What a request shows before the username."""
        return []

    def _exchange(self, method, attributes, peer):
        transaction = secrets.token_bytes(12)
        shown = list(attributes)
        if peer is not None:
            shown.append((XOR_PEER_ADDRESS, xor_address(*peer, transaction)))
        if self.key is not None:
            shown += self.shown_with(method)
            shown += [(USERNAME, self.username.encode()), (REALM, self.realm.encode()), (NONCE, self.nonce)]
            shown += self.algorithms
        request = encode(method, REQUEST, shown, self.key, transaction)
        for wait in (0.5, 1, 2, 2):
            self.socket.send(request)
            answer = self._wait_for(transaction, wait)
            if answer is not None:
                return answer
        raise TimeoutError(f"no answer to method {method}")

    def _wait_for(self, transaction, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                answer = decode(self.socket.recv(65536))
            except TimeoutError:
                return None
            if answer is not None and answer.transaction == transaction:
                return answer
        return None

    def send(self, payload):
        self.socket.send(struct.pack("!HH", self.channel, len(payload)) + payload)

    def receive(self, seconds=1.0):
        """The payload of the next ChannelData, or None when the time is over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return None
            channel, length = struct.unpack_from("!HH", data)
            if channel == self.channel:
                return data[4 : 4 + length]
        return None

    def echoes(self, payload=b"hello", seconds=1.0):
        self.send(payload)
        return self.receive(seconds) == payload


class TokenClient(Client):
    """With a token of RFC 7635, which goes with Allocate and Refresh; its MAC key is the key as it is."""

    def __init__(self, server, kid, token, mac_key):
        super().__init__(server, kid, None)
        self.token, self.mac_key = token, mac_key

    def make_key(self):
        return self.mac_key

    def shown_with(self, method):
        return [(ACCESS_TOKEN, self.token)] if method in (ALLOCATE, REFRESH) else []

    def renew(self, token, mac_key, lifetime=600):
        """RFC 7635 section 9: a Refresh with another token moves the allocation to the key of that one."""
        self.token, self.mac_key = token, mac_key
        self.key = mac_key
        return self.refresh(lifetime)
