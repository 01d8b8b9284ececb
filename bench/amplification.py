"""How many bytes a server sends to somebody who has shown nothing, per byte of the smallest legal request."""

import struct

import marks
import servers

REQUESTED_UDP = servers.attribute(0x0019, bytes([17, 0, 0, 0]))
PEER = servers.attribute(0x0012, bytes([0, 1]) + struct.pack("!HI", 9 ^ 0x2112, 0x7F000001 ^ servers.MAGIC))
CHANNEL = servers.attribute(0x000C, bytes([0x40, 0, 0, 0]))

REQUESTS = [  # name, request, what ours may be at most
    ("binding", "Binding", servers.stun_request(0x001), 1.6),
    ("allocate", "Allocate, RFC 8489 algorithms on", servers.stun_request(0x003, REQUESTED_UDP), 3.5),
    ("refresh", "Refresh", servers.stun_request(0x004), 3.0),
    ("create_permission", "CreatePermission", servers.stun_request(0x008, PEER), 3.0),
    ("channel_bind", "ChannelBind", servers.stun_request(0x009, CHANNEL + PEER), 3.0),
]
WITHOUT_ALGORITHMS = ("allocate_md5", "Allocate, RFC 8489 algorithms off", servers.stun_request(0x003, REQUESTED_UDP), 2.4)


def reply_ratio(server, request):
    return len(servers.ask(server.port, request)) / len(request)


def compare(coturn, turnpike, requests):
    rows = []
    for name, title, request, ours_max in requests:
        mark = marks.Mark(
            f"amplification_{name}", f"reply / request, {title}", "bytes/byte", "", lambda report: 0,
            ours_max=ours_max,
        )  # fmt: skip
        rows.append(marks.summarize(mark, [reply_ratio(coturn, request)], [reply_ratio(turnpike, request)]))
    return rows
