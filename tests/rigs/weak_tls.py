"""A TLS server of the test's own that takes what no library takes any more: of a ClientHello with
one of its versions it takes the first of its suites, and goes no further than ServerHelloDone.

    python -m tests.rigs.weak_tls PORT CERTIFICATE VERSION[,...] SUITE[,...]

Versions and suites as hexadecimal numbers; CERTIFICATE: a PEM file.
"""

from __future__ import annotations

import os
import socketserver
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.explain.hello import read_hello

ALERT, HANDSHAKE = 21, 22
REFUSAL = bytes((2, 40))
"""A fatal handshake_failure."""


class Taker(socketserver.BaseRequestHandler):
    """One connection."""

    versions: frozenset[int] = frozenset()
    suites: tuple[int, ...] = ()
    certificate = b""

    def handle(self) -> None:
        data = self.request.recv(65536)
        hello = read_hello(data)
        version = int.from_bytes(data[9:11], "big")
        offered = hello.suites if hello else ()
        suite = next((one for one in self.suites if one in offered), None)
        if suite is None or version not in self.versions:
            self.request.sendall(_record(version, ALERT, REFUSAL))
            return
        head = (
            version.to_bytes(2, "big") + os.urandom(32) + b"\0" + suite.to_bytes(2, "big") + b"\0"
        )
        shown = _sized(_sized(self.certificate))
        messages = (2, head), (11, shown), (14, b"")
        body = b"".join(bytes((kind,)) + _sized(one) for kind, one in messages)
        self.request.sendall(_record(version, HANDSHAKE, body))


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def _record(version: int, kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + version.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def main(port: str, certificate: str, versions: str, suites: str) -> None:
    """Until the program is stopped; prints `ready`."""
    leaf = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    Taker.certificate = leaf.public_bytes(Encoding.DER)
    Taker.versions = frozenset(int(one, 16) for one in versions.split(","))
    Taker.suites = tuple(int(one, 16) for one in suites.split(","))
    socketserver.TCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", int(port)), Taker) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
