"""Ports for the servers of tests and benchmarks."""

import errno
import random
import socket

PLACES = [
    (family, host, kind)
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
]


def is_free(port):
    for family, host, kind in PLACES:
        try:
            with socket.socket(family, kind) as one:
                one.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:  # another error: this machine has no such address
                return False
    return True


# Of the range below: where browsers and fetch() open no connection, whoever serves there (https://fetch.spec.whatwg.org,
# "port blocking").
BLOCKED_BY_BROWSERS = {6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697}

given = set(BLOCKED_BY_BROWSERS)


def free_port():
    """A port of the loopback addresses that neither UDP nor TCP uses: below those of relays in tests, and below those
    that the kernel gives out, so that nobody else happens to take it; one that a browser goes to; not one that was given
    away before, whose server may not have started yet."""
    while (port := random.randint(6100, 9999)) in given or not is_free(port):
        pass
    given.add(port)
    return port
