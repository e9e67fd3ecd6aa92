"""Ports for the servers that tests start."""

import contextlib
import itertools
import os
import socket

# Below those that Linux gives to whoever asks for any (32768 and up), so nobody
# is given one between our asking and the server's start.
FIRST, COUNT = 12000, 20000
# Processes that test at the same time start apart, and none gives a port twice.
_next = itertools.count(os.getpid() * 61)


def free(count=1):
    """Ports of the loopback interface that nobody listens on, all different."""
    found = []
    while len(found) < count:
        port = FIRST + next(_next) % COUNT
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found
