"""A WebSocket client for the end-to-end tests (RFC 6455, RFC 7118): text messages over TLS or TCP, byte by byte if need be."""

import base64
import secrets
import socket
import ssl
import struct
import time
import urllib.parse

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class HandshakeRefused(AssertionError):
    """The server has answered the upgrade with something else than 101."""

    def __init__(self, answer):
        super().__init__(answer)
        self.status = int(answer.split()[1]) if answer.startswith("HTTP/1.1 ") else 0


class Closed(ConnectionError):
    """The server has closed: the code of its close frame, or 1006 without one."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed: {code} {reason}")
        self.code = code


class WebSocket:
    """Connected when it is made. It is also a transport of sip.Agent."""

    def __init__(self, uri, origin=None, subprotocol="sip", authority=None, headers=(), seconds=10):
        parts = urllib.parse.urlsplit(uri)
        self.secure = parts.scheme == "wss"
        port = parts.port or (443 if self.secure else 80)
        self.socket = socket.create_connection((parts.hostname, port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.secure:
            context = ssl.create_default_context(cafile=authority)
            if authority is None:  # a test that does not look at certificates
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.data, self.ended = b"", False
        host = f"{secrets.token_hex(6)}.invalid"
        self.via = f"SIP/2.0/{'WSS' if self.secure else 'WS'} {host}"
        self.contact_host = f"{host};transport=ws"
        try:
            self._upgrade(parts, origin, subprotocol, headers, seconds)
        except (HandshakeRefused, OSError):
            self.socket.close()
            raise

    def _upgrade(self, parts, origin, subprotocol, headers, seconds):
        lines = [
            f"GET {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}", "Sec-WebSocket-Version: 13",
        ]  # fmt: skip
        if origin:
            lines.append(f"Origin: {origin}")
        if subprotocol:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        self.socket.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
        deadline = time.monotonic() + seconds
        while b"\r\n\r\n" not in self.data:
            if not self._fill(deadline):
                raise HandshakeRefused(self.data.decode(errors="replace") or "no answer")
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        self.handshake = head.decode()
        if not self.handshake.startswith("HTTP/1.1 101"):
            raise HandshakeRefused(self.handshake)

    def _fill(self, deadline):
        """Reads what comes; False when nothing came in time, or nothing will (`ended`)."""
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            more = self.socket.recv(65536)
        except TimeoutError:
            return False
        except OSError as error:
            raise Closed(1006, str(error)) from None
        self.data += more
        self.ended = not more
        return bool(more)

    def send(self, text):
        self.send_frame(text.encode() if isinstance(text, str) else text)

    def send_frame(self, payload, opcode=TEXT, final=True):
        self.socket.settimeout(10)
        self.socket.sendall(frame(payload, opcode, final))

    def receive(self, seconds=10):
        """The next message, or None when none has come in time. Pings are answered."""
        deadline = time.monotonic() + seconds
        message = b""
        while True:
            got = self._frame(deadline)
            if got is None:
                return None
            opcode, final, payload = got
            if opcode == PING:
                self.send_frame(payload, PONG)
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode(errors="replace"))
            elif opcode != PONG:
                message += payload
                if final:
                    return message

    def _frame(self, deadline):
        """(opcode, final, payload); None when it is not whole in time."""
        while True:
            got = split_frame(self.data)
            if got:
                opcode, final, payload, used = got
                self.data = self.data[used:]
                return opcode, final, payload
            if not self._fill(deadline):
                if self.ended:
                    raise Closed(1006)
                return None

    def close(self):
        try:
            self.send_frame(struct.pack("!H", 1000), CLOSE)
        except OSError:
            pass
        self.socket.close()

    def drop(self):
        """Ends the connection without a word, as a network does that goes away."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def frame(payload, opcode=TEXT, final=True):
    """A frame of a client: RFC 6455 section 5.3 has it masked."""
    mask = secrets.token_bytes(4)
    head = bytes([opcode | (0x80 if final else 0)])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        head += bytes([0x80 | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", len(payload))
    repeated = mask * (len(payload) // 4 + 1)
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated[: len(payload)], "big")).to_bytes(len(payload), "big")
    return head + mask + masked


def split_frame(data):
    """(opcode, final, payload, length) of the first frame of a server, or None when it is not whole."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length >= 126:
        size = 2 if length == 126 else 8
        start += size
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        return None
    return data[0] & 0x0F, bool(data[0] & 0x80), data[start : start + length], start + length
