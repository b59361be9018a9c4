"""Free ports on the loopback interface, as `tests/ports` finds them for the tests in Rust."""

import itertools
import os
import socket

# Below are those of well-known servers.
FIRST = 10_000
RANGE = "/proc/sys/net/ipv4/ip_local_port_range"

# Those that were told: each is held by a UDP socket of its number, which keeps no TCP server from it.
told = []


def free_ports(count):
    """None that the system gives out itself: until its server listens, any connection may be given such a one."""
    with open(RANGE) as file:
        span = int(file.read().split()[0]) - FIRST
    begin = os.getpid() * 61 + len(told)
    tried = (FIRST + (begin + at) % span for at in range(span))
    return list(itertools.islice(filter(hold, tried), count))


def hold(port):
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind(("127.0.0.1", port))
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        held.close()
        return False
    told.append(held)
    return True
