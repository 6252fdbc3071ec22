"""`python -m lab.clients.sstp_python`: the lab's own SSTP client, with a TUN in place of PPP.

For computers without PPP in their kernel. It prints one JSON object a line: `up` with address, DNS
servers, TLS and crypto binding; `refused` with a reason; `ended`. SIGTERM disconnects. Exit code 0
if the call was up, 1 if it never was.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import ssl
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, get_args

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from gateway.dataplane import tun
from gateway.dataplane.reactor import READABLE, Reactor
from gateway.ppp.config import ClientConfig
from gateway.ppp.tls_contexts import Key, client_context
from gateway.sstp.protocol.binding import Bound
from gateway.sstp.protocol.events import Connected, Data, Ended, Refused
from lab.clients.library_errors import UNUSABLE, refusal
from lab.clients.old_tls import Agreed, client_hello, read_answer
from lab.clients.sstp_call import HTTPS, REACH_LIMIT, DialEvent, NotReached, SstpCall, Target
from lab.clients.user import outdated
from lab.topology.model.tls import CipherSuite, TlsVersion

LARGEST_PACKET = 65536
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
}


def emit(event: str, **fields: Any) -> None:
    """Print one event."""
    print(json.dumps({"event": event, **fields}), flush=True)


class Tunnel:
    """A call and its user's TUN interface; the reactor stops when both have ended."""

    def __init__(
        self,
        reactor: Reactor,
        target: Target,
        user: ClientConfig,
        interface: str,
        routes: Sequence[IPv4Network],
    ) -> None:
        self.call = SstpCall(reactor, target, user, self.handle, done=reactor.stop)
        self.was_up = False
        self._reactor = reactor
        self._interface = interface
        self._routes = routes
        self._tun = -1
        self._binding = ""

    def handle(self, event: DialEvent) -> None:
        """Handle an event of the call."""
        match event:
            case Bound():
                self._binding = f"{event.hash_protocol.name}, {event.form}"
            case Connected():
                self._up(event.address)
            case Data():
                with suppress(BlockingIOError):
                    os.write(self._tun, event.packet)
            case Refused() | NotReached():
                emit("refused", reason=event.reason, message=event.message)
            case Ended():
                emit("ended", why=event.why)

    def hang_up(self) -> None:
        """Disconnect at the user's request."""
        self.call.hang_up("the user hung up")

    def _up(self, address: IPv4Address) -> None:
        layers = self.call.layers
        self._tun = tun.open_tun(self._interface, vnet_hdr=False)
        tun.configure(self._interface, IPv4Interface(address), layers.call.peer_mru, self._routes)
        self._reactor.add(self._tun, READABLE, self._outbound)
        self.was_up = True
        emit(
            "up",
            address=str(address),
            interface=self._interface,
            dns=[str(server) for server in layers.link.dns],
            tls=f"{layers.tls.version} {layers.tls.cipher}",
            binding=self._binding,
        )

    def _outbound(self, _events: int) -> None:
        with suppress(BlockingIOError):
            while True:
                self.call.send(os.read(self._tun, LARGEST_PACKET))


def tls_context(root: str, maximum: TlsVersion | None = None) -> ssl.SSLContext:
    """A client's context that verifies chain and name; `maximum` limits the TLS version."""
    context = ssl.create_default_context(cafile=root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are intended
        context.maximum_version = _VERSIONS[maximum or "1.2"]
        if maximum in ("1.0", "1.1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # these versions sign with SHA-1
    return context


def certificate_user(
    name: str, certificate: str, key: str, root: str, maximum: TlsVersion | None = None
) -> ClientConfig:
    """A user with EAP-TLS, from PEM files; `root` is the root of the peer's certificate, `maximum`
    limits the TLS version."""
    leaf, *chain = x509.load_pem_x509_certificates(Path(certificate).read_bytes())
    # As in lab.clients.user, from which the key comes.
    secret = load_pem_private_key(Path(key).read_bytes(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(secret, Key):
        raise TypeError(f"{key}: not a key that can sign")
    roots = x509.load_pem_x509_certificates(Path(root).read_bytes())
    level = 0 if maximum or outdated((leaf, *chain)) else None
    context = client_context(leaf, secret, tuple(chain), tuple(roots), security_level=level)
    if maximum:
        context.set_min_proto_version(SSL.TLS1_VERSION)
        context.set_max_proto_version(_VERSIONS[maximum].value)
    return ClientConfig(name, eap_tls=context, methods=("EAP",))


def user_config(options: argparse.Namespace) -> ClientConfig:
    """A certificate, or name and password (from a file: secrets do not belong in argv), or only a
    name."""
    if options.certificate is None and options.password_file is None:
        return ClientConfig(options.user, methods=("EAP",))
    if options.certificate is None:
        return ClientConfig(options.user, Path(options.password_file).read_bytes().decode())
    peer_root = options.eap_root or options.root
    return certificate_user(
        options.user, options.certificate, options.key, peer_root, options.maximum_eap_tls
    )


def offer_old_suites(options: argparse.Namespace) -> int:
    """Send a ClientHello that no current library can make, and report the answer."""
    hello = client_hello(options.cipher, options.maximum_tls, options.server, os.urandom)
    received = b""
    try:
        with socket.create_connection((options.server, HTTPS), REACH_LIMIT) as line:
            line.sendall(hello)
            while (answer := read_answer(received)) is None:
                data = line.recv(4096)
                if not data:
                    break
                received += data
    except ConnectionResetError:
        answer = None
    except OSError as error:
        emit("refused", reason="no-answer", message=str(error.strerror or error))
        return 1
    if isinstance(answer, Agreed):
        emit("agreed", suite=answer.suite)
        return 0
    message = f"TLS alert: {answer.description}" if answer else "the gateway hung up"
    emit("refused", reason="tls", message=message)
    return 1


def call(options: argparse.Namespace) -> int:
    """Dial and forward packets until the call ends."""
    try:
        user = user_config(options)
    except Exception as error:
        message = refusal(error)
        if message is None:
            raise
        emit("refused", reason=UNUSABLE, message=message)
        return 1
    try:
        address = "" if options.proxy else socket.gethostbyname(options.server)
    except OSError as error:
        emit("refused", reason="no-answer", message=f"{options.server}: {error.strerror}")
        return 1
    with Reactor() as reactor:
        context = tls_context(options.root, options.maximum_tls)
        target = Target(options.server, address, context, options.proxy)
        tunnel = Tunnel(reactor, target, user, options.interface, options.route)
        on_sigterm(reactor, tunnel.hang_up)
        tunnel.call.dial()
        reactor.run()
    return 0 if tunnel.was_up else 1


def on_sigterm(reactor: Reactor, function: Callable[[], None]) -> None:
    """Let the reactor call the function: a signal handler may interrupt any code."""
    asked = os.eventfd(0, os.EFD_CLOEXEC)
    signal.signal(signal.SIGTERM, lambda *_: os.eventfd_write(asked, 1))

    def called(_events: int) -> None:
        os.eventfd_read(asked)
        function()

    reactor.add(asked, READABLE, called)


def _proxy(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit code."""
    parser = argparse.ArgumentParser(prog="sstp_python", description=__doc__)
    parser.add_argument("server", help="gateway name; its certificate must have this name")
    parser.add_argument("--root", required=True, help="root of the gateway's certificate (PEM)")
    parser.add_argument("--user", required=True, help="EAP identity, or user name")
    parser.add_argument("--certificate", help="user certificate, then its issuers (PEM)")
    parser.add_argument("--key", help="private key of the user certificate (PEM)")
    parser.add_argument("--eap-root", help="root of the EAP-TLS server; default --root (PEM)")
    parser.add_argument("--password-file", help="file with the password, without --certificate")
    parser.add_argument("--proxy", type=_proxy, help="HOST:PORT of an HTTP proxy")
    parser.add_argument("--interface", default="sstp0")
    parser.add_argument("--route", type=IPv4Network, action="append", default=[])
    parser.add_argument("--maximum-tls", choices=get_args(TlsVersion))
    parser.add_argument("--maximum-eap-tls", choices=get_args(TlsVersion))
    parser.add_argument("--cipher", choices=get_args(CipherSuite), action="append", default=[])
    options = parser.parse_args(arguments)
    return offer_old_suites(options) if options.cipher else call(options)


if __name__ == "__main__":
    sys.exit(main())
