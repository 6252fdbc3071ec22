"""The worker's program: prepares, drops its rights, and serves clients."""

from __future__ import annotations

import argparse
import resource
import signal
import socket
import ssl
from pathlib import Path

from gateway.common.quick_start import settle
from gateway.dataplane import native
from gateway.dataplane.plane import Plane
from gateway.dataplane.reactor import Reactor
from gateway.dataplane.tls import server_context
from gateway.dataplane.tun import has_vnet_hdr
from gateway.sstp.protocol.binding import certificate_hashes
from gateway.sstp.worker.messages import FROM_WORKER, TO_WORKER
from gateway.sstp.worker.worker import Worker
from gateway.unprivileged import privileges
from gateway.unprivileged.channel import Channel


def main() -> int:
    """Run until the gateway exits or sends SIGTERM."""
    parser = argparse.ArgumentParser(prog="gateway.sstp.worker", description=__doc__)
    for name in ("control", "tun", "listen"):
        parser.add_argument(f"--{name}", type=int, required=True, help="an open descriptor")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM, with its issuers")
    parser.add_argument("--key", type=Path, required=True, help="PEM")
    parser.add_argument("--mtu", type=int, required=True, help="of the TUN, in bytes")
    arguments = parser.parse_args()

    leaf = first_certificate(arguments.certificate.read_text("latin-1"))
    tls = server_context(arguments.certificate, arguments.key)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    reactor = Reactor()
    signal.signal(signal.SIGTERM, lambda *_: reactor.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the gateway handles the terminal's Ctrl-C
    compiled = native.load() if has_vnet_hdr(arguments.tun) else None
    plane = Plane(arguments.tun, compiled, reactor, arguments.mtu)
    listener = socket.socket(fileno=arguments.listen)
    channel = Channel(socket.socket(fileno=arguments.control), TO_WORKER, FROM_WORKER)
    settle()
    kept = privileges.confine()
    Worker(
        reactor=reactor,
        channel=channel,
        listener=listener,
        plane=plane,
        tls=tls,
        hashes=certificate_hashes(leaf),
        kept=kept,
    ).run()
    return 0


def first_certificate(pem: str) -> bytes:
    """The DER of the first certificate in a PEM file; cryptography would take as long to import as
    all the rest. ValueError: there is none."""
    begin = pem.index(ssl.PEM_HEADER)
    end = pem.index(ssl.PEM_FOOTER, begin) + len(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(pem[begin:end])
